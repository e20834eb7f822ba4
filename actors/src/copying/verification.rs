//! Verifies what was copied: lists the destination and, if requested, reads it back. What the copy reported is not
//! relied on.

use std::collections::{HashMap, HashSet};

use futures_util::StreamExt;
use longhaul_ledger::{ExpectedBatch, ExpectedNode};
use longhaul_model::{BySide, ErrorClass, FileFacts, NodeId, NodeKind, Side, VerifyLevel, decode_name};
use longhaul_storage::Folder;

use super::contents::checksum_of;
use super::context::{AtSide, Attempt, AttemptError, CopyContext};
use super::transfer::size_of;

/// The result of verifying a batch.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// Nodes that differ, and how: sentences for people.
    pub(super) differences: Vec<(NodeId, String)>,
    /// Bytes that were read on the destination.
    pub(super) bytes_read: u64,
}

/// A batch that is being verified. After a failed attempt it continues where it was.
pub(super) struct Checking<'a> {
    batch: &'a ExpectedBatch,
    /// The paths of its folder.
    paths: BySide<Vec<u8>>,
    level: VerifyLevel,
    is_listed: bool,
    /// Nodes that differ according to the listing. They are not read.
    different: HashSet<NodeId>,
    /// How many nodes have been read, or need not be.
    read: usize,
    checked: Checked,
}

/// What a listing says about an expected node.
struct Listed {
    kind: NodeKind,
    facts: FileFacts,
}

/// The folder of a batch, opened on both sides.
struct OpenedFolders {
    /// `None` if it is gone: then its files are reported as gone, one by one.
    source: Option<Box<dyn Folder>>,
    destination: Box<dyn Folder>,
}

impl<'a> Checking<'a> {
    pub(super) fn new(batch: &'a ExpectedBatch, level: VerifyLevel) -> Self {
        let paths = BySide { src: batch.path.as_str(), dst: batch.path_on_destination() };
        let paths = BySide::from_fn(|side| decode_name(paths[side]).expect("the ledger has printable paths"));
        let (different, checked) = (HashSet::new(), Checked::default());
        Checking { batch, paths, level, is_listed: false, different, read: 0, checked }
    }

    /// A number that grows with each step that is done.
    pub(super) fn progress(&self) -> usize {
        usize::from(self.is_listed) + self.read
    }

    /// Verifies the batch, or what is left of it after a failed attempt.
    pub(super) async fn run(&mut self, context: &CopyContext, buffer: &mut [u8]) -> Attempt<()> {
        if !self.is_listed {
            self.compare_listing(context).await?;
            self.is_listed = true;
        }
        if self.level > VerifyLevel::Size && self.read < self.batch.nodes.len() {
            self.read_back(context, buffer).await?;
        }
        Ok(())
    }

    /// Gives up on the step that keeps failing: its nodes count as different.
    pub(super) fn give_up(&mut self, message: &str) {
        if self.is_listed {
            let node = &self.batch.nodes[self.read];
            self.checked.differences.push((node.id, format!("it cannot be read: {message}")));
            self.read += 1;
        } else {
            self.all_differ(&format!("its folder cannot be looked at: {message}"));
            self.is_listed = true;
        }
    }

    pub(super) fn into_checked(self) -> Checked {
        self.checked
    }

    fn all_differ(&mut self, message: &str) {
        self.checked.differences.extend(self.batch.nodes.iter().map(|node| (node.id, message.to_owned())));
        self.read = self.batch.nodes.len();
    }

    async fn compare_listing(&mut self, context: &CopyContext) -> Attempt<()> {
        let listed = match self.list(context).await {
            Err(AttemptError::Store(Side::Destination, error)) if error.class == ErrorClass::Vanished => {
                self.all_differ(&format!("the folder that it is in is not there: {error}"));
                return Ok(());
            }
            listed => listed?,
        };
        for (index, node) in self.batch.nodes.iter().enumerate() {
            let difference = match listed.get(&index) {
                // In stores without folders of their own, an empty folder does not exist.
                None if node.kind == NodeKind::Folder && !context.stores.dst.capabilities().has_folders => None,
                None => Some("it is not there".to_owned()),
                Some(listed) => difference(context, node, listed),
            };
            if let Some(message) = difference {
                self.different.insert(node.id);
                self.checked.differences.push((node.id, message));
            }
        }
        Ok(())
    }

    /// Lists the folder on the destination. Returns the expected nodes only, by their position in the batch.
    async fn list(&self, context: &CopyContext) -> Attempt<HashMap<usize, Listed>> {
        let nodes = &self.batch.nodes;
        let by_name: HashMap<&str, usize> =
            nodes.iter().enumerate().map(|(index, node)| (name_on_destination(node), index)).collect();
        let mut listed = HashMap::with_capacity(nodes.len());
        let mut pages = context.stores.dst.clone().list(&self.paths.dst);
        while let Some(page) = pages.next().await {
            context.check_stop()?;
            for entry in page.at_side(Side::Destination)?.iter() {
                if let Some(&index) = by_name.get(entry.name) {
                    listed.insert(index, Listed { kind: entry.kind, facts: entry.facts() });
                }
            }
        }
        Ok(listed)
    }

