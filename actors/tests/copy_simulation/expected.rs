//! What must become of each source node where nobody changes the source, computed by a simple recursion that knows
//! nothing of the engine.

use std::collections::BTreeMap;

use longhaul_model::{
    BySide, CompareBy, ConflictPolicy, ErrorClass, FileFacts, NodeKind, Side, child_path, encode_name,
};

use super::disk::{Disk, Entry};
use super::scenario::Scenario;
use super::world::Operation;

/// What becomes of a source node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedNode {
    /// As bytes.
    pub(crate) path: Vec<u8>,
    pub(crate) status: &'static str,
    /// Whether the place that it has on the source is taken on the destination, and what is there may be replaced.
    pub(crate) may_replace: bool,
    /// Whether it goes beside whatever has its name.
    pub(crate) may_go_beside: bool,
}

/// By printable path; the root is not among them.
pub(crate) type Expected = BTreeMap<String, ExpectedNode>;

/// Computes it.
pub(crate) fn expected(scenario: &Scenario) -> Expected {
    let mut oracle = Oracle { scenario, disks: &scenario.world.disks, expected: Expected::new() };
    oracle.add(b"/", "/", &Above { is_matched: true, fate: None });
    oracle.expected
}

/// What becomes of a folder, as far as it concerns what is in it.
#[derive(Clone)]
struct Above {
    is_matched: bool,
    /// What becomes of everything in it that is still to be done.
    fate: Option<&'static str>,
}

/// What the plan says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Settled(&'static str),
    Work,
    Replace,
    Beside,
}

struct Oracle<'a> {
    scenario: &'a Scenario,
    disks: &'a BySide<Disk>,
    expected: Expected,
}

