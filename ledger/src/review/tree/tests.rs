//! Parts of trees, against the same taken together in memory.

use longhaul_model::CopyStatus;
use proptest::prelude::*;

use super::*;
use crate::review::forest::{Forest, Tree, dice};

fn query(path: &str, depth: u32) -> TreeQuery {
    TreeQuery { path: path.to_owned(), depth, limit: 1000, offset: 0 }
}

fn components(path: &str) -> Vec<&str> {
    path.split('/').filter(|name| !name.is_empty()).collect()
}

fn is_at_or_below(node: &Tree, path: &str) -> bool {
    components(&node.path).starts_with(&components(path))
}

/// What is at `path` and below it, counted one by one.
fn totals(forest: &Forest, path: &str) -> SubtreeTotals {
    let mut totals = SubtreeTotals::default();
    let bytes = |node: &Tree| if node.kind == NodeKind::File { node.size.unwrap_or(0) } else { 0 };
    for node in forest.src.iter().filter(|node| is_at_or_below(node, path)) {
        totals.nodes += 1;
        totals.bytes += bytes(node);
        let status = node.copy.expect("the source's have one") as usize;
        totals.by_copy_status[status] += 1;
        totals.bytes_by_copy_status[status] += bytes(node);
        totals.unlisted += i64::from(node.traversal == longhaul_model::TraversalStatus::Pending);
        totals.unlistable += i64::from(node.traversal == longhaul_model::TraversalStatus::Failed);
    }
    for node in forest.dst.iter().filter(|node| is_at_or_below(node, path)) {
        totals.dst_nodes += 1;
        totals.dst_bytes += bytes(node);
        if node.counterpart.is_none() {
            totals.not_on_src += 1;
            totals.not_on_src_bytes += bytes(node);
        }
    }
    totals
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn both_trees_are_one_with_numbers_that_add_up(dice in dice(), depth in 0..4_u32) {
        let forest = Forest::new(&dice);
        let only_dst = forest.dst.iter().filter(|node| node.counterpart.is_none());
        let all: Vec<&Tree> = forest.src.iter().chain(only_dst).collect();
        for top in all.iter().map(|node| node.path.as_str()) {
            let mut expected: Vec<&Tree> = all.iter().copied().filter(|node| is_at_or_below(node, top)).collect();
            expected.retain(|node| components(&node.path).len() <= components(top).len() + depth as usize);
            expected.sort_by_key(|node| components(&node.path));
            let page = tree(&forest.connection, &query(top, depth)).expect("a page");
            prop_assert!(!page.has_more);
            prop_assert_eq!(page.rows.len(), expected.len(), "{} {}", top, depth);
            for (row, node) in page.rows.iter().zip(expected) {
                prop_assert_eq!(&row.path, &node.path);
                prop_assert_eq!(row.kind, node.kind);
                let is_on_src = node.copy.is_some();
                let presence = match (is_on_src, node.counterpart) {
                    (true, Some(_)) => "both",
                    (true, None) => "src",
                    (false, _) => "dst",
                };
                prop_assert_eq!(row.presence(), presence, "{}", &row.path);
                prop_assert_eq!(&row.totals, &totals(&forest, &row.path), "{} from {}", &row.path, top);
            }
        }
    }

    #[test]
    fn pages_of_a_tree_are_the_tree(dice in dice()) {
        let forest = Forest::new(&dice);
        let whole = tree(&forest.connection, &query("/", 9)).expect("a page").rows;
        let mut rows = Vec::new();
        loop {
            let query = TreeQuery { limit: 4, offset: rows.len() as u64, ..query("/", 9) };
            let page = tree(&forest.connection, &query).expect("a page");
            rows.extend(page.rows.into_iter().map(|row| row.path));
            if !page.has_more {
                break;
            }
        }
        prop_assert_eq!(rows, whole.iter().map(|row| row.path.clone()).collect::<Vec<_>>());
        let statuses = whole[0].totals.by_copy_status.iter().sum::<i64>();
        prop_assert_eq!(statuses, whole[0].totals.nodes);
        prop_assert_eq!(whole[0].totals.with(CopyStatus::Vanished), totals(&forest, "/").with(CopyStatus::Vanished));
    }
}

#[test]
fn a_path_that_does_not_exist_is_answered_with_the_nearest_that_does() {
    // A folder `a_b` with a file `%` in it.
    let forest = Forest::new(&[[0, 1, 0, 1, 0, 0, 1, 1], [1, 7, 1, 1, 0, 0, 1, 1]]);
    for (path, nearest) in [("/a_b/x/y", "/a_b"), ("/aXb", "/"), ("/a_b/%/x", "/a_b/%"), ("/a_b/%%", "/a_b")] {
        match tree(&forest.connection, &query(path, 1)) {
            Err(LedgerError::NoSuchPath { nearest: found, .. }) => assert_eq!(found, nearest, "{path}"),
            other => panic!("{path}: {other:?}"),
        }
    }
    assert!(tree(&forest.connection, &query("a_b", 1)).is_err());
    assert_eq!(tree(&forest.connection, &query("//a_b//", 1)).expect("a page").rows[0].path, "/a_b");
}
