//! What a traversal of two trees must find, worked out from the trees and the rules alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use longhaul_model::{BySide, CopyStatus, ErrorClass, NodeKind, Side, TraversalStatus, encode_name};

use super::node::{Census, Node};
use super::tree::{Child, Listing, Tree};

/// What must be in the ledger.
#[derive(Debug, Default)]
pub(crate) struct Expectation {
    pub(crate) census: BySide<Census>,
    /// Pairs of nodes, the roots among them.
    pub(crate) matches: u64,
    /// Side, path and class of each.
    pub(crate) problems: BTreeSet<(&'static str, String, &'static str)>,
    /// Nodes with something to be said about them, and words that must be in it.
    pub(crate) reasons: BySide<BTreeMap<String, Vec<&'static str>>>,
}

impl Expectation {
    pub(crate) fn of(trees: &BySide<&dyn Tree>) -> Result<Expectation> {
        let mut expectation = Expectation::default();
        walk_both(trees, &mut |found| {
            let Found { side, node, words, failed, is_matched } = found;
            expectation.census[side].add(node);
            expectation.matches += u64::from(is_matched && side == Side::Source);
            if let Some(class) = failed {
                expectation.problems.insert((side.prefix(), node.path.clone(), class.as_str()));
            }
            if !words.is_empty() {
                expectation.reasons[side].insert(node.path.clone(), words.to_vec());
            }
        })?;
        Ok(expectation)
    }
}

/// A node on the way through both trees.
pub(crate) struct Found<'a> {
    pub(crate) side: Side,
    pub(crate) node: &'a Node,
    pub(crate) words: &'a [&'static str],
    pub(crate) failed: Option<ErrorClass>,
    is_matched: bool,
}

/// A source folder that is to be listed, and its counterpart.
struct Pair {
    path: Vec<u8>,
    source: Node,
    /// Words about the source folder.
    words: Vec<&'static str>,
    destination: Option<Node>,
    /// Whether its place, or that of a folder above it, is taken: nothing in it can be brought to the destination.
    is_in_conflict: bool,
}

