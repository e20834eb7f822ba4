//! Copying within the kernel, holes, extended attributes, files without a name, names that replace nothing, and
//! flushing one file system.

use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use longhaul_model::ErrorClass;
use longhaul_naming::RuleSet;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, SeekFrom, XattrFlags};
use rustix::io::Errno;

use super::super::draft::explain_writing;
use super::super::{ExtendedAttributes, portable};
use crate::error::StoreError;
use crate::folder::Placed;

/// Bytes of one call that copies: a signal is seen between two.
const COPIED_AT_ONCE_BYTES: u64 = 128 << 20;

/// Bytes first reserved for the names or for a value of extended attributes; most files have none.
const EXTENDED_BYTES: usize = 1 << 10;

/// Gives the entry `temporary` of `folder` another name, unless something has that name.
pub(in super::super) fn rename_new(folder: BorrowedFd<'_>, temporary: &[u8], name: &[u8]) -> Result<Placed, Errno> {
    match rustix::fs::renameat_with(folder, temporary, folder, name, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(Placed::Done),
        Err(Errno::EXIST) => Ok(Placed::Taken),
        // NFS and some others do not know the flag.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => portable::rename_new(folder, temporary, name),
        Err(errno) => Err(errno),
    }
}

/// Makes two entries of `folder` change their names in one step; `false` where that cannot be done.
pub(in super::super) fn exchange(folder: BorrowedFd<'_>, one: &[u8], other: &[u8]) -> Result<bool, Errno> {
    match rustix::fs::renameat_with(folder, one, folder, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => portable::exchange(folder, one, other),
        Err(errno) => Err(errno),
    }
}

