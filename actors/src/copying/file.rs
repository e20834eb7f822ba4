//! A file's way to the destination: read, hashed, written under a temporary name, compared with what it was, and given
//! its name without replacing anything that the plan did not mean to replace.

use longhaul_ledger::{CopiedFile, CopyOutcome, PlanItem};
use longhaul_model::{BySide, ConflictPolicy, ErrorClass, FileFacts, NodeKind, PlanAction, Side, encode_name};
use longhaul_storage::{Attributes, Draft, Facts, Folder, Known, Original, Placed, Replace, StoreError, Target};

use super::context::{Attempt, CopyContext, On, Trouble, without_foreign_bits};
use super::hard_links::Claim;

/// Times that the destination may change under our hands before an attempt is given up.
const LOOKS_MAX: u32 = 8;

/// The two folders that an item is in.
#[derive(Debug)]
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

/// Where a file may go, as far as is known.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Nothing has its name.
    Free,
    /// A file with these facts has its name, and is to be replaced.
    Replace(FileFacts),
    /// Its name is taken: the first of these that is not.
    Beside,
    /// It does not go there: this is what became of it.
    Nowhere(CopyOutcome),
}

impl Way {
    /// What may be replaced on it.
    pub(super) fn replaces(&self) -> Replace {
        match self {
            Way::Replace(facts) => Replace::Only(*facts),
            Way::Free | Way::Beside | Way::Nowhere(_) => Replace::Nothing,
        }
    }
}

/// The part of facts that comparing is about.
pub(super) fn compared(facts: &Facts) -> FileFacts {
    FileFacts { size: facts.size, modified_ns: facts.modified_ns }
}

/// Finds out where a file may go. `original` and `facts` are the source's, `name` is the destination's.
pub(super) async fn find_way(
    context: &CopyContext,
    folders: &Folders<'_>,
    item: &PlanItem,
    name: &[u8],
    original: &dyn Original,
    facts: &Facts,
    buffer: &mut [u8],
) -> Attempt<Way> {
    let Some(found) = folders.destination.look(name).await.on(Side::Destination)? else { return Ok(Way::Free) };
    // Somebody has decided so, of what has its place and is of another kind, or was not there when the plan was made.
    let is_kept_beside = item.action == PlanAction::KeepBoth && item.in_its_place.is_none();
    if found.kind != NodeKind::File {
        if is_kept_beside {
            return Ok(Way::Beside);
        }
        let reason = format!("the source has a file of this name, the destination a {}", found.kind);
        return Ok(Way::Nowhere(CopyOutcome::Conflict(reason)));
    }
    let comparison = &context.settings.comparison;
    let (source, destination) = (compared(facts), compared(&found));
    // What an earlier run, or attempt, brought there without anybody's having heard of it is ours, and is told by its
    // contents.
    let may_be_ours = context.may_be_begun(item.id)
        && source.size == destination.size
        && (comparison.is_same_time(source, destination) || !context.keeps(Side::Destination).modified);
    let is_as_planned = item.in_its_place == Some(destination);
    let is_ours = is_left_of_ours(context, item, source, destination);
    let may_be_left_of_ours = may_be_left_of_ours(context, item, source, destination);
    if (may_be_ours && !is_as_planned) || comparison.needs_reading(source, destination) {
        let checksum = same_contents(context, folders.destination, name, original, facts, buffer).await?;
        if let Some(checksum) = checksum {
            return Ok(Way::Nowhere(if may_be_ours && !is_as_planned {
                CopyOutcome::Copied(copied(context, facts, Some(checksum)))
            } else {
                CopyOutcome::AlreadyThere
            }));
        }
    } else if !is_ours && !may_be_left_of_ours && comparison.is_same(source, destination) {
        return Ok(Way::Nowhere(CopyOutcome::AlreadyThere));
    }
    if is_ours {
        return Ok(Way::Replace(destination));
    }
    if is_as_planned {
        match item.action {
            PlanAction::Overwrite => return Ok(Way::Replace(destination)),
            PlanAction::KeepBoth => return Ok(Way::Beside),
            _ => {}
        }
    }
    if is_kept_beside {
        return Ok(Way::Beside);
    }
    // It is not what it was when the plan was made, or the plan left it open: the policy is asked now.
    let when = if item.in_its_place.is_none() { "which was not there when the plan was made" } else { "which differs" };
    Ok(match context.settings.on_conflict {
        ConflictPolicy::Overwrite => Way::Replace(destination),
        ConflictPolicy::Newer if comparison.is_newer(source, destination) => Way::Replace(destination),
        ConflictPolicy::KeepBoth => Way::Beside,
        // It is not left there as if all were well.
        policy if may_be_left_of_ours => Way::Nowhere(CopyOutcome::Conflict(format!(
            "the destination has an empty file, {when}: what a power cut has left of its copy, or somebody else's (on \
             conflict: {})",
            policy.as_str()
        ))),
        ConflictPolicy::Ask => {
            Way::Nowhere(CopyOutcome::Conflict(format!("the destination has another file, {when} (on conflict: ask)")))
        }
        policy @ (ConflictPolicy::Newer | ConflictPolicy::Skip) => {
            let age = if policy == ConflictPolicy::Newer { " that is not older" } else { "" };
            let reason = format!("the destination has another file{age}, {when} (on conflict: {})", policy.as_str());
            Way::Nowhere(CopyOutcome::Skipped(reason))
        }
    })
}

