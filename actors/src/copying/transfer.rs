//! One item on its way: which one, from where to where, and what each step of its way needs to know.

use longhaul_ledger::{CopiedFile, CopyOutcome, PlanItem};
use longhaul_model::{BySide, ErrorClass, FileFacts, NodeKind, Side, encode_name};
use longhaul_storage::{Attributes, Draft, Facts, Folder, Known, Placed, Replace, Target};

use super::context::{Attempt, CopyContext, On, Trouble, without_foreign_bits};

/// The two folders that an item is in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folders<'a> {
    pub(super) source: &'a dyn Folder,
    pub(super) destination: &'a dyn Folder,
    /// The destination folder's path from the root, as bytes.
    pub(super) path: &'a [u8],
    /// That of the source folder.
    pub(super) source_path: &'a [u8],
}

/// The name of an item on the source, and the one that it gets on the destination.
pub(super) type Names<'a> = BySide<&'a [u8]>;

/// An item on its way. Its steps are found in the modules that are about them.
#[derive(Debug)]
pub(super) struct Transfer<'a> {
    pub(super) context: &'a CopyContext,
    pub(super) folders: Folders<'a>,
    pub(super) item: &'a PlanItem,
    pub(super) names: Names<'a>,
    /// The name that it has on the destination while it is not whole.
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

    /// What the destination has under this name.
    pub(super) async fn look(&self, name: &[u8]) -> Attempt<Option<Facts>> {
        self.folders.destination.look(name).await.on(Side::Destination)
    }

    /// Where it goes, under its own name.
    pub(super) fn target(&self, replace: Replace) -> Target<'_> {
        Target { name: self.names.dst, temporary: &self.temporary, replace, known: Known::default() }
    }

    /// Removes what an earlier attempt may have left of it under its temporary name.
    pub(super) async fn remove_draft(&self) -> Attempt<()> {
        self.folders.destination.remove_draft(&self.temporary).await.on(Side::Destination)
    }

    /// Whether what is to be replaced under this name is still what it was when that was decided.
    pub(super) async fn is_still(&self, name: &[u8], replace: Replace) -> Attempt<bool> {
        let Replace::Only(expected) = replace else { return Ok(true) };
        let found = self.look(name).await?;
        Ok(found.is_none_or(|found| found.kind == NodeKind::File && compared(&found) == expected))
    }

    /// Gives a draft its name. That it has no temporary name any more is no reason to give the file up.
    pub(super) async fn finish(
        &self,
        draft: Box<dyn Draft>,
        target: Target<'_>,
        size: u64,
        attributes: &Attributes,
    ) -> Attempt<Placed> {
        let (attributes, leaves_out) = without_foreign_bits(attributes);
        match draft.finish(target, size, &attributes, self.context.durability).await {
            Err(error) if error.class == ErrorClass::Vanished => {
                Err(Trouble::Changed("the temporary file on the destination is gone".to_owned()))
            }
            placed => {
                if leaves_out && placed == Ok(Placed::Done) {
                    self.context.board.left_out_special_bits();
                }
                placed.on(Side::Destination)
            }
        }
    }

    /// That it is there, under its own name or this one, with what is kept of its copy.
    pub(super) fn copied(&self, facts: &Facts, checksum: Option<[u8; 32]>, beside: Option<&[u8]>) -> CopyOutcome {
        let identity = facts.shared.filter(|_| self.context.copying.hard_links);
        CopyOutcome::Copied(CopiedFile {
            name: beside.map(|name| encode_name(name).into_owned()),
            size: facts.size,
            modified_ns: facts.modified_ns,
            checksum,
            // Numbers of files and devices are kept by their bits.
            identity: identity.map(|shared| (shared.device.cast_signed(), shared.inode.cast_signed())),
        })
    }

    /// Its path on the destination, from the root, under its own name.
    pub(super) fn path(&self) -> Vec<u8> {
        path_in(self.folders.path, self.names.dst)
    }
}

/// The part of facts that comparing is about.
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
