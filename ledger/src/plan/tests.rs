//! Plans of small trees: each action with its reason, and random trees against a model that knows nothing of SQL.

use std::collections::BTreeMap;

use longhaul_model::{Comparison, FileFacts, NodeId, Page, child_path};
use proptest::prelude::*;

use super::*;
use crate::listing::{Folder, ListedPage};
use crate::{MigrationSpec, Recorder};

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
    Settings { on_conflict, ..Settings::new(Comparison { by, time_tolerance_ns: TOLERANCE_NS }) }
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

/// Lists both trees, breadth first, as far as they are to be listed.
fn discover(settings: &Settings, source: &Tree, destination: &Tree) -> Recorder {
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings: settings.clone() };
    let mut recorder = Recorder::in_memory(&spec);
    for (side, tree) in [(Side::Source, source), (Side::Destination, destination)] {
        let root = NodeId(FIRST_NODE_ID.0);
        let mut next = vec![Folder { id: root, source_id: root, path: "/".to_owned(), depth: 0 }];
        while !next.is_empty() {
            let mut found = Vec::new();
            for folder in next {
                let page = page(tree, &folder.path);
                let listed = ListedPage { folder, page, is_last: true, attempts: 1 };
                let mut answers = recorder.record_page(side, listed).unwrap();
                answers.extend(recorder.match_recorded().unwrap());
                found.extend(answers.into_iter().flat_map(|answer| answer.found.named.unwrap()));
            }
            next = found;
        }
    }
    recorder.commit().unwrap();
    recorder
}

fn make(recorder: &mut Recorder, range_ids: i64) {
    recorder.plan_with(|connection, settings, counters, run, next_seq| {
        make_plan_in_ranges(connection, settings, counters, run, 5, next_seq, range_ids)
    });
}

/// By path: the action and the reason.
type Plan = BTreeMap<String, (String, Option<String>)>;

fn read(recorder: &Recorder) -> Plan {
    let rows = recorder.query(ROWS);
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
    let mut recorder = discover(settings, &tree(source), &tree(destination));
    make(&mut recorder, RANGE_IDS);
    check_consistency(&recorder);
    read(&recorder)
}

