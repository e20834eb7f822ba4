//! Pace: how many calls of a kind a store is asked for at a time, and how many a second, so that nobody has to say.
//!
//! It begins low and grows as long as more gets done for it. Where the store asks for patience it falls back at once, stays
//! away for as long as it was told, lets one call try first, and remembers how fast it was; from there it gropes its way up
//! again. What is under way is never broken off for it.

mod bandwidth;
mod concurrency;
mod limiter;
mod pause;
mod rate;
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
use crate::messages::{LedgerRequest, Permitted};
pub(crate) use bandwidth::Bandwidth;
use concurrency::{CONCURRENCY_FIRST, Concurrency};
use limiter::Limiter;
use pause::{Heard, Pause};
use rate::{GROWTH_IN_PEACE, Rate};
use store::{OnAnyChange, PacedStore};

/// How many calls it comes to at most.
const CONCURRENCY_MAX: usize = 64;

/// The shortest time over which it is judged what gets done.
const WINDOW_MIN: Duration = Duration::from_millis(200);

/// Calls without which nothing is judged.
const WINDOW_CALLS_MIN: u32 = 8;

/// How many times as long as at best calls take when that is called long.
const LONG: f64 = 3.0;

/// How many times as many calls at a time there may be as the rate takes on average.
const WITH_ROOM: f64 = 1.1;

/// What part of the rate is as good as all of it.
const NEARLY: f64 = 0.95;

/// For how long the store must not have asked for patience for it to be called peace.
const PEACE: Duration = Duration::from_secs(5);

/// After a pause the rate stays where it is for so many times as long.
const PAUSES_OF_PEACE: u32 = 30;

/// A store that takes at least so many calls for each one that it refuses refuses them for other reasons than how many
/// there are, or nearly takes as many as it gets. It is asked for no less than what everybody begins with: less would not
/// be refused less often, and would come to nothing in the end.
const TAKES_MOST: f64 = 10.0;

