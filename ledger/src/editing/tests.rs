//! Changes to the plan, on ledgers in files, as people make them.

mod left_out;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use longhaul_model::{Comparison, ConflictPolicy, FIRST_NODE_ID, NodeKind, Page, Phase, Side, child_path};
use tempfile::TempDir;

use super::retry::begin_retry;
use super::*;
use crate::error::LedgerError;
use crate::listing::{Folder, ListedPage};
use crate::testing::{Seen, copy, discover, open, some_time_ns};
use crate::{Approving, Changed, Marked, MigrationSpec, Reader, Settings};

/// Trees that are tried; each with as many changes.
const SEEDS: u64 = 4;
const CHANGES: usize = 12;

/// Numbers that look random and are the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

/// A tree: paths with whether they are folders, and whether the destination has the same.
type Tree = BTreeMap<String, (bool, bool)>;

fn parent(path: &str) -> &str {
    match path.rsplit_once('/').expect("paths begin with /").0 {
        "" => "/",
        parent => parent,
    }
}

fn random_tree(dice: &mut Dice) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![("/".to_owned(), true)];
    // Names that begin alike, and that SQL could take for patterns.
    let names = ["a", "a_b", "aXb", "a_bc", "%", "it's", "b"];
    for _ in 0..40 {
        let (folder, is_there) = folders[dice.below(folders.len())].clone();
        let path = child_path(&folder, names[dice.below(names.len())]);
        if tree.contains_key(&path) {
            continue;
        }
        let (is_folder, same) = (dice.below(2) == 0, is_there && dice.below(3) == 0);
        if is_folder {
            folders.push((path.clone(), same));
        }
        tree.insert(path, (is_folder, same));
    }
    tree
}

/// A ledger of a migration whose discovery is complete.
struct Scene {
    _folder: TempDir,
    path: PathBuf,
}

impl Scene {
    fn new(tree: &Tree, on_conflict: ConflictPolicy) -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.duckdb");
        let settings = Settings { on_conflict, ..Settings::new(Comparison::for_resolutions(1, 1)) };
        let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
        let mut writer = discover(&path, &spec);
        for side in Side::BOTH {
            let mut next = vec![Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 }];
            while let Some(folder) = next.pop() {
                let mut page = Page::default();
                for (path, (is_folder, same)) in tree.iter().filter(|(path, _)| parent(path) == folder.path) {
                    let name = path.rsplit_once('/').unwrap().1.as_bytes();
                    match (side, is_folder) {
                        (Side::Destination, _) if !same => {}
                        (_, true) => page.push(name, NodeKind::Folder, None, None),
                        (_, false) => page.push(name, NodeKind::File, Some(7), Some(1)),
                    }
                }
                let listed = ListedPage { folder, page, is_last: true, attempts: 1 };
                let mut answers = writer.record_page(side, listed).unwrap();
                answers.extend(writer.match_recorded().unwrap());
                next.extend(answers.into_iter().flat_map(|answer| answer.found.named.unwrap()));
            }
        }
        writer.end(Phase::Review, None, "complete").unwrap();
        Scene { _folder: folder, path }
    }

    fn edit(&self) -> Editor {
        Editor::open(&self.path, Log::Unknown, some_time_ns).unwrap()
    }

    fn exclude(&self, path: &str) -> Result<Changed> {
        self.edit().exclude(&Selection::Paths(vec![path.to_owned()]), &format!("not {path}"))
    }

    fn include(&self, path: &str) -> Result<Changed> {
        self.edit().include(&Selection::Paths(vec![path.to_owned()]))
    }

    /// Status and reason of each node but the root, by path.
    fn statuses(&self) -> BTreeMap<String, (String, Option<String>)> {
        let reader = Reader::open(&self.path).unwrap();
        assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
        let rows =
            reader.query("SELECT path, copy_status::VARCHAR, error FROM src_status WHERE depth > 0").unwrap().rows;
        rows.into_iter()
            .map(|row| {
                let [path, status, error] = row.try_into().unwrap();
                (path.unwrap(), (status.unwrap(), error))
            })
            .collect()
    }
}

/// What must be said of each node, when these are excluded by themselves.
fn expected(tree: &Tree, excluded: &BTreeSet<String>) -> BTreeMap<String, (String, Option<String>)> {
    let above = |path: &str| {
        let mut path = path.to_owned();
        while path != "/" {
            path = parent(&path).to_owned();
            if excluded.contains(&path) {
                return Some(path);
            }
        }
        None
    };
    tree.iter()
        .map(|(path, (_, same))| {
            let (status, reason) = match above(path) {
                _ if *same => ("already_existed", None),
                _ if excluded.contains(path) => ("excluded_explicit", Some(format!("not {path}"))),
                Some(folder) => {
                    ("excluded_inherited", Some(format!("it is in {folder}, which is excluded: not {folder}")))
                }
                None => ("pending", None),
            };
            (path.clone(), (status.to_owned(), reason))
        })
        .collect()
}

