//! Plans of small trees: each action with its reason.

mod random_trees;

use std::collections::BTreeMap;

use longhaul_model::{CompareBy, Comparison, ConflictPolicy, FileFacts, Page, Phase, Side, child_path};

use super::*;
use crate::listing::{Folder, ListedPage};
use crate::sql::RANGE_IDS;
use crate::testing::Seen;
use crate::{DiscoverWriter, MigrationSpec, Reader};

/// Times that differ by no more than this are the same.
const TOLERANCE_NS: u64 = 10;

const POLICIES: [ConflictPolicy; 5] = [
    ConflictPolicy::Newer,
    ConflictPolicy::Skip,
    ConflictPolicy::Overwrite,
    ConflictPolicy::KeepBoth,
    ConflictPolicy::Ask,
];

const COMPARISONS: [CompareBy; 5] =
    [CompareBy::SizeAndTime, CompareBy::Size, CompareBy::Time, CompareBy::Checksum, CompareBy::Exists];

const ROWS: &str = "SELECT path, action::VARCHAR, reason FROM plan_view ORDER BY path";

/// One side's entry of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    kind: NodeKind,
    size: Option<i64>,
    modified_ns: Option<i64>,
}

impl Entry {
    fn facts(self) -> FileFacts {
        FileFacts { size: self.size, modified_ns: self.modified_ns }
    }
}

fn file(size: i64, modified_ns: i64) -> Entry {
    Entry { kind: NodeKind::File, size: Some(size), modified_ns: Some(modified_ns) }
}

fn symlink(size: i64, modified_ns: i64) -> Entry {
    Entry { kind: NodeKind::Symlink, ..file(size, modified_ns) }
}

fn of_kind(kind: NodeKind) -> Entry {
    Entry { kind, size: None, modified_ns: None }
}

/// Entries by path.
type Tree = BTreeMap<String, Entry>;

fn tree(entries: &[(&str, Entry)]) -> Tree {
    entries.iter().map(|(path, entry)| ((*path).to_owned(), *entry)).collect()
}

fn settings(by: CompareBy, on_conflict: ConflictPolicy) -> Settings {
    Settings {
        on_conflict,
        ..Settings::new(Comparison { by, time_tolerance_ns: TOLERANCE_NS, by_looking: false, adopts: false })
    }
}

fn folder_of(path: &str) -> &str {
    match path.rsplit_once('/').expect("paths begin with /").0 {
        "" => "/",
        parent => parent,
    }
}

fn page(tree: &Tree, folder: &str) -> Page {
    let mut page = Page::default();
    for (path, entry) in tree.iter().filter(|(path, _)| folder_of(path) == folder) {
        let name = path.rsplit_once('/').expect("paths begin with /").1;
        page.push(name.as_bytes(), entry.kind, entry.size, entry.modified_ns);
    }
    page
}

fn spec(settings: &Settings) -> MigrationSpec {
    MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings: settings.clone() }
}

fn discover(settings: &Settings, source: &Tree, destination: &Tree) -> DiscoverWriter {
    let mut writer = DiscoverWriter::in_memory(&spec(settings));
    list(&mut writer, source, destination);
    writer
}

/// Lists both trees, breadth first, as far as they are to be listed.
fn list(writer: &mut DiscoverWriter, source: &Tree, destination: &Tree) {
    for (side, tree) in [(Side::Source, source), (Side::Destination, destination)] {
        let root = FIRST_NODE_ID;
        let mut next = vec![Folder { id: root, source_id: root, path: "/".to_owned(), depth: 0 }];
        while !next.is_empty() {
            let mut found = Vec::new();
            for folder in next {
                let page = page(tree, &folder.path);
                let listed = ListedPage { folder, page, is_last: true, attempts: 1 };
                let mut answers = writer.record_page(side, listed).unwrap();
                answers.extend(writer.match_recorded().unwrap());
                found.extend(answers.into_iter().flat_map(|answer| answer.found.named.unwrap()));
            }
            next = found;
        }
    }
    writer.commit().unwrap();
}

/// By path: the action and the reason.
type Plan = BTreeMap<String, (String, Option<String>)>;