/// The weight of what was taken since the last refusal in what is usually taken between two of them.
const LATEST: f64 = 0.2;

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
/// by `ledger`. Nobody waits for a turn any longer once `stop` is set.
pub(crate) fn at_their_pace(
    stores: &BySide<Arc<dyn Store>>,
    tuning: &Tuning,
    stop: &CancellationToken,
    ledger: &Recipient<Permitted<LedgerRequest>>,
) -> BySide<Arc<dyn Store>> {
    let ledger = ledger.clone();
    let on_change: OnAnyChange = Arc::new(move |side, class, change| {
        let PaceChange { concurrency, rate, cause } = *change;
        tracing::info!(%side, class = class.as_str(), concurrency, rate, "pace: {cause}");
        let concurrency = i32::try_from(concurrency).unwrap_or(i32::MAX);
        let class = class.as_str().to_owned();
        let change = PaceRow { side, class, concurrency, rate, cause: cause.to_owned() };
        ledger.do_send(LedgerRequest::Pace(change).into());
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
    concurrency: Concurrency,
    rate: Rate,
    pause: Pause,
    window: Window,
    per_second_before: f64,
    /// The time since the store last asked for patience.
    stretch: Window,
    /// Calls that it usually takes between two times that it asks.
    taken_between: Option<f64>,
    latency_best: Option<Duration>,
    latency_last: Option<Duration>,
}

impl Pace {
    pub(crate) fn new(limits: PaceLimits, now: Instant) -> Self {
        Pace {
            concurrency: Concurrency::new(limits.concurrency_max),
            rate: Rate::new(limits.rate_max, now),
            pause: Pause::default(),
            window: Window::new(now),
            per_second_before: 0.0,
            stretch: Window::new(now),
            taken_between: None,
            latency_best: None,
            latency_last: None,
        }
    }

    /// Calls at a time.
    pub(crate) fn concurrency(&self) -> usize {
        self.concurrency.get()
    }

    /// Asks whether one more call may begin, with so many under way. One that may is taken to have begun.
    pub(crate) fn begin(&mut self, now: Instant, under_way: usize) -> Permission {
        if let Some(permission) = self.pause.begin(now) {
            return permission;
        }
        let permission = if under_way >= self.concurrency() {
            Permission::AfterAnother
        } else {
            self.rate.take(now).map_or_else(Permission::NotBefore, |()| Permission::Go)
        };
        self.window.is_full |= permission != Permission::Go;
        permission
    }

    /// A call that had begun then came to its end, well or not; not with the store asking for patience.
    pub(crate) fn answered(&mut self, now: Instant, began: Instant, is_well: bool) -> Option<PaceChange> {
        match self.pause.answered(began) {
            Heard::NoPause => {}
            Heard::Waiting => return None,
            Heard::Over => {
                self.window = Window::new(now);
                return None;
            }
        }
        // What fails at once is no measure of how long calls take.
        if !is_well {
            return None;
        }
        self.stretch.calls += 1;
        self.window.calls += 1;
        self.window.latencies += now - began;
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
        if !self.pause.asked(now, began, retry_after) {
            return None;
        }
        // Since it last asked, pauses included: a store saves up during a pause what it then gives at once.
        let stretch = std::mem::replace(&mut self.stretch, Window::new(now));
        let window = std::mem::replace(&mut self.window, Window::new(now));
        let taken = f64::from(stretch.calls);
        self.taken_between = Some(self.taken_between.map_or(taken, |usual| usual + LATEST * (taken - usual)));
        let takes_most = self.takes_most();
        let per_second = match self.rate.get() {
            // Too high is found out sooner than too low. Where less was wanted than it would have taken, nothing is known.
            None if window.is_full && window.calls >= WINDOW_CALLS_MIN => {
                window.per_second(now).max(self.per_second_before)
            }
            None => self.per_second_before,
            Some(_) if stretch.calls >= WINDOW_CALLS_MIN && now - stretch.began >= WINDOW_MIN => {
                stretch.per_second(now)
            }
            Some(rate) => rate,
        };
        self.rate.was_too_high(per_second, if takes_most { self.rate_first() } else { 0.0 });
        let rate = self.rate.get().zip(self.latency_last);
        let for_rate = rate.map_or(0.0, |(rate, latency)| rate * latency.as_secs_f64());
        self.concurrency.back_off(if takes_most { CONCURRENCY_FIRST.max(for_rate * WITH_ROOM) } else { 1.0 });
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

    /// A call came to no end: nobody waits for it any more.
    pub(crate) fn abandoned(&mut self) {
        self.pause.abandoned();
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
        let (concurrency, rate) = (self.concurrency(), self.rate.get());
        self.grow_rate(now);
        let is_long = latency.as_secs_f64() > best.as_secs_f64() * LONG;
        let cause = if !is_long && rate.is_some_and(|rate| per_second < rate * NEARLY) {
            self.concurrency.follow()
        } else {
            self.concurrency.judge(per_second, before, is_long)
        };
        // What nobody would see is not said.
        let is_seen = self.concurrency() != concurrency
            || matches!((rate, self.rate.get()), (Some(was), Some(is)) if is >= was * GROWTH_IN_PEACE);
        is_seen.then(|| self.change(cause))
    }

    /// Tries its luck with a higher rate. The longer it had to stay away, the more rarely.
    fn grow_rate(&mut self, now: Instant) {
        let (peace, enough) = (self.pause.peace(now), self.pause.last() * PAUSES_OF_PEACE);
        let is_too_low = self.takes_most() && self.rate.get().is_some_and(|rate| rate < self.rate_first());
        if peace >= enough || is_too_low {
            self.rate.grow(peace >= PEACE.max(enough));
        }
    }

    fn change(&self, cause: &'static str) -> PaceChange {
        PaceChange { concurrency: self.concurrency(), rate: self.rate.get(), cause }
    }
}

#[cfg(test)]
mod tests;
