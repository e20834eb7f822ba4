//! The source: some thousand small files, and a large one that comes after them.

use std::path::Path;

use anyhow::Result;

use crate::interrupt::Interrupt;
use crate::shared::maker::{Maker, Time};

pub(super) const FOLDERS: usize = 40;
pub(super) const FILES_IN_EACH: usize = 80;
pub(super) const LARGE_BYTES: usize = 256 << 20;
/// So many MiB make a large file, and a quarter of that a part of it.
pub(super) const LARGE_FROM_MIB: usize = 16;
pub(super) const PART_BYTES: usize = (LARGE_FROM_MIB << 20) / 4;

const TIME: Time = Time(1_600_000_000, 123_456_789);

/// The large file's folders and its name. They are deep, so that it is found and copied last; and they are long, so that
/// hardly more than a line about it is on its way from the program to whoever reads its log.
const LARGE_LEVELS: usize = 4;
const NAME_BYTES: usize = 250;

/// Makes it. Returns how many entries there are.
pub(super) fn make(root: &Path, interrupt: &Interrupt) -> Result<u64> {
    let mut source = Maker::new(root)?;
    for folder in 0..FOLDERS {
        interrupt.check()?;
        let folder = format!("folder {folder:02}").into_bytes();
        source.folder(&folder)?;
        for file in 0..FILES_IN_EACH {
            let path = [&folder[..], format!("/file {file:03}").as_bytes()].concat();
            source.file(&path, file * 41, Time(TIME.0 + i64::try_from(file)?, TIME.1))?;
        }
    }
    let name = [b'l'; NAME_BYTES];
    let mut path = Vec::new();
    for _ in 0..LARGE_LEVELS {
        path.extend_from_slice(&name);
        source.folder(&path)?;
        path.push(b'/');
    }
    path.extend_from_slice(&name);
    source.file(&path, LARGE_BYTES, TIME)?;
    Ok(source.entries)
}
