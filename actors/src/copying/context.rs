//! What all Copiers share, and why an attempt fails.

use std::collections::HashSet;
use std::sync::Arc;

use longhaul_ledger::{CopySettings, Settings};
use longhaul_model::{BySide, ErrorClass, NodeId, Side, VerifyLevel};
use longhaul_storage::{Durability, Keeps, Store, StoreError};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::hard_links::HardLinks;
use crate::attempts::RetryPolicy;
use crate::health::Health;
use crate::pace::Bandwidth;
use crate::progress::Board;

/// What all Copiers share.
#[derive(Debug)]
pub(crate) struct CopyContext {
    /// The source and the destination.
    pub stores: BySide<Arc<dyn Store>>,
    /// The migration's settings.
    pub settings: Settings,
    /// How files are copied.
    pub copying: CopySettings,
    /// Whether each file is flushed to disk individually.
    pub durability: Durability,
    /// What the names of temporary files begin with. No name on the source does.
    pub temporary_prefix: String,
    /// Items with lower ids may have been begun by an earlier run.
    pub begun_below: i64,
    /// How thoroughly the destination is verified.
    pub level: VerifyLevel,
    /// When and how often an attempt is repeated.
    pub retry: RetryPolicy,
    /// Whether the stores answer at all.
    pub health: BySide<Health>,
    /// Files with several names.
    pub links: HardLinks,
    /// Counts what is not preserved.
    pub board: Board,
    /// Items of which an attempt of this run has failed.
    pub(crate) attempted: Attempted,
    /// Limits how many bytes are read per second.
    pub(crate) bandwidth: Bandwidth,
    /// Set when the run is being stopped.
    pub stop: CancellationToken,
}

/// Items that are being attempted again. A failed attempt may have been carried out all the same, if only its answer
/// got lost.
#[derive(Debug, Default)]
pub(crate) struct Attempted(Mutex<HashSet<NodeId>>);

impl Attempted {
    pub(super) fn insert(&self, id: NodeId) {
        self.0.lock().insert(id);
    }

    pub(super) fn remove(&self, id: NodeId) {
        self.0.lock().remove(&id);
    }

    pub(super) fn contains(&self, id: NodeId) -> bool {
        self.0.lock().contains(&id)
    }
}

/// Why an attempt failed.
#[derive(Debug)]
pub(super) enum AttemptError {
    /// The store of this side returned an error.
    Store(Side, StoreError),
    /// Something changed while the attempt was made.
    Changed(String),
    /// The run is being stopped.
    Stopped,
}

/// The result of an attempt, or of a step of it.
pub(super) type Attempt<T> = Result<T, AttemptError>;

/// Says which side an error came from.
pub(super) trait AtSide<T> {
    fn at_side(self, side: Side) -> Attempt<T>;
}

impl<T> AtSide<T> for Result<T, StoreError> {
    fn at_side(self, side: Side) -> Attempt<T> {
        self.map_err(|error| AttemptError::Store(side, error))
    }
}

impl CopyContext {
    /// What the store of this side preserves.
    pub(super) fn keeps(&self, side: Side) -> Keeps {
        self.stores[side].keeps()
    }

    /// The name of an item's temporary file.
    pub(super) fn temporary_name(&self, id: NodeId) -> Vec<u8> {
        format!("{}{id}", self.temporary_prefix).into_bytes()
    }

    /// Whether an earlier run or attempt may have begun with an item. It may even have finished it without the result
    /// having been recorded.
    pub(super) fn may_be_begun(&self, id: NodeId) -> bool {
        id.0 < self.begun_below || self.attempted.contains(id)
    }

    /// Whether the stores copy contents without the bytes passing through this process, where they can.
    pub(super) fn copies_without_reading(&self) -> bool {
        !self.copying.checksum && !self.bandwidth.is_limited()
    }

    /// Reads at most as many bytes as the bandwidth limit allows at a time, when it allows them.
    pub(super) async fn read<'a>(
        &self,
        buffer: &'a mut [u8],
        wanted: u64,
        read: impl AsyncFnOnce(&'a mut [u8]) -> Result<usize, StoreError>,
    ) -> Result<usize, StoreError> {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX).min(buffer.len());
        let stretch = self.bandwidth.stretch(wanted);
        self.bandwidth.spend(stretch, &self.stop).await;
        read(&mut buffer[..stretch]).await
    }

    pub(super) fn check_stop(&self) -> Attempt<()> {
        if self.stop.is_cancelled() { Err(AttemptError::Stopped) } else { Ok(()) }
    }
}

/// Whether an error says that the item is gone from the source.
pub(super) fn is_gone(side: Side, error: &StoreError) -> bool {
    side == Side::Source && error.class == ErrorClass::Vanished
}
