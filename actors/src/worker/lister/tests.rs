//! A Lister with a store that does what the test says, on a paused clock.

mod denied;
mod pages;
mod retries;
mod stopping;

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::rc::Rc;

use actix::Addr;
use futures_util::stream;
use longhaul_model::{ErrorClass, NodeId, NodeKind};
use longhaul_storage::{Capabilities, PageStream};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use super::*;
use crate::messages::{ActorDied, Permitted, StoreGaveUp, WorkDone};
use crate::worker::LedgerQueue;

/// One answer of the store.
type Answer = Result<Page, StoreError>;

/// A store whose listings are written down beforehand: for each path, what each call of `list` gives.
#[derive(Debug, Default)]
struct ScriptedStore {
    listings: Mutex<HashMap<Vec<u8>, VecDeque<Vec<Answer>>>>,
    /// The calls, and when they were made.
    calls: Mutex<Vec<(String, Instant)>>,
}

impl ScriptedStore {
    fn when(&self, path: &str, answers: Vec<Answer>) -> &Self {
        self.listings.lock().entry(path.as_bytes().to_vec()).or_default().push_back(answers);
        self
    }

    fn called(&self) -> Vec<String> {
        self.calls.lock().iter().map(|(path, _)| path.clone()).collect()
    }

    /// The times between one call and the next.
    fn pauses(&self) -> Vec<Duration> {
        let calls = self.calls.lock();
        calls.windows(2).map(|pair| pair[1].1 - pair[0].1).collect()
    }
}

impl Store for ScriptedStore {
    fn location(&self) -> String {
        "scripted:".to_owned()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { blocks_thread: false, ..Capabilities::default() }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        let printable = String::from_utf8_lossy(path).into_owned();
        self.calls.lock().push((printable.clone(), Instant::now()));
        let answers = self.listings.lock().get_mut(path).and_then(VecDeque::pop_front);
        let answers = answers.unwrap_or_else(|| panic!("nobody said what {printable} has this time"));
        stream::iter(answers).boxed()
    }
}

/// What the Lister sent, and when.
#[derive(Debug)]
enum Sent {
    Records(Permitted<LedgerRequest>),
    Done(WorkDone<ListingReport>),
    GaveUp(StoreGaveUp),
}

/// Everybody that a Lister talks to.
#[derive(Clone, Default)]
struct Neighbours(Rc<RefCell<Vec<(Instant, Sent)>>>);

impl Actor for Neighbours {
    type Context = Context<Self>;
}

impl Handler<Permitted<LedgerRequest>> for Neighbours {
    type Result = ();

    fn handle(&mut self, message: Permitted<LedgerRequest>, _: &mut Self::Context) {
        self.0.borrow_mut().push((Instant::now(), Sent::Records(message)));
    }
}

impl Handler<WorkDone<ListingReport>> for Neighbours {
    type Result = ();

    fn handle(&mut self, message: WorkDone<ListingReport>, _: &mut Self::Context) {
        self.0.borrow_mut().push((Instant::now(), Sent::Done(message)));
    }
}

impl Handler<StoreGaveUp> for Neighbours {
    type Result = ();

    fn handle(&mut self, message: StoreGaveUp, _: &mut Self::Context) {
        self.0.borrow_mut().push((Instant::now(), Sent::GaveUp(message)));
    }
}

/// What is asked of a neighbour by an actor that ends is of no interest here.
impl Handler<ActorDied> for Neighbours {
    type Result = ();

    fn handle(&mut self, _: ActorDied, _: &mut Self::Context) {}
}

const PLACES: usize = 1_000;

const RETRY: RetryPolicy = RetryPolicy {
    attempts_max: 5,
    pause_first: Duration::from_millis(100),
    pause_max: Duration::from_secs(10),
    jitter_seed: 1,
};

struct Scene {
    store: Arc<ScriptedStore>,
    neighbours: Neighbours,
    lister: Addr<Lister>,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

impl Scene {
    /// Pauses the clock.
    fn begin() -> Self {
        Self::with_retries(RETRY)
    }

    /// Pauses the clock.
    fn with_retries(retry: RetryPolicy) -> Self {
        tokio::time::pause();
        Self::another(retry)
    }

