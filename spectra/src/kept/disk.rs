//! The file that a persistent database is in.
//!
//! redb waits for the disk at each commit, two or three milliseconds, and every operation is a commit. Here a commit
//! only hands its pages to the operating system: it survives the end of the process, by whatever signal, but a power
//! cut only once [`DiskFlusher::flush`] was called. A simulator may ask for that; a store of real data could not.

use std::fs::File;
use std::io;
use std::ops::Bound;

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// A file that is not waited for.
#[derive(Debug)]
pub(super) struct UnhurriedFile {
    file: FileBackend,
}

/// Waits for the disk after all.
#[derive(Debug)]
pub(super) struct DiskFlusher {
    file: File,
}

impl UnhurriedFile {
    pub(super) fn new(file: File) -> Result<(Self, DiskFlusher), DatabaseError> {
        let flusher = DiskFlusher { file: file.try_clone()? };
        Ok((Self { file: FileBackend::new(file)? }, flusher))
    }
}

impl DiskFlusher {
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }
}

impl StorageBackend for UnhurriedFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
