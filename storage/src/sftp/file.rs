//! Reading and writing files behind SFTP.

use std::io::SeekFrom;
use std::path::PathBuf;

use bytes::BytesMut;
use longhaul_model::{ErrorClass, NodeKind};
use openssh_sftp_client::file::File;
use tokio::io::AsyncSeekExt;

use super::facts::{facts_of, metadata_of, owner_of};
use super::failure::SYNC_TIMEOUT;
use super::open_folder::OpenFolder;
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Facts, Original, Placed, Target};

/// A file that is open for reading.
#[derive(Debug)]
pub(super) struct SftpOriginal {
    folder: OpenFolder,
    path: PathBuf,
    file: File,
    at_opening: Facts,
}

/// Fills `buffer` from `offset` on, as far as there are bytes.
async fn read_at(folder: &OpenFolder, file: &File, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
    // Another view of the same open file: others read elsewhere at the same time.
    let mut file = file.clone();
    let mut filled = 0;
    while filled < buffer.len() {
        // The server, and the client, may take less at a time; and the client goes on as if all had come that was wanted.
        seek(&mut file, offset + filled as u64).await?;
        let wanted = u32::try_from(buffer.len() - filled).unwrap_or(u32::MAX);
        match folder.call(file.read(wanted, BytesMut::new())).await? {
            None => break,
            Some(bytes) if bytes.is_empty() => break,
            Some(bytes) if bytes.len() > buffer.len() - filled => {
                return Err(StoreError::new(ErrorClass::Denied, "the server sends more than it was asked for"));
            }
            Some(bytes) => {
                buffer[filled..filled + bytes.len()].copy_from_slice(&bytes);
                filled += bytes.len();
            }
        }
    }
    Ok(filled)
}

/// Asks nothing of the server: what comes next names its place.
async fn seek(file: &mut File, offset: u64) -> Result<(), StoreError> {
    let sought = file.seek(SeekFrom::Start(offset)).await;
    sought.map(drop).map_err(|error| StoreError::new(ErrorClass::Fatal, error.to_string()))
}

impl SftpOriginal {
    pub(super) async fn open(folder: OpenFolder, path: PathBuf) -> Result<Self, StoreError> {
        // Opening follows links.
        let at_opening = match folder.look_at(&path).await? {
            Some(found) if found.kind == NodeKind::File => found,
            _ => return Err(StoreError::new(ErrorClass::Vanished, "it is not a regular file any more")),
        };
        let file = folder.call(folder.sftp.open(&path)).await?;
        Ok(SftpOriginal { folder, path, file, at_opening })
    }
}

impl Original for SftpOriginal {
    fn facts_at_opening(&self) -> Facts {
        self.at_opening
    }

    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(async move {
            let found = self.folder.look_at(&self.path).await?;
            found.ok_or_else(|| StoreError::new(ErrorClass::Vanished, "it is gone"))
        })
    }

    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        Box::pin(read_at(&self.folder, &self.file, offset, buffer))
    }
}

/// A file that is being written under its temporary name.
#[derive(Debug)]
pub(super) struct SftpDraft {
    folder: OpenFolder,
    temporary: PathBuf,
    /// `None` when it has been closed.
    file: Option<File>,
    /// Where that ends which was written; `None` if others may be writing to it as well.
    end: Option<u64>,
    is_removed_when_dropped: bool,
}

impl SftpDraft {
    /// Begins one, in place of what an earlier run may have left.
    pub(super) async fn create(folder: OpenFolder, target: Target<'_>) -> Result<Self, StoreError> {
        let temporary = folder.child(target.temporary)?;
        let mut options = folder.sftp.options();
        options.write(true).read(true).create_new(true);
        let file = match folder.call(options.open(&temporary)).await {
            Err(error) if error.class == ErrorClass::Transient => {
                folder.remove(&temporary).await?;
                folder.call(options.open(&temporary)).await?
            }
            created => created?,
        };
        let mut draft = SftpDraft { folder, temporary, file: Some(file), end: Some(0), is_removed_when_dropped: true };
        draft.make_private(target).await?;
        Ok(draft)
    }

