//! A file system in memory: what one side of a migration has at one instant. A copy of it is a snapshot.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longhaul_model::NodeKind;
use longhaul_storage::{Facts, FileIdentity};

/// The time of the first thing that is made while a simulation runs; what was there before is older.
const CLOCK_STARTS_NS: i64 = 1_700_000_000_000_000_000;

/// What has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    Folder {
        modified_ns: i64,
    },
    /// Of the file with this number, which may have several names.
    File(u64),
    Symlink {
        points_to: Vec<u8>,
        modified_ns: i64,
    },
    Other {
        modified_ns: i64,
    },
}

impl Entry {
    pub(crate) fn kind(&self) -> NodeKind {
        match self {
            Entry::Folder { .. } => NodeKind::Folder,
            Entry::File(_) => NodeKind::File,
            Entry::Symlink { .. } => NodeKind::Symlink,
            Entry::Other { .. } => NodeKind::Other,
        }
    }
}

/// What a file has, whatever its names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) bytes: Arc<Vec<u8>>,
    pub(crate) modified_ns: i64,
}

impl Contents {
    pub(crate) fn size(&self) -> i64 {
        i64::try_from(self.bytes.len()).expect("files are small here")
    }
}

/// Everything by its path: bytes, `/` for the root.
#[derive(Clone, Debug)]
pub(crate) struct Disk {
    entries: BTreeMap<Vec<u8>, Entry>,
    /// Files without a name stay, as those that somebody has open.
    files: BTreeMap<u64, Contents>,
    files_made: u64,
    clock_ns: i64,
}

impl Disk {
    pub(crate) fn new() -> Self {
        let root = Entry::Folder { modified_ns: CLOCK_STARTS_NS };
        let entries = [(b"/".to_vec(), root)].into();
        Disk { entries, files: BTreeMap::new(), files_made: 0, clock_ns: CLOCK_STARTS_NS }
    }

    /// A time that is later than any before.
    pub(crate) fn now(&mut self) -> i64 {
        self.clock_ns += 1_000_000_007;
        self.clock_ns
    }

