//! Names on ledgers in files: what is found, what is proposed, and what copying gets.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use longhaul_model::{Comparison, FIRST_NODE_ID, NodeKind, Page, Phase, Side, child_path, encode_name};
use longhaul_naming::Place;
use tempfile::TempDir;

use super::*;
use crate::listing::{Folder, ListedPage};
use crate::testing::{copy, discover, open, some_time_ns};
use crate::{Approving, DiscoverWriter, Editor, Log, MigrationSpec, Reader, Renamed, Selection, Settings};

/// What a tree has at a printable path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    is_folder: bool,
    on_source: bool,
    on_destination: bool,
}

type Tree = BTreeMap<String, Entry>;

/// Paths that end in `/` are folders; with `=` in front they are on both sides, with `>` on the destination only.
fn tree(paths: &[&str]) -> Tree {
    let mut tree = Tree::new();
    for path in paths {
        let (on_source, on_destination, path) = match path.as_bytes()[0] {
            b'=' => (true, true, &path[1..]),
            b'>' => (false, true, &path[1..]),
            _ => (true, false, *path),
        };
        let (is_folder, path) = path.strip_suffix('/').map_or((false, path), |path| (true, path));
        tree.insert(path.to_owned(), Entry { is_folder, on_source, on_destination });
    }
    tree
}

fn split(path: &str) -> (&str, &str) {
    let (parent, name) = path.rsplit_once('/').expect("paths begin with /");
    (if parent.is_empty() { "/" } else { parent }, name)
}

/// A ledger of a migration whose discovery is complete.
struct Scene {
    _folder: TempDir,
    path: PathBuf,
}

impl Scene {
    /// Folders are listed in pages of so many entries, those of several folders in turn.
    fn new(tree: &Tree, rules: RuleSet, page_entries: usize) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.duckdb");
        let settings = Settings { names: rules, ..Settings::new(Comparison::for_resolutions(1, 1)) };
        let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
        let mut writer = discover(&path, &spec);
        for side in Side::BOTH {
            list(&mut writer, tree, side, page_entries);
        }
        writer.end(Phase::Review, None, "complete").unwrap();
        Scene { _folder: folder, path }
    }

    fn edit(&self) -> Editor {
        Editor::open(&self.path, Log::Unknown, some_time_ns).unwrap()
    }

    fn findings(&self, rules: Option<RuleSet>) -> Vec<NameFinding> {
        let reader = Reader::open(&self.path).unwrap();
        let linted = reader.lint(rules, None).unwrap();
        // In pages, as somebody with many of them would.
        let mut findings: Vec<NameFinding> = Vec::new();
        loop {
            let after = findings.last().map(|finding| finding.id);
            let page = linted.page(after, 3).unwrap();
            if page.is_empty() {
                break;
            }
            findings.extend(page);
        }
        assert_eq!(findings.len() as u64, linted.count().unwrap());
        findings
    }

    fn told(&self, rules: Option<RuleSet>) -> BTreeSet<String> {
        let findings = self.findings(rules).into_iter();
        let told = findings
            .map(|found| format!("{} {} {}", found.path, found.broken, found.proposal.as_deref().unwrap_or("-")));
        told.collect()
    }

    /// Printable path on the source and on the destination of all that is to be copied.
    fn to_copy(&self) -> BTreeMap<String, String> {
        let (mut writer, remaining) = copy(open(&self.path));
        let batches = writer.pull_plan(&remaining.ids).unwrap();
        let paths = batches.iter().flat_map(|batch| {
            batch.items.iter().map(|item| {
                let on_destination = child_path(batch.path_on_destination(), item.name_on_destination());
                (child_path(&batch.path, &item.name), on_destination)
            })
        });
        paths.collect()
    }
}

fn list(writer: &mut DiscoverWriter, tree: &Tree, side: Side, page_entries: usize) {
    let root = Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 };
    let mut level = vec![root];
    while !level.is_empty() {
        let mut pages = Vec::new();
        for folder in level.drain(..) {
            let entries: Vec<_> = tree
                .iter()
                .filter(|(path, entry)| {
                    split(path).0 == folder.path
                        && if side == Side::Source { entry.on_source } else { entry.on_destination }
                })
                .collect();
            let count = entries.len().div_ceil(page_entries).max(1);
            for number in 0..count {
                let mut page = Page::default();
                for (path, entry) in entries.iter().skip(number * page_entries).take(page_entries) {
                    let name = decode_name(split(path).1).unwrap();
                    if entry.is_folder {
                        page.push(&name, NodeKind::Folder, None, None);
                    } else {
                        page.push(&name, NodeKind::File, Some(7), Some(1));
                    }
                }
                let listed = ListedPage { folder: folder.clone(), page, is_last: number + 1 == count, attempts: 1 };
                pages.push((number, listed));
            }
        }
        // The children of one folder do not follow one another.
        pages.sort_by_key(|(number, _)| *number);
        for (_, page) in pages {
            let mut answers = writer.record_page(side, page).unwrap();
            answers.extend(writer.match_recorded().unwrap());
            level.extend(answers.into_iter().flat_map(|answer| answer.found.named.unwrap()));
        }
    }
}

