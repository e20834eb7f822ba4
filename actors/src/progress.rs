//! What a run shows of itself while it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use longhaul_model::{BySide, Side};
use parking_lot::Mutex;

/// Counters for the display, written by the actors and read by the Observer. The only state that actors share; nothing
/// is decided by it.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<BySide<SideBoard>>);

#[derive(Debug, Default)]
struct SideBoard {
    nodes: AtomicU64,
    folders_listed: AtomicU64,
    folders_failed: AtomicU64,
    in_flight: AtomicU64,
    waiting: AtomicU64,
}

impl Board {
    /// A page was recorded.
    pub(crate) fn found(&self, side: Side, nodes: usize, is_last: bool) {
        let board = &self.0[side];
        board.nodes.fetch_add(nodes as u64, Relaxed);
        board.folders_listed.fetch_add(u64::from(is_last), Relaxed);
    }

    /// A folder was recorded as failed.
    pub(crate) fn failed(&self, side: Side) {
        self.0[side].folders_failed.fetch_add(1, Relaxed);
    }

    /// How much is given out, and waits to be.
    pub(crate) fn scheduled(&self, side: Side, in_flight: usize, waiting: usize) {
        let board = &self.0[side];
        board.in_flight.store(in_flight as u64, Relaxed);
        board.waiting.store(waiting as u64, Relaxed);
    }

    pub(crate) fn read(&self) -> BySide<SideProgress> {
        BySide::from_fn(|side| {
            let board = &self.0[side];
            SideProgress {
                nodes: board.nodes.load(Relaxed),
                folders_listed: board.folders_listed.load(Relaxed),
                folders_failed: board.folders_failed.load(Relaxed),
                in_flight: board.in_flight.load(Relaxed),
                waiting: board.waiting.load(Relaxed),
            }
        })
    }
}

/// How far one side has come in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SideProgress {
    /// Nodes found.
    pub nodes: u64,
    /// Folders listed.
    pub folders_listed: u64,
    /// Folders that could not be listed.
    pub folders_failed: u64,
    /// Folders that are being listed or recorded.
    pub in_flight: u64,
    /// Folders in memory that wait to be listed; there may be more in the ledger.
    pub waiting: u64,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Seconds since the run began.
    pub elapsed_s: f64,
    /// Each side.
    #[serde(flatten)]
    pub sides: BySide<SideProgress>,
    /// Nodes found a second, both sides, lately.
    pub nodes_per_s: f64,
}

/// Reads how far a run has come, from any thread, for as long as anybody likes.
#[derive(Clone, Debug)]
pub struct ProgressReader(pub(crate) Arc<Mutex<Progress>>);

impl ProgressReader {
    /// How far it has come.
    pub fn read(&self) -> Progress {
        *self.0.lock()
    }
}
