//! Putting the actors together, each on its thread, and taking them apart again.

use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, AsyncContext, Context, Recipient};
use longhaul_ledger::Recorder;
use longhaul_model::{BySide, Side};
use longhaul_storage::Store;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::Tuning;
use crate::coordinator::{BATCH_FOLDERS_MAX, Coordinator, CoordinatorLinks};
use crate::db::{DbActor, DbLinks};
use crate::ending::Outcome;
use crate::filter::Filter;
use crate::health::Health;
use crate::lister::{Lister, ListerLinks};
use crate::messages::Interrupt;
use crate::observer::Observer;
use crate::pace::at_their_pace;
use crate::progress::{Board, Progress};
use crate::retry::RetryPolicy;
use crate::schedule::Schedule;

/// On which threads the actors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The DB actor has one of its own, and so has every Lister whose store blocks; the other Listers share one for
    /// each core. Coordinator and Observer are on the caller's.
    Threads,
    /// All are on the caller's, so that with a paused clock the same seed gives the same events in the same order.
    OneThread,
}

/// A run that is under way.
#[derive(Debug)]
pub struct Engine {
    /// Who takes an interrupt.
    pub coordinator: Recipient<Interrupt>,
    /// Comes when the run has ended and the ledger is closed.
    pub outcome: oneshot::Receiver<Outcome>,
    pub(crate) arbiters: Vec<Arbiter>,
}

impl Engine {
    /// Starts a traversal of what `schedule` begins with, by the filter in the ledger. Must be called inside an actix
    /// system.
    ///
    /// # Panics
    ///
    /// When the filter in the ledger cannot be understood: see [`Filter::new`].
    pub fn start(
        stores: &BySide<Arc<dyn Store>>,
        recorder: Recorder,
        schedule: Schedule,
        tuning: &Tuning,
        latest: Arc<Mutex<Progress>>,
        placement: Placement,
    ) -> Engine {
        let filter =
            Filter::new(recorder.filter()).expect("whoever opened the ledger has tried its filter").map(Arc::new);
        let board = Board::default();
        let stop = CancellationToken::new();
        let places = Arc::new(Semaphore::new(tuning.entries_under_way_max));
        let (outcome_sender, outcome) = oneshot::channel();
        let mut arbiters = Vec::new();

        // The actors know each other in a circle, so the Coordinator's address has to be there before it is made.
        let coordinator_context = Context::<Coordinator>::new();
        let coordinator = coordinator_context.address();
        let db = {
            let links = DbLinks {
                recorded: coordinator.clone().recipient(),
                pulled: coordinator.clone().recipient(),
                failed: coordinator.clone().recipient(),
                died: coordinator.clone().recipient(),
                board: board.clone(),
            };
            let actor = DbActor::new(recorder, tuning.commit_interval, links);
            start_on(own_thread(placement, &mut arbiters).as_ref(), actor)
        };
        let stores = &at_their_pace(stores, tuning, &stop, &db.clone().recipient());
        let retry = RetryPolicy::from(tuning);
        let listers = BySide::from_fn(|side| {
            let store = &stores[side];
            let capabilities = store.capabilities();
            let health = Health::new(tuning.give_up_after);
            let count = tuning.workers.unwrap_or(capabilities.listings_at_once).max(1);
            let threads = if capabilities.blocks_thread { count } else { count.min(cores()) };
            let threads: Vec<_> = (0..threads).map(|_| own_thread(placement, &mut arbiters)).collect();
            (0..count)
                .map(|number| {
                    let links = ListerLinks {
                        records: db.clone().recipient(),
                        done: coordinator.clone().recipient(),
                        gave_up: coordinator.clone().recipient(),
                        died: coordinator.clone().recipient(),
                        health: health.clone(),
                        places: places.clone(),
                        places_max: tuning.entries_under_way_max,
                        stop: stop.clone(),
                    };
                    let mut actor = Lister::new(side, number, store.clone(), retry, links);
                    if side == Side::Source {
                        actor = actor.with_filter(filter.clone());
                    }
                    start_on(threads[number % threads.len()].as_ref(), actor).recipient()
                })
                .collect()
        });
        let links = CoordinatorLinks {
            listers,
            records: db.clone().recipient(),
            pulls: db.clone().recipient(),
            finish: db.recipient(),
            stop,
            board: board.clone(),
            outcome: outcome_sender,
        };
        let batches =
            BySide::from_fn(|side| if stores[side].capabilities().blocks_thread { BATCH_FOLDERS_MAX } else { 1 });
        let actor = Coordinator::new(schedule, tuning.grace, links).with_batches(batches);
        let coordinator = coordinator_context.run(actor);
        Observer::new(board, latest).start();
        Engine { coordinator: coordinator.recipient(), outcome, arbiters }
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

pub(crate) fn own_thread(placement: Placement, arbiters: &mut Vec<Arbiter>) -> Option<actix::ArbiterHandle> {
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

pub(crate) fn start_on<A: Actor<Context = Context<A>> + Send>(
    thread: Option<&actix::ArbiterHandle>,
    actor: A,
) -> Addr<A> {
    match thread {
        Some(arbiter) => A::start_in_arbiter(arbiter, |_| actor),
        None => actor.start(),
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(2, std::num::NonZero::get)
}
