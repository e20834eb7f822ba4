//! Results of copying: recorded behind the flush of the destination.

use std::ops::Range;

use longhaul_ledger::{
    Approving, CopiedFile, CopyOutcome, CopyResult, CopySettings, CopyWriter, Folder, IdleLedger, ListedPage, Log,
};
use longhaul_model::{NodeId, NodeKind, Page};

use super::*;

const PLACES: usize = 10;

/// A Flusher that dies of the first thing it is asked.
struct FrailFlusher;

impl Actor for FrailFlusher {
    type Context = Context<Self>;
}

impl Handler<Flush> for FrailFlusher {
    type Result = ();

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) {
        ctx.stop();
    }
}

struct Scene {
    _folder: tempfile::TempDir,
    ledger: PathBuf,
    heard: Rc<RefCell<Heard>>,
    db: Addr<LedgerActor>,
    places: Arc<Semaphore>,
}

/// A ledger of a source with these many files, and a plan to copy all of them, that is about to be carried out.
fn copy_writer(ledger: &Path, files: usize) -> CopyWriter {
    let mut writer = new_ledger(ledger);
    let folder = Folder { id: NodeId(1), source_id: NodeId(1), path: "/".to_owned(), depth: 0 };
    for (side, count) in [(Side::Source, files), (Side::Destination, 0)] {
        let mut page = Page::default();
        for number in 0..count {
            page.push(format!("file {number}").as_bytes(), NodeKind::File, Some(7), Some(1));
        }
        let listed = ListedPage { folder: folder.clone(), page, is_last: true, attempts: 1 };
        writer.record_page(side, listed).unwrap();
    }
    writer.end(Phase::Review, None, "complete").unwrap();
    let ledger = IdleLedger::open(ledger, Log::Unknown, &Resources::default()).unwrap();
    let approved = ledger.discovered().unwrap().approved(Approving::Now).unwrap();
    approved.copy("copy", &CopySettings::default(), || 0).unwrap().0
}

/// What the ledger has of how many files.
fn statuses(ledger: &Path) -> String {
    let reader = Reader::open(ledger).unwrap();
    assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
    let query = "SELECT coalesce(string_agg(status || ' ' || count, ', ' ORDER BY status), '') FROM (
        SELECT copy_status::VARCHAR AS status, count(*) AS count FROM src_status_events
        WHERE copy_status IS NOT NULL GROUP BY ALL)";
    reader.query(query).unwrap().rows[0][0].clone().unwrap()
}

impl Scene {
    /// With the ledger actor on this thread, the clock paused, and the test in the Flusher's place.
    fn begin() -> Self {
        tokio::time::pause();
        let neighbours = Neighbours::default();
        let flusher = neighbours.clone().start().recipient();
        Self::begin_with(neighbours, Some(flusher), |_| {})
    }

    fn begin_with(
        neighbours: Neighbours,
        flusher: Option<Recipient<Flush>>,
        change: impl FnOnce(&mut RunWriter),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger.duckdb");
        let mut writer = copy_writer(&ledger, 9).into();
        change(&mut writer);
        let heard = neighbours.0.clone();
        let db = actor(writer, flusher, &neighbours.start()).start();
        Scene { _folder: folder, ledger, heard, db, places: Arc::new(Semaphore::new(PLACES)) }
    }

    /// Sends what became of these files.
    fn record(&self, ids: Range<i64>) {
        let places = u32::try_from(ids.end - ids.start).unwrap();
        let permit = self.places.clone().try_acquire_many_owned(places).ok();
        let outcome = CopyOutcome::Copied(CopiedFile { size: Some(7), ..CopiedFile::default() });
        let result = |id| CopyResult {
            id: NodeId(id),
            depth: 1,
            kind: NodeKind::File,
            size: Some(7),
            outcome: outcome.clone(),
            attempts: 1,
        };
        let records = CopyRecords { results: ids.map(result).collect(), ..CopyRecords::default() };
        self.db.do_send(Permitted { message: LedgerRequest::Copies(records), permit });
    }

