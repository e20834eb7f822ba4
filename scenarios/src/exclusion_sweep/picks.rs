//! Which folders are excluded: picked at random, the same for the same seed.

use anyhow::{Context, Result};
use longhaul_model::{BySide, CopyStatus, NodeKind};
use serde::{Deserialize, Serialize};

use crate::shared::copied::Due;
use crate::shared::random::Random;
use crate::shared::tree::Tree;
use crate::shared::trial::is_within;

const SALT: u64 = 0x5345_0002;

/// How many nodes in a folder are to be copied at least, so that there is something to exclude.
const OUTER_MIN: usize = 20;
const INNER_MIN: usize = 3;

/// What was picked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Picks {
    pub(super) outer: String,
    /// In the outer one, and not all of what there is to be copied.
    pub(super) inner: String,
}

impl Picks {
    pub(super) fn of(trees: &BySide<&dyn Tree>, seed: u64) -> Result<Picks> {
        let due = Due::of(trees)?;
        let random = &mut Random(seed ^ SALT);
        let copied = |folder: &str| {
            let is_copied = |path: &str| is_within(path, folder) && due.status(path) == Some(CopyStatus::Successful);
            due.nodes.keys().filter(|path| is_copied(path)).count()
        };
        let folders: Vec<&str> = due
            .nodes
            .values()
            .filter(|node| node.kind == NodeKind::Folder && node.depth > 0)
            .map(|node| node.path.as_str())
            .filter(|path| copied(path) >= INNER_MIN)
            .collect();
        let inner_of = |outer: &str| -> Vec<&str> {
            let all = copied(outer);
            let inside = folders.iter().copied().filter(|path| *path != outer && is_within(path, outer));
            inside.filter(|path| copied(path) < all).collect()
        };
        let large = folders.iter().copied().filter(|path| copied(path) >= OUTER_MIN);
        let mut outer: Vec<&str> = large.filter(|path| !inner_of(path).is_empty()).collect();
        let none = "the worlds have no folder with enough to be copied in it: take another seed";
        let outer = random.take(&mut outer).context(none)?;
        let inner = random.take(&mut inner_of(outer)).context(none)?;
        Ok(Picks { outer: outer.to_owned(), inner: inner.to_owned() })
    }
}
