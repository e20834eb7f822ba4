//! A folder of this machine.
//!
//! Every path is opened relative to the root that was opened at the start, in a way that follows no link: neither a
//! name nor a link that is swapped in while we run can lead outside.

#[cfg(target_os = "linux")]
mod linux;
mod portable;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use longhaul_model::{ErrorClass, Page};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::StoreError;
use crate::store::{Capabilities, PageStream, Store};

/// Entries of one page: about half a megabyte, whatever the folder holds.
const PAGE_ENTRIES_MAX: usize = 8_192;

/// A folder of this machine.
#[derive(Debug)]
pub struct LocalStore {
    root: Arc<Root>,
}

/// The opened root.
#[derive(Debug)]
struct Root {
    path: PathBuf,
    folder: OwnedFd,
    device: Device,
    one_file_system: bool,
}

/// The number of a file system.
type Device = (u32, u32);

impl LocalStore {
    /// Opens the folder at `path`. With `one_file_system`, mount points below it are recorded and not crossed.
    pub fn open(path: &Path, one_file_system: bool) -> Result<LocalStore, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        let device = portable::device_of(folder.as_fd())?;
        Ok(LocalStore { root: Arc::new(Root { path: path.to_owned(), folder, device, one_file_system }) })
    }
}

impl Store for LocalStore {
    fn location(&self) -> String {
        self.root.path.display().to_string()
    }

    fn capabilities(&self) -> Capabilities {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Capabilities {
            blocks_thread: true,
            time_resolution_ns: 1,
            // A cold tree gains from more, up to eight; a warm one is bound by the cores.
            listings_at_once: cores.clamp(2, 8),
        }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        match Listing::open(&self.root, path) {
            Ok(listing) => stream::iter(listing).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }
}

/// A listing that is under way, by whatever means this system has.
enum Listing {
    #[cfg(target_os = "linux")]
    Linux(linux::Listing),
    Portable(portable::Listing),
}

impl Listing {
    fn open(root: &Arc<Root>, path: &[u8]) -> Result<Listing, StoreError> {
        #[cfg(target_os = "linux")]
        match linux::open_folder(root.folder.as_fd(), path) {
            Ok(folder) => return Ok(Listing::Linux(linux::Listing::new(folder, root.clone()))),
            // An old kernel, or a sandbox that does not know the call.
            Err(Errno::NOSYS) => {}
            Err(errno) => return Err(explain(errno)),
        }
        let folder = portable::open_folder(root.folder.as_fd(), path).map_err(explain)?;
        Ok(Listing::Portable(portable::Listing::new(folder, root.clone())?))
    }
}

impl Iterator for Listing {
    type Item = Result<Page, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            #[cfg(target_os = "linux")]
            Listing::Linux(listing) => listing.next(),
            Listing::Portable(listing) => listing.next(),
        }
    }
}

impl Root {
    /// Whether an entry on `device` is the root of another file system that is not to be crossed into.
    fn stops_at(&self, device: Device) -> bool {
        self.one_file_system && device != self.device
    }
}

const MOUNT_POINT: &str = "mount point of another file system, not crossed (--one-file-system)";

fn explain(errno: Errno) -> StoreError {
    match errno {
        Errno::LOOP | Errno::XDEV => {
            StoreError::new(ErrorClass::Vanished, "a folder on the way has been replaced by a symbolic link")
        }
        Errno::NOTDIR => StoreError::new(ErrorClass::Vanished, "it is not a folder any more"),
        errno => errno.into(),
    }
}

/// The components of a path that begins with `/`.
fn components(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|&byte| byte == b'/').filter(|component| !component.is_empty())
}

fn open_below(folder: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty())
}

#[cfg(test)]
mod tests;
