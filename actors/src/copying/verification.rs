//! Verification of what is at the destination, which is listed and, if asked for, read back. The copy's word is not
//! taken for anything.

use std::collections::{HashMap, HashSet};

use futures_util::StreamExt;
use longhaul_ledger::{ExpectedBatch, ExpectedNode};
use longhaul_model::{BySide, ErrorClass, FileFacts, NodeId, NodeKind, Side, VerifyLevel, decode_name};

use super::contents::checksum_of;
use super::context::{Attempt, CopyContext, On, Trouble};
use super::transfer::Folders;

/// What looking at a batch comes to.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// What is different, for people.
    pub(super) differences: Vec<(NodeId, String)>,
    /// Bytes that were read on the destination.
    pub(super) bytes_read: u64,
}

/// A batch that is being looked at. After trouble it is gone on with where it was.
pub(super) struct Checking<'a> {
    batch: &'a ExpectedBatch,
    /// Of its folder.
    paths: BySide<Vec<u8>>,
    level: VerifyLevel,
    is_listed: bool,
    /// Nodes that the listing shows to be different: they are not read.
    different: HashSet<NodeId>,
    /// How many nodes have been read, or need not be.
    read: usize,
    checked: Checked,
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

impl<'a> Checking<'a> {
    pub(super) fn new(batch: &'a ExpectedBatch, level: VerifyLevel) -> Self {
        let paths = BySide { src: batch.path.as_str(), dst: batch.path_on_destination() };
        let paths = BySide::from_fn(|side| decode_name(paths[side]).expect("the ledger gives out printable paths"));
        let (different, checked) = (HashSet::new(), Checked::default());
        Checking { batch, paths, level, is_listed: false, different, read: 0, checked }
    }

    /// How far it has come: more after each call that got anything done.
    pub(super) fn progress(&self) -> usize {
        usize::from(self.is_listed) + self.read
    }

    /// Compares the folder, or the part of it, with what has to be there.
    pub(super) async fn go_on(&mut self, context: &CopyContext, buffer: &mut [u8]) -> Attempt<()> {
        if !self.is_listed {
            self.list(context).await?;
            self.is_listed = true;
        }
        if self.level > VerifyLevel::Size && self.read < self.batch.nodes.len() {
            self.read_back(context, buffer).await?;
        }
        Ok(())
    }

    /// What it was stopped by does not go away: that becomes a difference of whatever it is about.
    pub(super) fn give_up(&mut self, message: &str) {
        if self.is_listed {
            let node = &self.batch.nodes[self.read];
            self.checked.differences.push((node.id, format!("it cannot be read: {message}")));
            self.read += 1;
        } else {
            let message = format!("its folder cannot be looked at: {message}");
            self.checked.differences.extend(self.batch.nodes.iter().map(|node| (node.id, message.clone())));
            self.is_listed = true;
            self.read = self.batch.nodes.len();
        }
    }

    pub(super) fn into_checked(self) -> Checked {
        self.checked
    }

    async fn list(&mut self, context: &CopyContext) -> Attempt<()> {
        let found = match list(context, &self.paths.dst, self.batch).await {
            Err(Trouble::Store(Side::Destination, error)) if error.class == ErrorClass::Vanished => {
                let message = format!("the folder that it is in is not there: {error}");
                self.checked.differences.extend(self.batch.nodes.iter().map(|node| (node.id, message.clone())));
                self.read = self.batch.nodes.len();
                return Ok(());
            }
            listed => listed?,
        };
        for (index, node) in self.batch.nodes.iter().enumerate() {
            let difference = match found.get(&index) {
                // Where folders are what keys begin with, one with nothing in it is not there.
                None if node.kind == NodeKind::Folder && !context.stores.dst.capabilities().has_folders => None,
                None => Some("it is not there".to_owned()),
                Some(found) => difference(context, node, found),
            };
            if let Some(message) = difference {
                self.different.insert(node.id);
                self.checked.differences.push((node.id, message));
            }
        }
        Ok(())
    }

    /// Reads what has contents, and is not known to be different already.
    async fn read_back(&mut self, context: &CopyContext, buffer: &mut [u8]) -> Attempt<()> {
        let src = context.stores.src.clone().folder(&self.paths.src).await;
        let dst = context.stores.dst.clone().folder(&self.paths.dst).await.on(Side::Destination)?;
        // Without the folder on the source, its files are told to be gone one by one.
        let src = match src {
            Err(error) if error.class == ErrorClass::Vanished => None,
            src => Some(src.on(Side::Source)?),
        };
        while let Some(node) = self.batch.nodes.get(self.read) {
            context.check_stop()?;
            let folders = src.as_ref().map(|src| Folders {
                source: src.as_ref(),
                destination: dst.as_ref(),
                path: &self.paths.dst,
                source_path: &self.paths.src,
            });
            let read = match node.kind {
                _ if self.different.contains(&node.id) => Ok(None),
                NodeKind::File => {
                    read_file(context, folders, dst.as_ref(), node, self.level, buffer, &mut self.checked).await
                }
                NodeKind::Symlink => compare_links(folders, node).await,
                NodeKind::Folder | NodeKind::Other => Ok(None),
            };
            let difference = match read {
                Err(Trouble::Store(side, error)) if !error.class.is_retried() && !error.class.suspends() => {
                    Some(format!("it cannot be read on the {side}: {error}"))
                }
                read => read?,
            };
            self.checked.differences.extend(difference.map(|message| (node.id, message)));
            self.read += 1;
        }
        Ok(())
    }
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
    if !node.is_copied && node.kind == NodeKind::Symlink {
        // It was there before, and points to the same: its time is its own.
        return None;
    }
    if !node.is_copied {
        // It was there before, and counted as the same.
        let is_same = if comparison.is_told_by_listings() {
            comparison.is_same(node.facts, found.facts)
        } else {
            node.facts.size.is_none() || node.facts.size == found.facts.size
        };
        return (!is_same).then(|| "it is not the same any more as the one on the source".to_owned());
    }
    if let (Some(due), Some(size)) = (node.facts.size, found.facts.size)
        && due != size
    {
        return Some(format!("it should have {due} bytes and has {size}"));
    }
    if context.keeps(Side::Destination).modified
        && context.stores.dst.capabilities().lists_times
        && node.facts.modified_ns.is_some()
        && !comparison.is_same_time(node.facts, found.facts)
    {
        return Some("its modification time is not that of the source".to_owned());
    }
    None
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
    // What was copied without a checksum has to be compared with the source: the copy's word is not taken for it.
    let reads_source = level == VerifyLevel::Full || node.is_copied && node.checksum.is_none();
    if !reads_source && node.checksum.is_none() {
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
    let Some(folders) = folders.filter(|_| reads_source) else {
        return Ok(reads_source.then(|| "it is gone from the source, so that it cannot be compared".to_owned()));
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
