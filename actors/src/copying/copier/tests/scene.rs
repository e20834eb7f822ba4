//! Two trees in temporary folders, what is to be copied from one to the other, and what they look like.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use longhaul_ledger::{CopySettings, PartCopied, PlanBatch, PlanItem, Settings};
use longhaul_model::{Comparison, ConflictPolicy, FileFacts, NodeId, NodeKind, PlanAction, Side};

/// What names of temporary files begin with.
pub(super) const PREFIX: &str = ".longhaul-test-";

/// Files of this size or more are large.
pub(super) const LARGE_FROM: usize = 4_096;

/// Two trees, and the plan that leads from one to the other.
#[derive(Debug)]
pub(super) struct Scene {
    folder: tempfile::TempDir,
    pub(super) batches: Vec<PlanBatch>,
    pub(super) settings: Settings,
    pub(super) copying: CopySettings,
    /// Files are given a time of their own each, in this order.
    made: u64,
}

/// What can be seen of an entry.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: NodeKind,
    /// Of a file; where a link points to.
    pub(super) bytes: Vec<u8>,
    pub(super) modified_ns: i64,
    pub(super) mode: u32,
    /// The first name of the same file.
    pub(super) twin_of: Option<PathBuf>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Entry { kind, bytes, modified_ns, mode, twin_of } = self;
        let sum = blake3::hash(bytes).to_hex();
        write!(f, "{kind} of {} bytes ({}), {modified_ns}, {mode:o}, {twin_of:?}", bytes.len(), &sum[..8])
    }
}

/// Everything in a tree but its root, by path.
pub(super) type Tree = BTreeMap<PathBuf, Entry>;

impl Scene {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["from", "to", "outside"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut settings = Settings::new(Comparison::for_resolutions(1, 1));
        settings.on_conflict = ConflictPolicy::Skip;
        let copying = CopySettings { large_from: LARGE_FROM as u64, ..CopySettings::default() };
        Scene { folder, batches: Vec::new(), settings, copying, made: 0 }
    }

    pub(super) fn root(&self, side: Side) -> PathBuf {
        self.folder.path().join(match side {
            Side::Source => "from",
            Side::Destination => "to",
        })
    }

    pub(super) fn source(&self, path: &str) -> PathBuf {
        self.root(Side::Source).join(path)
    }

    pub(super) fn destination(&self, path: &str) -> PathBuf {
        self.root(Side::Destination).join(path)
    }

    /// A folder that is in neither tree.
    pub(super) fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    pub(super) fn tree(&self, side: Side) -> Tree {
        tree(&self.root(side))
    }

    /// Writes a file with a time and a mode of its own.
    pub(super) fn file(&mut self, side: Side, path: &str, bytes: &[u8]) -> &mut Self {
        self.made += 1;
        write(&self.root(side).join(path), bytes, self.made);
        self
    }

    /// A file of this length of which only the first bytes of every eighth kibibyte are not holes.
    pub(super) fn file_with_holes(&mut self, side: Side, path: &str, length: u64) -> &mut Self {
        self.file(side, path, b"");
        let file = std::fs::File::options().write(true).open(self.root(side).join(path)).unwrap();
        file.set_len(length).unwrap();
        for offset in (4_096..length).step_by(8 << 10) {
            file.write_all_at(b"not a hole", offset).unwrap();
        }
        file.set_modified(time(self.made)).unwrap();
        self
    }

    pub(super) fn link(&mut self, side: Side, path: &str, points_to: &str) -> &mut Self {
        std::os::unix::fs::symlink(points_to, self.root(side).join(path)).unwrap();
        self
    }

