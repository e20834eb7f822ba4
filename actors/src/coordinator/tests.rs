//! The Coordinator among neighbours that only write down what they are told, or that are a few lines each.

mod death;
mod ending;
mod traffic;
mod traversal;

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use actix::{Addr, ResponseFuture};
use longhaul_ledger::{Folder, FoundFolders, RecordedListing};
use longhaul_model::NodeId;
use tokio::sync::oneshot;

use super::*;
use crate::schedule::ScheduleLimits;

const GRACE: Duration = Duration::from_secs(10);

const ROOMY: ScheduleLimits =
    ScheduleLimits { lead_nodes_max: 100_000, frontier_folders_max: 10_000, in_flight_folders_max: 10_000 };

/// What a neighbour was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    List { side: Side, lister: usize, ids: Vec<i64> },
    Record { side: Side, ids: Vec<i64>, class: ErrorClass, attempts: u32 },
    Pull { side: Side, ids: Range<i64> },
    Finish { phase: Phase, reason: Option<String>, outcome: &'static str },
}

type Log = Rc<RefCell<Vec<Told>>>;

/// A Lister that lists nothing.
struct SilentLister {
    side: Side,
    number: usize,
    log: Log,
}

impl Actor for SilentLister {
    type Context = Context<Self>;
}

impl Handler<ListFolders> for SilentLister {
    type Result = ();

    fn handle(&mut self, ListFolders(folders): ListFolders, _: &mut Self::Context) {
        let ids = folders.iter().map(|folder| folder.id.0).collect();
        self.log.borrow_mut().push(Told::List { side: self.side, lister: self.number, ids });
    }
}

/// A DB actor without a ledger. It answers `Finish` when it is allowed to.
struct SilentDb {
    log: Log,
    may_finish: Option<oneshot::Receiver<()>>,
}

impl Actor for SilentDb {
    type Context = Context<Self>;
}

impl Handler<RecordListings> for SilentDb {
    type Result = ();

    fn handle(&mut self, message: RecordListings, _: &mut Self::Context) {
        assert!(message.permit.is_none(), "what the Coordinator records takes no place");
        for listed in message.listed {
            let Listed::Failed(failed) = listed else { panic!("the Coordinator lists nothing: {listed:?}") };
            let (ids, class) = (vec![failed.folder.id.0], failed.class);
            let told = Told::Record { side: message.side, ids, class, attempts: failed.attempts };
            self.log.borrow_mut().push(told);
        }
    }
}

impl Handler<PullFolders> for SilentDb {
    type Result = ();

    fn handle(&mut self, PullFolders { side, ids }: PullFolders, _: &mut Self::Context) {
        self.log.borrow_mut().push(Told::Pull { side, ids });
    }
}

impl Handler<Finish> for SilentDb {
    type Result = ResponseFuture<Result<Closed, LedgerError>>;

    fn handle(&mut self, Finish { phase, reason, outcome }: Finish, _: &mut Self::Context) -> Self::Result {
        self.log.borrow_mut().push(Told::Finish { phase, reason, outcome });
        let may_finish = self.may_finish.take();
        Box::pin(async move {
            if let Some(may_finish) = may_finish {
                let _ = may_finish.await;
            }
            Ok(Closed { traffic: Traffic { received: 7, answered: 7, dropped: 0 }, ..Closed::default() })
        })
    }
}

/// A Coordinator that has begun, and everything around it.
struct Scene {
    log: Log,
    coordinator: Addr<Coordinator>,
    stop: CancellationToken,
    outcome: oneshot::Receiver<Outcome>,
    may_finish: oneshot::Sender<()>,
    db: Addr<SilentDb>,
}

impl Scene {
    /// With this many Listers a side.
    fn begin(listers: usize, limits: ScheduleLimits) -> Self {
        let log = Log::default();
        let (may_finish, finish_allowed) = oneshot::channel();
        let db = SilentDb { log: log.clone(), may_finish: Some(finish_allowed) }.start();
        let (sender, outcome) = oneshot::channel();
        let stop = CancellationToken::new();
        let lister = |side| {
            let log = &log;
            (0..listers).map(move |number| SilentLister { side, number, log: log.clone() }.start().recipient())
        };
        let links = CoordinatorLinks {
            listers: BySide::from_fn(|side| lister(side).collect()),
            records: db.clone().recipient(),
            pulls: db.clone().recipient(),
            finish: db.clone().recipient(),
            stop: stop.clone(),
            board: Board::default(),
            outcome: sender,
        };
        let schedule = Schedule::new(limits, BySide { src: root(), dst: root() });
        let coordinator = Coordinator::new(schedule, GRACE, links).start();
        Scene { log, coordinator, stop, outcome, may_finish, db }
    }

    /// What the neighbours were told since the last time.
    async fn told(&self) -> Vec<Told> {
        settle().await;
        std::mem::take(&mut self.log.borrow_mut())
    }

    fn recorded(&self, listing: RecordedListing) {
        self.coordinator.do_send(ListingsRecorded(vec![listing]));
    }

    fn done(&self, side: Side, lister: usize, given_back: usize) {
        self.coordinator.do_send(BatchDone { side, lister, given_back, traffic: Traffic::default() });
    }

    /// The source's root is listed and has these folders; they have been given out.
    async fn with_source_folders(listers: usize, count: i64) -> (Self, Vec<Told>) {
        let scene = Scene::begin(listers, ROOMY);
        assert_eq!(scene.told().await, [list(Side::Source, 0, [1])]);
        scene.done(Side::Source, 0, 0);
        scene.recorded(found(Side::Source, 1, (2..2 + count).map(|id| folder(id, id)).collect()));
        let told = scene.told().await;
        (scene, told)
    }
}

/// Lets everybody on this thread do what they have to do.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

fn list<const N: usize>(side: Side, lister: usize, ids: [i64; N]) -> Told {
    Told::List { side, lister, ids: ids.to_vec() }
}

fn root() -> Folder {
    Folder { id: NodeId(1), source_id: NodeId(1), path: "/".to_owned(), depth: 0 }
}

fn folder(id: i64, source_id: i64) -> Folder {
    Folder { id: NodeId(id), source_id: NodeId(source_id), path: format!("/{id}"), depth: 1 }
}

fn found(side: Side, listed: i64, folders: Vec<Folder>) -> RecordedListing {
    let ids = folders.first().map(|first| first.id.0..first.id.plus(folders.len()).0).into_iter().collect();
    RecordedListing {
        side,
        folder: NodeId(listed),
        is_complete: true,
        found: FoundFolders { ids, named: Some(folders) },
    }
}

fn finish(phase: Phase, reason: Option<&str>, outcome: &'static str) -> Told {
    Told::Finish { phase, reason: reason.map(str::to_owned), outcome }
}
