//! Folders and listings for tests of whatever assigns folders.

use longhaul_ledger::{Folder, FoundFolders, RecordedListing};
use longhaul_model::{NodeId, Side};

pub(crate) fn root() -> Folder {
    Folder { id: NodeId(1), source_id: NodeId(1), path: "/".to_owned(), depth: 0 }
}

/// A folder in the root.
pub(crate) fn folder(id: i64, source_id: i64) -> Folder {
    Folder { id: NodeId(id), source_id: NodeId(source_id), path: format!("/{id}"), depth: 1 }
}

/// A complete listing that found nothing but these folders, whose ids follow one another.
pub(crate) fn found(side: Side, listed: i64, folders: Vec<Folder>) -> RecordedListing {
    let ids = folders.first().map(|first| first.id.0..first.id.plus(folders.len()).0).into_iter().collect();
    RecordedListing {
        side,
        folder: NodeId(listed),
        is_complete: true,
        found: FoundFolders { ids, named: Some(folders) },
    }
}
