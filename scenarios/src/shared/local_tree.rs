//! A folder of this machine as a tree: nothing of what the store for such folders does is used here.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use longhaul_model::{ErrorClass, NodeKind};
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::tree::{Child, Listing, Tree};

/// A folder of this machine.
#[derive(Debug)]
pub(crate) struct LocalTree {
    root: PathBuf,
}

impl LocalTree {
    pub(crate) fn new(root: &Path) -> Self {
        LocalTree { root: root.to_owned() }
    }

    /// Opens a folder name by name: the whole path may be longer than the system takes at once.
    pub(crate) fn open(&self, path: &[u8]) -> Result<OwnedFd, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut folder = rustix::fs::openat(CWD, &self.root, flags, Mode::empty())?;
        for name in path.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            folder = rustix::fs::openat(&folder, name, flags, Mode::empty())?;
        }
        Ok(folder)
    }
}

impl Tree for LocalTree {
    fn list(&self, path: &[u8]) -> Result<Listing> {
        let cannot = || format!("cannot look at {} in {}", path.escape_ascii(), self.root.display());
        let folder = match self.open(path) {
            Ok(folder) => folder,
            Err(Errno::ACCESS) => return Ok(Listing::Refused(ErrorClass::Denied)),
            Err(errno) => return Err(errno).with_context(cannot),
        };
        let mut children = Vec::new();
        // Not `Dir::read_from`, which needs the permission to search the folder and not just to read it.
        let mut entries = Dir::new(folder.try_clone()?).with_context(cannot)?;
        while let Some(entry) = entries.read() {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            children.push(match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(found) => child(name.to_bytes(), &found),
                Err(Errno::ACCESS) => Child {
                    name: name.to_bytes().to_vec(),
                    kind: kind_of(entry.file_type()).0,
                    size: None,
                    modified_ns: None,
                    remark: &["size", "time", "cannot be read", "denied"],
                },
                Err(errno) => return Err(errno).with_context(cannot),
            });
        }
        Ok(Listing::Children(children))
    }
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the types differ between systems")]
pub(crate) fn child(name: &[u8], found: &Stat) -> Child {
    let (kind, remark) = kind_of(FileType::from_raw_mode(found.st_mode));
    let size = matches!(kind, NodeKind::File | NodeKind::Symlink).then_some(found.st_size as i64);
    let modified_ns = i128::from(found.st_mtime) * 1_000_000_000 + i128::from(found.st_mtime_nsec);
    Child { name: name.to_vec(), kind, size, modified_ns: i64::try_from(modified_ns).ok(), remark }
}

fn kind_of(file_type: FileType) -> (NodeKind, &'static [&'static str]) {
    match file_type {
        FileType::Directory => (NodeKind::Folder, &[]),
        FileType::RegularFile => (NodeKind::File, &[]),
        FileType::Symlink => (NodeKind::Symlink, &[]),
        FileType::Fifo => (NodeKind::Other, &["FIFO"]),
        FileType::Socket => (NodeKind::Other, &["socket"]),
        FileType::CharacterDevice => (NodeKind::Other, &["character device"]),
        FileType::BlockDevice => (NodeKind::Other, &["block device"]),
        FileType::Unknown => (NodeKind::Other, &[]),
    }
}
