//! Pace: how many calls of a kind a store is asked for at a time, and how many a second, so that nobody has to say.
//!
//! It begins low and grows as long as more gets done for it. Where the store asks for patience it falls back at once, stays
//! away for as long as it was told, lets one call try first, and remembers how fast it was; from there it gropes its way up
//! again. What is under way is never broken off for it.

mod bandwidth;
mod limiter;
mod store;

use std::sync::Arc;
use std::time::Duration;

use actix::Recipient;
use longhaul_ledger::PaceRow;
use longhaul_model::BySide;
use longhaul_storage::Store;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Tuning;
use crate::messages::RecordPace;
pub(crate) use bandwidth::Bandwidth;
use limiter::Limiter;
use store::{OnAnyChange, PacedStore};

/// How many calls it begins with.
const CONCURRENCY_FIRST: f64 = 2.0;

/// How many calls it comes to at most.
const CONCURRENCY_MAX: usize = 64;

/// The shortest time over which it is judged what gets done.
const WINDOW_MIN: Duration = Duration::from_millis(200);

/// Calls without which nothing is judged.
const WINDOW_CALLS_MIN: u32 = 8;

/// How much more has to get done for more calls to be worth it.
const WORTH_IT: f64 = 1.05;

/// What part of the calls at a time is added to see whether more gets done.
const STEP: f64 = 0.125;

/// Windows for which it stays as it is after more calls were not worth it.
const REST_WINDOWS: u32 = 5;

/// What is left of the number of calls at a time when the store asks for patience.
const BACK_OFF: f64 = 0.7;

/// What is left of the number of calls at a time when they take long and nothing more gets done for it.
const EASE_OFF: f64 = 0.9;

/// How many times as long as at best calls take when that is called long.
const LONG: f64 = 3.0;

/// What is left of the rate at which the store has asked for patience.
const BELOW_LIMIT: f64 = 0.98;

/// A rate that was found out before is never far off: what is left of it at least.
const NOT_FAR_OFF: f64 = 0.9;

/// How many times as many calls at a time there may be as the rate takes on average.
const WITH_ROOM: f64 = 1.1;

/// What part of the rate is as good as all of it.
const NEARLY: f64 = 0.95;

/// By how much the rate grows from one window to the next; more when there was peace for a while.
const GROWTH: f64 = 1.02;
const GROWTH_IN_PEACE: f64 = 1.15;
const PEACE: Duration = Duration::from_secs(5);

/// After a pause the rate stays where it is for so many times as long.
const PAUSES_OF_PEACE: u32 = 30;

/// A store that takes at least so many calls for each one that it refuses refuses them for other reasons than how many
/// there are, or nearly takes as many as it gets. It is asked for no less than what everybody begins with: less would not
/// be refused less often, and would come to nothing in the end.
const TAKES_MOST: f64 = 10.0;

/// The weight of what was taken since the last refusal in what is usually taken between two of them.
const LATEST: f64 = 0.2;

/// How long it stays away where the store does not say.
const UNTOLD_PAUSE: Duration = Duration::from_millis(100);

/// What somebody allows at most.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PaceLimits {
    /// Calls at a time.
    pub(crate) concurrency_max: usize,
    /// Calls a second.
    pub(crate) rate_max: Option<f64>,
}

/// A change of pace.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PaceChange {
    /// Calls at a time, from now on.
    pub(crate) concurrency: usize,
    /// Calls a second, where that is limited.
    pub(crate) rate: Option<f64>,
    /// Why, for people.
    pub(crate) cause: &'static str,
}

/// Whether a call may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permission {
    /// It may.
    Go,
    /// Not before this.
    NotBefore(Instant),
    /// Not before another one has come to its end.
    AfterAnother,
}

