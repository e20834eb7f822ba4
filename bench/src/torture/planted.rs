//! The two sides of a migration, with contents: drawn once, and made as often as they are needed.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps};

use super::random::Random;
use crate::odd_names::ODD_NAMES;

/// Files of up to so many bytes are the usual ones.
const TINY_BYTES_MAX: u64 = 3_000;
const MIB: u64 = 1 << 20;

/// Files that are there to make a run take its time are spread over so many folders.
const BULK_FOLDERS: u64 = 40;

/// One entry of a tree.
#[derive(Clone, Debug)]
enum Item {
    Folder {
        mode: u32,
        modified_ns: u64,
    },
    File {
        size: u64,
        /// Other numbers are other contents.
        contents: u64,
        mode: u32,
        modified_ns: u64,
    },
    Link {
        target: &'static str,
        modified_ns: u64,
    },
    /// Another name of the file with this path.
    Name(PathBuf),
}

/// A tree: paths below its root, parents before their children.
#[derive(Clone, Debug, Default)]
pub(super) struct Planted(Vec<(PathBuf, Item)>);

impl Planted {
    /// Makes the tree in an existing folder.
    pub(super) fn make(&self, root: &Path) -> Result<()> {
        for (path, item) in &self.0 {
            let path = root.join(path);
            item.make(&path, root).with_context(|| format!("cannot make {}", path.display()))?;
        }
        // Only now: each child that is made changes its folder's time.
        for (path, item) in self.0.iter().rev() {
            if let Item::Folder { mode, modified_ns } = item {
                let path = root.join(path);
                fs::set_permissions(&path, fs::Permissions::from_mode(*mode))?;
                set_modified(&path, *modified_ns)?;
            }
        }
        Ok(())
    }

    /// The paths of its folders.
    pub(super) fn folders(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter(|(_, item)| matches!(item, Item::Folder { .. })).map(|(path, _)| path.as_path())
    }

    /// How much there is in it that is not a folder.
    pub(super) fn others(&self) -> u64 {
        self.0.iter().filter(|(_, item)| !matches!(item, Item::Folder { .. })).count() as u64
    }
}

impl Item {
    fn make(&self, path: &Path, root: &Path) -> Result<()> {
        match self {
            Self::Folder { .. } => fs::create_dir(path)?,
            Self::File { size, contents, mode, modified_ns } => {
                let mut file = File::create_new(path)?;
                let mut random = Random::new(*contents, CONTENTS, 0);
                let mut bytes = Vec::with_capacity(usize::try_from(*size)? + 8);
                while (bytes.len() as u64) < *size {
                    bytes.extend_from_slice(&random.next().to_le_bytes());
                }
                file.write_all(&bytes[..usize::try_from(*size)?])?;
                file.set_permissions(fs::Permissions::from_mode(*mode))?;
                file.set_modified(UNIX_EPOCH + Duration::from_nanos(*modified_ns))?;
            }
            Self::Link { target, modified_ns } => {
                std::os::unix::fs::symlink(target, path)?;
                set_modified(path, *modified_ns)?;
            }
            Self::Name(existing) => fs::hard_link(root.join(existing), path)?,
        }
        Ok(())
    }
}

fn set_modified(path: &Path, modified_ns: u64) -> Result<()> {
    let time = Timespec {
        tv_sec: (modified_ns / 1_000_000_000).cast_signed(),
        tv_nsec: (modified_ns % 1_000_000_000).cast_signed(),
    };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

/// The purpose of the random numbers that are contents.
const CONTENTS: u64 = 3;

/// What the two sides have under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pair {
    Same,
    SameAtAnotherTime,
    /// Same size, same time, other contents.
    Disguised,
    OlderThere,
    NewerThere,
    SourceOnly,
    DestinationOnly,
    SeveralNames,
    SameLink,
    SameLinkAtAnotherTime,
    OtherLink,
    LinkOnly,
    LinkAndFile,
    FileAndFolder,
    FolderAndFile,
    Folders,
    FolderOnly,
}

