//! What the type of a file system says of its times.

use std::os::fd::BorrowedFd;

use rustix::fs::{AtFlags, StatxFlags};

/// ext2, ext3 and ext4 have the same number.
const EXT: u64 = 0xEF53;

/// Numbers of file system types, from `statfs(2)` and the kernel's `magic.h`, and the steps of their times, in
/// nanoseconds.
const STEPS_NS: [(u64, u64); 8] = [
    (0x4D44, 2_000_000_000),   // FAT
    (0x4244, 1_000_000_000),   // HFS
    (0x482B, 1_000_000_000),   // HFS+
    (0x137F, 1_000_000_000),   // Minix
    (0x138F, 1_000_000_000),   // Minix, with long names
    (0x9660, 1_000_000_000),   // ISO 9660
    (0x2011_BAB0, 10_000_000), // exFAT
    (0x7366_746E, 100),        // NTFS
];

fn type_of(folder: BorrowedFd<'_>) -> Option<u64> {
    // On some systems it is signed and has 32 bits: the numbers are bits.
    #[allow(clippy::unnecessary_cast, clippy::cast_sign_loss, reason = "its type differs between systems")]
    rustix::fs::fstatfs(folder).ok().map(|found| found.f_type as u64 & 0xFFFF_FFFF)
}

/// The steps, where the type alone tells them.
pub(in super::super) fn time_step_of_type(folder: BorrowedFd<'_>) -> Option<u64> {
    let found = type_of(folder)?;
    STEPS_NS.iter().find(|(number, _)| *number == found).map(|(_, step_ns)| *step_ns)
}

/// Whether this is a file system of the ext family of which the inodes have no room for the time at which a file was
/// made. Then there is none for fractions of seconds either: both are in the part that inodes of 128 bytes lack.
pub(in super::super) fn has_no_birth(folder: BorrowedFd<'_>) -> bool {
    if type_of(folder) != Some(EXT) {
        return false;
    }
    let found = rustix::fs::statx(folder, c"", AtFlags::EMPTY_PATH, StatxFlags::BTIME);
    found.is_ok_and(|found| found.stx_mask & StatxFlags::BTIME.bits() == 0)
}
