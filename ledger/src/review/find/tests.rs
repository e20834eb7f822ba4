//! Pages of found nodes, against all of them sorted in memory.

use longhaul_model::TraversalStatus;
use proptest::prelude::*;

use super::*;
use crate::review::forest::{Forest, Tree, dice};

const SORTS: [FindSort; 7] = [
    FindSort::Path,
    FindSort::Name,
    FindSort::Size,
    FindSort::Modified,
    FindSort::Depth,
    FindSort::Id,
    FindSort::Status,
];

fn query(side: Side, sort: FindSort, reverse: bool) -> FindQuery {
    FindQuery { side, sort, reverse, limit: 7, ..FindQuery::new(Condition::everything(), 0) }
}

/// Ids in the order that is meant.
fn sorted(nodes: &[Tree], sort: FindSort, reverse: bool) -> Vec<i64> {
    let key = |node: &Tree| {
        let traversal = TraversalStatus::ALL.iter().position(|status| *status == node.traversal);
        let copy = node.copy.map(|status| status as usize);
        match sort {
            FindSort::Path => (node.path.clone(), None, (None, None)),
            FindSort::Name => (node.name.clone(), None, (None, None)),
            FindSort::Size => (String::new(), node.size, (None, None)),
            FindSort::Modified => (String::new(), node.modified_ns, (None, None)),
            FindSort::Depth => (String::new(), Some(node.depth.into()), (None, None)),
            FindSort::Id => (String::new(), None, (None, None)),
            FindSort::Status => (String::new(), None, (copy, traversal)),
        }
    };
    let mut nodes: Vec<&Tree> = nodes.iter().collect();
    nodes.sort_by_key(|node| (key(node), node.id));
    if reverse {
        nodes.reverse();
    }
    nodes.into_iter().map(|node| node.id).collect()
}

fn ids(page: &FindPage) -> Vec<i64> {
    page.rows.iter().map(|row| row.id.0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, ..ProptestConfig::default() })]

    #[test]
    fn page_by_page_everything_comes_once_and_in_order(dice in dice()) {
        let forest = Forest::new(&dice);
        for side in Side::BOTH {
            for sort in SORTS {
                for reverse in [false, true] {
                    let expected = sorted(forest.nodes(side), sort, reverse);
                    let mut query = query(side, sort, reverse);
                    let mut found = Vec::new();
                    loop {
                        let page = find(&forest.connection, &query).expect("a page");
                        found.extend(ids(&page));
                        query.after = page.next;
                        if page.next.is_none() {
                            break;
                        }
                    }
                    prop_assert_eq!(&found, &expected, "{:?} {} reverse {}", sort, side, reverse);
                    query.after = None;
                    query.offset = 2;
                    let page = find(&forest.connection, &query).expect("a page");
                    let second: Vec<i64> = expected.iter().copied().skip(2).take(7).collect();
                    prop_assert_eq!(ids(&page), second, "{:?} {} reverse {}", sort, side, reverse);
                    prop_assert_eq!(page.next.is_some(), expected.len() > 9);
                }
            }
        }
    }

    #[test]
    fn what_is_shown_of_a_node_is_what_there_is(dice in dice()) {
        let forest = Forest::new(&dice);
        for side in Side::BOTH {
            let query = FindQuery { limit: 1000, ..query(side, FindSort::Id, false) };
            let page = find(&forest.connection, &query).expect("a page");
            prop_assert_eq!(page.next, None);
            prop_assert_eq!(page.all, page.rows.len() as u64);
            for (row, node) in page.rows.iter().zip(forest.nodes(side)) {
                prop_assert_eq!(row.id.0, node.id);
                prop_assert_eq!(&row.path, &node.path);
                prop_assert_eq!(row.kind, node.kind);
                prop_assert_eq!(row.size, node.size);
                prop_assert_eq!(row.modified_ns, node.modified_ns);
                prop_assert_eq!(row.depth, node.depth);
                prop_assert_eq!(&row.traversal_status, node.traversal.as_str());
                prop_assert_eq!(row.copy_status.as_deref(), node.copy.map(longhaul_model::CopyStatus::as_str));
                prop_assert_eq!(row.action.as_deref(), node.action.map(longhaul_model::PlanAction::as_str));
            }
        }
    }

    #[test]
    fn a_condition_and_an_order_go_together(dice in dice()) {
        let forest = Forest::new(&dice);
        for sort in SORTS {
            let condition = Condition::parse("kind = file or size >= 512").expect("it is one");
            let query = FindQuery { condition, ..query(Side::Source, sort, true) };
            let page = find(&forest.connection, &query).expect("a page");
            let fits = |node: &&Tree| node.kind == longhaul_model::NodeKind::File || node.size.is_some_and(|size| size >= 512);
            let nodes: Vec<Tree> = forest.src.iter().filter(fits).cloned().collect();
            let expected: Vec<i64> = sorted(&nodes, sort, true).into_iter().take(7).collect();
            prop_assert_eq!(ids(&page), expected, "{:?}", sort);
        }
    }
}

#[test]
fn under_a_folder_is_what_is_in_it_and_not_what_looks_like_it() {
    // Folder, name and kind of each: three folders of which a pattern would take two for the first.
    let node = |folder, name, kind| [folder, name, kind, 1, 0, 0, 0, 1];
    let forest = Forest::new(&[node(0, 1, 0), node(0, 2, 0), node(0, 3, 0), node(1, 11, 1)]);
    let paths = |under: &str| {
        let query = FindQuery { limit: 100, ..FindQuery::new(Condition::under(under).expect("a path"), 0) };
        let page = find(&forest.connection, &query).expect("a page");
        page.rows.into_iter().map(|row| row.path).collect::<Vec<_>>()
    };
    assert_eq!(paths("/"), ["/", "/aXb", "/a_b", "/a_b/new\\nline", "/a_bc"]);
    assert_eq!(paths("/a_b"), ["/a_b", "/a_b/new\\nline"]);
    assert_eq!(paths("/a_b/new\\nline/"), ["/a_b/new\\nline"]);
    assert_eq!(paths("/a_"), Vec::<String>::new());
    assert_eq!(paths("/%"), Vec::<String>::new());
}

#[test]
fn there_is_no_going_on_after_a_node_that_is_not_there() {
    let forest = Forest::new(&[]);
    let query = FindQuery { after: Some(NodeId(77)), ..query(Side::Source, FindSort::Name, false) };
    let error = find(&forest.connection, &query).expect_err("there is no such node");
    assert!(error.to_string().contains("no node 77"), "{error}");
}
