//! How many bytes a second may be read, where somebody has said so.
//!
//! By hand: crates for this count cells and deny, where a read has to be told how much of what it asked for it may take now,
//! and has to stop waiting when the run does.

use parking_lot::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The least that is read at a time, whatever is allowed.
const STRETCH_MIN: usize = 4 << 10;

/// What is read at a time comes to so many a second at least, so that nobody waits long for a turn.
const STRETCHES_PER_SECOND: f64 = 4.0;

/// The bytes of a run, of all files together.
#[derive(Debug)]
pub(crate) struct Bandwidth {
    bytes_per_second: Option<f64>,
    /// When what was read so far is paid for.
    paid_at: Mutex<Instant>,
}

impl Bandwidth {
    pub(crate) fn new(bytes_per_second: Option<f64>) -> Self {
        Bandwidth { bytes_per_second, paid_at: Mutex::new(Instant::now()) }
    }

    pub(crate) fn is_limited(&self) -> bool {
        self.bytes_per_second.is_some()
    }

    /// How many bytes may be read at a time, of so many that somebody would like to.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far from 2^64")]
    pub(crate) fn stretch(&self, wanted: usize) -> usize {
        match self.bytes_per_second {
            None => wanted,
            Some(rate) => wanted.min(((rate / STRETCHES_PER_SECOND) as usize).max(STRETCH_MIN)),
        }
    }

    /// Returns when so many bytes may be read, or when the run is being stopped.
    pub(crate) async fn spend(&self, bytes: usize, stop: &CancellationToken) {
        let Some(rate) = self.bytes_per_second else { return };
        let begin = {
            let mut paid_at = self.paid_at.lock();
            let begin = (*paid_at).max(Instant::now());
            #[expect(clippy::cast_precision_loss, reason = "a buffer is smaller than 2^52 bytes")]
            let takes = std::time::Duration::from_secs_f64(bytes as f64 / rate);
            *paid_at = begin + takes;
            begin
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep_until(begin) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn bytes_pass_at_the_rate_that_is_allowed_and_not_faster() {
        let (bandwidth, stop) = (Bandwidth::new(Some(100_000.0)), CancellationToken::new());
        let began = Instant::now();
        let stretch = bandwidth.stretch(1 << 20);
        assert_eq!(stretch, 25_000);
        for _ in 0..41 {
            bandwidth.spend(stretch, &stop).await;
        }
        assert_eq!(began.elapsed().as_secs(), 10);
        // A pause is not made up for.
        tokio::time::sleep(Duration::from_mins(1)).await;
        let began = Instant::now();
        for _ in 0..5 {
            bandwidth.spend(stretch, &stop).await;
        }
        assert_eq!(began.elapsed().as_secs(), 1);
        stop.cancel();
        bandwidth.spend(1 << 30, &stop).await;
        bandwidth.spend(1 << 30, &stop).await;
        assert_eq!(began.elapsed().as_secs(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_limit_nobody_waits() {
        let (bandwidth, began) = (Bandwidth::new(None), Instant::now());
        for _ in 0..100 {
            bandwidth.spend(1 << 30, &CancellationToken::new()).await;
        }
        assert_eq!((began.elapsed(), bandwidth.stretch(7)), (Duration::ZERO, 7));
        assert_eq!(Bandwidth::new(Some(10.0)).stretch(1 << 20), STRETCH_MIN);
    }
}
