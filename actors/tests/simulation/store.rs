//! A store that is a world of Spectra, seen through small pages, with kinds of nodes that Spectra does not have and
//! with faults in the middle of listings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use longhaul_model::{BySide, ErrorClass, NodeKind, Page, Side};
use longhaul_spectra::{Fault, FaultClass, World};
use longhaul_storage::{Capabilities, PageStream, Store, StoreError};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::dice::Dice;
use super::files::copy_ledger;

/// One of the two trees, as it is shown to the engine.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) side: Side,
    pub(crate) world: World,
    pub(crate) seed: u64,
    pub(crate) page_entries_max: usize,
}

/// An entry of a listing, as it is shown to the engine.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: NodeKind,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
}

impl Tree {
    /// All that is in a folder, behind the back of chaos, in the order of its pages.
    pub(crate) fn entries(&self, folder: &[u8]) -> Vec<Shown> {
        let reply = self.world.undisturbed().list(folder, None, usize::MAX, Duration::ZERO);
        let page = reply.result.expect("a folder that was found can be listed");
        page.entries.iter().map(|entry| self.show(folder, &entry)).collect()
    }

    /// Some files are shown as links, as something else, or without a size or a time; some of these on one side only.
    fn show(&self, folder: &[u8], entry: &longhaul_spectra::Entry<'_>) -> Shown {
        let size = i64::try_from(entry.info.size).ok();
        let mut shown = Shown {
            name: entry.name.to_vec(),
            kind: NodeKind::Folder,
            size: None,
            modified_ns: Some(entry.info.modified_ns),
        };
        if entry.info.kind == longhaul_spectra::NodeKind::Folder {
            return shown;
        }
        (shown.kind, shown.size) = (NodeKind::File, size);
        let path = child(folder, entry.name);
        let mut of_path = dice_about(self.seed, &path);
        let mut of_side = dice_about(self.seed ^ (1 + self.side as u64), &path);
        for dice in [&mut of_path, &mut of_side] {
            match dice.between(0, 39) {
                0 => shown.kind = NodeKind::Symlink,
                1 => (shown.kind, shown.size) = (NodeKind::Other, None),
                2 => shown.size = None,
                3 => shown.modified_ns = None,
                _ => {}
            }
        }
        shown
    }

    fn to_page(&self, folder: &[u8], listing: &longhaul_spectra::Listing) -> Page {
        let mut page = Page::default();
        for entry in listing.iter() {
            let shown = self.show(folder, &entry);
            page.push(&shown.name, shown.kind, shown.size, shown.modified_ns);
            if shown.kind == NodeKind::Other && shown.modified_ns.is_some_and(|ns| ns % 2 == 0) {
                page.remark("a socket");
            }
        }
        page
    }
}