    /// In a test that has one already.
    fn another(retry: RetryPolicy) -> Self {
        let store = Arc::new(ScriptedStore::default());
        let neighbours = Neighbours::default();
        let address = neighbours.clone().start();
        let stop = CancellationToken::new();
        let ledger = LedgerQueue::new(address.clone().recipient(), PLACES);
        let places = ledger.places().clone();
        let context = context(store.clone(), retry, &stop);
        let lister = lister(3, context, ledger, &address).start();
        Scene { store, neighbours, lister, places, stop }
    }

    fn list(&self, paths: &[&str]) {
        let folder = |(path, id): (&&str, i64)| Folder {
            id: NodeId(id),
            source_id: NodeId(id),
            path: (*path).to_owned(),
            depth: 1,
        };
        self.lister.do_send(ListFolders(paths.iter().zip(10..).map(folder).collect()));
    }

    /// Waits until so many batches are done; returns the last one's report. As the clock is paused, no time goes by
    /// but what the Lister waits for.
    async fn done(&self, batches: usize) -> WorkDone<ListingReport> {
        loop {
            if let Some(done) = self.reports().get(batches - 1) {
                return *done;
            }
            // Lets the clock go on when everybody waits for it.
            tokio::time::sleep(Duration::from_micros(1)).await;
        }
    }

    fn reports(&self) -> Vec<WorkDone<ListingReport>> {
        let sent = self.neighbours.0.borrow();
        sent.iter().filter_map(|(_, sent)| if let Sent::Done(done) = sent { Some(*done) } else { None }).collect()
    }

    /// What was found, in order, as text.
    fn found(&self) -> Vec<String> {
        let sent = self.neighbours.0.borrow();
        sent.iter().flat_map(|(_, sent)| listed(sent)).map(describe).collect()
    }

    fn gave_up(&self) -> Vec<String> {
        let sent = self.neighbours.0.borrow();
        sent.iter()
            .filter_map(|(_, sent)| match sent {
                Sent::GaveUp(StoreGaveUp { side, path, error }) => {
                    Some(format!("{side} {path} {}: {error}", error.class))
                }
                _ => None,
            })
            .collect()
    }
}

fn context(store: Arc<dyn Store>, retry: RetryPolicy, stop: &CancellationToken) -> ListContext {
    let (side, health) = (Side::Source, Health::new(None));
    ListContext { side, store, retry, health, filter: None, stop: stop.clone() }
}

fn lister(number: usize, context: ListContext, ledger: LedgerQueue, address: &Addr<Neighbours>) -> Lister {
    let name = ActorName::Lister(Side::Source, number);
    let links = WorkerLinks { ledger, done: address.clone().recipient(), gave_up: address.clone().recipient() };
    Lister::new(name, context, links, DeathNotice::new(name, address.clone().recipient()))
}

/// What is in a message to the ledger actor.
fn listed(sent: &Sent) -> &[Listed] {
    match sent {
        Sent::Records(Permitted { message: LedgerRequest::Listings { listed, .. }, .. }) => listed,
        Sent::Records(records) => panic!("a Lister lists: {records:?}"),
        Sent::Done(_) | Sent::GaveUp(_) => &[],
    }
}

fn describe(listed: &Listed) -> String {
    match listed {
        Listed::Page(ListedPage { folder, page, is_last, attempts }) => {
            let names: Vec<&str> = page.iter().map(|entry| entry.name).collect();
            let end = if *is_last { "." } else { "…" };
            format!("{} [{}]{end} {attempts}", folder.path, names.join(" "))
        }
        Listed::Failed(FailedListing { folder, class, message, attempts }) => {
            format!("{} {class}: {message} {attempts}", folder.path)
        }
    }
}

#[allow(clippy::unnecessary_wraps, reason = "one answer among others")]
fn page(names: &[&str]) -> Answer {
    let mut page = Page::default();
    for name in names {
        page.push(name.as_bytes(), NodeKind::File, Some(1), None);
    }
    Ok(page)
}

fn error(class: ErrorClass) -> Answer {
    Err(StoreError::new(class, "no"))
}

fn throttled(retry_after: Duration) -> Answer {
    Err(StoreError { retry_after: Some(retry_after), ..StoreError::new(ErrorClass::Throttled, "slow down") })
}

/// Whether a timer that was set to `asked` took `waited`: the clock has steps of a millisecond.
fn is_exactly(waited: Duration, asked: Duration) -> bool {
    waited >= asked && waited <= asked + Duration::from_millis(1)
}

/// Lets everybody on this thread do what they have to do, without the clock going on.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
