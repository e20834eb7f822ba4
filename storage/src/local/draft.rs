//! A file that is being written.

use std::ops::Range;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use longhaul_model::ErrorClass;
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::open_folder::OpenFolder;
use super::original::{open_regular, read_at};
use super::placing::{look, make_anew, place};
use super::{at_once, attributes, portable, system};
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Original, Placed, Target};

/// For the user alone.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

#[derive(Debug)]
pub(super) struct LocalDraft {
    folder: Arc<OpenFolder>,
    file: OwnedFd,
    /// The name that it has; `None` if it has none.
    temporary: Option<Vec<u8>>,
    /// Where that ends which was written; `None` if others may be writing to it as well.
    end: Option<u64>,
    is_removed_when_dropped: bool,
}

impl LocalDraft {
    /// Begins a draft that nobody else knows of: without a name, where there is such a thing. Then nothing has to be
    /// removed, not even after a kill, and one call less is made. What replaces another file has to have a name first.
    pub(super) fn create(folder: &Arc<OpenFolder>, target: Target<'_>) -> Result<Self, StoreError> {
        let unnamed = if target.replace.is_allowed() { None } else { create_unnamed(folder, target.known.mode)? };
        let (file, temporary) = match unnamed {
            Some(file) => (file, None),
            None => (create_named(folder, target.temporary)?, Some(target.temporary.to_owned())),
        };
        Ok(LocalDraft { folder: folder.clone(), file, temporary, end: Some(0), is_removed_when_dropped: true })
    }

    /// Opens one that stays; with `CREATE` it is begun where it is not there.
    pub(super) fn open(folder: &Arc<OpenFolder>, temporary: &[u8], create: OFlags) -> Result<Self, StoreError> {
        let (file, found) = open_regular(folder.as_fd(), temporary, OFlags::RDWR | create)?;
        // A second name would be changed along with this one.
        if found.st_nlink != 1 {
            return Err(StoreError::new(ErrorClass::Denied, "the temporary file has other names as well"));
        }
        let folder = folder.clone();
        let temporary = Some(temporary.to_owned());
        Ok(LocalDraft { folder, file, temporary, end: None, is_removed_when_dropped: false })
    }

    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let mut written = 0;
        while written < bytes.len() {
            match rustix::io::pwrite(&self.file, &bytes[written..], offset + written as u64) {
                Ok(0) => return Err(StoreError::new(ErrorClass::Transient, "nothing more can be written")),
                Ok(count) => written += count,
                Err(Errno::INTR) => {}
                Err(errno) => return Err(explain_writing(errno)),
            }
        }
        self.has_bytes_up_to(offset + bytes.len() as u64);
        Ok(())
    }

    fn has_bytes_up_to(&mut self, end: u64) {
        self.end = self.end.map(|earlier| earlier.max(end));
    }

    fn copy(&mut self, original: &dyn Original, range: Range<u64>) -> Result<bool, StoreError> {
        let Some(original) = original.as_local() else { return Ok(false) };
        let end = range.end;
        let is_copied = system::copy_range(original, self.file.as_fd(), range, self.end == Some(0))?;
        if is_copied {
            self.has_bytes_up_to(end);
        }
        Ok(is_copied)
    }

    fn set_size(&self, size: u64) -> Result<(), StoreError> {
        let found = match self.end {
            Some(end) if end > size => {
                return Err(StoreError::new(ErrorClass::Transient, format!("wrote {end} of {size} bytes")));
            }
            Some(end) => end,
            None => u64::try_from(rustix::fs::fstat(&self.file)?.st_size).unwrap_or(0),
        };
        // What is missing at the end is a hole.
        if found == size { Ok(()) } else { rustix::fs::ftruncate(&self.file, size).map_err(explain_writing) }
    }

    fn give_name(
        &self,
        target: Target<'_>,
        size: u64,
        attributes: &Attributes,
        durability: Durability,
    ) -> Result<Placed, StoreError> {
        self.set_size(size)?;
        attributes::set(self.file.as_fd(), &self.folder.root, attributes, 0o666)?;
        if durability == Durability::EachFile {
            // After a failure it is written again from the beginning: what the disk has of it is not known.
            rustix::fs::fsync(&self.file)?;
        }
        let placed = match &self.temporary {
            Some(temporary) => place(self.folder.as_fd(), temporary, target)?,
            None => system::name_unnamed(self.file.as_fd(), self.folder.as_fd(), target.name)?,
        };
        if placed == Placed::Done
            && durability == Durability::EachFile
            && let Err(errno) = rustix::fs::fsync(self.folder.as_fd())
        {
            self.take_name_away(target);
            return Err(errno.into());
        }
        Ok(placed)
    }

    /// Undoes what cannot be made durable. What was replaced is lost already, and nothing is gained by losing what
    /// replaced it as well.
    fn take_name_away(&self, target: Target<'_>) {
        let ours = rustix::fs::fstat(&self.file).map(|found| attributes::identity_of(&found));
        let there = look(self.folder.as_fd(), target.name).map(|found| found.map(|it| attributes::identity_of(&it)));
        if !target.replace.is_allowed() && ours.is_ok_and(|ours| there == Ok(Some(ours))) {
            let _ = rustix::fs::unlinkat(self.folder.as_fd(), target.name, AtFlags::empty());
        }
    }
}

