//! Putting the actors of a copy, or of a verification, together, each on its thread.

use std::sync::Arc;

use actix::{Actor, AsyncContext, Context};
use longhaul_ledger::{CopyDurability, CopyRemaining, CopySettings, Recorder, Settings, VerifyRemaining};
use longhaul_model::{BySide, VerifyLevel, decode_name};
use longhaul_storage::{Durability, FileIdentity, Store};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::context::{Attempted, CopyContext};
use super::coordinator::{Agenda, CopyCoordinator, CopyCoordinatorLinks, WORK_PER_COPIER};
use super::copier::{Copier, CopierLinks};
use super::db::{CopyDbActor, CopyDbLinks};
use super::hard_links::HardLinks;
use super::schedule::CopySchedule;
use super::verify_schedule::VerifySchedule;
use crate::config::Tuning;
use crate::engine::{Engine, Placement, cores, own_thread, start_on};
use crate::flusher::Flusher;
use crate::health::Health;
use crate::observer::Observer;
use crate::pace::{Bandwidth, at_their_pace};
use crate::progress::{Board, Progress};
use crate::retry::RetryPolicy;

/// Copiers for stores that are far away.
const COPIERS_FOR_WAITING: usize = 32;

/// A copy, or a verification, that is about to begin.
#[derive(Debug)]
pub struct CopyRun {
    /// Where files are read, and where they are written.
    pub stores: BySide<Arc<dyn Store>>,
    /// Has begun to copy, or to verify.
    pub recorder: Recorder,
    /// What the migration keeps to.
    pub settings: Settings,
    /// How files are copied.
    pub copying: CopySettings,
    /// What there is to do.
    pub task: Task,
}

/// What there is to do.
#[derive(Debug)]
pub enum Task {
    /// Copy this.
    Copy {
        /// What there is to be copied.
        remaining: CopyRemaining,
        /// When what was copied is made durable.
        durability: CopyDurability,
    },
    /// Verify this.
    Verify {
        /// What there is to be verified.
        remaining: VerifyRemaining,
        /// How closely it is looked.
        level: VerifyLevel,
    },
}

impl Task {
    /// What the Coordinator, and what the others have to know of it.
    fn into_parts(
        self,
        large_from: Option<u64>,
        copiers: usize,
        board: &Board,
    ) -> (Agenda, CopyRemaining, CopyDurability, VerifyLevel) {
        match self {
            Task::Copy { remaining, durability } => {
                board.to_be_copied(remaining.nodes.unsigned_abs(), remaining.bytes.unsigned_abs());
                let schedule = CopySchedule::new(&remaining, large_from).with_shares(WORK_PER_COPIER * copiers);
                (Agenda::Plan(schedule), remaining, durability, VerifyLevel::default())
            }
            Task::Verify { remaining, level } => {
                board.to_be_copied(remaining.nodes.unsigned_abs(), remaining.bytes.unsigned_abs());
                let schedule = VerifySchedule::new(&remaining);
                (Agenda::Verification(schedule), CopyRemaining::default(), CopyDurability::None, level)
            }
        }
    }
}

