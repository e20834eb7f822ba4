//! Every call that the stores get fails once, with every class of errors.

use super::cases::{CASES, Case};
use super::*;

const RETRY_AFTER: Duration = Duration::from_secs(77);

fn error(class: ErrorClass) -> StoreError {
    let retry_after = (class == ErrorClass::Throttled).then_some(RETRY_AFTER);
    StoreError { retry_after, ..StoreError::new(class, "the test says so") }
}

fn wanted(scene: &Scene, case: &Case) -> BTreeMap<NodeId, &'static str> {
    scene.items().map(|(_, item)| item.id).zip(case.outcomes.iter().copied()).collect()
}

/// What came of it that one call failed.
struct Failed<'a> {
    case: &'a Case,
    scene: &'a Scene,
    run: &'a Run,
    call: &'a Call,
    /// Whether it was a call by which attributes of folders are set, when everything is copied.
    is_of_folders: bool,
    took: Duration,
}

/// Lets each call fail that there is, and hands what came of it to `and_then`, which may have a problem with it.
async fn fail_each(class: ErrorClass, mut and_then: impl FnMut(&Failed<'_>) -> Option<String>) {
    tokio::time::pause();
    for case in CASES {
        for number in 0.. {
            let scene = (case.make)();
            let before = scene.tree(Side::Destination);
            let begun_at = Instant::now();
            let run = carry_out(&scene, How { judge: fail_at(number, error(class)), ..How::default() }).await;
            let Some(call) = run.calls.get(number) else {
                assert!(number > 3, "{}: it takes more calls than that", case.name);
                break;
            };
            let is_of_folders = number >= run.calls_copying;
            let took = begun_at.elapsed();
            let failed = Failed { case, scene: &scene, run: &run, call, is_of_folders, took };
            // A folder that is gone from the source keeps what it was made with.
            let problem = if is_of_folders { None } else { check(&scene, &before, &run).err() };
            if let Some(problem) = problem.or_else(|| and_then(&failed)) {
                panic!("{}: {class} at call {number}, {call:?}: {problem}\n{:#?}", case.name, run.results);
            }
        }
    }
}

#[actix::test]
async fn where_nothing_goes_wrong_everything_is_as_the_plan_has_it() {
    tokio::time::pause();
    for case in CASES {
        let scene = (case.make)();
        let before = scene.tree(Side::Destination);
        let run = carry_out(&scene, How::default()).await;
        check(&scene, &before, &run).unwrap_or_else(|problem| panic!("{}: {problem}", case.name));
        assert_eq!(run.outcomes(), wanted(&scene, case), "{}", case.name);
        assert!(run.is_over && run.gave_up.is_empty() && run.unfinished.is_empty(), "{}: {run:?}", case.name);
        assert!(run.parts.is_empty(), "{}: parts of what is dealt with are forgotten", case.name);
        assert!(run.results.iter().all(|result| result.attempts == 1), "{}: {:?}", case.name, run.results);
    }
}

async fn errors_that_pass(class: ErrorClass, pause: Duration) {
    fail_each(class, |&Failed { case, scene, run, is_of_folders, took, .. }| {
        if run.outcomes() != wanted(scene, case)
            || !run.is_over
            || !run.gave_up.is_empty()
            || !run.unfinished.is_empty()
        {
            return Some(format!("it is not as if nothing had been: {run:?}"));
        }
        // Tidying up behind what was not copied is not tried again.
        if took < pause && run.results.iter().all(|result| word(&result.outcome) != "copied") {
            return None;
        }
        let is_large = scene.items().any(|(_, item)| item.facts.size >= i64::try_from(scene.copying.large_from).ok());
        if took < pause {
            Some(format!("it did not wait: {took:?}"))
        } else if scene.copying.hard_links && twins(&scene.tree(Side::Destination)) != twins(&scene.tree(Side::Source))
        {
            Some("names of one file have become several files".to_owned())
        } else if !is_large && !is_of_folders && run.results.iter().all(|result| result.attempts == 1) {
            Some("the attempts are not counted".to_owned())
        } else {
            None
        }
    })
    .await;
}

#[actix::test]
async fn a_transient_error_at_any_call_is_tried_again_and_everything_is_copied() {
    errors_that_pass(ErrorClass::Transient, RETRY.pause_first).await;
}

#[actix::test]
async fn a_store_that_asks_for_patience_at_any_call_gets_it_and_everything_is_copied() {
    errors_that_pass(ErrorClass::Throttled, RETRY_AFTER).await;
}

#[actix::test]
async fn a_folder_whose_time_and_permissions_cannot_be_set_is_told_of() {
    tokio::time::pause();
    let scene = (CASES.iter().find(|case| case.name == "folder").unwrap().make)();
    let judge = Box::new(|_, call: &Call| {
        if call.is(Side::Destination, "set_attributes") {
            Verdict::Fail(error(ErrorClass::Denied))
        } else {
            Verdict::Go
        }
    });
    let run = carry_out(&scene, How { judge, ..How::default() }).await;
    assert!(run.is_over && run.gave_up.is_empty(), "{run:#?}");
    let folders = scene.items().filter(|(_, item)| item.kind == NodeKind::Folder).map(|(_, item)| item.id);
    let wanted: Vec<_> = folders
        .map(|id| UnfinishedFolder {
            id,
            class: ErrorClass::Denied,
            message: "its time and permissions could not be set: on the destination: the test says so".to_owned(),
            attempts: 1,
        })
        .collect();
    assert_eq!(run.unfinished, wanted);
}

async fn errors_of_one_item(class: ErrorClass) {
    fail_each(class, |&Failed { case, scene, run, call, .. }| {
        if !run.is_over || !run.gave_up.is_empty() || run.given_back > 0 {
            return Some(format!("it does not come to its end: {run:?}"));
        }
        if run.results.len() != scene.items().count() && !scene.items().any(|(_, item)| item.kind == NodeKind::Folder) {
            return Some("an item has no result".to_owned());
        }
        let vanished = class == ErrorClass::Vanished && call.side == Side::Source;
        for result in &run.results {
            let wanted = wanted(scene, case)[&result.id];
            let is_right = match &result.outcome {
                CopyOutcome::Failed { class: of, message } => *of == class && !vanished && !message.is_empty(),
                CopyOutcome::Vanished(_) => vanished,
                outcome => word(outcome) == wanted,
            };
            // A temporary file that is gone is begun again, whoever says that it is.
            if !is_right {
                return Some(format!("this was to be expected of nothing: {result:?}"));
            }
        }
        None
    })
    .await;
}

#[actix::test]
async fn what_is_denied_at_any_call_fails_with_its_reason_or_is_copied() {
    errors_of_one_item(ErrorClass::Denied).await;
}

/// Whether the store refuses everything is asked when it refuses one thing, and that question may get lost.
#[actix::test]
async fn a_store_whose_answer_is_lost_when_it_is_asked_whether_it_refuses_everything_does_not_give_up() {
    tokio::time::pause();
    let scene = (CASES[0].make)();
    let mut folders_opened = 0;
    let judge = Box::new(move |_, call: &Call| {
        folders_opened += usize::from(call.is(Side::Source, "folder"));
        match call {
            call if call.is(Side::Source, "open") => Verdict::Fail(error(ErrorClass::Denied)),
            call if call.is(Side::Source, "folder") && folders_opened == 2 => {
                Verdict::Fail(error(ErrorClass::Transient))
            }
            _ => Verdict::Go,
        }
    });
    let run = carry_out(&scene, How { judge, ..How::default() }).await;
    assert!(run.is_over && run.gave_up.is_empty(), "{run:#?}");
    let [result] = &run.results[..] else { panic!("{run:#?}") };
    assert!(matches!(result.outcome, CopyOutcome::Failed { class: ErrorClass::Denied, .. }), "{result:?}");
    assert_eq!(result.attempts, 2);
}

#[actix::test]
async fn a_name_that_is_refused_at_any_call_fails_with_its_reason_or_is_copied() {
    errors_of_one_item(ErrorClass::BadName).await;
}

#[actix::test]
async fn what_vanishes_at_any_call_is_recorded_as_such_only_where_it_was_the_source_s() {
    errors_of_one_item(ErrorClass::Vanished).await;
}

/// Then the next run does all of it.
async fn errors_that_suspend(class: ErrorClass) {
    tokio::time::pause();
    for case in CASES {
        for number in 0.. {
            let mut scene = (case.make)();
            let before = scene.tree(Side::Destination);
            let run = carry_out(&scene, How { judge: fail_at(number, error(class)), ..How::default() }).await;
            let Some(call) = run.calls.get(number) else { break };
            let what = format!("{}: {class} at call {number}, {call:?}", case.name);
            check(&scene, &before, &run).unwrap_or_else(|problem| panic!("{what}: {problem}\n{run:#?}"));
            if run.gave_up.is_empty() {
                // Tidying up behind what was not copied stops nothing.
                assert!(run.is_over && run.outcomes() == wanted(&scene, case), "{what}: {run:#?}");
                assert_ne!(case.outcomes, ["copied"], "{what}: {run:#?}");
                continue;
            }
            assert_eq!(run.gave_up[0].error, error(class), "{what}");
            assert!(run.given_back > 0 || number >= run.calls_copying, "{what}: nothing is given back");
            go_on(&mut scene, case, &before, &run, &what).await;
        }
    }
}

/// What was recorded is recorded; the next run does the rest, and all is as if nothing had been.
async fn go_on(scene: &mut Scene, case: &Case, before: &Tree, run: &Run, what: &str) {
    scene.set_parts(&run.parts);
    let recorded = run.outcomes();
    let all = scene.batches.clone();
    for batch in &mut scene.batches {
        batch.items.retain(|item| !recorded.contains_key(&item.id));
    }
    scene.batches.retain(|batch| !batch.items.is_empty());
    let mut second = carry_out(scene, How { is_begun: true, ..How::default() }).await;
    scene.batches = all;
    second.results.extend(run.results.clone());
    // The attributes of folders that the first run made are set by the second, and not by this test.
    second.unfinished.push(UnfinishedFolder {
        id: NodeId(0),
        class: ErrorClass::Denied,
        message: "not by this test".to_owned(),
        attempts: 1,
    });
    check(scene, before, &second).unwrap_or_else(|problem| panic!("{what}, gone on with: {problem}\n{second:#?}"));
    assert_eq!(second.outcomes(), wanted(scene, case), "{what}, gone on with");
    assert!(second.is_over, "{what}, gone on with: {second:#?}");
    let is_recorded = !recorded.is_empty();
    if scene.copying.hard_links && !is_recorded {
        assert_eq!(twins(&scene.tree(Side::Destination)), twins(&scene.tree(Side::Source)), "{what}, gone on with");
    }
}

#[actix::test]
async fn where_there_is_no_room_at_any_call_the_store_gives_up_and_what_it_was_about_is_pending() {
    errors_that_suspend(ErrorClass::NoSpace).await;
}

#[actix::test]
async fn where_going_on_makes_no_sense_the_store_gives_up_and_what_it_was_about_is_pending() {
    errors_that_suspend(ErrorClass::Fatal).await;
}
