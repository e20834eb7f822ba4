//! Listings: recorded at once, committed when it is time.

#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]

use actix::Arbiter;
use longhaul_ledger::{FailedListing, Folder, FoundFolders, ListedPage};
use longhaul_model::{NodeId, NodeKind, Page};
use parking_lot::Mutex;

use super::*;

struct Scene {
    folder: tempfile::TempDir,
    ledger: PathBuf,
    heard: Rc<RefCell<Heard>>,
    db: Addr<LedgerActor>,
}

impl Scene {
    /// With the ledger actor on this thread, and the clock paused.
    fn begin() -> Self {
        Self::begin_with(|_| {})
    }

    fn begin_with(change: impl FnOnce(&mut RunWriter)) -> Self {
        tokio::time::pause();
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.duckdb");
        let mut writer = new_ledger(&ledger).into();
        change(&mut writer);
        let neighbours = Neighbours::default();
        let heard = neighbours.0.clone();
        let db = actor(writer, None, &neighbours.start()).start();
        Scene { folder, ledger, heard, db }
    }

    fn record(&self, side: Side, listed: Listed) {
        send(&self.db, LedgerRequest::Listings { side, listed: vec![listed] });
    }

    async fn finish(self) -> (Result<Closed, LedgerError>, Reader, tempfile::TempDir) {
        let finish = Finish { phase: Phase::Review, reason: None, outcome: "complete".to_owned() };
        send(&self.db, LedgerRequest::Finish(finish));
        let closed = closed(self.heard).await;
        (closed, Reader::open(&self.ledger).unwrap(), self.folder)
    }

    /// How many source nodes and events a crash at this moment would leave.
    fn after_a_crash(&self) -> (String, String) {
        read_after_a_crash(&self.ledger, |copy| nodes_and_events(&Reader::open(copy).unwrap()))
    }
}

fn nodes_and_events(reader: &Reader) -> (String, String) {
    let count =
        |table: &str| reader.query(&format!("SELECT count(*) FROM {table}")).unwrap().rows[0][0].clone().unwrap();
    (count("src_nodes"), count("src_status_events"))
}

fn counts(nodes: i64, events: i64) -> (String, String) {
    (nodes.to_string(), events.to_string())
}

fn root() -> Folder {
    Folder { id: NodeId(1), source_id: NodeId(1), path: "/".to_owned(), depth: 0 }
}

/// Files, and folders where the name ends with `/`.
fn page(folder: &Folder, names: &[&str], is_last: bool) -> Listed {
    let mut page = Page::default();
    for name in names {
        match name.strip_suffix('/') {
            Some(name) => page.push(name.as_bytes(), NodeKind::Folder, None, None),
            None => page.push(name.as_bytes(), NodeKind::File, Some(1), Some(2)),
        }
    }
    Listed::Page(ListedPage { folder: folder.clone(), page, is_last, attempts: 1 })
}

fn failed(folder: &Folder) -> Listed {
    let message = "permission denied".to_owned();
    Listed::Failed(FailedListing { folder: folder.clone(), class: ErrorClass::Denied, message, attempts: 1 })
}

#[actix::test]
async fn it_answers_before_it_commits_and_a_crash_in_between_leaves_neither_children_nor_event() {
    let scene = Scene::begin();
    scene.record(Side::Source, page(&root(), &["a/", "b"], true));
    settle().await;
    assert_eq!(scene.heard.borrow().recorded.len(), 1, "it is answered");
    assert_eq!(scene.after_a_crash(), counts(1, 0), "and not durable");
    let (closed, reader, _folder) = scene.finish().await;
    assert_eq!(closed.unwrap().traffic.answered, 1);
    assert_eq!(nodes_and_events(&reader), counts(3, 1));
}

#[actix::test]
async fn a_ledger_actor_that_is_dropped_commits_nothing() {
    let Scene { folder: _folder, ledger, heard, db } = Scene::begin();
    send(&db, LedgerRequest::Listings { side: Side::Source, listed: vec![page(&root(), &["a", "b"], true)] });
    settle().await;
    assert_eq!(heard.borrow().recorded.len(), 1);
    // The last address: the actor ends, without Finish.
    drop(db);
    settle().await;
    assert_eq!(nodes_and_events(&Reader::open(&ledger).unwrap()), counts(1, 0));
}

#[actix::test]
async fn what_is_recorded_becomes_durable_after_the_commit_interval_though_nothing_more_comes() {
    let scene = Scene::begin();
    scene.record(Side::Source, page(&root(), &["a", "b"], true));
    settle().await;
    tokio::time::advance(COMMIT_INTERVAL / 2).await;
    settle().await;
    assert_eq!(scene.after_a_crash(), counts(1, 0), "it is not time yet");
    tokio::time::advance(COMMIT_INTERVAL).await;
    settle().await;
    assert_eq!(scene.after_a_crash(), counts(3, 1));
}

