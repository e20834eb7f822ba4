//! A large file's parts, and its temporary file.

use std::os::unix::fs::symlink;

use super::*;

fn temporary(scene: &Scene) -> PathBuf {
    scene.destination(&format!("{PREFIX}10"))
}

#[actix::test]
async fn a_temporary_file_that_is_removed_at_any_call_is_begun_again() {
    tokio::time::pause();
    for copiers in [1, 3] {
        for number in 0.. {
            let scene = one_file(LARGE);
            let path = temporary(&scene);
            let judge = before_call(number, move || {
                // It may not be there yet, or not any more.
                let _ = std::fs::remove_file(&path);
            });
            let run = carry_out(&scene, How { judge, copiers, ..How::default() }).await;
            let what = format!("{copiers} Copiers, before call {number}, {:?}", run.calls.get(number));
            check(&scene, &Tree::new(), &run).unwrap_or_else(|problem| panic!("{what}: {problem}\n{run:#?}"));
            assert_eq!(word(only_outcome(&run)), "copied", "{what}: {run:#?}");
            if number >= run.calls.len() {
                break;
            }
        }
    }
}

#[actix::test]
async fn a_temporary_file_that_is_removed_again_and_again_fails_after_its_attempts() {
    tokio::time::pause();
    let scene = one_file(LARGE);
    let path = temporary(&scene);
    let judge = before_each(Side::Destination, "reopen_draft", move || {
        let _ = std::fs::remove_file(&path);
    });
    let run = carry_out(&scene, How { judge, ..How::default() }).await;
    assert_failed_without_a_trace(&scene, &run);
}

#[actix::test]
async fn a_temporary_file_that_is_swapped_for_a_link_at_any_call_lets_nothing_out() {
    tokio::time::pause();
    for length in [900, LARGE] {
        for number in 0.. {
            let scene = one_file(length);
            let outside = scene.outside().join("precious");
            write(&outside, b"precious", 7);
            let before = scene::tree(&scene.outside());
            let path = temporary(&scene);
            let judge = before_call(number, move || {
                if std::fs::remove_file(&path).is_ok() {
                    symlink(&outside, &path).unwrap();
                }
            });
            let run = carry_out(&scene, How { judge, ..How::default() }).await;
            let what = format!("{length}, before call {number}, {:?}", run.calls.get(number));
            assert_eq!(scene::tree(&scene.outside()), before, "{what}");
            if number >= run.calls.len() {
                break;
            }
        }
    }
}

/// A ledger with results that are there twice has counters that are wrong.
#[actix::test]
async fn a_file_of_which_several_parts_fail_at_a_time_is_recorded_once() {
    tokio::time::pause();
    for class in [ErrorClass::Denied, ErrorClass::Vanished, ErrorClass::Transient] {
        for side in Side::BOTH {
            let scene = one_file(LARGE);
            let what = if side == Side::Source { "read_at" } else { "write_at" };
            let judge: Judge = Box::new(move |_, call| {
                let fails = call.is(side, what);
                if fails { Verdict::Fail(StoreError::new(class, "no")) } else { Verdict::Go }
            });
            let run = carry_out(&scene, How { judge, copiers: 3, ..How::default() }).await;
            check(&scene, &Tree::new(), &run).unwrap_or_else(|problem| panic!("{class} {side}: {problem}"));
            assert!(run.is_over && run.results.len() == 1, "{class} {side}: {run:#?}");
        }
    }
}

#[actix::test]
async fn several_copiers_make_of_a_file_s_parts_what_one_does() {
    tokio::time::pause();
    for length in [LARGE_FROM, LARGE, 3 * LARGE] {
        for copiers in [2, 3, 7] {
            let scene = one_file(length);
            let run = carry_out(&scene, How { copiers, ..How::default() }).await;
            check(&scene, &Tree::new(), &run).unwrap();
            assert_eq!(word(only_outcome(&run)), "copied");
        }
    }
}

/// Of each part that is told to be there only its contents are believed.
#[actix::test]
async fn parts_of_an_earlier_run_that_are_not_there_any_more_are_copied_again() {
    tokio::time::pause();
    for (gone, is_removed) in [(0..1_024, false), (1_000..1_100, false), (0..LARGE, false), (0..0, true)] {
        let mut scene = one_file(LARGE);
        let judge: Judge = Box::new(|_, call| if call.what == "finish" { Verdict::KilledBefore } else { Verdict::Go });
        let first = carry_out(&scene, How { judge, ..How::default() }).await;
        assert_eq!(first.parts.len(), 5);
        scene.set_parts(&first.parts);
        let path = temporary(&scene);
        let mut left = std::fs::read(&path).unwrap();
        left[gone.clone()].fill(0);
        std::fs::write(&path, left).unwrap();
        if is_removed {
            std::fs::remove_file(&path).unwrap();
        }
        let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
        check(&scene, &Tree::new(), &run).unwrap_or_else(|problem| panic!("{gone:?}: {problem}"));
        let written = run.calls.iter().filter(|call| call.what == "write_at").count();
        assert!(written > 0, "{gone:?}");
    }
}

#[actix::test]
async fn parts_of_an_earlier_run_are_not_copied_again() {
    tokio::time::pause();
    let mut scene = one_file(LARGE);
    let judge: Judge = Box::new(|_, call| if call.what == "finish" { Verdict::KilledBefore } else { Verdict::Go });
    let first = carry_out(&scene, How { judge, ..How::default() }).await;
    scene.set_parts(&first.parts);
    let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
    check(&scene, &Tree::new(), &run).unwrap();
    assert!(!run.calls.iter().any(|call| call.what == "write_at"), "{:?}", run.calls);
}

#[actix::test]
async fn parts_of_an_earlier_run_do_not_count_where_the_source_has_changed_since() {
    tokio::time::pause();
    for new_length in [LARGE, LARGE + 900, LARGE - 900, 500, 0] {
        let mut scene = one_file(LARGE);
        let judge: Judge = Box::new(|_, call| if call.what == "finish" { Verdict::KilledBefore } else { Verdict::Go });
        let first = carry_out(&scene, How { judge, ..How::default() }).await;
        scene.set_parts(&first.parts);
        write(&scene.source("a"), &bytes(new_length, 5), 50);
        let run = carry_out(&scene, How { is_begun: true, ..How::default() }).await;
        check(&scene, &Tree::new(), &run).unwrap_or_else(|problem| panic!("{new_length}: {problem}"));
        assert_eq!(word(only_outcome(&run)), "copied", "{new_length}");
    }
}
