//! What is known of an entry, and setting it.

use std::os::fd::BorrowedFd;

use longhaul_model::{ErrorClass, NodeKind, encode_name};
use rustix::fs::{AtFlags, FileType, Gid, Mode, Stat, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::{Root, portable, system};
use crate::error::StoreError;
use crate::folder::{Attributes, Facts, FileIdentity};

/// All bits that can be set; the rest of a file's mode says what it is.
const PERMISSIONS: u32 = 0o7777;

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the types differ between systems")]
pub(super) fn facts_of(root: &Root, found: &Stat) -> Facts {
    let file_type = FileType::from_raw_mode(found.st_mode);
    // As in a listing.
    let is_uncrossed = file_type == FileType::Directory && root.stops_at(portable::device(found));
    let kind = if is_uncrossed { NodeKind::Other } else { portable::kind_of(file_type) };
    let (size, shared) = match kind {
        NodeKind::File => (Some(i64::from(found.st_size)), (found.st_nlink > 1).then(|| identity_of(found))),
        NodeKind::Symlink => (Some(i64::from(found.st_size)), None),
        NodeKind::Folder | NodeKind::Other => (None, None),
    };
    Facts {
        kind,
        size,
        modified_ns: portable::modified_ns(found),
        mode: Some(found.st_mode as u32 & PERMISSIONS),
        owner: Some((found.st_uid, found.st_gid)),
        shared,
    }
}

#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    reason = "the types differ between systems, and a number is as good as another to tell files apart"
)]
pub(super) fn identity_of(found: &Stat) -> FileIdentity {
    FileIdentity { device: found.st_dev as u64, inode: found.st_ino as u64 }
}

/// Sets attributes of an open file or folder that we have made. `new_mode` is what programs ask for when they make one.
pub(super) fn set(file: BorrowedFd<'_>, root: &Root, attributes: &Attributes, new_mode: u32) -> Result<(), StoreError> {
    let keeps = root.capabilities.get().keeps;
    // Before the mode: another owner takes away the special bits.
    if let Some(owner) = attributes.owner {
        let (user, group) = user_and_group(owner);
        rustix::fs::fchown(file, user, group).map_err(|errno| cannot_set("the owner", errno))?;
    }
    // Before the mode as well: it may forbid writing. And an access control list changes the mode, while the mode
    // leaves a list that fits as it is.
    for (name, value) in &attributes.extended {
        match system::set_extended_attribute(file, name, value) {
            Err(Errno::NOTSUP) if !keeps.extended => break,
            set => set.map_err(|errno| cannot_set_extended(name, errno))?,
        }
    }
    let mode = mode_of(attributes.mode.unwrap_or(new_mode & !root.umask));
    // Looking is cheaper than setting, and a new file often has it already.
    if keeps.mode && Mode::from_raw_mode(rustix::fs::fstat(file)?.st_mode) != mode {
        rustix::fs::fchmod(file, mode).map_err(|errno| cannot_set("the mode", errno))?;
    }
    // Last: some of the above may count as a change.
    if let Some(modified_ns) = attributes.modified_ns {
        set_time(file, modified_ns)?;
    }
    Ok(())
}

/// Sets the modification time of an open file or folder.
pub(super) fn set_time(file: BorrowedFd<'_>, modified_ns: i64) -> Result<(), StoreError> {
    rustix::fs::futimens(file, &timestamps(modified_ns)).map_err(|errno| cannot_set("the time", errno))
}

/// Sets owner and time of a symbolic link that we have made; it has nothing else.
pub(super) fn set_of_link(folder: BorrowedFd<'_>, name: &[u8], attributes: &Attributes) -> Result<(), StoreError> {
    if let Some(owner) = attributes.owner {
        let (user, group) = user_and_group(owner);
        rustix::fs::chownat(folder, name, user, group, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| cannot_set("the owner", errno))?;
    }
    if let Some(modified_ns) = attributes.modified_ns {
        rustix::fs::utimensat(folder, name, &timestamps(modified_ns), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| cannot_set("the time", errno))?;
    }
    Ok(())
}

/// The number that stands for none is no user and no group.
fn user_and_group((user, group): (u32, u32)) -> (Option<Uid>, Option<Gid>) {
    let user = (user != u32::MAX).then(|| Uid::from_raw(user));
    (user, (group != u32::MAX).then(|| Gid::from_raw(group)))
}

#[allow(clippy::unnecessary_cast, clippy::cast_possible_truncation, reason = "on some systems it has 16 bits")]
pub(super) fn mode_of(mode: u32) -> Mode {
    Mode::from_raw_mode((mode & PERMISSIONS) as rustix::fs::RawMode)
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the types differ between systems")]
fn timestamps(modified_ns: i64) -> Timestamps {
    const NS: i64 = 1_000_000_000;
    let nanoseconds = modified_ns.rem_euclid(NS) as rustix::fs::Nsecs;
    Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT.into() },
        last_modification: Timespec { tv_sec: modified_ns.div_euclid(NS), tv_nsec: nanoseconds },
    }
}

/// That there is no room for one is no lack of room for files: file systems keep little for what belongs to one file.
fn cannot_set_extended(name: &[u8], errno: Errno) -> StoreError {
    let error = cannot_set(&format!("the extended attribute {}", encode_name(name)), errno);
    if error.class == ErrorClass::NoSpace { StoreError { class: ErrorClass::Denied, ..error } } else { error }
}

fn cannot_set(what: &str, errno: Errno) -> StoreError {
    let class = match errno {
        // The file system has no such thing, or not this one: trying again cannot help, and the name is fine.
        Errno::INVAL | Errno::NOTSUP | Errno::NOSYS | Errno::RANGE | Errno::TOOBIG | Errno::NAMETOOLONG => {
            ErrorClass::Denied
        }
        errno => StoreError::from(errno).class,
    };
    StoreError::new(class, format!("{what} cannot be set: {}", std::io::Error::from(errno)))
}