    pub(super) fn make_folder(&mut self, side: Side, path: &str) -> &mut Self {
        let path = self.root(side).join(path);
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o750)).unwrap();
        self
    }

    pub(super) fn twin(&mut self, side: Side, path: &str, of: &str) -> &mut Self {
        std::fs::hard_link(self.root(side).join(of), self.root(side).join(path)).unwrap();
        self
    }

    /// Plans this, as what is there at this moment.
    pub(super) fn plan(&mut self, action: PlanAction, path: &str) -> &mut Self {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = self.folder_id(parent);
        let found = std::fs::symlink_metadata(self.source(path)).unwrap();
        let in_its_place = std::fs::symlink_metadata(self.destination(path)).ok().map(|found| facts(&found));
        let id = NodeId(10 + i64::try_from(self.items().count()).unwrap());
        let kind = kind(&found);
        let item = PlanItem {
            id,
            name: name.to_owned(),
            new_name: None,
            kind,
            facts: if kind == NodeKind::Folder { FileFacts { size: None, ..facts(&found) } } else { facts(&found) },
            action,
            in_its_place,
            parts: Vec::new(),
        };
        match self.batches.last_mut() {
            Some(last) if last.path[1..] == *parent => last.items.push(item),
            _ => {
                let depth = 1 + i32::try_from(path.matches('/').count()).unwrap();
                self.batches.push(PlanBatch {
                    folder,
                    path: format!("/{parent}"),
                    destination_path: None,
                    depth,
                    items: vec![item],
                });
            }
        }
        self
    }

    fn folder_id(&self, path: &str) -> NodeId {
        let planned = self.items().find(|(of, _)| of == Path::new(path)).map(|(_, item)| item.id);
        // A folder that is not planned is on both sides.
        planned.unwrap_or(NodeId(if path.is_empty() { 1 } else { 2 }))
    }

    /// All items, with their paths.
    pub(super) fn items(&self) -> impl Iterator<Item = (PathBuf, &PlanItem)> {
        self.batches.iter().flat_map(|batch| {
            let folder = Path::new(batch.path.trim_start_matches('/'));
            batch.items.iter().map(move |item| (folder.join(&item.name), item))
        })
    }

    /// What the ledger has of parts, for the next run.
    pub(super) fn set_parts(&mut self, parts: &[(NodeId, PartCopied)]) {
        for item in self.batches.iter_mut().flat_map(|batch| &mut batch.items) {
            item.parts = parts.iter().filter(|(id, _)| *id == item.id).map(|(_, part)| *part).collect();
        }
    }
}

/// Writes a file with a time and a mode that follow from a number.
pub(super) fn write(path: &Path, bytes: &[u8], number: u64) {
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, PermissionsExt::from_mode([0o640, 0o604, 0o751][(number % 3) as usize])).unwrap();
    std::fs::File::options().write(true).open(path).unwrap().set_modified(time(number)).unwrap();
}

fn time(number: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::new(1_600_000_000 + number, 123_456_789)
}

/// Bytes that are the same nowhere.
pub(super) fn bytes(length: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

fn kind(found: &std::fs::Metadata) -> NodeKind {
    match found.file_type() {
        kind if kind.is_dir() => NodeKind::Folder,
        kind if kind.is_symlink() => NodeKind::Symlink,
        kind if kind.is_file() => NodeKind::File,
        _ => NodeKind::Other,
    }
}

fn modified_ns(found: &std::fs::Metadata) -> i64 {
    found.mtime() * 1_000_000_000 + found.mtime_nsec()
}

fn facts(found: &std::fs::Metadata) -> FileFacts {
    FileFacts { size: Some(i64::try_from(found.len()).unwrap()), modified_ns: Some(modified_ns(found)) }
}

/// Everything in a folder.
pub(super) fn tree(root: &Path) -> Tree {
    let (mut tree, mut names, mut folders) = (Tree::new(), BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for found in std::fs::read_dir(folder).unwrap() {
            let path = found.unwrap().path();
            let found = std::fs::symlink_metadata(&path).unwrap();
            let kind = kind(&found);
            let bytes = match kind {
                NodeKind::File => std::fs::read(&path).unwrap(),
                NodeKind::Symlink => std::fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec(),
                NodeKind::Folder | NodeKind::Other => Vec::new(),
            };
            if kind == NodeKind::Folder {
                folders.push(path.clone());
            }
            let path = path.strip_prefix(root).unwrap().to_owned();
            if kind == NodeKind::File && found.nlink() > 1 {
                names.entry(found.ino()).or_insert_with(Vec::new).push(path.clone());
            }
            let (modified_ns, mode) = (modified_ns(&found), found.mode() & 0o7777);
            tree.insert(path, Entry { kind, bytes, modified_ns, mode, twin_of: None });
        }
    }
    for names in names.values_mut() {
        names.sort();
        for name in &names[1..] {
            tree.get_mut(name).unwrap().twin_of = Some(names[0].clone());
        }
    }
    tree
}
