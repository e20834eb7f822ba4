//! The folder for trees and ledgers.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A new folder in the one given, or else in memory where there is such a place.
pub(crate) fn folder(given: Option<&Path>) -> Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let parent = match given {
        Some(folder) => folder.to_path_buf(),
        None if memory.is_dir() => memory.to_path_buf(),
        None => std::env::temp_dir(),
    };
    parent
        // Absolute, because commands run in folders of their own.
        .canonicalize()
        .and_then(|parent: PathBuf| tempfile::Builder::new().prefix("longhaul-bench-").tempdir_in(parent))
        .with_context(|| format!("cannot create a folder in {}", parent.display()))
}

/// Whether a folder is on something that outlives the machine's being switched off.
pub(crate) fn is_on_disk(folder: &Path) -> Result<bool> {
    /// As `statfs` calls them: tmpfs and ramfs.
    const IN_MEMORY: [i64; 2] = [0x0102_1994, 0x8584_58f6];
    let found = rustix::fs::statfs(folder).with_context(|| format!("cannot look at {}", folder.display()))?;
    Ok(!IN_MEMORY.contains(&found.f_type))
}
