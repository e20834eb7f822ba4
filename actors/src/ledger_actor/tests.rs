//! The ledger actor with a ledger of its own, and neighbours that write down what they are told.

mod copying;
mod discovery;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use actix::Addr;
use longhaul_ledger::{DiscoverWriter, MigrationSpec, Reader, Resources, Settings};
use longhaul_model::Comparison;
use tokio::sync::Semaphore;

use super::*;
use crate::messages::{ActorDied, ActorName};

const COMMIT_INTERVAL: Duration = Duration::from_millis(500);

/// What the ledger actor said, to whomever.
#[derive(Debug, Default)]
struct Heard {
    flushes: usize,
    recorded: Vec<RecordedListing>,
    /// Side, ids and folders of each pull.
    pulled: Vec<(Side, std::ops::Range<i64>, Vec<longhaul_ledger::Folder>)>,
    made_folders: Vec<std::ops::Range<i64>>,
    gave_up: Vec<StoreGaveUp>,
    failed: Vec<LedgerError>,
    closed: Option<Result<Closed, LedgerError>>,
}

#[derive(Clone, Default)]
struct Neighbours(Rc<RefCell<Heard>>);

impl Actor for Neighbours {
    type Context = Context<Self>;
}

impl Handler<LedgerReply> for Neighbours {
    type Result = ();

    fn handle(&mut self, reply: LedgerReply, _: &mut Self::Context) {
        let mut heard = self.0.borrow_mut();
        match reply {
            LedgerReply::ListingsRecorded(listings) => heard.recorded.extend(listings),
            LedgerReply::FoldersPulled { side, ids, folders } => heard.pulled.push((side, ids, folders)),
            LedgerReply::MadeFolders(ids) => heard.made_folders.push(ids),
            LedgerReply::NotDurable(gave_up) => heard.gave_up.push(gave_up),
            LedgerReply::Failed(error) => heard.failed.push(error),
            LedgerReply::Closed(closed) => heard.closed = Some(closed),
            LedgerReply::PlanPulled { .. } | LedgerReply::ExpectedPulled { .. } | LedgerReply::MadeFoldersPulled(_) => {
            }
        }
    }
}

impl Handler<Flush> for Neighbours {
    type Result = ();

    fn handle(&mut self, _: Flush, _: &mut Self::Context) {
        self.0.borrow_mut().flushes += 1;
    }
}

/// What is asked of a neighbour by an actor that ends is of no interest here.
impl Handler<ActorDied> for Neighbours {
    type Result = ();

    fn handle(&mut self, _: ActorDied, _: &mut Self::Context) {}
}

/// A ledger that was just made, with its traversal begun.
fn new_ledger(ledger: &Path) -> DiscoverWriter {
    let settings = Settings::new(Comparison::for_resolutions(1, 1));
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
    let created = longhaul_ledger::create(ledger, &spec, &Resources::default(), 0).unwrap();
    created.discover("test", || 0).unwrap().0
}

fn actor(writer: RunWriter, flusher: Option<Recipient<Flush>>, neighbours: &Addr<Neighbours>) -> LedgerActor {
    let notice = DeathNotice::new(ActorName::Ledger, neighbours.clone().recipient());
    let replies = neighbours.clone().recipient();
    LedgerActor::new(writer, COMMIT_INTERVAL, flusher, replies, notice, Board::default())
}

fn send(actor: &Addr<LedgerActor>, request: LedgerRequest) {
    actor.do_send(Permitted::from(request));
}

/// Waits until the ledger is closed.
async fn closed(heard: Rc<RefCell<Heard>>) -> Result<Closed, LedgerError> {
    loop {
        if let Some(closed) = heard.borrow_mut().closed.take() {
            return closed;
        }
        tokio::task::yield_now().await;
    }
}

/// Reads a copy of the ledger as a crash at this moment would leave it.
fn read_after_a_crash<T>(ledger: &Path, read: impl FnOnce(&Path) -> T) -> T {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.duckdb");
    std::fs::copy(ledger, &copy).unwrap();
    let log = ledger.with_extension("duckdb.wal");
    if log.exists() {
        std::fs::copy(log, folder.path().join("copy.duckdb.wal")).unwrap();
    }
    read(&copy)
}

/// Lets everybody on this thread do what they have to do.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