/// What must hold of any ledger with a plan in which nothing has been copied.
fn check_consistency(recorder: &Recorder) {
    assert_eq!(recorder.counters(), &recorder.recount());
    let without_one_row = recorder.query(
        "SELECT s.path
         FROM src_status s
         LEFT JOIN plan_view p ON p.path = s.path
         WHERE s.parent_id IS NOT NULL
         GROUP BY s.path
         HAVING count(p.path) <> 1",
    );
    assert_eq!(without_one_row, Vec::<Vec<Option<String>>>::new());
    let not_as_planned = recorder.query(
        "SELECT s.path, s.copy_status::VARCHAR, s.error, p.action::VARCHAR, p.reason
         FROM src_status s
         JOIN plan_view p ON p.path = s.path
         WHERE s.copy_status <> CASE
             WHEN p.reason = 'it is there already' THEN 'already_existed'
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
    assert_eq!(found, expected(&[("/a", "skip", THERE), ("/a/file", "skip", THERE), ("/a/link", "skip", THERE)]));
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

fn others(kind: NodeKind) -> ([(&'static str, Entry); 9], [(&'static str, Entry); 9]) {
    (
        OTHERS.map(|(path, ..)| (path, Entry { kind, ..file(5, 100) })),
        OTHERS.map(|(path, size, modified_ns, _)| (path, Entry { kind, size, modified_ns })),
    )
}

#[test]
fn what_is_done_about_another_file_follows_from_the_policy_and_the_reason_says_how_it_differs() {
    let (source, destination) = others(NodeKind::File);
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
    let (source, destination) = others(NodeKind::Symlink);
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
    let (source, destination) = others(NodeKind::File);
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
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
    let mut recorder = Recorder::in_memory(&spec);
    for (side, sizes) in [(Side::Source, &[1][..]), (Side::Destination, &[2, 3])] {
        let mut page = Page::default();
        for &size in sizes {
            page.push(b"a", NodeKind::File, Some(size), Some(1));
        }
        let folder = Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 };
        recorder.record_page(side, ListedPage { folder, page, is_last: true, attempts: 1 }).unwrap();
        recorder.match_recorded().unwrap();
    }
    make(&mut recorder, RANGE_IDS);
    assert_eq!(recorder.query("SELECT action::VARCHAR FROM plan"), [[Some("overwrite".to_owned())]]);
}

#[test]
fn there_is_no_plan_before_discovery_is_over() {
    let both = tree(&[("/a", of_kind(NodeKind::Folder)), ("/a/file", file(1, 1))]);
    let mut recorder = discover(&settings(CompareBy::Size, ConflictPolicy::Newer), &both, &both);
    assert_eq!(read(&recorder), Plan::new());
    make(&mut recorder, RANGE_IDS);
    assert_eq!(read(&recorder), expected(&[("/a", "skip", THERE), ("/a/file", "skip", THERE)]));
}

/// What the plan should be, from the trees and the policies alone.
fn model(settings: &Settings, source: &Tree, destination: &Tree) -> Plan {
    let mut plan = Plan::new();
    for (path, entry) in source {
        plan.insert(path.clone(), model_node(settings, source, destination, path, *entry));
    }
    plan
}

fn model_node(
    settings: &Settings,
    source: &Tree,
    destination: &Tree,
    path: &str,
    entry: Entry,
) -> (String, Option<String>) {
    let row = |action: PlanAction, reason: Option<String>| (action.to_string(), reason);
    let there = destination.get(path).copied();
    let ancestors = path.match_indices('/').skip(1).map(|(end, _)| &path[..end]);
    let in_the_way =
        ancestors.clone().find(|above| destination.get(*above).is_some_and(|e| e.kind != NodeKind::Folder));
    let is_listed = ancestors.clone().all(|above| destination.contains_key(above));
    assert!(ancestors.into_iter().all(|above| source[above].kind == NodeKind::Folder));
    if entry.kind == NodeKind::Other {
        return row(PlanAction::NotCopied, Some("neither a file, a folder nor a symbolic link".to_owned()));
    }
    if let Some(above) = in_the_way {
        return row(PlanAction::Conflict, Some(format!("it is in {above}, which is in conflict")));
    }
    let there = there.filter(|_| is_listed);
    let without_links = entry.kind == NodeKind::Symlink && !settings.symlinks_kept;
    match there {
        Some(there) if there.kind != entry.kind => {
            let reason = format!("the source has a {} of this name, the destination a {}", entry.kind, there.kind);
            row(PlanAction::Conflict, Some(reason))
        }
        Some(there) if entry.kind == NodeKind::Folder || settings.comparison.is_same(entry.facts(), there.facts()) => {
            row(PlanAction::Skip, THERE.map(str::to_owned))
        }
        _ if without_links => row(PlanAction::NotCopied, Some("the destination has no symbolic links".to_owned())),
        None => match entry.kind {
            NodeKind::Folder => row(PlanAction::CreateFolder, None),
            NodeKind::Symlink => row(PlanAction::MakeLink, None),
            NodeKind::File | NodeKind::Other => row(PlanAction::Copy, None),
        },
        Some(there) => {
            let (mine, theirs) = (entry.facts(), there.facts());
            let replace = if entry.kind == NodeKind::Symlink { PlanAction::MakeLink } else { PlanAction::Overwrite };
            let action = match settings.on_conflict {
                _ if entry.kind == NodeKind::File && settings.comparison.needs_reading(mine, theirs) => {
                    PlanAction::Compare
                }
                ConflictPolicy::Newer if settings.comparison.is_newer(mine, theirs) => replace,
                ConflictPolicy::Newer | ConflictPolicy::Skip => PlanAction::Skip,
                ConflictPolicy::Overwrite => replace,
                ConflictPolicy::KeepBoth => PlanAction::KeepBoth,
                ConflictPolicy::Ask => PlanAction::Conflict,
            };
            let age = if mine.modified_ns.is_none() || theirs.modified_ns.is_none() {
                "of unknown age"
            } else if settings.comparison.is_same_time(mine, theirs) {
                "of the same time"
            } else if settings.comparison.is_newer(mine, theirs) {
                "older"
            } else {
                "newer"
            };
            let size = if mine.size == theirs.size { "" } else { " and of another size" };
            let policy = settings.on_conflict.as_str();
            row(action, Some(format!("the destination has another one, {age}{size} (on conflict: {policy})")))
        }
    }
}

fn entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        4 => Just(NodeKind::Folder),
        4 => Just(NodeKind::File),
        2 => Just(NodeKind::Symlink),
        1 => Just(NodeKind::Other)
    ];
    let size = prop::sample::select(vec![None, Some(0), Some(5)]);
    let modified_ns = prop::sample::select(vec![None, Some(i64::MIN), Some(0), Some(7), Some(100), Some(i64::MAX)]);
    (kind, size, modified_ns).prop_map(|(kind, size, modified_ns)| match kind {
        NodeKind::Folder => of_kind(kind),
        _ => Entry { kind, size, modified_ns },
    })
}

