//! One item of the plan: what is done about it, and what becomes of it.

use futures_util::StreamExt;
use longhaul_ledger::{CopiedFile, CopyOutcome, PlanItem};
use longhaul_model::{ConflictPolicy, NodeKind, PlanAction, Side, encode_name};
use longhaul_storage::{Attributes, Facts, Known, Placed, Replace, Target};

use super::beside::beside;
use super::context::{Attempt, CopyContext, On, Trouble};
use super::file::{Folders, Names, copied, copy_file};
use super::way::compared;

/// Makes one attempt at an item that is not a large file.
pub(super) async fn attempt(
    context: &CopyContext,
    folders: &Folders<'_>,
    item: &PlanItem,
    names: Names<'_>,
    buffer: &mut [u8],
) -> Attempt<CopyOutcome> {
    context.check_stop()?;
    match item.action {
        PlanAction::CreateFolder => create_folder(context, folders, item, names).await,
        PlanAction::MakeLink => make_link(context, folders, item, names).await,
        PlanAction::KeepBoth if item.kind == NodeKind::Symlink => make_link(context, folders, item, names).await,
        PlanAction::Copy | PlanAction::Overwrite | PlanAction::KeepBoth | PlanAction::Compare => {
            copy_file(context, folders, item, names, buffer).await
        }
        PlanAction::Skip | PlanAction::Conflict | PlanAction::NotCopied | PlanAction::Exclude => {
            unreachable!("the ledger gives out what is to be done")
        }
    }
}

async fn create_folder(
    context: &CopyContext,
    folders: &Folders<'_>,
    item: &PlanItem,
    names: Names<'_>,
) -> Attempt<CopyOutcome> {
    let name = names.dst;
    // Where folders come with what is in them, that is looked at.
    if context.stores.src.capabilities().has_folders {
        match folders.source.look(names.src).await.on(Side::Source)? {
            None => return Ok(CopyOutcome::Vanished("it is gone from the source".to_owned())),
            Some(found) if found.kind != NodeKind::Folder => {
                return Ok(CopyOutcome::Vanished(format!("it is a {} now", found.kind)));
            }
            Some(_) => {}
        }
    }
    let comes_with_contents = !context.stores.dst.capabilities().has_folders;
    let made = if context.copying.empty_folders && comes_with_contents && is_empty(context, folders, names.src).await? {
        folders.destination.create_empty_folder(name, context.durability).await
    } else {
        folders.destination.create_folder(name, context.durability).await
    };
    if made.on(Side::Destination)? == Placed::Done {
        return Ok(CopyOutcome::Copied(CopiedFile::default()));
    }
    match folders.destination.look(name).await.on(Side::Destination)? {
        // It cannot be told whose it is; if it is ours it has yet to get its attributes.
        Some(found) if found.kind == NodeKind::Folder && context.may_be_begun(item.id) => {
            Ok(CopyOutcome::Copied(CopiedFile::default()))
        }
        Some(found) if found.kind == NodeKind::Folder => Ok(CopyOutcome::AlreadyThere),
        Some(found) => {
            Ok(CopyOutcome::Conflict(format!("the source has a folder of this name, the destination a {}", found.kind)))
        }
        None => Err(Trouble::Changed("the destination changed while the folder was made".to_owned())),
    }
}