    /// Lets so much time go by that everything is due that waits.
    async fn wait(&self) {
        settle().await;
        for _ in 0..8 {
            tokio::time::advance(COMMIT_INTERVAL / 4).await;
            settle().await;
        }
    }

    fn flushes(&self) -> usize {
        self.heard.borrow().flushes
    }

    async fn flushed(&self, result: Result<(), StoreError>) {
        self.db.do_send(Flushed(result));
        settle().await;
    }

    /// How many files are recorded, as a crash at this moment would leave it.
    fn after_a_crash(&self) -> String {
        read_after_a_crash(&self.ledger, statuses)
    }

    /// Asks it to finish, which it does when it can.
    fn finish(&self) -> tokio::task::JoinHandle<Closed> {
        let finish = Finish { phase: Phase::Verifying, reason: None, outcome: "complete".to_owned() };
        send(&self.db, LedgerRequest::Finish(finish));
        let heard = self.heard.clone();
        tokio::task::spawn_local(async move { closed(heard).await.unwrap() })
    }
}

fn no_luck() -> StoreError {
    StoreError::new(ErrorClass::Transient, "input/output error")
}

fn traffic(received: u64, answered: u64) -> Traffic {
    Traffic { received, answered, dropped: received - answered }
}

#[actix::test]
async fn nothing_is_recorded_before_a_flush_that_began_after_it_came() {
    let scene = Scene::begin();
    scene.record(2..4);
    scene.wait().await;
    assert_eq!((scene.flushes(), scene.after_a_crash().as_str()), (1, ""), "the flush is not over");
    assert_eq!(scene.places.available_permits(), PLACES - 2);
    // While it goes on, more comes, of which it knows nothing.
    scene.record(4..5);
    scene.wait().await;
    scene.flushed(Ok(())).await;
    assert_eq!((scene.flushes(), scene.after_a_crash().as_str()), (1, "successful 2"));
    assert_eq!(scene.places.available_permits(), PLACES - 1);
    scene.wait().await;
    assert_eq!((scene.flushes(), scene.after_a_crash().as_str()), (2, "successful 2"));
    scene.flushed(Ok(())).await;
    assert_eq!(scene.after_a_crash(), "successful 3");
    assert_eq!(scene.places.available_permits(), PLACES);
    scene.wait().await;
    assert_eq!(scene.flushes(), 2, "there is nothing to be flushed for");
}

#[actix::test]
async fn where_nobody_has_to_flush_it_is_recorded_after_the_commit_interval() {
    tokio::time::pause();
    let scene = Scene::begin_with(Neighbours::default(), None, |_| {});
    scene.record(2..4);
    settle().await;
    assert_eq!(scene.after_a_crash(), "");
    scene.wait().await;
    assert_eq!(scene.after_a_crash(), "successful 2");
    let closed = scene.finish().await.unwrap();
    assert_eq!(closed.traffic, traffic(2, 2));
}

#[actix::test]
async fn after_a_flush_that_failed_nothing_is_recorded_any_more() {
    let scene = Scene::begin();
    scene.record(2..3);
    scene.wait().await;
    scene.flushed(Ok(())).await;
    scene.record(3..5);
    scene.wait().await;
    scene.record(5..6);
    scene.flushed(Err(no_luck())).await;
    scene.record(6..7);
    scene.wait().await;
    assert_eq!(scene.places.available_permits(), PLACES, "whoever waits for a place gets it");
    assert_eq!((scene.flushes(), scene.after_a_crash().as_str()), (2, "successful 1"));
    let closed = scene.finish().await.unwrap();
    assert_eq!((closed.traffic, closed.dropped), (traffic(5, 1), 4));
    assert_eq!(scene.flushes(), 2, "what a later flush says is not to be believed");
    assert_eq!(statuses(&scene.ledger), "successful 1");
    let heard = scene.heard.borrow();
    assert_eq!(heard.gave_up.len(), 1);
    assert_eq!((heard.gave_up[0].side, &heard.gave_up[0].error), (Side::Destination, &no_luck()));
    assert!(heard.failed.is_empty(), "the ledger is all right");
}

