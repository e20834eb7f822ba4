//! Actors that die: bugs, but not a reason to wait for ever.

use std::sync::Arc;

use longhaul_ledger::{DiscoverWriter, ListedPage, MigrationSpec, Resources, Settings, ToList};
use longhaul_model::{Comparison, Page};
use longhaul_storage::{Capabilities, PageStream, Store};
use parking_lot::Mutex;

use super::*;
use crate::config::Tuning;
use crate::engine::{Engine, Placement, Run, Task};
use crate::ledger_actor::LedgerActor;
use crate::messages::DeathNotice;
use crate::progress::Progress;

/// Longer than anything that is waited for on purpose. The clock is paused, so it costs nothing.
const LONG: Duration = Duration::from_hours(1);

pub(super) fn writer(folder: &tempfile::TempDir) -> DiscoverWriter {
    let settings = Settings::new(Comparison::for_resolutions(1, 1));
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
    let path = folder.path().join("ledger.duckdb");
    let created = longhaul_ledger::create(&path, &spec, &Resources::default(), 0).unwrap();
    created.discover("test", || 0).unwrap().0
}

#[actix::test]
async fn a_dead_ledger_actor_is_reported_as_broken() {
    let Scene { coordinator, ledger, outcome, may_finish, .. } = busy_with_the_root().await;
    drop(may_finish);
    ledger.do_send(Die);
    settle().await;
    coordinator.do_send(done(Side::Source, 0, 1));
    coordinator.do_send(Interrupt);
    let outcome = outcome.await.unwrap();
    assert!(matches!(outcome.ended, Ended::Broken(_)), "{outcome:?}");
}

async fn busy_with_the_root() -> Scene {
    let scene = Scene::begin(1, ROOMY);
    assert_eq!(scene.told().await, [list(Side::Source, 0, [1])]);
    scene
}

#[derive(actix::Message)]
#[rtype(result = "()")]
struct Die;

impl Handler<Die> for SilentLedger {
    type Result = ();

    fn handle(&mut self, _: Die, ctx: &mut Self::Context) {
        ctx.terminate();
    }
}

/// Nobody interrupts it: the run has to notice by itself.
#[actix::test]
async fn a_ledger_actor_that_panics_ends_the_run_as_broken() {
    tokio::time::pause();
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    let (outcome_sender, outcome) = oneshot::channel();
    let context = Context::new();
    let address = context.address();
    let notice = DeathNotice::new(ActorName::Ledger, address.clone().recipient());
    let interval = Duration::from_millis(500);
    let ledger =
        LedgerActor::new(writer(&folder).into(), interval, None, address.recipient(), notice, Board::default()).start();
    let lister = |side| SilentLister { side, number: 0, log: log.clone() }.start().recipient();
    let listers = BySide { src: vec![lister(Side::Source)], dst: vec![lister(Side::Destination)] };
    let requests = ledger.clone().recipient();
    let coordinator = start(context, ROOMY, listers, requests, CancellationToken::new(), outcome_sender);
    settle().await;
    // No tree is as deep as this: the arithmetic of it overflows.
    let folder = Folder { depth: i32::MAX, ..root() };
    let page = ListedPage { folder, page: Page::default(), is_last: true, attempts: 1 };
    let request = LedgerRequest::Listings { side: Side::Source, listed: vec![Listed::Page(page)] };
    ledger.do_send(Permitted::from(request));
    coordinator.do_send(done(Side::Source, 0, 0));
    let outcome = tokio::time::timeout(LONG, outcome).await.expect("the run hangs").unwrap();
    assert!(matches!(outcome.ended, Ended::Broken(_)), "{outcome:?}");
}

pub(super) fn traversal(stores: BySide<Arc<dyn Store>>, writer: DiscoverWriter) -> Run {
    let schedule = Schedule::new(ROOMY, ToList::Roots(BySide { src: root(), dst: root() }));
    Run { stores, task: Task::Traverse { writer, schedule, filter: None } }
}

#[derive(Debug)]
struct PanickingStore;

impl Store for PanickingStore {
    fn location(&self) -> String {
        "panic:".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::default()
    }

    fn list(self: Arc<Self>, _: &[u8]) -> PageStream {
        panic!("a bug in a store")
    }
}

#[actix::test]
async fn a_lister_that_panics_ends_the_run_as_broken() {
    tokio::time::pause();
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(PanickingStore);
    let engine = Engine::start(
        traversal(BySide { src: store.clone(), dst: store }, writer(&folder)),
        &Tuning::default(),
        Arc::new(Mutex::new(Progress::default())),
        Placement::OneThread,
    );
    let outcome = tokio::time::timeout(LONG, engine.join()).await.expect("the run hangs").unwrap();
    assert!(matches!(outcome.ended, Ended::Broken(_)), "{outcome:?}");
}
