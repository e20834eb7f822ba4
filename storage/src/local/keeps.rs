//! What a file system preserves of what is written to it: not every one preserves permissions, owners or symbolic links,
//! and some that do not still report success.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::placing::make_anew;
use super::portable::patiently;
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
    let mode = keeps(|| keeps_mode(file.as_fd()))?;
    let owner = expected.owner && keeps(|| keeps_owner(file.as_fd()))?;
    drop(file);
    rustix::fs::unlinkat(folder, temporary, AtFlags::empty())?;
    let symlinks = keeps(|| rustix::fs::symlinkat(c"nowhere", folder, temporary).map(|()| true))?;
    if symlinks {
        rustix::fs::unlinkat(folder, temporary, AtFlags::empty())?;
    }
    Ok(Keeps { mode, owner, symlinks, ..expected })
}

/// Whether something is kept, where it was tried: not if the file system does not know such a thing, or does not allow it.
/// Any other error says nothing about that, and may pass.
fn keeps(tried: impl FnMut() -> Result<bool, Errno>) -> Result<bool, StoreError> {
    match patiently(tried) {
        Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(false),
        kept => Ok(kept?),
    }
}

fn keeps_mode(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    let mode = attributes::mode_of(MODE_TRIED);
    rustix::fs::fchmod(file, mode)?;
    Ok(Mode::from_raw_mode(rustix::fs::fstat(file)?.st_mode) == mode)
}

fn keeps_owner(file: BorrowedFd<'_>) -> Result<bool, Errno> {
    let (user, group) = (Uid::from_raw(OWNER_TRIED), Gid::from_raw(OWNER_TRIED));
    rustix::fs::fchown(file, Some(user), Some(group))?;
    let found = rustix::fs::fstat(file)?;
    Ok((found.st_uid, found.st_gid) == (OWNER_TRIED, OWNER_TRIED))
}