#[actix::test]
async fn destination_pages_are_matched_and_answered_without_waiting_for_the_commit() {
    let scene = Scene::begin();
    // A source listing that failed is matched by the join.
    scene.record(Side::Source, page(&root(), &["a/"], false));
    scene.record(Side::Source, failed(&root()));
    scene.record(Side::Destination, page(&root(), &["a/", "x"], true));
    settle().await;
    let heard = std::mem::take(&mut *scene.heard.borrow_mut());
    assert_eq!(heard.recorded.len(), 2);
    let a = Folder { id: NodeId(2), source_id: NodeId(2), path: "/a".to_owned(), depth: 1 };
    assert_eq!(heard.recorded[1].found, FoundFolders { ids: vec![2..4], named: Some(vec![a]) });
    assert_eq!(scene.after_a_crash(), counts(1, 0));
}

#[actix::test]
async fn folders_are_pulled_though_they_are_not_committed() {
    let scene = Scene::begin();
    scene.record(Side::Source, page(&root(), &["a/", "x", "b/"], true));
    send(&scene.db, LedgerRequest::PullFolders { side: Side::Source, ids: 2..4 });
    settle().await;
    let heard = scene.heard.borrow();
    assert_eq!((heard.pulled[0].0, heard.pulled[0].1.clone()), (Side::Source, 2..4));
    let a = Folder { id: NodeId(2), source_id: NodeId(2), path: "/a".to_owned(), depth: 1 };
    assert_eq!(heard.pulled[0].2, [a]);
}

#[actix::test]
async fn ids_are_given_out_in_the_order_of_the_messages() {
    let scene = Scene::begin();
    scene.record(Side::Source, page(&root(), &["0/", "1/", "2/", "3/", "4/"], true));
    for number in [3, 0, 4, 2, 1] {
        let path = format!("/{number}");
        let folder = Folder { id: NodeId(number + 2), source_id: NodeId(number + 2), path, depth: 1 };
        scene.record(Side::Source, page(&folder, &["x", "y/"], true));
    }
    settle().await;
    let heard = scene.heard.borrow();
    let ids: Vec<_> = heard.recorded.iter().flat_map(|recorded| recorded.found.ids.clone()).collect();
    assert_eq!(ids, [2..7, 7..9, 9..11, 11..13, 13..15, 15..17]);
}

#[actix::test]
async fn a_failed_folder_is_recorded_and_answered_as_such() {
    let scene = Scene::begin();
    scene.record(Side::Source, failed(&root()));
    settle().await;
    assert!(!scene.heard.borrow().recorded[0].is_complete);
    let (closed, reader, _folder) = scene.finish().await;
    let closed = closed.unwrap();
    assert_eq!((closed.traffic.answered, closed.dropped, closed.totals().src.folders_failed), (1, 0, 1));
    let problems = reader.problems(9).unwrap();
    assert_eq!((problems[0].path.as_str(), problems[0].class.as_deref()), ("/", Some("denied")));
}

#[actix::test]
async fn places_come_back_when_what_took_them_is_recorded() {
    let scene = Scene::begin();
    let places = Arc::new(Semaphore::new(10));
    let permit = places.clone().acquire_many_owned(3).await.unwrap();
    let listed = vec![page(&root(), &["a", "b"], true)];
    let message = LedgerRequest::Listings { side: Side::Source, listed };
    scene.db.do_send(Permitted { message, permit: Some(permit) });
    assert_eq!(places.available_permits(), 7);
    settle().await;
    assert_eq!(places.available_permits(), 10);
}

