//! A node as the ledger must show it, and sums over many of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use longhaul_ledger::Counters;
use longhaul_model::{CopyStatus, NodeKind, TraversalStatus};
use serde::{Deserialize, Serialize};

/// A row of `src_status` or `dst_status`, or what it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    /// In its printable form.
    pub(crate) path: String,
    pub(crate) kind: NodeKind,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
    pub(crate) depth: i32,
    pub(crate) traversal: TraversalStatus,
    /// Source only.
    pub(crate) copy: Option<CopyStatus>,
}

impl Node {
    fn fingerprint(&self, with_statuses: bool) -> u128 {
        let half = |number: u8| {
            let mut hasher = DefaultHasher::new();
            (number, self.path.as_str(), self.kind, self.size, self.modified_ns, self.depth).hash(&mut hasher);
            if with_statuses {
                (self.traversal, self.copy).hash(&mut hasher);
            }
            u128::from(hasher.finish())
        };
        half(0) << 64 | half(1)
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), |value| value.to_string());
        write!(
            f,
            "{} ({}, {} bytes, time {} ns, depth {}, {}",
            self.path,
            self.kind,
            number(self.size),
            number(self.modified_ns),
            self.depth,
            self.traversal,
        )?;
        match self.copy {
            Some(copy) => write!(f, ", copy {copy})"),
            None => f.write_str(")"),
        }
    }
}

/// What many nodes come to. Two censuses are equal when the same nodes went into them, each as often as into the other,
/// in whatever order: the sums of 128-bit fingerprints of different sets agree as good as never. Needs no memory for a
/// node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    pub(crate) nodes: u64,
    /// Of path, kind, size, time and depth.
    pub(crate) identities: u128,
    /// Of the same and the statuses.
    pub(crate) with_statuses: u128,
    pub(crate) traversal: BTreeMap<&'static str, u64>,
    pub(crate) copy: BTreeMap<&'static str, u64>,
    /// What the ledger's counters must be, by depth.
    pub(crate) by_depth: BTreeMap<i32, Counters>,
}

impl Census {
    pub(crate) fn add(&mut self, node: &Node) {
        self.nodes += 1;
        self.identities = self.identities.wrapping_add(node.fingerprint(false));
        self.with_statuses = self.with_statuses.wrapping_add(node.fingerprint(true));
        *self.traversal.entry(node.traversal.as_str()).or_default() += 1;
        if let Some(copy) = node.copy {
            *self.copy.entry(copy.as_str()).or_default() += 1;
        }
        count(self.by_depth.entry(node.depth).or_default(), node);
    }

    pub(crate) fn folders_with(&self, status: TraversalStatus) -> u64 {
        let folders = |counters: &Counters| match status {
            TraversalStatus::Successful => counters.folders_listed,
            TraversalStatus::Failed => counters.folders_failed,
            TraversalStatus::NotOnSrc => counters.not_on_src_folders,
            TraversalStatus::Pending => counters.folders_pending(),
        };
        self.by_depth.values().map(folders).sum::<i64>().unsigned_abs()
    }
}

fn count(counters: &mut Counters, node: &Node) {
    let is_folder = node.kind == NodeKind::Folder;
    let bytes = if node.kind == NodeKind::File { node.size.unwrap_or(0) } else { 0 };
    match node.kind {
        NodeKind::Folder => counters.folders += 1,
        NodeKind::File => counters.files += 1,
        NodeKind::Symlink => counters.symlinks += 1,
        NodeKind::Other => counters.others += 1,
    }
    counters.bytes += bytes;
    match node.traversal {
        TraversalStatus::Pending => {}
        TraversalStatus::Successful => counters.folders_listed += i64::from(is_folder),
        TraversalStatus::Failed => counters.folders_failed += i64::from(is_folder),
        TraversalStatus::NotOnSrc => {
            counters.not_on_src += 1;
            counters.not_on_src_bytes += bytes;
            counters.not_on_src_folders += i64::from(is_folder);
        }
    }
    match node.copy {
        Some(CopyStatus::AlreadyExisted) => {
            counters.already_existed += 1;
            counters.already_existed_bytes += bytes;
        }
        Some(CopyStatus::Conflict) => {
            counters.conflicts += 1;
            counters.conflict_bytes += bytes;
        }
        Some(CopyStatus::Skipped) => {
            counters.skipped += 1;
            counters.skipped_bytes += bytes;
        }
        Some(CopyStatus::Successful) => {
            counters.copied += 1;
            counters.copied_bytes += bytes;
        }
        Some(CopyStatus::Failed) => {
            counters.copy_failed += 1;
            counters.copy_failed_bytes += bytes;
        }
        Some(CopyStatus::Vanished) => {
            counters.vanished += 1;
            counters.vanished_bytes += bytes;
        }
        Some(CopyStatus::ExcludedExplicit | CopyStatus::ExcludedInherited) => {
            counters.excluded += 1;
            counters.excluded_bytes += bytes;
        }
        // The ledger has no counters for it; the census has its number.
        Some(CopyStatus::Pending) | None => {}
    }
}
