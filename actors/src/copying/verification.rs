//! Verification of what is at the destination, which is listed and, if asked for, read back. The copy's word is not
//! taken for anything.

use std::collections::HashMap;

use futures_util::StreamExt;
use longhaul_ledger::{ExpectedBatch, ExpectedNode};
use longhaul_model::{ErrorClass, FileFacts, NodeId, NodeKind, Side, VerifyLevel, decode_name};

use super::context::{Attempt, CopyContext, On, Trouble};
use super::file::{Folders, checksum_of};

/// What looking at a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// What is different, for people.
    pub(super) differences: Vec<(NodeId, String)>,
    /// Bytes that were read on the destination.
    pub(super) bytes_read: u64,
}

impl Checked {
    /// A folder that cannot be looked at: nobody knows of anything in it.
    pub(super) fn unreadable(batch: &ExpectedBatch, message: &str) -> Self {
        let message = format!("its folder cannot be looked at: {message}");
        let differences = batch.nodes.iter().map(|node| (node.id, message.clone())).collect();
        Checked { differences, bytes_read: 0 }
    }
}

/// What a listing says of the nodes that are expected.
struct Found {
    kind: NodeKind,
    facts: FileFacts,
}

/// Lists the folder of a batch on the destination. What is not expected there is nobody's business.
async fn list(context: &CopyContext, path: &[u8], batch: &ExpectedBatch) -> Attempt<HashMap<usize, Found>> {
    let by_name: HashMap<&str, usize> =
        batch.nodes.iter().enumerate().map(|(index, node)| (name_of(node), index)).collect();
    let mut found = HashMap::with_capacity(batch.nodes.len());
    let mut pages = context.stores.dst.clone().list(path);
    while let Some(page) = pages.next().await {
        context.check_stop()?;
        for entry in page.on(Side::Destination)?.iter() {
            if let Some(&index) = by_name.get(entry.name) {
                found.insert(index, Found { kind: entry.kind, facts: entry.facts() });
            }
        }
    }
    Ok(found)
}

/// The printable name on the destination.
fn name_of(node: &ExpectedNode) -> &str {
    node.other_name.as_deref().unwrap_or(&node.name)
}

/// Compares one folder, or a part of it, with what has to be there.
pub(super) async fn check(
    context: &CopyContext,
    path: &[u8],
    batch: &ExpectedBatch,
    level: VerifyLevel,
    buffer: &mut [u8],
) -> Attempt<Checked> {
    let mut checked = Checked::default();
    let found = match list(context, path, batch).await {
        Err(Trouble::Store(Side::Destination, error)) if error.class == ErrorClass::Vanished => {
            let message = format!("the folder that it is in is not there: {error}");
            checked.differences.extend(batch.nodes.iter().map(|node| (node.id, message.clone())));
            return Ok(checked);
        }
        listed => listed?,
    };
    for (index, node) in batch.nodes.iter().enumerate() {
        let difference = match found.get(&index) {
            None => Some("it is not there".to_owned()),
            Some(found) => difference(context, node, found),
        };
        if let Some(message) = difference {
            checked.differences.push((node.id, message));
        }
    }
    if level > VerifyLevel::Size {
        read_back(context, path, batch, level, buffer, &mut checked).await?;
    }
    Ok(checked)
}

/// What is different about a node, as far as the listing says.
fn difference(context: &CopyContext, node: &ExpectedNode, found: &Found) -> Option<String> {
    if found.kind != node.kind {
        return Some(format!("it should be a {} and is a {}", node.kind, found.kind));
    }
    if node.kind == NodeKind::Folder {
        return None;
    }
    let comparison = &context.settings.comparison;
    if !node.is_copied {
        // It was there before, and counted as the same.
        let is_same = comparison.is_same(node.facts, found.facts) || comparison.needs_reading(node.facts, found.facts);
        return (!is_same).then(|| "it is not the same any more as the one on the source".to_owned());
    }
    if let (Some(due), Some(size)) = (node.facts.size, found.facts.size)
        && due != size
    {
        return Some(format!("it should have {due} bytes and has {size}"));
    }
    if context.keeps(Side::Destination).modified
        && node.facts.modified_ns.is_some()
        && !comparison.is_same_time(node.facts, found.facts)
    {
        return Some("its modification time is not that of the source".to_owned());
    }
    None
}

