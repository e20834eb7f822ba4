//! The same with what every Unix has: `openat` one component at a time, `readdir`, `fstatat`.

use std::ops::Range;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use longhaul_model::{ErrorClass, NodeKind, Page};
use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;

#[cfg(not(target_os = "linux"))]
use super::ExtendedAttributes;
use super::{Device, MOUNT_POINT, PAGE_ENTRIES_MAX, Root, components, open_below};
use crate::error::StoreError;
use crate::folder::Placed;
#[cfg(not(target_os = "linux"))]
use longhaul_naming::RuleSet;

/// Opens the folder at `path` below `root`, one component after the other, following no symbolic link.
pub(super) fn open_folder(root: BorrowedFd<'_>, path: &[u8]) -> Result<OwnedFd, Errno> {
    let mut folder = open_below(root, b".")?;
    for component in components(path) {
        if component == b".." {
            return Err(Errno::XDEV);
        }
        folder = open_below(folder.as_fd(), component)?;
    }
    Ok(folder)
}

/// Permissions that nothing new has. Asking the system itself means setting it, for all threads: only Linux tells
/// without that.
pub(super) fn umask() -> u32 {
    const USUAL: u32 = 0o022;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|digits| u32::from_str_radix(digits.trim(), 8).ok()).unwrap_or(USUAL)
}

/// What kind of file system it is cannot be told.
#[cfg(not(target_os = "linux"))]
pub(super) fn time_step_of_type(_folder: BorrowedFd<'_>) -> Option<u64> {
    None
}

#[cfg(not(target_os = "linux"))]
pub(super) fn has_no_birth(_folder: BorrowedFd<'_>) -> bool {
    false
}

/// The file system that an open folder is on.
pub(super) fn device_of(folder: BorrowedFd<'_>) -> Result<Device, Errno> {
    Ok(device(&rustix::fs::fstat(folder)?))
}

#[allow(clippy::useless_conversion, reason = "the type of st_dev differs between systems")]
pub(super) fn device(found: &rustix::fs::Stat) -> Device {
    let number = found.st_dev.into();
    (rustix::fs::major(number), rustix::fs::minor(number))
}

/// A listing that is under way.
pub(super) struct Listing {
    folder: OwnedFd,
    entries: Dir,
    root: Arc<Root>,
    /// What was read before an error: the entries must not be lost, since the folder gives each of them once.
    page: Page,
    at_end: bool,
}

impl Listing {
    pub(super) fn new(folder: OwnedFd, root: Arc<Root>) -> Result<Self, Errno> {
        // Not by opening `.` below it, which takes the permission to search the folder as well.
        let copy = folder.try_clone().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        let entries = Dir::new(copy)?;
        Ok(Listing { folder, entries, root, page: Page::default(), at_end: false })
    }

    fn next_page(&mut self) -> Result<Page, Errno> {
        while self.page.len() < PAGE_ENTRIES_MAX {
            let Some(entry) = self.entries.read() else {
                self.at_end = true;
                break;
            };
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            match patiently(|| rustix::fs::statat(&self.folder, name, AtFlags::SYMLINK_NOFOLLOW)) {
                Ok(found) => push_entry(&mut self.page, &self.root, name.to_bytes(), &found),
                Err(Errno::NOENT) => {}
                Err(errno) => push_unreadable(&mut self.page, name.to_bytes(), entry.file_type(), errno),
            }
        }
        Ok(std::mem::take(&mut self.page))
    }
}

impl Iterator for Listing {
    type Item = Result<Page, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at_end {
            return None;
        }
        match self.next_page() {
            Ok(page) if page.is_empty() => None,
            Ok(page) => Some(Ok(page)),
            Err(errno) => Some(Err(errno.into())),
        }
    }
}

/// Nanoseconds since 1970; `None` for times that do not fit.
#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    clippy::cast_possible_wrap,
    reason = "the types differ between systems, and there are fewer than 2^63 nanoseconds in a second"
)]
pub(super) fn modified_ns(found: &rustix::fs::Stat) -> Option<i64> {
    i64::from(found.st_mtime).checked_mul(1_000_000_000).and_then(|ns| ns.checked_add(found.st_mtime_nsec as i64))
}

#[allow(clippy::useless_conversion, reason = "the type of st_size differs between systems")]
fn push_entry(page: &mut Page, root: &Root, name: &[u8], found: &rustix::fs::Stat) {
    let file_type = FileType::from_raw_mode(found.st_mode);
    let modified_ns = modified_ns(found);
    if file_type == FileType::Directory && root.stops_at(device(found)) {
        page.push(name, NodeKind::Other, None, modified_ns);
        page.remark(MOUNT_POINT);
        return;
    }
    let kind = kind_of(file_type);
    let size = match kind {
        NodeKind::File | NodeKind::Symlink => Some(i64::from(found.st_size)),
        NodeKind::Folder | NodeKind::Other => None,
    };
    page.push(name, kind, size, modified_ns);
    if kind == NodeKind::Other {
        page.remark(describe(file_type));
    }
}

/// Calls that are made before one fails that may go better the next time.
const CALLS_MAX: usize = 5;