/// Whether a folder of the source has nothing in it.
async fn is_empty(context: &CopyContext, folders: &Folders<'_>, name: &[u8]) -> Attempt<bool> {
    let parent = folders.source_path.strip_suffix(b"/").unwrap_or(folders.source_path);
    let mut pages = context.stores.src.clone().list(&[parent, b"/", name].concat());
    while let Some(page) = pages.next().await {
        if !page.on(Side::Source)?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn make_link(
    context: &CopyContext,
    folders: &Folders<'_>,
    item: &PlanItem,
    names: Names<'_>,
) -> Attempt<CopyOutcome> {
    let name = names.dst;
    if !context.keeps(Side::Destination).symlinks {
        return Ok(CopyOutcome::Skipped("the destination has no symbolic links".to_owned()));
    }
    let Some(facts) = folders.source.look(names.src).await.on(Side::Source)? else {
        return Ok(CopyOutcome::Vanished("it is gone from the source".to_owned()));
    };
    let points_to = folders.source.read_link(names.src).await.on(Side::Source)?;
    let temporary = context.temporary_name(item.id);
    if context.may_be_begun(item.id) {
        folders.destination.remove_draft(&temporary).await.on(Side::Destination)?;
    }
    let replace = match folders.destination.look(name).await.on(Side::Destination)? {
        None => Replace::Nothing,
        Some(found) if found.kind != NodeKind::Symlink && is_kept_beside(item, None) => {
            return make_link_beside(context, folders, item, name, &points_to, &facts).await;
        }
        Some(found) if found.kind != NodeKind::Symlink => {
            let reason = format!("the source has a symlink of this name, the destination a {}", found.kind);
            return Ok(CopyOutcome::Conflict(reason));
        }
        Some(found) => {
            let is_as_planned = item.in_its_place == Some(compared(&found)) && item.action == PlanAction::MakeLink;
            // One that is to be replaced and differs in its time alone is replaced too: that gives it its time.
            if !is_as_planned && folders.destination.read_link(name).await.on(Side::Destination)? == points_to {
                let was_there = item.in_its_place == Some(compared(&found));
                return Ok(if context.may_be_begun(item.id) && !was_there {
                    CopyOutcome::Copied(copied(context, &facts, None))
                } else {
                    CopyOutcome::AlreadyThere
                });
            }
            let is_newer = context.settings.comparison.is_newer(compared(&facts), compared(&found));
            match context.settings.on_conflict {
                _ if is_as_planned => Replace::Any,
                _ if is_kept_beside(item, Some(&found)) => {
                    return make_link_beside(context, folders, item, name, &points_to, &facts).await;
                }
                ConflictPolicy::Overwrite => Replace::Any,
                ConflictPolicy::Newer if is_newer => Replace::Any,
                ConflictPolicy::Ask => {
                    let reason = "the destination has another link (on conflict: ask)".to_owned();
                    return Ok(CopyOutcome::Conflict(reason));
                }
                ConflictPolicy::KeepBoth => {
                    return make_link_beside(context, folders, item, name, &points_to, &facts).await;
                }
                policy @ (ConflictPolicy::Newer | ConflictPolicy::Skip) => {
                    let reason = format!("the destination has another link (on conflict: {})", policy.as_str());
                    return Ok(CopyOutcome::Skipped(reason));
                }
            }
        }
    };
    let attributes = link_attributes(context, &facts);
    let target = Target { name, temporary: &temporary, replace, known: Known::default() };
    let placed = folders.destination.create_link(target, &points_to, &attributes, context.durability).await;
    match placed.on(Side::Destination)? {
        Placed::Done => Ok(CopyOutcome::Copied(copied(context, &facts, None))),
        Placed::Taken => Err(Trouble::Changed("its name was taken a moment before".to_owned())),
    }
}

/// Whether the plan says that a link is kept beside what has its place: the link that had it when the plan was made, or what is
/// of another kind or was not there then.
fn is_kept_beside(item: &PlanItem, found: Option<&Facts>) -> bool {
    let is_as_planned = item.in_its_place.is_none() || item.in_its_place == found.map(compared);
    item.action == PlanAction::KeepBoth && is_as_planned
}

/// Makes a link under the first name beside its own that is free, unless an earlier run has made it there.
async fn make_link_beside(
    context: &CopyContext,
    folders: &Folders<'_>,
    item: &PlanItem,
    name: &[u8],
    points_to: &[u8],
    facts: &Facts,
) -> Attempt<CopyOutcome> {
    let temporary = context.temporary_name(item.id);
    for number in 1..=u32::MAX {
        let name = beside(name, number);
        let made = match folders.destination.look(&name).await.on(Side::Destination)? {
            None => {
                let target =
                    Target { name: &name, temporary: &temporary, replace: Replace::Nothing, known: Known::default() };
                let attributes = link_attributes(context, facts);
                let durability = context.durability;
                let placed = folders.destination.create_link(target, points_to, &attributes, durability).await;
                placed.on(Side::Destination)? == Placed::Done
            }
            Some(found) if found.kind == NodeKind::Symlink && context.may_be_begun(item.id) => {
                folders.destination.read_link(&name).await.on(Side::Destination)? == points_to
            }
            Some(_) => false,
        };
        if made {
            let name = Some(encode_name(&name).into_owned());
            return Ok(CopyOutcome::Copied(CopiedFile { name, ..copied(context, facts, None) }));
        }
    }
    Err(Trouble::Changed("there is no name left beside it".to_owned()))
}

fn link_attributes(context: &CopyContext, facts: &Facts) -> Attributes {
    let owner = facts.owner.filter(|_| context.carries_owner());
    Attributes { modified_ns: facts.modified_ns, owner, ..Attributes::default() }
}
