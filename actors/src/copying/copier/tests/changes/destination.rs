//! The destination.

use std::os::unix::fs::symlink;

use longhaul_model::CompareBy;

use super::*;

const FOREIGN: &[u8] = b"somebody else's";

const POLICIES: [ConflictPolicy; 5] = [
    ConflictPolicy::Newer,
    ConflictPolicy::Skip,
    ConflictPolicy::Overwrite,
    ConflictPolicy::KeepBoth,
    ConflictPolicy::Ask,
];

/// Copies one file to where, before a call, another one appears. `number_of_time` says how old that is.
async fn copy_where_one_appears(
    policy: ConflictPolicy,
    length: usize,
    number: usize,
    number_of_time: u64,
) -> (Scene, Run) {
    let mut scene = one_file(length);
    scene.settings.on_conflict = policy;
    let path = scene.destination("a");
    let judge = before_call(number, move || {
        // Where ours has its name already there is nothing to be seen of this.
        if !path.exists() {
            write(&path, FOREIGN, number_of_time);
        }
    });
    let run = carry_out(&scene, How { judge, ..How::default() }).await;
    (scene, run)
}

#[actix::test]
async fn a_file_that_appears_at_any_call_is_replaced_only_where_the_policy_says_so() {
    tokio::time::pause();
    for policy in POLICIES {
        // The source's file has the time with number 1.
        for (length, time) in [(900, 0), (900, 50), (LARGE, 0), (LARGE, 50)] {
            let mut outcomes = BTreeSet::new();
            for number in 0.. {
                let (scene, run) = copy_where_one_appears(policy, length, number, time).await;
                let what = format!("{policy:?}, {length}, {time}, before call {number}, {:?}", run.calls.get(number));
                let mine = scene.tree(Side::Source)[Path::new("a")].bytes.clone();
                let there: BTreeMap<String, Vec<u8>> = scene
                    .tree(Side::Destination)
                    .into_iter()
                    .map(|(path, entry)| (path.display().to_string(), entry.bytes))
                    .collect();
                let word = word(only_outcome(&run));
                let names: Vec<_> = there.iter().map(|(name, bytes)| (name.as_str(), bytes == &mine)).collect();
                match (word, names.as_slice()) {
                    ("copied", [("a", true)]) => outcomes.insert("copied"),
                    ("copied", [("a", false), ("a (source)", true)]) => outcomes.insert("kept both"),
                    ("skipped" | "conflict", [("a", false)]) => outcomes.insert(word),
                    _ => panic!("{what}: {word}, and there are {:?}", there.keys()),
                };
                if names[0] == ("a", false) {
                    assert_eq!(there["a"], FOREIGN, "{what}");
                }
                if number >= run.calls.len() {
                    break;
                }
            }
            let expected: &[&str] = match (policy, time) {
                (ConflictPolicy::Overwrite, _) | (ConflictPolicy::Newer, 0) => &["copied"],
                (ConflictPolicy::Newer | ConflictPolicy::Skip, _) => &["copied", "skipped"],
                (ConflictPolicy::KeepBoth, _) => &["copied", "kept both"],
                (ConflictPolicy::Ask, _) => &["conflict", "copied"],
            };
            assert_eq!(outcomes.into_iter().collect::<Vec<_>>(), expected, "{policy:?}, {length}, {time}");
        }
    }
}

/// Whatever the policy says: it is about files.
#[actix::test]
async fn a_folder_or_a_link_that_appears_at_any_call_is_never_replaced_by_a_file() {
    tokio::time::pause();
    for is_link in [false, true] {
        for length in [900, LARGE] {
            for number in 0.. {
                let mut scene = one_file(length);
                scene.settings.on_conflict = ConflictPolicy::Overwrite;
                let path = scene.destination("a");
                let judge = before_call(number, move || {
                    if path.symlink_metadata().is_err() {
                        let made = if is_link { symlink("somewhere", &path) } else { std::fs::create_dir(&path) };
                        made.unwrap();
                    }
                });
                let run = carry_out(&scene, How { judge, ..How::default() }).await;
                let there = scene.tree(Side::Destination);
                let kind = there[Path::new("a")].kind;
                let word = word(only_outcome(&run));
                let is_right = (word == "copied" && kind == NodeKind::File)
                    || (word == "conflict" && kind == if is_link { NodeKind::Symlink } else { NodeKind::Folder });
                assert!(is_right && there.len() == 1, "before call {number}: {word}, {there:?}");
                if number >= run.calls.len() {
                    break;
                }
            }
        }
    }
}

/// What is to be overwritten is what the plan saw. The last call is left out: that it is replaced in one step, and that
/// it is what it was, cannot be had both.
#[actix::test]
async fn what_is_to_be_overwritten_and_changes_at_any_call_is_left_where_the_policy_says_so() {
    tokio::time::pause();
    for length in [900, LARGE] {
        for number in 0.. {
            let mut scene = one_file(length);
            scene.batches.clear();
            scene.file(Side::Destination, "a", &bytes(700, 9)).plan(PlanAction::Overwrite, "a");
            let mine = scene.tree(Side::Source)[Path::new("a")].bytes.clone();
            let (path, of_source) = (scene.destination("a"), mine.clone());
            let judge: Judge = Box::new(move |call_number, call| {
                let is_ours = std::fs::read(&path).is_ok_and(|bytes| bytes == of_source);
                if call_number == number && call.what != "finish" && !is_ours {
                    write(&path, FOREIGN, 60);
                }
                Verdict::Go
            });
            let run = carry_out(&scene, How { judge, ..How::default() }).await;
            let there = scene.tree(Side::Destination);
            let (word, bytes) = (word(only_outcome(&run)), &there[Path::new("a")].bytes);
            let is_right = (word == "copied" && bytes == &mine) || (word == "skipped" && bytes == FOREIGN);
            assert!(is_right && there.len() == 1, "{length}, before call {number}: {word}, {there:?}");
            if number >= run.calls.len() {
                break;
            }
        }
    }
}

