//! Token buckets with a clock that is passed in.
//!
//! By hand: the simulator has one clock of its own, which may stand still, and bytes are taken from a bucket beyond what is
//! in it, to be waited for.

use std::time::Duration;

use parking_lot::Mutex;

use crate::config::{BandwidthConfig, RateConfig};

/// Something that fills at a steady rate up to a limit, and is taken from.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    burst: f64,
    level: Mutex<Level>,
}

#[derive(Debug)]
struct Level {
    /// Below zero after a charge that took more than there was.
    tokens: f64,
    /// When that was so; `None` before the first call, whatever the clock's origin.
    at: Option<Duration>,
}

/// What counts as a whole token: floating-point sums of fractions may end just below.
const ALMOST_ONE: f64 = 1.0 - 1e-9;

impl Bucket {
    pub(super) fn for_calls(rate: RateConfig) -> Self {
        Self::new(rate.calls_per_second, f64::from(rate.burst))
    }

    #[expect(clippy::cast_precision_loss, reason = "limits are below 2^50")]
    pub(super) fn for_bytes(bandwidth: BandwidthConfig) -> Self {
        Self::new(bandwidth.bytes_per_second as f64, bandwidth.burst_bytes as f64)
    }

    fn new(per_second: f64, burst: f64) -> Self {
        Self { per_second, burst, level: Mutex::new(Level { tokens: burst, at: None }) }
    }

    fn fill(&self, level: &mut Level, now: Duration) {
        // A clock that goes backwards, or threads that read it in another order than they get here, fill nothing.
        let elapsed = level.at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
        level.tokens = (level.tokens + elapsed.as_secs_f64() * self.per_second).min(self.burst);
        level.at = Some(level.at.map_or(now, |at| at.max(now)));
    }

    /// Takes one, or says how long it is until that is possible.
    pub(super) fn take(&self, now: Duration) -> Result<(), Duration> {
        let mut level = self.level.lock();
        self.fill(&mut level, now);
        if level.tokens >= ALMOST_ONE {
            level.tokens -= 1.0;
            return Ok(());
        }
        Err(self.time_for(1.0 - level.tokens))
    }

    /// Undoes a [`Bucket::take`].
    pub(super) fn give_back(&self) {
        let mut level = self.level.lock();
        level.tokens = (level.tokens + 1.0).min(self.burst);
    }

    /// How long it is until there is anything to take; zero when there is.
    pub(super) fn wait_until_positive(&self, now: Duration) -> Duration {
        let mut level = self.level.lock();
        self.fill(&mut level, now);
        if level.tokens > 0.0 { Duration::ZERO } else { self.time_for(1.0 - level.tokens) }
    }

    /// Takes any amount, also more than there is.
    #[expect(clippy::cast_precision_loss, reason = "what one call moves is far below 2^53")]
    pub(super) fn charge(&self, amount: u64, now: Duration) {
        let mut level = self.level.lock();
        self.fill(&mut level, now);
        level.tokens -= amount as f64;
    }

    /// Never zero, so that who waits as told gets on.
    fn time_for(&self, tokens: f64) -> Duration {
        Duration::from_secs_f64(tokens / self.per_second).max(Duration::from_nanos(1))
    }
}

/// The least multiple of `step` that is not below `duration`; `duration` itself when `step` is zero.
pub(super) fn round_up(duration: Duration, step: Duration) -> Duration {
    if step.is_zero() {
        return duration;
    }
    let steps = duration.as_nanos().div_ceil(step.as_nanos());
    step.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_and_then_the_steady_rate() {
        let bucket = Bucket::for_calls(RateConfig { calls_per_second: 10.0, burst: 3 });
        let start = Duration::from_secs(1000);
        for _ in 0..3 {
            assert_eq!(bucket.take(start), Ok(()));
        }
        let wait = bucket.take(start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(bucket.take(start + wait / 2).is_err());
        assert_eq!(bucket.take(start + wait), Ok(()));
        assert!(bucket.take(start + wait).is_err());
    }

    #[test]
    fn bytes_may_be_overdrawn_once() {
        let bucket = Bucket::for_bytes(BandwidthConfig { bytes_per_second: 1000, burst_bytes: 500 });
        let start = Duration::ZERO;
        assert_eq!(bucket.wait_until_positive(start), Duration::ZERO);
        bucket.charge(2500, start);
        let wait = bucket.wait_until_positive(start);
        assert_eq!(wait, Duration::from_millis(2001));
        assert_eq!(bucket.wait_until_positive(start + wait), Duration::ZERO);
    }

    #[test]
    fn a_clock_that_goes_backwards_fills_nothing() {
        let bucket = Bucket::for_calls(RateConfig { calls_per_second: 1.0, burst: 1 });
        assert_eq!(bucket.take(Duration::from_secs(10)), Ok(()));
        assert!(bucket.take(Duration::from_secs(5)).is_err());
        assert!(bucket.take(Duration::from_secs(10)).is_err());
        assert_eq!(bucket.take(Duration::from_secs(11)), Ok(()));
    }

    #[test]
    fn rounding_up_leaves_multiples_alone() {
        let ms = Duration::from_millis;
        assert_eq!(round_up(ms(200), ms(100)), ms(200));
        assert_eq!(round_up(ms(201), ms(100)), ms(300));
        assert_eq!(round_up(ms(201), ms(0)), ms(201));
    }
}