/// The path of an entry.
pub(crate) fn child(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if folder != b"/" {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// For what is decided by a path rather than by the order of asking.
fn dice_about(seed: u64, bytes: &[u8]) -> Dice {
    bytes.iter().fold(Dice::new(seed), |mut dice, &byte| Dice::new(dice.draw() ^ u64::from(byte)))
}

/// A fault of the listing of one folder.
#[derive(Clone, Debug)]
pub(crate) struct FolderFault {
    pub(crate) side: Side,
    pub(crate) path: Vec<u8>,
    /// Pages that come before it.
    pub(crate) page: usize,
    pub(crate) class: ErrorClass,
    /// Only so many attempts fail; `None` for all of them.
    pub(crate) first_attempts: Option<u32>,
    pub(crate) retry_after: Option<Duration>,
}

/// The path of a fault of all folders: the store is away.
pub(crate) const EVERYWHERE: &[u8] = b"/**";

impl FolderFault {
    /// Whether the folder fails because of it, however often it is listed.
    pub(crate) fn is_permanent(&self) -> bool {
        self.first_attempts.is_none() && !self.suspends()
    }

    /// Whether the run is suspended because of it, until it is repaired.
    pub(crate) fn suspends(&self) -> bool {
        let is_refused = self.class == ErrorClass::Denied && self.path == b"/" && self.page == 0;
        self.class.suspends() || self.path == EVERYWHERE || is_refused
    }
}

/// What the faults between pages are, and how often each of them has struck.
pub(crate) type FaultsBetweenPages = Mutex<BySide<BTreeMap<Vec<u8>, (FolderFault, u32)>>>;

/// Both stores of one run, as one sequence of calls, at one of which something may happen.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    made: Mutex<Vec<(Side, Vec<u8>)>>,
    /// The call at which it happens.
    moment: Option<usize>,
    /// The ledger is copied then, as it is in this very moment: from here to there.
    copy: Option<(PathBuf, PathBuf)>,
    /// Told when it has happened.
    pub(crate) reached: Notify,
}

impl Calls {
    pub(crate) fn new(moment: Option<usize>, copy: Option<(PathBuf, PathBuf)>) -> Self {
        Calls { moment, copy, ..Calls::default() }
    }

    fn note(&self, side: Side, path: &[u8]) {
        let mut made = self.made.lock();
        if Some(made.len()) == self.moment {
            if let Some((from, to)) = &self.copy {
                copy_ledger(from, to);
            }
            self.reached.notify_one();
        }
        made.push((side, path.to_vec()));
    }

    /// Which folders were asked for, in order, each as often as it was.
    pub(crate) fn made(&self) -> Vec<(Side, Vec<u8>)> {
        self.made.lock().clone()
    }
}

/// What the engine gets.
#[derive(Debug)]
pub(crate) struct SimulatedStore {
    pub(crate) tree: Tree,
    pub(crate) blocks_thread: bool,
    pub(crate) between_pages: Arc<FaultsBetweenPages>,
    pub(crate) calls: Arc<Calls>,
    /// Simulated time that had passed when the run began.
    pub(crate) time_before: Duration,
    pub(crate) started: Instant,
}

struct Position {
    page: usize,
    after: Option<Vec<u8>>,
    is_end: bool,
}

impl SimulatedStore {
    fn fault_between_pages(&self, path: &[u8], page: usize) -> Option<StoreError> {
        let mut faults = self.between_pages.lock();
        let (fault, struck) = faults[self.tree.side].get_mut(path)?;
        if fault.page != page || fault.first_attempts.is_some_and(|attempts| *struck >= attempts) {
            return None;
        }
        *struck += 1;
        let message = format!("a fault behind page {page}");
        Some(StoreError { class: fault.class, message, retry_after: fault.retry_after })
    }

    async fn next_page(&self, path: &[u8], position: Position) -> (Result<Page, StoreError>, Position) {
        self.calls.note(self.tree.side, path);
        let now = self.time_before + self.started.elapsed();
        let reply = self.tree.world.list(path, position.after.as_deref(), self.tree.page_entries_max, now);
        if !reply.latency.is_zero() {
            tokio::time::sleep(reply.latency).await;
        }
        if let Some(error) = self.fault_between_pages(path, position.page) {
            return (Err(error), position);
        }
        match reply.result {
            Ok(listed) => {
                let is_end = listed.next.is_none();
                let page = self.tree.to_page(path, &listed.entries);
                (Ok(page), Position { page: position.page + 1, after: listed.next, is_end })
            }
            Err(fault) => (Err(to_error(fault)), position),
        }
    }
}

impl Store for SimulatedStore {
    fn location(&self) -> String {
        format!("simulated:{}", self.tree.world.name())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { blocks_thread: self.blocks_thread, listings_at_once: 2, ..Capabilities::default() }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        let begin = Position { page: 0, after: None, is_end: false };
        stream::unfold((self, path.to_owned(), begin), |(store, path, position)| async move {
            if position.is_end {
                return None;
            }
            let (result, position) = store.next_page(&path, position).await;
            Some((result, (store, path, position)))
        })
        .boxed()
    }
}

fn to_error(fault: Fault) -> StoreError {
    let class = match fault.class {
        FaultClass::Transient => ErrorClass::Transient,
        FaultClass::Throttled => ErrorClass::Throttled,
        FaultClass::Denied => ErrorClass::Denied,
        FaultClass::Vanished => ErrorClass::Vanished,
        FaultClass::BadName => ErrorClass::BadName,
        FaultClass::NoSpace => ErrorClass::NoSpace,
        FaultClass::Fatal => ErrorClass::Fatal,
        FaultClass::AlreadyExists | FaultClass::WrongKind | FaultClass::NotEmpty => {
            panic!("the engine asked for what it did not find: {fault}")
        }
    };
    StoreError { class, message: fault.message, retry_after: fault.retry_after }
}
