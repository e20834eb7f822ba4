//! Engine: the actors of a run put together, each on its thread, and taken apart again. There is one way to start,
//! whatever the run is about.

use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, ArbiterHandle, AsyncContext, Context, Handler, Recipient};
use longhaul_ledger::{
    CopyDurability, CopyRemaining, CopySettings, CopyWriter, DiscoverWriter, RunWriter, Settings, VerifyRemaining,
    VerifyWriter,
};
use longhaul_model::{BySide, Side, VerifyLevel, decode_name};
use longhaul_storage::{Durability, FileIdentity, Store};
use parking_lot::Mutex;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::attempts::RetryPolicy;
use crate::config::Tuning;
use crate::coordinator::{Coordinator, CoordinatorLinks, Team};
use crate::copying::{Attempted, Copier, CopyContext, CopyReport, CopyWork, HardLinks};
use crate::ending::{Ending, Outcome};
use crate::filter::Filter;
use crate::flusher::Flusher;
use crate::health::Health;
use crate::ledger_actor::LedgerActor;
use crate::messages::{ActorName, BackUp, DeathNotice, Interrupt};
use crate::observer::Observer;
use crate::pace::{Bandwidth, at_their_pace};
use crate::progress::{Board, Progress};
use crate::work::{BATCHES_PER_WORKER, CopySchedule, Plan, Schedule, Shares, Traversal, Verification, Work};
use crate::worker::{LedgerQueue, ListContext, Lister, WorkerLinks};

/// Copiers for remote storage.
const COPIERS_FOR_WAITING: usize = 32;

/// On which threads the actors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The ledger actor has one of its own, and so has every worker whose store blocks; the other workers share one for
    /// each core. Coordinator and Observer are on the caller's.
    Threads,
    /// All are on the caller's, so that with a paused clock the same seed gives the same events in the same order.
    OneThread,
}

/// A run that is about to begin.
#[derive(Debug)]
pub struct Run {
    /// Source and destination.
    pub stores: BySide<Arc<dyn Store>>,
    /// What the run is about, with the writer of its ledger.
    pub task: Task,
}

/// What a run is about.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum Task {
    /// List both trees.
    Traverse {
        /// Of the ledger, which has begun this run.
        writer: DiscoverWriter,
        /// What there is to be listed.
        schedule: Schedule,
        /// What is excluded of the source.
        filter: Option<Filter>,
    },
    /// Carry out the plan.
    Copy {
        /// Of the ledger, which has begun this run.
        writer: CopyWriter,
        /// What the migration keeps to.
        settings: Settings,
        /// How files are copied.
        copying: CopySettings,
        /// What there is to be copied.
        remaining: CopyRemaining,
        /// When what was copied is flushed to disk.
        durability: CopyDurability,
    },
    /// Verify the destination.
    Verify {
        /// Of the ledger, which has begun this run.
        writer: VerifyWriter,
        /// What the migration keeps to.
        settings: Settings,
        /// How files were copied.
        copying: CopySettings,
        /// What there is to be verified.
        remaining: VerifyRemaining,
        /// How thoroughly to verify.
        level: VerifyLevel,
    },
}

/// A run that is under way.
#[derive(Debug)]
pub struct Engine {
    /// Takes an interrupt.
    pub coordinator: Recipient<Interrupt>,
    /// Takes requests for backups of the ledger.
    pub(crate) ledger: Recipient<BackUp>,
    /// Comes when the run has ended and the ledger is closed.
    outcome: oneshot::Receiver<Outcome>,
    arbiters: Vec<Arbiter>,
}

impl Engine {
    /// Starts a run. Must be called inside an actix system.
    pub fn start(run: Run, tuning: &Tuning, latest: Arc<Mutex<Progress>>, placement: Placement) -> Engine {
        let Run { stores, task } = run;
        let observer = (Board::default(), latest);
        match task {
            Task::Traverse { writer, schedule, filter } => {
                traverse(Assembly::new(&stores, writer.into(), false, tuning, placement, observer), schedule, filter)
            }
            Task::Copy { writer, settings, copying, remaining, durability } => {
                let flushes = durability == CopyDurability::Batch;
                let assembly = Assembly::new(&stores, writer.into(), flushes, tuning, placement, observer);
                let large_from = assembly.stores.dst.keeps().parts.then_some(copying.large_from);
                let schedule = CopySchedule::new(&remaining, large_from);
                assembly.board.to_be_copied(remaining.nodes.unsigned_abs(), remaining.bytes.unsigned_abs());
                let context = assembly.copy_context(settings, copying, &remaining);
                let context = CopyContext {
                    durability: if durability == CopyDurability::File {
                        Durability::EachFile
                    } else {
                        Durability::Later
                    },
                    ..context
                };
                employ_copiers(assembly, context, |copiers| {
                    Plan::new(schedule.with_shares(BATCHES_PER_WORKER * copiers), copiers)
                })
            }
            Task::Verify { writer, settings, copying, remaining, level } => {
                let assembly = Assembly::new(&stores, writer.into(), false, tuning, placement, observer);
                assembly.board.to_be_copied(remaining.nodes.unsigned_abs(), remaining.bytes.unsigned_abs());
                let context = assembly.copy_context(settings, copying, &CopyRemaining::default());
                employ_copiers(assembly, CopyContext { level, ..context }, |_| Verification::new(&remaining))
            }
        }
    }

