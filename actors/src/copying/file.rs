//! A file's way to the destination: read, hashed, written under a temporary name, compared with what it was, and given
//! its name without replacing anything that the plan did not mean to replace.

use longhaul_ledger::{CopiedFile, CopyOutcome, PlanItem};
use longhaul_model::{BySide, ErrorClass, PlanAction, Side, encode_name};
use longhaul_storage::{Attributes, Draft, Facts, Folder, Known, Original, Placed, Replace, Target};

use super::beside::{Beside, find_ours_beside, find_place_beside, finish_beside};
use super::contents::copy_range;
use super::context::{Attempt, CopyContext, On, Trouble, without_foreign_bits};
use super::hard_links::Claim;
use super::linking::{join, link};
use super::way::{Way, compared, find_way, still_replaces};

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
        let place_beside = match way {
            Way::Beside => Some(find_place_beside(folders, name, in_place_of).await?),
            _ => None,
        };
        let (placed_as, replace) = place_beside.as_ref().map_or((name, replace), |it| (it.name.as_slice(), it.replace));
        let target = Target { name: placed_as, temporary: &temporary, replace, known: Known::of(&facts) };
        let (draft, checksum) = write_draft(context, folders, target, original.as_ref(), &facts, buffer).await?;
        let after = original.facts().await.on(Side::Source)?;
        if compared(&after) != compared(&facts) {
            return Err(Trouble::Changed("the file changed while it was read".to_owned()));
        }
        let attributes = context.attributes(folders.source, names.src, &facts).await?;
        let size = facts.size.map_or(0, i64::unsigned_abs);
        if let Way::Beside = way {
            finish_beside(context, draft, target, size, &attributes, folders).await?;
            let name = Some(encode_name(placed_as).into_owned());
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
