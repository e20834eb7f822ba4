//! Every other way in which a run ends.

use longhaul_storage::StoreError;
use tokio::time::Instant;

use super::*;

/// Two Listers of the source have a folder each, and one of the destination has the root.
async fn busy() -> Scene {
    let (scene, told) = Scene::with_source_folders(2, 2).await;
    let expected = [list(Side::Source, 0, [2]), list(Side::Source, 1, [3]), list(Side::Destination, 0, [1])];
    assert_eq!(told, expected);
    scene
}

fn suspended(reason: &str, outcome: &str) -> Told {
    finish(Phase::Suspended, Some(reason), outcome)
}

#[actix::test]
async fn an_interrupt_gives_nothing_more_out_and_waits_for_what_is_in_flight() {
    let scene = busy().await;
    scene.coordinator.do_send(Interrupt);
    assert_eq!(scene.told().await, []);
    assert!(scene.stop.is_cancelled());
    scene.recorded(found(Side::Source, 2, vec![folder(4, 4), folder(5, 5)]));
    scene.done(Side::Source, 0, 0);
    scene.done(Side::Destination, 0, 1);
    assert_eq!(scene.told().await, [], "a Lister is busy");
    scene.coordinator.do_send(Interrupt);
    scene.done(Side::Source, 1, 1);
    assert_eq!(scene.told().await, [suspended("interrupted", "interrupted")]);
    scene.may_finish.send(()).unwrap();
    let outcome = scene.outcome.await.unwrap();
    assert!(matches!(outcome.ended, Ended::Interrupted), "{outcome:?}");
    assert_eq!((outcome.given_back, outcome.still_running, outcome.closed.traffic.answered), (2, 0, 7));
}

/// The ledger actor records what the Listers sent last, and then comes to `Finish`: its answers are still on their way.
#[actix::test]
async fn what_is_recorded_after_the_interrupt_gives_nothing_out_while_the_ledger_is_closed() {
    let scene = busy().await;
    scene.coordinator.do_send(Interrupt);
    for (side, lister) in [(Side::Source, 0), (Side::Source, 1), (Side::Destination, 0)] {
        scene.done(side, lister, 0);
    }
    assert_eq!(scene.told().await, [suspended("interrupted", "interrupted")]);
    scene.recorded(found(Side::Source, 2, vec![folder(4, 4)]));
    scene.recorded(RecordedListing { is_complete: false, ..found(Side::Source, 3, vec![folder(5, 5)]) });
    scene.recorded(found(Side::Destination, 1, vec![folder(2, 3), folder(3, 2)]));
    assert_eq!(scene.told().await, [], "Finish is the last message of all");
    scene.may_finish.send(()).unwrap();
    let outcome = scene.outcome.await.unwrap();
    assert_eq!((outcome.given_back, outcome.still_running), (0, 0));
}

#[actix::test]
async fn an_interrupt_while_nothing_is_in_a_lister_s_hands_finishes_at_once() {
    let scene = Scene::begin(1, ROOMY);
    scene.told().await;
    scene.done(Side::Source, 0, 0);
    assert_eq!(scene.told().await, [], "the listing is not recorded yet");
    scene.coordinator.do_send(Interrupt);
    assert_eq!(scene.told().await, [suspended("interrupted", "interrupted")]);
}

#[actix::test]
async fn an_interrupt_after_the_end_changes_nothing() {
    let (scene, _) = Scene::with_source_folders(1, 0).await;
    scene.recorded(found(Side::Destination, 1, vec![]));
    scene.done(Side::Destination, 0, 0);
    assert_eq!(scene.told().await, [finish(Phase::Review, None, "complete")]);
    scene.coordinator.do_send(Interrupt);
    assert_eq!(scene.told().await, []);
    scene.may_finish.send(()).unwrap();
    assert!(matches!(scene.outcome.await.unwrap().ended, Ended::Done));
}

