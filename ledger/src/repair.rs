//! A ledger whose log cannot be replayed.
//!
//! DuckDB replays its write-ahead log when it opens a file, and a damaged log can make that fail, or abort the process.
//! The file itself is as it was at the last checkpoint, which is always a state that was committed: without the log the
//! migration goes on from there. Most of a damaged log is sound, though: what was flushed last is what a power cut tears.
//! DuckDB passes over a transaction that a log ends within, so its longest beginning that can be replayed is what was
//! committed before the damage. The log is never thrown away, only set aside.
//!
//! Because of the abort, [`probe`] is meant to be called in a process of its own.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::beside::{damaged_suffix, log_of, with_suffix};
use crate::counters::DepthCounters;
use crate::error::{LedgerError, Result};
use crate::migration::Migration;
use crate::opening;

/// What is wrong with a ledger that can be opened, or cannot be opened for a reason that has nothing to do with damage.
#[derive(Debug)]
pub enum Probed {
    /// It can be opened, and read.
    Sound,
    /// It cannot be opened now, for a reason that opening it will tell.
    NotNow(LedgerError),
    /// It cannot be opened, or not be read: it is damaged, or its log is.
    Damaged(String),
}

/// Whether there is a log that would have to be replayed.
pub fn has_log(path: &Path) -> bool {
    log_of(path).metadata().is_ok_and(|log| log.len() > 0)
}

/// Opens a ledger, its log included, and reads what every run begins with. Changes nothing. May abort the process.
pub fn probe(path: &Path) -> Probed {
    let read = || -> Result<()> {
        let connection = opening::open_read_only(path)?;
        Migration::read(&connection)?;
        DepthCounters::read(&connection)?;
        Ok(())
    };
    match read() {
        Ok(()) => Probed::Sound,
        Err(
            error @ (LedgerError::InUse { .. }
            | LedgerError::Missing(_)
            | LedgerError::TooNew { .. }
            | LedgerError::NotReadable { .. }
            | LedgerError::NotWritable { .. }),
        ) => Probed::NotNow(error),
        Err(LedgerError::Damaged { reason, .. }) => Probed::Damaged(reason),
        Err(error) => Probed::Damaged(error.to_string()),
    }
}

/// Keeps the first `kept_bytes` of the log, and all of it under another name, which is returned. Whatever happens meanwhile,
/// the ledger has either log.
pub fn cut_log(path: &Path, kept_bytes: u64) -> Result<PathBuf> {
    let log = log_of(path);
    let aside = (1..=u32::MAX)
        .map(|number| with_suffix(&log, &damaged_suffix(number)))
        .find(|name| name.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound))
        .expect("nobody has four thousand million damaged logs");
    let cut = || -> std::io::Result<()> {
        link_or_copy(&log, &aside)?;
        if kept_bytes == 0 {
            return std::fs::remove_file(&log);
        }
        let beginning = with_suffix(&log, ".new");
        copy_beginning(&log, &beginning, kept_bytes)?.sync_all()?;
        std::fs::rename(&beginning, &log)
    };
    cut().map_err(|error| LedgerError::NotWritable { path: path.to_owned(), reason: error.to_string() })?;
    Ok(aside)
}

/// Makes a ledger at `trial`, in the same file system, that has the tables of this one, and of its log so many bytes: for
/// [`probe`], which changes nothing.
pub fn try_log(path: &Path, trial: &Path, kept_bytes: u64) -> Result<()> {
    let made = || -> std::io::Result<()> {
        if trial.symlink_metadata().is_err() {
            link_or_copy(path, trial)?;
        }
        copy_beginning(&log_of(path), &log_of(trial), kept_bytes).map(drop)
    };
    made().map_err(|error| LedgerError::NotWritable { path: trial.to_owned(), reason: error.to_string() })
}

/// Some file systems have no hard links.
fn link_or_copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::hard_link(from, to).or_else(|_| std::fs::copy(from, to).map(drop))
}

fn copy_beginning(from: &Path, to: &Path, bytes: u64) -> std::io::Result<File> {
    let mut file = File::create(to)?;
    std::io::copy(&mut File::open(from)?.take(bytes), &mut file)?;
    Ok(file)
}
