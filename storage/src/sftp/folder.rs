//! Single entries of a folder behind SFTP.

use longhaul_model::{ErrorClass, NodeKind};

use super::facts::{facts_of, metadata_of, owner_of};
use super::file::{SftpDraft, SftpOriginal};
use super::open_folder::OpenFolder;
use super::os_path;
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Facts, Folder, Original, Placed, Target};

impl OpenFolder {
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

impl Folder for OpenFolder {
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
