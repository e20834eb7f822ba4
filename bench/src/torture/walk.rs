//! What there is in a folder of this machine, by a walk that has nothing in common with the program's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Differences of each kind that are shown.
const SHOWN_MAX: usize = 3;

/// What names begin with of files that are not whole yet.
const TEMPORARY: &[u8] = b".longhaul-";

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    is_folder: bool,
    mode: u32,
    modified_ns: i128,
    size: u64,
    /// A number that stands for the contents.
    contents: u64,
    link: Option<OsString>,
    /// The first of all names of the same file, where it has several.
    first_name: Option<PathBuf>,
}

/// A tree, by paths below its root, which is the empty path.
#[derive(Debug)]
pub(super) struct Walked(BTreeMap<PathBuf, Entry>);

/// What of two trees is compared.
#[derive(Debug, Default)]
pub(super) struct Care<'a> {
    /// Folders that have whatever time they have: they were there before, and something came into them.
    pub(super) folders_of_any_time: HashSet<&'a Path>,
    /// Whether several names of one file are to be that.
    pub(super) several_names: bool,
}

/// Walks a tree, and reads all of it.
pub(super) fn walk(root: &Path) -> Result<Walked> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    let mut identities = BTreeMap::new();
    while let Some(path) = waiting.pop() {
        let whole = root.join(&path);
        let metadata = fs::symlink_metadata(&whole).with_context(|| format!("cannot look at {}", whole.display()))?;
        if metadata.is_dir() {
            for entry in fs::read_dir(&whole)? {
                waiting.push(path.join(entry?.file_name()));
            }
        } else if metadata.is_file() && metadata.nlink() > 1 {
            identities.insert(path.clone(), (metadata.dev(), metadata.ino()));
        }
        let entry = Entry {
            is_folder: metadata.is_dir(),
            // A link has none.
            mode: if metadata.is_symlink() { 0 } else { metadata.mode() & 0o7777 },
            modified_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
            size: if metadata.is_dir() { 0 } else { metadata.len() },
            contents: if metadata.is_file() { number_of(&fs::read(&whole)?) } else { 0 },
            link: metadata.is_symlink().then(|| fs::read_link(&whole)).transpose()?.map(PathBuf::into_os_string),
            first_name: None,
        };
        found.insert(path, entry);
    }
    // In the order of their paths.
    let mut first_names: HashMap<(u64, u64), PathBuf> = HashMap::new();
    for (path, identity) in identities {
        let first = first_names.entry(identity).or_insert_with(|| path.clone()).clone();
        found.entry(path).and_modify(|entry| entry.first_name = Some(first));
    }
    Ok(Walked(found))
}

fn number_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

impl Walked {
    /// How much there is that is no folder, and not a file that is still to get its name.
    pub(super) fn others(&self) -> u64 {
        self.0.iter().filter(|(path, entry)| !entry.is_folder && !is_temporary(path)).count() as u64
    }

    /// Files that should have got their names, or should have been removed.
    pub(super) fn temporary(&self) -> impl Iterator<Item = &Path> {
        self.0.keys().map(PathBuf::as_path).filter(|path| is_temporary(path))
    }

    /// What is different from another tree.
    pub(super) fn differences(&self, due: &Walked, care: &Care<'_>) -> Vec<String> {
        let Care { folders_of_any_time, several_names } = care;
        let is_same = |path: &Path, found: &Entry, due: &Entry| {
            let mut found = found.clone();
            if folders_of_any_time.contains(path) && found.is_folder {
                found.modified_ns = due.modified_ns;
            }
            if !several_names {
                found.first_name.clone_from(&due.first_name);
            }
            found == *due
        };
        let missing = due.0.iter().filter(|(path, _)| !self.0.contains_key(*path));
        let missing = missing.map(|(path, due)| format!("missing: {} {due:?}", path.display()));
        let too_much = self.0.iter().filter(|(path, _)| !due.0.contains_key(*path));
        let too_much = too_much.map(|(path, found)| format!("too much: {} {found:?}", path.display()));
        let other = self.0.iter().filter_map(|(path, found)| Some((path, found, due.0.get(path)?)));
        let other = other.filter(|(path, found, due)| !is_same(path, found, due));
        let other = other.map(|(path, found, due)| format!("{}: {found:?} instead of {due:?}", path.display()));
        missing.take(SHOWN_MAX).chain(too_much.take(SHOWN_MAX)).chain(other.take(SHOWN_MAX)).collect()
    }

    #[cfg(test)]
    pub(super) fn without_root(&self) -> Vec<(&PathBuf, String)> {
        self.0.iter().skip(1).map(|(path, entry)| (path, format!("{entry:?}"))).collect()
    }
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(TEMPORARY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_different_is_found() {
        let scratch = tempfile::tempdir().unwrap();
        let roots = ["left", "right"].map(|name| scratch.path().join(name));
        for root in &roots {
            fs::create_dir(root).unwrap();
            for name in ["same", "other", "names"] {
                fs::write(root.join(name), "contents").unwrap();
                fs::File::open(root.join(name)).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
            }
        }
        let [left, right] = &roots;
        let care = |several_names| Care { folders_of_any_time: HashSet::from([Path::new("")]), several_names };
        let differences = |several_names| walk(left).unwrap().differences(&walk(right).unwrap(), &care(several_names));
        assert_eq!(differences(true), Vec::<String>::new());
        fs::write(left.join("other"), "contentS").unwrap();
        fs::write(left.join(".longhaul-1-2"), "").unwrap();
        fs::hard_link(right.join("names"), right.join("another")).unwrap();
        assert_eq!(differences(false).len(), 3);
        assert_eq!(differences(true).len(), 4);
        assert_eq!(walk(left).unwrap().temporary().count(), 1);
        assert_eq!((walk(left).unwrap().others(), walk(right).unwrap().others()), (3, 4));
    }
}