#[actix::test]
async fn finish_waits_for_the_flush_of_all_that_came_before_it() {
    let scene = Scene::begin();
    scene.record(2..4);
    scene.wait().await;
    scene.record(4..6);
    let closed = scene.finish();
    settle().await;
    assert!(!closed.is_finished());
    scene.flushed(Ok(())).await;
    assert!(!closed.is_finished(), "the second two are not flushed");
    assert_eq!((scene.flushes(), scene.after_a_crash().as_str()), (2, "successful 2"));
    // A Copier that was left behind after the grace period comes with this.
    scene.record(6..7);
    scene.flushed(Ok(())).await;
    assert!(!closed.is_finished());
    assert_eq!(scene.flushes(), 3);
    scene.flushed(Ok(())).await;
    let closed = closed.await.unwrap();
    assert_eq!((closed.traffic, closed.failed), (traffic(5, 5), None));
    assert_eq!(closed.overview.unwrap().migration.phase, Phase::Verifying);
    assert_eq!(statuses(&scene.ledger), "successful 5");
    assert_eq!(scene.places.available_permits(), PLACES);
}

#[actix::test]
async fn where_the_last_flush_of_all_fails_the_run_has_not_done_its_work() {
    let scene = Scene::begin();
    scene.record(2..4);
    scene.wait().await;
    scene.flushed(Ok(())).await;
    let closed = scene.finish();
    settle().await;
    assert_eq!(scene.flushes(), 2, "folders have their attributes since");
    scene.flushed(Err(no_luck())).await;
    let migration = closed.await.unwrap().overview.unwrap().migration;
    let reason = Some("destination /: input/output error".to_owned());
    assert_eq!((migration.phase, migration.phase_reason), (Phase::Suspended, reason));
    assert_eq!(scene.heard.borrow().gave_up.len(), 1);
    assert_eq!(statuses(&scene.ledger), "successful 2");
}

#[actix::test]
async fn which_folders_were_made_is_told_when_everything_before_is_recorded() {
    let scene = Scene::begin();
    scene.record(2..4);
    scene.wait().await;
    scene.record(4..5);
    send(&scene.db, LedgerRequest::BeginMadeFolders);
    settle().await;
    scene.flushed(Ok(())).await;
    assert!(scene.heard.borrow().made_folders.is_empty());
    scene.flushed(Ok(())).await;
    assert_eq!(scene.heard.borrow().made_folders.len(), 1);
    assert_eq!(scene.after_a_crash(), "successful 3");
}

#[actix::test]
async fn after_an_error_of_the_ledger_everything_counts_as_dropped_and_places_come_back() {
    tokio::time::pause();
    let neighbours = Neighbours::default();
    let flusher = neighbours.clone().start().recipient();
    let scene = Scene::begin_with(neighbours, Some(flusher), |writer| writer.poison("the disk is gone"));
    scene.record(2..5);
    scene.wait().await;
    scene.flushed(Ok(())).await;
    assert_eq!(scene.heard.borrow().failed.len(), 1);
    assert_eq!(scene.places.available_permits(), PLACES);
    let closed = scene.finish();
    settle().await;
    scene.flushed(Ok(())).await;
    let closed = closed.await.unwrap();
    assert_eq!((closed.traffic, closed.dropped), (traffic(3, 0), 3));
    assert!(closed.failed.is_some());
}

/// A bug of the Flusher's must not keep the run from its end.
#[actix::test]
async fn a_flusher_that_dies_is_a_flush_that_failed() {
    tokio::time::pause();
    for is_finishing in [false, true] {
        let flusher = FrailFlusher.start().recipient();
        let scene = Scene::begin_with(Neighbours::default(), Some(flusher), |_| {});
        scene.record(2..4);
        if !is_finishing {
            scene.wait().await;
            scene.wait().await;
            assert_eq!(scene.places.available_permits(), PLACES);
        }
        let closed = scene.finish();
        scene.wait().await;
        assert!(closed.is_finished(), "it waits for a Flusher that is dead");
        assert_eq!(closed.await.unwrap().traffic, traffic(2, 0));
        assert_eq!(scene.heard.borrow().gave_up.len(), 1);
        assert_eq!(statuses(&scene.ledger), "");
    }
}
