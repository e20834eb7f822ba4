//! Ledgers as files: where they are, and what a process that is killed leaves of them.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A folder where nothing has to reach a disk, if there is one.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let builder = tempfile::Builder::new().prefix("longhaul-simulation-").to_owned();
    let made = if memory.is_dir() { builder.tempdir_in(memory) } else { builder.tempdir() };
    made.expect("a temporary folder can be made")
}

/// The ledger that the run with this number works on, in a folder of its own.
pub(crate) fn ledger_of_run(scratch: &Path, run: usize) -> PathBuf {
    ledger_in(scratch, &format!("run-{run}"))
}

/// A ledger in a new folder of this name.
pub(crate) fn ledger_in(scratch: &Path, name: &str) -> PathBuf {
    let folder = scratch.join(name);
    fs::create_dir_all(&folder).expect("a folder can be made in the scratch folder");
    folder.join("ledger.duckdb")
}

/// Copies a ledger with its log: what a process would leave that is killed now.
pub(crate) fn copy_ledger(from: &Path, to: &Path) {
    fs::copy(from, to).expect("the ledger can be copied");
    if log_of(from).exists() {
        fs::copy(log_of(from), log_of(to)).expect("the log can be copied");
    } else {
        let _ = fs::remove_file(log_of(to));
    }
}

/// Bytes that the log of a ledger has.
pub(crate) fn log_bytes(ledger: &Path) -> u64 {
    log_of(ledger).metadata().map_or(0, |found| found.len())
}

/// Cuts the log of a ledger off, as if the process had been killed while it was writing it. What had been written for
/// good before is left.
pub(crate) fn tear_log(ledger: &Path, bytes: u64, for_good: u64) {
    let found = log_bytes(ledger);
    if found > for_good {
        let file = fs::OpenOptions::new().write(true).open(log_of(ledger)).expect("the log can be written");
        file.set_len(found.saturating_sub(bytes).max(for_good)).expect("the log can be cut off");
    }
}

fn log_of(ledger: &Path) -> PathBuf {
    let mut name = ledger.as_os_str().to_owned();
    name.push(".wal");
    PathBuf::from(name)
}
