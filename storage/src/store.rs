//! The `Store` trait: what the engine asks of a place that holds a tree.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use longhaul_model::{ErrorClass, Page};
use longhaul_naming::RuleSet;

use crate::error::StoreError;
use crate::folder::{Answer, Folder, Keeps};

/// The pages of one listing, in an order of the store's own. An empty folder may give no page at all, or an empty one.
///
/// An error before the first page ends it: list again. Behind a page it can be polled again after an error, and goes on
/// where it was: no entry is lost, and none comes twice.
pub type PageStream = BoxStream<'static, Result<Page, StoreError>>;

/// What a store can do, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "a store may have any of them without the others")]
pub struct Capabilities {
    /// Calls block the thread that makes them, so each worker needs one of its own; otherwise they are futures, and
    /// many workers can share a thread.
    pub blocks_thread: bool,
    /// The steps in which it keeps modification times, in nanoseconds.
    pub time_resolution_ns: u64,
    /// How many listings it takes at a time without being slower for it.
    pub listings_at_once: usize,
    /// Which names it refuses, or takes for one another.
    pub names: RuleSet,
    /// The times in its listings are those that files were given; otherwise only looking at a file tells.
    pub lists_times: bool,
    /// A folder is there by itself, with nothing in it as well.
    pub has_folders: bool,
    /// How many calls it likes at a time has to be found out, and it may ask for patience.
    pub has_a_pace: bool,
    /// To open a folder, or to begin a draft, asks it for nothing, but may have to wait for memory: a folder that is not
    /// there shows when something is done in it.
    pub begins_unasked: bool,
}

impl Default for Capabilities {
    /// Those of an ordinary file system.
    fn default() -> Self {
        Capabilities {
            blocks_thread: true,
            time_resolution_ns: 1,
            listings_at_once: 1,
            names: RuleSet::Linux,
            lists_times: true,
            has_folders: true,
            has_a_pace: false,
            begins_unasked: false,
        }
    }
}

/// One tree in one place.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Where it is, as a person would write it.
    fn location(&self) -> String;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Lists the immediate children of the folder at `path` (bytes, `/` for the root), in pages of bounded size.
    ///
    /// Symbolic links are entries and are not followed, neither at the end of the path nor on the way.
    fn list(self: Arc<Self>, path: &[u8]) -> PageStream;

    /// What it keeps of an entry beside its name and contents.
    fn keeps(&self) -> Keeps {
        Keeps::default()
    }

    /// Finds out what the store keeps of what is written, which [`Store::keeps`] can otherwise only expect, by making
    /// something with this name in the root and removing it again.
    fn measure<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        let _ = temporary;
        Box::pin(std::future::ready(Ok(())))
    }

    /// Opens the folder at `path`, following no symbolic link, to read and write single entries of it.
    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        let error = StoreError::new(ErrorClass::Fatal, format!("{} can only be listed", self.location()));
        let _ = path;
        Box::pin(std::future::ready(Err(error)))
    }

    /// Asks for the root: an error means that the store refuses us as a whole, or is not there.
    fn answers(self: Arc<Self>) -> Answer<'static, ()> {
        Box::pin(async move { self.folder(b"/").await.map(drop) })
    }

    /// Returns when everything that was written before is on stable storage. After an error nobody knows what is: it
    /// must not be called again and believed.
    fn flush(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Bytes that still fit; `None` where the store does not say.
    fn free_bytes(&self) -> Answer<'_, Option<u64>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