    /// Reads the files and links that are not known to differ.
    async fn read_back(&mut self, context: &CopyContext, buffer: &mut [u8]) -> Attempt<()> {
        let source = context.stores.src.clone().folder(&self.paths.src).await;
        let destination = context.stores.dst.clone().folder(&self.paths.dst).await.at_side(Side::Destination)?;
        let source = match source {
            Err(error) if error.class == ErrorClass::Vanished => None,
            source => Some(source.at_side(Side::Source)?),
        };
        let folders = OpenedFolders { source, destination };
        while let Some(node) = self.batch.nodes.get(self.read) {
            context.check_stop()?;
            let read = match node.kind {
                _ if self.different.contains(&node.id) => Ok(None),
                NodeKind::File => self.read_file(context, &folders, node, buffer).await,
                NodeKind::Symlink => compare_links(&folders, node).await,
                NodeKind::Folder | NodeKind::Other => Ok(None),
            };
            let difference = match read {
                Err(AttemptError::Store(side, error)) if !error.class.is_retried() && !error.class.suspends() => {
                    Some(format!("it cannot be read on the {side}: {error}"))
                }
                read => read?,
            };
            self.checked.differences.extend(difference.map(|message| (node.id, message)));
            self.read += 1;
        }
        Ok(())
    }

    /// Reads a file on the destination and, where the level or a missing checksum requires it, on the source.
    async fn read_file(
        &mut self,
        context: &CopyContext,
        folders: &OpenedFolders,
        node: &ExpectedNode,
        buffer: &mut [u8],
    ) -> Attempt<Option<String>> {
        let reads_source = self.level == VerifyLevel::Full || node.is_copied && node.checksum.is_none();
        if !reads_source && node.checksum.is_none() {
            return Ok(None);
        }
        let name = bytes_of(name_on_destination(node));
        let theirs = folders.destination.open(&name).await.at_side(Side::Destination)?;
        let length = size_of(&theirs.facts_at_opening());
        let found = checksum_of(context, theirs.as_ref(), length, Side::Destination, buffer).await?;
        self.checked.bytes_read += length;
        if let Some(expected) = node.checksum
            && found != Some(expected)
        {
            return Ok(Some("its contents are not those that were copied".to_owned()));
        }
        if !reads_source {
            return Ok(None);
        }
        let Some(source) = &folders.source else {
            return Ok(Some("it is gone from the source, so that it cannot be compared".to_owned()));
        };
        let ours = source.open(&bytes_of(&node.name)).await.at_side(Side::Source)?;
        let facts = ours.facts_at_opening();
        if node.is_copied && (facts.size, facts.modified_ns) != (node.facts.size, node.facts.modified_ns) {
            return Ok(Some("the source has changed since it was copied".to_owned()));
        }
        let expected = checksum_of(context, ours.as_ref(), size_of(&facts), Side::Source, buffer).await?;
        Ok((expected != found).then(|| "its contents are not those of the source".to_owned()))
    }
}

/// The printable name on the destination.
fn name_on_destination(node: &ExpectedNode) -> &str {
    node.other_name.as_deref().unwrap_or(&node.name)
}

fn bytes_of(name: &str) -> Vec<u8> {
    decode_name(name).expect("the ledger has printable names")
}

/// How a node differs, according to the listing.
fn difference(context: &CopyContext, node: &ExpectedNode, listed: &Listed) -> Option<String> {
    if listed.kind != node.kind {
        return Some(format!("it should be a {} and is a {}", node.kind, listed.kind));
    }
    if node.kind == NodeKind::Folder {
        return None;
    }
    let comparison = &context.settings.comparison;
    if !node.is_copied && node.kind == NodeKind::Symlink {
        // It existed before, and points to the same target. Its time is its own.
        return None;
    }
    if !node.is_copied {
        // It existed before, and counted as the same.
        let is_same = if comparison.is_told_by_listings() {
            comparison.is_same(node.facts, listed.facts)
        } else {
            node.facts.size.is_none() || node.facts.size == listed.facts.size
        };
        return (!is_same).then(|| "it is not the same any more as the one on the source".to_owned());
    }
    if let (Some(expected), Some(size)) = (node.facts.size, listed.facts.size)
        && expected != size
    {
        return Some(format!("it should have {expected} bytes and has {size}"));
    }
    if context.keeps(Side::Destination).modified
        && context.stores.dst.capabilities().lists_times
        && node.facts.modified_ns.is_some()
        && !comparison.is_same_time(node.facts, listed.facts)
    {
        return Some("its modification time is not that of the source".to_owned());
    }
    None
}

async fn compare_links(folders: &OpenedFolders, node: &ExpectedNode) -> Attempt<Option<String>> {
    let Some(source) = &folders.source else { return Ok(None) };
    let expected = source.read_link(&bytes_of(&node.name)).await.at_side(Side::Source)?;
    let name = bytes_of(name_on_destination(node));
    let found = folders.destination.read_link(&name).await.at_side(Side::Destination)?;
    Ok((expected != found).then(|| "it does not point to where the one on the source does".to_owned()))
}
