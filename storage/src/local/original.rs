//! A file that is open for reading.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use longhaul_model::ErrorClass;
use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{Root, at_once, attributes, system};
use crate::error::StoreError;
use crate::folder::{Answer, Facts, Original};

#[derive(Debug)]
pub(super) struct LocalOriginal {
    file: OwnedFd,
    root: Arc<Root>,
    at_opening: Facts,
}

impl LocalOriginal {
    pub(super) fn open(root: &Arc<Root>, folder: BorrowedFd<'_>, name: &[u8]) -> Result<Self, StoreError> {
        let (file, found) = open_regular(folder, name, OFlags::RDONLY)?;
        let at_opening = attributes::facts_of(root, &found);
        Ok(LocalOriginal { file, root: root.clone(), at_opening })
    }
}

/// Opens a regular file, and nothing else; what else has the name cannot make it wait.
pub(super) fn open_regular(folder: BorrowedFd<'_>, name: &[u8], flags: OFlags) -> Result<(OwnedFd, Stat), StoreError> {
    let vanished = |what: &str| StoreError::new(ErrorClass::Vanished, what);
    let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR) {
        Ok(file) => file,
        Err(Errno::LOOP) => return Err(vanished("it is a symbolic link now")),
        Err(Errno::NXIO | Errno::NODEV | Errno::ISDIR) => return Err(vanished("it is not a regular file any more")),
        Err(errno) => return Err(errno.into()),
    };
    let found = rustix::fs::fstat(&file)?;
    match FileType::from_raw_mode(found.st_mode) {
        FileType::RegularFile => Ok((file, found)),
        _ => Err(vanished("it is not a regular file any more")),
    }
}

/// Reads until `buffer` is full or the file ends.
pub(super) fn read_at(file: BorrowedFd<'_>, offset: u64, buffer: &mut [u8]) -> Result<usize, StoreError> {
    let mut filled = 0;
    while filled < buffer.len() {
        match rustix::io::pread(file, &mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(filled)
}

impl Original for LocalOriginal {
    fn facts_at_opening(&self) -> Facts {
        self.at_opening
    }

    fn facts(&self) -> Answer<'_, Facts> {
        let found = rustix::fs::fstat(&self.file).map_err(StoreError::from);
        at_once(found.map(|found| attributes::facts_of(&self.root, &found)))
    }

    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        at_once(read_at(self.file.as_fd(), offset, buffer))
    }

    fn data_within(&self, range: Range<u64>) -> Answer<'_, Vec<Range<u64>>> {
        at_once(system::data_within(self.file.as_fd(), range).map_err(StoreError::from))
    }

    fn as_local(&self) -> Option<BorrowedFd<'_>> {
        Some(self.file.as_fd())
    }
}
