//! A ledger whose log cannot be replayed.
//!
//! DuckDB replays its write-ahead log when it opens a file, and a damaged log can make that fail, or abort the process.
//! The file itself is as it was at the last checkpoint, which is always a state that was committed: without the log the
//! migration goes on from there. The log is never thrown away, only set aside.
//!
//! Because of the abort, [`probe`] is meant to be called in a process of its own.

use std::io::ErrorKind;
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

/// Gives the log another name, which is returned, so that the ledger is opened as it was at its last checkpoint.
pub fn set_log_aside(path: &Path) -> Result<PathBuf> {
    let log = log_of(path);
    let aside = (1..=u32::MAX)
        .map(|number| with_suffix(&log, &damaged_suffix(number)))
        .find(|name| name.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound))
        .expect("nobody has four thousand million damaged logs");
    rename(path, &log, &aside)?;
    Ok(aside)
}

/// Takes [`set_log_aside`] back: it was not the log.
pub fn put_log_back(path: &Path, aside: &Path) -> Result<()> {
    rename(path, aside, &log_of(path))
}

fn rename(ledger: &Path, from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to)
        .map_err(|error| LedgerError::NotWritable { path: ledger.to_owned(), reason: error.to_string() })
}