const PAIRS: [Pair; 21] = [
    Pair::Same,
    Pair::SameAtAnotherTime,
    Pair::Disguised,
    Pair::OlderThere,
    Pair::OlderThere,
    Pair::NewerThere,
    Pair::SourceOnly,
    Pair::SourceOnly,
    Pair::DestinationOnly,
    Pair::SeveralNames,
    Pair::SameLink,
    Pair::SameLinkAtAnotherTime,
    Pair::OtherLink,
    Pair::LinkOnly,
    Pair::LinkAndFile,
    Pair::FileAndFolder,
    Pair::FolderAndFile,
    Pair::Folders,
    Pair::Folders,
    Pair::FolderOnly,
    Pair::FolderOnly,
];

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// Tiny files.
    pub(super) bulk: u64,
    /// Files of some MiB.
    pub(super) large: u64,
    /// Whether there is nothing on the destination.
    pub(super) is_one_sided: bool,
    /// Whether there may be files that only their contents tell apart.
    pub(super) disguises: bool,
}

/// Draws a source and a destination.
pub(super) fn draw(random: &mut Random, wanted: Wanted) -> [Planted; 2] {
    let mut drawing = Drawing { random, wanted, sides: [Planted::default(), Planted::default()] };
    drawing.odd_ones();
    drawing.bulk();
    drawing.chain();
    for number in 0..wanted.large {
        let pair = *drawing.random.pick(&[Pair::SourceOnly, Pair::SourceOnly, Pair::OlderThere, Pair::Same]);
        let size = drawing.random.between(MIB, 5 * MIB);
        drawing.file(PathBuf::from(format!("large {number}")), pair, size);
    }
    drawing.sides
}

struct Drawing<'a> {
    random: &'a mut Random,
    wanted: Wanted,
    sides: [Planted; 2],
}

/// Whether a folder is on both sides, so that there may be something in it on both.
type OnBoth = bool;