impl Oracle<'_> {
    fn add(&mut self, folder: &[u8], printable: &str, above: &Above) {
        let fate_of_work = above.fate.or_else(|| self.fate_by_fault(Side::Source, Operation::OpenFolder, folder));
        let fate_of_work =
            fate_of_work.or_else(|| self.fate_by_fault(Side::Destination, Operation::OpenFolder, folder));
        let disks = self.disks;
        for (name, path, entry) in disks.src.children(folder) {
            let taken = above.is_matched.then(|| disks.dst.entry(path)).flatten();
            let way = self.way(path, entry, taken, above);
            let status = match way {
                Way::Settled(status) => status,
                Way::Work | Way::Replace | Way::Beside => {
                    fate_of_work.or_else(|| self.fate(path, entry, way)).unwrap_or("successful")
                }
            };
            let printable = child_path(printable, &encode_name(name));
            let may_go_beside = self.scenario.settings.on_conflict == ConflictPolicy::KeepBoth;
            let node = ExpectedNode { path: path.clone(), status, may_replace: way == Way::Replace, may_go_beside };
            self.expected.insert(printable.clone(), node);
            if entry.kind() == NodeKind::Folder {
                let is_matched = above.is_matched && taken.is_some_and(|taken| taken.kind() == NodeKind::Folder);
                let fate = if matches!(status, "successful" | "already_existed") { None } else { Some(status) };
                self.add(path, &printable, &Above { is_matched, fate });
            }
        }
    }

    fn way(&self, path: &[u8], entry: &Entry, taken: Option<&Entry>, above: &Above) -> Way {
        let is_other = entry.kind() == NodeKind::Other;
        match taken {
            _ if is_other => Way::Settled("skipped"),
            Some(taken) if taken.kind() != entry.kind() => Way::Settled("conflict"),
            Some(taken) if taken.kind() == NodeKind::Folder => Way::Settled("already_existed"),
            Some(_) => self.way_of_taken(path, entry),
            None if above.fate == Some("conflict") => Way::Settled("conflict"),
            None if entry.kind() == NodeKind::Symlink && !self.scenario.settings.symlinks_kept => {
                Way::Settled("skipped")
            }
            None => Way::Work,
        }
    }

    fn way_of_taken(&self, path: &[u8], entry: &Entry) -> Way {
        let comparison = &self.scenario.settings.comparison;
        let [ours, theirs] = Side::BOTH.map(|side| {
            let facts = self.disks[side].facts(path).expect("it is there");
            FileFacts { size: facts.size, modified_ns: facts.modified_ns }
        });
        if comparison.is_same(ours, theirs) {
            return Way::Settled("already_existed");
        }
        let is_read = comparison.by == CompareBy::Checksum && entry.kind() == NodeKind::File;
        let bytes = |side: Side| self.disks[side].file(path).map(|contents| contents.bytes.clone());
        if is_read && ours.size == theirs.size && bytes(Side::Source) == bytes(Side::Destination) {
            // It is found out when its turn comes, if it does.
            let fate = self.folders_fate(path).or_else(|| self.fate_by_fault(Side::Source, Operation::Open, path));
            return Way::Settled(fate.unwrap_or("already_existed"));
        }
        match self.scenario.settings.on_conflict {
            ConflictPolicy::Overwrite => Way::Replace,
            ConflictPolicy::Newer if comparison.is_newer(ours, theirs) => Way::Replace,
            ConflictPolicy::KeepBoth => {
                if entry.kind() != NodeKind::Symlink || !self.points_to_the_same(path) {
                    return Way::Beside;
                }
                let fate = self.folders_fate(path).or_else(|| self.fate_by_fault(Side::Source, Operation::Look, path));
                Way::Settled(fate.unwrap_or("already_existed"))
            }
            policy => {
                let status = if policy == ConflictPolicy::Ask { "conflict" } else { "skipped" };
                let is_compared = is_read && ours.size == theirs.size;
                let fate = self.folders_fate(path).or_else(|| self.fate_by_fault(Side::Source, Operation::Open, path));
                Way::Settled(fate.filter(|_| is_compared).unwrap_or(status))
            }
        }
    }

    fn points_to_the_same(&self, path: &[u8]) -> bool {
        let target = |side: Side| match self.disks[side].entry(path) {
            Some(Entry::Symlink { points_to, .. }) => Some(points_to),
            _ => None,
        };
        target(Side::Source) == target(Side::Destination)
    }

    /// What becomes of all work in the folder of a path because the folder cannot be opened.
    fn folders_fate(&self, path: &[u8]) -> Option<&'static str> {
        let folder = super::disk::parent(path);
        let fate = |side| self.fate_by_fault(side, Operation::OpenFolder, folder);
        fate(Side::Source).or_else(|| fate(Side::Destination))
    }

    /// What becomes of a node that has a fault of its own.
    fn fate(&self, path: &[u8], entry: &Entry, way: Way) -> Option<&'static str> {
        let (first, then) = match entry {
            Entry::Folder { .. } => (Operation::Look, Some(Operation::CreateFolder)),
            // What is kept beside another is made under the name that it gets.
            Entry::File(_) => (Operation::Open, (way != Way::Beside).then_some(Operation::Create)),
            Entry::Symlink { .. } => (Operation::Look, (way != Way::Beside).then_some(Operation::CreateLink)),
            Entry::Other { .. } => return None,
        };
        let by_source = self.fate_by_fault(Side::Source, first, path);
        by_source.or_else(|| self.fate_by_fault(Side::Destination, then?, path))
    }

    fn fate_by_fault(&self, side: Side, operation: Operation, path: &[u8]) -> Option<&'static str> {
        let faults = &self.scenario.world.faults;
        let is_it = |path_of: &Option<Vec<u8>>| path_of.as_deref() == Some(path);
        let lasts = faults.iter().find(|fault| {
            fault.side == side
                && fault.operation == Some(operation)
                && is_it(&fault.path)
                && fault.times.is_none()
                && !fault.suspends
        })?;
        let is_gone = side == Side::Source && lasts.class == ErrorClass::Vanished;
        Some(if is_gone { "vanished" } else { "failed" })
    }
}
