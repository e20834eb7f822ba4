//! The source.

use std::os::unix::fs::symlink;

use super::*;

const LENGTHS: [usize; 3] = [900, LARGE, LARGE_FROM];

#[actix::test]
async fn a_file_that_changes_at_any_call_is_copied_as_it_is_in_the_end_or_as_it_was() {
    tokio::time::pause();
    for length in LENGTHS {
        // To as long, longer, shorter, nothing, and to one that is no longer than a part.
        for new_length in [length, length + 1_500, length - 600, 0, 1_000] {
            for number in 0.. {
                let scene = one_file(length);
                let (path, was) = (scene.source("a"), scene.tree(Side::Source));
                let new = bytes(new_length, 2);
                let judge = before_call(number, move || write(&path, &new, 50));
                let run = carry_out(&scene, How { judge, ..How::default() }).await;
                let what = format!("{length} to {new_length} before call {number}, {:?}", run.calls.get(number));
                let result =
                    check(&scene, &Tree::new(), &run).or_else(|_| check_with(&scene, &was, &Tree::new(), &run));
                result.unwrap_or_else(|problem| panic!("{what}: {problem}\n{run:#?}"));
                assert_eq!(word(only_outcome(&run)), "copied", "{what}");
                if number >= run.calls.len() {
                    break;
                }
            }
        }
    }
}

#[actix::test]
async fn a_file_that_changes_whenever_it_is_read_fails_after_its_attempts() {
    tokio::time::pause();
    for length in LENGTHS {
        let scene = one_file(length);
        let (path, mut number) = (scene.source("a"), 100);
        let judge = before_each(Side::Source, "read_at", move || {
            number += 1;
            write(&path, &bytes(length, 2), number);
        });
        let run = carry_out(&scene, How { judge, ..How::default() }).await;
        assert_failed_without_a_trace(&scene, &run);
        assert!(run.is_over);
    }
}

#[actix::test]
async fn a_file_that_changes_once_while_it_is_read_takes_two_attempts() {
    tokio::time::pause();
    for length in LENGTHS {
        let scene = one_file(length);
        let (path, mut is_done) = (scene.source("a"), false);
        let judge = before_each(Side::Source, "read_at", move || {
            if !std::mem::replace(&mut is_done, true) {
                write(&path, &bytes(length, 2), 50);
            }
        });
        let run = carry_out(&scene, How { judge, ..How::default() }).await;
        check(&scene, &Tree::new(), &run).unwrap();
        assert_eq!(run.results[0].attempts, 2, "{length}: {:?}", run.results);
    }
}

/// What becomes of a file's name.
type Replace = fn(&Path, &Path);

const REPLACEMENTS: [(&str, Replace); 4] = [
    ("nothing", |path, _| std::fs::remove_file(path).unwrap()),
    ("a link", |path, outside| {
        std::fs::remove_file(path).unwrap();
        symlink(outside.join("secret"), path).unwrap();
    }),
    ("a folder", |path, _| {
        std::fs::remove_file(path).unwrap();
        std::fs::create_dir(path).unwrap();
    }),
    ("a link to a folder", |path, outside| {
        std::fs::remove_file(path).unwrap();
        symlink(outside, path).unwrap();
    }),
];

#[actix::test]
async fn a_file_that_goes_away_at_any_call_has_vanished_or_was_copied_and_no_link_in_its_place_is_followed() {
    tokio::time::pause();
    for (into, replace) in REPLACEMENTS {
        for (length, copiers) in [(900, 1), (LARGE, 1), (LARGE, 3)] {
            for number in 0.. {
                let scene = one_file(length);
                // Nothing but its contents tells it from the file.
                write(&scene.outside().join("secret"), &bytes(length, 77), 1);
                let (path, outside, was) = (scene.source("a"), scene.outside(), scene.tree(Side::Source));
                let judge = before_call(number, move || replace(&path, &outside));
                let run = carry_out(&scene, How { judge, copiers, ..How::default() }).await;
                let what = format!("{length} to {into} before call {number}, {:?}", run.calls.get(number));
                check_with(&scene, &was, &Tree::new(), &run)
                    .unwrap_or_else(|problem| panic!("{what}: {problem}\n{run:#?}"));
                let word = word(only_outcome(&run));
                assert!(word == "vanished" || word == "copied", "{what}: {run:#?}");
                assert!(number > 2 || word == "vanished", "{what}: {word}");
                assert!(run.is_over, "{what}");
                if number >= run.calls.len() {
                    break;
                }
            }
        }
    }
}