#[test]
fn exclusions_come_to_the_same_in_whatever_order_they_are_made_and_taken_back() {
    for seed in 0..SEEDS {
        let dice = &mut Dice(seed);
        let tree = random_tree(dice);
        let scene = Scene::new(&tree, ConflictPolicy::Newer);
        let mut excluded = BTreeSet::new();
        for _ in 0..CHANGES {
            let path = tree.keys().nth(dice.below(tree.len())).unwrap();
            if excluded.contains(path) {
                scene.include(path).unwrap();
                excluded.remove(path);
            } else {
                let mut with_it = excluded.clone();
                with_it.insert(path.clone());
                let changes = expected(&tree, &with_it) != expected(&tree, &excluded);
                let result = scene.exclude(path);
                assert_eq!(result.is_ok(), changes, "seed {seed}, {path}: {result:?}");
                if changes {
                    excluded = with_it;
                } else {
                    assert!(matches!(result, Err(LedgerError::NothingToChange(_))));
                }
            }
            assert_eq!(scene.statuses(), expected(&tree, &excluded), "seed {seed}, after {path}");
        }
    }
}

#[test]
fn only_what_was_excluded_by_itself_can_be_included() {
    let tree: Tree = [("/a", true), ("/a/b", false), ("/a_b", false)]
        .map(|(path, is_folder)| (path.to_owned(), (is_folder, false)))
        .into();
    let scene = Scene::new(&tree, ConflictPolicy::Newer);
    scene.exclude("/a").unwrap();
    let error = scene.include("/a/b").unwrap_err();
    assert!(error.to_string().contains("it is in /a, which is excluded: not /a"), "{error}");
    let error = scene.include("/a_b").unwrap_err();
    assert!(error.to_string().contains("nobody has excluded it"), "{error}");
    let error = scene.exclude("/a/c/d").unwrap_err();
    assert!(error.to_string().ends_with("the nearest that is: /a"), "{error}");
    assert!(matches!(scene.exclude("/"), Err(LedgerError::IsRoot)));
}

#[test]
fn the_hash_is_that_of_what_is_to_be_done_and_any_change_revokes_the_approval() {
    let tree: Tree = [("/a", true), ("/a/b", false), ("/c", false)]
        .map(|(path, is_folder)| (path.to_owned(), (is_folder, false)))
        .into();
    let scene = Scene::new(&tree, ConflictPolicy::Newer);
    let open = || open(&scene.path).discovered().unwrap();
    assert!(matches!(open().approved(Approving::Before), Err(LedgerError::NotApproved)));
    let first = scene.edit().approve(false).unwrap();
    assert_eq!((first.nodes, first.bytes), (3, 14));
    open().approved(Approving::Before).unwrap();
    assert!(scene.exclude("/a/b").unwrap().revoked);
    assert!(matches!(open().approved(Approving::Before), Err(LedgerError::NotApproved)));
    let second = scene.edit().approve(false).unwrap();
    assert_eq!((second.nodes, second.bytes), (2, 7));
    assert_ne!(second.hash, first.hash);
    assert!(scene.include("/a/b").unwrap().revoked);
    assert_eq!(scene.edit().approve(false).unwrap().hash, first.hash);
    // Somebody changes the plan behind our back.
    let opened = open();
    opened.connection.execute_batch("UPDATE plan SET action = 'overwrite' WHERE src_id = 2").unwrap();
    drop(opened);
    assert!(matches!(open().approved(Approving::Before), Err(LedgerError::OtherPlan)));
}

#[test]
fn a_mark_changes_nothing_but_itself_and_keeps_the_plan_from_being_approved() {
    let tree: Tree =
        [("/a", true), ("/a/b", false)].map(|(path, is_folder)| (path.to_owned(), (is_folder, false))).into();
    let scene = Scene::new(&tree, ConflictPolicy::Newer);
    let before = scene.statuses();
    assert!(matches!(scene.edit().mark_failed(None), Err(LedgerError::NothingToChange(_))));
    let chosen = Selection::Paths(vec!["/a".to_owned()]);
    assert_eq!(scene.edit().mark_retry(&chosen).unwrap().marked, Marked { folders: 1, copies: 0 });
    assert_eq!(scene.statuses(), before);
    assert!(matches!(scene.edit().approve(false), Err(LedgerError::Marked(1))));
    assert_eq!(scene.edit().unmark(Some(&chosen)).unwrap(), Marked::default());
    assert!(matches!(scene.edit().unmark(None), Err(LedgerError::NothingToChange(_))));
    scene.edit().approve(false).unwrap();
}

/// Fails the copy of what has this path.
fn fail_copy(scene: &Scene, path: &str) {
    scene.edit().approve(true).unwrap();
    let (mut writer, _) = copy(open(&scene.path));
    let batches = writer.pull_plan(&(0..10_000)).unwrap();
    let (depth, item) = batches
        .iter()
        .flat_map(|batch| batch.items.iter().map(move |item| (batch, item)))
        .find(|(batch, item)| child_path(&batch.path, &item.name) == path)
        .map(|(batch, item)| (batch.depth, item))
        .unwrap();
    let outcome =
        crate::CopyOutcome::Failed { class: longhaul_model::ErrorClass::Denied, message: "denied".to_owned() };
    let size = item.facts.size;
    let result = crate::CopyResult { id: item.id, depth, kind: item.kind, size, outcome, attempts: 1 };
    writer.record_copies(&[result]).unwrap();
    writer.end(Phase::Verifying, None, "complete").unwrap();
}