/// The same two stores, with their calls made at their pace where they have one. Each change of it is logged, and recorded
/// by `records`. Nobody waits for a turn any longer once `stop` is set.
pub(crate) fn at_their_pace(
    stores: &BySide<Arc<dyn Store>>,
    tuning: &Tuning,
    stop: &CancellationToken,
    records: &Recipient<RecordPace>,
) -> BySide<Arc<dyn Store>> {
    let records = records.clone();
    let on_change: OnAnyChange = Arc::new(move |side, class, change| {
        let PaceChange { concurrency, rate, cause } = *change;
        tracing::info!(%side, class = class.as_str(), concurrency, rate, "pace: {cause}");
        let concurrency = i32::try_from(concurrency).unwrap_or(i32::MAX);
        let class = class.as_str().to_owned();
        records.do_send(RecordPace(PaceRow { side, class, concurrency, rate, cause: cause.to_owned() }));
    });
    BySide::from_fn(|side| {
        let store = stores[side].clone();
        let capabilities = store.capabilities();
        if !capabilities.has_a_pace {
            return store;
        }
        let concurrency_max = tuning.max_concurrency.unwrap_or(CONCURRENCY_MAX);
        let limits = PaceLimits { concurrency_max, rate_max: tuning.max_rate };
        Arc::new(PacedStore::new(store, side, limits, stop, tuning.give_up_after, &on_change)) as _
    })
}

/// What gets done in some time.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: Instant,
    calls: u32,
    latencies: Duration,
    /// Whether any call had to wait for another one, or for the rate: only then more could be done.
    is_full: bool,
}

impl Window {
    fn new(began: Instant) -> Self {
        Window { began, calls: 0, latencies: Duration::ZERO, is_full: false }
    }

    fn per_second(&self, now: Instant) -> f64 {
        f64::from(self.calls) / (now - self.began).as_secs_f64().max(0.001)
    }
}

/// The pace of one kind of calls to one store: facts come in, decisions go out. Whoever asks says what time it is.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: PaceLimits,
    concurrency: f64,
    rate: Option<f64>,
    /// Growing by leaps, as nothing has been in the way yet.
    leaps: bool,
    /// Calls at a time before there were more of them in this window, and what got done with them, a second.
    grown_from: Option<(f64, f64)>,
    /// Windows for which it stays as it is.
    rest: u32,
    window: Window,
    /// The time since the store last asked for patience.
    stretch: Window,
    /// Calls that it usually takes between two times that it asks.
    taken_between: Option<f64>,
    per_second_before: f64,
    latency_best: Option<Duration>,
    latency_last: Option<Duration>,
    /// The earliest moment for the next call by the rate.
    next_at: Instant,
    closed_until: Option<Instant>,
    /// Since when one call tries whether the store is patient again.
    tried_since: Option<Instant>,
    backed_off_at: Option<Instant>,
    pauses_in_a_row: u32,
    last_pause: Duration,
}

impl Pace {
    pub(crate) fn new(limits: PaceLimits, now: Instant) -> Self {
        Pace {
            limits,
            concurrency: CONCURRENCY_FIRST.min(most(limits)),
            rate: limits.rate_max,
            leaps: true,
            grown_from: None,
            rest: 0,
            window: Window::new(now),
            stretch: Window::new(now),
            taken_between: None,
            per_second_before: 0.0,
            latency_best: None,
            latency_last: None,
            next_at: now,
            closed_until: None,
            tried_since: None,
            backed_off_at: None,
            pauses_in_a_row: 0,
            last_pause: Duration::ZERO,
        }
    }