/// Goes through both trees at once, folder by folder of the source, and shows every node that must be in the ledger.
pub(crate) fn walk_both(trees: &BySide<&dyn Tree>, visit: &mut dyn FnMut(Found<'_>)) -> Result<()> {
    let root = |copy| Node {
        path: "/".to_owned(),
        kind: NodeKind::Folder,
        size: None,
        modified_ns: None,
        depth: 0,
        traversal: TraversalStatus::Pending,
        copy,
    };
    let mut pairs = vec![Pair {
        path: b"/".to_vec(),
        source: root(Some(CopyStatus::AlreadyExisted)),
        words: Vec::new(),
        destination: Some(root(None)),
        is_in_conflict: false,
    }];
    while let Some(pair) = pairs.pop() {
        let is_matched = pair.destination.is_some();
        let source = list_as_expected(trees.src, Side::Source, &pair.path, pair.source, pair.words, is_matched, visit)?;
        let destination = match (pair.destination, source.is_some()) {
            (None, _) => Vec::new(),
            (Some(folder), true) => {
                list_as_expected(trees.dst, Side::Destination, &pair.path, folder, Vec::new(), true, visit)?
                    .unwrap_or_default()
            }
            // What is in it could not be matched with anything.
            (Some(mut folder), false) => {
                folder.traversal = TraversalStatus::Failed;
                visit(Found {
                    side: Side::Destination,
                    node: &folder,
                    words: &["counterpart"],
                    failed: Some(ErrorClass::Blocked),
                    is_matched: true,
                });
                Vec::new()
            }
        };
        let (source, is_in_conflict) = (source.unwrap_or_default(), pair.is_in_conflict);
        compare_children(&pair.path, is_in_conflict, source, destination, &mut pairs, visit);
    }
    Ok(())
}

/// Lists a folder and shows it with what came of that. Gives its children, or nothing if it refuses.
fn list_as_expected(
    tree: &dyn Tree,
    side: Side,
    path: &[u8],
    mut folder: Node,
    mut words: Vec<&'static str>,
    is_matched: bool,
    visit: &mut dyn FnMut(Found<'_>),
) -> Result<Option<Vec<Child>>> {
    let (children, failed) = match tree.list(path)? {
        Listing::Children(children) => (Some(children), None),
        Listing::Refused(class) => (None, Some(class)),
    };
    folder.traversal = if failed.is_some() { TraversalStatus::Failed } else { TraversalStatus::Successful };
    if failed.is_some() {
        words = vec!["denied"];
    }
    visit(Found { side, node: &folder, words: &words, failed, is_matched });
    Ok(children)
}

/// Decides about the children of a folder that was listed: shows those that are not folders to be listed, and adds the
/// others to `pairs`.
fn compare_children(
    folder: &[u8],
    is_in_conflict: bool,
    source: Vec<Child>,
    destination: Vec<Child>,
    pairs: &mut Vec<Pair>,
    visit: &mut dyn FnMut(Found<'_>),
) {
    let path_of = |name: &[u8]| match folder {
        b"/" => [b"/", name].concat(),
        _ => [folder, b"/", name].concat(),
    };
    let depth = folder.split(|&byte| byte == b'/').filter(|name| !name.is_empty()).count() + 1;
    let depth = i32::try_from(depth).expect("no tree is that deep");
    let node = |path: &[u8], child: &Child, traversal, copy| Node {
        path: encode_name(path).into_owned(),
        kind: child.kind,
        size: child.size,
        modified_ns: child.modified_ns,
        depth,
        traversal,
        copy,
    };
    let mut others: HashMap<Vec<u8>, Child> =
        destination.into_iter().map(|child| (child.name.clone(), child)).collect();
    for child in source {
        let path = path_of(&child.name);
        let (copy, words) = match decide(&child, others.get(&child.name)) {
            (CopyStatus::Pending, _) if is_in_conflict => {
                (CopyStatus::Conflict, vec!["it is in ", "which is in conflict"])
            }
            decided => decided,
        };
        let source_node = node(&path, &child, TraversalStatus::Successful, Some(copy));
        let has_counterpart = others.get(&child.name).is_some_and(|other| other.kind == child.kind);
        let counterpart = if has_counterpart { others.remove(&child.name) } else { None };
        let destination_node = counterpart.as_ref().map(|other| node(&path, other, TraversalStatus::Successful, None));
        if child.kind == NodeKind::Folder {
            let is_in_conflict = copy == CopyStatus::Conflict;
            pairs.push(Pair { path, source: source_node, words, destination: destination_node, is_in_conflict });
            continue;
        }
        visit(Found {
            side: Side::Source,
            node: &source_node,
            words: &words,
            failed: None,
            is_matched: has_counterpart,
        });
        if let (Some(other), Some(destination_node)) = (counterpart, destination_node) {
            visit(Found {
                side: Side::Destination,
                node: &destination_node,
                words: other.remark,
                failed: None,
                is_matched: true,
            });
        }
    }
    for child in others.into_values() {
        let extra = node(&path_of(&child.name), &child, TraversalStatus::NotOnSrc, None);
        visit(Found { side: Side::Destination, node: &extra, words: child.remark, failed: None, is_matched: false });
    }
}

/// What is to become of a source node by the usual policies, given what the destination has under its name, and words of
/// the reason.
fn decide(source: &Child, destination: Option<&Child>) -> (CopyStatus, Vec<&'static str>) {
    let remark = || source.remark.to_vec();
    match (source.kind, destination) {
        (NodeKind::Other, _) => (CopyStatus::Skipped, remark()),
        (_, None) => (CopyStatus::Pending, remark()),
        (kind, Some(other)) if kind != other.kind => {
            (CopyStatus::Conflict, vec!["source has a", kind.as_str(), "destination a", other.kind.as_str()])
        }
        (NodeKind::Folder, Some(_)) => (CopyStatus::AlreadyExisted, remark()),
        (NodeKind::File | NodeKind::Symlink, Some(other)) => {
            let is_known = source.size.is_some() && source.modified_ns.is_some();
            if is_known && source.size == other.size && source.modified_ns == other.modified_ns {
                return (CopyStatus::AlreadyExisted, remark());
            }
            match (source.modified_ns, other.modified_ns) {
                (Some(ours), Some(theirs)) if ours > theirs => (CopyStatus::Pending, remark()),
                (Some(ours), Some(theirs)) if ours == theirs => {
                    (CopyStatus::Skipped, vec!["of the same time and of another size", "on conflict: newer"])
                }
                (Some(_), Some(_)) => (CopyStatus::Skipped, vec!["newer", "on conflict: newer"]),
                _ => (CopyStatus::Skipped, vec!["of unknown age", "on conflict: newer"]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(kind: NodeKind, size: Option<i64>, modified_ns: Option<i64>) -> Child {
        Child { name: b"name".to_vec(), kind, size, modified_ns, remark: &[] }
    }

    #[test]
    fn a_file_is_there_already_if_size_and_time_are_known_and_equal_and_replaced_if_it_is_older() {
        let file = |size, time| child(NodeKind::File, size, time);
        let copy = |destination: Option<Child>| decide(&file(Some(1), Some(2)), destination.as_ref()).0;
        assert_eq!(copy(None), CopyStatus::Pending);
        assert_eq!(copy(Some(file(Some(1), Some(2)))), CopyStatus::AlreadyExisted);
        assert_eq!(copy(Some(file(Some(1), Some(1)))), CopyStatus::Pending);
        assert_eq!(copy(Some(file(Some(1), Some(3)))), CopyStatus::Skipped);
        assert_eq!(copy(Some(file(Some(2), Some(2)))), CopyStatus::Skipped);
        assert_eq!(copy(Some(file(None, None))), CopyStatus::Skipped);
        assert_eq!(decide(&file(None, None), Some(&file(None, None))).0, CopyStatus::Skipped);
    }

    #[test]
    fn other_kinds_are_conflicts_and_what_is_not_carried_over_is_not() {
        for source in NodeKind::ALL {
            for destination in NodeKind::ALL {
                let (copy, words) = decide(&child(source, None, None), Some(&child(destination, None, None)));
                let expected = match (source, destination) {
                    (NodeKind::Other, _) => CopyStatus::Skipped,
                    (NodeKind::Folder, NodeKind::Folder) => CopyStatus::AlreadyExisted,
                    // Of unknown age.
                    _ if source == destination => CopyStatus::Skipped,
                    _ => CopyStatus::Conflict,
                };
                assert_eq!(copy, expected, "{source} and {destination}");
                assert_eq!(
                    words.is_empty(),
                    source == NodeKind::Other || source == destination && copy != CopyStatus::Skipped
                );
            }
        }
    }
}
