//! A small tree to try things in, and a place outside of it that must never change.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use futures_util::FutureExt;
use longhaul_model::ErrorClass;
use rustix::fs::{CWD, Mode};
use tempfile::TempDir;

use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Folder, Known, Placed, Replace, Target};
use crate::local::LocalStore;
use crate::store::Store;

/// What an answer of this store says: it is always there already.
pub(super) fn now<T>(answer: Answer<'_, T>) -> Result<T, StoreError> {
    answer.now_or_never().expect("a call to this store is over when it returns")
}

/// The class of what must be an error.
pub(super) fn class<T>(answer: Answer<'_, T>) -> ErrorClass {
    match now(answer) {
        Ok(_) => panic!("the call succeeds"),
        Err(error) => error.class,
    }
}

/// A new name that replaces nothing.
pub(super) fn new(name: &[u8]) -> Target<'_> {
    Target { name, temporary: b".draft", replace: Replace::Nothing, known: Known::default() }
}

/// A name that may be taken by a file.
pub(super) fn replacing(name: &[u8]) -> Target<'_> {
    Target { replace: Replace::Any, ..new(name) }
}

/// A root with a store in it, and something secret beside it.
pub(super) struct Tree {
    folder: TempDir,
    pub(super) store: Arc<LocalStore>,
}

impl Tree {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("root")).unwrap();
        std::fs::create_dir(folder.path().join("outside")).unwrap();
        std::fs::write(folder.path().join("outside/secret"), b"secret").unwrap();
        let store = Arc::new(LocalStore::open(&folder.path().join("root"), false).unwrap());
        Tree { folder, store }
    }

    /// One where a file has a name from the beginning, as on many file systems.
    pub(super) fn where_all_have_names() -> Self {
        let tree = Tree::new();
        tree.store.root.has_unnamed.store(false, Relaxed);
        tree
    }

    pub(super) fn of_both_kinds() -> [Self; 2] {
        [Tree::new(), Tree::where_all_have_names()]
    }

    /// Where something of the tree is, for looking at it behind the store's back.
    pub(super) fn at(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.folder.path().join("root").join(OsStr::from_bytes(name.as_ref()))
    }

    pub(super) fn outside(&self) -> PathBuf {
        self.folder.path().join("outside")
    }

    /// Nothing outside of the root was changed.
    pub(super) fn assert_outside_is_untouched(&self) {
        assert_eq!(names(&self.outside()), [b"secret"]);
        assert_eq!(std::fs::read(self.outside().join("secret")).unwrap(), b"secret");
    }

    pub(super) fn root(&self) -> Box<dyn Folder> {
        self.open(b"/").unwrap()
    }

    pub(super) fn open(&self, path: &[u8]) -> Result<Box<dyn Folder>, StoreError> {
        now(self.store.clone().folder(path))
    }

    /// All names in the root, sorted.
    pub(super) fn names(&self) -> Vec<Vec<u8>> {
        names(&self.at(""))
    }

    pub(super) fn fifo(&self, name: &str) {
        rustix::fs::mkfifoat(CWD, self.at(name), Mode::RUSR | Mode::WUSR).unwrap();
    }

    /// One entry of each kind that is not a regular file, by name.
    pub(super) fn make_others(&self) -> [&'static str; 4] {
        std::fs::create_dir(self.at("folder")).unwrap();
        symlink(self.outside().join("secret"), self.at("link")).unwrap();
        symlink("nowhere", self.at("dangling")).unwrap();
        self.fifo("fifo");
        ["folder", "link", "dangling", "fifo"]
    }
}

fn names(folder: &std::path::Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_vec()).collect();
    names.sort();
    names
}

/// A draft with some bytes in it.
pub(super) fn begin(folder: &dyn Folder, target: Target<'_>, bytes: &[u8]) -> Box<dyn Draft> {
    let mut draft = now(folder.create(target)).unwrap();
    now(draft.write_at(0, bytes)).unwrap();
    draft
}

/// Writes a whole file.
pub(super) fn write(folder: &dyn Folder, target: Target<'_>, bytes: &[u8]) -> Result<Placed, StoreError> {
    write_with(folder, target, bytes, &Attributes::default())
}

/// Writes a whole file with attributes.
pub(super) fn write_with(
    folder: &dyn Folder,
    target: Target<'_>,
    bytes: &[u8],
    attributes: &Attributes,
) -> Result<Placed, StoreError> {
    let mut draft = now(folder.create(target))?;
    now(draft.write_at(0, bytes))?;
    now(draft.finish(target, bytes.len() as u64, attributes, Durability::Later))
}
