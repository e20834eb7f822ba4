//! A folder that is denied, and a store that denies everything.

use super::*;

#[actix::test]
async fn a_folder_that_is_denied_while_the_root_is_not_is_failed_after_one_attempt() {
    let scene = Scene::begin();
    let begun_at = Instant::now();
    scene.store.when("/a", vec![error(ErrorClass::Denied)]).when("/", vec![page(&["a", "b"])]);
    scene.store.when("/b", vec![page(&["x"])]);
    scene.list(&["/a", "/b"]);
    assert_eq!(scene.done(1).await.report.given_back, 0);
    assert_eq!(scene.found(), ["/a denied: no 1", "/b [x]. 1"]);
    assert_eq!(scene.store.called(), ["/a", "/", "/b"]);
    assert!(begun_at.elapsed() < Duration::from_millis(10), "nothing was waited for");
    assert!(scene.gave_up().is_empty());
}

/// As when credentials are withdrawn in the middle of a run.
#[actix::test]
async fn a_store_that_denies_the_root_as_well_has_given_up_and_no_folder_is_failed() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![page(&["x"])]);
    scene.store.when("/b", vec![error(ErrorClass::Denied)]).when("/", vec![error(ErrorClass::Denied)]);
    scene.list(&["/a", "/b"]);
    assert_eq!(scene.done(1).await.report.given_back, 1);
    assert_eq!(scene.found(), ["/a [x]. 1"]);
    assert_eq!(scene.gave_up(), ["source /b denied: no, and so is the root"]);
}

#[actix::test]
async fn a_root_that_is_denied_suspends_the_run_with_what_the_store_says() {
    let scene = Scene::begin();
    scene.store.when("/", vec![error(ErrorClass::Denied)]);
    scene.list(&["/"]);
    assert_eq!(scene.done(1).await.report.given_back, 1);
    assert!(scene.found().is_empty());
    assert_eq!(scene.gave_up(), ["source / denied: no"]);
    assert_eq!(scene.store.called(), ["/"], "it is not asked twice");
}

/// Whoever was shown a page of it may list it: that the rest is denied is no matter of credentials.
#[actix::test]
async fn a_root_that_is_denied_behind_a_page_is_failed_like_any_other_folder() {
    let scene = Scene::begin();
    scene.store.when("/", vec![page(&["a"]), error(ErrorClass::Denied)]).when("/", vec![page(&["a"])]);
    scene.list(&["/"]);
    assert_eq!(scene.done(1).await.report.given_back, 0);
    assert_eq!(scene.found(), ["/ [a]… 1", "/ denied: no 1"]);
    assert!(scene.gave_up().is_empty());
}

/// Whether anybody is let in cannot be seen while the root does not answer: the folder is what was denied.
#[actix::test]
async fn a_root_that_does_not_answer_is_not_one_that_is_denied() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![error(ErrorClass::Denied)]).when("/", vec![error(ErrorClass::Transient)]);
    scene.list(&["/a"]);
    scene.done(1).await;
    assert_eq!(scene.found(), ["/a denied: no 1"]);
    assert!(scene.gave_up().is_empty());
}
