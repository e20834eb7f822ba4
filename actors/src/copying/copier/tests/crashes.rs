//! A run that is killed at any call, and another one that goes on.

use longhaul_model::{CompareBy, ConflictPolicy, PlanAction};

use super::cases::{CASES, Case};
use super::scene::bytes;
use super::*;

/// The judge that kills the process at a call, by its number: before it is made, or when it has been.
fn kill_at(number: usize, is_made: bool) -> Judge {
    Box::new(move |call, _| match (call == number, is_made) {
        (false, _) => Verdict::Go,
        (true, false) => Verdict::KilledBefore,
        (true, true) => Verdict::KilledAfter,
    })
}

/// What is at the destination where nothing goes wrong.
async fn undisturbed(case: &Case) -> (Tree, BTreeMap<NodeId, &'static str>) {
    let scene = (case.make)();
    let run = carry_out(&scene, How::default()).await;
    (without_times_of_links(&scene, scene.tree(Side::Destination)), run.outcomes())
}

/// Links and folders have the time at which the test made them, which is another one each time.
fn without_times_of_links(scene: &Scene, mut tree: Tree) -> Tree {
    let source = scene.tree(Side::Source);
    for (path, entry) in &mut tree {
        if entry.kind != NodeKind::File {
            let time = source.get(path).map_or(0, |original| original.modified_ns);
            assert!(time == 0 || entry.modified_ns == time, "{path:?} does not have its time");
            entry.modified_ns = 0;
        }
    }
    tree
}

