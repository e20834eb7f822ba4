//! All that is in a folder of this machine, as it is at one moment: found out by walking it, without any store.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context, Result};
use longhaul_model::{NodeKind, decode_name, encode_name};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::local_tree::{LocalTree, child};
use super::tree::{Child, Listing, Tree};
use crate::interrupt::Interrupt;

/// Bytes of a file that are in memory at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// What there is, by path: bytes, `/` for the folder itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) entries: BTreeMap<Vec<u8>, Entry>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// What an entry is, whichever folder it is in.
    pub(crate) facts: EntryFacts,
    /// Which file of this machine it is.
    pub(crate) identity: Identity,
}

/// What an entry is, whichever folder it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EntryFacts {
    /// `file`, `folder`, `symlink`, or what else it is.
    pub(crate) kind: String,
    /// Bytes of a file or of a link's target; 0 for anything else.
    pub(crate) size: i64,
    pub(crate) modified_ns: i64,
    /// Permission bits, the special ones included.
    pub(crate) mode: u32,
    /// A fingerprint of the contents of a file, the target of a link in its printable form, or nothing.
    pub(crate) contents: String,
}

/// Which file of this machine an entry is, and when that was last touched in any way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) inode: u64,
    /// Nanoseconds since 1970. Nobody can set it.
    pub(crate) changed_ns: i64,
    /// Bytes that it takes on the disk.
    pub(crate) allocated: u64,
}

impl Snapshot {
    /// Walks a folder. Folders and files in it that may not be read are there without what is in them.
    pub(crate) fn of(root: &Path, interrupt: &Interrupt) -> Result<Snapshot> {
        let mut walk = Walk { found: Snapshot::default(), buffer: vec![0; BUFFER_BYTES], interrupt };
        let folder = LocalTree::new(root).open(b"/").with_context(|| format!("cannot open {}", root.display()))?;
        let found = rustix::fs::fstat(&folder)?;
        walk.found.entries.insert(b"/".to_vec(), entry(&found, String::new()));
        walk.folder(&folder, &mut Vec::new())?;
        Ok(walk.found)
    }

    /// Reads what [`Snapshot::write`] has written.
    pub(crate) fn read(file: &Path) -> Result<Snapshot> {
        let cannot = || format!("cannot read {}", file.display());
        let text = std::fs::read(file).with_context(cannot)?;
        let entries: Vec<(String, Entry)> = serde_json::from_slice(&text).with_context(cannot)?;
        let decoded = entries.into_iter().map(|(path, entry)| Ok((decode_name(&path)?, entry)));
        Ok(Snapshot { entries: decoded.collect::<Result<_>>().with_context(cannot)? })
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let entries: Vec<_> = self.entries.iter().map(|(path, entry)| (encode_name(path), entry)).collect();
        std::fs::write(file, serde_json::to_vec(&entries)?).with_context(|| format!("cannot write {}", file.display()))
    }

    /// What has this path.
    pub(crate) fn get(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(path)
    }
}

/// A tree that does not change while the folder does. What could not be read has no children here.
impl Tree for Snapshot {
    fn list(&self, path: &[u8]) -> Result<Listing> {
        let prefix = if path == b"/" { b"/".to_vec() } else { [path, b"/"].concat() };
        let below = self.entries.range(prefix.clone()..).take_while(|(path, _)| path.starts_with(&prefix));
        let children = below.filter_map(|(path, entry)| {
            let name = &path[prefix.len()..];
            if name.is_empty() || name.contains(&b'/') {
                return None;
            }
            let (kind, remark): (_, &'static [&'static str]) = match entry.facts.kind.as_str() {
                "folder" => (NodeKind::Folder, &[]),
                "file" => (NodeKind::File, &[]),
                "symlink" => (NodeKind::Symlink, &[]),
                "FIFO" => (NodeKind::Other, &["FIFO"]),
                "socket" => (NodeKind::Other, &["socket"]),
                "character device" => (NodeKind::Other, &["character device"]),
                _ => (NodeKind::Other, &[]),
            };
            let size = matches!(kind, NodeKind::File | NodeKind::Symlink).then_some(entry.facts.size);
            Some(Child { name: name.to_vec(), kind, size, modified_ns: Some(entry.facts.modified_ns), remark })
        });
        Ok(Listing::Children(children.collect()))
    }
}

