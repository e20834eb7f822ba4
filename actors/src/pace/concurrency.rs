//! How many calls at a time: more as long as more gets done for it.

/// How many it begins with.
pub(super) const CONCURRENCY_FIRST: f64 = 2.0;

/// How much more has to get done for more calls to be worth it.
const WORTH_IT: f64 = 1.05;

/// What part of the calls at a time is added to see whether more gets done.
const STEP: f64 = 0.125;

/// Windows for which it stays as it is after more calls were not worth it.
const REST_WINDOWS: u32 = 5;

/// What is left of it when the store asks for patience.
const BACK_OFF: f64 = 0.7;

/// What is left of it when calls take long and nothing more gets done for it.
const EASE_OFF: f64 = 0.9;

/// Calls at a time, and what came of other numbers of them.
#[derive(Debug)]
pub(super) struct Concurrency {
    now: f64,
    most: f64,
    /// Growing by leaps, as nothing has been in the way yet.
    leaps: bool,
    /// Calls at a time before there were more of them in this window, and what got done with them, a second.
    grown_from: Option<(f64, f64)>,
    /// Windows for which it stays as it is.
    rest: u32,
}

impl Concurrency {
    #[allow(clippy::cast_precision_loss, reason = "it is a few hundred")]
    pub(super) fn new(most: usize) -> Self {
        let most = most.max(1) as f64;
        Concurrency { now: CONCURRENCY_FIRST.min(most), most, leaps: true, grown_from: None, rest: 0 }
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between one and a few hundred")]
    pub(super) fn get(&self) -> usize {
        self.now as usize
    }

    /// Falls back, to `least` at the lowest if it is more now.
    pub(super) fn back_off(&mut self, least: f64) {
        self.leaps = false;
        self.grown_from = None;
        self.now = (self.now * BACK_OFF).max(least.min(self.now));
    }

    /// Grows without looking whether that is worth it: something else says that it is.
    pub(super) fn follow(&mut self) -> &'static str {
        self.grow(0.0);
        self.grown_from = None;
        "less gets done than the store is known to take"
    }

    /// Decides by what got done in a window, and in the one before it, a second, and whether calls take long. Says why, for
    /// people.
    pub(super) fn judge(&mut self, per_second: f64, before: f64, is_long: bool) -> &'static str {
        if let Some((fewer, with_fewer)) = self.grown_from.take() {
            if per_second >= with_fewer * WORTH_IT {
                self.grow(per_second);
                return "more gets done with more calls at a time";
            }
            self.leaps = false;
            self.rest = REST_WINDOWS;
            self.now = fewer;
            return "no more gets done with more calls at a time";
        }
        if self.rest > 0 {
            self.rest -= 1;
            if per_second < before * WORTH_IT && is_long && self.now > CONCURRENCY_FIRST {
                self.now = (self.now * EASE_OFF).max(1.0);
                return "calls take longer, and nothing more gets done";
            }
        } else {
            self.grow(per_second);
        }
        "trying whether more gets done"
    }

    /// More, to see what gets done with them.
    fn grow(&mut self, per_second: f64) {
        self.grown_from = Some((self.now, per_second));
        self.now += if self.leaps { self.now } else { (self.now * STEP).max(1.0) };
        self.now = self.now.min(self.most);
    }
}