/// Both trees, with most names on both sides.
fn trees() -> impl Strategy<Value = (Tree, Tree)> {
    let entries = prop_oneof![
        3 => entry().prop_map(|entry| (Some(entry), Some(entry))),
        3 => (entry(), entry()).prop_map(|(source, destination)| (Some(source), Some(destination))),
        1 => entry().prop_map(|source| (Some(source), None)),
        1 => entry().prop_map(|destination| (None, Some(destination))),
    ];
    prop::collection::vec((any::<prop::sample::Index>(), entries), 0..40).prop_map(|specs| {
        let (mut source, mut destination) = (Tree::new(), Tree::new());
        let is_folder =
            |tree: &Tree, path: &str| path == "/" || tree.get(path).is_some_and(|entry| entry.kind == NodeKind::Folder);
        let mut folders = vec!["/".to_owned()];
        for (number, (parent, (mine, theirs))) in specs.into_iter().enumerate() {
            let parent = parent.get(&folders).clone();
            let path = child_path(&parent, &format!("n{number}"));
            for (tree, entry) in [(&mut source, mine), (&mut destination, theirs)] {
                if let Some(entry) = entry.filter(|_| is_folder(tree, &parent)) {
                    tree.insert(path.clone(), entry);
                }
            }
            if is_folder(&source, &path) || is_folder(&destination, &path) {
                folders.push(path);
            }
        }
        (source, destination)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 8, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_of_random_trees_is_that_of_the_model_and_making_it_again_changes_nothing(
        (source, destination) in trees(),
        by in prop::sample::select(COMPARISONS.to_vec()),
        policy in prop::sample::select(POLICIES.to_vec()),
        symlinks_kept in any::<bool>(),
        range_ids in 1_i64..20,
    ) {
        let settings = Settings { symlinks_kept, ..settings(by, policy) };
        let mut recorder = discover(&settings, &source, &destination);
        prop_assert_eq!(read(&recorder), Plan::new());
        make(&mut recorder, range_ids);
        check_consistency(&recorder);
        let first = read(&recorder);
        prop_assert_eq!(&first, &model(&settings, &source, &destination));

        let statuses = "SELECT COLUMNS(*)::VARCHAR FROM src_status ORDER BY id";
        let before = recorder.query(statuses);
        make(&mut recorder, RANGE_IDS);
        check_consistency(&recorder);
        prop_assert_eq!(read(&recorder), first);
        prop_assert_eq!(recorder.query(statuses), before);
    }
}
