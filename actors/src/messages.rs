//! What the actors say to each other: plain data that could cross a process boundary.
//!
//! | from | to | message |
//! |---|---|---|
//! | Coordinator | Lister, Copier | [`ListFolders`], `CopyWork` |
//! | Lister, Copier | Coordinator | [`WorkDone`], [`StoreGaveUp`] |
//! | Coordinator, Lister, Copier, a store's pace | ledger actor | [`LedgerRequest`] |
//! | ledger actor | Coordinator | [`LedgerReply`] |
//! | ledger actor | Flusher and back | [`Flush`], [`Flushed`] |
//! | every actor that ends too early | Coordinator | [`ActorDied`] |
//! | anyone | Coordinator | [`Interrupt`] |
//! | anyone | ledger actor | [`BackUp`] |
//!
//! Every message is a batch. Listings and results are large and go from the workers to the ledger actor only; what the
//! Coordinator receives is small.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use actix::{Message, Recipient};
use longhaul_ledger::{
    CopyResult, Counters, Existing, ExpectedBatch, FailedListing, Folder, LedgerError, ListedPage, MadeFolder,
    Overview, PaceRow, PartCopied, PlanBatch, RecordedListing, UnfinishedFolder,
};
use longhaul_model::{BySide, NodeId, Phase, Side};
use longhaul_storage::StoreError;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;

use crate::traffic::Traffic;

/// A message with the permit that bounds how much of its kind is under way. The permit stays inside the process and is
/// returned when this is dropped.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Permitted<M> {
    /// The message proper.
    pub(crate) message: M,
    /// As many places as the message takes; `None` where the sender's messages are few.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

impl<M> From<M> for Permitted<M> {
    fn from(message: M) -> Self {
        Permitted { message, permit: None }
    }
}

/// Coordinator → Lister: list these folders, in this order.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct ListFolders(pub(crate) Vec<Folder>);

/// Worker → Coordinator: one batch is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct WorkDone<R> {
    /// Who finished it.
    pub(crate) worker: ActorName,
    /// The result.
    pub(crate) report: R,
}

/// The result of one [`ListFolders`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ListingReport {
    /// Folders that were not listed, because the run is being stopped: they stay pending.
    pub(crate) given_back: usize,
    /// The folders of the batch, and how many of them were listed, failed or were given back.
    pub(crate) traffic: Traffic,
}

/// Worker → Coordinator: this store cannot be used any more.
#[derive(Clone, Debug, PartialEq, Eq, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct StoreGaveUp {
    /// Which store.
    pub(crate) side: Side,
    /// The printable path of the entry that was requested.
    pub(crate) path: String,
    /// What the store said.
    pub(crate) error: StoreError,
}

impl StoreGaveUp {
    /// Why the run is suspended because of it.
    pub(crate) fn reason(&self) -> String {
        let StoreGaveUp { side, path, error } = self;
        format!("{side} {path}: {error}")
    }
}

/// The result of listing a folder, or a page of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Listed {
    /// A page was found.
    Page(ListedPage),
    /// The folder could not be listed.
    Failed(FailedListing),
}

/// What a Copier did at the destination: recorded only when it is durable there.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CopyRecords {
    /// Results of items.
    pub(crate) results: Vec<CopyResult>,
    /// Parts of large files that are complete.
    pub(crate) parts: Vec<(NodeId, PartCopied)>,
    /// Files whose parts do not count any more.
    pub(crate) forget: Vec<NodeId>,
    /// Folders that could not be finished.
    pub(crate) unfinished: Vec<UnfinishedFolder>,
}

impl CopyRecords {
    /// How many records these are: each takes one place.
    pub(crate) fn len(&self) -> usize {
        self.results.len() + self.parts.len() + self.forget.len() + self.unfinished.len()
    }
}

/// What a Copier verified.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct VerifyRecords {
    /// How many nodes.
    pub(crate) nodes: u64,
    /// Bytes that were read for that on the destination.
    pub(crate) bytes_read: u64,
    /// Nodes that differ, and how.
    pub(crate) differences: Vec<(NodeId, String)>,
}