struct Walk<'a> {
    found: Snapshot,
    buffer: Vec<u8>,
    interrupt: &'a Interrupt,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &OwnedFd, path: &mut Vec<u8>) -> Result<()> {
        let cannot = |path: &[u8]| format!("cannot look at {}", path.escape_ascii());
        let mut names = Vec::new();
        let mut entries = Dir::new(folder.try_clone()?).with_context(|| cannot(path))?;
        while let Some(entry) = entries.read() {
            let name = entry.with_context(|| cannot(path))?.file_name().to_owned();
            if name != *c"." && name != *c".." {
                names.push(name);
            }
        }
        drop(entries);
        for name in names {
            self.interrupt.check()?;
            let length = path.len();
            path.push(b'/');
            path.extend_from_slice(name.to_bytes());
            let found = rustix::fs::statat(folder, &*name, AtFlags::SYMLINK_NOFOLLOW).with_context(|| cannot(path))?;
            let contents = match FileType::from_raw_mode(found.st_mode) {
                FileType::RegularFile => match open_file(folder, name.to_bytes()) {
                    Ok(file) => self.fingerprint(file).with_context(|| cannot(path))?,
                    Err(Errno::ACCESS) => "may not be read".to_owned(),
                    Err(errno) => return Err(errno).with_context(|| cannot(path)),
                },
                FileType::Symlink => {
                    let target = rustix::fs::readlinkat(folder, &*name, Vec::new()).with_context(|| cannot(path))?;
                    encode_name(target.to_bytes()).into_owned()
                }
                _ => String::new(),
            };
            self.found.entries.insert(path.clone(), entry(&found, contents));
            if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                match rustix::fs::openat(folder, &*name, flags, Mode::empty()) {
                    Ok(below) => self.folder(&below, path)?,
                    Err(Errno::ACCESS) => {}
                    Err(errno) => return Err(errno).with_context(|| cannot(path)),
                }
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn fingerprint(&mut self, mut file: File) -> Result<String> {
        let mut hasher = DefaultHasher::new();
        loop {
            self.interrupt.check()?;
            let read = file.read(&mut self.buffer)?;
            if read == 0 {
                return Ok(format!("{:016x}", hasher.finish()));
            }
            hasher.write(&self.buffer[..read]);
        }
    }
}

fn open_file(folder: &OwnedFd, name: &[u8]) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?))
}

#[allow(
    clippy::useless_conversion,
    clippy::unnecessary_cast,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "the types differ between systems"
)]
fn entry(found: &Stat, contents: String) -> Entry {
    let as_child = child(b"", found);
    let kind = match (as_child.kind, as_child.remark) {
        (NodeKind::Other, [what]) => *what,
        (kind, _) => kind.as_str(),
    };
    Entry {
        facts: EntryFacts {
            kind: kind.to_owned(),
            size: as_child.size.unwrap_or(0),
            modified_ns: as_child.modified_ns.unwrap_or(i64::MIN),
            mode: found.st_mode as u32 & 0o7777,
            contents,
        },
        identity: Identity {
            inode: found.st_ino as u64,
            changed_ns: found.st_ctime as i64 * 1_000_000_000 + found.st_ctime_nsec as i64,
            allocated: found.st_blocks as u64 * 512,
        },
    }
}

/// The first byte that is not the same in the files of the same path in two folders, if there is one, and otherwise how
/// many bytes they have.
pub(crate) fn compare_bytes(folders: [&Path; 2], path: &[u8], interrupt: &Interrupt) -> Result<Result<u64, u64>> {
    let (folder, name) = path.split_at(path.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
    let open = |root: &Path| {
        let opened = LocalTree::new(root).open(folder).and_then(|folder| open_file(&folder, &name[1..]));
        opened.with_context(|| format!("cannot read {} in {}", path.escape_ascii(), root.display()))
    };
    let mut files = [open(folders[0])?, open(folders[1])?];
    let mut buffers = [vec![0; BUFFER_BYTES], vec![0; BUFFER_BYTES]];
    let mut position = 0;
    loop {
        interrupt.check()?;
        let mut read = [0; 2];
        for side in 0..2 {
            read[side] = read_fully(&mut files[side], &mut buffers[side])?;
        }
        let [one, other] = [&buffers[0][..read[0]], &buffers[1][..read[1]]];
        if one != other {
            let same = one.iter().zip(other).take_while(|(left, right)| left == right).count();
            return Ok(Err(position + same as u64));
        }
        if one.is_empty() {
            return Ok(Ok(position));
        }
        position += one.len() as u64;
    }
}

/// Fills the buffer as far as there are bytes.
fn read_fully(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..])? {
            0 => break,
            read => filled += read,
        }
    }
    Ok(filled)
}

impl std::fmt::Display for EntryFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let EntryFacts { kind, size, modified_ns, mode, contents } = self;
        write!(f, "{kind}, {size} bytes, time {modified_ns} ns, mode {mode:04o}, {contents}")
    }
}