/// Makes a call about one entry again where that may help: a listing as a whole is not begun anew for it.
pub(super) fn patiently<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    let mut result = call();
    for _ in 1..CALLS_MAX {
        match &result {
            Err(errno) if StoreError::from(*errno).class == ErrorClass::Transient => result = call(),
            _ => break,
        }
    }
    result
}

/// Adds an entry that can be seen in its folder and not be looked at, as in a folder that may be read but not searched.
pub(super) fn push_unreadable(page: &mut Page, name: &[u8], listed_as: FileType, errno: Errno) {
    page.push(name, kind_of(listed_as), None, None);
    page.remark(format!("size and time cannot be read: {}", std::io::Error::from(errno)));
}

/// What the ledger calls it.
pub(super) fn kind_of(file_type: FileType) -> NodeKind {
    match file_type {
        FileType::RegularFile => NodeKind::File,
        FileType::Directory => NodeKind::Folder,
        FileType::Symlink => NodeKind::Symlink,
        _ => NodeKind::Other,
    }
}

/// Why something that is neither file, folder nor link is not carried over.
pub(super) fn describe(file_type: FileType) -> &'static str {
    match file_type {
        FileType::Fifo => "FIFO: not carried over",
        FileType::Socket => "socket: not carried over",
        FileType::CharacterDevice => "character device: not carried over",
        FileType::BlockDevice => "block device: not carried over",
        _ => "neither a file, a folder nor a symbolic link: not carried over",
    }
}

/// Gives the entry `temporary` of `folder` another name, unless something has that name: by a second name for it, which
/// no system gives in place of another.
pub(super) fn rename_new(folder: BorrowedFd<'_>, temporary: &[u8], name: &[u8]) -> Result<Placed, Errno> {
    match rustix::fs::linkat(folder, temporary, folder, name, AtFlags::empty()) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(Placed::Taken),
        // A file system without second names.
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            return rename_unseen(folder, temporary, name);
        }
        Err(errno) => return Err(errno),
    }
    // It has its name; that it may have another one as well is no reason to call that a failure.
    let _ = rustix::fs::unlinkat(folder, temporary, AtFlags::empty());
    Ok(Placed::Done)
}

/// The same where there is no way to do it in one step. Something that gets the name between the two calls is
/// replaced, which could only be avoided by not writing here at all.
pub(super) fn rename_unseen(folder: BorrowedFd<'_>, temporary: &[u8], name: &[u8]) -> Result<Placed, Errno> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(_) => Ok(Placed::Taken),
        Err(Errno::NOENT) => rustix::fs::renameat(folder, temporary, folder, name).map(|()| Placed::Done),
        Err(errno) => Err(errno),
    }
}

/// There is no way that goes for every system.
#[allow(clippy::unnecessary_wraps, reason = "where there is a way it can fail")]
pub(super) fn exchange(_folder: BorrowedFd<'_>, _one: &[u8], _other: &[u8]) -> Result<bool, Errno> {
    Ok(false)
}

/// The stretches of `range` that have bytes in them: all of it, as far as can be known everywhere.
#[allow(clippy::unnecessary_wraps, reason = "as where it can be found out")]
pub(super) fn data_within(_file: BorrowedFd<'_>, range: Range<u64>) -> Result<Vec<Range<u64>>, Errno> {
    Ok(if range.is_empty() { Vec::new() } else { vec![range] })
}

/// Writes all file systems out; nobody says whether that went well.
#[allow(clippy::unnecessary_wraps, reason = "as where it can be found out")]
pub(super) fn flush(_folder: BorrowedFd<'_>) -> Result<(), Errno> {
    rustix::fs::sync();
    Ok(())
}

/// No file is without a name here.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as where there is such a thing")]
pub(super) fn create_unnamed(_folder: BorrowedFd<'_>, _mode: Mode) -> Result<Option<OwnedFd>, Errno> {
    Ok(None)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn name_unnamed(_file: BorrowedFd<'_>, _folder: BorrowedFd<'_>, _name: &[u8]) -> Result<Placed, Errno> {
    Err(Errno::NOTSUP)
}

/// Copies nothing: no system but Linux has a way that all of its file systems know.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "as where there is a way")]
pub(super) fn copy_range(
    _original: BorrowedFd<'_>,
    _draft: BorrowedFd<'_>,
    _range: Range<u64>,
    _draft_is_new: bool,
) -> Result<bool, StoreError> {
    Ok(false)
}

/// Extended attributes differ too much between systems to be carried over.
#[cfg(not(target_os = "linux"))]
pub(super) fn keeps_extended(_file: BorrowedFd<'_>) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(super) fn name_rules(_folder: BorrowedFd<'_>) -> RuleSet {
    if cfg!(target_os = "macos") { RuleSet::Macos } else { RuleSet::Linux }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn extended_attributes(_file: BorrowedFd<'_>) -> Result<ExtendedAttributes, Errno> {
    Ok(Vec::new())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn set_extended_attribute(_file: BorrowedFd<'_>, _name: &[u8], _value: &[u8]) -> Result<(), Errno> {
    Err(Errno::NOTSUP)
}
