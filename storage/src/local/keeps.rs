//! What a file system preserves of what is written to it: not every one preserves permissions, owners or symbolic links,
//! and some that do not still report success.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::placing::make_anew;
use super::{attributes, system};
use crate::capabilities::Keeps;
use crate::error::StoreError;

/// Permissions that no file system gives on its own.
const MODE_TRIED: u32 = 0o641;

/// A user and a group other than our own.
const OWNER_TRIED: u32 = 1;

/// What is expected of a file system before it is measured.
pub(super) fn expected(folder: BorrowedFd<'_>) -> Keeps {
    let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
    Keeps {
        modified: true,
        mode: true,
        // Only root may give files away.
        owner: user.is_root(),
        new_owner: Some((user.as_raw(), group.as_raw())),
        extended: system::keeps_extended(folder),
        symlinks: true,
        hard_links: true,
        holes: true,
        parts: true,
    }
}

/// Measures it with an entry of this name, which is removed again.
pub(super) fn measure(folder: BorrowedFd<'_>, temporary: &[u8], expected: Keeps) -> Result<Keeps, StoreError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || rustix::fs::openat(folder, temporary, flags, Mode::RUSR | Mode::WUSR);
    let file = make_anew(folder, temporary, open)?;
    let (mode, owner) = (keeps_mode(file.as_fd()), expected.owner && keeps_owner(file.as_fd()));
    drop(file);
    // Where a link cannot be created there is nothing to be removed.
    let symlinks = rustix::fs::unlinkat(folder, temporary, AtFlags::empty())
        .and_then(|()| rustix::fs::symlinkat(c"nowhere", folder, temporary))
        .and_then(|()| rustix::fs::unlinkat(folder, temporary, AtFlags::empty()));
    let symlinks = match symlinks {
        Ok(()) => true,
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => false,
        Err(errno) => return Err(errno.into()),
    };
    Ok(Keeps { mode, owner, symlinks, ..expected })
}

fn keeps_mode(file: BorrowedFd<'_>) -> bool {
    let mode = attributes::mode_of(MODE_TRIED);
    let kept = rustix::fs::fchmod(file, mode).and_then(|()| rustix::fs::fstat(file));
    kept.is_ok_and(|found| Mode::from_raw_mode(found.st_mode) == mode)
}

fn keeps_owner(file: BorrowedFd<'_>) -> bool {
    let (user, group) = (Uid::from_raw(OWNER_TRIED), Gid::from_raw(OWNER_TRIED));
    let kept = rustix::fs::fchown(file, Some(user), Some(group)).and_then(|()| rustix::fs::fstat(file));
    kept.is_ok_and(|found| (found.st_uid, found.st_gid) == (OWNER_TRIED, OWNER_TRIED))
}
