//! A folder of this machine.
//!
//! Every path is opened relative to the root that was opened at the start, in a way that follows no link: neither a
//! name nor a link that is swapped in while we run can lead outside.

// Listing, and what differs between systems.
#[cfg(target_os = "linux")]
mod linux;
mod portable;

// Single entries of a folder.
mod attributes;
mod draft;
mod folder;
mod open_folder;
mod original;
mod placing;

// What the file system can do.
mod keeps;
mod times;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::stream::{self, StreamExt};
use longhaul_model::{ErrorClass, Page};
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::capabilities::{Capabilities, Measurable};
use crate::error::StoreError;
use crate::folder::{Answer, Folder};
use crate::store::{PageStream, Store};
use folder::LocalFolder;
#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

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
    capabilities: Measurable,
    /// Permissions that nothing new has.
    umask: u32,
    /// Whether there are files without a name, as far as is known.
    has_unnamed: AtomicBool,
    /// A folder of every other file system that was opened: all of them have to be flushed.
    mounted_below: Mutex<BTreeMap<Device, Arc<OwnedFd>>>,
}

/// The number of a file system.
type Device = (u32, u32);

/// Names and values.
type ExtendedAttributes = Vec<(Vec<u8>, Vec<u8>)>;

impl LocalStore {
    /// Opens the folder at `path`. With `one_file_system`, mount points below it are recorded and not crossed.
    pub fn open(path: &Path, one_file_system: bool) -> Result<LocalStore, StoreError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(path, flags, Mode::empty())?;
        let device = portable::device_of(folder.as_fd())?;
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let capabilities = Measurable::new(Capabilities {
            blocks_thread: true,
            // As far as can be told without writing.
            time_resolution_ns: times::step_ns(folder.as_fd()),
            // A cold tree gains from more, up to eight; a warm one is bound by the cores.
            listings_at_once: cores.clamp(2, 8),
            names: system::name_rules(folder.as_fd()),
            keeps: keeps::expected(folder.as_fd()),
            ..Capabilities::default()
        });
        let root = Root {
            path: path.to_owned(),
            folder,
            device,
            one_file_system,
            capabilities,
            umask: portable::umask(),
            has_unnamed: AtomicBool::new(true),
            mounted_below: Mutex::default(),
        };
        Ok(LocalStore { root: Arc::new(root) })
    }
}

impl Store for LocalStore {
    fn location(&self) -> String {
        self.root.path.display().to_string()
    }

    fn capabilities(&self) -> Capabilities {
        *self.root.capabilities.get()
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        match Listing::open(&self.root, path) {
            Ok(listing) => stream::iter(listing).boxed(),
            Err(error) => stream::iter([Err(error)]).boxed(),
        }
    }

    fn measure<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        let (folder, expected) = (self.root.folder.as_fd(), self.keeps());
        at_once(keeps::measure(folder, temporary, expected).map(|keeps| self.root.capabilities.set_keeps(keeps)))
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        at_once(LocalFolder::open(&self.root, path).map(|folder| Box::new(folder) as _))
    }

    fn flush(&self) -> Answer<'_, ()> {
        at_once(self.root.flush())
    }

    fn free_bytes(&self) -> Answer<'_, Option<u64>> {
        let free = rustix::fs::fstatvfs(&self.root.folder).map(|found| found.f_bavail.checked_mul(found.f_frsize));
        at_once(free.map_err(StoreError::from))
    }
}

/// An answer that is there when the call returns: the calls of this store block.
fn at_once<'a, T: Send + 'a>(result: Result<T, StoreError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(result))
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

    /// Opens the folder at `path`, by whatever means this system has.
    fn open_folder(&self, path: &[u8]) -> Result<OwnedFd, StoreError> {
        #[cfg(target_os = "linux")]
        match linux::open_folder(self.folder.as_fd(), path) {
            // An old kernel, or a sandbox that does not know the call.
            Err(Errno::NOSYS) => {}
            opened => return opened.map_err(explain),
        }
        portable::open_folder(self.folder.as_fd(), path).map_err(explain)
    }

    /// Keeps in mind that there is a file system to be flushed.
    fn remember(&self, device: Device, folder: &Arc<OwnedFd>) {
        if device != self.device {
            self.mounted_below.lock().entry(device).or_insert_with(|| folder.clone());
        }
    }

    /// Waits until all that was written is on stable storage, on every file system that we have been on.
    fn flush(&self) -> Result<(), StoreError> {
        let mounted_below: Vec<_> = self.mounted_below.lock().values().cloned().collect();
        let below = mounted_below.iter().map(|folder| folder.as_fd());
        for folder in std::iter::once(self.folder.as_fd()).chain(below) {
            system::flush(folder)?;
        }
        Ok(())
    }
}

const MOUNT_POINT: &str = "mount point of another file system, not crossed";

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
