//! Attempts: when an operation that failed is retried, when it is given up, and when the whole run is.
//!
//! This is the only place that decides it. Listers and Copiers ask after each failure; what comes before a run begins is
//! retried by [`RetryPolicy::retry`], which knows of no store's health.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use futures_util::StreamExt;
use longhaul_model::{ErrorClass, NodeId};
use longhaul_storage::{Store, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Tuning;
use crate::health::Health;

/// When and how often something that failed is retried.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetryPolicy {
    /// Attempts in all, at least one.
    pub(crate) attempts_max: u32,
    /// The first pause; each one after it is twice as long.
    pub(crate) pause_first: Duration,
    /// The longest pause.
    pub(crate) pause_max: Duration,
    /// Seed of the pauses' jitter.
    pub(crate) jitter_seed: u64,
}

impl RetryPolicy {
    /// The first attempt at something that belongs to this node, which the jitter of the pauses follows from.
    pub(crate) fn first_attempt(&self, node: NodeId) -> Attempts {
        let pauses = self.pauses(node);
        Attempts { policy: *self, made: 1, without_progress: 1, since: Instant::now(), pauses }
    }

    fn pauses(&self, node: NodeId) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.pause_first)
            // Jitter adds up to as much again.
            .with_max_delay(self.pause_max / 2)
            .with_max_times(self.attempts_max as usize)
            .with_jitter()
            .with_jitter_seed(self.jitter_seed ^ node.0.unsigned_abs())
            .build()
    }

    /// Retries an operation that no run depends on, as long as its errors may pass and nobody stops it.
    pub(crate) async fn retry<T>(
        &self,
        node: NodeId,
        stop: &CancellationToken,
        mut once: impl AsyncFnMut() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut attempts = self.first_attempt(node);
        loop {
            let error = match once().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            if !error.class.is_retried() || attempts.made >= self.attempts_max || stop.is_cancelled() {
                return Err(error);
            }
            let pause = attempts.next_pause(&error);
            attempts.made += 1;
            // Where it is stopped meanwhile, this attempt is the last one.
            wait(pause, stop).await;
        }
    }
}

impl From<&Tuning> for RetryPolicy {
    fn from(tuning: &Tuning) -> Self {
        RetryPolicy {
            attempts_max: tuning.attempts_max,
            pause_first: tuning.pause_first,
            pause_max: tuning.pause_max,
            jitter_seed: tuning.jitter_seed,
        }
    }
}

/// A store, and whether it answers at all.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WatchedStore<'a> {
    pub(crate) store: &'a Arc<dyn Store>,
    pub(crate) health: &'a Health,
}

/// How to find out whether a store refuses everything, where an error is not retried and may be about one entry only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whatever the error, ask the store as a whole.
    Store,
    /// Where access is denied, list the root: a folder that is denied while the root can be listed has a problem of its
    /// own. Where the root is denied too, it is the credentials, and every other folder would be denied.
    Root,
    /// It was the root that was listed: there is nothing else to ask.
    IsRoot,
}

/// What a failed attempt leads to.
#[derive(Debug)]
pub(crate) enum AfterFailure {
    /// Try again after this pause: see [`wait`].
    Retry(Duration),
    /// It is the entry's own failure: record it.
    GiveUp(StoreError),
    /// No other entry would fare better: suspend the run. The entry stays pending.
    Suspend(StoreError),
}

/// The attempts at one thing.
#[derive(Debug)]
pub(crate) struct Attempts {
    policy: RetryPolicy,
    /// All of them, for the record.
    made: u32,
    /// Those since something was last achieved: only these count against the policy.
    without_progress: u32,
    since: Instant,
    pauses: ExponentialBackoff,
}

impl Attempts {
    /// All attempts so far, the current one included.
    pub(crate) fn made(&self) -> u32 {
        self.made
    }

    /// As many attempts were made elsewhere, the current one included.
    pub(crate) fn count_as(&mut self, made: u32) {
        (self.made, self.without_progress) = (made, made);
    }