fn set(lines: &[&str]) -> BTreeSet<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn each_name_is_told_with_what_it_is_at_odds_with_and_a_name_that_nothing_else_has() {
    let paths = [
        "/a:b/",
        "/a:b/x.",
        "/a:b/deep/",
        "/a:b/deep/fine",
        "=/both/",
        "=/both/q?",
        "/both/new?",
        ">/both/new_",
        "/con",
        r"/caf\xe9",
        r"/line\nbreak",
        "/fine",
        "/a_b",
    ];
    let scene = Scene::new(&tree(&paths), RuleSet::Linux, 100);
    assert_eq!(scene.told(None), set(&[]));
    assert_eq!(
        scene.told(Some(RuleSet::Windows)),
        set(&[
            "/a:b character a_b-2",
            "/a:b/x. end x",
            "/both/new? character new_-2",
            "/con reserved _con",
            r"/caf\xe9 encoding café",
            r"/line\nbreak character line_break",
        ])
    );
    let findings = scene.findings(Some(RuleSet::Windows));
    let reason = |path: &str| findings.iter().find(|found| found.path == path).unwrap().reason.as_str();
    assert_eq!(reason("/a:b"), "it has :");
    assert_eq!(reason(r"/line\nbreak"), r"it has \n");
    assert_eq!(reason("/both/new?"), "it has ?");
}

#[test]
fn what_the_destination_takes_for_one_another_is_found_and_what_is_there_keeps_its_name() {
    let paths = [
        "/A.txt",
        "/a.txt",
        "/ü",
        "/u\u{308}",
        "=/same/",
        "=/same/File",
        "/same/file",
        "/same/FILE",
        ">/same/Other",
        "/same/other",
        "=/CASE/",
        "/left/",
        "/left/x",
        "/left/X",
        "/alone",
    ];
    let scene = Scene::new(&tree(&paths), RuleSet::Macos, 2);
    let lines = [
        "/a.txt case_twin a-2.txt",
        "/ü normalisation_twin ü-2",
        "/same/file case_twin file-3",
        "/same/FILE case_twin FILE-2",
        "/same/other case_twin other-2",
        "/left/x case_twin x-2",
    ];
    assert_eq!(scene.told(None), set(&lines));
    let findings = scene.findings(None);
    let of = |path: &str| findings.iter().find(|found| found.path == path).unwrap();
    assert_eq!(of("/same/other").reason, "it would be the same as Other");
    // What is excluded is in nobody's way.
    let left = Selection::Paths(vec!["/left/X".to_owned(), "/A.txt".to_owned()]);
    scene.edit().exclude(&left, "not needed").unwrap();
    assert_eq!(scene.told(None), set(&lines[1..5]));
    assert_eq!(scene.told(Some(RuleSet::Linux)), set(&[]));
    // Windows does not normalise.
    assert_eq!(scene.told(Some(RuleSet::Windows)), set(&lines[2..5]));
}

#[test]
fn paths_that_are_too_long_get_shorter_names_where_that_helps() {
    let (long, longer) = ("l".repeat(200), "m".repeat(100));
    let paths = [
        format!("/{long}/"),
        format!("/{long}/{}.txt", "n".repeat(60)),
        format!("/{long}/short"),
        format!("/{long}/{longer}/"),
        format!("/{long}/{longer}/x"),
    ];
    let scene = Scene::new(&tree(&paths.each_ref().map(String::as_str)), RuleSet::Windows, 100);
    assert_eq!(
        scene.told(None),
        set(&[
            &format!("/{long}/{}.txt path_length {}.txt", "n".repeat(60), "n".repeat(51)),
            &format!("/{long}/{longer} path_length {}", "m".repeat(55)),
            &format!("/{long}/{longer}/x path_length -"),
        ])
    );
    let renamed = scene.edit().accept_names(None, None).unwrap();
    assert_eq!((renamed.nodes, renamed.without_proposal), (2, 1));
    // Its folder has got shorter, and not by enough.
    assert_eq!(scene.told(None), set(&[&format!("/{long}/{longer}/x path_length -")]));
}

