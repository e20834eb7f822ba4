//! How coarse the times of a file system are, as far as can be told without writing anything.
//!
//! Whoever may write measures it (see [`Draft::try_time`](crate::Draft::try_time)); a listing that is compared with
//! another one comes before that. What is guessed too fine here makes files differ that do not, which copying finds out;
//! what is guessed too coarse makes files the same that are not. So nothing is guessed that the system does not show.

use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, Dir, Stat};

use super::system;

const SECOND_NS: u64 = 1_000_000_000;

/// Entries of the root that are looked at, at most.
const ENTRIES_MAX: usize = 64;

/// Moments at which entries of the root were changed that must all be whole seconds, so that it is no accident.
const MOMENTS_MIN: usize = 3;

/// The steps in which the file system of this folder keeps times, in nanoseconds; 1 where nothing is known of it.
pub(super) fn step_ns(folder: BorrowedFd<'_>) -> u64 {
    if let Some(step_ns) = system::time_step_of_type(folder) {
        return step_ns;
    }
    // The time of the last change is the system's: unlike that of modification it cannot be set by whoever unpacks an
    // archive that has whole seconds.
    let Ok(found) = rustix::fs::fstat(folder) else { return 1 };
    if !is_whole_second(&found) {
        return 1;
    }
    if system::has_no_birth(folder) || entries_have_whole_seconds(folder, &found) { SECOND_NS } else { 1 }
}

fn is_whole_second(found: &Stat) -> bool {
    found.st_ctime_nsec == 0
}

/// Whether the folder and what is in it was changed at several moments, all of them whole seconds.
fn entries_have_whole_seconds(folder: BorrowedFd<'_>, found: &Stat) -> bool {
    let mut moments = BTreeSet::from([found.st_ctime]);
    let Ok(entries) = Dir::read_from(folder) else { return false };
    for entry in entries.take(ENTRIES_MAX) {
        let Ok(entry) = entry else { return false };
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        if let Ok(found) = rustix::fs::statat(folder, entry.file_name(), flags) {
            if !is_whole_second(&found) {
                return false;
            }
            moments.insert(found.st_ctime);
        }
    }
    moments.len() >= MOMENTS_MIN
}
