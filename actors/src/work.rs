//! Work: what a run is about, as plain state that facts go into and decisions come out of. The Coordinator drives it; it
//! knows nothing of actors and does no I/O.
//!
//! | work | batches go to | the ledger is asked for | next phase |
//! |---|---|---|---|
//! | [`Traversal`] | Listers of both sides | folders to be listed | review |
//! | [`Plan`] | Copiers | items of the plan, then folders that were created | verifying |
//! | [`Verification`] | Copiers | nodes expected on the destination | complete |

mod plan;
mod traversal;
mod verification;

use std::fmt::Debug;

use actix::Message;
use longhaul_model::{BySide, Phase};

pub(crate) use self::plan::{CopySchedule, Plan};
#[cfg(test)]
pub(crate) use self::traversal::{BATCH_FOLDERS_MAX, made_up};
pub use self::traversal::{Schedule, ScheduleLimits};
pub(crate) use self::traversal::{Shares, Traversal};
pub(crate) use self::verification::Verification;
use crate::messages::{ActorName, LedgerReply, LedgerRequest};
use crate::progress::Board;
use crate::traffic::Traffic;

/// Batches that a worker may have: one that it works on, and one so that it never waits for the next.
pub(crate) const BATCHES_PER_WORKER: usize = 2;

/// What a run is about.
pub(crate) trait Work: Debug + Unpin + 'static {
    /// What is assigned to a worker.
    type Batch: Message<Result = ()> + Debug + Send + 'static;

    /// What a worker says when it has finished one.
    type Report: Debug + Send + 'static;

    /// The migration's phase when all of it is done.
    const NEXT_PHASE: Phase;

    /// The next request to the ledger, if it is time for one; its reply counts as awaited from then on.
    fn next_request(&mut self) -> Option<LedgerRequest>;

    /// A reply has come.
    ///
    /// # Panics
    ///
    /// When nothing was asked that it could be the answer to.
    fn reply(&mut self, reply: LedgerReply);

    /// The next batch for this worker, if there is any; it counts as in flight from then on.
    fn next_batch(&mut self, worker: ActorName) -> Option<Self::Batch>;

    /// How much a batch is in the count of what was assigned.
    fn size(batch: &Self::Batch) -> u64;

    /// A worker has finished a batch.
    fn done(&mut self, worker: ActorName, report: Self::Report) -> Settled;

    /// Whether nothing waits, nothing is in flight and no reply is awaited.
    fn is_over(&self) -> bool;

    /// Shows how much is in flight and waits.
    fn show(&self, board: &Board);

    /// What the workers themselves counted, where they do.
    fn workers_traffic(&self) -> BySide<Traffic> {
        BySide::default()
    }
}

/// What a finished batch means.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// How much of what was assigned is answered by this.
    pub(crate) answered: u64,
    /// How much of it was not done, because the run is being stopped, and is pending again.
    pub(crate) given_back: usize,
    /// What is to be recorded of it, even while the run is being stopped.
    pub(crate) record: Option<LedgerRequest>,
}
