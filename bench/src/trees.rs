//! The trees that are measured: made from numbers alone, so that making one twice gives an identical pair.
//!
//! Sizes and times are spread as in real trees (files are sparse where nobody reads them, so a size costs nothing): a
//! ledger of a million equal
//! times would compress to nothing and say nothing about bytes a node. Nothing is kept in memory while a tree is made,
//! because a child's peak memory, as the kernel counts it, starts at its parent's (see `measure.rs`).

use std::ffi::{CString, OsString};
use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Timespec, Timestamps};

use crate::interrupt::Interrupt;
use crate::odd_names::ODD_NAMES;

/// What a tree looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Nothing but the root.
    Empty,
    /// Folders over at most three levels, files in all of them, from few to twice the mean.
    Spread { files: u64, folders: u64 },
    /// Folders one within another, with a file in each; the path of the last is longer than `PATH_MAX`.
    Chain { folders: u64 },
    /// Files with contents, all of the same size, as many in each folder; over at most three levels.
    Filled { files: u64, folders: u64, bytes: u64 },
    /// So many tiny folders with odd names, every third of them empty, links that lead nowhere or in circles, unusual
    /// permissions, and a chain of folders as long as a path may be.
    Nasty { folders: u64 },
}

/// Folders one within another whose path `PATH_MAX` has just room for, wherever that begins.
const NASTY_CHAIN_FOLDERS: u64 = 180;

impl Shape {
    /// How many nodes a traversal finds, the root included.
    pub(crate) fn nodes(self) -> u64 {
        match self {
            Self::Empty => 1,
            Self::Spread { files, folders } | Self::Filled { files, folders, .. } => 1 + folders + files,
            Self::Chain { folders } => 1 + 2 * folders,
            Self::Nasty { folders } => {
                let (empty, full) = (folders.div_ceil(3), folders - folders.div_ceil(3));
                1 + empty + 4 * full + 2 * NASTY_CHAIN_FOLDERS
            }
        }
    }
}

/// A tree on disk, removed when dropped.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    shape: Shape,
    keep: bool,
}

