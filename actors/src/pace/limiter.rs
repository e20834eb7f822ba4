//! Keeping to a pace: calls wait here for their turn.

use std::fmt;
use std::time::Duration;

use longhaul_model::ErrorClass;
use longhaul_storage::StoreError;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Pace, PaceChange, PaceLimits, Permission};

/// How long one waits at most until it looks for itself whether its turn has come.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Who is told of each change.
pub(crate) type OnChange = Box<dyn Fn(&PaceChange) + Send + Sync>;

/// Lets calls of one kind through at the store's pace.
pub(crate) struct Limiter {
    state: Mutex<State>,
    /// The turn of one who waits may have come. Whoever gets a turn wakes the next one where there is room for more: to wake
    /// all of them each time costs more than many a call.
    changed: Notify,
    stop: CancellationToken,
    /// A store that does nothing but ask for patience for so long is taken for one that is away.
    patience: Option<Duration>,
    on_change: OnChange,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    under_way: usize,
    /// Since when it has asked for patience and done nothing else.
    asking_since: Option<Instant>,
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter").field("state", &*self.state.lock()).finish_non_exhaustive()
    }
}

impl Limiter {
    /// Nobody waits any longer once `stop` is set.
    pub(crate) fn new(
        limits: PaceLimits,
        stop: CancellationToken,
        patience: Option<Duration>,
        on_change: OnChange,
    ) -> Self {
        let state = State { pace: Pace::new(limits, Instant::now()), under_way: 0, asking_since: None };
        Limiter { state: Mutex::new(state), changed: Notify::new(), stop, patience, on_change }
    }

    /// Waits for a turn. An error where the run is being stopped: it is of the kind that is tried again later.
    pub(crate) async fn turn(&self) -> Result<Turn<'_>, StoreError> {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // From now on it hears what happens, not only when it is waited for.
            changed.as_mut().enable();
            let now = Instant::now();
            let (permission, has_room) = {
                let mut state = self.state.lock();
                let under_way = state.under_way;
                let permission = state.pace.begin(now, under_way);
                if permission == Permission::Go {
                    state.under_way += 1;
                }
                (permission, state.under_way < state.pace.concurrency())
            };
            let not_before = match permission {
                Permission::Go => {
                    if has_room {
                        self.changed.notify_one();
                    }
                    return Ok(Turn { limiter: self, began: now, has_ended: false });
                }
                Permission::NotBefore(at) => at,
                // Whoever was to wake it may have gone away meanwhile.
                Permission::AfterAnother => now + LOOK_AGAIN,
            };
            tokio::select! {
                biased;
                () = self.stop.cancelled() => {
                    return Err(StoreError::new(ErrorClass::Throttled, "the run was stopped while the store asked for patience"));
                }
                () = tokio::time::sleep_until(not_before) => {}
                () = &mut changed => {}
            }
        }
    }
}

impl Limiter {
    /// A call that had no turn was asked for patience.
    pub(crate) fn throttled(&self, retry_after: Option<Duration>) {
        let now = Instant::now();
        let change = self.state.lock().pace.throttled(now, now, retry_after);
        if let Some(change) = change {
            (self.on_change)(&change);
        }
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    limiter: &'a Limiter,
    began: Instant,
    has_ended: bool,
}

impl Turn<'_> {
    /// It came to this. Returns whether it is to be made again, for the store has asked for patience.
    pub(crate) fn ends_with<T>(mut self, result: &Result<T, StoreError>) -> bool {
        self.has_ended = true;
        let now = Instant::now();
        let throttled = match result {
            Err(error) if error.class == ErrorClass::Throttled => Some(error.retry_after),
            _ => None,
        };
        let (change, asking_since) = {
            let state = &mut *self.limiter.state.lock();
            if let Some(retry_after) = throttled {
                let since = *state.asking_since.get_or_insert(now);
                (state.pace.throttled(now, self.began, retry_after), since)
            } else {
                state.asking_since = None;
                (state.pace.answered(now, self.began, result.is_ok()), now)
            }
        };
        if let Some(change) = change {
            (self.limiter.on_change)(&change);
        }
        let is_given_up = self.limiter.patience.is_some_and(|patience| now - asking_since >= patience);
        throttled.is_some() && !is_given_up && !self.limiter.stop.is_cancelled()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut state = self.limiter.state.lock();
        state.under_way -= 1;
        if !self.has_ended {
            state.pace.abandoned();
        }
        drop(state);
        self.limiter.changed.notify_one();
    }
}
