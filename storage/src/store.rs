//! The `Store` trait: what the engine asks of a place that holds a tree.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use longhaul_model::{ErrorClass, Page};

use crate::capabilities::{Capabilities, Keeps};
use crate::error::StoreError;
use crate::folder::{Answer, Folder};

/// The pages of one listing, in an order of the store's own. An empty folder may give no page at all, or an empty one.
///
/// An error before the first page ends it: list again. Behind a page it can be polled again after an error, and goes on
/// where it was: no entry is lost, and none comes twice.
pub type PageStream = BoxStream<'static, Result<Page, StoreError>>;

/// One tree in one place.
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Where it is, as a person would write it.
    fn location(&self) -> String;

    /// What it can do: a value that is made when the store is opened, and changes only when it is
    /// [measured](Store::measure).
    fn capabilities(&self) -> Capabilities;

    /// Lists the immediate children of the folder at `path` (bytes, `/` for the root), in pages of bounded size.
    ///
    /// Symbolic links are entries and are not followed, neither at the end of the path nor on the way.
    fn list(self: Arc<Self>, path: &[u8]) -> PageStream;

    /// What it preserves of an entry: a part of its [capabilities](Store::capabilities).
    fn keeps(&self) -> Keeps {
        self.capabilities().keeps
    }

    /// Measures what the store preserves, which its capabilities otherwise only expect, by creating an entry with this
    /// name in the root and removing it again.
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