impl Tree {
    /// Makes a tree of that shape at `root`, which must not be there yet. With `keep` it outlives this value.
    pub(crate) fn make(root: PathBuf, shape: Shape, keep: bool, interrupt: &Interrupt) -> Result<Self> {
        fs::create_dir(&root).with_context(|| format!("cannot create {}", root.display()))?;
        // The guard first: what an error or an interrupt leaves half made is removed too.
        let tree = Self { root, shape, keep };
        tree.fill(interrupt).with_context(|| format!("cannot make the tree {}", tree.root.display()))?;
        Ok(tree)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Nodes a traversal finds, the root included.
    pub(crate) fn nodes(&self) -> u64 {
        self.shape.nodes()
    }

    fn fill(&self, interrupt: &Interrupt) -> Result<()> {
        match self.shape {
            Shape::Empty => Ok(set_times(open_folder(CWD, &self.root)?.as_fd(), 0)?),
            Shape::Spread { files, folders } => fill_spread(&self.root, files, folders, interrupt),
            Shape::Chain { folders } => fill_chain(&self.root, folders, interrupt),
            Shape::Filled { files, folders, bytes } => fill_filled(&self.root, files, folders, bytes, interrupt),
            Shape::Nasty { folders } => fill_nasty(&self.root, folders, interrupt),
        }
    }

    fn remove(&self) -> io::Result<()> {
        match self.shape {
            Shape::Empty | Shape::Spread { .. } | Shape::Filled { .. } => fs::remove_dir_all(&self.root),
            Shape::Chain { .. } | Shape::Nasty { .. } => remove_deep(&self.root),
        }
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = self.remove() {
            eprintln!("warning: cannot remove {}: {error}; remove it yourself", self.root.display());
        }
    }
}

fn fill_spread(root: &Path, files: u64, folders: u64, interrupt: &Interrupt) -> Result<()> {
    let layout = Layout::new(folders);
    let weight_total: u128 = (0..folders).map(|folder| u128::from(weight(folder))).sum();
    let mut weight_before = 0_u128;
    let mut file_next = 0_u64;
    for folder in 0..folders {
        interrupt.check()?;
        let path = layout.path(root, folder);
        fs::create_dir(&path)?;
        let opened = open_folder(CWD, &path)?;
        weight_before += u128::from(weight(folder));
        let file_end = u64::try_from(u128::from(files) * weight_before / weight_total)?;
        for file in file_next..file_end {
            make_file(opened.as_fd(), file)?;
        }
        file_next = file_end;
    }
    // Only now: each child that is made changes its folder's time.
    for folder in 0..folders {
        interrupt.check()?;
        set_times(open_folder(CWD, layout.path(root, folder))?.as_fd(), folder)?;
    }
    set_times(open_folder(CWD, root)?.as_fd(), folders)?;
    Ok(())
}

fn fill_chain(root: &Path, folders: u64, interrupt: &Interrupt) -> Result<()> {
    let mut current = open_folder(CWD, root)?;
    for folder in 0..folders {
        interrupt.check()?;
        let name = folder_name(folder);
        rustix::fs::mkdirat(&current, &name, Mode::from_raw_mode(0o755))?;
        set_times(current.as_fd(), folder)?;
        // Step by step from the folder before: the whole path would be refused as too long.
        current = open_folder(current.as_fd(), &name)?;
        make_file(current.as_fd(), folder)?;
    }
    set_times(current.as_fd(), folders)?;
    Ok(())
}

fn fill_filled(root: &Path, files: u64, folders: u64, bytes: u64, interrupt: &Interrupt) -> Result<()> {
    let layout = Layout::new(folders);
    let mut buffer = vec![0; usize::try_from(bytes.min(1 << 20))?];
    for folder in 0..folders {
        let path = layout.path(root, folder);
        fs::create_dir(&path)?;
        let opened = open_folder(CWD, &path)?;
        for file in files * folder / folders..files * (folder + 1) / folders {
            interrupt.check()?;
            make_full_file(opened.as_fd(), file, bytes, &mut buffer)?;
        }
    }
    // Only now: each child that is made changes its folder's time.
    for folder in 0..folders {
        set_times(open_folder(CWD, layout.path(root, folder))?.as_fd(), folder)?;
    }
    set_times(open_folder(CWD, root)?.as_fd(), folders)?;
    Ok(())
}

/// A file of random bytes, which no file system makes smaller.
fn make_full_file(folder: BorrowedFd<'_>, number: u64, bytes: u64, buffer: &mut [u8]) -> Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(folder, file_name(number), flags, Mode::from_raw_mode(0o644))?;
    let mut file = fs::File::from(opened);
    let mut position = 0;
    while position < bytes {
        let length = usize::try_from(bytes - position).unwrap_or(usize::MAX).min(buffer.len());
        let blocks = buffer[..length].chunks_mut(8);
        for (block, at) in blocks.zip(position / 8..) {
            block.copy_from_slice(&scatter(at, number % 256).to_le_bytes()[..block.len()]);
        }
        file.write_all(&buffer[..length])?;
        position += length as u64;
    }
    Ok(set_times(file.as_fd(), number)?)
}

fn fill_nasty(root: &Path, folders: u64, interrupt: &Interrupt) -> Result<()> {
    const MODES: [u32; 6] = [0o755, 0o700, 0o750, 0o2775, 0o1777, 0o555];
    const LINKS: [&str; 4] = ["nowhere", "..", ".", "/"];
    let layout = Layout::new(folders);
    let odd = |number: u64| ODD_NAMES[usize::try_from(number % ODD_NAMES.len() as u64).expect("an index")];
    let named = |name: &[u8], number: u64| OsString::from_vec([name, format!(" {number}").as_bytes()].concat());
    for folder in 0..folders {
        interrupt.check()?;
        let path = layout.path_of(root, folder, &|folder| named(odd(folder), folder));
        fs::create_dir(&path)?;
        if folder % 3 == 0 {
            continue;
        }
        let (file, link, hidden) = (path.join(named(odd(folder + 1), folder)), path.join("link"), path.join(".hidden"));
        fs::write(&file, &folder.to_le_bytes()[..usize::try_from(folder % 9)?])?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400 | u32::try_from(folder % 0o400)?))?;
        std::os::unix::fs::symlink(pick(&LINKS, folder), &link)?;
        fs::write(&hidden, "")?;
        for path in [file, link, hidden] {
            rustix::fs::utimensat(CWD, path, &times_of(folder), AtFlags::SYMLINK_NOFOLLOW)?;
        }
    }
    // Children before their parents, of which some can then not be written any more.
    for folder in (0..folders).rev() {
        let path = layout.path_of(root, folder, &|folder| named(odd(folder), folder));
        let mode = MODES[usize::try_from(folder % MODES.len() as u64)?];
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        set_times(open_folder(CWD, path)?.as_fd(), folder)?;
    }
    fill_chain(root, NASTY_CHAIN_FOLDERS, interrupt)?;
    set_times(open_folder(CWD, root)?.as_fd(), folders)?;
    Ok(())
}