    /// Calls at a time.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between one and a few hundred")]
    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency as usize
    }

    /// Asks whether one more call may begin, with so many under way. One that may is taken to have begun.
    pub(crate) fn begin(&mut self, now: Instant, under_way: usize) -> Permission {
        if let Some(until) = self.closed_until {
            if now < until {
                return Permission::NotBefore(until);
            }
            // One tries first.
            if self.tried_since.is_some() {
                return Permission::AfterAnother;
            }
            self.tried_since = Some(now);
            return Permission::Go;
        }
        if under_way >= self.concurrency() {
            self.window.is_full = true;
            return Permission::AfterAnother;
        }
        if let Some(rate) = self.rate {
            if now < self.next_at {
                self.window.is_full = true;
                return Permission::NotBefore(self.next_at);
            }
            // What was not used is not saved up, but for the grain of the clock.
            let step = Duration::from_secs_f64(1.0 / rate);
            self.next_at = self.next_at.max(now.checked_sub(Duration::from_millis(5)).unwrap_or(now)) + step;
        }
        Permission::Go
    }

    /// A call that had begun then came to its end, well or not; not with the store asking for patience.
    pub(crate) fn answered(&mut self, now: Instant, began: Instant, is_well: bool) -> Option<PaceChange> {
        if let Some(until) = self.closed_until {
            // What was under way before says nothing of now.
            if began >= until {
                self.closed_until = None;
                self.tried_since = None;
                self.pauses_in_a_row = 0;
                self.window = Window::new(now);
            } else if self.tried_since.is_some_and(|at| began >= at) {
                // Meanwhile a call from before was told to wait longer: another one has to try then.
                self.tried_since = None;
            }
            return None;
        }
        // What fails at once is no measure of how long calls take.
        if !is_well {
            return None;
        }
        let latency = now - began;
        self.stretch.calls += 1;
        self.window.calls += 1;
        self.window.latencies += latency;
        let length = WINDOW_MIN.max(2 * self.window.latencies / self.window.calls);
        if self.window.calls < WINDOW_CALLS_MIN || now - self.window.began < length {
            return None;
        }
        self.judge(now)
    }

    /// The store asked a call that had begun then for patience, for this long where it said so.
    pub(crate) fn throttled(
        &mut self,
        now: Instant,
        began: Instant,
        retry_after: Option<Duration>,
    ) -> Option<PaceChange> {
        // What was under way when it first asked gets the same answer, and means nothing more.
        let is_echo = self.backed_off_at.is_some_and(|at| began <= at);
        if !is_echo {
            self.tried_since = None;
            self.pauses_in_a_row = (self.pauses_in_a_row + 1).min(8);
        }
        let untold = UNTOLD_PAUSE * (1 << (self.pauses_in_a_row - 1));
        let until = now + retry_after.unwrap_or(untold);
        self.closed_until = Some(self.closed_until.map_or(until, |before| before.max(until)));
        self.last_pause = until - now;
        if is_echo {
            return None;
        }
        self.leaps = false;
        self.grown_from = None;
        self.backed_off_at = Some(now);
        // Since it last asked, pauses included: a store saves up during a pause what it then gives at once.
        let stretch = std::mem::replace(&mut self.stretch, Window::new(now));
        let is_telling = stretch.calls >= WINDOW_CALLS_MIN && now - stretch.began >= WINDOW_MIN;
        let per_second = match self.rate {
            // Too high is found out sooner than too low. Where less was wanted than it would have taken, nothing is known.
            None if self.window.is_full && self.window.calls >= WINDOW_CALLS_MIN => {
                self.window.per_second(now).max(self.per_second_before)
            }
            None => self.per_second_before,
            Some(_) if is_telling => stretch.per_second(now),
            Some(rate) => rate,
        };
        let taken = f64::from(stretch.calls);
        self.taken_between = Some(self.taken_between.map_or(taken, |usual| usual + LATEST * (taken - usual)));
        let takes_most = self.takes_most();
        if per_second > 0.0 {
            let seen = self.rate.map_or(per_second, |rate| rate.min(per_second.max(rate * NOT_FAR_OFF)));
            let rate_least = if takes_most { self.rate_first().min(self.rate.unwrap_or(seen)) } else { 0.0 };
            self.rate = Some((seen * BELOW_LIMIT).max(rate_least).max(0.1));
        }
        let for_rate = self.rate.zip(self.latency_last).map_or(0.0, |(rate, latency)| rate * latency.as_secs_f64());
        let least = if takes_most { CONCURRENCY_FIRST.max(for_rate * WITH_ROOM) } else { 1.0 };
        self.concurrency = (self.concurrency * BACK_OFF).max(least.min(self.concurrency));
        self.window = Window::new(now);
        Some(self.change("the store asks for patience"))
    }

    /// Whether it is long between two times that the store asks for patience, counted in calls.
    fn takes_most(&self) -> bool {
        self.taken_between.is_some_and(|usual| usual >= TAKES_MOST)
    }

    /// What comes of the number of calls at a time that it begins with, a second.
    fn rate_first(&self) -> f64 {
        self.latency_best.map_or(0.0, |latency| CONCURRENCY_FIRST / latency.as_secs_f64().max(0.001))
    }

    /// A call came to no end: nobody waits for it any more. If it was the one that tries, another one has to.
    pub(crate) fn abandoned(&mut self) {
        self.tried_since = None;
    }

    fn judge(&mut self, now: Instant) -> Option<PaceChange> {
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let latency = window.latencies / window.calls;
        let best = self.latency_best.map_or(latency, |best| best.min(latency));
        self.latency_best = Some(best);
        self.latency_last = Some(latency);
        if !window.is_full {
            return None;
        }
        let per_second = window.per_second(now);
        let before = std::mem::replace(&mut self.per_second_before, per_second);
        let (concurrency, rate) = (self.concurrency(), self.rate);
        let peace = self.backed_off_at.map_or(Duration::MAX, |at| now - at);
        let in_peace = peace >= PEACE.max(self.last_pause * PAUSES_OF_PEACE);
        // The longer it has to stay away, the more rarely it tries its luck.
        let may_try =
            |rate: &f64| peace >= self.last_pause * PAUSES_OF_PEACE || (self.takes_most() && *rate < self.rate_first());
        if let Some(rate) = self.rate.filter(may_try) {
            let most = self.limits.rate_max.unwrap_or(f64::MAX);
            self.rate = Some((rate * if in_peace { GROWTH_IN_PEACE } else { GROWTH }).min(most));
        }
        let is_long = latency.as_secs_f64() > best.as_secs_f64() * LONG;
        let cause = if !is_long && rate.is_some_and(|rate| per_second < rate * NEARLY) {
            self.grow(per_second);
            self.grown_from = None;
            "less gets done than the store is known to take"
        } else if let Some((fewer, with_fewer)) = self.grown_from.take() {
            if per_second >= with_fewer * WORTH_IT {
                self.grow(per_second);
                "more gets done with more calls at a time"
            } else {
                self.leaps = false;
                self.rest = REST_WINDOWS;
                self.concurrency = fewer;
                "no more gets done with more calls at a time"
            }
        } else if self.rest == 0 {
            self.grow(per_second);
            "trying whether more gets done"
        } else {
            self.rest -= 1;
            if per_second < before * WORTH_IT && is_long && self.concurrency > CONCURRENCY_FIRST {
                self.concurrency = (self.concurrency * EASE_OFF).max(1.0);
                "calls take longer, and nothing more gets done"
            } else {
                // Of the rate alone.
                "trying whether more gets done"
            }
        };
        self.concurrency = self.concurrency.min(most(self.limits));
        // What nobody would see is not said.
        let is_seen = self.concurrency() != concurrency
            || matches!((rate, self.rate), (Some(was), Some(is)) if is >= was * GROWTH_IN_PEACE);
        is_seen.then(|| self.change(cause))
    }

    /// More calls at a time, to see what gets done with them.
    fn grow(&mut self, per_second: f64) {
        self.grown_from = Some((self.concurrency, per_second));
        self.concurrency += if self.leaps { self.concurrency } else { (self.concurrency * STEP).max(1.0) };
    }

    fn change(&self, cause: &'static str) -> PaceChange {
        PaceChange { concurrency: self.concurrency(), rate: self.rate, cause }
    }
}

#[allow(clippy::cast_precision_loss, reason = "it is a few hundred")]
fn most(limits: PaceLimits) -> f64 {
    limits.concurrency_max.max(1) as f64
}

#[cfg(test)]
mod tests;
