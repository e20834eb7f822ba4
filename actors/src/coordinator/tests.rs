//! The Coordinator among neighbours that only write down what they are told, or that are a few lines each.

mod death;
mod ending;
mod plan;
mod traffic;
mod traversal;

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use std::time::Duration;

use actix::{Addr, WrapFuture};
use longhaul_ledger::{Folder, FoundFolders, LedgerError, RecordedListing, ToList};
use longhaul_model::{BySide, ErrorClass, NodeId, Phase, Side};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::messages::{Finish, ListFolders, Listed, ListingReport};
use crate::work::made_up::{folder, found, root};
use crate::work::{Schedule, ScheduleLimits, Shares, Traversal};

const GRACE: Duration = Duration::from_secs(10);

const ROOMY: ScheduleLimits =
    ScheduleLimits { lead_nodes_max: 100_000, frontier_folders_max: 10_000, in_flight_folders_max: 10_000 };

/// What a neighbour was told.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    List { side: Side, lister: usize, ids: Vec<i64> },
    Record { side: Side, ids: Vec<i64>, class: ErrorClass, attempts: u32 },
    Pull { side: Side, ids: Range<i64> },
    Finish { phase: Phase, reason: Option<String>, outcome: String },
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

/// A ledger actor without a ledger. It answers `Finish` when it is allowed to.
struct SilentLedger {
    log: Log,
    coordinator: Recipient<LedgerReply>,
    may_finish: Option<oneshot::Receiver<()>>,
}

impl Actor for SilentLedger {
    type Context = Context<Self>;
}

impl Handler<Permitted<LedgerRequest>> for SilentLedger {
    type Result = ();

    fn handle(&mut self, request: Permitted<LedgerRequest>, ctx: &mut Self::Context) {
        assert!(request.permit.is_none(), "what the Coordinator records takes no place");
        let mut log = self.log.borrow_mut();
        match request.message {
            LedgerRequest::Listings { side, listed } => log.extend(listed.into_iter().map(|listed| {
                let Listed::Failed(failed) = listed else { panic!("the Coordinator lists nothing: {listed:?}") };
                let (ids, class) = (vec![failed.folder.id.0], failed.class);
                Told::Record { side, ids, class, attempts: failed.attempts }
            })),
            LedgerRequest::PullFolders { side, ids } => log.push(Told::Pull { side, ids }),
            LedgerRequest::Finish(Finish { phase, reason, outcome }) => {
                log.push(Told::Finish { phase, reason, outcome });
                let (may_finish, coordinator) = (self.may_finish.take(), self.coordinator.clone());
                let answer = async move {
                    if let Some(may_finish) = may_finish {
                        let _ = may_finish.await;
                    }
                    let traffic = Traffic { received: 7, answered: 7, dropped: 0 };
                    coordinator.do_send(LedgerReply::Closed(Ok(Closed { traffic, ..Closed::default() })));
                };
                ctx.spawn(answer.into_actor(self));
            }
            request => panic!("a traversal does not ask for this: {request:?}"),
        }
    }
}

/// The Coordinator of a traversal, with Listers that are on this thread.
fn start(
    context: Context<Coordinator<Traversal>>,
    limits: ScheduleLimits,
    listers: BySide<Vec<Recipient<ListFolders>>>,
    ledger: Recipient<Permitted<LedgerRequest>>,
    stop: CancellationToken,
    outcome: oneshot::Sender<Outcome>,
) -> Addr<Coordinator<Traversal>> {
    let schedule = Schedule::new(limits, ToList::Roots(BySide { src: root(), dst: root() }));
    let shares = BySide::from_fn(|side| Shares::new(listers[side].len(), false));
    let name = |side, addresses: Vec<_>| {
        addresses.into_iter().enumerate().map(|(number, address)| (ActorName::Lister(side, number), address)).collect()
    };
    let teams = vec![name(Side::Source, listers.src), name(Side::Destination, listers.dst)];
    let links = CoordinatorLinks { teams, ledger, board: Board::default() };
    let ending = Ending::new(stop, GRACE, outcome);
    context.run(Coordinator::new(Traversal::new(schedule, shares), ending, links))
}

/// A Coordinator that has begun, and everything around it.
struct Scene {
    log: Log,
    coordinator: Addr<Coordinator<Traversal>>,
    stop: CancellationToken,
    outcome: oneshot::Receiver<Outcome>,
    may_finish: oneshot::Sender<()>,
    ledger: Addr<SilentLedger>,
}

impl Scene {
    /// With this many Listers a side.
    fn begin(listers: usize, limits: ScheduleLimits) -> Self {
        let log = Log::default();
        let (may_finish, finish_allowed) = oneshot::channel();
        let context = Context::new();
        let replies = context.address().recipient();
        let ledger = SilentLedger { log: log.clone(), coordinator: replies, may_finish: Some(finish_allowed) }.start();
        let (sender, outcome) = oneshot::channel();
        let stop = CancellationToken::new();
        let lister = |side| {
            let log = &log;
            (0..listers).map(move |number| SilentLister { side, number, log: log.clone() }.start().recipient())
        };
        let listers = BySide::from_fn(|side| lister(side).collect());
        let coordinator = start(context, limits, listers, ledger.clone().recipient(), stop.clone(), sender);
        Scene { log, coordinator, stop, outcome, may_finish, ledger }
    }

    /// What the neighbours were told since the last time.
    async fn told(&self) -> Vec<Told> {
        settle().await;
        std::mem::take(&mut self.log.borrow_mut())
    }

    fn recorded(&self, listing: RecordedListing) {
        self.coordinator.do_send(LedgerReply::ListingsRecorded(vec![listing]));
    }

    fn done(&self, side: Side, lister: usize, given_back: usize) {
        self.coordinator.do_send(done(side, lister, given_back));
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

fn done(side: Side, lister: usize, given_back: usize) -> WorkDone<ListingReport> {
    let report = ListingReport { given_back, traffic: Traffic::default() };
    WorkDone { worker: ActorName::Lister(side, lister), report }
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

fn finish(phase: Phase, reason: Option<&str>, outcome: &str) -> Told {
    Told::Finish { phase, reason: reason.map(str::to_owned), outcome: outcome.to_owned() }
}
