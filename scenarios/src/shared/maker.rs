//! Making entries of a folder, whatever they are called.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, Timespec, Timestamps};

use super::random::Random;

const SEED: u64 = 0x006c_6f6e_6768_6175;

/// A point in time: seconds since 1970, and nanoseconds on top of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time(pub(crate) i64, pub(crate) u32);

impl Time {
    fn stamps(self) -> Timestamps {
        let time = Timespec { tv_sec: self.0, tv_nsec: self.1.into() };
        Timestamps { last_access: time, last_modification: time }
    }
}

/// A folder in which entries are made. Paths are bytes, relative to it.
#[derive(Debug)]
pub(crate) struct Maker {
    root: PathBuf,
    /// How many entries were made.
    pub(crate) entries: u64,
    /// Folders that may not be read, and may be again when this is dropped: they have to be removed some time.
    closed: Vec<PathBuf>,
}

impl Maker {
    pub(crate) fn new(root: &Path) -> Result<Maker> {
        fs::create_dir(root).with_context(|| format!("cannot make {}", root.display()))?;
        Ok(Maker { root: root.to_owned(), entries: 0, closed: Vec::new() })
    }

    /// For a folder in which all entries are made.
    pub(crate) fn of_made(root: &Path) -> Maker {
        Maker { root: root.to_owned(), entries: 0, closed: Vec::new() }
    }

    fn at(&self, path: &[u8]) -> PathBuf {
        self.root.join(OsStr::from_bytes(path))
    }

    /// Makes a folder in one that is there.
    pub(crate) fn folder(&mut self, path: &[u8]) -> Result<()> {
        let at = self.at(path);
        fs::create_dir(&at).with_context(|| format!("cannot make the folder {}", shown(&at)))?;
        self.entries += 1;
        Ok(())
    }

    /// Makes a file of `size` bytes that follow from the seed and the path.
    pub(crate) fn file(&mut self, path: &[u8], size: usize, time: Time) -> Result<()> {
        let at = self.at(path);
        let made = File::create_new(&at).and_then(|mut file| file.write_all(&bytes_of(path, size)));
        made.with_context(|| format!("cannot make the file {}", shown(&at)))?;
        self.entries += 1;
        self.set_time(path, time)
    }

    /// Makes a file that has a size and takes no room.
    pub(crate) fn sparse_file(&mut self, path: &[u8], size: u64, time: Time) -> Result<()> {
        let at = self.at(path);
        let made = File::create_new(&at).and_then(|file| file.set_len(size));
        made.with_context(|| format!("cannot make the sparse file {}", shown(&at)))?;
        self.entries += 1;
        self.set_time(path, time)
    }

    /// Makes a file with bytes in these stretches and holes everywhere else.
    pub(crate) fn file_with_holes(
        &mut self,
        path: &[u8],
        size: u64,
        stretches: &[std::ops::Range<u64>],
        time: Time,
    ) -> Result<()> {
        self.sparse_file(path, size, time)?;
        let at = self.at(path);
        let file = File::options().write(true).open(&at)?;
        for stretch in stretches {
            let length = usize::try_from(stretch.end - stretch.start)?;
            file.write_all_at(&bytes_of(path, length), stretch.start)
                .with_context(|| format!("cannot write {}", shown(&at)))?;
        }
        drop(file);
        self.set_time(path, time)
    }

