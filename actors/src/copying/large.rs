//! A large file's way to the destination, in parts that several Copiers can take.

use std::sync::Arc;

use longhaul_ledger::{CopiedFile, CopyOutcome, PartCopied};
use longhaul_model::{ErrorClass, Side, encode_name};
use longhaul_storage::{Draft, Known, Placed, Replace, Target};

use super::beside::{Beside, find_ours_beside, find_place_beside, finish_beside};
use super::contents::copy_range;
use super::context::{Attempt, CopyContext, On, Trouble};
use super::file::{Folders, Names, copied, copy_file, finish, path_in};
use super::tree_hash;
use super::way::{Way, compared, find_way, still_replaces};
use super::work::{LargeFile, LargeItem};

/// What looking at a large file comes to.
#[derive(Debug)]
pub(super) enum Prepared {
    /// Its parts are to be copied.
    File(LargeFile),
    /// There is nothing to be copied.
    Outcome(CopyOutcome),
}

/// Finds out how a large file stands. Parts of an earlier run count if the source has not changed since.
pub(super) async fn prepare(
    context: &CopyContext,
    folders: &Folders<'_>,
    large: &Arc<LargeItem>,
    names: Names<'_>,
    buffer: &mut [u8],
) -> Attempt<Prepared> {
    let original = folders.source.open(names.src).await.on(Side::Source)?;
    let facts = original.facts_at_opening();
    let item = &large.item;
    let part_bytes = tree_hash::part_bytes(context.copying.large_from);
    let size = facts.size.map_or(0, i64::unsigned_abs);
    // Its other names wait until it is copied, and could not wait for parts that nobody is left to copy.
    let others_wait = context.copying.hard_links && facts.shared.is_some();
    // It was large when the plan was made, and has no two parts now.
    if others_wait || size <= part_bytes {
        // What was written of it when it was larger is of no use, and need not be in the way of what is written now.
        folders.destination.remove_draft(&context.temporary_name(item.id)).await.on(Side::Destination)?;
        return copy_file(context, folders, item, names, buffer).await.map(Prepared::Outcome);
    }
    if context.may_be_begun(item.id) || item.in_its_place.is_some() {
        let outcome = match find_way(context, folders, item, names.dst, original.as_ref(), &facts, buffer).await? {
            Way::Nowhere(outcome) => Some(outcome),
            Way::Beside if context.may_be_begun(item.id) => {
                let ours = find_ours_beside(context, folders, names.dst, original.as_ref(), &facts, buffer).await?;
                match ours {
                    Some(Beside::Copied(copied)) => Some(CopyOutcome::Copied(copied)),
                    Some(Beside::Left(_)) | None => None,
                }
            }
            Way::Free | Way::Replace(_) | Way::Beside => None,
        };
        if let Some(outcome) = outcome {
            folders.destination.remove_draft(&context.temporary_name(item.id)).await.on(Side::Destination)?;
            return Ok(Prepared::Outcome(outcome));
        }
    }
    let parts = u32::try_from(size.div_ceil(part_bytes)).map_err(|_| Trouble::Changed("it is too large".to_owned()))?;
    let now = compared(&facts);
    let done: Vec<PartCopied> = if large.attempt == 1 {
        item.parts.iter().filter(|part| part.facts == now && part.part < parts).copied().collect()
    } else {
        Vec::new()
    };
    let temporary = context.temporary_name(item.id);
    if done.is_empty() {
        // Whatever an earlier attempt wrote is not what is in the file now.
        folders.destination.remove_draft(&temporary).await.on(Side::Destination)?;
    }
    // From here on it has to be there: one that comes into being later would lack what was written before.
    let target = Target { name: names.dst, temporary: &temporary, replace: Replace::Nothing, known: Known::default() };
    folders.destination.open_draft(target).await.on(Side::Destination)?;
    Ok(Prepared::File(LargeFile { large: large.clone(), facts: now, part_bytes, parts, done }))
}

