//! One item on its way from the source to the destination, and the small steps that all kinds of items share.

use longhaul_ledger::{CopiedFile, CopyOutcome, PlanItem};
use longhaul_model::{BySide, ErrorClass, FileFacts, NodeKind, Side, encode_name};
use longhaul_storage::{Attributes, Draft, Facts, Folder, Known, Placed, Replace, StoreError, Target};

use super::attributes::without_foreign_bits;
use super::context::{AtSide, Attempt, AttemptError, CopyContext};
use super::placement::{Checksum, Contents, Entry, Placement, Planned, Rules, Situation};
use super::reasons::reason_of;

/// The two folders that an item is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folders<'a> {
    pub(super) source: &'a dyn Folder,
    pub(super) destination: &'a dyn Folder,
    /// The destination folder's path from the root, as bytes.
    pub(super) path: &'a [u8],
    /// The source folder's path from the root, as bytes.
    pub(super) source_path: &'a [u8],
}

/// The name of an item on each side.
pub(super) type Names<'a> = BySide<&'a [u8]>;

/// An item on its way. `story` has the way of a file, `parts` that of a large file, `non_files` those of folders and
/// links.
#[derive(Debug)]
pub(super) struct Transfer<'a> {
    pub(super) context: &'a CopyContext,
    pub(super) folders: Folders<'a>,
    pub(super) item: &'a PlanItem,
    pub(super) names: Names<'a>,
    /// The name of its temporary file.
    pub(super) temporary: Vec<u8>,
}

impl<'a> Transfer<'a> {
    pub(super) fn new(context: &'a CopyContext, folders: Folders<'a>, item: &'a PlanItem, names: Names<'a>) -> Self {
        Transfer { context, folders, item, names, temporary: context.temporary_name(item.id) }
    }

    /// Whether an earlier run, or an earlier attempt, may have begun with it.
    pub(super) fn may_be_begun(&self) -> bool {
        self.context.may_be_begun(self.item.id)
    }

    /// The entry with this name on the destination.
    pub(super) async fn look(&self, name: &[u8]) -> Attempt<Option<Facts>> {
        self.folders.destination.look(name).await.at_side(Side::Destination)
    }

    /// What its placement depends on. Contents are not compared yet.
    pub(super) fn situation(&self, kind: NodeKind, source: &Facts, existing: Option<Facts>) -> Situation {
        let PlanItem { action, in_its_place, .. } = *self.item;
        Situation {
            planned: Planned { action, existing: in_its_place, may_be_begun: self.may_be_begun() },
            rules: self.rules(),
            source: Entry { kind, facts: compared(source) },
            existing: existing.map(|existing| Entry { kind: existing.kind, facts: compared(&existing) }),
            contents: Contents::NotCompared,
        }
    }

    pub(super) fn rules(&self) -> Rules {
        let settings = &self.context.settings;
        Rules {
            comparison: settings.comparison,
            on_conflict: settings.on_conflict,
            preserves_times: self.context.keeps(Side::Destination).modified,
        }
    }

    /// The outcome of a placement that writes nothing. `source` is what was copied, if it was copied earlier.
    pub(super) fn outcome_without_writing(&self, placement: Placement, source: &Facts) -> Option<CopyOutcome> {
        match placement {
            Placement::Free | Placement::Replace(_) | Placement::KeepBoth => None,
            Placement::AlreadyThere => Some(CopyOutcome::AlreadyThere),
            Placement::CopiedEarlier(checksum) => Some(self.copied(source, checksum, None)),
            Placement::Conflict(reason) => Some(CopyOutcome::Conflict(reason_of(reason))),
            Placement::Skip(reason) => Some(CopyOutcome::Skipped(reason_of(reason))),
        }
    }