#[actix::test]
async fn a_lister_that_hangs_is_left_behind_when_the_grace_period_is_over() {
    tokio::time::pause();
    let scene = busy().await;
    let interrupted_at = Instant::now();
    scene.coordinator.do_send(Interrupt);
    scene.done(Side::Source, 0, 1);
    scene.may_finish.send(()).unwrap();
    let outcome = scene.outcome.await.unwrap();
    // The clock has steps of a millisecond.
    let waited = interrupted_at.elapsed();
    assert!(waited >= GRACE && waited <= GRACE + Duration::from_millis(1), "{waited:?}");
    assert!(matches!(outcome.ended, Ended::Interrupted), "{outcome:?}");
    assert_eq!((outcome.still_running, outcome.given_back), (2, 1));
    assert_eq!(*scene.log.borrow(), [suspended("interrupted", "interrupted")]);
}

#[actix::test]
async fn a_store_that_gives_up_suspends_the_run_with_its_reason() {
    let scene = busy().await;
    let gave_up = |path: &str, message: &str| StoreGaveUp {
        side: Side::Destination,
        path: path.to_owned(),
        error: StoreError::new(ErrorClass::Fatal, message),
    };
    scene.coordinator.do_send(gave_up("/a", "credentials refused"));
    scene.coordinator.do_send(gave_up("/b", "something else"));
    assert_eq!(scene.told().await, []);
    assert!(scene.stop.is_cancelled());
    for (side, lister) in [(Side::Source, 0), (Side::Source, 1), (Side::Destination, 0)] {
        scene.done(side, lister, 1);
    }
    assert_eq!(scene.told().await, [suspended("destination /a: credentials refused", "suspended")]);
    scene.may_finish.send(()).unwrap();
    let ended = scene.outcome.await.unwrap().ended;
    let Ended::StoreGaveUp { side: Side::Destination, reason } = ended else { panic!("{ended:?}") };
    assert_eq!(reason, "destination /a: credentials refused");
}

fn disk_full() -> LedgerReply {
    LedgerReply::Failed(LedgerError::DiskFull("somewhere".to_owned()))
}

#[actix::test]
async fn a_ledger_that_failed_ends_the_run_when_the_listers_are_done() {
    let scene = busy().await;
    scene.coordinator.do_send(disk_full());
    assert_eq!(scene.told().await, []);
    assert!(scene.stop.is_cancelled());
    for (side, lister) in [(Side::Source, 0), (Side::Source, 1), (Side::Destination, 0)] {
        scene.done(side, lister, 0);
    }
    let reason = "no space left for the ledger: somewhere";
    assert_eq!(scene.told().await, [suspended(reason, "suspended")]);
    scene.may_finish.send(()).unwrap();
    let ended = scene.outcome.await.unwrap().ended;
    assert!(matches!(ended, Ended::LedgerFailed(LedgerError::DiskFull(_))), "{ended:?}");
}

#[actix::test]
async fn a_ledger_that_fails_during_an_interrupt_is_what_is_told() {
    let scene = busy().await;
    scene.coordinator.do_send(Interrupt);
    scene.coordinator.do_send(disk_full());
    for (side, lister) in [(Side::Source, 0), (Side::Source, 1), (Side::Destination, 0)] {
        scene.done(side, lister, 0);
    }
    scene.may_finish.send(()).unwrap();
    let ended = scene.outcome.await.unwrap().ended;
    assert!(matches!(ended, Ended::LedgerFailed(_)), "{ended:?}");
}

/// The last answer, and right behind it the commit that fails: the Coordinator takes the run for done in between.
#[actix::test]
async fn a_ledger_that_fails_with_the_last_commit_is_never_told_as_done() {
    let (scene, _) = Scene::with_source_folders(1, 0).await;
    scene.done(Side::Destination, 0, 0);
    scene.recorded(found(Side::Destination, 1, vec![]));
    scene.coordinator.do_send(disk_full());
    assert_eq!(scene.told().await.len(), 1, "Finish is sent once");
    scene.may_finish.send(()).unwrap();
    let ended = scene.outcome.await.unwrap().ended;
    assert!(matches!(ended, Ended::LedgerFailed(LedgerError::DiskFull(_))), "{ended:?}");
}