/// → ledger actor: everything that it can be asked for.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) enum LedgerRequest {
    /// Record these listings, in the order in which they were found. Answered with [`LedgerReply::ListingsRecorded`].
    Listings {
        /// On which side.
        side: Side,
        /// The listings.
        listed: Vec<Listed>,
    },
    /// Record these results when they are durable on the destination.
    Copies(CopyRecords),
    /// Record this as well.
    Verified(VerifyRecords),
    /// Everything with a lower source id has been verified, and its results were sent before this.
    VerifiedBelow(i64),
    /// Record a change of a store's pace.
    Pace(PaceRow),
    /// Which folders to be listed have ids in this range? Answered with [`LedgerReply::FoldersPulled`].
    PullFolders {
        /// On which side.
        side: Side,
        /// The ids.
        ids: Range<i64>,
    },
    /// Which items of the plan have source ids in this range? Answered with [`LedgerReply::PlanPulled`].
    PullPlan(Range<i64>),
    /// Which nodes are expected on the destination, of source ids in this range? Answered with
    /// [`LedgerReply::ExpectedPulled`].
    PullExpected(Range<i64>),
    /// Everything is copied: in which range of ids are the folders that were created? Answered with
    /// [`LedgerReply::MadeFolders`] when everything sent before is recorded.
    BeginMadeFolders,
    /// Which folders that were created have source ids in this range? Answered with [`LedgerReply::MadeFoldersPulled`].
    PullMadeFolders(Range<i64>),
    /// The last request: commit, note how the run ended, close the ledger. Answered with [`LedgerReply::Closed`].
    Finish(Finish),
}

impl LedgerRequest {
    /// How many listings, or failures, are in it: as many will be answered.
    pub(crate) fn listings(&self) -> u64 {
        match self {
            LedgerRequest::Listings { listed, .. } => listed.len() as u64,
            LedgerRequest::Copies(_)
            | LedgerRequest::Verified(_)
            | LedgerRequest::VerifiedBelow(_)
            | LedgerRequest::Pace(_)
            | LedgerRequest::PullFolders { .. }
            | LedgerRequest::PullPlan(_)
            | LedgerRequest::PullExpected(_)
            | LedgerRequest::BeginMadeFolders
            | LedgerRequest::PullMadeFolders(_)
            | LedgerRequest::Finish(_) => 0,
        }
    }
}

/// Anyone → ledger actor: back the ledger up as it is now. The answer is the bytes of the backup.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "Result<u64, LedgerError>")]
pub(crate) struct BackUp {
    /// The file of the backup.
    pub(crate) to: PathBuf,
    /// Whether it may be there already.
    pub(crate) existing: Existing,
}

/// How a run ended, for the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Finish {
    /// The migration's phase from now on.
    pub(crate) phase: Phase,
    /// Why it is suspended.
    pub(crate) reason: Option<String>,
    /// How the run ended, for the table of runs.
    pub(crate) outcome: String,
}

/// Ledger actor → Coordinator: everything that it can answer.
#[derive(Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
#[allow(clippy::large_enum_variant, reason = "the large one is sent once in a run")]
pub(crate) enum LedgerReply {
    /// These listings are recorded, though not necessarily durable.
    ListingsRecorded(Vec<RecordedListing>),
    /// The answer to [`LedgerRequest::PullFolders`].
    FoldersPulled {
        /// On which side.
        side: Side,
        /// The ids that were requested.
        ids: Range<i64>,
        /// In id order.
        folders: Vec<Folder>,
    },
    /// The answer to [`LedgerRequest::PullPlan`].
    PlanPulled {
        /// The ids that were requested.
        ids: Range<i64>,
        /// In id order.
        batches: Vec<PlanBatch>,
    },
    /// The answer to [`LedgerRequest::PullExpected`].
    ExpectedPulled {
        /// The ids that were requested.
        ids: Range<i64>,
        /// In id order.
        batches: Vec<ExpectedBatch>,
    },
    /// The answer to [`LedgerRequest::BeginMadeFolders`]: source ids.
    MadeFolders(Range<i64>),
    /// The answer to [`LedgerRequest::PullMadeFolders`], with printable paths, in id order.
    MadeFoldersPulled(Vec<MadeFolder>),
    /// The destination cannot be flushed to disk: nothing is recorded any more.
    NotDurable(StoreGaveUp),
    /// The ledger cannot be written any more.
    Failed(LedgerError),
    /// The answer to [`LedgerRequest::Finish`], behind every other reply.
    Closed(Result<Closed, LedgerError>),
}