#[test]
fn accepted_names_are_what_copying_uses_and_a_part_of_what_is_approved() {
    let paths = ["/a:b/", "/a:b/c:d/", "/a:b/c:d/e?", "/a:b/plain/", "/a:b/plain/file", "/f*", "/g"];
    let scene = Scene::new(&tree(&paths), RuleSet::Windows, 100);
    let first = scene.edit().approve(false).unwrap();
    assert_eq!(scene.edit().accept_names(None, Some("/g")).unwrap(), Renamed::default());
    let error = scene.edit().accept_names(None, Some("/a:b/x")).unwrap_err();
    assert!(error.to_string().ends_with("the nearest that is: /a:b"), "{error}");
    let renamed = scene.edit().accept_names(None, Some("/a:b")).unwrap();
    assert_eq!((renamed.nodes, renamed.without_proposal, renamed.revoked), (3, 0, true));
    assert_eq!(scene.told(None), set(&["/f* character f_"]));
    let approved = open(&scene.path).discovered().unwrap().approved(Approving::Before);
    assert!(matches!(approved, Err(LedgerError::NotApproved)));
    assert_ne!(scene.edit().approve(false).unwrap().hash, first.hash);
    // By other rules, what was accepted is looked at.
    assert_eq!(scene.told(Some(RuleSet::PosixPortable)), set(&["/f* character f_"]), "the accepted names are portable");
    assert_eq!(scene.edit().forget_names(None).unwrap().nodes, 3);
    assert!(matches!(scene.edit().forget_names(None), Err(LedgerError::NothingToChange(_))));
    assert_eq!(scene.edit().approve(false).unwrap().hash, first.hash);
    scene.edit().accept_names(None, None).unwrap();
    let reader = Reader::open(&scene.path).unwrap();
    let rows = reader.query("SELECT path, reason FROM plan_view WHERE reason IS NOT NULL ORDER BY path").unwrap().rows;
    let rows: Vec<_> = rows.into_iter().map(|row| row.into_iter().flatten().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(rows, ["/a:b as a_b", "/a:b/c:d as c_d", "/a:b/c:d/e? as e_", "/f* as f_"]);
    drop(reader);
    assert_eq!(
        scene.to_copy().into_iter().map(|(from, to)| format!("{from} {to}")).collect::<BTreeSet<_>>(),
        set(&[
            "/a:b /a_b",
            "/a:b/c:d /a_b/c_d",
            "/a:b/c:d/e? /a_b/c_d/e_",
            "/a:b/plain /a_b/plain",
            "/a:b/plain/file /a_b/plain/file",
            "/f* /f_",
            "/g /g",
        ])
    );
}

#[test]
fn a_name_that_was_accepted_goes_with_its_node_when_that_is_forgotten() {
    let scene = Scene::new(&tree(&["/a:b", "/c:d"]), RuleSet::Windows, 100);
    scene.edit().accept_names(None, None).unwrap();
    let mut writer = open(&scene.path).begin("test", some_time_ns).unwrap();
    writer.connection.execute_batch("UPDATE src_nodes SET name = 'other' WHERE name = 'a:b'").unwrap();
    writer.plan_in_ranges_of(100);
    let left: String =
        writer.connection.query_row("SELECT string_agg(was, ',') FROM renames", [], |row| row.get(0)).unwrap();
    assert_eq!(left, "c:d");
}

/// All of them become the same, whose number one would have to count to.
#[test]
fn a_folder_of_which_all_names_become_the_same_is_no_trouble() {
    const COUNT: u32 = 3_000;
    let names: Vec<String> =
        (0..COUNT).map(|number| format!("/{}.txt", char::from_u32(0x4e00 + number).unwrap())).collect();
    let scene = Scene::new(&tree(&names.iter().map(String::as_str).collect::<Vec<_>>()), RuleSet::PosixPortable, 1_000);
    let findings = scene.findings(None);
    let proposals: HashSet<_> = findings.iter().map(|found| found.proposal.clone().unwrap()).collect();
    assert_eq!((findings.len(), proposals.len()), (COUNT as usize, COUNT as usize));
    assert!(["_.txt", "_-2.txt", "_-3.txt"].iter().all(|name| proposals.contains(*name)));
}

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

fn random_tree(dice: &mut Dice) -> Tree {
    const PARTS: [&[u8]; 16] = [
        b"a",
        b"A",
        b"b",
        b"_",
        b":",
        b".",
        b" ",
        b"-2",
        b"con",
        b"\xe9",
        "é".as_bytes(),
        "e\u{301}".as_bytes(),
        "É".as_bytes(),
        b"\n",
        "ß".as_bytes(),
        b"ss",
    ];
    let mut tree = Tree::new();
    let mut folders = vec![("/".to_owned(), true, true)];
    for _ in 0..60 {
        let (folder, source, destination) = folders[dice.below(folders.len())].clone();
        let name: Vec<u8> = (0..=dice.below(2)).flat_map(|_| PARTS[dice.below(PARTS.len())].to_vec()).collect();
        let path = child_path(&folder, &encode_name(&name));
        if matches!(name.as_slice(), b"." | b"..") || tree.contains_key(&path) {
            continue;
        }
        let (on_source, on_destination) = match dice.below(4) {
            0 if destination => (source, true),
            1 if destination => (false, true),
            _ => (source, false),
        };
        if !(on_source || on_destination) {
            continue;
        }
        let is_folder = dice.below(3) == 0;
        // What only the destination has is not looked into.
        if is_folder && on_source {
            folders.push((path.clone(), true, on_destination));
        }
        tree.insert(path, Entry { is_folder, on_source, on_destination });
    }
    tree
}

/// What has to be said of which path, found by comparing each name with each other one.
fn expected(tree: &Tree, order: &BTreeMap<String, i64>, rules: RuleSet) -> BTreeSet<(String, String)> {
    let mut expected = BTreeSet::new();
    let name = |path: &str| decode_name(split(path).1).unwrap();
    let mut to_come: Vec<_> = tree.iter().filter(|(_, entry)| entry.on_source && !entry.on_destination).collect();
    to_come.sort_by_key(|(path, _)| order[*path]);
    for (path, entry) in &to_come {
        let place = Place { is_folder: entry.is_folder, is_in_root: split(path).0 == "/" };
        let mut broken = rules.check(&name(path), place);
        let siblings = || tree.iter().filter(|(other, _)| split(other).0 == split(path).0 && other != path);
        let is_twin = |other: &str| rules.folds() && rules.fold(&name(other)) == rules.fold(&name(path));
        let there = siblings().any(|(other, entry)| entry.on_destination && is_twin(other));
        let before = siblings().filter(|(other, entry)| entry.on_source && !entry.on_destination && is_twin(other));
        if there || before.into_iter().any(|(other, _)| order[other] < order[*path]) {
            broken.add(Rule::CaseTwin);
        }
        if !broken.is_empty() {
            expected.insert(((*path).clone(), broken.to_string()));
        }
    }
    expected
}

#[test]
fn random_trees_are_found_to_be_what_comparing_each_with_each_finds_and_are_clean_once_accepted() {
    for seed in 0..12 {
        let dice = &mut Dice(seed);
        let tree = random_tree(dice);
        let rules = RuleSet::ALL[dice.below(RuleSet::ALL.len())];
        let scene = Scene::new(&tree, rules, 1 + dice.below(8));
        let rows = Reader::open(&scene.path).unwrap().query("SELECT path, id FROM src_status").unwrap().rows;
        let order = rows.into_iter().map(|mut row| (row[0].take().unwrap(), row[1].take().unwrap().parse().unwrap()));
        let order: BTreeMap<String, i64> = order.collect();
        let findings = scene.findings(None);
        let found: BTreeSet<_> = findings
            .iter()
            .map(|found| (found.path.clone(), found.broken.to_string().replace("normalisation_twin", "case_twin")))
            .collect();
        assert_eq!(found, expected(&tree, &order, rules), "seed {seed}, {rules}");
        assert!(findings.iter().all(|found| found.proposal.is_some()), "seed {seed}, {rules}");
        if !findings.is_empty() {
            let renamed = scene.edit().accept_names(None, None).unwrap();
            assert_eq!(renamed.nodes, findings.len() as u64);
            assert_eq!(scene.told(None), set(&[]), "seed {seed}, {rules}");
        }
        let copied = scene.to_copy();
        let mut taken: HashSet<(String, Vec<u8>)> = HashSet::new();
        let there = tree.iter().filter(|(path, entry)| entry.on_destination && is_on_destination(&tree, split(path).0));
        for (path, _) in there {
            taken.insert((split(path).0.to_owned(), rules.fold(&decode_name(split(path).1).unwrap())));
        }
        for (path, to) in &copied {
            let (folder, name) = split(to);
            let name = decode_name(name).unwrap();
            let entry = tree[path];
            assert!(
                rules.check(&name, Place { is_folder: entry.is_folder, is_in_root: folder == "/" }).is_empty(),
                "seed {seed}, {rules}: {path} becomes {to}"
            );
            assert!(taken.insert((folder.to_owned(), rules.fold(&name))), "seed {seed}, {rules}: {to} is taken");
            let is_named = findings.iter().any(|found| found.path == *path);
            assert_eq!(split(path).1 == split(to).1, !is_named, "seed {seed}, {rules}: {path} becomes {to}");
            // It is in the folder that its own has become.
            let above = split(path).0;
            assert_eq!(folder, copied.get(above).map_or(above, String::as_str), "seed {seed}, {rules}");
        }
        let to_come = tree.values().filter(|entry| entry.on_source && !entry.on_destination).count();
        assert_eq!(copied.len(), to_come, "seed {seed}, {rules}");
    }
}

/// Whether a folder is there as far as the source has it too.
fn is_on_destination(tree: &Tree, folder: &str) -> bool {
    folder == "/" || tree.get(folder).is_some_and(|entry| entry.on_source && entry.on_destination)
}
