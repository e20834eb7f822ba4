//! The way of a large file: prepared once, copied in parts by several Copiers, and placed when all parts are there.

use longhaul_ledger::{CopyOutcome, PartCopied};
use longhaul_model::{PlanAction, Side, encode_name};
use longhaul_storage::{Draft, Original, Placed, Replace, Target};

use super::contents::copy_range;
use super::context::{AtSide, Attempt, AttemptError, CopyContext};
use super::keep_both::EarlierCopy;
use super::placement::{Checksum, Placement};
use super::story::changed_while_read;
use super::transfer::{Transfer, compared, error_of_temporary_file, size_of};
use super::tree_hash;
use super::work::{LargeFile, LargeItem};

/// Stands for the chaining value of a part that was copied without its bytes being read. No part has this value.
pub(super) const UNHASHED: [u8; 32] = [0; 32];

/// The result of preparing a large file.
#[derive(Debug)]
pub(super) enum Prepared {
    /// Its parts are to be copied.
    File(LargeFile),
    /// Nothing is left to copy.
    Outcome(CopyOutcome),
}

impl Transfer<'_> {
    /// Decides where a large file goes, and which of its parts are still to be copied. Parts of an earlier run count if
    /// the source has not changed since.
    pub(super) async fn prepare(&self, large: &LargeItem, buffer: &mut [u8]) -> Attempt<Prepared> {
        let Transfer { context, folders, item, names, .. } = *self;
        let source = folders.source.open(names.src).await.at_side(Side::Source)?;
        let facts = source.facts_at_opening();
        self.confirm_size(source.as_ref()).await?;
        let part_bytes = tree_hash::part_bytes(context.copying.large_from);
        let size = size_of(&facts);

        // A file with several names is copied in one piece: a Copier that waits for it could not copy its parts.
        let others_wait = context.copying.hard_links && facts.shared.is_some();
        if self.may_be_begun() {
            self.put_back_an_edit(&facts).await?;
        }
        // So is a file that was large when the plan was made, and has fewer than two parts now.
        if others_wait || size <= part_bytes {
            // Parts that were written when it was larger are of no use.
            self.remove_temporary_file().await?;
            return self.copy_file(buffer).await.map(Prepared::Outcome);
        }

        // Look at the destination, unless the name was free when the plan was made.
        let mut placement = Placement::Free;
        if self.may_be_begun() || item.action != PlanAction::Copy {
            placement = self.find_placement(source.as_ref(), buffer).await?;
            if let Some(outcome) = self.outcome_without_parts(placement, source.as_ref(), buffer).await? {
                self.remove_temporary_file().await?;
                return Ok(Prepared::Outcome(outcome));
            }
        }

        let too_large = |_| AttemptError::Changed("it is too large".to_owned());
        let parts = u32::try_from(size.div_ceil(part_bytes)).map_err(too_large)?;
        let now = compared(&facts);
        let done: Vec<PartCopied> = if large.attempt == 1 {
            item.parts.iter().filter(|part| part.facts == now && part.part < parts).copied().collect()
        } else {
            Vec::new()
        };
        if done.is_empty() {
            // What an earlier attempt wrote is not what the file has now.
            self.remove_temporary_file().await?;
        }
        // The temporary file has to exist from here on: if it were created again later, earlier parts would be missing.
        folders.destination.open_draft(self.target(Replace::Nothing)).await.at_side(Side::Destination)?;
        Ok(Prepared::File(LargeFile { large: large.clone(), facts: now, part_bytes, parts, done, placement }))
    }

    /// The outcome of a large file of which no part has to be copied.
    async fn outcome_without_parts(
        &self,
        placement: Placement,
        source: &dyn Original,
        buffer: &mut [u8],
    ) -> Attempt<Option<CopyOutcome>> {
        if placement == Placement::KeepBoth
            && let Some(EarlierCopy::Whole(outcome)) = self.find_earlier_copy(source, buffer).await?
        {
            return Ok(Some(outcome));
        }
        Ok(self.outcome_without_writing(placement, &source.facts_at_opening()))
    }

    /// Copies one part, unless an earlier run copied it. Returns its chaining value, or [`UNHASHED`].
    pub(super) async fn copy_part(&self, file: &LargeFile, part: u32, buffer: &mut [u8]) -> Attempt<[u8; 32]> {
        let context = self.context;
        context.check_stop()?;
        let mut draft = self.reopen_temporary_file(self.target(Replace::Nothing)).await?;
        let range = file.range(part);
        if let Some(done) = file.done.iter().find(|done| done.part == part)
            && is_intact(context, draft.as_mut(), range.clone(), done.value, buffer).await?
        {
            return Ok(done.value);
        }
        let source = self.folders.source.open(self.names.src).await.at_side(Side::Source)?;
        check_unchanged(source.as_ref(), file).await?;
        if context.copies_without_reading()
            && draft.copy_range(source.as_ref(), range.clone()).await.at_side(Side::Destination)?
        {
            check_unchanged(source.as_ref(), file).await?;
            return Ok(UNHASHED);
        }
        let mut hasher = context.copying.checksum.then(|| tree_hash::hasher_at(range.start));
        copy_range(context, source.as_ref(), draft.as_mut(), range, hasher.as_mut(), buffer).await?;
        check_unchanged(source.as_ref(), file).await?;
        // With this target, traces tell which parts were written, and when. A part that was there already is none of
        // them.
        tracing::trace!(target: "longhaul::copying", part, path = %encode_name(&self.path()), "part");
        Ok(hasher.as_ref().map_or(UNHASHED, tree_hash::part_value))
    }

    /// Gives a large file of which all parts are there its attributes and its name.
    pub(super) async fn place(
        &self,
        file: &LargeFile,
        checksum: Option<Checksum>,
        buffer: &mut [u8],
    ) -> Attempt<CopyOutcome> {
        let Transfer { context, folders, names, .. } = *self;
        let source = folders.source.open(names.src).await.at_side(Side::Source)?;
        // Checked, set and recorded is one look: a second one could see a version that the parts are not from.
        let facts = source.facts_at_opening();
        if compared(&facts) != file.facts {
            return Err(changed_while_read());
        }

        // Decide again where the file goes, unless what was decided about still exists unchanged.
        let decided = file.placement;
        let is_decided = match decided {
            Placement::Replace(_) | Placement::KeepBoth => self.is_still(names.dst, decided.replaces()).await?,
            Placement::Free
            | Placement::AlreadyThere
            | Placement::CopiedEarlier(_)
            | Placement::Conflict(_)
            | Placement::Skip(_) => false,
        };
        let placement = if is_decided { decided } else { self.find_placement(source.as_ref(), buffer).await? };
        if let Some(outcome) = self.outcome_without_writing(placement, &facts) {
            self.remove_temporary_file().await?;
            return Ok(outcome);
        }

        let attributes = context.attributes(folders.source, names.src, &facts).await?;
        let target = self.target(placement.replaces());
        let draft = self.reopen_temporary_file(target).await?;
        let size = size_of(&facts);
        if placement == Placement::KeepBoth {
            let remnant = match self.find_earlier_copy(source.as_ref(), buffer).await? {
                Some(EarlierCopy::Remnant(name)) => Some(name),
                Some(EarlierCopy::Whole(_)) | None => None,
            };
            let other = self.other_name(remnant).await?;
            self.finish_under_other_name(draft, self.target_of(&other), size, &attributes).await?;
            return Ok(self.copied(&facts, checksum, Some(&other.name)));
        }
        if !self.is_still(names.dst, target.replace).await? {
            return Err(AttemptError::Changed("the destination changed while the file was copied".to_owned()));
        }
        match self.finish(draft, target, size, &attributes).await? {
            Placed::Done => {
                tracing::trace!(target: "longhaul::copying", path = %encode_name(&self.path()), "file");
                Ok(self.copied(&facts, checksum, None))
            }
            Placed::Taken => Err(AttemptError::Changed("the file's name was taken a moment before".to_owned())),
        }
    }

    /// Opens the temporary file that [`Transfer::prepare`] created.
    async fn reopen_temporary_file(&self, target: Target<'_>) -> Attempt<Box<dyn Draft>> {
        self.folders.destination.reopen_draft(target).await.map_err(error_of_temporary_file)
    }
}

