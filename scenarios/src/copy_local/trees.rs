//! What makes copying difficult, beside what makes listing so: modes, times of folders, several names of a file, holes,
//! large files, and what is there already.

use anyhow::Result;
use longhaul_model::BySide;

use crate::shared::local_trees::{NEXT_TIME, TIME, may_everything};
use crate::shared::maker::{Maker, Time};

/// Before 1970, with nanoseconds.
const LONG_AGO: Time = Time(-1_000_000_000, 987_654_321);

/// Bytes of the large file: one more than a whole number of parts.
const LARGE_BYTES: usize = (64 << 20) + 1;

/// Makes it, in folders in which there is more already.
pub(super) fn make(both: &mut BySide<Maker>) -> Result<()> {
    modes(both)?;
    hard_links(both)?;
    holes(both)?;
    existing(both)?;
    both.src.file(b"large", LARGE_BYTES, TIME)?;
    both.src.file(b"large, older there", 20 << 20, TIME)?;
    both.dst.file(b"large, older there", 17 << 20, LONG_AGO)?;
    // Last: whatever is made in a folder changes its time.
    folder_times(both)
}

fn modes(both: &mut BySide<Maker>) -> Result<()> {
    both.src.folder(b"modes")?;
    both.dst.folder(b"modes")?;
    // Set-user and set-group bits go with the owner, whom nobody else can carry over.
    let may_be_kept = |mode: &u32| mode & 0o6000 == 0 || may_everything();
    let modes = [0o444, 0o555, 0o600, 0o777, 0o400, 0o4755, 0o2755, 0o6711, 0o1644];
    for mode in modes.into_iter().filter(may_be_kept) {
        let path = format!("modes/file {mode:04o}").into_bytes();
        both.src.file(&path, 10, TIME)?;
        both.src.set_mode(&path, mode)?;
        let path = format!("modes/file {mode:04o}, older there").into_bytes();
        both.src.file(&path, 10, TIME)?;
        both.src.set_mode(&path, mode)?;
        both.dst.file(&path, 10, LONG_AGO)?;
    }
    for mode in [0o555, 0o500, 0o700, 0o777, 0o1777, 0o2775].into_iter().filter(may_be_kept) {
        // At the top: what is in a read-only folder can only be removed by who gives the permission back first.
        let path = format!("folder {mode:04o}").into_bytes();
        both.src.folder(&path)?;
        both.src.file(&[&path[..], b"/file"].concat(), 10, TIME)?;
        both.src.folder(&[&path[..], b"/folder"].concat())?;
        both.src.file(&[&path[..], b"/folder/file"].concat(), 10, LONG_AGO)?;
        both.src.set_mode(&path, mode)?;
    }
    Ok(())
}

fn hard_links(both: &mut BySide<Maker>) -> Result<()> {
    both.src.folder(b"hard links")?;
    both.src.folder(b"hard links/folder")?;
    both.src.file(b"hard links/one", 1_000, TIME)?;
    both.src.hard_link(b"hard links/two", b"hard links/one")?;
    both.src.hard_link(b"hard links/folder/three", b"hard links/one")?;
    both.src.file(b"hard links/another", 1_000, TIME)
}

fn holes(both: &mut BySide<Maker>) -> Result<()> {
    both.src.folder(b"holes")?;
    both.src.file_with_holes(b"holes/all of it", 8 << 20, &[], TIME)?;
    both.src.file_with_holes(b"holes/between", 12 << 20, &[0..5_000, 6 << 20..(6 << 20) + 5_000], TIME)?;
    let stretches = [0..4_096, 20 << 20..21 << 20, (48 << 20) - 7..48 << 20];
    both.src.file_with_holes(b"holes/large", 48 << 20, &stretches, LONG_AGO)
}

/// What the destination has under the same name.
fn existing(both: &mut BySide<Maker>) -> Result<()> {
    both.src.folder(b"existing")?;
    both.dst.folder(b"existing")?;
    for (name, source, destination) in [
        ("the same", (10, TIME), (10, TIME)),
        ("older", (10, TIME), (10, LONG_AGO)),
        ("a nanosecond older", (10, NEXT_TIME), (10, TIME)),
        ("newer", (10, LONG_AGO), (10, TIME)),
        ("a nanosecond newer", (10, TIME), (10, NEXT_TIME)),
        ("larger", (10, TIME), (1_000, TIME)),
        ("smaller", (1_000, TIME), (10, TIME)),
        ("older and larger", (10, TIME), (100_000, LONG_AGO)),
        ("older and empty", (10, TIME), (0, LONG_AGO)),
        ("older, empty here", (0, TIME), (10, LONG_AGO)),
    ] {
        let path = format!("existing/{name}").into_bytes();
        both.src.file(&path, source.0, source.1)?;
        both.dst.file(&path, destination.0, destination.1)?;
    }
    both.src.symlink(b"existing/older link", b"here", TIME)?;
    both.dst.symlink(b"existing/older link", b"there", LONG_AGO)?;
    both.src.symlink(b"existing/older link, the same target", b"here", TIME)?;
    both.dst.symlink(b"existing/older link, the same target", b"here", LONG_AGO)?;
    Ok(())
}

fn folder_times(both: &mut BySide<Maker>) -> Result<()> {
    both.src.folder(b"times of folders")?;
    for (name, time) in [("long ago", LONG_AGO), ("1970", Time(0, 0)), ("in the future", Time(9_000_000_000, 1))] {
        let path = format!("times of folders/{name}").into_bytes();
        both.src.folder(&path)?;
        both.src.file(&[&path[..], b"/file"].concat(), 1, TIME)?;
        both.src.folder(&[&path[..], b"/folder"].concat())?;
        both.src.set_time(&[&path[..], b"/folder"].concat(), time)?;
        both.src.set_time(&path, time)?;
    }
    both.src.set_time(b"times of folders", LONG_AGO)
}

/// A file that may not be read, and a folder in which nothing may be made, as printable paths.
pub(super) const DENIED: [&str; 2] = ["/unreadable", "/not writable there/file"];

/// Makes what is denied. Says whether anything is, to this user.
pub(super) fn make_denied(both: &mut BySide<Maker>) -> Result<bool> {
    if may_everything() {
        return Ok(false);
    }
    both.src.file(b"unreadable", 10, TIME)?;
    both.src.folder(b"not writable there")?;
    both.src.file(b"not writable there/file", 10, TIME)?;
    both.dst.folder(b"not writable there")?;
    both.dst.file(b"not writable there/file, only there", 10, TIME)?;
    deny(both)?;
    Ok(true)
}

/// Denies it, as long as the makers live.
pub(super) fn deny(both: &mut BySide<Maker>) -> Result<()> {
    both.src.close(b"unreadable", 0o000)?;
    both.dst.close(b"not writable there", 0o555)
}