    /// Opens one that stays; with `create` it is begun where it is not there.
    pub(super) async fn open(folder: OpenFolder, target: Target<'_>, create: bool) -> Result<Self, StoreError> {
        let temporary = folder.child(target.temporary)?;
        match folder.look_at(&temporary).await? {
            None if !create => return Err(StoreError::new(ErrorClass::Vanished, "the draft is gone")),
            Some(found) if found.kind != NodeKind::File => {
                return Err(StoreError::new(ErrorClass::Vanished, "the draft is not a regular file any more"));
            }
            _ => {}
        }
        let file = folder.call(folder.sftp.options().write(true).read(true).create(create).open(&temporary)).await?;
        let mut draft = SftpDraft { folder, temporary, file: Some(file), end: None, is_removed_when_dropped: false };
        draft.make_private(target).await?;
        Ok(draft)
    }

    /// Nobody may read it before it has its mode who may not read it then.
    async fn make_private(&mut self, target: Target<'_>) -> Result<(), StoreError> {
        if target.known.mode.is_none_or(|mode| mode & 0o044 == 0o044) {
            return Ok(());
        }
        let private = metadata_of(&Attributes { mode: Some(0o600), ..Attributes::default() })?;
        let folder = self.folder.clone();
        folder.call(self.file_mut()?.set_metadata(private)).await
    }

    fn file_mut(&mut self) -> Result<&mut File, StoreError> {
        self.file.as_mut().ok_or_else(|| StoreError::new(ErrorClass::Fatal, "the draft is closed"))
    }

    async fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        let file = self.file_mut()?;
        seek(file, offset).await?;
        let written = file.write_all(bytes);
        if let Err(error) = folder.call(written).await {
            // The protocol has no word for it.
            let is_full = error.class == ErrorClass::Transient && self.is_full(bytes.len() as u64).await;
            return Err(if is_full { StoreError { class: ErrorClass::NoSpace, ..error } } else { error });
        }
        let end = offset + bytes.len() as u64;
        self.end = self.end.map(|earlier| earlier.max(end));
        Ok(())
    }

    async fn is_full(&self, wanted: u64) -> bool {
        let free = crate::store::Store::free_bytes(self.folder.store.as_ref()).await;
        matches!(free, Ok(Some(free)) if free < wanted)
    }

    async fn give_name(
        &mut self,
        target: Target<'_>,
        size: u64,
        attributes: &Attributes,
        durability: Durability,
    ) -> Result<Placed, StoreError> {
        if let Some(end) = self.end.filter(|&end| end != size) {
            return Err(StoreError::new(ErrorClass::Transient, format!("wrote {end} of {size} bytes")));
        }
        let mut file = self.file.take().ok_or_else(|| StoreError::new(ErrorClass::Fatal, "the draft is closed"))?;
        if self.end.is_none() {
            let found = facts_of(&self.folder.call(file.metadata()).await?);
            if found.size.map(i64::unsigned_abs) != Some(size) {
                self.folder.call(file.set_len(size)).await?;
            }
        }
        if let Some(owner) = owner_of(attributes) {
            self.folder.call(file.set_metadata(owner)).await?;
        }
        self.folder.call(file.set_metadata(metadata_of(attributes)?)).await?;
        if durability == Durability::EachFile && self.folder.sftp.support_fsync() {
            self.folder.sftp.call_within(SYNC_TIMEOUT, file.sync_all()).await?;
        }
        self.folder.call(file.close()).await?;
        self.folder.place(&self.temporary, target).await
    }
}

impl Draft for SftpDraft {
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(self.write(offset, bytes))
    }

    fn read_at<'a>(&'a mut self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        Box::pin(async move {
            let file = self.file_mut()?.clone();
            read_at(&self.folder, &file, offset, buffer).await
        })
    }

    fn finish<'a>(
        mut self: Box<Self>,
        target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(async move {
            let placed = self.give_name(target, size, attributes, durability).await;
            // At once, and not when it is dropped: the next attempt may begin at the next moment, by the same name.
            self.is_removed_when_dropped = false;
            if placed != Ok(Placed::Done) {
                let _ = self.folder.remove(&self.temporary).await;
            }
            placed
        })
    }
}

impl Drop for SftpDraft {
    fn drop(&mut self) {
        if self.is_removed_when_dropped {
            let (folder, temporary) = (self.folder.clone(), self.temporary.clone());
            crate::network::in_background(async move {
                if let Err(error) = folder.remove(&temporary).await {
                    tracing::debug!("a temporary file stays: {error}");
                }
            });
        }
    }
}
