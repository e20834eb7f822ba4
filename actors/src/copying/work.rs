//! What a Copier is given, and what it gives back.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use actix::Message;
use longhaul_ledger::{CopyResult, ExpectedBatch, MadeFolder, PartCopied, PlanBatch, PlanItem};
use longhaul_model::{FileFacts, NodeId};
use tokio::sync::OwnedSemaphorePermit;

use super::placement::Placement;

/// Coordinator → Copier: do this.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub enum CopyWork {
    /// These items, in this order.
    Items(Vec<PlanBatch>),
    /// Find out how this file stands, before its parts are copied.
    Prepare(Arc<LargeItem>),
    /// One part of a file that was prepared.
    Part {
        /// The file.
        file: Arc<LargeFile>,
        /// Which part.
        part: u32,
    },
    /// All parts are there: give the file its name.
    Place {
        /// The file.
        file: Arc<LargeFile>,
        /// BLAKE3 of the whole.
        checksum: Option<[u8; 32]>,
    },
    /// Set the attributes of these folders: everything is in them.
    FinishFolders(Vec<MadeFolder>),
    /// Look whether these are at the destination, as they should be.
    Verify(Vec<ExpectedBatch>),
}

/// A large file as the plan has it.
#[derive(Debug)]
pub struct LargeItem {
    /// The folder that it is in: its printable path on the source.
    pub folder: String,
    /// The folder's printable path on the destination, where it is another one.
    pub destination_folder: Option<String>,
    /// How deep it is.
    pub depth: i32,
    /// The item.
    pub item: PlanItem,
    /// Which attempt this is: 1, 2, …
    pub attempt: u32,
    /// Whether somebody has recorded what became of it.
    pub is_recorded: AtomicBool,
}

/// A large file of which the parts are to be copied.
#[derive(Debug)]
pub struct LargeFile {
    /// As the plan has it.
    pub large: Arc<LargeItem>,
    /// Its size and time when it was prepared. A part that finds another one is not recorded.
    pub facts: FileFacts,
    /// Bytes of each part but the last one.
    pub part_bytes: u64,
    /// How many parts it has; at least two.
    pub parts: u32,
    /// Those that an earlier run copied, by number: it is seen whether they are what they were, instead of copying them.
    pub done: Vec<PartCopied>,
    /// Where it goes, as was decided when it was prepared.
    pub(super) placement: Placement,
}

impl LargeItem {
    /// The printable path on the destination of the folder that it is in.
    pub fn folder_on_destination(&self) -> &str {
        self.destination_folder.as_deref().unwrap_or(&self.folder)
    }
}

impl LargeFile {
    /// Which bytes a part has.
    pub fn range(&self, part: u32) -> std::ops::Range<u64> {
        let size = self.facts.size.map_or(0, i64::unsigned_abs);
        let start = u64::from(part) * self.part_bytes;
        start..size.min(start + self.part_bytes)
    }
}

/// Copier → Coordinator: one [`CopyWork`] is dealt with.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct CopyDone {
    /// The Copier's number.
    pub copier: usize,
    /// What came of it.
    pub done: Done,
}

/// What came of a [`CopyWork`].
#[derive(Debug)]
pub enum Done {
    /// Of items.
    Items {
        /// The folders among them that are on the destination now.
        made: Vec<NodeId>,
        /// The folders among them that are not, and will not be.
        lost: Vec<NodeId>,
        /// Items that were not done, because the run is being stopped.
        given_back: usize,
    },
    /// The file is ready for its parts to be copied.
    Prepared(Arc<LargeFile>),
    /// A part is there.
    Part {
        /// Of this file.
        id: NodeId,
        /// Which one.
        part: u32,
        /// Its chaining value, where checksums are taken.
        value: Option<[u8; 32]>,
    },
    /// The source changed: the file is to be begun again.
    Changed(NodeId),
    /// The file is dealt with, for good or ill, and what became of it is recorded.
    Large(NodeId),
    /// Something of the file was not done, because the run is being stopped.
    LargeGivenBack(NodeId),
    /// Folders have their attributes.
    Folders,
    /// Batches were verified, by their first ids; the others were not, because the run is being stopped.
    Verified(Vec<i64>),
}

/// Copier → DB actor: record this. The permit bounds how much is under way, and comes back when it is committed.
#[derive(Debug, Default, Message)]
#[rtype(result = "()")]
pub struct RecordCopies {
    /// What became of items.
    pub results: Vec<CopyResult>,
    /// Parts of large files that are there.
    pub parts: Vec<(NodeId, PartCopied)>,
    /// Files whose parts count no more.
    pub forget: Vec<NodeId>,
    /// What else there is to say of nodes.
    pub remarks: Vec<(NodeId, String)>,
    /// Nodes that were verified.
    pub verified: u64,
    /// Bytes that were read for that on the destination.
    pub bytes_read: u64,
    /// Nodes that are not what they should be, and how.
    pub differences: Vec<(NodeId, String)>,
    /// Everything with a lower source id has been verified.
    pub verified_below: Option<i64>,
    /// A place in the queue for each of them.
    pub permit: Option<OwnedSemaphorePermit>,
}

impl RecordCopies {
    /// How many places it takes.
    pub(crate) fn len(&self) -> usize {
        let lists =
            [self.results.len(), self.parts.len(), self.forget.len(), self.remarks.len(), self.differences.len()];
        lists.iter().sum::<usize>() + usize::from(self.verified > 0)
    }
}
