//! Going through a whole world, and counting it: what a migration must have found, without a migration.

use crate::fault::Fault;
use crate::listing::{Listing, NodeInfo, NodeKind};
use crate::world::World;

use std::time::Duration;

/// Entries of each folder on the way that are in memory at a time.
const PAGE_ENTRIES: usize = 1024;

/// What there is at one depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DepthCounts {
    /// Folders.
    pub folders: u64,
    /// Files.
    pub files: u64,
    /// Bytes in these files.
    pub bytes: u64,
}

impl DepthCounts {
    /// Files and folders.
    pub const fn nodes(&self) -> u64 {
        self.folders + self.files
    }

    fn add(&mut self, info: &NodeInfo) {
        match info.kind {
            NodeKind::Folder => self.folders += 1,
            NodeKind::File => self.files += 1,
        }
        self.bytes += info.size;
    }
}

/// What there is in a world. The root counts as a folder of depth 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeCounts {
    /// Of each depth, from 0 to the deepest that has nodes.
    pub by_depth: Vec<DepthCounts>,
    /// Of all depths together.
    pub total: DepthCounts,
}

impl World {
    /// Gives every node with its path to `visit`: folders before what is in them, and otherwise in the order of
    /// listings, beginning with the root.
    ///
    /// Sees what was written; knows no faults, limits or latency; counts as no listing. Needs memory for a page of
    /// entries for each folder on the way from the root, whatever the size of the tree. A folder that is removed
    /// meanwhile ends the walk with an error.
    pub fn walk(&self, mut visit: impl FnMut(&[u8], &NodeInfo)) -> Result<(), Fault> {
        self.walk_with_depth(|path, _, info| visit(path, info))
    }

    /// Counts all nodes, as [`World::walk`] sees them.
    pub fn count(&self) -> Result<TreeCounts, Fault> {
        let mut counts = TreeCounts::default();
        self.walk_with_depth(|_, depth, info| {
            if counts.by_depth.len() <= depth {
                counts.by_depth.resize(depth + 1, DepthCounts::default());
            }
            counts.by_depth[depth].add(info);
            counts.total.add(info);
        })?;
        Ok(counts)
    }

    fn walk_with_depth(&self, mut visit: impl FnMut(&[u8], usize, &NodeInfo)) -> Result<(), Fault> {
        let world = self.undisturbed();
        let now = Duration::ZERO;
        let root = world.stat(b"/", now).result?;
        visit(b"/", 0, &root);
        // Without a slash at its end; that of the root is empty.
        let mut path = Vec::new();
        let mut levels: Vec<Level> = vec![Level::of(&world, &path)?];
        // Levels that were gone through, for their memory.
        let mut spare: Vec<Listing> = Vec::new();
        while let Some(level) = levels.last_mut() {
            path.truncate(level.path_length);
            if level.next_entry == level.entries.len() {
                if let Some(after) = level.next_page.take() {
                    level.next_page =
                        world.list_into(or_root(&path), Some(&after), PAGE_ENTRIES, now, &mut level.entries).result?;
                    level.next_entry = 0;
                } else {
                    spare.extend(levels.pop().map(|level| level.entries));
                }
                continue;
            }
            let entry = level.entries.entry(level.next_entry);
            level.next_entry += 1;
            path.push(b'/');
            path.extend_from_slice(entry.name);
            let info = entry.info;
            visit(&path, levels.len(), &info);
            if info.kind == NodeKind::Folder {
                levels.push(Level::filled(&world, &path, spare.pop().unwrap_or_default())?);
            }
        }
        Ok(())
    }
}

/// A folder on the way from the root.
struct Level {
    path_length: usize,
    entries: Listing,
    next_entry: usize,
    next_page: Option<Vec<u8>>,
}

impl Level {
    fn of(world: &World, path: &[u8]) -> Result<Self, Fault> {
        Self::filled(world, path, Listing::new())
    }

    fn filled(world: &World, path: &[u8], mut entries: Listing) -> Result<Self, Fault> {
        let next_page = world.list_into(or_root(path), None, PAGE_ENTRIES, Duration::ZERO, &mut entries).result?;
        Ok(Self { path_length: path.len(), entries, next_entry: 0, next_page })
    }
}

fn or_root(path: &[u8]) -> &[u8] {
    if path.is_empty() { b"/" } else { path }
}
