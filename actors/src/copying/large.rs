//! A large file's way to the destination, in parts that several Copiers can take.

use std::sync::Arc;

use longhaul_ledger::{CopyOutcome, PartCopied};
use longhaul_model::{ErrorClass, PlanAction, Side, encode_name};
use longhaul_storage::{Draft, Original, Placed, Replace, Target};

use super::beside::Beside;
use super::contents::copy_range;
use super::context::{Attempt, CopyContext, On, Trouble};
use super::transfer::{Transfer, compared, size_of};
use super::tree_hash;
use super::way::Way;
use super::work::{LargeFile, LargeItem};

/// Stands for the chaining value of a part that was copied without its bytes having been seen. It is that of no part.
pub(super) const UNHASHED: [u8; 32] = [0; 32];

/// What looking at a large file comes to.
#[derive(Debug)]
pub(super) enum Prepared {
    /// Its parts are to be copied.
    File(LargeFile),
    /// There is nothing to be copied.
    Outcome(CopyOutcome),
}

impl Transfer<'_> {
    /// Finds out how a large file stands. Parts of an earlier run count if the source has not changed since.
    pub(super) async fn prepare(&self, large: &Arc<LargeItem>, buffer: &mut [u8]) -> Attempt<Prepared> {
        let Transfer { context, folders, item, names, .. } = *self;
        let original = folders.source.open(names.src).await.on(Side::Source)?;
        let facts = original.facts_at_opening();
        let part_bytes = tree_hash::part_bytes(context.copying.large_from);
        let size = size_of(&facts);
        // Its other names wait until it is copied, and could not wait for parts that nobody is left to copy.
        let others_wait = context.copying.hard_links && facts.shared.is_some();
        // It was large when the plan was made, and has no two parts now.
        if others_wait || size <= part_bytes {
            // What was written of it when it was larger is of no use, and need not be in the way of what is written now.
            self.remove_draft().await?;
            return self.copy_file(buffer).await.map(Prepared::Outcome);
        }
        let mut way = Way::Free;
        if self.may_be_begun() || item.action != PlanAction::Copy {
            way = self.find_way(original.as_ref(), buffer).await?;
            if let Some(outcome) = self.is_over_before(&way, original.as_ref(), buffer).await? {
                self.remove_draft().await?;
                return Ok(Prepared::Outcome(outcome));
            }
        }
        let too_large = |_| Trouble::Changed("it is too large".to_owned());
        let parts = u32::try_from(size.div_ceil(part_bytes)).map_err(too_large)?;
        let now = compared(&facts);
        let done: Vec<PartCopied> = if large.attempt == 1 {
            item.parts.iter().filter(|part| part.facts == now && part.part < parts).copied().collect()
        } else {
            Vec::new()
        };
        if done.is_empty() {
            // Whatever an earlier attempt wrote is not what is in the file now.
            self.remove_draft().await?;
        }
        // From here on it has to be there: one that comes into being later would lack what was written before.
        folders.destination.open_draft(self.target(Replace::Nothing)).await.on(Side::Destination)?;
        Ok(Prepared::File(LargeFile { large: large.clone(), facts: now, part_bytes, parts, done, way }))
    }

    /// What becomes of a file of which nothing has to be copied any more.
    async fn is_over_before(
        &self,
        way: &Way,
        original: &dyn Original,
        buffer: &mut [u8],
    ) -> Attempt<Option<CopyOutcome>> {
        match way {
            Way::Nowhere(outcome) => Ok(Some(outcome.clone())),
            Way::Beside if self.may_be_begun() => match self.find_ours_beside(original, buffer).await? {
                Some(Beside::Copied(outcome)) => Ok(Some(outcome)),
                Some(Beside::Left(_)) | None => Ok(None),
            },
            Way::Free | Way::Replace(_) | Way::Beside => Ok(None),
        }
    }

    /// Copies one part, or finds that it was copied before. Returns its chaining value, or [`UNHASHED`].
    pub(super) async fn copy_part(&self, file: &LargeFile, part: u32, buffer: &mut [u8]) -> Attempt<[u8; 32]> {
        let context = self.context;
        context.check_stop()?;
        let mut draft = self.reopen_draft(self.target(Replace::Nothing)).await?;
        let range = file.range(part);
        if let Some(done) = file.done.iter().find(|done| done.part == part)
            && is_there(context, draft.as_mut(), range.clone(), done.value, buffer).await?
        {
            return Ok(done.value);
        }
        let original = self.folders.source.open(self.names.src).await.on(Side::Source)?;
        check_unchanged(original.as_ref(), file).await?;
        if context.copies_unseen() && draft.copy_range(original.as_ref(), range.clone()).await.on(Side::Destination)? {
            check_unchanged(original.as_ref(), file).await?;
            return Ok(UNHASHED);
        }
        let mut hasher = context.copying.checksum.then(|| tree_hash::hasher_at(range.start));
        copy_range(context, original.as_ref(), draft.as_mut(), range, hasher.as_mut(), buffer).await?;
        check_unchanged(original.as_ref(), file).await?;
        // Whoever asks for this target learns which parts were written, and when; a part that was there is none of them.
        tracing::trace!(target: "longhaul::copying", part, path = %encode_name(&self.path()), "part");
        Ok(hasher.as_ref().map_or(UNHASHED, tree_hash::part_value))
    }

    /// Opens the draft that [`Transfer::prepare`] began.
    async fn reopen_draft(&self, target: Target<'_>) -> Attempt<Box<dyn Draft>> {
        match self.folders.destination.reopen_draft(target).await {
            Err(error) if error.class == ErrorClass::Vanished => {
                Err(Trouble::Changed("the temporary file on the destination is gone".to_owned()))
            }
            opened => opened.on(Side::Destination),
        }
    }

    /// Gives a file of which all parts are there its attributes and its name.
    pub(super) async fn place(
        &self,
        file: &LargeFile,
        checksum: Option<[u8; 32]>,
        buffer: &mut [u8],
    ) -> Attempt<CopyOutcome> {
        let Transfer { context, folders, names, .. } = *self;
        let original = folders.source.open(names.src).await.on(Side::Source)?;
        // What is set and recorded is what was checked: looking twice, one could see what the parts are not of.
        let facts = original.facts_at_opening();
        if compared(&facts) != file.facts {
            return Err(changed_while_read());
        }
        // What was compared by its contents is not compared again as long as nobody has touched it.
        let way = match &file.way {
            Way::Replace(_) | Way::Beside if self.still_replaces(&file.way).await? => file.way.clone(),
            _ => self.find_way(original.as_ref(), buffer).await?,
        };
        if let Way::Nowhere(outcome) = way {
            self.remove_draft().await?;
            return Ok(outcome);
        }
        let attributes = context.attributes(folders.source, names.src, &facts).await?;
        let target = self.target(way.replaces());
        let draft = self.reopen_draft(target).await?;
        let size = size_of(&facts);
        if let Way::Beside = way {
            let ours = if self.may_be_begun() { self.find_ours_beside(original.as_ref(), buffer).await? } else { None };
            let left = match ours {
                Some(Beside::Left(left)) => Some(left),
                Some(Beside::Copied(_)) | None => None,
            };
            let place = self.find_place_beside(left).await?;
            let target = Target { name: &place.name, replace: place.replace, ..target };
            self.finish_beside(draft, target, size, &attributes).await?;
            return Ok(self.copied(&facts, checksum, Some(&place.name)));
        }
        if !self.still_replaces(&way).await? {
            return Err(Trouble::Changed("the destination changed while the file was copied".to_owned()));
        }
        match self.finish(draft, target, size, &attributes).await? {
            Placed::Done => {
                tracing::trace!(target: "longhaul::copying", path = %encode_name(&self.path()), "file");
                Ok(self.copied(&facts, checksum, None))
            }
            Placed::Taken => Err(Trouble::Changed("its name was taken a moment before".to_owned())),
        }
    }
}

async fn check_unchanged(original: &dyn Original, file: &LargeFile) -> Attempt<()> {
    let facts = original.facts().await.on(Side::Source)?;
    if compared(&facts) == file.facts { Ok(()) } else { Err(changed_while_read()) }
}

fn changed_while_read() -> Trouble {
    Trouble::Changed("the file changed while it was read".to_owned())
}

/// Whether a part is what it was when it was recorded. Where there is no chaining value its length has to do.
async fn is_there(
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
    Ok(draft.read_at(last, &mut buffer[..1]).await.on(Side::Destination)? == 1)
}

/// The chaining value of a stretch of what was written; `None` if it is not all there.
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
        let read = read.await.on(Side::Destination)?;
        if read == 0 {
            return Ok(None);
        }
        hasher.update(&buffer[..read]);
        position += read as u64;
    }
    Ok(Some(tree_hash::part_value(&hasher)))
}
