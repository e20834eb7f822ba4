//! What all Copiers have in common.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use longhaul_ledger::{CopySettings, Settings};
use longhaul_model::{BySide, ErrorClass, NodeId, Side, VerifyLevel};
use longhaul_storage::{Attributes, Durability, Facts, Folder, Keeps, Store, StoreError};
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::hard_links::HardLinks;
use crate::health::Health;
use crate::pace::Bandwidth;
use crate::progress::Board;
use crate::retry::RetryPolicy;

/// What all Copiers have in common.
#[derive(Debug)]
pub struct CopyContext {
    /// Where files are read, and where they are written.
    pub stores: BySide<Arc<dyn Store>>,
    /// What the migration keeps to.
    pub settings: Settings,
    /// How files are copied.
    pub copying: CopySettings,
    /// Whether each file is made durable by itself.
    pub durability: Durability,
    /// What the names of files begin with that are not whole yet. No name on the source does.
    pub temporary_prefix: String,
    /// Items with lower ids may have been begun by an earlier run.
    pub begun_below: i64,
    /// How closely it is looked when the destination is verified.
    pub level: VerifyLevel,
    /// When and how often something is tried again.
    pub retry: RetryPolicy,
    /// Whether the stores answer at all.
    pub health: BySide<Health>,
    /// Files with several names.
    pub links: HardLinks,
    /// Where it is counted what is not carried over.
    pub board: Board,
    /// Items of which an attempt of this run has come to nothing.
    pub(crate) tried: Tried,
    /// How many bytes may be read.
    pub(crate) bandwidth: Bandwidth,
    /// Set when the run is being stopped.
    pub stop: CancellationToken,
}

/// Items that are attempted again just now. An attempt that failed may have been carried out all the same, where it is
/// the answer that got lost.
#[derive(Debug, Default)]
pub(crate) struct Tried(Mutex<HashSet<NodeId>>);

impl Tried {
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

/// Why an attempt came to nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A store said so.
    Store(Side, StoreError),
    /// Something was not any more as it had been a moment before.
    Changed(String),
    /// The run is being stopped.
    Stopped,
}

/// A result of work on an item.
pub(super) type Attempt<T> = Result<T, Trouble>;

/// Which side an error came from.
pub(super) trait On<T> {
    fn on(self, side: Side) -> Attempt<T>;
}

impl<T> On<T> for Result<T, StoreError> {
    fn on(self, side: Side) -> Attempt<T> {
        self.map_err(|error| Trouble::Store(side, error))
    }
}

impl CopyContext {
    /// What the two stores can keep of an entry, both of them.
    pub(super) fn keeps(&self, side: Side) -> Keeps {
        self.stores[side].keeps()
    }

    /// Whether users and groups are carried over.
    pub(super) fn carries_owner(&self) -> bool {
        self.copying.owner && self.keeps(Side::Destination).owner
    }

    /// The name of an item while it is not whole.
    pub(super) fn temporary_name(&self, id: NodeId) -> Vec<u8> {
        format!("{}{id}", self.temporary_prefix).into_bytes()
    }

    /// Whether an earlier run, or an earlier attempt, may have begun with an item, or even have done it without anybody
    /// having heard of that.
    pub(super) fn may_be_begun(&self, id: NodeId) -> bool {
        id.0 < self.begun_below || self.tried.contains(id)
    }

    /// Whether files are copied without their bytes coming by, where the stores can do that.
    pub(super) fn copies_unseen(&self) -> bool {
        !self.copying.checksum && !self.bandwidth.is_limited()
    }

    /// Reads when that is allowed, and not more than is allowed at a time.
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
        if self.stop.is_cancelled() { Err(Trouble::Stopped) } else { Ok(()) }
    }

    /// What is set on the copy of an entry. `name` is empty for the folder itself.
    pub(super) async fn attributes(&self, folder: &dyn Folder, name: &[u8], facts: &Facts) -> Attempt<Attributes> {
        let extended = if self.copying.extended && self.keeps(Side::Source).extended {
            folder.extended_attributes(name).await.on(Side::Source)?
        } else {
            Vec::new()
        };
        // Who has it anyway is set only where special bits depend on it.
        let new_owner = self.keeps(Side::Destination).new_owner.filter(|_| facts.mode.is_some_and(is_special));
        Ok(Attributes {
            modified_ns: facts.modified_ns,
            mode: facts.mode,
            owner: facts.owner.filter(|&owner| self.carries_owner() || Some(owner) == new_owner),
            extended,
        })
    }
}

/// The bits with which a program runs as the user, or in the group, that it belongs to.
const SPECIAL_BITS: u32 = 0o6000;

fn is_special(mode: u32) -> bool {
    mode & SPECIAL_BITS != 0
}

/// What may be set of the attributes of a file or folder, and whether that leaves something out. A set-user bit that was
/// about one user would be about another one: whoever copies a program of somebody else's as root would give everybody
/// the rights of root. So these bits go with the owner, or not at all. Where both are set a store sets the owner first,
/// and it is an error if that cannot be done.
pub(super) fn without_foreign_bits(attributes: &Attributes) -> (Cow<'_, Attributes>, bool) {
    match attributes.mode {
        Some(mode) if attributes.owner.is_none() && is_special(mode) => {
            (Cow::Owned(Attributes { mode: Some(mode & !SPECIAL_BITS), ..attributes.clone() }), true)
        }
        _ => (Cow::Borrowed(attributes), false),
    }
}

/// What became of an item that a store has trouble with for good.
pub(super) fn is_gone(side: Side, error: &StoreError) -> bool {
    side == Side::Source && error.class == ErrorClass::Vanished
}
