//! Random trees that change between one pass and the next, with kills in the middle, compared with the trees themselves and
//! with a ledger that sees them for the first time.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::{
    BySide, Comparison, ErrorClass, FIRST_NODE_ID, FileFacts, NodeId, Page, PlanAction, Side, child_path,
};
use proptest::prelude::*;

use crate::copying::{CopiedFile, CopyOutcome, CopyResult};
use crate::counters::DepthCounters;
use crate::discovery::{DiscoverWriter, ToList};
use crate::fold::fold_events;
use crate::idle::IdleLedger;
use crate::listing::{FailedListing, Folder, ListedPage, RecordedListing};
use crate::migration::{MigrationSpec, Settings};
use crate::recovery::Remaining;
use crate::testing::{Seen, some_time_ns};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    kind: &'static str,
    size: Option<i64>,
    modified_ns: Option<i64>,
}

/// Everything that one side has, by path; the root is not in it.
type Tree = BTreeMap<String, Entry>;

/// Numbers that follow from a seed (xorshift).
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).unwrap()
    }

    fn entry(&mut self) -> Entry {
        let kind = ["folder", "folder", "folder", "file", "file", "file", "file", "symlink", "other"][self.below(9)];
        self.entry_of(kind)
    }

    fn entry_of(&mut self, kind: &'static str) -> Entry {
        let size = if kind == "folder" { None } else { Some(i64::try_from(self.below(3)).unwrap()) };
        Entry { kind, size, modified_ns: Some(100 * i64::try_from(self.below(4)).unwrap()) }
    }
}

fn parent(path: &str) -> &str {
    match path.rsplit_once('/').unwrap() {
        ("", _) => "/",
        (parent, _) => parent,
    }
}

fn is_below(path: &str, folder: &str) -> bool {
    folder == "/" || path.starts_with(&format!("{folder}/"))
}

fn remove(tree: &mut Tree, path: &str) {
    tree.retain(|other, _| other != path && !is_below(other, path));
}

fn folders(tree: &Tree) -> Vec<String> {
    let found = tree.iter().filter(|(_, entry)| entry.kind == "folder").map(|(path, _)| path.clone());
    std::iter::once("/".to_owned()).chain(found).collect()
}

/// Adds, removes and changes entries, mostly the same on both sides.
fn mutate(trees: &mut BySide<Tree>, dice: &mut Dice, times: usize) {
    for _ in 0..times {
        let sides: &[Side] = match dice.below(5) {
            0 => &[Side::Source],
            1 => &[Side::Destination],
            _ => &Side::BOTH,
        };
        let entry = dice.entry();
        let all = folders(&trees[sides[0]]);
        let folder = all[dice.below(all.len())].clone();
        let path = child_path(&folder, ["a", "b", "c", "d"][dice.below(4)]);
        let what = dice.below(6);
        for &side in sides {
            let tree = &mut trees[side];
            if !folder_exists(tree, &folder) {
                continue;
            }
            match (what, tree.get(&path).copied()) {
                (0, Some(_)) => remove(tree, &path),
                (1, Some(old)) => {
                    // The same kind, with other facts perhaps.
                    let new = Entry { kind: old.kind, size: old.size.and(entry.size.or(Some(1))), ..entry };
                    tree.insert(path.clone(), new);
                }
                (_, Some(old)) if old.kind == entry.kind => {
                    tree.insert(path.clone(), entry);
                }
                _ => {
                    remove(tree, &path);
                    tree.insert(path.clone(), entry);
                }
            }
        }
    }
}

fn folder_exists(tree: &Tree, path: &str) -> bool {
    path == "/" || tree.get(path).is_some_and(|entry| entry.kind == "folder")
}

fn spec() -> MigrationSpec {
    MigrationSpec {
        source: "/from".to_owned(),
        destination: "/to".to_owned(),
        settings: Settings::new(Comparison::for_resolutions(1, 1)),
    }
}