/// Copies one part, or finds that it was copied before. Returns its chaining value, where checksums are taken.
pub(super) async fn copy_part(
    context: &CopyContext,
    folders: &Folders<'_>,
    file: &LargeFile,
    part: u32,
    names: Names<'_>,
    buffer: &mut [u8],
) -> Attempt<Option<[u8; 32]>> {
    context.check_stop()?;
    let temporary = context.temporary_name(file.large.item.id);
    let target = Target { name: names.dst, temporary: &temporary, replace: Replace::Nothing, known: Known::default() };
    let mut draft = open_draft(folders, target).await?;
    let range = file.range(part);
    if let Some(done) = file.done.iter().find(|done| done.part == part)
        && value_of(context, draft.as_mut(), range.clone(), buffer).await? == Some(done.value)
    {
        return Ok(Some(done.value));
    }
    let original = folders.source.open(names.src).await.on(Side::Source)?;
    check_unchanged(original.as_ref(), file).await?;
    if context.copies_unseen() && draft.copy_range(original.as_ref(), range.clone()).await.on(Side::Destination)? {
        check_unchanged(original.as_ref(), file).await?;
        return Ok(None);
    }
    let mut hasher = context.copying.checksum.then(|| tree_hash::hasher_at(range.start));
    copy_range(context, original.as_ref(), draft.as_mut(), range, hasher.as_mut(), buffer).await?;
    check_unchanged(original.as_ref(), file).await?;
    // Whoever asks for this target learns which parts were written, and when; a part that was there is none of them.
    let path = path_in(folders.path, names.dst);
    tracing::trace!(target: "longhaul::copying", part, path = %encode_name(&path), "part");
    Ok(hasher.as_ref().map(tree_hash::part_value))
}

/// Opens the draft that [`prepare`] began.
async fn open_draft(folders: &Folders<'_>, target: Target<'_>) -> Attempt<Box<dyn Draft>> {
    match folders.destination.reopen_draft(target).await {
        Err(error) if error.class == ErrorClass::Vanished => {
            Err(Trouble::Changed("the temporary file on the destination is gone".to_owned()))
        }
        opened => opened.on(Side::Destination),
    }
}

async fn check_unchanged(original: &dyn longhaul_storage::Original, file: &LargeFile) -> Attempt<()> {
    let facts = original.facts().await.on(Side::Source)?;
    if compared(&facts) == file.facts {
        return Ok(());
    }
    Err(Trouble::Changed("the file changed while it was read".to_owned()))
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

/// Gives a file of which all parts are there its attributes and its name.
pub(super) async fn place(
    context: &CopyContext,
    folders: &Folders<'_>,
    file: &LargeFile,
    checksum: Option<[u8; 32]>,
    names: Names<'_>,
    buffer: &mut [u8],
) -> Attempt<CopyOutcome> {
    let item = &file.large.item;
    let original = folders.source.open(names.src).await.on(Side::Source)?;
    // What is set and recorded is what was checked: looking twice, one could see what the parts are not of.
    let facts = original.facts_at_opening();
    if compared(&facts) != file.facts {
        return Err(Trouble::Changed("the file changed while it was read".to_owned()));
    }
    let way = find_way(context, folders, item, names.dst, original.as_ref(), &facts, buffer).await?;
    let temporary = context.temporary_name(item.id);
    if let Way::Nowhere(outcome) = way {
        folders.destination.remove_draft(&temporary).await.on(Side::Destination)?;
        return Ok(outcome);
    }
    let attributes = context.attributes(folders.source, names.src, &facts).await?;
    let target = Target { name: names.dst, temporary: &temporary, replace: way.replaces(), known: Known::default() };
    let draft = open_draft(folders, target).await?;
    let size = facts.size.map_or(0, i64::unsigned_abs);
    if let Way::Beside = way {
        let left = if context.may_be_begun(item.id) {
            match find_ours_beside(context, folders, names.dst, original.as_ref(), &facts, buffer).await? {
                Some(Beside::Left(left)) => Some(left),
                Some(Beside::Copied(_)) | None => None,
            }
        } else {
            None
        };
        let place = find_place_beside(folders, names.dst, left).await?;
        let target = Target { name: &place.name, replace: place.replace, ..target };
        finish_beside(context, draft, target, size, &attributes, folders).await?;
        let name = Some(encode_name(&place.name).into_owned());
        return Ok(CopyOutcome::Copied(CopiedFile { name, ..copied(context, &facts, checksum) }));
    }
    if !still_replaces(folders, names.dst, &way).await? {
        return Err(Trouble::Changed("the destination changed while the file was copied".to_owned()));
    }
    match finish(context, draft, target, size, &attributes).await? {
        Placed::Done => {
            let path = path_in(folders.path, names.dst);
            tracing::trace!(target: "longhaul::copying", path = %encode_name(&path), "file");
            Ok(CopyOutcome::Copied(copied(context, &facts, checksum)))
        }
        Placed::Taken => Err(Trouble::Changed("its name was taken a moment before".to_owned())),
    }
}