/// Removes a tree of any depth with two open folders at a time.
///
/// `std::fs::remove_dir_all` keeps one open for each level, and 2 000 are more than the usual limit of 1 024.
fn remove_deep(root: &Path) -> io::Result<()> {
    let mut names: Vec<CString> = Vec::new();
    let mut current = open_folder(CWD, root)?;
    loop {
        if let Some(folder) = remove_files(current.as_fd())? {
            current = open_folder(current.as_fd(), folder.as_c_str())?;
            names.push(folder);
        } else if let Some(name) = names.pop() {
            current = open_folder(current.as_fd(), "..")?;
            rustix::fs::unlinkat(&current, name.as_c_str(), AtFlags::REMOVEDIR)?;
        } else {
            return fs::remove_dir(root);
        }
    }
}

/// Removes what is not a folder, up to the first folder, whose name it returns.
fn remove_files(folder: BorrowedFd<'_>) -> io::Result<Option<CString>> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        if entry.file_type() == FileType::Directory {
            return Ok(Some(name.to_owned()));
        }
        rustix::fs::unlinkat(folder, name, AtFlags::empty())?;
    }
    Ok(None)
}

/// Where each folder is: the complete tree of the least fan-out that holds them all in three levels.
#[derive(Debug)]
struct Layout {
    fan_out: u64,
}

impl Layout {
    fn new(folders: u64) -> Self {
        let fits = |fan_out: &u64| fan_out + fan_out.pow(2) + fan_out.pow(3) >= folders;
        let fan_out = (1..=folders).find(fits).expect("with one folder at least, a fan-out of all of them is enough");
        Self { fan_out }
    }

    /// Parents have lower numbers than their children, so folders can be made in the order of their numbers.
    fn path(&self, root: &Path, folder: u64) -> PathBuf {
        self.path_of(root, folder, &|folder| folder_name(folder).into())
    }

    /// The same with other names.
    fn path_of(&self, root: &Path, folder: u64, name: &impl Fn(u64) -> OsString) -> PathBuf {
        let mut path = if folder < self.fan_out {
            root.to_path_buf()
        } else {
            self.path_of(root, (folder - self.fan_out) / self.fan_out, name)
        };
        path.push(name(folder));
        path
    }
}

fn open_folder(at: BorrowedFd<'_>, path: impl rustix::path::Arg) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty())
}

fn make_file(folder: BorrowedFd<'_>, number: u64) -> rustix::io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(folder, file_name(number), flags, Mode::from_raw_mode(0o644))?;
    rustix::fs::ftruncate(&file, file_size_bytes(number))?;
    set_times(file.as_fd(), number)
}

fn set_times(file: BorrowedFd<'_>, number: u64) -> rustix::io::Result<()> {
    rustix::fs::futimens(file, &times_of(number))
}

fn times_of(number: u64) -> Timestamps {
    /// 2021-01-01
    const START_S: u64 = 1_609_459_200;
    const SPAN_S: u64 = 5 * 365 * 86_400;
    let time = Timespec {
        tv_sec: (START_S + scatter(number, 1) % SPAN_S).cast_signed(),
        tv_nsec: (scatter(number, 2) % 1_000_000_000).cast_signed(),
    };
    Timestamps { last_access: time, last_modification: time }
}

/// Up to 1 MiB, small ones far more often.
fn file_size_bytes(number: u64) -> u64 {
    scatter(number, 3) % (1 << (scatter(number, 4) % 21))
}

