//! What a person changes between discovery and copy: exclusions, decisions, marks for retry, and the approval of what
//! comes of it. Each is one transaction of a constant number of statements, whatever it is about, and a run of the
//! migration's history.

mod approval;
mod decision;
mod exclusion;
mod renaming;
mod retry;
mod selection;

pub use decision::Decision;
pub(crate) use decision::decide_selected;
pub(crate) use exclusion::exclude_selected;
pub use renaming::Renamed;
pub use retry::{Marking, Retry};
pub use selection::Selection;

use std::path::Path;

use duckdb::Connection;

use crate::error::Result;
use crate::fold::fold_events;
use crate::idle::{Discovered, IdleLedger};
use crate::opening::{Log, Resources};
use crate::writer::Writer;

/// A ledger that is open for changing its plan.
#[derive(Debug)]
pub struct Editor {
    ledger: Discovered,
    now_ns: fn() -> i64,
}

impl Editor {
    /// Opens a ledger. Its discovery must be complete, and nobody may be working on it.
    pub fn open(path: &Path, log: Log, now_ns: fn() -> i64) -> Result<Editor> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        // No worker runs beside it.
        let resources = Resources { memory_mib: 512, threads: u16::try_from(cores).unwrap_or(8) };
        let ledger = IdleLedger::open(path, log, &resources)?.discovered()?;
        fold_events(&ledger.connection)?;
        Ok(Editor { ledger, now_ns })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.ledger.connection
    }

    /// Begins a run with this name, does something in it in one transaction, and ends it. Nothing has changed when it
    /// fails.
    fn in_run<T>(self, command: &str, change: impl FnOnce(&mut Writer) -> Result<T>) -> Result<T> {
        let mut writer = self.ledger.begin(command, self.now_ns)?;
        let changed = writer.change_plan(change);
        writer.end_change(changed.is_ok())?;
        changed
    }
}

#[cfg(test)]
mod tests;
