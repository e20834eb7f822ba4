//! What the actors say to each other. Listings are large and go from the Listers to the DB actor only; what the
//! Coordinator sees is small, one message for a folder or a batch of them.

use std::fmt;
use std::ops::Range;

use actix::{Message, Recipient};
use longhaul_ledger::{Counters, FailedListing, Folder, LedgerError, ListedPage, Overview, PaceRow, RecordedListing};
use longhaul_model::{BySide, Phase, Side};
use longhaul_storage::StoreError;
use tokio::sync::OwnedSemaphorePermit;

use crate::traffic::Traffic;

/// Coordinator → Lister: list these folders, in this order.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ListFolders(pub Vec<Folder>);

/// Lister → Coordinator: all folders of one [`ListFolders`] are dealt with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct BatchDone {
    /// The Lister's side.
    pub side: Side,
    /// The Lister's number within its side.
    pub lister: usize,
    /// Folders that were not listed, because the run is being stopped: they stay pending.
    pub given_back: usize,
    /// The folders of the batch, and how many of them were listed, failed or given back.
    pub traffic: Traffic,
}

/// Lister → Coordinator: going on with this store makes no sense.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct StoreGaveUp {
    /// Which store.
    pub side: Side,
    /// The folder it was asked for.
    pub path: String,
    /// What it said.
    pub error: StoreError,
}

impl StoreGaveUp {
    /// Why the run is suspended because of it.
    pub(crate) fn reason(&self) -> String {
        let StoreGaveUp { side, path, error } = self;
        format!("{side} {path}: {error}")
    }
}

/// What became of a folder, or of a page of it.
#[derive(Debug)]
pub enum Listed {
    /// A page was found.
    Page(ListedPage),
    /// The folder could not be listed.
    Failed(FailedListing),
}

/// Lister → DB actor: record these. The permit bounds how much is under way, and comes back when they are recorded.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct RecordListings {
    /// On which side.
    pub side: Side,
    /// In the order in which they were found.
    pub listed: Vec<Listed>,
    /// A place in the queue, as large as what is in this message; none for what the Coordinator itself has to record.
    pub permit: Option<OwnedSemaphorePermit>,
}

/// A store's pace → DB actor: it has changed.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct RecordPace(pub PaceRow);

/// DB actor → Coordinator: these listings are recorded, though not necessarily durable.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ListingsRecorded(pub Vec<RecordedListing>);

/// Coordinator → DB actor: which folders to be listed have ids in this range?
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PullFolders {
    /// On which side.
    pub side: Side,
    /// The ids.
    pub ids: Range<i64>,
}

/// DB actor → Coordinator: the answer to [`PullFolders`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FoldersPulled {
    /// On which side.
    pub side: Side,
    /// The ids that were asked for.
    pub ids: Range<i64>,
    /// In id order.
    pub folders: Vec<Folder>,
}

/// DB actor → Coordinator: the ledger cannot be written any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct LedgerFailed(pub LedgerError);

/// Coordinator → DB actor, as the last message of all: commit what there is, note how the run ended, close the ledger.
#[derive(Debug, Message)]
#[rtype(result = "Result<Closed, LedgerError>")]
pub struct Finish {
    /// The migration's phase from now on.
    pub phase: Phase,
    /// Why it is suspended.
    pub reason: Option<String>,
    /// How the run ended, for the table of runs.
    pub outcome: &'static str,
}

/// The answer to [`Finish`].
#[derive(Clone, Debug, Default)]
pub struct Closed {
    /// How the migration stands in the ledger; `None` where the ledger failed.
    pub overview: Option<Overview>,
    /// Listings, and failures, that came; answered are those that were recorded.
    pub traffic: Traffic,
    /// Listings, and failures, that came and were not recorded. Not zero only after the ledger failed.
    pub dropped: u64,
    /// Why the ledger could not be written to the end; what was not committed then is lost.
    pub failed: Option<String>,
}

/// Which actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The DB actor.
    Db,
    /// The Lister with this number of this side.
    Lister(Side, usize),
    /// The Copier with this number.
    Copier(usize),
    /// The Flusher.
    Flusher,
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Db => f.write_str("DB actor"),
            Which::Lister(side, number) => write!(f, "Lister {number} of the {side}"),
            Which::Copier(number) => write!(f, "Copier {number}"),
            Which::Flusher => f.write_str("Flusher"),
        }
    }
}

/// A dying actor → Coordinator. A panic ends an actor without a word: its mailbox is gone, and what is sent to it as
/// well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ActorDied(pub Which);

/// Sends [`ActorDied`] when it is dropped. An actor has one, so that however it ends the Coordinator gets to know.
#[derive(Debug)]
pub struct DeathNotice {
    which: Which,
    to: Option<Recipient<ActorDied>>,
}

impl DeathNotice {
    /// The notice of one actor.
    pub fn new(which: Which, to: Recipient<ActorDied>) -> Self {
        DeathNotice { which, to: Some(to) }
    }

    /// The actor ends because it has done its work.
    pub fn not_needed(&mut self) {
        self.to = None;
    }
}

impl Drop for DeathNotice {
    fn drop(&mut self) {
        if let Some(coordinator) = &self.to {
            coordinator.do_send(ActorDied(self.which));
        }
    }
}

impl Closed {
    /// The counters of the whole, as they stand in the ledger.
    pub fn totals(&self) -> BySide<Counters> {
        self.overview.as_ref().map(|overview| overview.totals).unwrap_or_default()
    }
}

/// Anybody → Coordinator: stop at the next safe point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Interrupt;
