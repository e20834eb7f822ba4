//! Staying away from a store that has asked for patience.

use std::time::Duration;

use tokio::time::Instant;

use super::Permission;

/// How long it stays away where the store does not say.
const UNTOLD_PAUSE: Duration = Duration::from_millis(100);

/// Where the store goes on asking, and does not say for how long, each pause is twice as long as the one before: so often.
const DOUBLINGS_MAX: u32 = 7;

/// The pause that there is, or was last.
#[derive(Debug, Default)]
pub(super) struct Pause {
    until: Option<Instant>,
    /// Since when one call tries whether the store is patient again.
    tried_since: Option<Instant>,
    /// When the store last asked.
    asked_at: Option<Instant>,
    /// How often it asked without taking anything in between.
    in_a_row: u32,
    last: Duration,
}

/// What an answer means for a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// There is none.
    NoPause,
    /// It is over.
    Over,
    /// It goes on.
    Waiting,
}

impl Pause {
    /// Whether a call may begin, where there is a pause. One tries first.
    pub(super) fn begin(&mut self, now: Instant) -> Option<Permission> {
        let until = self.until?;
        if now < until {
            return Some(Permission::NotBefore(until));
        }
        if self.tried_since.is_some() {
            return Some(Permission::AfterAnother);
        }
        self.tried_since = Some(now);
        Some(Permission::Go)
    }

    /// A call that had begun then came to its end, and not with the store asking for patience.
    pub(super) fn answered(&mut self, began: Instant) -> Heard {
        let Some(until) = self.until else { return Heard::NoPause };
        // What was under way before says nothing of now.
        if began >= until {
            self.until = None;
            self.tried_since = None;
            self.in_a_row = 0;
            return Heard::Over;
        }
        if self.tried_since.is_some_and(|at| began >= at) {
            // Meanwhile a call from before was told to wait longer: another one has to try then.
            self.tried_since = None;
        }
        Heard::Waiting
    }

    /// The store asked a call that had begun then for patience, for this long where it said so. Returns whether that is
    /// news: what was under way when it first asked gets the same answer, and means nothing more.
    pub(super) fn asked(&mut self, now: Instant, began: Instant, retry_after: Option<Duration>) -> bool {
        let is_news = self.asked_at.is_none_or(|at| began > at);
        if is_news {
            self.asked_at = Some(now);
            self.tried_since = None;
            self.in_a_row = (self.in_a_row + 1).min(DOUBLINGS_MAX + 1);
        }
        // An answer from before may come when all is well again: then it is as if it were the first.
        let untold = UNTOLD_PAUSE * (1 << self.in_a_row.saturating_sub(1));
        let until = now + retry_after.unwrap_or(untold);
        self.until = Some(self.until.map_or(until, |before| before.max(until)));
        self.last = until - now;
        is_news
    }

    /// Nobody waits any more for a call that had begun. If it was the one that tries, another one has to.
    pub(super) fn abandoned(&mut self) {
        self.tried_since = None;
    }

    /// How long the store has not asked.
    pub(super) fn peace(&self, now: Instant) -> Duration {
        self.asked_at.map_or(Duration::MAX, |at| now - at)
    }

    /// How long the last one was to be.
    pub(super) fn last(&self) -> Duration {
        self.last
    }
}