async fn go_on(scene: &Scene, what: &str, (tree, outcomes): &(Tree, BTreeMap<NodeId, &'static str>)) {
    let run = carry_out(scene, How { is_begun: true, ..How::default() }).await;
    assert!(run.is_over && run.gave_up.is_empty(), "{what}: {run:#?}");
    let there = without_times_of_links(scene, scene.tree(Side::Destination));
    assert_eq!(&there, tree, "{what}: {:#?}", run.results);
    assert_eq!(&run.outcomes(), outcomes, "{what}: {:#?}", run.results);
}

#[actix::test]
async fn a_run_that_is_killed_at_any_call_is_gone_on_with_as_if_nothing_had_been() {
    tokio::time::pause();
    for case in CASES {
        let expected = undisturbed(case).await;
        for is_made in [false, true] {
            // Parts that were recorded count; those that were not are copied again.
            for parts_are_lost in [false, true] {
                for number in 0.. {
                    let mut scene = (case.make)();
                    let run = carry_out(&scene, How { judge: kill_at(number, is_made), ..How::default() }).await;
                    if !run.is_killed {
                        break;
                    }
                    if parts_are_lost && run.parts.is_empty() {
                        continue;
                    }
                    if !parts_are_lost {
                        scene.set_parts(&run.parts);
                    }
                    let what = format!("{}: killed at {number}, {:?} ({is_made})", case.name, run.calls[number]);
                    go_on(&scene, &what, &expected).await;
                }
            }
        }
    }
}

#[actix::test]
async fn a_run_that_is_killed_twice_is_gone_on_with_as_if_nothing_had_been() {
    tokio::time::pause();
    for case in CASES {
        let expected = undisturbed(case).await;
        // Of many calls not every pair is tried: there are thousands.
        let calls = carry_out(&(case.make)(), How::default()).await.calls.len();
        let step = if calls < 20 { 1 } else { 11 };
        for first in (0..).step_by(step) {
            let mut is_killed = false;
            // The first ends when a call is made, the second before one is: the other way round adds nothing.
            for second in (first % step..).step_by(step) {
                let mut scene = (case.make)();
                let run = carry_out(&scene, How { judge: kill_at(first, true), ..How::default() }).await;
                is_killed = run.is_killed;
                if !is_killed {
                    break;
                }
                scene.set_parts(&run.parts);
                let how = How { judge: kill_at(second, false), is_begun: true, ..How::default() };
                let again = carry_out(&scene, how).await;
                if !again.is_killed {
                    break;
                }
                let what = format!("{}: killed at {first} and {second}, {:?}", case.name, again.calls[second]);
                go_on(&scene, &what, &expected).await;
            }
            if !is_killed {
                break;
            }
        }
    }
}

#[actix::test]
async fn parts_that_were_recorded_are_not_copied_again() {
    tokio::time::pause();
    for case in CASES.iter().filter(|case| case.name.starts_with("large") && case.outcomes == ["copied"]) {
        let mut scene = (case.make)();
        let kill_before_it_has_its_name: Judge =
            Box::new(|_, call| if call.is(Side::Destination, "finish") { Verdict::KilledBefore } else { Verdict::Go });
        let run = carry_out(&scene, How { judge: kill_before_it_has_its_name, ..How::default() }).await;
        assert!(run.is_killed && run.parts.len() > 1, "{}: {run:#?}", case.name);
        scene.set_parts(&run.parts);
        let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
        assert_eq!(run.outcomes().into_values().collect::<Vec<_>>(), ["copied"], "{}: {run:#?}", case.name);
        let writes = |call: &&Call| ["write_at", "copy_range"].iter().any(|what| call.is(Side::Destination, what));
        assert_eq!(run.calls.iter().find(writes), None, "{}: {run:#?}", case.name);
    }
}

/// Whatever the first run left, nothing of it stays.
#[actix::test]
async fn what_is_gone_from_the_source_after_a_kill_leaves_no_temporary_file() {
    tokio::time::pause();
    for case in CASES.iter().filter(|case| case.outcomes.len() == 1) {
        for number in 0.. {
            let scene = (case.make)();
            let before = scene.tree(Side::Destination);
            let run = carry_out(&scene, How { judge: kill_at(number, true), ..How::default() }).await;
            if !run.is_killed {
                break;
            }
            let placed = scene.tree(Side::Destination).into_iter().filter(|(path, _)| !is_temporary(path)).collect();
            let name = scene.items().next().unwrap().0;
            std::fs::remove_file(scene.root(Side::Source).join(name)).unwrap();
            let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
            let what = format!("{}: killed at {number}", case.name);
            assert_eq!(run.outcomes().values().copied().collect::<Vec<_>>(), ["vanished"], "{what}");
            assert_eq!(scene.tree(Side::Destination), placed, "{what}, before {before:#?}");
        }
    }
}

#[actix::test]
async fn what_a_power_cut_has_left_of_a_file_of_ours_is_replaced_and_of_somebody_else_s_it_is_not() {
    tokio::time::pause();
    for length in [900, 5_000] {
        for left in [0, 100, length] {
            let mut scene = Scene::new();
            scene.file(Side::Source, "a", &bytes(length, 1)).plan(PlanAction::Copy, "a");
            let time = std::fs::metadata(scene.source("a")).unwrap().modified().unwrap();
            std::fs::write(scene.destination("a"), vec![0; left]).unwrap();
            let file = std::fs::File::options().write(true).open(scene.destination("a")).unwrap();
            file.set_modified(time).unwrap();
            // Nobody has begun with it: it is not ours.
            let run = carry_out(&scene, How::default()).await;
            assert!(!run.outcomes().values().any(|word| *word == "copied"), "{run:#?}");
            assert_eq!(std::fs::read(scene.destination("a")).unwrap(), vec![0; left]);
            let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
            assert!(run.outcomes().values().all(|word| *word == "copied"), "{run:#?}");
            assert_eq!(std::fs::read(scene.destination("a")).unwrap(), bytes(length, 1));
        }
    }
}

/// Gives the destination a file of this length, with the time of the source's or with that of this moment.
fn leave(scene: &Scene, name: &str, length: usize, has_our_time: bool) {
    std::fs::write(scene.destination(name), vec![0; length]).unwrap();
    if has_our_time {
        let time = std::fs::metadata(scene.source("a.txt")).unwrap().modified().unwrap();
        std::fs::File::options().write(true).open(scene.destination(name)).unwrap().set_modified(time).unwrap();
    }
}

#[actix::test]
async fn what_a_power_cut_has_left_in_place_of_what_was_to_be_replaced_is_replaced() {
    tokio::time::pause();
    for length in [900, 5_000] {
        let mut scene = Scene::new();
        scene.file(Side::Destination, "a.txt", b"before").file(Side::Source, "a.txt", &bytes(length, 1));
        scene.plan(PlanAction::Overwrite, "a.txt");
        leave(&scene, "a.txt", 0, true);
        let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
        assert!(run.outcomes().values().all(|word| *word == "copied"), "{run:#?}");
        assert_eq!(std::fs::read(scene.destination("a.txt")).unwrap(), bytes(length, 1));
    }
}

#[actix::test]
async fn what_a_power_cut_has_left_beside_another_file_is_replaced_there() {
    tokio::time::pause();
    for length in [900, 5_000] {
        let mut scene = Scene::new();
        scene.file(Side::Source, "a.txt", &bytes(length, 1)).file(Side::Destination, "a.txt", b"another");
        scene.settings.on_conflict = ConflictPolicy::KeepBoth;
        scene.plan(PlanAction::KeepBoth, "a.txt");
        leave(&scene, "a (source).txt", 0, true);
        let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
        assert!(run.outcomes().values().all(|word| *word == "copied"), "{run:#?}");
        let names: Vec<_> = scene.tree(Side::Destination).into_keys().collect();
        assert_eq!(names, [Path::new("a (source).txt"), Path::new("a.txt")]);
        assert_eq!(std::fs::read(scene.destination("a (source).txt")).unwrap(), bytes(length, 1));
    }
}

/// It may be somebody else's: it is treated as such, and nobody is told that all is well.
#[actix::test]
async fn an_empty_file_without_our_time_is_replaced_only_where_the_policy_does_so_and_otherwise_a_conflict() {
    tokio::time::pause();
    for (policy, due, contents) in [
        (ConflictPolicy::Overwrite, "copied", bytes(900, 1)),
        (ConflictPolicy::KeepBoth, "copied", Vec::new()),
        (ConflictPolicy::Newer, "conflict", Vec::new()),
        (ConflictPolicy::Skip, "conflict", Vec::new()),
        (ConflictPolicy::Ask, "conflict", Vec::new()),
    ] {
        for by in [CompareBy::SizeAndTime, CompareBy::Exists, CompareBy::Checksum] {
            let mut scene = Scene::new();
            scene.file(Side::Source, "a.txt", &bytes(900, 1)).plan(PlanAction::Copy, "a.txt");
            scene.settings.on_conflict = policy;
            scene.settings.comparison = scene.settings.comparison.by(by);
            leave(&scene, "a.txt", 0, false);
            let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
            assert!(run.outcomes().values().all(|word| *word == due), "{policy:?}, {by:?}: {run:#?}");
            assert_eq!(std::fs::read(scene.destination("a.txt")).unwrap(), contents, "{policy:?}, {by:?}");
        }
    }
}

/// The names of one file, of which the second run comes to the others before the one that the first has placed.
#[actix::test]
async fn names_of_one_file_stay_together_in_whatever_order_they_are_come_by_after_a_kill() {
    tokio::time::pause();
    let make = || {
        let mut scene = Scene::new();
        scene.copying.hard_links = true;
        scene.file(Side::Source, "a", &bytes(900, 1));
        for name in ["b", "c"] {
            scene.twin(Side::Source, name, "a");
        }
        for name in ["a", "b", "c"] {
            scene.plan(PlanAction::Copy, name);
        }
        scene
    };
    let calls = carry_out(&make(), How::default()).await.calls.len();
    for number in 0..calls {
        for is_made in [false, true] {
            for copiers in [1, 3] {
                let mut scene = make();
                carry_out(&scene, How { judge: kill_at(number, is_made), ..How::default() }).await;
                scene.batches[0].items.reverse();
                if copiers > 1 {
                    let batch = scene.batches.remove(0);
                    let alone = |item: &PlanItem| PlanBatch { items: vec![item.clone()], ..batch.clone() };
                    scene.batches = batch.items.iter().map(alone).collect();
                }
                let run = carry_out(&scene, How { is_begun: true, copiers, ..How::default() }).await;
                let there = scene.tree(Side::Destination);
                let what = format!("killed at {number} ({is_made}), {copiers}: {run:#?}");
                assert!(run.outcomes().values().all(|word| *word == "copied"), "{what}");
                assert_eq!(there.keys().collect::<Vec<_>>(), ["a", "b", "c"].map(Path::new), "{what}");
                assert_eq!(twins(&there).len(), 2, "{what}");
            }
        }
    }
}