async fn check_unchanged(source: &dyn Original, file: &LargeFile) -> Attempt<()> {
    let facts = source.facts().await.at_side(Side::Source)?;
    if compared(&facts) == file.facts { Ok(()) } else { Err(changed_while_read()) }
}

/// Whether a part that was recorded is still in the temporary file. Without a chaining value, its length has to do.
async fn is_intact(
    context: &CopyContext,
    draft: &mut dyn Draft,
    range: std::ops::Range<u64>,
    value: [u8; 32],
    buffer: &mut [u8],
) -> Attempt<bool> {
    if value != UNHASHED {
        return Ok(value_of(context, draft, range, buffer).await? == Some(value));
    }
    let last = range.end - 1;
    Ok(draft.read_at(last, &mut buffer[..1]).await.at_side(Side::Destination)? == 1)
}

/// The chaining value of a range of the temporary file; `None` if it ends before.
async fn value_of(
    context: &CopyContext,
    draft: &mut dyn Draft,
    range: std::ops::Range<u64>,
    buffer: &mut [u8],
) -> Attempt<Option<[u8; 32]>> {
    let mut hasher = tree_hash::hasher_at(range.start);
    let mut position = range.start;
    while position < range.end {
        context.check_stop()?;
        let read = context.read(buffer, range.end - position, async |buffer| draft.read_at(position, buffer).await);
        let read = read.await.at_side(Side::Destination)?;
        if read == 0 {
            return Ok(None);
        }
        hasher.update(&buffer[..read]);
        position += read as u64;
    }
    Ok(Some(tree_hash::part_value(&hasher)))
}
