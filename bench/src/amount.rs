//! How much there is in a tree.

use std::fs;
use std::io;
use std::path::Path;

/// Files, links included, and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Amount {
    /// Counts what is below a folder.
    pub(crate) fn of(root: &Path) -> io::Result<Self> {
        let mut amount = Self::default();
        let mut waiting = vec![root.to_path_buf()];
        while let Some(folder) = waiting.pop() {
            for entry in fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    waiting.push(entry.path());
                } else {
                    amount.files += 1;
                    amount.bytes += entry.metadata()?.len();
                }
            }
        }
        Ok(amount)
    }

    /// An error if there is not as much in a folder as there has to be.
    pub(crate) fn check(self, root: &Path) -> Result<(), String> {
        let found = Self::of(root).map_err(|error| format!("cannot look at the destination: {error}"))?;
        if found == self {
            return Ok(());
        }
        let Self { files, bytes } = self;
        Err(format!("brought {} files with {} bytes of {files} with {bytes}", found.files, found.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inside")).unwrap();
        fs::write(folder.path().join("inside/file"), "contents").unwrap();
        std::os::unix::fs::symlink("far", folder.path().join("link")).unwrap();
        let amount = Amount::of(folder.path()).unwrap();
        assert_eq!(amount, Amount { files: 2, bytes: 11 });
        assert_eq!(amount.check(folder.path()), Ok(()));
        fs::write(folder.path().join("inside/file"), "content").unwrap();
        let due = "brought 2 files with 10 bytes of 2 with 11".to_owned();
        assert_eq!(amount.check(folder.path()), Err(due));
    }
}