/// Whether the file at the destination is what a power cut has left of a copy of ours, with whatever contents: often it
/// is empty. Its time tells, which is given to a file before its name is: it is the source's to the last digit, as far as
/// the destination keeps digits, and what was there when the plan was made, if anything was, had another one. Whoever
/// else makes a file with this time copies the source, and has the same contents, which are looked at first.
///
/// Only where an earlier run may have written it: it has begun with the item, and the item was to replace what was there.
fn is_left_of_ours(context: &CopyContext, item: &PlanItem, source: FileFacts, destination: FileFacts) -> bool {
    let comparison = &context.settings.comparison;
    let is_to_replace = match item.action {
        PlanAction::Overwrite => true,
        PlanAction::Compare => {
            matches!(context.settings.on_conflict, ConflictPolicy::Overwrite | ConflictPolicy::Newer)
        }
        _ => false,
    };
    let may_be_written = match item.in_its_place {
        None => true,
        Some(before) => is_to_replace && !comparison.is_same_time(source, before),
    };
    context.may_be_begun(item.id)
        && context.keeps(Side::Destination).modified
        && may_be_written
        && comparison.is_time_kept(source, destination)
}

/// Whether the file at the destination may be what a power cut has left of a copy of ours that has lost its time as well,
/// or never had one: an empty one, where nothing was when the plan was made, of something that is not empty and that an
/// earlier run has begun with.
///
/// Nothing tells it from an empty file that somebody else has made since, whose name may be all that they wanted. So it
/// is not replaced but where the policy replaces what others made; and where the policy leaves what others made, it is
/// left as a conflict, whatever is compared: nobody is to believe that it is there, or that it was meant to be left out.
fn may_be_left_of_ours(context: &CopyContext, item: &PlanItem, source: FileFacts, destination: FileFacts) -> bool {
    context.may_be_begun(item.id)
        && item.in_its_place.is_none()
        && destination.size == Some(0)
        && source.size != Some(0)
}

