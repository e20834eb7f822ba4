//! The handle of an open folder: what its entries and the drafts in it are reached through.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use longhaul_model::{ErrorClass, NodeKind};

use super::connection::Connection;
use super::facts::facts_of;
use super::{SftpStore, os_path};
use crate::error::StoreError;
use crate::folder::{Facts, Placed, Replace, Target};
use crate::name::check_name;

/// A folder, with the connection that its calls go over.
#[derive(Clone, Debug)]
pub(super) struct OpenFolder {
    pub(super) store: Arc<SftpStore>,
    pub(super) sftp: Arc<Connection>,
    pub(super) path: PathBuf,
}

impl OpenFolder {
    pub(super) fn new(store: Arc<SftpStore>, sftp: Arc<Connection>, path: PathBuf) -> Self {
        OpenFolder { store, sftp, path }
    }

    pub(super) fn child(&self, name: &[u8]) -> Result<PathBuf, StoreError> {
        check_name(name)?;
        if name.len() > 255 {
            return Err(StoreError::new(ErrorClass::BadName, "the name is longer than 255 bytes"));
        }
        Ok(self.path.join(os_path(name)))
    }

    /// What a call over its connection comes to.
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, openssh_sftp_client::Error>>,
    ) -> Result<T, StoreError> {
        self.sftp.call(call).await
    }

    pub(super) async fn look_at(&self, path: &PathBuf) -> Result<Option<Facts>, StoreError> {
        match self.call(self.sftp.fs().symlink_metadata(path)).await {
            Ok(found) => Ok(Some(facts_of(&found))),
            Err(error) if error.class == ErrorClass::Vanished => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Removes what has a temporary name. That there is nothing is fine.
    pub(super) async fn remove(&self, path: &PathBuf) -> Result<(), StoreError> {
        match self.look_at(path).await? {
            // Not ours.
            None | Some(Facts { kind: NodeKind::Folder | NodeKind::Other, .. }) => Ok(()),
            Some(_) => match self.call(self.sftp.fs().remove_file(path)).await {
                Err(error) if error.class == ErrorClass::Vanished => Ok(()),
                removed => removed,
            },
        }
    }

    /// Gives what has the temporary name its own.
    pub(super) async fn place(&self, temporary: &PathBuf, target: Target<'_>) -> Result<Placed, StoreError> {
        let name = self.child(target.name)?;
        let found = self.look_at(&name).await?;
        match (target.replace, found.map(|found| found.kind)) {
            (_, None) => return self.place_new(temporary, &name).await,
            (Replace::Nothing, Some(_)) | (_, Some(NodeKind::Folder | NodeKind::Other)) => return Ok(Placed::Taken),
            (Replace::Any | Replace::Only(_), Some(NodeKind::File | NodeKind::Symlink)) => {}
        }
        if let (Replace::Only(expected), Some(found)) = (target.replace, found)
            && (found.size, found.modified_ns) != (expected.size, expected.modified_ns)
        {
            return Ok(Placed::Taken);
        }
        self.call(self.sftp.fs().rename(temporary, &name)).await.map(|()| Placed::Done)
    }

    /// By a second name, which no server gives in place of another; where there is no such thing, by a name that was free
    /// a moment before.
    async fn place_new(&self, temporary: &PathBuf, name: &PathBuf) -> Result<Placed, StoreError> {
        let mut fs = self.sftp.fs();
        if self.sftp.support_hardlink() {
            match self.call(fs.hard_link(temporary, name)).await {
                Ok(()) => {
                    return match self.call(fs.remove_file(temporary)).await {
                        // The next attempt finds that it has its name, and removes the other one.
                        Err(error) if error.class.is_retried() => Err(error),
                        // Where that is not allowed, it has its name nevertheless.
                        _ => Ok(Placed::Done),
                    };
                }
                // Why it failed cannot be told from the answer.
                Err(_) if self.look_at(name).await?.is_some() => return Ok(Placed::Taken),
                Err(_) => {}
            }
        }
        self.call(fs.rename(temporary, name)).await.map(|()| Placed::Done)
    }
}
