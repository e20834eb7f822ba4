//! How many calls a second.

use std::time::Duration;

use tokio::time::Instant;

/// What is left of the rate at which the store has asked for patience.
const BELOW_LIMIT: f64 = 0.98;

/// A rate that was found out before is never far off: what is left of it at least.
const NOT_FAR_OFF: f64 = 0.9;

/// The lowest of all.
const RATE_MIN: f64 = 0.1;

/// By how much it grows from one window to the next; more when there was peace for a while.
const GROWTH: f64 = 1.02;
pub(super) const GROWTH_IN_PEACE: f64 = 1.15;

/// What was not used is not saved up, but for the grain of the clock.
const GRAIN: Duration = Duration::from_millis(5);

/// The rate, where there is one: what somebody allows, or what the store was found to take.
#[derive(Debug)]
pub(super) struct Rate {
    now: Option<f64>,
    most: Option<f64>,
    /// The earliest moment for the next call.
    next_at: Instant,
}

impl Rate {
    pub(super) fn new(most: Option<f64>, now: Instant) -> Self {
        Rate { now: most, most, next_at: now }
    }

    pub(super) fn get(&self) -> Option<f64> {
        self.now
    }

    /// Takes a turn, or says from when on there is one.
    pub(super) fn take(&mut self, now: Instant) -> Result<(), Instant> {
        let Some(rate) = self.now else { return Ok(()) };
        if now < self.next_at {
            return Err(self.next_at);
        }
        let step = Duration::from_secs_f64(1.0 / rate);
        self.next_at = self.next_at.max(now.checked_sub(GRAIN).unwrap_or(now)) + step;
        Ok(())
    }

    /// The store has asked for patience when so many calls a second got done. It is no less than `least` then, or than it
    /// was.
    pub(super) fn was_too_high(&mut self, per_second: f64, least: f64) {
        if per_second <= 0.0 {
            return;
        }
        let seen = self.now.map_or(per_second, |rate| rate.min(per_second.max(rate * NOT_FAR_OFF)));
        let least = least.min(self.now.unwrap_or(seen));
        self.now = Some((seen * BELOW_LIMIT).max(least).max(RATE_MIN));
    }

    /// Gropes its way up.
    pub(super) fn grow(&mut self, in_peace: bool) {
        let growth = if in_peace { GROWTH_IN_PEACE } else { GROWTH };
        self.now = self.now.map(|rate| (rate * growth).min(self.most.unwrap_or(f64::MAX)));
    }
}