    /// Something was achieved. A very large folder may well have an error now and then: only those without a page
    /// between them count.
    pub(crate) fn progressed(&mut self) {
        self.without_progress = 1;
        self.since = Instant::now();
    }

    /// What the failure of the current attempt leads to. `store` is the one that failed; `None` where no store did, but
    /// something changed in the meantime.
    ///
    /// An entry that fails again and again while others succeed is given up. Where nothing else succeeds, it is the store
    /// that is away: no entry fails for that, and after a while the run is suspended.
    pub(crate) async fn after(
        &mut self,
        store: Option<WatchedStore<'_>>,
        error: StoreError,
        probe: Probe,
        path: impl Fn() -> String,
    ) -> AfterFailure {
        let error = match store {
            _ if error.class.suspends() => return AfterFailure::Suspend(error),
            _ if error.class.is_retried() => error,
            None => return AfterFailure::GiveUp(error),
            Some(store) => match store.refusal(error, probe).await {
                Ok(lost) => lost,
                Err(after) => return after,
            },
        };
        // Being throttled is no failure, however often it happens, where the store's rate control reacts to it.
        let is_throttled =
            error.class == ErrorClass::Throttled && store.is_some_and(|store| store.store.capabilities().has_a_pace);
        if !is_throttled && self.without_progress >= self.policy.attempts_max && !self.is_away(store).await {
            return AfterFailure::GiveUp(error);
        }
        if let Some(away) = store.and_then(|store| store.health.away_for())
            // A store that had nothing to answer for a while, because a call took long, is not away for that.
            && self.is_away(store).await
        {
            let message = format!("{error}, and nothing else for {} s", away.as_secs());
            return AfterFailure::Suspend(StoreError::new(error.class, message));
        }
        let pause = self.next_pause(&error);
        tracing::debug!(
            path = path(), attempt = self.made, class = %error.class,
            pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), "{error}"
        );
        self.made += u32::from(!is_throttled);
        self.without_progress += u32::from(!is_throttled);
        AfterFailure::Retry(pause)
    }

    /// Whether it is the store that does not answer, and not just this entry.
    async fn is_away(&self, store: Option<WatchedStore<'_>>) -> bool {
        match store {
            Some(WatchedStore { store, health }) => health.store_is_away(store, self.since).await,
            None => false,
        }
    }

    fn next_pause(&mut self, error: &StoreError) -> Duration {
        let longest = self.policy.pause_max;
        error.retry_after.or_else(|| self.pauses.next().map(|pause| pause.min(longest))).unwrap_or(longest)
    }
}

impl WatchedStore<'_> {
    /// Whether the store refuses everything, after an error that is not retried. Returns the error to retry for, where
    /// asking was answered with one: then it cannot be told, and both are asked again.
    async fn refusal(self, error: StoreError, probe: Probe) -> Result<StoreError, AfterFailure> {
        if probe == Probe::Store {
            return match self.store.clone().answers().await {
                Ok(()) => Err(AfterFailure::GiveUp(error)),
                Err(lost) if lost.class.is_retried() => Ok(lost),
                Err(_) => Err(AfterFailure::Suspend(error)),
            };
        }
        if probe == Probe::IsRoot && error.class == ErrorClass::Denied {
            return Err(AfterFailure::Suspend(error));
        }
        self.health.answered();
        if error.class == ErrorClass::Denied && self.root_is_denied().await {
            let message = format!("{error}, and so is the root");
            return Err(AfterFailure::Suspend(StoreError::new(error.class, message)));
        }
        Err(AfterFailure::GiveUp(error))
    }

    async fn root_is_denied(self) -> bool {
        let root = self.store.clone().list(b"/").next().await;
        matches!(root, Some(Err(error)) if error.class == ErrorClass::Denied)
    }
}

/// Waits before the next attempt. Returns `false` where the run is being stopped.
pub(crate) async fn wait(pause: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        // The stop first: where both have come, chance must not decide.
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(pause) => true,
    }
}