/// Lists whatever is pending until nothing is; `denied` folders cannot be listed. A kill now and then.
fn traverse(
    mut ledger: IdleLedger,
    trees: &BySide<Tree>,
    denied: &BTreeSet<String>,
    dice: &mut Dice,
    mut kills: usize,
) -> IdleLedger {
    let writer = 'run: loop {
        let (mut writer, to_list) = ledger.undiscovered().discover("test", some_time_ns).unwrap();
        let remaining = match to_list {
            ToList::Remaining(remaining) => remaining,
            ToList::Roots(_) => {
                let root: Vec<_> = std::iter::once(1..2).collect();
                Remaining { source: root.clone(), destination: root, ..Remaining::default() }
            }
        };
        let mut waiting: BySide<Vec<Folder>> = BySide::default();
        for (side, ranges) in [(Side::Source, &remaining.source), (Side::Destination, &remaining.destination)] {
            for ids in ranges {
                waiting[side].extend(writer.pull_folders(side, ids).unwrap());
            }
        }
        let mut failed: BTreeSet<NodeId> = remaining.failed_sources.into_iter().collect();
        let mut unanswered: BTreeSet<NodeId> = waiting.src.iter().map(|folder| folder.id).collect();
        loop {
            let may_begin = |folder: &Folder| !unanswered.contains(&folder.source_id);
            let side = if waiting.src.is_empty() || (dice.below(2) == 0 && waiting.dst.iter().any(may_begin)) {
                Side::Destination
            } else {
                Side::Source
            };
            let place = match side {
                Side::Source => Some(dice.below(waiting.src.len())),
                Side::Destination => waiting.dst.iter().position(may_begin),
            };
            let answers = match place {
                Some(place) => {
                    let folder = waiting[side].swap_remove(place);
                    if side == Side::Destination && failed.contains(&folder.source_id) {
                        fail(&mut writer, side, &folder, ErrorClass::Blocked)
                    } else {
                        list(&mut writer, side, &folder, trees, denied, dice)
                    }
                }
                None if writer.has_unmatched() => writer.match_recorded().unwrap(),
                None if waiting.src.is_empty() && waiting.dst.is_empty() => break 'run writer,
                None => unreachable!("{waiting:?} and nobody is asked"),
            };
            let mut answered = answers;
            if dice.below(4) == 0 {
                answered.extend(writer.match_recorded().unwrap());
                if dice.below(2) == 0 {
                    writer.commit().unwrap();
                }
            }
            for RecordedListing { side, folder, is_complete, found } in answered {
                if side == Side::Source {
                    unanswered.remove(&folder);
                    if !is_complete {
                        failed.insert(folder);
                    }
                    unanswered.extend(found.named.iter().flatten().map(|folder| folder.id));
                }
                waiting[side].extend(found.named.unwrap());
            }
            if kills > 0 && dice.below(8) == 0 {
                kills -= 1;
                ledger = writer.killed();
                continue 'run;
            }
        }
    };
    writer.ended_in_memory()
}

fn fail(writer: &mut DiscoverWriter, side: Side, folder: &Folder, class: ErrorClass) -> Vec<RecordedListing> {
    let failed = FailedListing { folder: folder.clone(), class, message: class.to_string(), attempts: 1 };
    writer.record_failure(side, failed).unwrap()
}

fn list(
    writer: &mut DiscoverWriter,
    side: Side,
    folder: &Folder,
    trees: &BySide<Tree>,
    denied: &BTreeSet<String>,
    dice: &mut Dice,
) -> Vec<RecordedListing> {
    let tree = &trees[side];
    if !folder_exists(tree, &folder.path) {
        return fail(writer, side, folder, ErrorClass::Vanished);
    }
    let children: Vec<_> = tree.iter().filter(|(path, _)| parent(path) == folder.path).collect();
    let is_denied = side == Side::Source && denied.contains(&folder.path);
    let mut pages: Vec<_> = children.chunks(1 + dice.below(3)).collect();
    if pages.is_empty() {
        pages.push(&[]);
    }
    let mut answers = Vec::new();
    let last = pages.len() - 1;
    for (number, children) in pages.into_iter().enumerate() {
        if is_denied && number > 0 {
            break;
        }
        let mut page = Page::default();
        for (path, entry) in children {
            let name = path.rsplit_once('/').unwrap().1;
            page.push(name.as_bytes(), entry.kind.parse().unwrap(), entry.size, entry.modified_ns);
        }
        let is_last = number == last && !is_denied;
        answers.extend(
            writer.record_page(side, ListedPage { folder: folder.clone(), page, is_last, attempts: 1 }).unwrap(),
        );
    }
    if is_denied {
        answers.extend(fail(writer, side, folder, ErrorClass::Denied));
    }
    answers
}

