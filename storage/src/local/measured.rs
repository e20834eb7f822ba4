//! What a file system keeps of what is written to it: not every one keeps permissions, users or symbolic links, and some
//! that do not say that they did.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::placing::make_anew;
use super::{Root, attributes};
use crate::error::StoreError;

/// What a file system was seen to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Measured {
    /// Permission bits.
    pub(super) mode: bool,
    /// User and group.
    pub(super) owner: bool,
    /// Symbolic links.
    pub(super) symlinks: bool,
}

/// Permissions that no file system gives by itself.
const MODE_TRIED: u32 = 0o641;

/// A user and a group other than those of whoever tries.
const OWNER_TRIED: u32 = 1;

impl Measured {
    /// What is expected of one that was not tried. Nobody else may give files away.
    fn expected() -> Self {
        Measured { mode: true, owner: rustix::process::geteuid().is_root(), symlinks: true }
    }

    /// Tries it with something of this name, which is removed again.
    pub(super) fn of(folder: BorrowedFd<'_>, temporary: &[u8]) -> Result<Self, StoreError> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let open = || rustix::fs::openat(folder, temporary, flags, Mode::RUSR | Mode::WUSR);
        let file = make_anew(folder, temporary, open)?;
        let (mode, owner) = (keeps_mode(file.as_fd()), keeps_owner(file.as_fd()));
        drop(file);
        // There is nothing to be removed where a link could not be made.
        let symlinks = rustix::fs::unlinkat(folder, temporary, AtFlags::empty())
            .and_then(|()| rustix::fs::symlinkat(c"nowhere", folder, temporary))
            .and_then(|()| rustix::fs::unlinkat(folder, temporary, AtFlags::empty()));
        let symlinks = match symlinks {
            Ok(()) => true,
            Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => false,
            Err(errno) => return Err(errno.into()),
        };
        Ok(Measured { mode, owner: owner && Self::expected().owner, symlinks })
    }
}

impl Root {
    /// What the file system keeps, as far as that is known.
    pub(super) fn measured(&self) -> Measured {
        self.measured.get().copied().unwrap_or_else(Measured::expected)
    }
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
