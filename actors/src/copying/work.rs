//! What a Copier is assigned, and what it reports.

use actix::Message;
use longhaul_ledger::{CopyOutcome, ExpectedBatch, MadeFolder, PartCopied, PlanBatch, PlanItem};
use longhaul_model::{FileFacts, NodeId};
use serde::{Deserialize, Serialize};

use super::placement::Placement;
use super::tree_hash;

/// Coordinator → Copier: do this.
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) enum CopyWork {
    /// Copy these items, in this order.
    Items(Vec<PlanBatch>),
    /// Check the state of this file, before its parts are copied.
    Prepare(LargeItem),
    /// Copy one part of a file that was prepared.
    Part {
        /// The file. Of the parts that an earlier run copied it names this one at most.
        file: LargeFile,
        /// Which part.
        part: u32,
    },
    /// All parts are complete: give the file its name.
    Place {
        /// The file.
        file: LargeFile,
        /// BLAKE3 of the whole.
        checksum: Option<[u8; 32]>,
    },
    /// A part failed for good and no other one is in flight: remove what was written, and record why.
    Fail {
        /// The file.
        large: LargeItem,
        /// The result to record.
        outcome: CopyOutcome,
        /// After how many attempts.
        attempts: u32,
    },
    /// Set the attributes of these folders: everything in them is copied.
    FinishFolders(Vec<MadeFolder>),
    /// Verify these on the destination.
    Verify(Vec<ExpectedBatch>),
}

/// A large file as the plan has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LargeItem {
    /// The folder that it is in: its printable path on the source.
    pub(crate) folder: String,
    /// The folder's printable path on the destination, where that differs.
    pub(crate) destination_folder: Option<String>,
    /// How deep it is.
    pub(crate) depth: i32,
    /// The item.
    pub(crate) item: PlanItem,
    /// Which attempt this is: 1, 2, …
    pub(crate) attempt: u32,
}

/// A large file whose parts are to be copied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LargeFile {
    /// As the plan has it.
    pub(crate) large: LargeItem,
    /// Its size and time when it was prepared. A part that finds other ones is not recorded.
    pub(crate) facts: FileFacts,
    /// Bytes of each part but the last one.
    pub(crate) part_bytes: u64,
    /// How many parts it has; at least two.
    pub(crate) parts: u32,
    /// Those that an earlier run copied, by number: they are checked instead of copied.
    pub(crate) done: Vec<PartCopied>,
    /// Where it goes, as was decided when it was prepared.
    pub(super) placement: Placement,
}

impl LargeItem {
    /// The printable path on the destination of the folder that it is in.
    pub(crate) fn folder_on_destination(&self) -> &str {
        self.destination_folder.as_deref().unwrap_or(&self.folder)
    }
}

impl LargeFile {
    /// Which bytes a part has.
    pub(crate) fn range(&self, part: u32) -> std::ops::Range<u64> {
        let size = self.facts.size.map_or(0, i64::unsigned_abs);
        let start = u64::from(part) * self.part_bytes;
        start..size.min(start + self.part_bytes)
    }

    /// BLAKE3 of the whole, from the chaining values of all parts in order.
    pub(crate) fn checksum_of(values: &[[u8; 32]]) -> [u8; 32] {
        tree_hash::whole(values)
    }

    /// A file that was prepared in a test.
    #[cfg(test)]
    pub(crate) fn of_parts(large: LargeItem, part_bytes: u64, parts: u32) -> Self {
        LargeFile { facts: large.item.facts, large, part_bytes, parts, done: Vec::new(), placement: Placement::Free }
    }
}

/// The result of a [`CopyWork`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CopyReport {
    /// Of items.
    Items {
        /// The folders among them that exist on the destination now.
        made: Vec<NodeId>,
        /// The folders among them that do not, and will not.
        lost: Vec<NodeId>,
        /// Items that were not done, because the run is being stopped.
        given_back: usize,
    },
    /// The file is ready for its parts to be copied.
    Prepared(LargeFile),
    /// A part is complete.
    Part {
        /// Of this file.
        id: NodeId,
        /// Which one.
        part: u32,
        /// Its chaining value, where checksums are taken.
        value: Option<[u8; 32]>,
    },
    /// A part failed for good. Nothing is recorded yet: several parts may fail.
    PartFailed {
        /// Of this file.
        id: NodeId,
        /// Why.
        outcome: CopyOutcome,
        /// After how many attempts.
        attempts: u32,
    },
    /// The source changed: the file starts over.
    Changed(NodeId),
    /// The file is finished, for good or ill, and its result is recorded.
    Large(NodeId),
    /// Something of the file was not done, because the run is being stopped.
    LargeGivenBack(NodeId),
    /// Folders have their attributes.
    Folders,
    /// Batches were verified, by their first ids; the others were not, because the run is being stopped.
    Verified(Vec<i64>),
}

impl CopyReport {
    /// How much was not done, because the run is being stopped, and is pending again.
    pub(crate) fn given_back(&self) -> usize {
        match self {
            CopyReport::Items { given_back, .. } => *given_back,
            CopyReport::LargeGivenBack(_) => 1,
            CopyReport::Prepared(_)
            | CopyReport::Part { .. }
            | CopyReport::PartFailed { .. }
            | CopyReport::Changed(_)
            | CopyReport::Large(_)
            | CopyReport::Folders
            | CopyReport::Verified(_) => 0,
        }
    }
}

/// What a batch is known by: the lowest id in it.
pub(crate) fn first_id(batch: &ExpectedBatch) -> i64 {
    batch.nodes.first().map_or(i64::MAX, |node| node.id.0)
}