/// Carries out the plan, on the tree as well; some of it fails, and some is left undone.
fn copy(ledger: IdleLedger, trees: &mut BySide<Tree>, dice: &mut Dice) -> IdleLedger {
    let (mut writer, _) = crate::testing::copy(ledger);
    for batch in writer.pull_plan(&(0..10_000)).unwrap() {
        if !folder_exists(&trees.dst, &batch.path) {
            continue;
        }
        for item in batch.items {
            let path = child_path(&batch.path, &item.name);
            let outcome = match dice.below(8) {
                0 => continue,
                1 => CopyOutcome::Failed { class: ErrorClass::Denied, message: "denied".to_owned() },
                _ => {
                    if item.action != PlanAction::CreateFolder || !folder_exists(&trees.dst, &path) {
                        let entry = Entry {
                            kind: item.kind.as_str(),
                            size: item.facts.size,
                            modified_ns: item.facts.modified_ns,
                        };
                        trees.dst.insert(path, entry);
                    }
                    let FileFacts { size, modified_ns } = item.facts;
                    CopyOutcome::Copied(CopiedFile { size, modified_ns, ..CopiedFile::default() })
                }
            };
            let result = CopyResult {
                id: item.id,
                depth: batch.depth,
                kind: item.kind,
                size: item.facts.size,
                outcome,
                attempts: 1,
            };
            writer.record_copies(&[result]).unwrap();
        }
    }
    writer.commit().unwrap();
    fold_events(&writer.writer.connection).unwrap();
    assert_eq!(writer.counters(), &writer.recount());
    writer.killed()
}

/// What a ledger says of each node that is not gone: path and kind, and then id, size, time, copy status, plan and
/// traversal status; of the destination's, id, size, time and traversal status.
type Rows = BTreeMap<(String, String), Vec<Option<String>>>;

fn source_rows(ledger: &IdleLedger) -> Rows {
    rows(
        ledger,
        "SELECT s.path, s.kind::VARCHAR, s.id::VARCHAR, s.size::VARCHAR, s.modified_ns::VARCHAR, s.copy_status::VARCHAR,
           p.action::VARCHAR, s.traversal_status::VARCHAR
         FROM src_status s
         LEFT JOIN plan p ON p.src_id = s.id
         WHERE s.copy_status <> 'vanished' AND s.id <> 1",
    )
}

fn destination_rows(ledger: &IdleLedger) -> Rows {
    rows(
        ledger,
        "SELECT path, kind::VARCHAR, id::VARCHAR, size::VARCHAR, modified_ns::VARCHAR, traversal_status::VARCHAR
         FROM dst_status
         WHERE id <> 1",
    )
}

fn rows(ledger: &IdleLedger, sql: &str) -> Rows {
    let mut rows = Rows::new();
    for mut row in ledger.query(sql) {
        let facts = row.split_off(2);
        let key = (row[0].clone().unwrap(), row[1].clone().unwrap());
        assert!(rows.insert(key.clone(), facts).is_none(), "{key:?} twice");
    }
    rows
}