/// Mailboxes are not bounded by actix: whatever is sent is there, and `Finish` is behind it.
#[actix::test]
async fn no_message_is_lost_when_the_mailbox_is_flooded() {
    const MESSAGES: i64 = 100_000;
    const THREADS: i64 = 2;
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger.duckdb");
    let neighbours = Neighbours::default();
    let heard = neighbours.0.clone();
    let neighbours = neighbours.start();
    let arbiter = Arbiter::new();
    let writer = new_ledger(&ledger).into();
    let db = LedgerActor::start_in_arbiter(&arbiter.handle(), move |_| actor(writer, None, &neighbours));
    let names: Vec<String> = (0..MESSAGES).map(|number| format!("{number}/")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    send(&db, LedgerRequest::Listings { side: Side::Source, listed: vec![page(&root(), &names, true)] });

    let errors = Arc::new(Mutex::new(Vec::new()));
    let senders: Vec<_> = (0..THREADS)
        .map(|thread| {
            let (db, errors) = (db.clone(), errors.clone());
            std::thread::spawn(move || {
                for number in (thread..MESSAGES).step_by(usize::try_from(THREADS).unwrap()) {
                    let id = NodeId(number + 2);
                    let folder = Folder { id, source_id: id, path: format!("/{number}"), depth: 1 };
                    let listed = vec![page(&folder, &["x"], true)];
                    if !db.connected() {
                        errors.lock().push(number);
                    }
                    send(&db, LedgerRequest::Listings { side: Side::Source, listed });
                }
            })
        })
        .collect();
    for sender in senders {
        sender.join().unwrap();
    }
    let finish = Finish { phase: Phase::Review, reason: None, outcome: "complete".to_owned() };
    send(&db, LedgerRequest::Finish(finish));
    let closed = closed(heard.clone()).await.unwrap();
    arbiter.stop();
    arbiter.join().unwrap();

    assert!(errors.lock().is_empty());
    let all = u64::try_from(MESSAGES).unwrap() + 1;
    assert_eq!((closed.traffic.answered, closed.dropped), (all, 0));
    assert_eq!((closed.totals().src.files, closed.totals().src.folders_listed), (MESSAGES, MESSAGES + 1));
    let reader = Reader::open(&ledger).unwrap();
    assert_eq!(nodes_and_events(&reader), counts(2 * MESSAGES + 1, MESSAGES + 1));
    assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
    while heard.borrow().recorded.len() <= usize::try_from(MESSAGES).unwrap() {
        tokio::task::yield_now().await;
    }
}

#[actix::test]
async fn after_an_error_of_the_ledger_everything_counts_as_dropped_and_it_is_told_once() {
    let scene = Scene::begin_with(|writer| writer.poison("the disk is gone"));
    assert!(scene.heard.borrow().failed.is_empty());
    scene.record(Side::Destination, page(&root(), &["a"], true));
    settle().await;
    assert_eq!(scene.heard.borrow().failed.len(), 1);

    let places = Arc::new(Semaphore::new(10));
    for _ in 0..3 {
        let permit = Some(places.clone().acquire_owned().await.unwrap());
        let listed = vec![page(&root(), &["x"], false), failed(&root())];
        let message = LedgerRequest::Listings { side: Side::Source, listed };
        scene.db.do_send(Permitted { message, permit });
    }
    send(&scene.db, LedgerRequest::PullFolders { side: Side::Source, ids: 1..9 });
    settle().await;
    tokio::time::advance(4 * COMMIT_INTERVAL).await;
    settle().await;
    assert_eq!(places.available_permits(), 10);
    let heard = scene.heard.clone();
    let (closed, reader, _folder) = scene.finish().await;
    let heard = heard.borrow();
    assert_eq!(heard.failed.len(), 1, "{:?}", heard.failed);
    assert!(matches!(heard.failed[0], LedgerError::Poisoned(_)), "{:?}", heard.failed);
    assert!(heard.pulled.is_empty());
    let closed = closed.unwrap();
    assert_eq!(closed.dropped, 7);
    assert_eq!(closed.failed, Some(heard.failed[0].to_string()), "the last word says so as well");
    // Of what came before, nothing was committed.
    assert_eq!(nodes_and_events(&reader), counts(1, 0));
    let migration = reader.migration().unwrap();
    assert_eq!(migration.phase, Phase::Suspended);
    assert!(migration.phase_reason.unwrap().contains("the disk is gone"));
}

#[actix::test]
async fn finish_leaves_the_phase_the_reason_and_the_outcome() {
    let scene = Scene::begin();
    scene.record(Side::Source, page(&root(), &["a"], true));
    let reason = Some("interrupted".to_owned());
    let finish = Finish { phase: Phase::Suspended, reason, outcome: "interrupted".to_owned() };
    send(&scene.db, LedgerRequest::Finish(finish));
    let closed = closed(scene.heard.clone()).await.unwrap();
    assert_eq!((closed.traffic.answered, closed.totals().src.files), (1, 1));
    let overview = Reader::open(&scene.ledger).unwrap().overview().unwrap();
    assert_eq!(overview.migration.phase, Phase::Suspended);
    assert_eq!(overview.migration.phase_reason.as_deref(), Some("interrupted"));
    assert_eq!(overview.runs[0].outcome.as_deref(), Some("interrupted"));
    let pull = LedgerRequest::PullFolders { side: Side::Source, ids: 1..2 };
    assert!(scene.db.send(Permitted::from(pull)).await.is_err(), "it has stopped");
}
