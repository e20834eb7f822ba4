//! A world: looking at it. Changing it is in `changes`, writing files in `writer`.

mod changes;
mod entries;
mod node;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use crate::chaos::Call;
use crate::fault::{Fault, FaultClass, Operation, Reply};
use crate::kept::Content;
use crate::listing::{Listing, ListingPage, NodeInfo};
use crate::path::NodePath;
use crate::state::{Shared, WorldState};
use node::Node;
pub use writer::FileWriter;

/// One of the trees of a simulator. A handle: clones share everything.
///
/// Paths are bytes: `/` for the root, `/folder_1/file_2.txt` below it. `now` is the time since any fixed moment, the
/// same for all calls of a process; only rate limits look at it.
#[derive(Clone, Debug)]
pub struct World {
    shared: Arc<Shared>,
    index: usize,
    disturbed: bool,
}

impl World {
    pub(crate) fn new(shared: Arc<Shared>, index: usize) -> Self {
        Self { shared, index, disturbed: true }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.state().name
    }

    /// The same world without faults, limits, latency, and without listings being counted: for preparing and checking
    /// it behind the back of what is tried with it.
    #[must_use]
    pub fn undisturbed(&self) -> Self {
        Self { disturbed: false, ..self.clone() }
    }

    /// Lists the immediate children of a folder, a page at a time.
    ///
    /// `after` is `None` for the first page, and then the last name that was listed, which is also what
    /// [`ListingPage::next`] gives. Any name will do: the order (`folder_1`, `folder_2`, …, `file_1.txt`, …, then all
    /// others by bytes) is one of names, so paging stays exact while the folder changes. `limit` of 0 counts as 1.
    pub fn list(&self, path: &[u8], after: Option<&[u8]>, limit: usize, now: Duration) -> Reply<ListingPage> {
        let mut entries = Listing::new();
        self.list_into(path, after, limit, now, &mut entries).map(|next| ListingPage { entries, next })
    }

    /// As [`World::list`], into a listing that is used again; what is in it is forgotten first.
    pub fn list_into(
        &self,
        path: &[u8],
        after: Option<&[u8]>,
        limit: usize,
        now: Duration,
        entries: &mut Listing,
    ) -> Reply<Option<Vec<u8>>> {
        entries.clear();
        self.answer(Operation::ListChildren, path, now, |path| {
            let next = self.list_page(path, after, limit.max(1), entries)?;
            if after.is_none() && self.disturbed {
                let shown = if path.is_root() { b"/" } else { path.as_prefix() };
                self.shared.count_listing(self.index, shown);
            }
            Ok(next)
        })
    }

    /// Looks at one node.
    pub fn stat(&self, path: &[u8], now: Duration) -> Reply<NodeInfo> {
        self.answer(Operation::GetNode, path, now, |path| Ok(self.node(&self.reader(), path)?.info()))
    }

    /// Reads up to `length` bytes of a file from `offset` on: fewer at its end, none behind it.
    pub fn read(&self, path: &[u8], offset: u64, length: usize, now: Duration) -> Reply<Vec<u8>> {
        let mut bytes = Vec::new();
        self.read_into(path, offset, length, now, &mut bytes).map(|()| bytes)
    }

    /// As [`World::read`], into a buffer that is used again; what is in it is forgotten first.
    pub fn read_into(&self, path: &[u8], offset: u64, length: usize, now: Duration, bytes: &mut Vec<u8>) -> Reply<()> {
        bytes.clear();
        let reply = self.answer(Operation::GetFileData, path, now, |path| {
            let reader = self.reader();
            let Node::File { size, content, .. } = self.node(&reader, path)? else {
                return Err(Fault::new(FaultClass::WrongKind, format!("`{}` is a folder", path.display())));
            };
            let available = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
            bytes.resize(length.min(available), 0);
            match content {
                Content::Stream(key) => key.fill(offset, bytes),
                Content::Stored(number) => reader.read_content(number, offset, bytes)?,
            }
            Ok(())
        });
        if self.disturbed {
            self.shared.chaos.charge_bytes(bytes.len() as u64, now);
        }
        reply
    }

    /// How many folders were listed, a folder being counted again each time its first page is listed. Failed calls do
    /// not count.
    pub fn listings(&self) -> u64 {
        self.state().listings()
    }

    /// How many times this folder was listed since [`Spectra::record_listings`](crate::Spectra::record_listings).
    pub fn times_listed(&self, path: &[u8]) -> u64 {
        self.state().times_listed(path)
    }

    /// All folders listed since [`Spectra::record_listings`](crate::Spectra::record_listings), each with how many
    /// times, by path.
    pub fn recorded_listings(&self) -> Vec<(Vec<u8>, u64)> {
        self.state().recorded_listings()
    }

    fn state(&self) -> &WorldState {
        &self.shared.worlds[self.index]
    }

    /// The world's number in the database.
    fn number(&self) -> u8 {
        u8::try_from(self.index).expect("the configuration allows for 200 worlds and `primary`")
    }

    /// Lets chaos have its say, and then does what is asked.
    fn answer<T>(
        &self,
        operation: Operation,
        path: &[u8],
        now: Duration,
        act: impl FnOnce(NodePath<'_>) -> Result<T, Fault>,
    ) -> Reply<T> {
        let path = match NodePath::parse(path) {
            Ok(path) => path,
            Err(fault) => return Reply { latency: Duration::ZERO, result: Err(fault) },
        };
        if !self.disturbed || !self.shared.chaos.is_active() {
            return Reply { latency: Duration::ZERO, result: act(path) };
        }
        let moves_bytes = matches!(operation, Operation::GetFileData | Operation::UploadFile);
        let call = Call { operation, world: self.name(), path, moves_bytes, now };
        let (latency, admitted) = self.shared.chaos.admit(call);
        Reply { latency, result: admitted.and_then(|()| act(path)) }
    }
}
