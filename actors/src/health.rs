//! Store health: whether a store answers at all, as seen by all workers of its side.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use longhaul_storage::Store;
use parking_lot::Mutex;
use tokio::time::Instant;

/// When a store answered last with anything but a transient error.
///
/// A folder that fails again and again while others are listed has a problem of its own, and is recorded as failed.
/// Where nothing else succeeds either, it is the store that is away: nothing is failed for that, and after a while the
/// run is suspended.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    give_up_after: Option<Duration>,
    last_answer: Arc<Mutex<Instant>>,
}

impl Health {
    /// The health of a store that is given up after this time without an answer; with `None` it never is: then every
    /// folder has its attempts and fails.
    pub(crate) fn new(give_up_after: Option<Duration>) -> Self {
        Health { give_up_after, last_answer: Arc::new(Mutex::new(Instant::now())) }
    }

    /// The store answered.
    pub(crate) fn answered(&self) {
        *self.last_answer.lock() = Instant::now();
    }

    /// Whether it is the store that does not answer, and not just an entry that has failed since `since`: no other
    /// entry had an answer in the meantime, and the root gives none now.
    pub(crate) async fn store_is_away(&self, store: &Arc<dyn Store>, since: Instant) -> bool {
        if self.is_entry_s_own(since) {
            return false;
        }
        let root = store.clone().list(b"/").next().await;
        let is_away = matches!(root, Some(Err(error)) if error.class.is_retried());
        if !is_away {
            self.answered();
        }
        is_away
    }

    /// Whether an entry whose first attempt was at `since`, and which has had all its attempts, may be called failed.
    fn is_entry_s_own(&self, since: Instant) -> bool {
        self.give_up_after.is_none() || *self.last_answer.lock() > since
    }

    /// How long the store has not answered, if that is too long.
    pub(crate) fn away_for(&self) -> Option<Duration> {
        let away = self.last_answer.lock().elapsed();
        self.give_up_after.is_some_and(|limit| away >= limit).then_some(away)
    }
}