/// How the ledger was closed.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Closed {
    /// How the migration stands in the ledger; `None` where the ledger failed.
    pub overview: Option<Overview>,
    /// Listings, and failures, or results of copying, that came; answered are those that were recorded.
    pub traffic: Traffic,
    /// Those that came and were not recorded. Not zero only after the ledger or a flush failed.
    pub dropped: u64,
    /// Why the ledger could not be written to the end; what was not committed then is lost.
    pub failed: Option<String>,
}

impl Closed {
    /// The counters of the whole, as they are in the ledger.
    pub fn totals(&self) -> BySide<Counters> {
        self.overview.as_ref().map(|overview| overview.totals).unwrap_or_default()
    }
}

/// Ledger actor → Flusher: answer when everything that was written before is durable.
#[derive(Clone, Copy, Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Flush;

/// Flusher → ledger actor: the answer to [`Flush`].
#[derive(Clone, Debug, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct Flushed(pub(crate) Result<(), StoreError>);

/// Names an actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ActorName {
    /// The ledger actor.
    Ledger,
    /// The Flusher.
    Flusher,
    /// The Lister with this number of this side.
    Lister(Side, usize),
    /// The Copier with this number.
    Copier(usize),
}

impl fmt::Display for ActorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ActorName::Ledger => f.write_str("ledger actor"),
            ActorName::Flusher => f.write_str("Flusher"),
            ActorName::Lister(side, number) => write!(f, "Lister {number} of the {side}"),
            ActorName::Copier(number) => write!(f, "Copier {number}"),
        }
    }
}

/// A dying actor → Coordinator. A panic ends an actor without a word: its mailbox is gone, with everything in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub(crate) struct ActorDied(pub(crate) ActorName);

/// Sends [`ActorDied`] when it is dropped. Every actor but the Coordinator owns one, so that however it ends the
/// Coordinator learns of it.
#[derive(Debug)]
pub(crate) struct DeathNotice {
    actor: ActorName,
    to: Option<Recipient<ActorDied>>,
}

impl DeathNotice {
    /// The notice of one actor.
    pub(crate) fn new(actor: ActorName, to: Recipient<ActorDied>) -> Self {
        DeathNotice { actor, to: Some(to) }
    }

    /// The actor ends because it has done its work.
    pub(crate) fn not_needed(&mut self) {
        self.to = None;
    }
}

impl Drop for DeathNotice {
    fn drop(&mut self) {
        if let Some(coordinator) = &self.to {
            coordinator.do_send(ActorDied(self.actor));
        }
    }
}

/// Anyone → Coordinator: stop at the next safe point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message, Serialize, Deserialize)]
#[rtype(result = "()")]
pub struct Interrupt;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copying::{CopyReport, CopyWork};

    fn is_plain_data<M: Message + Send + Serialize + for<'a> Deserialize<'a>>() {}

    #[test]
    fn every_message_is_plain_data() {
        is_plain_data::<ListFolders>();
        is_plain_data::<CopyWork>();
        is_plain_data::<WorkDone<ListingReport>>();
        is_plain_data::<WorkDone<CopyReport>>();
        is_plain_data::<StoreGaveUp>();
        is_plain_data::<LedgerRequest>();
        is_plain_data::<LedgerReply>();
        is_plain_data::<Flush>();
        is_plain_data::<Flushed>();
        is_plain_data::<ActorDied>();
        is_plain_data::<Interrupt>();
    }
}