fn read(writer: &DiscoverWriter) -> Plan {
    let rows = writer.query(ROWS);
    let count = rows.len();
    let plan: Plan = rows
        .into_iter()
        .map(|row| {
            let [path, action, reason] = row.try_into().expect("three columns");
            (path.unwrap(), (action.unwrap(), reason))
        })
        .collect();
    assert_eq!(plan.len(), count, "one row for each node");
    plan
}

/// The plan of two trees; statuses and counters are looked at on the way.
fn plan(settings: &Settings, source: &[(&str, Entry)], destination: &[(&str, Entry)]) -> Plan {
    let mut writer = discover(settings, &tree(source), &tree(destination));
    writer.plan_in_ranges_of(RANGE_IDS);
    check_consistency(&writer);
    read(&writer)
}

/// What must hold of any ledger with a plan in which nothing has been copied.
fn check_consistency(writer: &DiscoverWriter) {
    assert_eq!(writer.counters(), &writer.recount());
    let without_one_row = writer.query(
        "SELECT s.path
         FROM src_status s
         LEFT JOIN plan_view p ON p.path = s.path
         WHERE s.parent_id IS NOT NULL
         GROUP BY s.path
         HAVING count(p.path) <> 1",
    );
    assert_eq!(without_one_row, Vec::<Vec<Option<String>>>::new());
    let not_as_planned = writer.query(
        "SELECT s.path, s.copy_status::VARCHAR, s.error, p.action::VARCHAR, p.reason
         FROM src_status s
         JOIN plan_view p ON p.path = s.path
         WHERE s.copy_status <> CASE
             WHEN p.action = 'already_existed' THEN 'already_existed'
             WHEN p.action IN ('skip', 'not_copied') THEN 'skipped'
             WHEN p.action = 'conflict' THEN 'conflict'
             ELSE 'pending'
           END OR s.copy_status IN ('skipped', 'conflict') AND s.error IS DISTINCT FROM p.reason",
    );
    assert_eq!(not_as_planned, Vec::<Vec<Option<String>>>::new());
}

fn expected(rows: &[(&str, &str, Option<&str>)]) -> Plan {
    rows.iter()
        .map(|(path, action, reason)| ((*path).to_owned(), ((*action).to_owned(), reason.map(str::to_owned))))
        .collect()
}

const THERE: Option<&str> = Some("it is there already");

#[test]
fn what_the_destination_does_not_have_is_made_or_copied() {
    let source = [
        ("/a", of_kind(NodeKind::Folder)),
        ("/a/file", file(1, 1)),
        ("/a/link", symlink(1, 1)),
        ("/a/below", of_kind(NodeKind::Folder)),
        ("/a/below/nothing known", of_kind(NodeKind::File)),
    ];
    for by in COMPARISONS {
        for policy in POLICIES {
            assert_eq!(
                plan(&settings(by, policy), &source, &[]),
                expected(&[
                    ("/a", "create_folder", None),
                    ("/a/below", "create_folder", None),
                    ("/a/below/nothing known", "copy", None),
                    ("/a/file", "copy", None),
                    ("/a/link", "make_link", None),
                ]),
                "{by:?} {policy:?}"
            );
        }
    }
}

#[test]
fn what_is_there_already_is_left_alone() {
    let entries = [("/a", of_kind(NodeKind::Folder)), ("/a/file", file(1, 1)), ("/a/link", symlink(1, 1))];
    let found = plan(&settings(CompareBy::SizeAndTime, ConflictPolicy::Newer), &entries, &entries);
    assert_eq!(found, expected(&["/a", "/a/file", "/a/link"].map(|path| (path, "already_existed", THERE))));
}

/// What the destination has of a file that is 5 bytes long and of the time 100, and how the reason tells it.
const OTHERS: [(&str, Option<i64>, Option<i64>, &str); 9] = [
    ("/newer", Some(5), Some(111), "newer"),
    ("/newer and larger", Some(6), Some(111), "newer and of another size"),
    ("/older", Some(5), Some(89), "older"),
    ("/older and larger", Some(6), Some(89), "older and of another size"),
    ("/same time, larger", Some(6), Some(100), "of the same time and of another size"),
    ("/same time at the edge", Some(6), Some(110), "of the same time and of another size"),
    ("/time not known", Some(5), None, "of unknown age"),
    ("/neither known", None, None, "of unknown age and of another size"),
    ("/size not known", None, Some(100), "of the same time and of another size"),
];

