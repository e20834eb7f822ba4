//! The folder that a run has to itself.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// A folder in the temporary folder of this machine.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: TempDir,
    /// Free of links, as the locations in the ledger are.
    path: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> Result<Scratch> {
        let folder = tempfile::Builder::new()
            .prefix("longhaul-scenario-")
            .tempdir()
            .with_context(|| format!("no scratch folder can be made in {}", std::env::temp_dir().display()))?;
        let path = folder.path().canonicalize().context("the scratch folder has no canonical path")?;
        Ok(Scratch { folder, path })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the folder, or keeps it. Returns what became of it, for people.
    pub(crate) fn close(self, keep: bool) -> String {
        if keep {
            return format!("kept {}", self.folder.keep().display());
        }
        match self.folder.close() {
            Ok(()) => "scratch folder removed".to_owned(),
            Err(error) => format!("{} cannot be removed: {error}", self.path.display()),
        }
    }
}

/// The names of what is directly in a folder, in order.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort_unstable();
    Ok(names)
}
