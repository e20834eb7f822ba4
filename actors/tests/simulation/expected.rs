//! What must come out of a scenario, computed from the two trees by a simple recursion that knows nothing of the engine.

use std::collections::BTreeMap;

use longhaul_model::{BySide, ErrorClass, NodeKind, Side, child_path, encode_name};

use super::scenario::Scenario;
use super::store::{Shown, child};

/// What is to be known of a node in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExpectedNode {
    pub(crate) kind: NodeKind,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
    pub(crate) depth: i32,
    /// The children that are to be recorded: for a folder that fails between two pages, those of the first ones.
    pub(crate) children: usize,
    pub(crate) traversal: &'static str,
    /// Source only.
    pub(crate) copy: Option<&'static str>,
    /// The path of its match on the other side.
    pub(crate) matched: bool,
    /// Whether it is the same as its match.
    pub(crate) same: bool,
    /// Why it failed.
    pub(crate) failure: Option<ErrorClass>,
}

/// The nodes of each side, by printable path.
pub(crate) type Expected = BySide<BTreeMap<String, ExpectedNode>>;

/// What a folder's listing gives: entries, and why there are no more of them.
struct Listed {
    entries: Vec<Shown>,
    failure: Option<ErrorClass>,
}

/// Computes it.
pub(crate) fn expected(scenario: &Scenario) -> Expected {
    let mut expected = Expected::default();
    for side in Side::BOTH {
        let root = Shown { name: Vec::new(), kind: NodeKind::Folder, size: None, modified_ns: None };
        let root = ExpectedNode { matched: true, same: true, ..node(side, &root, 0) };
        expected[side].insert("/".to_owned(), root);
    }
    add_source(scenario, &mut expected, b"/", "/", 0);
    add_destination(scenario, &mut expected, b"/", "/", 0);
    for node in expected.src.values_mut().filter(|node| node.same && node.kind != NodeKind::Other) {
        node.copy = Some("already_existed");
    }
    let place_is_taken = |node: &ExpectedNode| node.copy == Some("conflict") && node.kind == NodeKind::Folder;
    let in_conflict = expected.src.iter().filter(|(_, node)| place_is_taken(node));
    for folder in in_conflict.map(|(path, _)| format!("{path}/")).collect::<Vec<_>>() {
        let below = expected.src.iter_mut().filter(|(path, _)| path.starts_with(&folder)).map(|(_, node)| node);
        // What is in a folder whose place is taken has nowhere to go.
        below.filter(|node| node.copy == Some("pending")).for_each(|node| node.copy = Some("conflict"));
    }
    expected
}

fn node(side: Side, shown: &Shown, depth: i32) -> ExpectedNode {
    let copy = match (side, shown.kind) {
        (Side::Source, NodeKind::Other) => Some("skipped"),
        (Side::Source, _) => Some("pending"),
        (Side::Destination, _) => None,
    };
    ExpectedNode {
        kind: shown.kind,
        size: shown.size,
        modified_ns: shown.modified_ns,
        depth,
        children: 0,
        traversal: "successful",
        copy,
        matched: false,
        same: false,
        failure: None,
    }
}

fn list(scenario: &Scenario, side: Side, path: &[u8]) -> Listed {
    let tree = &scenario.trees[side];
    let mut entries = tree.entries(path);
    let mut failure = None;
    if let Some(fault) = scenario.permanent_fault(side, path) {
        let readable = fault.page * tree.page_entries_max;
        // A listing that ends before the fault never meets it.
        if fault.page == 0 || entries.len() > readable {
            entries.truncate(readable);
            failure = Some(fault.class);
        }
    }
    Listed { entries, failure }
}

fn note_listing(expected: &mut ExpectedNode, listed: &Listed) {
    expected.children = listed.entries.len();
    if let Some(class) = listed.failure {
        (expected.traversal, expected.failure) = ("failed", Some(class));
    }
}

fn add_source(scenario: &Scenario, expected: &mut Expected, folder: &[u8], printable: &str, depth: i32) {
    let listed = list(scenario, Side::Source, folder);
    note_listing(expected.src.get_mut(printable).expect("parents come first"), &listed);
    for entry in listed.entries {
        let path = child_path(printable, &encode_name(&entry.name));
        expected.src.insert(path.clone(), node(Side::Source, &entry, depth + 1));
        if entry.kind == NodeKind::Folder {
            add_source(scenario, expected, &child(folder, &entry.name), &path, depth + 1);
        }
    }
}

/// Only folders that the source has as well, and whose counterpart could be listed, are listed.
fn add_destination(scenario: &Scenario, expected: &mut Expected, folder: &[u8], printable: &str, depth: i32) {
    if expected.src[printable].failure.is_some() {
        let blocked = Listed { entries: Vec::new(), failure: Some(ErrorClass::Blocked) };
        return note_listing(expected.dst.get_mut(printable).expect("parents come first"), &blocked);
    }
    let listed = list(scenario, Side::Destination, folder);
    note_listing(expected.dst.get_mut(printable).expect("parents come first"), &listed);
    for entry in listed.entries {
        let path = child_path(printable, &encode_name(&entry.name));
        let mut found = node(Side::Destination, &entry, depth + 1);
        match expected.src.get_mut(&path) {
            Some(counterpart) if counterpart.kind == entry.kind => {
                found.matched = true;
                found.same = match entry.kind {
                    NodeKind::Folder => true,
                    NodeKind::Other => false,
                    NodeKind::File | NodeKind::Symlink => {
                        let known = entry.size.is_some() && entry.modified_ns.is_some();
                        known && (counterpart.size, counterpart.modified_ns) == (entry.size, entry.modified_ns)
                    }
                };
                (counterpart.matched, counterpart.same) = (true, found.same);
            }
            other_kind => {
                found.traversal = "not_on_src";
                if let Some(counterpart) = other_kind.filter(|counterpart| counterpart.kind != NodeKind::Other) {
                    counterpart.copy = Some("conflict");
                }
            }
        }
        let is_matched_folder = found.matched && entry.kind == NodeKind::Folder;
        expected.dst.insert(path.clone(), found);
        if is_matched_folder {
            add_destination(scenario, expected, &child(folder, &entry.name), &path, depth + 1);
        }
    }
}