impl Engine {
    /// Starts a copy, or a verification. Must be called inside an actix system.
    pub fn start_copy(run: CopyRun, tuning: &Tuning, latest: Arc<Mutex<Progress>>, placement: Placement) -> Engine {
        let CopyRun { stores, recorder, mut settings, copying, task } = run;
        if let Some(step_ns) = copying.time_step_ns {
            settings.comparison = settings.comparison.with_time_step(step_ns);
        }
        let board = Board::default();
        let large_from = stores.dst.keeps().parts.then_some(copying.large_from);
        let count = copier_count(&stores, tuning);
        let (agenda, remaining, durability, level) = task.into_parts(large_from, count, &board);
        let stop = CancellationToken::new();
        let (outcome_sender, outcome) = oneshot::channel();
        let mut arbiters = Vec::new();

        // The actors know each other in circles, so the addresses have to be there before their actors are.
        let coordinator_context = Context::<CopyCoordinator>::new();
        let coordinator = coordinator_context.address();
        let db = {
            let (links_of, store) = (coordinator.clone(), stores.dst.clone());
            let (flush_thread, commit_interval) = (
                (durability == CopyDurability::Batch).then(|| own_thread(placement, &mut arbiters)),
                tuning.commit_interval,
            );
            start_on_with(own_thread(placement, &mut arbiters).as_ref(), move |ctx: &mut Context<CopyDbActor>| {
                let flusher = flush_thread.map(|thread| {
                    let flusher = Flusher::new(store, ctx.address().recipient(), links_of.clone().recipient());
                    start_on(thread.as_ref(), flusher).recipient()
                });
                let links = CopyDbLinks {
                    pulled: links_of.clone().recipient(),
                    expected: links_of.clone().recipient(),
                    made_folders: links_of.clone().recipient(),
                    folders_pulled: links_of.clone().recipient(),
                    flusher,
                    gave_up: links_of.clone().recipient(),
                    failed: links_of.clone().recipient(),
                    died: links_of.recipient(),
                };
                CopyDbActor::new(recorder, commit_interval, links)
            })
        };
        let stores = at_their_pace(&stores, tuning, &stop, &db.clone().recipient());
        let linked = remaining.linked.iter().filter_map(|(device, inode, path)| {
            let identity = FileIdentity { device: device.cast_unsigned(), inode: inode.cast_unsigned() };
            Some((identity, decode_name(path).ok()?))
        });
        let context = Arc::new(CopyContext {
            settings,
            copying,
            level,
            durability: if durability == CopyDurability::File { Durability::EachFile } else { Durability::Later },
            temporary_prefix: remaining.temporary_prefix.clone(),
            begun_below: remaining.begun_below,
            retry: RetryPolicy::from(tuning),
            health: BySide::from_fn(|_| Health::new(tuning.give_up_after)),
            links: HardLinks::new(linked),
            attempted: Attempted::default(),
            bandwidth: Bandwidth::new(tuning.bandwidth),
            board: board.clone(),
            stop: stop.clone(),
            stores: stores.clone(),
        });
        let places = Arc::new(Semaphore::new(tuning.results_under_way_max));
        let copiers = {
            // Whatever blocks, on either side, blocks the thread.
            let any_blocks = stores.src.capabilities().blocks_thread || stores.dst.capabilities().blocks_thread;
            let threads = if any_blocks { count } else { count.min(cores()) };
            let threads: Vec<_> = (0..threads).map(|_| own_thread(placement, &mut arbiters)).collect();
            (0..count)
                .map(|number| {
                    let links = CopierLinks {
                        records: db.clone().recipient(),
                        done: coordinator.clone().recipient(),
                        gave_up: coordinator.clone().recipient(),
                        died: coordinator.clone().recipient(),
                        places: places.clone(),
                        places_max: tuning.results_under_way_max,
                        board: board.clone(),
                    };
                    let actor = Copier::new(number, context.clone(), links);
                    start_on(threads[number % threads.len()].as_ref(), actor).recipient()
                })
                .collect()
        };
        let links = CopyCoordinatorLinks {
            copiers,
            pulls: db.clone().recipient(),
            expected_pulls: db.clone().recipient(),
            records: db.clone().recipient(),
            made_folders: db.clone().recipient(),
            folder_pulls: db.clone().recipient(),
            finish: db.recipient(),
            stop,
            board: board.clone(),
            outcome: outcome_sender,
        };
        let coordinator = coordinator_context.run(CopyCoordinator::new(agenda, tuning.grace, links));
        Observer::new(board, latest).start();
        Engine { coordinator: coordinator.recipient(), outcome, arbiters }
    }
}

fn copier_count(stores: &BySide<Arc<dyn Store>>, tuning: &Tuning) -> usize {
    let blocks = stores.src.capabilities().blocks_thread && stores.dst.capabilities().blocks_thread;
    let by_default = if blocks { cores().clamp(2, 8) } else { COPIERS_FOR_WAITING };
    tuning.copiers.unwrap_or(by_default).max(1)
}

/// As [`start_on`], for an actor that needs its own address to be made.
fn start_on_with<A: Actor<Context = Context<A>>>(
    thread: Option<&actix::ArbiterHandle>,
    make: impl FnOnce(&mut Context<A>) -> A + Send + 'static,
) -> actix::Addr<A> {
    match thread {
        Some(arbiter) => A::start_in_arbiter(arbiter, make),
        None => A::create(make),
    }
}
