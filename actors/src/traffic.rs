//! What an actor was asked to do and what came of it: nothing may get lost on the way from one to the other.

use longhaul_model::BySide;

/// One actor's count. When a run has ended, what it received is what it answered and what it dropped; and it dropped
/// something only where the ledger failed, an actor died, or a Lister was left behind after the grace period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Traffic {
    /// What came.
    pub received: u64,
    /// What was dealt with, one way or another, and said so.
    pub answered: u64,
    /// What came and was not dealt with.
    pub dropped: u64,
}

impl Traffic {
    /// Whether each thing that came is answered or dropped, and none of them both.
    pub fn adds_up(&self) -> bool {
        self.received == self.answered + self.dropped
    }

    /// What was never answered is dropped: nobody waits for it any more.
    pub(crate) fn close(&mut self) {
        self.dropped = self.received.saturating_sub(self.answered);
    }
}

/// The counts of all actors of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunTraffic {
    /// What the Coordinator assigned: folders, or failed itself, which are answered when they are recorded or given back;
    /// or batches of copying and verification, which are answered when they are finished.
    pub coordinator: Traffic,
    /// Folders that the Listers of each side were given; answered when they are listed, failed or given back.
    pub listers: BySide<Traffic>,
    /// Listings, and failures, or results of copying, that came to the ledger actor; answered when they are recorded.
    pub ledger: Traffic,
}

impl RunTraffic {
    /// Each actor's, with its name.
    pub fn by_actor(&self) -> [(&'static str, Traffic); 4] {
        [
            ("Coordinator", self.coordinator),
            ("Listers of the source", self.listers.src),
            ("Listers of the destination", self.listers.dst),
            ("ledger actor", self.ledger),
        ]
    }

    /// What was dropped by any of them.
    pub fn dropped(&self) -> u64 {
        self.by_actor().iter().map(|(_, traffic)| traffic.dropped).sum()
    }
}