    /// Its own name as the target.
    pub(super) fn target(&self, replace: Replace) -> Target<'_> {
        Target { name: self.names.dst, temporary: &self.temporary, replace, known: Known::default() }
    }

    /// Restores a third party's edit after a kill in the middle of a replacement.
    ///
    /// A replacement exchanges the names of the copy and of the old file, and then checks the old file before removing it. A
    /// kill in between leaves the old file under the temporary name. If it was edited just before the exchange, this
    /// exchanges the two again.
    pub(super) async fn put_back_an_edit(&self, source: &Facts) -> Attempt<()> {
        if let Some(planned) = self.item.in_its_place
            && let Some(temporary) = self.look(&self.temporary).await?
            && temporary.kind == NodeKind::File
            && compared(&temporary) != planned
            && !self.looks_like_a_copy(source, &temporary)
            && let Some(existing) = self.look(self.names.dst).await?
            && self.looks_like_a_copy(source, &existing)
        {
            let name = self.names.dst;
            if !self.folders.destination.exchange(&self.temporary, name).await.at_side(Side::Destination)? {
                let message = format!(
                    "the file to be replaced was edited at the last moment, and is now called {}",
                    encode_name(&self.temporary)
                );
                return Err(AttemptError::Store(Side::Destination, StoreError::new(ErrorClass::Denied, message)));
            }
        }
        Ok(())
    }

    fn looks_like_a_copy(&self, source: &Facts, found: &Facts) -> bool {
        let rules = self.rules();
        let (source, found) = (compared(source), compared(found));
        found.size == source.size && (rules.comparison.is_same_time(source, found) || !rules.preserves_times)
    }

    /// Removes the temporary file that an earlier attempt may have left.
    pub(super) async fn remove_temporary_file(&self) -> Attempt<()> {
        self.folders.destination.remove_draft(&self.temporary).await.at_side(Side::Destination)
    }

    /// Whether the file that is to be replaced under this name is still the one for which that was decided.
    pub(super) async fn is_still(&self, name: &[u8], replace: Replace) -> Attempt<bool> {
        let Replace::Only(expected) = replace else { return Ok(true) };
        let found = self.look(name).await?;
        Ok(found.is_none_or(|found| found.kind == NodeKind::File && compared(&found) == expected))
    }

    /// Gives a temporary file its attributes and its name.
    pub(super) async fn finish(
        &self,
        draft: Box<dyn Draft>,
        target: Target<'_>,
        size: u64,
        attributes: &Attributes,
    ) -> Attempt<Placed> {
        let (attributes, drops_bits) = without_foreign_bits(attributes);
        let placed =
            draft.finish(target, size, &attributes, self.context.durability).await.map_err(error_of_temporary_file)?;
        if drops_bits && placed == Placed::Done {
            self.context.board.left_out_special_bits();
        }
        Ok(placed)
    }

    /// The outcome of an item that is on the destination, under its own name or `other_name`.
    pub(super) fn copied(&self, source: &Facts, checksum: Option<Checksum>, other_name: Option<&[u8]>) -> CopyOutcome {
        let identity = source.shared.filter(|_| self.context.copying.hard_links);
        CopyOutcome::Copied(CopiedFile {
            name: other_name.map(|name| encode_name(name).into_owned()),
            size: source.size,
            modified_ns: source.modified_ns,
            checksum,
            // The ledger has signed numbers: the bits are kept.
            identity: identity.map(|shared| (shared.device.cast_signed(), shared.inode.cast_signed())),
        })
    }

    /// Its path on the destination, from the root, under its own name.
    pub(super) fn path(&self) -> Vec<u8> {
        path_in(self.folders.path, self.names.dst)
    }
}

/// An error of the destination while a temporary file is opened or named. A missing temporary file was removed by
/// somebody: this attempt fails, and the next one starts over.
pub(super) fn error_of_temporary_file(error: StoreError) -> AttemptError {
    if error.class == ErrorClass::Vanished {
        AttemptError::Changed("the temporary file on the destination is gone".to_owned())
    } else {
        AttemptError::Store(Side::Destination, error)
    }
}

/// The facts that comparisons use.
pub(super) fn compared(facts: &Facts) -> FileFacts {
    FileFacts { size: facts.size, modified_ns: facts.modified_ns }
}

/// The bytes of a file.
pub(super) fn size_of(facts: &Facts) -> u64 {
    facts.size.map_or(0, i64::unsigned_abs)
}

pub(super) fn path_in(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    [folder, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_at_the_root() {
        assert_eq!(path_in(b"/", b"a"), b"/a");
        assert_eq!(path_in(b"/a/b", b"c"), b"/a/b/c");
    }
}