/// How many rows there are in each of the tables that only grow where something has changed.
fn sizes(ledger: &IdleLedger) -> Vec<Vec<Option<String>>> {
    let tables = [
        "src_nodes",
        "dst_nodes",
        "src_folders",
        "dst_folders",
        "matches",
        "src_status_events",
        "dst_status_events",
        "sweep_findings",
        "swept",
        "errors",
    ];
    let count = |table| ledger.query(&format!("SELECT '{table}', count(*)::VARCHAR FROM {table}"));
    tables.into_iter().flat_map(count).collect()
}

/// A run of its own begins it.
fn refresh(ledger: IdleLedger, folder: NodeId) -> IdleLedger {
    ledger.discovered().unwrap().refresh(folder, some_time_ns).unwrap().0.killed()
}

fn facts(entry: &Entry) -> [Option<String>; 2] {
    [entry.size.map(|size| size.to_string()), entry.modified_ns.map(|at| at.to_string())]
}

fn check_against_trees(ledger: &IdleLedger, trees: &BySide<Tree>) {
    let expected: BTreeMap<_, _> =
        trees.src.iter().map(|(path, entry)| ((path.clone(), entry.kind.to_owned()), facts(entry))).collect();
    let found: BTreeMap<_, _> =
        source_rows(ledger).into_iter().map(|(key, row)| (key, [row[1].clone(), row[2].clone()])).collect();
    assert_eq!(found, expected, "source");
    // Of the destination, what is in folders that both sides have.
    let both = |path: &str| folder_exists(&trees.src, path) && folder_exists(&trees.dst, path);
    let expected: BTreeMap<_, _> = trees
        .dst
        .iter()
        .filter(|(path, _)| both(parent(path)))
        .map(|(path, entry)| ((path.clone(), entry.kind.to_owned()), facts(entry)))
        .collect();
    // What was known of a folder whose counterpart is gone stays known.
    let found: BTreeMap<_, _> = destination_rows(ledger)
        .into_iter()
        .filter(|((path, _), _)| both(parent(path)))
        .map(|(key, row)| (key, [row[1].clone(), row[2].clone()]))
        .collect();
    assert_eq!(found, expected, "destination");
}

/// What is to be done now against what a ledger says that sees the trees for the first time.
fn check_against_new(ledger: &IdleLedger, trees: &BySide<Tree>, before: &Rows) {
    let new = traverse(IdleLedger::in_memory(&spec()), trees, &BTreeSet::new(), &mut Dice(7), 0);
    let (now, expected) = (source_rows(ledger), source_rows(&new));
    for (key, row) in &now {
        let (status, wanted) = (row[3].as_deref().unwrap(), expected[key][3].as_deref().unwrap());
        // A folder's time is no news.
        let is_as_before = |before: &Vec<_>| before[3] == row[3] && (key.1 == "folder" || before[1..3] == row[1..3]);
        let is_right = match (status, wanted) {
            ("successful", "already_existed") => true,
            // It failed before, and nothing has changed since.
            ("failed", "pending" | "skipped" | "conflict") => before.get(key).is_some_and(is_as_before),
            (status, wanted) => status == wanted,
        };
        assert!(is_right, "{key:?} is {status} and should be {wanted}; before: {:?}", before.get(key));
        if status == "pending" {
            assert_eq!(row[4], expected[key][4], "{key:?}");
        }
        assert_eq!(row[5].as_deref(), Some("successful"), "{key:?}");
    }
    let status = |rows: Rows| -> BTreeMap<_, _> { rows.into_iter().map(|(key, row)| (key, row[3].clone())).collect() };
    let (now, expected) = (status(destination_rows(ledger)), status(destination_rows(&new)));
    for (key, status) in &expected {
        assert_eq!(now.get(key), Some(status), "{key:?}");
    }
    for (key, status) in now.iter().filter(|(key, _)| !expected.contains_key(key)) {
        assert_eq!(status.as_deref(), Some("not_on_src"), "{key:?}");
    }
}

/// Whatever was found again is still the same node.
fn check_ids(before: &Rows, after: &Rows, may_be_new: impl Fn(&[Option<String>], &str) -> bool) {
    for (key, row) in after {
        if let Some(before) = before.get(key) {
            assert!(before[0] == row[0] || may_be_new(before, &key.1), "{key:?} was {before:?} and is {row:?}");
        }
    }
}