/// Copies a file that is not copied in parts.
pub(super) async fn copy_file(
    context: &CopyContext,
    folders: &Folders<'_>,
    item: &PlanItem,
    names: Names<'_>,
    buffer: &mut [u8],
) -> Attempt<CopyOutcome> {
    let name = names.dst;
    let original = folders.source.open(names.src).await.on(Side::Source)?;
    let facts = original.facts_at_opening();
    let temporary = context.temporary_name(item.id);
    let may_be_begun = context.may_be_begun(item.id);
    if may_be_begun {
        folders.destination.remove_draft(&temporary).await.on(Side::Destination)?;
    }
    // Before the destination is looked at: a name that an earlier run has placed, unrecorded, is found by whoever has it,
    // and the others have to wait for that.
    let mut claim = match facts.shared.filter(|_| context.copying.hard_links) {
        Some(identity) => Some(context.links.claim(identity).await),
        None => None,
    };
    let mut way = Way::Free;
    let mut is_to_be_looked_at = may_be_begun || item.action != PlanAction::Copy;
    for _ in 0..LOOKS_MAX {
        if is_to_be_looked_at {
            way = find_way(context, folders, item, name, original.as_ref(), &facts, buffer).await?;
        }
        if let Way::Nowhere(outcome) = way {
            if let CopyOutcome::Copied(_) = &outcome {
                match claim {
                    Some(Claim::Copy(claimed)) => claimed.copied(path_in(folders.path, name)),
                    Some(Claim::LinkTo(existing)) => {
                        let target =
                            Target { name, temporary: &temporary, replace: Replace::Any, known: Known::default() };
                        join(context, folders, &existing, target, &facts).await?;
                    }
                    None => {}
                }
            }
            return Ok(outcome);
        }
        let mut in_place_of = None;
        if let Way::Beside = way {
            // Names beside others go their own way.
            claim = None;
            if may_be_begun {
                match find_ours_beside(context, folders, name, original.as_ref(), &facts, buffer).await? {
                    Some(Beside::Copied(copied)) => return Ok(CopyOutcome::Copied(copied)),
                    Some(Beside::Left(name)) => in_place_of = Some(name),
                    None => {}
                }
            }
        }
        let replace = way.replaces();
        if let Some(Claim::LinkTo(existing)) = &claim {
            if !still_replaces(folders, name, &way).await? {
                is_to_be_looked_at = true;
                continue;
            }
            let target = Target { name, temporary: &temporary, replace, known: Known::default() };
            match link(context, folders, existing, target, &facts).await? {
                Some(Placed::Done) => return Ok(CopyOutcome::Copied(copied(context, &facts, None))),
                Some(Placed::Taken) => {
                    is_to_be_looked_at = true;
                    continue;
                }
                None => claim = None,
            }
        }
        let replace = if in_place_of.is_some() { Replace::Any } else { replace };
        let target = Target { name, temporary: &temporary, replace, known: Known::of(&facts) };
        let (draft, checksum) = write_draft(context, folders, target, original.as_ref(), &facts, buffer).await?;
        let after = original.facts().await.on(Side::Source)?;
        if compared(&after) != compared(&facts) {
            return Err(Trouble::Changed("the file changed while it was read".to_owned()));
        }
        let attributes = context.attributes(folders.source, names.src, &facts).await?;
        let size = facts.size.map_or(0, i64::unsigned_abs);
        if let Way::Beside = way {
            let placed_as = place_beside(context, draft, target, size, &attributes, folders, in_place_of).await?;
            let name = Some(encode_name(&placed_as).into_owned());
            return Ok(CopyOutcome::Copied(CopiedFile { name, ..copied(context, &facts, checksum) }));
        }
        if !still_replaces(folders, name, &way).await? {
            // Dropping the draft removes it.
            is_to_be_looked_at = true;
            continue;
        }
        match finish(context, draft, target, size, &attributes).await? {
            Placed::Done => {
                // Whoever asks for this target learns which files were written, and when.
                let path = path_in(folders.path, name);
                tracing::trace!(target: "longhaul::copying", path = %encode_name(&path), "file");
                if let Some(Claim::Copy(claimed)) = claim {
                    claimed.copied(path);
                }
                return Ok(CopyOutcome::Copied(copied(context, &facts, checksum)));
            }
            Placed::Taken => is_to_be_looked_at = true,
        }
    }
    Err(Trouble::Changed("the destination changed again and again while it was copied".to_owned()))
}

/// Makes the target's name another name of what was copied to `existing`; `None` where that is not what the source has
/// now, or where it cannot be done.
async fn link(
    context: &CopyContext,
    folders: &Folders<'_>,
    existing: &[u8],
    target: Target<'_>,
    facts: &Facts,
) -> Attempt<Option<Placed>> {
    let linked = match is_copy_of(context, existing, facts).await {
        Ok(false) => return Ok(None),
        Ok(true) => folders.destination.hard_link(existing, target, context.durability).await,
        Err(error) => Err(error),
    };
    match linked {
        Ok(placed) => Ok(Some(placed)),
        Err(error) if error.class.is_retried() || error.class.suspends() => {
            Err(Trouble::Store(Side::Destination, error))
        }
        // There are file systems, and numbers of names, with which that cannot be done.
        Err(error) => {
            tracing::debug!(name = %encode_name(target.name), "not linked, copied: {error}");
            Ok(None)
        }
    }
}