/// A file that is the same but for its contents, where contents count.
#[actix::test]
async fn what_appears_with_the_same_size_and_time_is_told_by_its_contents_where_these_are_compared() {
    tokio::time::pause();
    for length in [900, LARGE] {
        for number in 0..4 {
            let mut scene = one_file(length);
            scene.settings.comparison = scene.settings.comparison.by(CompareBy::Checksum);
            let path = scene.destination("a");
            let judge = before_call(number, move || write(&path, &bytes(length, 2), 1));
            let run = carry_out(&scene, How { judge, ..How::default() }).await;
            assert_eq!(word(only_outcome(&run)), "skipped");
            assert_eq!(scene.tree(Side::Destination)[Path::new("a")].bytes, bytes(length, 2));
        }
    }
}

#[actix::test]
async fn a_folder_that_is_swapped_for_a_link_at_any_call_lets_nothing_out() {
    tokio::time::pause();
    for length in [900, LARGE] {
        for number in 0.. {
            let mut scene = Scene::new();
            scene.make_folder(Side::Source, "d").make_folder(Side::Destination, "d");
            scene.file(Side::Source, "d/a", &bytes(length, 1)).file(Side::Source, "d/b", &bytes(length, 2));
            scene.link(Side::Source, "d/c", "x").make_folder(Side::Source, "d/e");
            scene.plan(PlanAction::Copy, "d/a").plan(PlanAction::Copy, "d/b");
            scene.plan(PlanAction::MakeLink, "d/c").plan(PlanAction::CreateFolder, "d/e");
            let (folder, moved, outside) = (scene.destination("d"), scene.destination("moved"), scene.outside());
            let judge = before_call(number, move || {
                std::fs::rename(&folder, &moved).unwrap();
                symlink(&outside, &folder).unwrap();
            });
            let run = carry_out(&scene, How { judge, ..How::default() }).await;
            let what = format!("{length} before call {number}, {:?}", run.calls.get(number));
            assert_eq!(scene::tree(&scene.outside()), Tree::new(), "{what}");
            assert_eq!(run.results.len(), 4, "{what}: {run:#?}");
            assert!(run.outcomes().values().all(|&word| word == "copied" || word == "failed"), "{what}: {run:#?}");
            if number >= run.calls.len() {
                break;
            }
        }
    }
}

#[actix::test]
async fn a_link_s_name_that_is_taken_at_any_call_is_left_to_whoever_took_it() {
    tokio::time::pause();
    for number in 0.. {
        let mut scene = Scene::new();
        scene.link(Side::Source, "a", "x").plan(PlanAction::MakeLink, "a");
        let path = scene.destination("a");
        let judge = before_call(number, move || {
            if path.symlink_metadata().is_err() {
                write(&path, FOREIGN, 50);
            }
        });
        let run = carry_out(&scene, How { judge, ..How::default() }).await;
        let there = scene.tree(Side::Destination);
        match word(only_outcome(&run)) {
            "copied" => assert_eq!(there[Path::new("a")].kind, NodeKind::Symlink),
            "conflict" => assert_eq!(there[Path::new("a")].bytes, FOREIGN),
            word => panic!("before call {number}: {word}"),
        }
        assert_eq!(there.len(), 1, "{there:?}");
        if number >= run.calls.len() {
            break;
        }
    }
}

/// A kill right after the exchange leaves the old file under the temporary name. If it was edited a moment before, the edit is
/// kept.
#[actix::test]
async fn an_edit_that_a_kill_has_left_under_the_temporary_name_gets_its_name_back() {
    tokio::time::pause();
    for length in [900, LARGE] {
        let mut scene = Scene::new();
        scene.file(Side::Source, "a", &bytes(length, 1)).file(Side::Destination, "a", &bytes(700, 9));
        scene.plan(PlanAction::Overwrite, "a");
        let (id, facts) = scene.items().map(|(_, item)| (item.id, item.facts)).next().unwrap();
        // As the exchange leaves it.
        std::fs::rename(scene.destination("a"), scene.destination(&format!("{PREFIX}{id}"))).unwrap();
        let copy = scene.destination("a");
        std::fs::write(&copy, bytes(length, 1)).unwrap();
        let modified = std::time::UNIX_EPOCH + Duration::from_nanos(facts.modified_ns.unwrap().unsigned_abs());
        std::fs::File::options().append(true).open(&copy).unwrap().set_modified(modified).unwrap();

        // What comes out is what was to be replaced: it goes.
        let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
        assert!(matches!(only_outcome(&run), CopyOutcome::Copied(_)), "{run:#?}");
        assert_eq!(scene.tree(Side::Destination).len(), 1);

        // It was edited: the policy keeps it.
        std::fs::write(scene.destination(&format!("{PREFIX}{id}")), "an edit").unwrap();
        let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
        assert!(matches!(only_outcome(&run), CopyOutcome::Skipped(_)), "{run:#?}");
        assert_eq!(std::fs::read(&copy).unwrap(), b"an edit");
        assert_eq!(scene.tree(Side::Destination).len(), 1);
    }
}
