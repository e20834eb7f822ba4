//! Stopping, and waiting for places.

use super::*;

#[actix::test]
async fn a_lister_that_is_stopped_gives_its_folders_back() {
    let scene = Scene::begin();
    scene.stop.cancel();
    scene.list(&["/a", "/b", "/c"]);
    scene.list(&["/d"]);
    assert_eq!(scene.done(1).await.report.given_back, 3);
    assert_eq!(scene.done(2).await.report.given_back, 1);
    assert!(scene.store.called().is_empty());
    assert!(scene.found().is_empty());
}

#[actix::test]
async fn a_stop_ends_a_pause_and_the_remaining_folders_are_given_back() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![page(&["x"])]).when("/b", vec![throttled(Duration::from_hours(1))]);
    scene.list(&["/a", "/b", "/c"]);
    settle().await;
    let stopped_at = Instant::now();
    scene.stop.cancel();
    let done = scene.done(1).await.report;
    assert_eq!((done.given_back, done.traffic), (2, Traffic { received: 3, answered: 3, dropped: 0 }));
    assert!(stopped_at.elapsed() < Duration::from_secs(1));
    assert_eq!(scene.found(), ["/a [x]. 1"]);
    assert_eq!(scene.store.called(), ["/a", "/b"]);
}

/// Sets the stop token while it is listing `/b`.
#[derive(Debug)]
struct Stopping(Arc<ScriptedStore>, CancellationToken);
impl Store for Stopping {
    fn location(&self) -> String {
        self.0.location()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        if path == b"/b" {
            self.1.cancel();
            return stream::iter(vec![page(&["y"])]).boxed();
        }
        self.0.clone().list(path)
    }
}

/// What was found before the stop is not thrown away.
#[actix::test]
async fn a_lister_that_is_stopped_sends_what_it_has() {
    let scene = Scene::begin();
    let stop = scene.stop.clone();
    scene.store.when("/a", vec![page(&["x"])]);
    let address = scene.neighbours.clone().start();
    let ledger = LedgerQueue::new(address.clone().recipient(), PLACES);
    let store = Arc::new(Stopping(scene.store.clone(), stop.clone()));
    let lister = lister(0, context(store, RETRY, &stop), ledger, &address).start();
    let folder = |id, path: &str| Folder { id: NodeId(id), source_id: NodeId(id), path: path.to_owned(), depth: 1 };
    lister.do_send(ListFolders(vec![folder(2, "/a"), folder(3, "/b"), folder(4, "/c")]));
    assert_eq!(scene.done(1).await.report.given_back, 1);
    assert_eq!(scene.found(), ["/a [x]. 1", "/b [y]. 1"]);
}

#[actix::test]
async fn a_lister_waits_while_there_are_no_places_and_goes_on_when_there_are() {
    let scene = Scene::begin();
    let taken = scene.places.clone().acquire_many_owned(u32::try_from(PLACES).unwrap() - 2).await.unwrap();
    scene.store.when("/a", vec![page(&["1", "2", "3"])]);
    scene.list(&["/a"]);
    settle().await;
    assert!(scene.found().is_empty(), "three entries take more than two places");
    assert_eq!(scene.store.called(), ["/a"]);
    drop(taken);
    scene.done(1).await;
    assert_eq!(scene.found(), ["/a [1 2 3]. 1"]);
    assert!(scene.places.available_permits() <= PLACES - 4, "they are taken until the message is handled");
    scene.neighbours.0.borrow_mut().clear();
    assert_eq!(scene.places.available_permits(), PLACES);
}

#[actix::test]
async fn a_listing_larger_than_all_places_takes_all_of_them_and_goes_through() {
    let scene = Scene::begin();
    let names: Vec<String> = (0..2 * PLACES).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    scene.store.when("/a", vec![page(&names)]);
    scene.list(&["/a"]);
    scene.done(1).await;
    assert_eq!(scene.places.available_permits(), 0);
    assert_eq!(scene.found().len(), 1);
}

#[actix::test]
async fn a_large_listing_is_sent_page_by_page() {
    let scene = Scene::begin();
    let names: Vec<String> = (0..SEND_ENTRIES).map(|number| number.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    scene.store.when("/a", vec![page(&names), page(&names), page(&names)]);
    scene.list(&["/a"]);
    // Whoever handles a message gives its places back.
    let mut messages = 0;
    while messages < 3 {
        settle().await;
        let sent: Vec<_> = scene.neighbours.0.borrow_mut().drain(..).collect();
        let pages = sent.iter().map(|(_, sent)| listed(sent).len());
        assert!(pages.sum::<usize>() <= 1, "no more than the places allow is on the way");
        messages += 1;
    }
}

#[actix::test]
async fn one_batch_is_dealt_with_after_the_other() {
    let scene = Scene::begin();
    scene.store.when("/a", vec![throttled(Duration::from_secs(9))]).when("/a", vec![page(&["x"])]);
    scene.store.when("/b", vec![page(&["y"])]);
    scene.list(&["/a"]);
    scene.list(&["/b"]);
    scene.done(2).await;
    assert_eq!(scene.store.called(), ["/a", "/a", "/b"]);
    assert_eq!(scene.found(), ["/a [x]. 2", "/b [y]. 1"]);
}