/// Both sides of them.
fn others(kind: NodeKind) -> [[(&'static str, Entry); 9]; 2] {
    [
        OTHERS.map(|(path, ..)| (path, Entry { kind, ..file(5, 100) })),
        OTHERS.map(|(path, size, modified_ns, _)| (path, Entry { kind, size, modified_ns })),
    ]
}

#[test]
fn what_is_done_about_another_file_follows_from_the_policy_and_the_reason_says_how_it_differs() {
    let [source, destination] = others(NodeKind::File);
    for policy in POLICIES {
        let found = plan(&settings(CompareBy::SizeAndTime, policy), &source, &destination);
        for (path, .., how) in OTHERS {
            let action = match policy {
                ConflictPolicy::Newer if how.starts_with("older") => "overwrite",
                ConflictPolicy::Newer | ConflictPolicy::Skip => "skip",
                ConflictPolicy::Overwrite => "overwrite",
                ConflictPolicy::KeepBoth => "keep_both",
                ConflictPolicy::Ask => "conflict",
            };
            let reason = format!("the destination has another one, {how} (on conflict: {})", policy.as_str());
            assert_eq!(found[path], (action.to_owned(), Some(reason)), "{path} {policy:?}");
        }
    }
}

#[test]
fn a_link_is_made_anew_where_a_file_would_be_overwritten() {
    let [source, destination] = others(NodeKind::Symlink);
    for policy in POLICIES {
        for by in [CompareBy::SizeAndTime, CompareBy::Checksum] {
            let found = plan(&settings(by, policy), &source, &destination);
            for (path, .., how) in OTHERS {
                let action = match policy {
                    ConflictPolicy::Newer if how.starts_with("older") => "make_link",
                    ConflictPolicy::Newer | ConflictPolicy::Skip => "skip",
                    ConflictPolicy::Overwrite => "make_link",
                    ConflictPolicy::KeepBoth => "keep_both",
                    ConflictPolicy::Ask => "conflict",
                };
                assert_eq!(found[path].0, action, "{path} {policy:?} {by:?}");
            }
        }
    }
}

#[test]
fn each_comparison_looks_at_what_it_says() {
    let [source, destination] = others(NodeKind::File);
    let there = |by| -> Vec<String> {
        let found = plan(&settings(by, ConflictPolicy::Skip), &source, &destination);
        found.into_iter().filter(|(_, (_, reason))| reason.as_deref() == THERE).map(|(path, _)| path).collect()
    };
    assert_eq!(there(CompareBy::SizeAndTime), Vec::<String>::new());
    assert_eq!(there(CompareBy::Size), ["/newer", "/older", "/time not known"]);
    assert_eq!(there(CompareBy::Time), ["/same time at the edge", "/same time, larger", "/size not known"]);
    assert_eq!(there(CompareBy::Checksum), Vec::<String>::new());
    assert_eq!(there(CompareBy::Exists).len(), OTHERS.len());
}

#[test]
fn by_checksum_files_are_read_unless_their_sizes_tell() {
    let unknown = of_kind(NodeKind::File);
    let source = [("/other size", file(5, 1)), ("/same size", file(5, 1)), ("/size not known", unknown)];
    let destination = [("/other size", file(6, 1)), ("/same size", file(5, 1)), ("/size not known", file(5, 1))];
    for (policy, otherwise) in [
        (ConflictPolicy::Newer, "skip"),
        (ConflictPolicy::Skip, "skip"),
        (ConflictPolicy::Overwrite, "overwrite"),
        (ConflictPolicy::KeepBoth, "keep_both"),
        (ConflictPolicy::Ask, "conflict"),
    ] {
        let found = plan(&settings(CompareBy::Checksum, policy), &source, &destination);
        let actions: Vec<_> = found.values().map(|(action, _)| action.as_str()).collect();
        assert_eq!(actions, [otherwise, "compare", "compare"], "{policy:?}");
    }
}

#[test]
fn links_are_left_out_where_the_destination_has_none() {
    let settings = Settings { symlinks_kept: false, ..settings(CompareBy::SizeAndTime, ConflictPolicy::Overwrite) };
    let found = plan(&settings, &[("/a", symlink(1, 1)), ("/b", file(1, 1))], &[]);
    let reason = Some("the destination has no symbolic links");
    assert_eq!(found, expected(&[("/a", "not_copied", reason), ("/b", "copy", None)]));
}

#[test]
fn what_is_not_carried_over_is_planned_so_whatever_the_destination_has() {
    let source = [("/a", of_kind(NodeKind::Other))];
    let reason = Some("neither a file, a folder nor a symbolic link");
    for destination in NodeKind::ALL {
        for by in COMPARISONS {
            let found = plan(&settings(by, ConflictPolicy::Ask), &source, &[("/a", of_kind(destination))]);
            assert_eq!(found, expected(&[("/a", "not_copied", reason)]), "{destination:?} {by:?}");
        }
    }
}

#[test]
fn a_file_against_a_folder_is_a_conflict_by_any_policy() {
    for policy in POLICIES {
        let found = plan(
            &settings(CompareBy::Exists, policy),
            &[("/a", file(1, 1))],
            &[("/a", of_kind(NodeKind::Folder)), ("/a/b", file(1, 1))],
        );
        let reason = Some("the source has a file of this name, the destination a folder");
        assert_eq!(found, expected(&[("/a", "conflict", reason)]), "{policy:?}");
    }
}

#[test]
fn everything_below_a_folder_against_a_file_is_in_conflict_and_the_reason_names_the_folder() {
    let source = [
        ("/a", of_kind(NodeKind::Folder)),
        ("/a/b", of_kind(NodeKind::Folder)),
        ("/a/b/c", of_kind(NodeKind::Folder)),
        ("/a/b/c/file", file(3, 1)),
        ("/a/fifo", of_kind(NodeKind::Other)),
        ("/a/link", symlink(1, 1)),
        ("/ab", of_kind(NodeKind::Folder)),
        ("/ab/file", file(1, 1)),
    ];
    let below = Some("it is in /a, which is in conflict");
    for symlinks_kept in [true, false] {
        let settings = Settings { symlinks_kept, ..settings(CompareBy::SizeAndTime, ConflictPolicy::Overwrite) };
        assert_eq!(
            plan(&settings, &source, &[("/a", file(1, 1))]),
            expected(&[
                ("/a", "conflict", Some("the source has a folder of this name, the destination a file")),
                ("/a/b", "conflict", below),
                ("/a/b/c", "conflict", below),
                ("/a/b/c/file", "conflict", below),
                ("/a/fifo", "not_copied", Some("neither a file, a folder nor a symbolic link")),
                ("/a/link", "conflict", below),
                ("/ab", "create_folder", None),
                ("/ab/file", "copy", None),
            ])
        );
    }
}

/// A store may give a name twice, for example where it was renamed to while its folder was being read.
#[test]
fn a_name_that_the_destination_gives_twice_is_planned_once() {
    let settings = settings(CompareBy::SizeAndTime, ConflictPolicy::Overwrite);
    let mut writer = DiscoverWriter::in_memory(&spec(&settings));
    for (side, sizes) in [(Side::Source, &[1][..]), (Side::Destination, &[2, 3])] {
        let mut page = Page::default();
        for &size in sizes {
            page.push(b"a", NodeKind::File, Some(size), Some(1));
        }
        let folder = Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 };
        writer.record_page(side, ListedPage { folder, page, is_last: true, attempts: 1 }).unwrap();
        writer.match_recorded().unwrap();
    }
    writer.plan_in_ranges_of(RANGE_IDS);
    assert_eq!(writer.query("SELECT action::VARCHAR FROM plan"), [[Some("overwrite".to_owned())]]);
}

#[test]
fn there_is_no_plan_before_discovery_is_over() {
    let both = tree(&[("/a", of_kind(NodeKind::Folder)), ("/a/file", file(1, 1))]);
    let mut writer = discover(&settings(CompareBy::Size, ConflictPolicy::Newer), &both, &both);
    assert_eq!(read(&writer), Plan::new());
    writer.plan_in_ranges_of(RANGE_IDS);
    assert_eq!(read(&writer), expected(&["/a", "/a/file"].map(|path| (path, "already_existed", THERE))));
}

/// A plan in which every action occurs, with names that mean something to patterns and in SQL.
fn with_every_action() -> (tempfile::TempDir, Reader) {
    let source = tree(&[
        ("/a_b", of_kind(NodeKind::Folder)),
        ("/a_b/copy 100%", file(3, 1)),
        ("/a_b/over'write", file(5, 200)),
        ("/a_bc", file(7, 1)),
        ("/aXb", of_kind(NodeKind::Folder)),
        ("/aXb/there", file(11, 1)),
        ("/aXb/it's", of_kind(NodeKind::Folder)),
        ("/aXb/it's/link", symlink(1, 1)),
        ("/aXb/it's/link and more", symlink(1, 1)),
        ("/conflict", of_kind(NodeKind::Folder)),
        ("/conflict/file", file(13, 1)),
        ("/fifo", of_kind(NodeKind::Other)),
        ("/kept", file(17, 1)),
    ]);
    let destination = tree(&[
        ("/a_b", of_kind(NodeKind::Folder)),
        ("/a_b/over'write", file(5, 1)),
        ("/aXb", of_kind(NodeKind::Folder)),
        ("/aXb/there", file(11, 1)),
        ("/conflict", file(1, 1)),
        ("/kept", file(17, 100)),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.duckdb");
    let settings = settings(CompareBy::SizeAndTime, ConflictPolicy::Newer);
    let mut writer = crate::testing::discover(&path, &spec(&settings));
    list(&mut writer, &source, &destination);
    writer.end(Phase::Review, None, "complete").unwrap();
    (folder, Reader::open(&path).unwrap())
}

#[test]
fn the_totals_of_a_plan_are_those_of_its_rows() {
    let (_folder, reader) = with_every_action();
    let rows = reader
        .query(
            "SELECT action, count(*), coalesce(sum(size) FILTER (WHERE kind = 'file'), 0)::BIGINT
             FROM plan_view
             GROUP BY action
             ORDER BY action",
        )
        .unwrap()
        .rows;
    let totals: Vec<_> = reader
        .plan_totals()
        .unwrap()
        .into_iter()
        .map(|total| vec![Some(total.action), Some(total.nodes.to_string()), Some(total.bytes.to_string())])
        .collect();
    assert_eq!(totals, rows);
    assert_eq!(totals.len(), 8, "{totals:?}");
    let counters = reader.counters().unwrap().totals().src;
    assert_eq!((counters.conflicts, counters.skipped, counters.skipped_bytes), (2, 2, 17));
}

#[test]
fn the_items_of_a_plan_are_found_by_action_and_by_what_they_are_under() {
    let (_folder, reader) = with_every_action();
    let paths = |action: Option<PlanAction>, under: Option<&str>, limit: u64| -> Vec<String> {
        let filter = PlanFilter { action, under: under.map(str::to_owned), limit };
        let found = reader.plan_items(&filter).unwrap();
        assert_eq!(found.columns, ["action", "kind", "size", "path", "reason"]);
        found.rows.into_iter().map(|mut row| row[3].take().unwrap()).collect()
    };
    let all = paths(None, None, 1000);
    assert_eq!(all.len(), 13);
    assert!(all.is_sorted());
    for action in PlanAction::ALL {
        let sql = format!("SELECT path FROM plan_view WHERE action = '{action}' ORDER BY path");
        let expected: Vec<String> =
            reader.query(&sql).unwrap().rows.into_iter().map(|mut row| row[0].take().unwrap()).collect();
        assert_eq!(paths(Some(action), None, 1000), expected, "{action}");
    }
    for under in ["/a_b", "/a_b/", "/aXb", "/aXb/it's", "/aXb/it's/link", "/a_b/copy 100%", "/a_b/copy 100", "/%"] {
        let below = format!("{}/", under.trim_end_matches('/'));
        let expected: Vec<String> = all.iter().filter(|path| format!("{path}/").starts_with(&below)).cloned().collect();
        assert_eq!(paths(None, Some(under), 1000), expected, "{under}");
    }
    assert_eq!(paths(None, Some("/"), 1000), all);
    assert_eq!(paths(Some(PlanAction::Copy), Some("/a_b"), 1000), ["/a_b/copy 100%"]);
    assert_eq!(paths(None, None, 4), all[..4]);
    assert_eq!(paths(None, Some("/aXb"), 1), ["/aXb"]);
    assert_eq!(paths(None, None, 0), Vec::<String>::new());
}