fn tree_of(paths: &[(&str, bool)]) -> Tree {
    paths.iter().map(|&(path, is_folder)| (path.to_owned(), (is_folder, false))).collect()
}

fn paths(paths: &[&str]) -> Selection {
    Selection::Paths(paths.iter().map(|&path| path.to_owned()).collect())
}

/// What is marked: paths, with what is tried again.
fn marks(scene: &Scene) -> Vec<String> {
    let reader = Reader::open(&scene.path).unwrap();
    let rows = reader.query(
        "SELECT path || ' ' || phase::VARCHAR
         FROM marks
         JOIN src_status ON id = node_id
         ORDER BY ALL",
    );
    rows.unwrap().rows.into_iter().map(|mut row| row.remove(0).unwrap()).collect()
}

#[test]
fn each_folder_that_is_named_is_marked_whatever_failed_in_it_or_in_another_one() {
    let scene = Scene::new(
        &tree_of(&[("/a", true), ("/a/bad", false), ("/b", true), ("/b/fine", false), ("/c", true)]),
        ConflictPolicy::Newer,
    );
    fail_copy(&scene, "/a/bad");
    let marked = scene.edit().mark_retry(&paths(&["/a", "/b"])).unwrap().marked;
    assert_eq!(marked, Marked { folders: 2, copies: 1 });
    assert_eq!(marks(&scene), ["/a traversing", "/a/bad copying", "/b traversing"]);
    // Once more, and nothing is marked twice.
    assert_eq!(scene.edit().mark_retry(&paths(&["/b", "/a", "/b"])).unwrap().marked, marked);
    // Nor is one that is named passed over.
    let error = scene.edit().mark_retry(&paths(&["/a", "/b/fine"])).unwrap_err();
    assert!(error.to_string().ends_with("nothing has failed at /b/fine"), "{error}");
}

#[test]
fn of_what_failed_only_what_is_under_a_path_is_marked_and_never_the_path_itself() {
    let scene = Scene::new(
        &tree_of(&[("/a", true), ("/a/bad", false), ("/b", true), ("/b/fine", false)]),
        ConflictPolicy::Newer,
    );
    fail_copy(&scene, "/a/bad");
    let error = scene.edit().mark_failed(Some("/b")).unwrap_err();
    assert!(error.to_string().contains("nothing has failed there"), "{error}");
    assert!(marks(&scene).is_empty());
    let error = scene.edit().mark_failed(Some("/nowhere/at/all")).unwrap_err();
    assert!(error.to_string().ends_with("the nearest that is: /"), "{error}");
    assert_eq!(scene.edit().mark_failed(Some("/a")).unwrap(), Marked { folders: 0, copies: 1 });
    assert_eq!(marks(&scene), ["/a/bad copying"]);
    assert_eq!(scene.edit().mark_failed(Some("/")).unwrap(), Marked { folders: 0, copies: 1 });
}

#[test]
fn a_retry_that_is_killed_leaves_the_marks_or_a_copy_that_can_be_gone_on_with() {
    let scene = Scene::new(&tree_of(&[("/a", true), ("/a/bad", false), ("/b", false)]), ConflictPolicy::Newer);
    fail_copy(&scene, "/a/bad");
    scene.edit().mark_failed(None).unwrap();
    let before = scene.statuses();
    let open = || open(&scene.path).discovered().unwrap();
    let begin = || open().begin("retry", some_time_ns).unwrap();
    let settings = crate::CopySettings::default();

    // Before anything is done.
    drop(begin());
    assert_eq!((marks(&scene), scene.statuses()), (vec!["/a/bad copying".to_owned()], before.clone()));

    // At the last of its steps.
    let mut writer = begin();
    let differences =
        "CREATE TABLE differences (src_id BIGINT NOT NULL, message VARCHAR NOT NULL, at_ns BIGINT NOT NULL)";
    writer.connection().execute_batch("DROP TABLE differences").unwrap();
    assert!(begin_retry(&mut writer, &settings).is_err());
    writer.connection().execute_batch(differences).unwrap();
    drop(writer);
    assert_eq!((marks(&scene), scene.statuses()), (vec!["/a/bad copying".to_owned()], before));

    // When it has begun.
    assert_eq!(open().require_marks().unwrap(), Marked { folders: 0, copies: 1 });
    let Retry::Copying(writer, copy) = open().retry(&settings, some_time_ns).unwrap() else {
        panic!("it was approved")
    };
    assert_eq!(copy.remaining.nodes, 3);
    drop(writer);
    assert!(marks(&scene).is_empty());
    let opened = open();
    assert_eq!(opened.migration().current_phase(), Phase::Copying);
    let (_, copying) = opened.approved(Approving::Before).unwrap().copy("test", &settings, some_time_ns).unwrap();
    assert_eq!(copying.remaining.nodes, 3);
}
