//! Listings on their way into the ledger, and the answers to them.

use std::ops::Range;

use longhaul_model::{ErrorClass, NodeId, Page, Side};

/// The new folders of one listing are named in the answer when there are no more than this; otherwise only the ids
/// that they lie within, so that no answer depends on the size of a folder.
pub(crate) const NAMED_FOLDERS_MAX: usize = 8_192;

/// A folder that can be listed: what the ledger gives out, and what comes back with its listing.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Folder {
    /// Its node.
    pub id: NodeId,
    /// Its counterpart on the source; for a source folder itself.
    pub source_id: NodeId,
    /// Printable path from the root, `/` for the root.
    pub path: String,
    /// 0 for the root.
    pub depth: i32,
}

/// A page of a folder's listing.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct ListedPage {
    /// The folder, as it was given out.
    pub folder: Folder,
    /// What was found.
    pub page: Page,
    /// Whether the listing ends with this page.
    pub is_last: bool,
    /// How many attempts it took.
    pub attempts: u32,
}

/// A folder that could not be listed.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct FailedListing {
    /// The folder, as it was given out.
    pub folder: Folder,
    /// What kind of error it was.
    pub class: ErrorClass,
    /// What it was, for people.
    pub message: String,
    /// How many attempts were made; 0 if none.
    pub attempts: u32,
}

/// The answer to a listing that was recorded to its end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RecordedListing {
    /// On which side.
    pub side: Side,
    /// The folder that was listed.
    pub folder: NodeId,
    /// Whether it was listed to its end; otherwise it is `failed`, and what is known of it is recorded.
    pub is_complete: bool,
    /// The folders in it that are now to be listed.
    pub found: FoundFolders,
}

/// The folders that a listing found and that are now to be listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FoundFolders {
    /// The ids of all nodes that the listing found, ascending. Its folders are among them, and no others are.
    pub ids: Vec<Range<i64>>,
    /// The folders in id order; `None` where they are too many to name. See
    /// [`DiscoverWriter::pull_folders`](crate::DiscoverWriter::pull_folders).
    pub named: Option<Vec<Folder>>,
}

/// A listing of which not all pages have come, or whose pages are not matched yet.
#[derive(Debug, Default)]
pub(crate) struct OpenListing {
    ids: Vec<Range<i64>>,
    folders: Vec<Folder>,
    folders_not_named: bool,
}

impl OpenListing {
    /// Adds what a page found.
    pub(crate) fn add(&mut self, ids: Range<i64>, folders: impl IntoIterator<Item = Folder>) {
        if ids.is_empty() {
            return;
        }
        match self.ids.last_mut() {
            Some(last) if last.end == ids.start => last.end = ids.end,
            _ => self.ids.push(ids),
        }
        if !self.folders_not_named {
            self.folders.extend(folders);
        }
        if self.folders.len() > NAMED_FOLDERS_MAX {
            self.folders_not_named = true;
            self.folders = Vec::new();
        }
    }

    /// What it found in all.
    pub(crate) fn close(self) -> FoundFolders {
        FoundFolders { ids: self.ids, named: (!self.folders_not_named).then_some(self.folders) }
    }
}

/// What a page means for the listing that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// There is more to come.
    No,
    /// The listing is complete with it.
    Complete,
    /// The listing ends with it, and is not complete.
    Failed,
}

/// A destination page that is recorded, but not matched.
#[derive(Debug)]
pub(crate) struct UnmatchedPage {
    pub(crate) folder: Folder,
    pub(crate) first_id: NodeId,
    pub(crate) page: Page,
    pub(crate) ending: Ending,
}
