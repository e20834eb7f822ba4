//! Single entries of a folder behind SFTP.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use longhaul_model::{ErrorClass, NodeKind};
use openssh_sftp_client::UnixTimeStamp;
use openssh_sftp_client::metadata::{MetaData, MetaDataBuilder, Permissions};

use super::connection::Connection;
use super::file::{SftpDraft, SftpOriginal};
use super::{SftpStore, facts_of, os_path};
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Facts, Folder, Original, Placed, Replace, Target};
use crate::name::check_name;

/// A folder, with the connection that its calls go over.
#[derive(Clone, Debug)]
pub(super) struct SftpFolder {
    pub(super) store: Arc<SftpStore>,
    pub(super) sftp: Arc<Connection>,
    path: PathBuf,
}

impl SftpFolder {
    pub(super) fn new(store: Arc<SftpStore>, sftp: Arc<Connection>, path: PathBuf) -> Self {
        SftpFolder { store, sftp, path }
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

    async fn make_link(
        &self,
        target: Target<'_>,
        points_to: &[u8],
        attributes: &Attributes,
    ) -> Result<Placed, StoreError> {
        // Its time cannot be set: the protocol sets that of what it points to.
        let _ = attributes;
        if !target.replace.is_allowed() {
            // At once: there are servers where a second name of a link is one of what it points to.
            let name = self.child(target.name)?;
            return match self.call(self.sftp.fs().symlink(os_path(points_to), &name)).await {
                Ok(()) => Ok(Placed::Done),
                // Why it failed cannot be told from the answer.
                Err(error) => match self.look_at(&name).await? {
                    Some(_) => Ok(Placed::Taken),
                    None => Err(error),
                },
            };
        }
        let temporary = self.child(target.temporary)?;
        self.remove(&temporary).await?;
        self.call(self.sftp.fs().symlink(os_path(points_to), &temporary)).await?;
        let placed = self.place(&temporary, target).await;
        if placed != Ok(Placed::Done) {
            let _ = self.call(self.sftp.fs().remove_file(&temporary)).await;
        }
        placed
    }
}

/// The owner as the protocol has it. Set before everything else: some bits of the mode do not survive another owner, and
/// of what is set at once the server sets the owner last.
pub(super) fn owner_of(attributes: &Attributes) -> Option<MetaData> {
    attributes.owner.map(|owner| MetaDataBuilder::new().id(owner).create())
}

/// All attributes but the owner, as the protocol has them.
pub(super) fn metadata_of(attributes: &Attributes) -> Result<MetaData, StoreError> {
    let mut metadata = MetaDataBuilder::new();
    if let Some(mode) = attributes.mode {
        metadata.permissions(Permissions::from(u16::try_from(mode & 0o7777).expect("twelve bits fit")));
    }
    if let Some(modified_ns) = attributes.modified_ns {
        let seconds = u32::try_from(modified_ns.div_euclid(1_000_000_000)).ok();
        let time = seconds.and_then(UnixTimeStamp::from_raw).ok_or_else(|| {
            StoreError::new(ErrorClass::Denied, "the time cannot be set: SFTP has those from 1970 to 2106 only")
        })?;
        metadata.time(time, time);
    }
    Ok(metadata.create())
}

impl Folder for SftpFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(async move { Ok(facts_of(&self.call(self.sftp.fs().symlink_metadata(&self.path)).await?)) })
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        Box::pin(async move { self.look_at(&self.child(name)?).await })
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        Box::pin(async move { Ok(Box::new(SftpOriginal::open(self.clone(), self.child(name)?).await?) as _) })
    }

    fn read_link<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        Box::pin(async move {
            let path = self.child(name)?;
            match self.look_at(&path).await? {
                Some(Facts { kind: NodeKind::Symlink, .. }) => {}
                _ => return Err(StoreError::new(ErrorClass::Vanished, "it is not a symbolic link any more")),
            }
            let target = self.call(self.sftp.fs().read_link(&path)).await?;
            Ok(target.into_os_string().into_encoded_bytes())
        })
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], _durability: Durability) -> Answer<'a, Placed> {
        Box::pin(async move {
            let path = self.child(name)?;
            match self.call(self.sftp.fs().create_dir(&path)).await {
                Ok(()) => Ok(Placed::Done),
                // Why it failed cannot be told from the answer.
                Err(error) => match self.look_at(&path).await? {
                    Some(_) => Ok(Placed::Taken),
                    None => Err(error),
                },
            }
        })
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move { Ok(Box::new(SftpDraft::create(self.clone(), target).await?) as _) })
    }

    fn open_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move { Ok(Box::new(SftpDraft::open(self.clone(), target, true).await?) as _) })
    }

    fn reopen_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move { Ok(Box::new(SftpDraft::open(self.clone(), target, false).await?) as _) })
    }

    fn create_link<'a>(
        &'a self,
        target: Target<'a>,
        points_to: &'a [u8],
        attributes: &'a Attributes,
        _durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(self.make_link(target, points_to, attributes))
    }

    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, _durability: Durability) -> Answer<'a, ()> {
        Box::pin(async move {
            if let Some(owner) = owner_of(attributes) {
                self.call(self.sftp.fs().set_metadata(&self.path, owner)).await?;
            }
            self.call(self.sftp.fs().set_metadata(&self.path, metadata_of(attributes)?)).await
        })
    }

    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move { self.remove(&self.child(temporary)?).await })
    }
}
