//! What a run shows of itself while it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use longhaul_model::{BySide, Side};
use parking_lot::Mutex;

/// Counters for the display, written by the actors and read by the Observer. The only state that actors share; nothing
/// is decided by it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    sides: Arc<BySide<SideBoard>>,
    copy: Arc<CopyBoard>,
}

#[derive(Debug, Default)]
struct CopyBoard {
    nodes: AtomicU64,
    bytes: AtomicU64,
    nodes_in_all: AtomicU64,
    bytes_in_all: AtomicU64,
    special_bits_left_out: AtomicU64,
}

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
        let board = &self.sides[side];
        board.nodes.fetch_add(nodes as u64, Relaxed);
        board.folders_listed.fetch_add(u64::from(is_last), Relaxed);
    }

    /// A folder was recorded as failed.
    pub(crate) fn failed(&self, side: Side) {
        self.sides[side].folders_failed.fetch_add(1, Relaxed);
    }

    /// How much is given out, and waits to be.
    pub(crate) fn scheduled(&self, side: Side, in_flight: usize, waiting: usize) {
        let board = &self.sides[side];
        board.in_flight.store(in_flight as u64, Relaxed);
        board.waiting.store(waiting as u64, Relaxed);
    }

    /// How much there is to be copied.
    pub(crate) fn to_be_copied(&self, nodes: u64, bytes: u64) {
        self.copy.nodes_in_all.store(nodes, Relaxed);
        self.copy.bytes_in_all.store(bytes, Relaxed);
    }

    /// Items were dealt with, and bytes copied.
    pub(crate) fn copied(&self, nodes: u64, bytes: u64) {
        self.copy.nodes.fetch_add(nodes, Relaxed);
        self.copy.bytes.fetch_add(bytes, Relaxed);
    }

    /// The set-user or set-group bit of something was not carried over.
    pub(crate) fn left_out_special_bits(&self) {
        self.copy.special_bits_left_out.fetch_add(1, Relaxed);
    }

    /// Of how many files and folders.
    pub(crate) fn special_bits_left_out(&self) -> u64 {
        self.copy.special_bits_left_out.load(Relaxed)
    }

    /// `None` while nothing is to be copied.
    pub(crate) fn read_copy(&self) -> Option<CopyProgress> {
        let copy = &self.copy;
        let progress = CopyProgress {
            nodes: copy.nodes.load(Relaxed),
            bytes: copy.bytes.load(Relaxed),
            nodes_in_all: copy.nodes_in_all.load(Relaxed),
            bytes_in_all: copy.bytes_in_all.load(Relaxed),
        };
        (progress.nodes_in_all > 0).then_some(progress)
    }

    pub(crate) fn read(&self) -> BySide<SideProgress> {
        BySide::from_fn(|side| {
            let board = &self.sides[side];
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

/// How far copying, or comparing, has come in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CopyProgress {
    /// Nodes that were dealt with.
    pub nodes: u64,
    /// Bytes that were copied.
    pub bytes: u64,
    /// Nodes that there were to deal with when the run began.
    pub nodes_in_all: u64,
    /// Bytes of the files among them.
    pub bytes_in_all: u64,
}

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Progress {
    /// Seconds since the run began.
    pub elapsed_s: f64,
    /// Each side.
    #[serde(flatten)]
    pub sides: BySide<SideProgress>,
    /// Nodes found a second, both sides, or dealt with, lately.
    pub nodes_per_s: f64,
    /// How far copying has come, where that is what the run does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<CopyProgress>,
    /// Bytes copied a second, lately.
    #[serde(default)]
    pub bytes_per_s: f64,
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
