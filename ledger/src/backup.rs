//! Copies of a ledger to keep in a safe place, also while it is being written.
//!
//! The log is brought into the file first, so that the copy is one file. Nothing is written to the ledger while it is
//! copied: its only writer is who copies it. Where the file system can, the copy shares its blocks and takes no time.

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;

use crate::beside::{flush_folder_of, log_of, remove_unfinished, unfinished_suffix, with_suffix};
use crate::database::Database;
use crate::error::{LedgerError, Result};
use crate::migration::Migration;
use crate::opening::{self, Log, Resources};

/// Whether a backup may take the place of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Existing {
    /// A file that is there is kept, and is an error.
    Keep,
    /// A file that is there is replaced, once the backup is complete.
    Replace,
}

/// Backs up a ledger that is not open for writing. It must have been probed. Returns the bytes of the copy.
pub fn back_up(ledger: &Path, to: &Path, existing: Existing) -> Result<u64> {
    back_up_open(&opening::open(ledger, Log::Probed, &Resources::default())?, to, existing)
}

/// Backs up the ledger of an open connection, on which no transaction is open and no log is left.
pub(crate) fn back_up_open(connection: &Database, to: &Path, existing: Existing) -> Result<u64> {
    connection.checkpoint()?;
    if let Ok(found) = to.symlink_metadata() {
        if existing == Existing::Keep {
            return Err(LedgerError::Exists(to.to_owned()));
        }
        if !found.is_file() {
            let reason = "only a file can be replaced".to_owned();
            return Err(LedgerError::NotWritable { path: to.to_owned(), reason });
        }
    }
    remove_unfinished(to);
    let unfinished = with_suffix(to, &unfinished_suffix());
    let written = write(connection, &unfinished).and_then(|bytes| take_name(&unfinished, to, existing).map(|()| bytes));
    // It is gone where it has taken its name.
    let _ = std::fs::remove_file(&unfinished);
    written
}

/// Writes a copy, flushes it, and looks whether it is a ledger that can be read.
fn write(connection: &Database, unfinished: &Path) -> Result<u64> {
    let failed = |error| opening::not_writable(unfinished, &error);
    let copy = File::create_new(unfinished).map_err(failed)?;
    let bytes = connection.copy_file(&copy).and_then(|bytes| copy.sync_all().map(|()| bytes)).map_err(failed)?;
    Migration::read(&opening::open_read_only(unfinished)?)?;
    Ok(bytes)
}

fn take_name(unfinished: &Path, to: &Path, existing: Existing) -> Result<()> {
    match existing {
        Existing::Keep => opening::take_name(unfinished, to)?,
        Existing::Replace => {
            // A log beside the file that was there is not this one's.
            match std::fs::remove_file(log_of(to)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(opening::not_writable(to, &error)),
                _ => {}
            }
            std::fs::rename(unfinished, to).map_err(|error| opening::not_writable(to, &error))?;
        }
    }
    flush_folder_of(to).map_err(|error| opening::not_writable(to, &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{some_time_ns, spec};
    use crate::{Reader, create};

    #[test]
    fn a_backup_is_a_ledger_and_replaces_only_what_it_may() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, copy) = (folder.path().join("l.duckdb"), folder.path().join("copy.duckdb"));
        drop(create(&ledger, &spec(), &Resources::default(), some_time_ns()).unwrap());
        let bytes = back_up(&ledger, &copy, Existing::Keep).unwrap();
        assert_eq!(copy.metadata().unwrap().len(), bytes);
        let made_ns = |path: &Path| Reader::open(path).unwrap().migration().unwrap().created_ns;
        assert_eq!(made_ns(&copy), made_ns(&ledger));
        assert!(matches!(back_up(&ledger, &copy, Existing::Keep), Err(LedgerError::Exists(path)) if path == copy));
        std::fs::write(log_of(&copy), "of another one").unwrap();
        back_up(&ledger, &copy, Existing::Replace).unwrap();
        assert!(!log_of(&copy).exists());
        Reader::open(&copy).unwrap();
        let names = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["copy.duckdb", "l.duckdb"]);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&copy, &link).unwrap();
        assert!(matches!(back_up(&ledger, &link, Existing::Replace), Err(LedgerError::NotWritable { .. })));
        let nowhere = folder.path().join("no such folder/copy.duckdb");
        assert!(matches!(back_up(&ledger, &nowhere, Existing::Keep), Err(LedgerError::NotWritable { .. })));
    }
}