/// The number of the last event of the source.
fn last_event(ledger: &IdleLedger) -> i64 {
    let sql = "SELECT coalesce(max(seq), 0) FROM src_status_events";
    ledger.connection().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Whoever has another status than before has an event of it.
fn check_events(before: &Rows, ledger: &IdleLedger, last_event: i64) {
    let events: BTreeMap<String, String> = ledger
        .query(&format!(
            "SELECT node_id::VARCHAR, arg_max(copy_status, seq)::VARCHAR
             FROM src_status_events
             WHERE seq > {last_event} AND copy_status IS NOT NULL
             GROUP BY node_id"
        ))
        .into_iter()
        .map(|mut row| (row[0].take().unwrap(), row[1].take().unwrap()))
        .collect();
    for (key, row) in source_rows(ledger) {
        let id = row[0].as_ref().unwrap();
        let was = before.get(&key).filter(|before| before[0] == row[0]).and_then(|before| before[3].as_ref());
        if let Some(was) = was.filter(|was| Some(*was) != row[3].as_ref()) {
            assert_eq!(events.get(id), row[3].as_ref(), "{key:?} was {was}");
        }
    }
}

fn sweep_random_trees(seed: u64) {
    let mut dice = Dice(seed | 1);
    let mut trees = BySide::default();
    let size = dice.below(24);
    mutate(&mut trees, &mut dice, size);
    let denied: BTreeSet<String> =
        folders(&trees.src).into_iter().filter(|path| path != "/" && dice.below(8) == 0).collect();
    let mut ledger = traverse(IdleLedger::in_memory(&spec()), &trees, &denied, &mut dice, 0);
    for round in 0..4 {
        if dice.below(2) == 0 {
            ledger = copy(ledger, &mut trees, &mut dice);
        }
        let before = BySide { src: source_rows(&ledger), dst: destination_rows(&ledger) };
        let changes = dice.below(6);
        mutate(&mut trees, &mut dice, changes);
        let before_events = last_event(&ledger);
        ledger = refresh(ledger, FIRST_NODE_ID);
        let kills = dice.below(3);
        ledger = traverse(ledger, &trees, &BTreeSet::new(), &mut dice, kills);

        check_events(&before.src, &ledger, before_events);
        check_against_trees(&ledger, &trees);
        check_against_new(&ledger, &trees, &before.src);
        check_ids(&before.src, &source_rows(&ledger), |_, _| false);
        // One without a counterpart was not descended into.
        let had_none =
            |before: &[Option<String>], kind: &str| kind == "folder" && before[3].as_deref() == Some("not_on_src");
        check_ids(&before.dst, &destination_rows(&ledger), had_none);
        assert_eq!(DepthCounters::read(ledger.connection()).unwrap(), ledger.recount());

        // Once more, with nothing that has changed: nothing is added.
        let (known, rows) = (sizes(&ledger), (source_rows(&ledger), destination_rows(&ledger)));
        ledger = refresh(ledger, FIRST_NODE_ID);
        ledger = traverse(ledger, &trees, &BTreeSet::new(), &mut dice, 0);
        assert_eq!(sizes(&ledger), known, "round {round}");
        assert_eq!((source_rows(&ledger), destination_rows(&ledger)), rows, "round {round}");
    }
}

/// Seeds that have failed once.
#[test]
fn sweeps_that_went_wrong_once() {
    for seed in [1, 6, 14, 22, 53, 55, 97, 119, 121] {
        sweep_random_trees(seed);
    }
}

proptest! {
    // Each of them takes some seconds. With PROPTEST_CASES there can be more.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 32, ..ProptestConfig::default() })]

    #[test]
    fn what_a_sweep_leaves_is_what_there_is_and_what_is_known_of_it(seed in any::<u64>()) {
        sweep_random_trees(seed);
    }
}
