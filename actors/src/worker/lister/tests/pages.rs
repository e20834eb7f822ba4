//! Listings of several pages.

use super::*;

#[actix::test]
async fn only_the_last_page_of_a_listing_is_flagged_as_such() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![page(&["1", "2"]), page(&["3"]), page(&["4"])]);
    scene.store.when("/b", vec![page(&["5"])]);
    scene.store.when("/none", vec![]).when("/empty", vec![page(&[])]);
    scene.list(&["/a", "/b", "/none", "/empty"]);
    scene.done(1).await;
    let expected = ["/a [1 2]… 1", "/a [3]… 1", "/a [4]. 1", "/b [5]. 1", "/none []. 1", "/empty []. 1"];
    assert_eq!(scene.found(), expected);
}

/// Behind a page, a store goes on where it was.
#[actix::test]
async fn an_error_between_pages_loses_no_entry_and_repeats_none() {
    let scene = Scene::begin();
    let transient = || error(ErrorClass::Transient);
    let second = throttled(Duration::from_secs(1));
    scene.store.when("/a", vec![page(&["1"]), transient(), page(&["2"]), second, transient(), page(&["3"])]);
    scene.list(&["/a"]);
    scene.done(1).await;
    let found = scene.found();
    let without_attempts: Vec<&str> = found.iter().map(|text| text.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(without_attempts, ["/a [1]…", "/a [2]…", "/a [3]."]);
    assert!(found[2].ends_with(" 4"), "{found:?}");
    assert_eq!(scene.store.called(), ["/a"], "it is the same listing");
}

#[actix::test]
async fn an_error_before_the_first_page_begins_the_listing_again() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![error(ErrorClass::Transient), page(&["never asked for"])]);
    scene.store.when("/a", vec![page(&["1"]), page(&["2"])]);
    scene.list(&["/a"]);
    scene.done(1).await;
    assert_eq!(scene.found(), ["/a [1]… 2", "/a [2]. 2"]);
}

#[actix::test]
async fn the_pages_before_an_error_that_stays_come_before_the_failure() {
    tokio::time::pause();
    for class in [ErrorClass::Denied, ErrorClass::Transient] {
        let scene = Scene::another(RetryPolicy { attempts_max: 2, ..RETRY });
        scene.store.when("/a", vec![page(&["1"]), page(&["2"]), error(class), error(class)]);
        if class == ErrorClass::Denied {
            scene.store.when("/", vec![page(&["a"])]);
        }
        scene.list(&["/a"]);
        scene.done(1).await;
        let attempts = if class.is_retried() { 2 } else { 1 };
        let found = scene.found();
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("/a [1]… ") && found[1].starts_with("/a [2]… "), "{found:?}");
        assert_eq!(found[2], format!("/a {class}: no {attempts}"));
    }
}

#[actix::test]
async fn a_store_that_gives_up_between_pages_leaves_the_folder_pending() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![page(&["1"]), page(&["2"]), error(ErrorClass::Fatal)]);
    scene.list(&["/a"]);
    assert_eq!(scene.done(1).await.report.given_back, 1);
    let found = scene.found();
    assert!(found.iter().all(|found| found.contains('…')), "no end of the listing is recorded: {found:?}");
    assert_eq!(scene.gave_up().len(), 1);
}

#[actix::test]
async fn a_name_of_any_bytes_is_asked_for_as_it_is() {
    let scene = Scene::begin();
    scene.store.listings.lock().insert(b"/a\xff\n\\".to_vec(), VecDeque::from([vec![page(&["x"])]]));
    scene.list(&[r"/a\xff\n\\"]);
    scene.done(1).await;
    assert_eq!(scene.found(), [r"/a\xff\n\\ [x]. 1"]);
}