    /// Waits for the end of the run. The threads that are still busy (with a call to a store that does not return,
    /// after the grace period) are left behind.
    pub async fn join(self) -> Result<Outcome, oneshot::error::RecvError> {
        let outcome = self.outcome.await;
        for arbiter in &self.arbiters {
            arbiter.stop();
        }
        let all_ended = outcome.as_ref().is_ok_and(|outcome| outcome.still_running == 0);
        if all_ended {
            for arbiter in self.arbiters {
                // A thread that panicked has said so itself.
                let _ = arbiter.join();
            }
        }
        outcome
    }
}

/// Starts Listers of both sides.
fn traverse(mut assembly: Assembly<'_, Traversal>, schedule: Schedule, filter: Option<Filter>) -> Engine {
    let tuning = assembly.tuning;
    let filter = filter.map(Arc::new);
    let links = assembly.worker_links(tuning.entries_under_way_max);
    let stores = assembly.stores.clone();
    let mut shares = BySide::from_fn(|_| Shares::new(1, false));
    let mut teams = Vec::new();
    for side in Side::BOTH {
        let capabilities = stores[side].capabilities();
        let listers = tuning.workers.unwrap_or(capabilities.listings_at_once).max(1);
        shares[side] = Shares::new(listers, !capabilities.blocks_thread);
        let context = ListContext {
            side,
            store: stores[side].clone(),
            retry: RetryPolicy::from(tuning),
            health: Health::new(tuning.give_up_after),
            filter: filter.clone().filter(|_| side == Side::Source),
            stop: assembly.stop.clone(),
        };
        let names = (0..listers).map(|number| ActorName::Lister(side, number)).collect();
        teams.push(assembly.team(names, capabilities.blocks_thread, |name, death_notice| {
            Lister::new(name, context.clone(), links.clone(), death_notice)
        }));
    }
    assembly.run(Traversal::new(schedule, shares), teams)
}

/// Starts Copiers. `work` is made for as many as there are.
fn employ_copiers<W: Work<Batch = CopyWork, Report = CopyReport>>(
    mut assembly: Assembly<'_, W>,
    context: CopyContext,
    work: impl FnOnce(usize) -> W,
) -> Engine {
    let tuning = assembly.tuning;
    let context = Arc::new(context);
    let links = assembly.worker_links(tuning.results_under_way_max);
    let blocks = BySide::from_fn(|side| assembly.stores[side].capabilities().blocks_thread);
    let by_default = if blocks.src && blocks.dst { cores().clamp(2, 8) } else { COPIERS_FOR_WAITING };
    let copiers = tuning.copiers.unwrap_or(by_default).max(1);
    let names = (0..copiers).map(ActorName::Copier).collect();
    // What blocks, on either side, blocks the thread.
    let team = assembly.team(names, blocks.src || blocks.dst, |name, death_notice| {
        Copier::new(name, context.clone(), links.clone(), death_notice)
    });
    assembly.run(work(copiers), vec![team])
}

/// The actors that every run has, before its workers are hired.
struct Assembly<'a, W: Work> {
    tuning: &'a Tuning,
    placement: Placement,
    arbiters: Vec<Arbiter>,
    /// The actors know each other in circles, so the Coordinator's address exists before it does.
    coordinator: Context<Coordinator<W>>,
    ledger: Addr<LedgerActor>,
    /// With their calls at their pace.
    stores: BySide<Arc<dyn Store>>,
    stop: CancellationToken,
    board: Board,
    latest: Arc<Mutex<Progress>>,
}

