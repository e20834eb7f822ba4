//! Whether a store answers at all, as seen by all Listers of its side.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::Instant;

/// When a store answered last with anything but a transient error.
///
/// A folder that fails again and again while others are listed has a problem of its own, and is recorded as failed.
/// Where nothing else succeeds either, it is the store that is away: nothing is failed for that, and after a while the
/// run is suspended.
#[derive(Clone, Debug)]
pub struct Health {
    give_up_after: Option<Duration>,
    last_answer: Arc<Mutex<Instant>>,
}

impl Health {
    /// Of a store that is given up after so long without an answer; never, with `None`: then every folder has its
    /// attempts and fails.
    pub fn new(give_up_after: Option<Duration>) -> Self {
        Health { give_up_after, last_answer: Arc::new(Mutex::new(Instant::now())) }
    }

    /// The store answered.
    pub(crate) fn answered(&self) {
        *self.last_answer.lock() = Instant::now();
    }

    /// Whether a folder whose first attempt was at `since`, and which has had all its attempts, may be called failed.
    pub(crate) fn is_folder_s_own(&self, since: Instant) -> bool {
        self.give_up_after.is_none() || *self.last_answer.lock() > since
    }

    /// How long the store has not answered, if that is too long.
    pub(crate) fn away_for(&self) -> Option<Duration> {
        let away = self.last_answer.lock().elapsed();
        self.give_up_after.is_some_and(|limit| away >= limit).then_some(away)
    }
}