impl Drawing<'_> {
    fn odd_ones(&mut self) {
        let mut folders: Vec<(PathBuf, OnBoth)> = vec![(PathBuf::new(), true)];
        for number in 0..self.random.between(60, 150) {
            let (parent, on_both) = self.random.pick(&folders).clone();
            for entry in 0..self.random.between(0, 10) {
                let mut name = self.random.pick(&ODD_NAMES).to_vec();
                name.extend_from_slice(format!("{number}.{entry}").as_bytes());
                let path = parent.join(OsStr::from_bytes(&name));
                let pair = self.pair(on_both);
                self.entry(&path, pair);
                if matches!(pair, Pair::Folders | Pair::FolderOnly) {
                    folders.push((path, pair == Pair::Folders));
                }
            }
        }
    }

    fn pair(&mut self, on_both: OnBoth) -> Pair {
        let pair = *self.random.pick(&PAIRS);
        match pair {
            Pair::Disguised if on_both && !self.wanted.disguises => Pair::Same,
            _ if on_both => pair,
            Pair::SeveralNames | Pair::LinkOnly | Pair::FolderOnly => pair,
            Pair::Folders => Pair::FolderOnly,
            _ => Pair::SourceOnly,
        }
    }

    /// Many tiny files: more than one commit's worth of work.
    fn bulk(&mut self) {
        for folder in 0..BULK_FOLDERS {
            let parent = PathBuf::from(format!("bulk {folder}"));
            let pair = *self.random.pick(&[Pair::Folders, Pair::FolderOnly]);
            self.entry(&parent, pair);
            for file in 0..self.wanted.bulk / BULK_FOLDERS {
                let pair = match self.random.between(0, 19) {
                    0 if pair == Pair::Folders => Pair::OlderThere,
                    1 if pair == Pair::Folders => Pair::Same,
                    2 => Pair::SeveralNames,
                    _ => Pair::SourceOnly,
                };
                self.entry(&parent.join(format!("{file:06}")), pair);
            }
        }
    }

    fn chain(&mut self) {
        let mut path = PathBuf::new();
        for depth in 0..60 {
            path.push(format!("deep {depth}"));
            self.entry(&path, if depth < 20 { Pair::Folders } else { Pair::FolderOnly });
            self.entry(&path.join("file"), Pair::SourceOnly);
        }
    }

    fn entry(&mut self, path: &Path, pair: Pair) {
        let (time, later) = self.times();
        let folder = |random: &mut Random| Item::Folder {
            mode: *random.pick(&[0o755, 0o755, 0o700, 0o750, 0o2775, 0o1777]),
            modified_ns: time,
        };
        match pair {
            Pair::SameLink => self.link(path, Some(("nowhere", time)), Some(("nowhere", time))),
            Pair::SameLinkAtAnotherTime => self.link(path, Some(("nowhere", later)), Some(("nowhere", time))),
            Pair::OtherLink => self.link(path, Some(("nowhere", later)), Some(("..", time))),
            Pair::LinkOnly => self.link(path, Some(("../.", time)), None),
            Pair::LinkAndFile => {
                self.link(path, Some(("nowhere", time)), None);
                self.file(path.to_owned(), Pair::DestinationOnly, 10);
            }
            Pair::FileAndFolder => {
                self.file(path.to_owned(), Pair::SourceOnly, 10);
                let item = folder(self.random);
                self.add(1, path.to_owned(), item);
                self.file(path.join("inside"), Pair::DestinationOnly, 10);
            }
            Pair::FolderAndFile => {
                let item = folder(self.random);
                self.add(0, path.to_owned(), item);
                self.file(path.join("inside"), Pair::SourceOnly, 10);
                self.file(path.to_owned(), Pair::DestinationOnly, 10);
            }
            Pair::Folders | Pair::FolderOnly => {
                let item = folder(self.random);
                self.add(0, path.to_owned(), item.clone());
                if pair == Pair::Folders {
                    self.add(1, path.to_owned(), item);
                }
            }
            _ => {
                let size = match self.random.between(0, 9) {
                    0 => 0,
                    _ => self.random.between(1, TINY_BYTES_MAX),
                };
                self.file(path.to_owned(), pair, size);
            }
        }
    }

    fn link(&mut self, path: &Path, source: Option<(&'static str, u64)>, destination: Option<(&'static str, u64)>) {
        for (side, link) in [source, destination].into_iter().enumerate() {
            if let Some((target, modified_ns)) = link {
                self.add(side, path.to_owned(), Item::Link { target, modified_ns });
            }
        }
    }

    fn file(&mut self, path: PathBuf, pair: Pair, size: u64) {
        let (earlier, time) = self.times();
        let mode = *self.random.pick(&[0o644, 0o644, 0o600, 0o755, 0o444, 0o4755]);
        let contents = self.random.next();
        let ours = Item::File { size, contents, mode, modified_ns: time };
        let theirs = |size, contents, modified_ns| Item::File { size, contents, mode: 0o644, modified_ns };
        let other = !contents;
        let there = match pair {
            Pair::Same | Pair::DestinationOnly => Some(theirs(size, contents, time)),
            Pair::SameAtAnotherTime => Some(theirs(size, contents, earlier)),
            Pair::Disguised => Some(theirs(size, other, time)),
            Pair::OlderThere => Some(theirs(size / 2, other, earlier)),
            Pair::NewerThere => Some(theirs(size + 1, other, time + 1_000_000_000)),
            _ => None,
        };
        if let Some(there) = there {
            self.add(1, path.clone(), there);
        }
        if pair != Pair::DestinationOnly {
            self.add(0, path.clone(), ours);
        }
        if pair == Pair::SeveralNames {
            let mut name = path.clone().into_os_string();
            name.push(" again");
            self.add(0, name.into(), Item::Name(path));
        }
    }

    fn add(&mut self, side: usize, path: PathBuf, item: Item) {
        if side == 0 || !self.wanted.is_one_sided {
            self.sides[side].0.push((path, item));
        }
    }

    /// Two times, the earlier one first.
    fn times(&mut self) -> (u64, u64) {
        let earlier = self.random.between(1_000_000_000_000_000_000, 1_500_000_000_000_000_000);
        (earlier, earlier + self.random.between(5_000_000_000, 100_000_000_000_000_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_can_be_made_more_than_once_and_are_the_same_each_time() {
        let wanted = Wanted { bulk: 200, large: 1, is_one_sided: false, disguises: true };
        let scratch = tempfile::tempdir().unwrap();
        let sides = draw(&mut Random::new(1, 2, 3), wanted);
        assert!(sides[0].others() > 200 && sides[1].folders().count() > 20);
        for (number, side) in sides.iter().enumerate() {
            let roots = ["once", "twice"].map(|name| scratch.path().join(format!("{number} {name}")));
            for root in &roots {
                fs::create_dir(root).unwrap();
                side.make(root).unwrap();
            }
            let walked = roots.map(|root| super::super::walk::walk(&root).unwrap());
            assert_eq!(walked[0].without_root(), walked[1].without_root());
        }
    }
}