impl<'a, W: Work> Assembly<'a, W> {
    fn new(
        stores: &BySide<Arc<dyn Store>>,
        writer: RunWriter,
        is_flushed: bool,
        tuning: &'a Tuning,
        placement: Placement,
        (board, latest): (Board, Arc<Mutex<Progress>>),
    ) -> Self {
        let coordinator = Context::<Coordinator<W>>::new();
        let mut arbiters = Vec::new();
        let ledger = {
            let (coordinator, store, board) = (coordinator.address(), stores.dst.clone(), board.clone());
            let flush_thread = is_flushed.then(|| own_thread(placement, &mut arbiters));
            let commit_interval = tuning.commit_interval;
            let thread = own_thread(placement, &mut arbiters);
            start_on(thread.as_ref(), move |ctx: &mut Context<LedgerActor>| {
                let notice = |name| DeathNotice::new(name, coordinator.clone().recipient());
                let flusher = flush_thread.map(|thread| {
                    let flusher = Flusher::new(store, ctx.address().recipient(), notice(ActorName::Flusher));
                    start_on(thread.as_ref(), |_| flusher).recipient()
                });
                let (replies, notice) = (coordinator.clone().recipient(), notice(ActorName::Ledger));
                LedgerActor::new(writer, commit_interval, flusher, replies, notice, board)
            })
        };
        let stop = CancellationToken::new();
        let stores = at_their_pace(stores, tuning, &stop, &ledger.clone().recipient());
        Assembly { tuning, placement, arbiters, coordinator, ledger, stores, stop, board, latest }
    }

    /// The links of all workers, who have this many places on the way to the ledger.
    fn worker_links(&self, places_max: usize) -> WorkerLinks<W::Report> {
        let coordinator = self.coordinator.address();
        WorkerLinks {
            ledger: LedgerQueue::new(self.ledger.clone().recipient(), places_max),
            done: coordinator.clone().recipient(),
            gave_up: coordinator.recipient(),
        }
    }

    /// Starts workers. Each one whose calls block has a thread of its own.
    fn team<A>(&mut self, names: Vec<ActorName>, blocks: bool, make: impl Fn(ActorName, DeathNotice) -> A) -> Team<W>
    where
        A: Actor<Context = Context<A>> + Handler<W::Batch> + Send,
    {
        let count = if blocks { names.len() } else { names.len().min(cores()) };
        let threads: Vec<_> = (0..count).map(|_| own_thread(self.placement, &mut self.arbiters)).collect();
        let start = |(number, name): (usize, ActorName)| {
            let actor = make(name, DeathNotice::new(name, self.coordinator.address().recipient()));
            (name, start_on(threads[number % count].as_ref(), |_| actor).recipient())
        };
        names.into_iter().enumerate().map(start).collect()
    }

    /// What all Copiers have in common, where nothing more is said.
    fn copy_context(&self, mut settings: Settings, copying: CopySettings, remaining: &CopyRemaining) -> CopyContext {
        if let Some(step_ns) = copying.time_step_ns {
            settings.comparison = settings.comparison.with_time_step(step_ns);
        }
        let linked = remaining.linked.iter().filter_map(|(device, inode, path)| {
            let identity = FileIdentity { device: device.cast_unsigned(), inode: inode.cast_unsigned() };
            Some((identity, decode_name(path).ok()?))
        });
        CopyContext {
            settings,
            copying,
            level: VerifyLevel::default(),
            durability: Durability::Later,
            temporary_prefix: remaining.temporary_prefix.clone(),
            begun_below: remaining.begun_below,
            retry: RetryPolicy::from(self.tuning),
            health: BySide::from_fn(|_| Health::new(self.tuning.give_up_after)),
            links: HardLinks::new(linked),
            attempted: Attempted::default(),
            bandwidth: Bandwidth::new(self.tuning.bandwidth),
            board: self.board.clone(),
            stop: self.stop.clone(),
            stores: self.stores.clone(),
        }
    }

    /// Starts the Coordinator.
    fn run(self, work: W, teams: Vec<Team<W>>) -> Engine {
        let (outcome_sender, outcome) = oneshot::channel();
        let ending = Ending::new(self.stop, self.tuning.grace, outcome_sender);
        let ledger = self.ledger.clone().recipient();
        let links = CoordinatorLinks { teams, ledger: self.ledger.recipient(), board: self.board.clone() };
        let coordinator = self.coordinator.run(Coordinator::new(work, ending, links)).recipient();
        Observer::new(self.board, self.latest).start();
        Engine { coordinator, ledger, outcome, arbiters: self.arbiters }
    }
}

fn own_thread(placement: Placement, arbiters: &mut Vec<Arbiter>) -> Option<ArbiterHandle> {
    match placement {
        Placement::OneThread => None,
        Placement::Threads => {
            let arbiter = Arbiter::new();
            let handle = arbiter.handle();
            arbiters.push(arbiter);
            Some(handle)
        }
    }
}

fn start_on<A: Actor<Context = Context<A>>>(
    thread: Option<&ArbiterHandle>,
    make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
) -> Addr<A> {
    match thread {
        Some(arbiter) => A::start_in_arbiter(arbiter, make),
        None => A::create(make),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