#[actix::test]
async fn a_folder_that_is_swapped_for_a_link_at_any_call_lets_nothing_of_where_it_leads_in() {
    tokio::time::pause();
    for length in [900, LARGE] {
        for number in 0.. {
            let mut scene = Scene::new();
            scene.make_folder(Side::Source, "d").make_folder(Side::Destination, "d");
            scene.file(Side::Source, "d/a", &bytes(length, 1)).file(Side::Source, "d/b", &bytes(length, 2));
            scene.plan(PlanAction::Copy, "d/a").plan(PlanAction::Copy, "d/b");
            for name in ["a", "b"] {
                write(&scene.outside().join(name), &bytes(length, 77), 1);
            }
            let (was, before) = (scene.tree(Side::Source), scene.tree(Side::Destination));
            let (folder, moved, outside) = (scene.source("d"), scene.source("moved"), scene.outside());
            let judge = before_call(number, move || {
                std::fs::rename(&folder, &moved).unwrap();
                symlink(&outside, &folder).unwrap();
            });
            let run = carry_out(&scene, How { judge, ..How::default() }).await;
            let what = format!("{length} before call {number}, {:?}", run.calls.get(number));
            check_with(&scene, &was, &before, &run).unwrap_or_else(|problem| panic!("{what}: {problem}\n{run:#?}"));
            assert!(run.outcomes().values().all(|&word| word == "copied" || word == "vanished"), "{what}: {run:#?}");
            if number >= run.calls.len() {
                break;
            }
        }
    }
}

#[actix::test]
async fn a_link_that_points_elsewhere_or_goes_away_at_any_call_is_copied_as_it_was_or_is_or_has_vanished() {
    tokio::time::pause();
    for is_gone in [false, true] {
        for number in 0.. {
            let mut scene = Scene::new();
            scene.link(Side::Source, "a", "old").plan(PlanAction::MakeLink, "a");
            let (path, was) = (scene.source("a"), scene.tree(Side::Source));
            let judge = before_call(number, move || {
                std::fs::remove_file(&path).unwrap();
                if !is_gone {
                    symlink("new", &path).unwrap();
                }
            });
            let run = carry_out(&scene, How { judge, ..How::default() }).await;
            let there = scene.tree(Side::Destination);
            match word(only_outcome(&run)) {
                "vanished" => assert!(there.is_empty() && is_gone, "{there:?}"),
                "copied" => {
                    let points_to = &there[Path::new("a")].bytes;
                    assert!(points_to == &was[Path::new("a")].bytes || (!is_gone && points_to == b"new"), "{there:?}");
                }
                word => panic!("before call {number}: {word}"),
            }
            if number >= run.calls.len() {
                break;
            }
        }
    }
}

/// As an interrupt does.
#[actix::test]
async fn a_stop_at_any_call_leaves_everything_whole_or_pending() {
    tokio::time::pause();
    for case in super::super::cases::CASES {
        for number in 0.. {
            let scene = (case.make)();
            let before = scene.tree(Side::Destination);
            let stop = CancellationToken::new();
            let to_stop = stop.clone();
            let judge = before_call(number, move || to_stop.cancel());
            let run = carry_out(&scene, How { judge, stop, ..How::default() }).await;
            if number >= run.calls.len() {
                break;
            }
            let what = format!("{}: before call {number}, {:?}", case.name, run.calls[number]);
            // What was begun of a large file stays for the next run.
            let run = Run { given_back: run.given_back + usize::from(!run.is_over), is_over: false, ..run };
            check(&scene, &before, &run).unwrap_or_else(|problem| panic!("{what}: {problem}\n{run:#?}"));
            assert!(run.gave_up.is_empty(), "{what}: {run:#?}");
            assert!(run.outcomes().values().all(|word| case.outcomes.contains(word)), "{what}: {run:#?}");
        }
    }
}

/// Open folders of a file server that was restarted are of no use any more, and its folders are.
#[actix::test]
async fn a_folder_that_has_gone_stale_is_opened_again() {
    tokio::time::pause();
    for side in Side::BOTH {
        for length in [900, LARGE] {
            let scene = one_file(length);
            let (mut is_stale, mut was_stale) = (false, false);
            let judge: Judge = Box::new(move |_, call| {
                if call.side != side || call.what == "folder" {
                    is_stale &= call.side != side;
                    return Verdict::Go;
                }
                if !std::mem::replace(&mut was_stale, true) {
                    is_stale = true;
                }
                if is_stale { Verdict::Fail(StoreError::new(ErrorClass::Transient, "stale")) } else { Verdict::Go }
            });
            let run = carry_out(&scene, How { judge, ..How::default() }).await;
            check(&scene, &Tree::new(), &run).unwrap();
            assert_eq!(word(only_outcome(&run)), "copied", "{side} {length}: {run:#?}");
        }
    }
}
