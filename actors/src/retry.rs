//! When and how often something that failed is tried again.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use longhaul_model::NodeId;

use crate::config::Tuning;

/// When and how often something that failed is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, at least one.
    pub attempts_max: u32,
    /// The first pause; each one after it is twice as long.
    pub pause_first: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// Seed of the pauses' jitter.
    pub jitter_seed: u64,
}

impl RetryPolicy {
    /// The pauses between the attempts at one node.
    pub(crate) fn pauses(&self, node: NodeId) -> Pauses {
        let backoff = ExponentialBuilder::default()
            .with_min_delay(self.pause_first)
            // Jitter adds up to as much again.
            .with_max_delay(self.pause_max / 2)
            .with_max_times(self.attempts_max as usize)
            .with_jitter()
            .with_jitter_seed(self.jitter_seed ^ node.0.unsigned_abs())
            .build();
        Pauses { backoff, pause_max: self.pause_max }
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

/// Pauses, each one longer than the one before.
#[derive(Debug)]
pub(crate) struct Pauses {
    backoff: ExponentialBackoff,
    pause_max: Duration,
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.backoff.next().map(|pause| pause.min(self.pause_max))
    }
}
