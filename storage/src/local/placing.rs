//! From a temporary name to the one that people see.

use std::os::fd::BorrowedFd;

use longhaul_model::{ErrorClass, FileFacts, NodeKind};
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;

use super::{portable, system};
use crate::error::StoreError;
use crate::folder::{Placed, Replace, Target};

/// How often something that has the temporary name is removed before somebody else must be making it again and again.
const REMOVALS_MAX: usize = 3;

/// What has this name, without following it; `None` if nothing has.
pub(super) fn look(folder: BorrowedFd<'_>, name: &[u8]) -> Result<Option<Stat>, Errno> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(found) => Ok(Some(found)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

/// Makes something under a temporary name, in place of what an earlier run may have left there.
pub(super) fn make_anew<T>(
    folder: BorrowedFd<'_>,
    temporary: &[u8],
    mut make: impl FnMut() -> Result<T, Errno>,
) -> Result<T, StoreError> {
    for _ in 0..REMOVALS_MAX {
        match make() {
            Err(Errno::EXIST) => {}
            result => return Ok(result?),
        }
        match rustix::fs::unlinkat(folder, temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(Errno::ISDIR) => {
                return Err(StoreError::new(ErrorClass::Denied, "a folder has the name of the temporary file"));
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    Err(StoreError::new(ErrorClass::Transient, "something else makes the temporary file again and again"))
}

/// Gives what has the temporary name its own.
pub(super) fn place(folder: BorrowedFd<'_>, temporary: &[u8], target: Target<'_>) -> Result<Placed, Errno> {
    match target.replace {
        Replace::Nothing => return system::rename_new(folder, temporary, target.name),
        Replace::Only(expected) => {
            if let Some(placed) = place_for(folder, temporary, target.name, expected)? {
                return Ok(placed);
            }
        }
        Replace::Any => {}
    }
    match look(folder, target.name)?.map(|found| portable::kind_of(FileType::from_raw_mode(found.st_mode))) {
        None | Some(NodeKind::File | NodeKind::Symlink) => {}
        Some(NodeKind::Folder | NodeKind::Other) => return Ok(Placed::Taken),
    }
    match rustix::fs::renameat(folder, temporary, folder, target.name) {
        Ok(()) => Ok(Placed::Done),
        // It became a folder in between.
        Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => Ok(Placed::Taken),
        Err(errno) => Err(errno),
    }
}

/// The same in place of a file with these facts, and of no other: the two change their names in one step, and what has come
/// out is looked at before it is removed. `None` where that cannot be done: nothing has happened.
///
/// A kill in between leaves what was to be replaced under the temporary name.
fn place_for(
    folder: BorrowedFd<'_>,
    temporary: &[u8],
    name: &[u8],
    expected: FileFacts,
) -> Result<Option<Placed>, Errno> {
    match system::exchange(folder, temporary, name) {
        Ok(true) => {}
        Ok(false) => return Ok(None),
        // There is nothing any more that could be replaced.
        Err(Errno::NOENT) if look(folder, name)?.is_none() => {
            return system::rename_new(folder, temporary, name).map(Some);
        }
        Err(errno) => return Err(errno),
    }
    let found = look(folder, temporary)?;
    if found.is_some_and(|found| is_file_with(&found, expected)) {
        // It has its name; that what was replaced may still be there is no reason to call that a failure.
        let _ = rustix::fs::unlinkat(folder, temporary, AtFlags::empty());
        return Ok(Some(Placed::Done));
    }
    // Somebody has changed it at the last moment.
    system::exchange(folder, temporary, name)?;
    Ok(Some(Placed::Taken))
}

#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_fallible_conversions,
    reason = "the types differ between systems"
)]
fn is_file_with(found: &Stat, expected: FileFacts) -> bool {
    let is_file = FileType::from_raw_mode(found.st_mode) == FileType::RegularFile;
    let size = i64::try_from(found.st_size).ok();
    is_file && FileFacts { size, modified_ns: portable::modified_ns(found) } == expected
}
