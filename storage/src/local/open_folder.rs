//! The handle of an open folder: what its entries and the drafts in it are reached through.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use longhaul_model::ErrorClass;

use super::{Root, portable};
use crate::error::StoreError;

/// What a folder and the drafts in it have in common.
#[derive(Debug)]
pub(super) struct OpenFolder {
    folder: Arc<OwnedFd>,
    pub(super) root: Arc<Root>,
}

impl OpenFolder {
    /// Opens the folder at `path` below the root.
    pub(super) fn open(root: &Arc<Root>, path: &[u8]) -> Result<Self, StoreError> {
        let folder = Arc::new(root.open_folder(path)?);
        let found = rustix::fs::fstat(&folder)?;
        if found.st_nlink == 0 {
            return Err(StoreError::new(ErrorClass::Vanished, "the folder was removed"));
        }
        root.remember(portable::device(&found), &folder);
        Ok(OpenFolder { folder, root: root.clone() })
    }
}

impl AsFd for OpenFolder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}
