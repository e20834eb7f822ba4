//! What is tried again, when, and how often.

use super::*;

#[actix::test]
async fn a_transient_error_is_retried_after_pauses_that_grow() {
    let scene = Scene::begin();
    for _ in 0..4 {
        scene.store.when("/a", vec![error(ErrorClass::Transient)]);
    }
    scene.store.when("/a", vec![page(&["x"])]);
    scene.list(&["/a"]);
    let traffic = Traffic { received: 1, answered: 1, dropped: 0 };
    assert_eq!(
        scene.done(1).await,
        WorkDone { worker: ActorName::Lister(Side::Source, 3), report: ListingReport { given_back: 0, traffic } }
    );
    assert_eq!(scene.found(), ["/a [x]. 5"]);
    let pauses = scene.store.pauses();
    assert_eq!(pauses.len(), 4);
    for (pause, shortest) in pauses.iter().zip([100, 200, 400, 800].map(Duration::from_millis)) {
        let longest = 2 * shortest + Duration::from_millis(1);
        assert!((shortest..=longest).contains(pause), "{pauses:?}");
    }
}

#[actix::test]
async fn no_pause_is_longer_than_the_longest_one() {
    let pause_max = Duration::from_millis(300);
    let scene = Scene::with_retries(RetryPolicy { attempts_max: 9, pause_max, ..RETRY });
    for _ in 0..9 {
        scene.store.when("/a", vec![error(ErrorClass::Transient)]);
    }
    scene.list(&["/a"]);
    scene.done(1).await;
    let pauses = scene.store.pauses();
    assert_eq!(pauses.len(), 8);
    // The clock has steps of a millisecond.
    assert!(pauses.iter().all(|&pause| pause <= pause_max + Duration::from_millis(1)), "{pauses:?}");
}

#[actix::test]
async fn pauses_follow_from_the_seed_and_the_folder() {
    tokio::time::pause();
    let mut all = Vec::new();
    for (seed, number) in [(1, 0), (1, 0), (2, 0), (1, 1)] {
        let scene = Scene::another(RetryPolicy { jitter_seed: seed, ..RETRY });
        for path in ["/0", "/1"] {
            for _ in 0..5 {
                scene.store.when(path, vec![error(ErrorClass::Transient)]);
            }
        }
        scene.list(&["/0", "/1"]);
        scene.done(1).await;
        all.push(scene.store.pauses()[number * 5..][..4].to_vec());
    }
    assert_eq!(all[0], all[1], "the same seed, the same folder");
    assert_ne!(all[0], all[2], "another seed");
    assert_ne!(all[0], all[3], "another folder");
}

#[actix::test]
async fn a_folder_out_of_attempts_is_failed_and_the_next_one_is_listed() {
    let scene = Scene::begin();
    for _ in 0..5 {
        scene.store.when("/a", vec![error(ErrorClass::Transient)]);
    }
    scene.store.when("/b", vec![page(&["x"])]);
    scene.list(&["/a", "/b"]);
    assert_eq!(scene.done(1).await.report.given_back, 0);
    assert_eq!(scene.found(), ["/a transient: no 5", "/b [x]. 1"]);
    assert_eq!(scene.store.called(), ["/a", "/a", "/a", "/a", "/a", "/b"]);
}

#[actix::test]
async fn a_throttling_store_is_left_alone_for_exactly_as_long_as_it_says() {
    let scene = Scene::begin();
    let asked = [1_234, 7, 60_000].map(Duration::from_millis);
    for retry_after in asked {
        scene.store.when("/a", vec![throttled(retry_after)]);
    }
    scene.store.when("/a", vec![page(&[])]);
    scene.list(&["/a"]);
    scene.done(1).await;
    let pauses = scene.store.pauses();
    assert_eq!(pauses.len(), asked.len());
    assert!(pauses.iter().zip(asked).all(|(&pause, asked)| is_exactly(pause, asked)), "{pauses:?}");
    assert_eq!(scene.found(), ["/a []. 4"]);
}

#[actix::test]
async fn a_throttling_store_that_does_not_say_for_how_long_is_retried_like_any_other() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![error(ErrorClass::Throttled)]).when("/a", vec![page(&["x"])]);
    scene.list(&["/a"]);
    scene.done(1).await;
    assert!(scene.store.pauses()[0] >= RETRY.pause_first);
    assert_eq!(scene.found(), ["/a [x]. 2"]);
}

#[actix::test]
async fn other_errors_are_reported_after_one_attempt() {
    tokio::time::pause();
    for class in [ErrorClass::Vanished, ErrorClass::BadName] {
        let scene = Scene::another(RETRY);
        let begun_at = Instant::now();
        scene.store.when("/a", vec![error(class)]).when("/b", vec![page(&["x"])]);
        scene.list(&["/a", "/b"]);
        assert_eq!(scene.done(1).await.report.given_back, 0);
        assert_eq!(scene.found(), [format!("/a {class}: no 1"), "/b [x]. 1".to_owned()]);
        assert_eq!(scene.store.called(), ["/a", "/b"]);
        assert!(begun_at.elapsed() < Duration::from_millis(10), "nothing was waited for");
    }
}

#[actix::test]
async fn an_error_that_suspends_the_run_is_no_failed_folder() {
    tokio::time::pause();
    for class in [ErrorClass::NoSpace, ErrorClass::Fatal] {
        let scene = Scene::another(RETRY);
        scene.store.when("/a", vec![page(&["x"])]).when("/b", vec![error(class)]).when("/c", vec![page(&["y"])]);
        scene.list(&["/a", "/b", "/c"]);
        assert_eq!(scene.done(1).await.report.given_back, 1);
        assert_eq!(scene.gave_up(), [format!("source /b {class}: no")]);
        assert_eq!(scene.found(), ["/a [x]. 1", "/c [y]. 1"]);
    }
}

#[actix::test]
async fn what_was_found_does_not_wait_for_a_folder_that_is_retried() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![page(&["x"])]).when("/b", vec![throttled(Duration::from_mins(1))]);
    scene.store.when("/b", vec![page(&["y"])]);
    let begun_at = Instant::now();
    scene.list(&["/a", "/b"]);
    settle().await;
    assert_eq!(scene.found(), ["/a [x]. 1"]);
    assert_eq!(begun_at.elapsed(), Duration::ZERO);
    scene.done(1).await;
    assert_eq!(scene.found(), ["/a [x]. 1", "/b [y]. 2"]);
}

#[actix::test]
async fn one_attempt_is_made_where_no_more_are_allowed() {
    let scene = Scene::with_retries(RetryPolicy { attempts_max: 1, ..RETRY });
    scene.store.when("/a", vec![error(ErrorClass::Transient)]);
    scene.list(&["/a"]);
    scene.done(1).await;
    assert_eq!(scene.found(), ["/a transient: no 1"]);
}