    /// Everything but the root, parents before what is in them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&Vec<u8>, &Entry)> {
        self.entries.iter().filter(|(path, _)| path.as_slice() != b"/")
    }

    pub(crate) fn entry(&self, path: &[u8]) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(crate) fn is_folder(&self, path: &[u8]) -> bool {
        matches!(self.entry(path), Some(Entry::Folder { .. }))
    }

    /// The contents of the file with this name, if it is one.
    pub(crate) fn file(&self, path: &[u8]) -> Option<&Contents> {
        match self.entry(path)? {
            Entry::File(number) => self.contents(*number),
            _ => None,
        }
    }

    pub(crate) fn contents(&self, number: u64) -> Option<&Contents> {
        self.files.get(&number)
    }

    pub(crate) fn contents_mut(&mut self, number: u64) -> &mut Contents {
        self.files.get_mut(&number).expect("files stay for as long as anybody may ask for them")
    }

    /// Names and paths of what is in a folder.
    pub(crate) fn children(&self, folder: &[u8]) -> impl Iterator<Item = (&[u8], &Vec<u8>, &Entry)> {
        let prefix = child(folder, b"");
        let from = prefix.clone();
        let below = self.entries.range(from..).take_while({
            let prefix = prefix.clone();
            move |(path, _)| path.starts_with(&prefix)
        });
        below.filter_map(move |(path, entry)| {
            let name = &path[prefix.len()..];
            (!name.is_empty() && !name.contains(&b'/')).then_some((name, path, entry))
        })
    }

    /// The names of a file.
    pub(crate) fn names_of(&self, number: u64) -> Vec<Vec<u8>> {
        let names = self.entries.iter().filter(|(_, entry)| **entry == Entry::File(number));
        names.map(|(path, _)| path.clone()).collect()
    }

    pub(crate) fn facts(&self, path: &[u8]) -> Option<Facts> {
        let entry = self.entry(path)?;
        let (size, modified_ns) = match entry {
            Entry::Folder { modified_ns } | Entry::Other { modified_ns } => (None, *modified_ns),
            Entry::File(number) => return self.facts_of_file(*number),
            Entry::Symlink { points_to, modified_ns } => (i64::try_from(points_to.len()).ok(), *modified_ns),
        };
        let (mode, owner, shared) = (None, None, None);
        Some(Facts { kind: entry.kind(), size, modified_ns: Some(modified_ns), mode, owner, shared })
    }

    pub(crate) fn facts_of_file(&self, number: u64) -> Option<Facts> {
        let contents = self.contents(number)?;
        let has_several = self.entries.values().filter(|entry| **entry == Entry::File(number)).count() > 1;
        Some(Facts {
            kind: NodeKind::File,
            size: Some(contents.size()),
            modified_ns: Some(contents.modified_ns),
            mode: None,
            owner: None,
            shared: has_several.then_some(FileIdentity { device: 1, inode: number }),
        })
    }

    /// Makes a file that has no name yet.
    pub(crate) fn new_file(&mut self, bytes: Vec<u8>, modified_ns: i64) -> u64 {
        self.files_made += 1;
        self.files.insert(self.files_made, Contents { bytes: Arc::new(bytes), modified_ns });
        self.files_made
    }

    /// Gives something a name, in the place of whatever has it.
    pub(crate) fn put(&mut self, path: &[u8], entry: Entry) {
        self.remove(path);
        self.entries.insert(path.to_vec(), entry);
        self.touch_parent(path);
    }

    /// Puts in the contents of a file as well.
    pub(crate) fn put_file(&mut self, path: &[u8], bytes: Vec<u8>, modified_ns: i64) {
        let number = self.new_file(bytes, modified_ns);
        self.put(path, Entry::File(number));
    }

    /// Takes the name away, and everything that is below it.
    pub(crate) fn remove(&mut self, path: &[u8]) -> bool {
        let is_there = self.entries.remove(path).is_some();
        if is_there {
            let below = child(path, b"");
            self.entries.retain(|path, _| !path.starts_with(&below));
            self.touch_parent(path);
        }
        is_there
    }

    pub(crate) fn set_folder_time(&mut self, path: &[u8], time_ns: i64) {
        if let Some(Entry::Folder { modified_ns }) = self.entries.get_mut(path) {
            *modified_ns = time_ns;
        }
    }

    fn touch_parent(&mut self, path: &[u8]) {
        let now = self.now();
        self.set_folder_time(parent(path), now);
    }

    /// Paths of which this disk and another have different things, or things with different contents.
    pub(crate) fn differences(&self, other: &Disk) -> Vec<Vec<u8>> {
        let paths: BTreeSet<&Vec<u8>> = self.entries.keys().chain(other.entries.keys()).collect();
        let is_the_same = |path: &[u8]| self.entry(path) == other.entry(path) && self.file(path) == other.file(path);
        paths.into_iter().filter(|path| !is_the_same(path)).cloned().collect()
    }

    /// Takes over what another disk has under this name, its parents' among it.
    pub(crate) fn take_over(&mut self, other: &Disk, path: &[u8]) {
        if path != b"/" && !self.is_folder(parent(path)) {
            self.take_over(other, parent(path));
        }
        if let Some(entry) = other.entry(path) {
            if let Entry::File(number) = entry {
                self.files.insert(*number, other.files[number].clone());
            }
            self.entries.insert(path.to_vec(), entry.clone());
        }
    }

    /// Files that are not named by this disk any more, but by a later state of it, have the same numbers there.
    pub(crate) fn keep_numbers_of(&mut self, later: &Disk) {
        (self.files_made, self.clock_ns) = (later.files_made, later.clock_ns);
    }

    /// As [`Disk::remove`], without a trace.
    pub(crate) fn forget(&mut self, path: &[u8]) {
        let below = child(path, b"");
        self.entries.retain(|entry, _| entry != path && !entry.starts_with(&below));
    }
}

/// The path of an entry.
pub(crate) fn child(folder: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = folder.to_vec();
    if folder != b"/" {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// The path of the folder that it is in.
pub(crate) fn parent(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(slash) if slash > 0 => &path[..slash],
        _ => b"/",
    }
}

pub(crate) fn name_of(path: &[u8]) -> &[u8] {
    let slash = path.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    &path[slash..]
}

/// Whether it is that path, or below it.
pub(crate) fn is_within(path: &[u8], top: &[u8]) -> bool {
    path == top || path.starts_with(&child(top, b""))
}