    /// Sets permission bits, the special ones included.
    pub(crate) fn set_mode(&self, path: &[u8], mode: u32) -> Result<()> {
        let at = self.at(path);
        fs::set_permissions(&at, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot set the mode of {}", shown(&at)))
    }

    pub(crate) fn symlink(&mut self, path: &[u8], target: &[u8], time: Time) -> Result<()> {
        let at = self.at(path);
        std::os::unix::fs::symlink(OsStr::from_bytes(target), &at)
            .with_context(|| format!("cannot make the symbolic link {}", shown(&at)))?;
        self.entries += 1;
        self.set_time(path, time)
    }

    pub(crate) fn hard_link(&mut self, path: &[u8], existing: &[u8]) -> Result<()> {
        let at = self.at(path);
        fs::hard_link(self.at(existing), &at).with_context(|| format!("cannot make the hard link {}", shown(&at)))?;
        self.entries += 1;
        Ok(())
    }

    /// Makes a FIFO, socket or device, where that is possible and allowed. Says whether it was.
    #[cfg(target_os = "linux")]
    pub(crate) fn special(&mut self, path: &[u8], special: Special) -> Result<bool> {
        use rustix::fs::FileType;
        use rustix::io::Errno;
        let (file_type, device) = match special {
            Special::Fifo => (FileType::Fifo, 0),
            Special::Socket => (FileType::Socket, 0),
            // That of /dev/null.
            Special::CharacterDevice => (FileType::CharacterDevice, rustix::fs::makedev(1, 3)),
        };
        let at = self.at(path);
        match rustix::fs::mknodat(CWD, &at, file_type, Mode::from_raw_mode(0o600), device) {
            Ok(()) => {
                self.entries += 1;
                Ok(true)
            }
            Err(Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) => Ok(false),
            Err(errno) => Err(errno).with_context(|| format!("cannot make the {special:?} {}", shown(&at))),
        }
    }

    /// Makes a FIFO, socket or device, where that is possible and allowed. Says whether it was.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn special(&mut self, path: &[u8], special: Special) -> Result<bool> {
        let Special::Socket = special else { return Ok(false) };
        std::os::unix::net::UnixListener::bind(self.at(path)).context("cannot make a socket")?;
        self.entries += 1;
        Ok(true)
    }

    /// Makes folders in each other, each with a file in it, so deep that the path may be longer than what the system
    /// takes at once.
    pub(crate) fn chain(&mut self, path: &[u8], name: &[u8], levels: usize) -> Result<()> {
        self.folder(path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let at = self.at(path);
        let cannot = || format!("cannot make folders in each other in {}", shown(&at));
        let mut folder = rustix::fs::openat(CWD, &at, flags, Mode::empty()).with_context(cannot)?;
        for level in 0..levels {
            folder = step_down(&folder, name, level).with_context(cannot)?;
            self.entries += 2;
        }
        Ok(())
    }

    pub(crate) fn set_time(&self, path: &[u8], time: Time) -> Result<()> {
        let at = self.at(path);
        rustix::fs::utimensat(CWD, &at, &time.stamps(), AtFlags::SYMLINK_NOFOLLOW)
            .with_context(|| format!("cannot set the time of {}", shown(&at)))
    }

    /// Takes permissions away from a folder, for as long as this lives.
    pub(crate) fn close(&mut self, path: &[u8], mode: u32) -> Result<()> {
        let at = self.at(path);
        fs::set_permissions(&at, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot close {}", shown(&at)))?;
        self.closed.push(at);
        Ok(())
    }
}

/// Bytes that follow from the seed and the path.
fn bytes_of(path: &[u8], size: usize) -> Vec<u8> {
    let seed = path.iter().fold(SEED, |seed, &byte| Random(seed ^ u64::from(byte)).next());
    let mut random = Random(seed);
    let mut bytes = Vec::with_capacity(size.next_multiple_of(8));
    while bytes.len() < size {
        bytes.extend_from_slice(&random.next().to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// Makes a folder with a file in it, and opens it.
fn step_down(folder: &OwnedFd, name: &[u8], level: usize) -> Result<OwnedFd> {
    rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o755))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(folder, name, flags, Mode::empty())?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&folder, "file", flags, Mode::from_raw_mode(0o644))?;
    File::from(file).write_all(&vec![b'x'; level])?;
    let time = Time(1_500_000_000, u32::try_from(level)?);
    rustix::fs::utimensat(&folder, "file", &time.stamps(), AtFlags::empty())?;
    Ok(folder)
}

/// A path in its printable form.
fn shown(path: &Path) -> String {
    longhaul_model::encode_name(path.as_os_str().as_bytes()).into_owned()
}

impl Drop for Maker {
    fn drop(&mut self) {
        for folder in &self.closed {
            // If that fails, removing the scratch folder says so.
            let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
        }
    }
}

/// What is neither a file, a folder nor a symbolic link.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Special {
    Fifo,
    Socket,
    CharacterDevice,
}