/// `None` where there is no such thing, which is remembered.
fn create_unnamed(folder: &OpenFolder, mode: Option<u32>) -> Result<Option<OwnedFd>, StoreError> {
    if !folder.root.has_unnamed.load(Relaxed) {
        return Ok(None);
    }
    let mode = mode.map_or(PRIVATE, |mode| attributes::mode_of(mode & 0o777));
    let file = system::create_unnamed(folder.as_fd(), mode)?;
    if file.is_none() {
        folder.root.has_unnamed.store(false, Relaxed);
    }
    Ok(file)
}

/// Nobody else may read it before it has its mode.
fn create_named(folder: &OpenFolder, temporary: &[u8]) -> Result<OwnedFd, StoreError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    make_anew(folder.as_fd(), temporary, || rustix::fs::openat(folder.as_fd(), temporary, flags, PRIVATE))
}

/// What a failure to write means. The name has nothing to do with it any more.
pub(super) fn explain_writing(errno: Errno) -> StoreError {
    match errno {
        Errno::FBIG => StoreError::new(ErrorClass::Denied, "the file system takes no files of this size"),
        Errno::INVAL => StoreError::new(ErrorClass::Denied, std::io::Error::from(errno).to_string()),
        errno => errno.into(),
    }
}

impl Draft for LocalDraft {
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        at_once(self.write(offset, bytes))
    }

    fn copy_range<'a>(&'a mut self, original: &'a dyn Original, range: Range<u64>) -> Answer<'a, bool> {
        at_once(self.copy(original, range))
    }

    fn read_at<'a>(&'a mut self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        at_once(read_at(self.file.as_fd(), offset, buffer))
    }

    fn try_time(&mut self, modified_ns: i64) -> Answer<'_, Option<i64>> {
        at_once(attributes::set_time(self.file.as_fd(), modified_ns).and_then(|()| {
            let found = rustix::fs::fstat(&self.file)?;
            Ok(portable::modified_ns(&found))
        }))
    }

    fn finish<'a>(
        mut self: Box<Self>,
        target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        let placed = self.give_name(target, size, attributes, durability);
        self.is_removed_when_dropped = placed != Ok(Placed::Done);
        at_once(placed)
    }
}

impl Drop for LocalDraft {
    fn drop(&mut self) {
        if let Some(temporary) = self.temporary.as_ref().filter(|_| self.is_removed_when_dropped) {
            // If this fails, it is in the way of nothing: the next one to be begun takes its place.
            let _ = rustix::fs::unlinkat(self.folder.as_fd(), temporary, AtFlags::empty());
        }
    }
}
