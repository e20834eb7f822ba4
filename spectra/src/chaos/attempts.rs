//! How often something was tried.

use std::collections::HashMap;

use parking_lot::Mutex;

/// Counters by key. Divided by key, so that threads that count different things seldom wait for each other.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    shards: [Mutex<HashMap<u64, u32>>; 16],
}

impl Attempts {
    fn shard(&self, key: u64) -> &Mutex<HashMap<u64, u32>> {
        &self.shards[usize::try_from(key % 16).expect("less than 16")]
    }

    /// Counts one more, and says how many there were before.
    pub(super) fn count(&self, key: u64) -> u32 {
        let mut shard = self.shard(key).lock();
        let counter = shard.entry(key).or_insert(0);
        let before = *counter;
        *counter = before.saturating_add(1);
        before
    }

    /// Begins again at 0.
    pub(super) fn forget(&self, key: u64) {
        let mut shard = self.shard(key).lock();
        if !shard.is_empty() {
            shard.remove(&key);
        }
    }
}