/// Makes a name that an earlier run has placed, unrecorded, and that has the right contents a name of what was copied to
/// `existing`, if it is not one: either run may have come to another name of the file first.
async fn join(
    context: &CopyContext,
    folders: &Folders<'_>,
    existing: &[u8],
    target: Target<'_>,
    facts: &Facts,
) -> Attempt<()> {
    let ours = folders.destination.look(target.name).await.on(Side::Destination)?.and_then(|found| found.shared);
    let is_joined = match look_at(context, existing).await {
        Ok(found) => ours.is_some() && found.and_then(|found| found.shared) == ours,
        Err(error) => {
            return if error.class.is_retried() || error.class.suspends() {
                Err(Trouble::Store(Side::Destination, error))
            } else {
                Ok(())
            };
        }
    };
    if !is_joined {
        link(context, folders, existing, target, facts).await?;
    }
    Ok(())
}

/// What has this path on the destination.
async fn look_at(context: &CopyContext, path: &[u8]) -> Result<Option<Facts>, StoreError> {
    let (folder, name) = path.split_at(path.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
    let folder = context.stores.dst.clone().folder(if folder.is_empty() { b"/" } else { folder }).await?;
    folder.look(name.strip_prefix(b"/").unwrap_or(name)).await
}

/// Whether the file at this path of the destination is, by its size and time, a copy of what the source has now: the
/// source may have changed since it was copied, and somebody may have put another one there.
async fn is_copy_of(context: &CopyContext, path: &[u8], facts: &Facts) -> Result<bool, StoreError> {
    let found = look_at(context, path).await?;
    let has_times = context.keeps(Side::Destination).modified;
    Ok(found.is_some_and(|found| {
        found.kind == NodeKind::File
            && found.size == facts.size
            && (!has_times || context.settings.comparison.is_same_time(compared(facts), compared(&found)))
    }))
}

/// Whether what is to be replaced is still what it was when that was decided.
pub(super) async fn still_replaces(folders: &Folders<'_>, name: &[u8], way: &Way) -> Attempt<bool> {
    let Way::Replace(expected) = way else { return Ok(true) };
    let found = folders.destination.look(name).await.on(Side::Destination)?;
    Ok(found.is_none_or(|found| found.kind == NodeKind::File && compared(&found) == *expected))
}

/// The facts of a copy that are kept.
pub(super) fn copied(context: &CopyContext, facts: &Facts, checksum: Option<[u8; 32]>) -> CopiedFile {
    let identity = facts.shared.filter(|_| context.copying.hard_links);
    CopiedFile {
        name: None,
        size: facts.size,
        modified_ns: facts.modified_ns,
        checksum,
        // Numbers of files and devices are kept by their bits.
        identity: identity.map(|shared| (shared.device.cast_signed(), shared.inode.cast_signed())),
    }
}

async fn write_draft(
    context: &CopyContext,
    folders: &Folders<'_>,
    target: Target<'_>,
    original: &dyn Original,
    facts: &Facts,
    buffer: &mut [u8],
) -> Attempt<(Box<dyn Draft>, Option<[u8; 32]>)> {
    let mut draft = folders.destination.create(target).await.on(Side::Destination)?;
    let size = facts.size.map_or(0, i64::unsigned_abs);
    if context.copies_unseen() && draft.copy_range(original, 0..size).await.on(Side::Destination)? {
        return Ok((draft, None));
    }
    let mut hasher = context.copying.checksum.then(blake3::Hasher::new);
    copy_range(context, original, draft.as_mut(), 0..size, hasher.as_mut(), buffer).await?;
    Ok((draft, hasher.map(|hasher| *hasher.finalize().as_bytes())))
}

/// Copies a stretch of a file through `buffer`; what it has is hashed along the way.
pub(super) async fn copy_range(
    context: &CopyContext,
    original: &dyn Original,
    draft: &mut dyn Draft,
    range: std::ops::Range<u64>,
    mut hasher: Option<&mut blake3::Hasher>,
    buffer: &mut [u8],
) -> Attempt<()> {
    let mut hash = |bytes: &[u8]| {
        if let Some(hasher) = hasher.as_deref_mut() {
            hasher.update(bytes);
        }
    };
    let stretches = if context.copying.holes {
        original.data_within(range.clone()).await.on(Side::Source)?
    } else {
        vec![range.clone()]
    };
    let mut position = range.start;
    for stretch in stretches {
        hash_zeros(&mut hash, stretch.start - position);
        position = stretch.start;
        while position < stretch.end {
            context.check_stop()?;
            let wanted = stretch.end - position;
            let read = context.read(buffer, wanted, async |buffer| original.read_at(position, buffer).await);
            let read = read.await.on(Side::Source)?;
            if read == 0 {
                return Err(Trouble::Changed("the file got shorter while it was read".to_owned()));
            }
            hash(&buffer[..read]);
            draft.write_at(position, &buffer[..read]).await.on(Side::Destination)?;
            position += read as u64;
        }
    }
    hash_zeros(&mut hash, range.end - position);
    Ok(())
}

/// A hole reads as zeros.
fn hash_zeros(hash: &mut impl FnMut(&[u8]), mut count: u64) {
    const ZEROS: [u8; 4096] = [0; 4096];
    while count > 0 {
        let length = usize::try_from(count).unwrap_or(usize::MAX).min(ZEROS.len());
        hash(&ZEROS[..length]);
        count -= length as u64;
    }
}

/// The checksum of both, if the file on the destination has the same contents as `original`.
async fn same_contents(
    context: &CopyContext,
    destination: &dyn Folder,
    name: &[u8],
    original: &dyn Original,
    facts: &Facts,
    buffer: &mut [u8],
) -> Attempt<Option<[u8; 32]>> {
    let other = destination.open(name).await.on(Side::Destination)?;
    let size = facts.size.map_or(0, i64::unsigned_abs);
    let theirs = checksum_of(context, other.as_ref(), size, Side::Destination, buffer).await?;
    let ours = checksum_of(context, original, size, Side::Source, buffer).await?;
    Ok((ours == theirs).then_some(ours).flatten())
}

/// The checksum of a file of this length; `None` if it is shorter.
pub(super) async fn checksum_of(
    context: &CopyContext,
    file: &dyn Original,
    length: u64,
    on: Side,
    buffer: &mut [u8],
) -> Attempt<Option<[u8; 32]>> {
    let mut hasher = blake3::Hasher::new();
    let mut position = 0;
    while position < length {
        context.check_stop()?;
        let read = context.read(buffer, length - position, async |buffer| file.read_at(position, buffer).await);
        let read = read.await.on(on)?;
        if read == 0 {
            return Ok(None);
        }
        hasher.update(&buffer[..read]);
        position += read as u64;
    }
    Ok(Some(*hasher.finalize().as_bytes()))
}

/// Gives a draft its name. That it has no temporary name any more is no reason to give the file up.
pub(super) async fn finish(
    context: &CopyContext,
    draft: Box<dyn Draft>,
    target: Target<'_>,
    size: u64,
    attributes: &Attributes,
) -> Attempt<Placed> {
    let (attributes, leaves_out) = without_foreign_bits(attributes);
    match draft.finish(target, size, &attributes, context.durability).await {
        Err(error) if error.class == ErrorClass::Vanished => {
            Err(Trouble::Changed("the temporary file on the destination is gone".to_owned()))
        }
        placed => {
            if leaves_out && placed == Ok(Placed::Done) {
                context.board.left_out_special_bits();
            }
            placed.on(Side::Destination)
        }
    }
}

/// Gives a draft the first name beside its own that is free, or that of what is `left` of it, and returns it.
pub(super) async fn place_beside(
    context: &CopyContext,
    draft: Box<dyn Draft>,
    target: Target<'_>,
    size: u64,
    attributes: &Attributes,
    folders: &Folders<'_>,
    left: Option<LeftBeside>,
) -> Attempt<Vec<u8>> {
    if let Some(LeftBeside { name, facts }) = left {
        let is_still_left = still_replaces(folders, &name, &Way::Replace(facts)).await?;
        let target = Target { name: &name, replace: Replace::Only(facts), ..target };
        if is_still_left && finish(context, draft, target, size, attributes).await? == Placed::Done {
            return Ok(name);
        }
        return Err(Trouble::Changed("what was left beside it changed".to_owned()));
    }
    for number in 1..=u32::MAX {
        let name = beside(target.name, number);
        if folders.destination.look(&name).await.on(Side::Destination)?.is_some() {
            continue;
        }
        let target = Target { name: &name, replace: Replace::Nothing, ..target };
        // Somebody who takes the name at this very moment makes it another attempt.
        return match finish(context, draft, target, size, attributes).await? {
            Placed::Done => Ok(name),
            Placed::Taken => Err(Trouble::Changed("the name beside it was taken a moment before".to_owned())),
        };
    }
    Err(Trouble::Changed("there is no name left beside it".to_owned()))
}

/// What an earlier run placed beside a file, without its being recorded.
#[derive(Debug)]
pub(super) enum Beside {
    /// It is whole.
    Copied(CopiedFile),
    /// A power cut has left no more of it than its name and its time.
    Left(LeftBeside),
}

/// An empty file beside another one, with the time of the source.
#[derive(Debug)]
pub(super) struct LeftBeside {
    name: Vec<u8>,
    facts: FileFacts,
}

/// Looks for it. What is not whole is only taken for ours where it is empty: a file that an earlier migration placed
/// there has contents.
pub(super) async fn find_ours_beside(
    context: &CopyContext,
    folders: &Folders<'_>,
    name: &[u8],
    original: &dyn Original,
    facts: &Facts,
    buffer: &mut [u8],
) -> Attempt<Option<Beside>> {
    for number in 1..=u32::MAX {
        let name = beside(name, number);
        let Some(found) = folders.destination.look(&name).await.on(Side::Destination)? else { break };
        let has_our_time = context.settings.comparison.is_time_kept(compared(facts), compared(&found));
        if found.kind == NodeKind::File && found.size == facts.size && has_our_time {
            let checksum = same_contents(context, folders.destination, &name, original, facts, buffer).await?;
            if checksum.is_some() {
                let name = Some(encode_name(&name).into_owned());
                return Ok(Some(Beside::Copied(CopiedFile { name, ..copied(context, facts, checksum) })));
            }
        }
        let is_left = found.kind == NodeKind::File
            && found.size == Some(0)
            && facts.size != Some(0)
            && context.keeps(Side::Destination).modified
            && has_our_time;
        if is_left {
            return Ok(Some(Beside::Left(LeftBeside { name, facts: compared(&found) })));
        }
    }
    Ok(None)
}

/// `report.txt` becomes `report (source).txt`, `report (source 2).txt`, …, cut short where that would be too long.
pub(super) fn beside(name: &[u8], number: u32) -> Vec<u8> {
    const NAME_BYTES_MAX: usize = 255;
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0 && name.len() - dot <= 16);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let mark = if number == 1 { " (source)".to_owned() } else { format!(" (source {number})") };
    let mut end = stem.len().min(NAME_BYTES_MAX - mark.len() - extension.len());
    // Not in the middle of a character.
    while end < stem.len() && end > 0 && stem[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    [&stem[..end], mark.as_bytes(), extension].concat()
}

pub(super) fn path_in(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let folder = folder.strip_suffix(b"/").unwrap_or(folder);
    [folder, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_beside_others_keep_their_extension_and_their_length() {
        assert_eq!(beside(b"report.txt", 1), b"report (source).txt");
        assert_eq!(beside(b"report.txt", 2), b"report (source 2).txt");
        assert_eq!(beside(b".profile", 1), b".profile (source)");
        let long = "ü".repeat(127);
        let name = beside(long.as_bytes(), 1);
        assert!(name.len() <= 255 && std::str::from_utf8(&name).is_ok());
    }

    #[test]
    fn paths_begin_at_the_root() {
        assert_eq!(path_in(b"/", b"a"), b"/a");
        assert_eq!(path_in(b"/a/b", b"c"), b"/a/b/c");
    }
}
