//! What workers of every kind have in common: their ways to the ledger actor and to the Coordinator.

mod lister;

use std::sync::Arc;

use actix::Recipient;
use longhaul_model::Side;
use longhaul_storage::StoreError;
use tokio::sync::Semaphore;

pub(crate) use self::lister::{ListContext, Lister};
use crate::messages::{ActorName, LedgerRequest, Permitted, StoreGaveUp, WorkDone};

/// The way to the ledger actor, shared by all workers of a run: it bounds how much is under way to the ledger.
#[derive(Clone, Debug)]
pub(crate) struct LedgerQueue {
    ledger: Recipient<Permitted<LedgerRequest>>,
    /// Places for entries, or results, that are under way to the ledger or wait for a commit.
    places: Arc<Semaphore>,
    places_max: usize,
}

impl LedgerQueue {
    /// A queue with this many places.
    pub(crate) fn new(ledger: Recipient<Permitted<LedgerRequest>>, places_max: usize) -> Self {
        LedgerQueue { ledger, places: Arc::new(Semaphore::new(places_max)), places_max }
    }

    /// Sends a request when there is room for what is in it. A request larger than all places takes all of them.
    pub(crate) async fn send(&self, request: LedgerRequest, places: usize) {
        let places = u32::try_from(places.min(self.places_max)).expect("places are fewer than 2^32");
        // The semaphore is never closed: only then could this fail.
        let permit = self.places.clone().acquire_many_owned(places).await.ok();
        self.ledger.do_send(Permitted { message: request, permit });
    }

    /// The places themselves.
    #[cfg(test)]
    pub(crate) fn places(&self) -> &Arc<Semaphore> {
        &self.places
    }
}

/// The actors that a worker talks to.
#[derive(Debug)]
pub(crate) struct WorkerLinks<R: Send + 'static> {
    /// Takes what was found or done.
    pub(crate) ledger: LedgerQueue,
    /// Learns that a batch is finished.
    pub(crate) done: Recipient<WorkDone<R>>,
    /// Learns that a store gave up.
    pub(crate) gave_up: Recipient<StoreGaveUp>,
}

impl<R: Send + 'static> Clone for WorkerLinks<R> {
    fn clone(&self) -> Self {
        WorkerLinks { ledger: self.ledger.clone(), done: self.done.clone(), gave_up: self.gave_up.clone() }
    }
}

impl<R: Send + 'static> WorkerLinks<R> {
    /// Reports that a batch is finished.
    pub(crate) fn done(&self, worker: ActorName, report: R) {
        self.done.do_send(WorkDone { worker, report });
    }

    /// Has the run suspended: this store cannot be used any more.
    pub(crate) fn suspend(&self, side: Side, path: String, error: StoreError) {
        // Whoever started the run is told as well, and says it louder.
        tracing::info!(%side, path, class = %error.class, "{error}");
        self.gave_up.do_send(StoreGaveUp { side, path, error });
    }
}