/// 8 to 25 bytes, unique by the number in it.
fn file_name(number: u64) -> String {
    const STEMS: [&str; 8] = ["IMG", "scan", "report", "minutes", "contract", "draft", "photo", "invoice"];
    const ENDINGS: [&str; 8] = [".jpg", ".pdf", ".docx", ".txt", ".xlsx", ".tar.gz", ".md", ".png"];
    match scatter(number, 5) % 8 {
        0 => format!("{number:08x}"),
        _ => format!("{}_{number:06}{}", pick(&STEMS, scatter(number, 6)), pick(&ENDINGS, scatter(number, 7))),
    }
}

fn folder_name(number: u64) -> String {
    const STEMS: [&str; 6] = ["team", "project", "archive", "customer", "backup", "2024-Q3"];
    format!("{}-{number:05}", pick(&STEMS, scatter(number, 8)))
}

/// A folder's share of the files.
fn weight(folder: u64) -> u64 {
    1 + scatter(folder, 9) % 39
}

fn pick<'a>(from: &[&'a str], number: u64) -> &'a str {
    let index = number % (from.len() as u64);
    from[usize::try_from(index).expect("less than the length")]
}

/// `SplitMix64` (Steele, Lea, Flood 2014): an even spread from consecutive numbers, the same on every machine.
fn scatter(number: u64, purpose: u64) -> u64 {
    let mut z = (number ^ (purpose << 56)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// Path below the root, with is-a-folder, size and time.
    fn walk(root: &Path) -> BTreeMap<PathBuf, (bool, u64, i64, i64)> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![root.to_path_buf()];
        while let Some(path) = waiting.pop() {
            let metadata = fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
            // How a file system counts a folder's size is its own business.
            let size_bytes = if metadata.is_dir() { 0 } else { metadata.len() };
            let below = path.strip_prefix(root).unwrap().to_path_buf();
            let facts = (metadata.is_dir(), size_bytes, metadata.mtime(), metadata.mtime_nsec());
            found.insert(below, facts);
        }
        found
    }

    fn make(scratch: &Path, name: &str, shape: Shape) -> Tree {
        Tree::make(scratch.join(name), shape, false, &Interrupt::default()).unwrap()
    }

    #[test]
    fn a_tree_has_the_nodes_it_says() {
        let scratch = tempfile::tempdir().unwrap();
        for (name, shape) in [
            ("empty", Shape::Empty),
            ("spread", Shape::Spread { files: 500, folders: 40 }),
            ("wide", Shape::Spread { files: 300, folders: 1 }),
            ("fewer-files", Shape::Spread { files: 3, folders: 30 }),
            ("chain", Shape::Chain { folders: 20 }),
            ("filled", Shape::Filled { files: 50, folders: 7, bytes: 100 }),
            ("nasty", Shape::Nasty { folders: 100 }),
        ] {
            let tree = make(scratch.path(), name, shape);
            assert_eq!(walk(tree.root()).len() as u64, tree.nodes(), "{name}");
        }
    }

    #[test]
    fn a_tree_made_twice_is_an_identical_pair_with_the_same_times() {
        let scratch = tempfile::tempdir().unwrap();
        for shape in [
            Shape::Empty,
            Shape::Spread { files: 200, folders: 15 },
            Shape::Chain { folders: 10 },
            Shape::Filled { files: 20, folders: 3, bytes: 13 },
            Shape::Nasty { folders: 30 },
        ] {
            let source = make(scratch.path(), "source", shape);
            let destination = make(scratch.path(), "destination", shape);
            assert_eq!(walk(source.root()), walk(destination.root()));
        }
    }

    #[test]
    fn folders_are_at_most_three_levels_deep() {
        for folders in [1, 2, 39, 10_000, 100_000] {
            let layout = Layout::new(folders);
            for folder in [0, folders / 2, folders - 1] {
                let depth = layout.path(Path::new(""), folder).components().count();
                assert!((1..=3).contains(&depth), "folder {folder} of {folders} is at depth {depth}");
            }
        }
    }

    #[test]
    fn names_have_8_to_25_bytes() {
        for number in (0..1_000).chain(1_999_000..2_000_000) {
            for name in [file_name(number), folder_name(number)] {
                assert!((8..=25).contains(&name.len()), "{name}");
            }
        }
    }

    #[test]
    fn a_chain_longer_than_path_max_can_be_made_and_is_removed() {
        let scratch = tempfile::tempdir().unwrap();
        let tree = make(scratch.path(), "chain", Shape::Chain { folders: 1_500 });
        drop(tree);
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }
}