/// Reads what has contents, and is not known to be different already.
async fn read_back(
    context: &CopyContext,
    path: &[u8],
    batch: &ExpectedBatch,
    level: VerifyLevel,
    buffer: &mut [u8],
    checked: &mut Checked,
) -> Attempt<()> {
    let src = context.stores.src.clone().folder(path).await;
    let dst = context.stores.dst.clone().folder(path).await.on(Side::Destination)?;
    // Without the folder on the source, its files are told to be gone one by one.
    let src = match src {
        Err(error) if error.class == ErrorClass::Vanished => None,
        src => Some(src.on(Side::Source)?),
    };
    let mut different = std::mem::take(&mut checked.differences);
    let known: std::collections::HashSet<NodeId> = different.iter().map(|(id, _)| *id).collect();
    for node in batch.nodes.iter().filter(|node| !known.contains(&node.id)) {
        context.check_stop()?;
        let folders = src.as_ref().map(|src| Folders { source: src.as_ref(), destination: dst.as_ref(), path });
        let read = match node.kind {
            NodeKind::File => read_file(context, folders, dst.as_ref(), node, level, buffer, checked).await,
            NodeKind::Symlink => compare_links(folders, node).await,
            NodeKind::Folder | NodeKind::Other => Ok(None),
        };
        match read {
            Ok(None) => {}
            Ok(Some(message)) => different.push((node.id, message)),
            Err(Trouble::Store(side, error)) if !error.class.is_retried() && !error.class.suspends() => {
                different.push((node.id, format!("it cannot be read on the {side}: {error}")));
            }
            Err(trouble) => return Err(trouble),
        }
    }
    checked.differences = different;
    Ok(())
}

async fn read_file(
    context: &CopyContext,
    folders: Option<Folders<'_>>,
    destination: &dyn longhaul_storage::Folder,
    node: &ExpectedNode,
    level: VerifyLevel,
    buffer: &mut [u8],
    checked: &mut Checked,
) -> Attempt<Option<String>> {
    if level == VerifyLevel::Checksum && node.checksum.is_none() {
        return Ok(None);
    }
    let name = decode_name(name_of(node)).expect("the ledger gives out printable names");
    let theirs = destination.open(&name).await.on(Side::Destination)?;
    let length = theirs.facts_at_opening().size.map_or(0, i64::unsigned_abs);
    let found = checksum_of(context, theirs.as_ref(), length, Side::Destination, buffer).await?;
    checked.bytes_read += length;
    if let Some(due) = node.checksum
        && found != Some(due)
    {
        return Ok(Some("its contents are not those that were copied".to_owned()));
    }
    let (VerifyLevel::Full, Some(folders)) = (level, folders) else {
        let is_gone = level == VerifyLevel::Full;
        return Ok(is_gone.then(|| "it is gone from the source, so that it cannot be compared".to_owned()));
    };
    let name = decode_name(&node.name).expect("the ledger gives out printable names");
    let ours = folders.source.open(&name).await.on(Side::Source)?;
    let facts = ours.facts_at_opening();
    if node.is_copied && (facts.size, facts.modified_ns) != (node.facts.size, node.facts.modified_ns) {
        return Ok(Some("the source has changed since it was copied".to_owned()));
    }
    let length = facts.size.map_or(0, i64::unsigned_abs);
    let due = checksum_of(context, ours.as_ref(), length, Side::Source, buffer).await?;
    Ok((due != found).then(|| "its contents are not those of the source".to_owned()))
}

async fn compare_links(folders: Option<Folders<'_>>, node: &ExpectedNode) -> Attempt<Option<String>> {
    let Some(folders) = folders else { return Ok(None) };
    let name = decode_name(&node.name).expect("the ledger gives out printable names");
    let due = folders.source.read_link(&name).await.on(Side::Source)?;
    let name = decode_name(name_of(node)).expect("the ledger gives out printable names");
    let found = folders.destination.read_link(&name).await.on(Side::Destination)?;
    Ok((due != found).then(|| "it does not point to where the one on the source does".to_owned()))
}