/// Begins a file in `folder` that has no name yet, and is gone with the process; `None` where there is no such thing.
pub(in super::super) fn create_unnamed(folder: BorrowedFd<'_>, mode: Mode) -> Result<Option<OwnedFd>, Errno> {
    match rustix::fs::openat(folder, c".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode) {
        Ok(file) => Ok(Some(file)),
        // The second is what file systems say that have never heard of it.
        Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL | Errno::NOSYS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Gives a file that has no name its first one, unless something has that name.
pub(in super::super) fn name_unnamed(
    file: BorrowedFd<'_>,
    folder: BorrowedFd<'_>,
    name: &[u8],
) -> Result<Placed, Errno> {
    let named = match rustix::fs::linkat(file, c"", folder, name, AtFlags::EMPTY_PATH) {
        // Older kernels let nobody but root do it this way.
        Err(Errno::NOENT | Errno::PERM) => {
            let path = format!("/proc/self/fd/{}", file.as_raw_fd());
            rustix::fs::linkat(CWD, path, folder, name, AtFlags::SYMLINK_FOLLOW)
        }
        named => named,
    };
    match named {
        Ok(()) => Ok(Placed::Done),
        Err(Errno::EXIST) => Ok(Placed::Taken),
        Err(errno) => Err(errno),
    }
}

/// Copies `range` of `original` to the same place in `draft` without the bytes passing through the process. `false`
/// where that is not possible, and nothing was done.
///
/// `draft_is_new` says that nothing was written to it yet, so that all of it may be replaced.
pub(in super::super) fn copy_range(
    original: BorrowedFd<'_>,
    draft: BorrowedFd<'_>,
    range: Range<u64>,
    draft_is_new: bool,
) -> Result<bool, StoreError> {
    if draft_is_new && range.start == 0 && clone_whole(original, draft, range.end)? {
        return Ok(true);
    }
    let (mut read_from, mut write_to) = (range.start, range.start);
    while read_from < range.end {
        let length = (range.end - read_from).min(COPIED_AT_ONCE_BYTES);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(original, Some(&mut read_from), draft, Some(&mut write_to), length) {
            Ok(0) if size_of(original)? < range.end => return Err(got_shorter()),
            // Files that the kernel makes up when they are read have bytes that it does not find here.
            Ok(0) if read_from == range.start => return Ok(false),
            Ok(0) => return Err(StoreError::new(ErrorClass::Transient, "copying stopped before the end")),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if read_from == range.start => {
                return Ok(false);
            }
            Err(errno) => return Err(explain_writing(errno)),
        }
    }
    Ok(true)
}

/// Lets a new draft share the bytes of the whole file, where the file system can do that.
#[cfg(not(any(target_arch = "sparc", target_arch = "sparc64")))]
fn clone_whole(original: BorrowedFd<'_>, draft: BorrowedFd<'_>, size: u64) -> Result<bool, StoreError> {
    if size == 0 || size_of(original)? != size || rustix::fs::ioctl_ficlone(draft, original).is_err() {
        return Ok(false);
    }
    // It may have changed between the two calls.
    let cloned = size_of(draft)?;
    if cloned < size {
        return Err(got_shorter());
    }
    if cloned > size {
        rustix::fs::ftruncate(draft, size).map_err(explain_writing)?;
    }
    Ok(true)
}

#[cfg(any(target_arch = "sparc", target_arch = "sparc64"))]
fn clone_whole(_original: BorrowedFd<'_>, _draft: BorrowedFd<'_>, _size: u64) -> Result<bool, StoreError> {
    Ok(false)
}

fn size_of(file: BorrowedFd<'_>) -> Result<u64, StoreError> {
    Ok(u64::try_from(rustix::fs::fstat(file)?.st_size).unwrap_or(0))
}

fn got_shorter() -> StoreError {
    StoreError::new(ErrorClass::Transient, "the file got shorter while it was copied")
}

/// The stretches of `range` that have bytes in them. Moves the file's position, which nothing else uses.
pub(in super::super) fn data_within(file: BorrowedFd<'_>, range: Range<u64>) -> Result<Vec<Range<u64>>, Errno> {
    let mut found = Vec::new();
    let mut position = range.start;
    while position < range.end {
        let start = match rustix::fs::seek(file, SeekFrom::Data(position)) {
            Ok(start) if start < range.end => start,
            // The rest of it is a hole, or behind the end of the file.
            Ok(_) | Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => return portable::data_within(file, range),
            Err(errno) => return Err(errno),
        };
        let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
            Ok(end) => end.min(range.end),
            // It got shorter in between.
            Err(Errno::NXIO) => break,
            Err(errno) => return Err(errno),
        };
        if start < end {
            found.push(start..end);
        }
        // Never stands still, whatever a file system answers.
        position = end.max(start + 1);
    }
    Ok(found)
}

/// Writes out the file system that `folder` is on.
pub(in super::super) fn flush(folder: BorrowedFd<'_>) -> Result<(), Errno> {
    match rustix::fs::syncfs(folder) {
        Err(Errno::NOSYS) => portable::flush(folder),
        flushed => flushed,
    }
}

/// Whether the file system of this file has extended attributes that a user can set.
pub(in super::super) fn keeps_extended(file: BorrowedFd<'_>) -> bool {
    !matches!(rustix::fs::fgetxattr_query(file, c"user.longhaul"), Err(Errno::NOTSUP | Errno::NOSYS))
}

/// Which names the file system of this folder refuses, or takes for one another: those that come from Windows keep to its
/// rules. The numbers are those of statfs(2) and linux/magic.h; what is behind a network or FUSE cannot be told.
pub(in super::super) fn name_rules(folder: BorrowedFd<'_>) -> RuleSet {
    const MSDOS: i64 = 0x4d44;
    const EXFAT: i64 = 0x2011_bab0;
    const NTFS: i64 = 0x5346_544e;
    const NTFS3: i64 = 0x7366_746e;
    #[allow(clippy::useless_conversion, reason = "the field has another type on other architectures")]
    match rustix::fs::fstatfs(folder).map(|found| i64::try_from(found.f_type).unwrap_or(0)) {
        Ok(MSDOS | EXFAT) => RuleSet::Fat,
        Ok(NTFS | NTFS3) => RuleSet::Ntfs,
        _ => RuleSet::Linux,
    }
}

/// The extended attributes that belong to a file's owner: the user's own, and access control lists. All others belong
/// to the system that the file is on.
pub(in super::super) fn extended_attributes(file: BorrowedFd<'_>) -> Result<ExtendedAttributes, Errno> {
    let names = match fetch(|bytes| rustix::fs::flistxattr(file, bytes), || rustix::fs::flistxattr_query(file)) {
        Err(Errno::NOTSUP | Errno::NOSYS) => return Ok(Vec::new()),
        names => names?,
    };
    let mut found = Vec::new();
    for name in names.split(|&byte| byte == 0).filter(|name| is_carried_over(name)) {
        match fetch(|bytes| rustix::fs::fgetxattr(file, name, bytes), || rustix::fs::fgetxattr_query(file, name)) {
            Ok(value) => found.push((name.to_owned(), value)),
            // It was removed in between, or is listed without being kept.
            Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(found)
}

fn is_carried_over(name: &[u8]) -> bool {
    name.starts_with(b"user.") || name == b"system.posix_acl_access" || name == b"system.posix_acl_default"
}

/// Fetches bytes of unknown length.
fn fetch(
    fill: impl Fn(&mut [u8]) -> Result<usize, Errno>,
    length: impl Fn() -> Result<usize, Errno>,
) -> Result<Vec<u8>, Errno> {
    let mut first = [0; EXTENDED_BYTES];
    match fill(&mut first) {
        Ok(filled) => return Ok(first[..filled].to_vec()),
        Err(Errno::RANGE) => {}
        Err(errno) => return Err(errno),
    }
    loop {
        let mut bytes = vec![0; length()?.max(1)];
        match fill(&mut bytes) {
            Ok(filled) => {
                bytes.truncate(filled);
                return Ok(bytes);
            }
            // It grew in between.
            Err(Errno::RANGE) => {}
            Err(errno) => return Err(errno),
        }
    }
}

/// Sets one extended attribute, whether it is there or not.
pub(in super::super) fn set_extended_attribute(file: BorrowedFd<'_>, name: &[u8], value: &[u8]) -> Result<(), Errno> {
    rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())
}
