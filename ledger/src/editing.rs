//! What a person changes between discovery and copy: exclusions, decisions, marks for retry, and the approval of what
//! comes of it. Each is one transaction of a constant number of statements, whatever it is about, and a run of the
//! migration's history.

mod approval;
mod decision;
mod exclusion;
mod renaming;
mod retry;
mod selection;

pub(crate) use approval::{note_plan, plan_approval, require_approval};
pub(crate) use exclusion::{cover_changing, exclude_what_is_new};
pub(crate) use retry::marked;

pub use approval::{Approval, Approving};
pub use decision::Decision;
pub use renaming::Renamed;
pub use retry::{Marked, Marking, Retry};
pub use selection::Selection;

use std::path::Path;

use duckdb::Connection;
use longhaul_model::{CopyChange, CopyStatus, Phase};

use crate::error::Result;
use crate::events::{ChangedAtDepth, CopyChanges, SAME_NOW};
use crate::fold::fold_events;
use crate::idle::{Discovered, IdleLedger};
use crate::migration::{Migration, set_phase};
use crate::opening::{Log, Resources};
use crate::writer::Writer;

/// What a change to the plan came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// Nodes with a status that they did not have before.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
    /// Nodes whose status is the same, for another reason.
    pub reasons: i64,
    /// The same by status: what they were, and what they are now.
    pub by_status: Vec<ChangedStatus>,
    /// Whether an approval was revoked by it.
    pub revoked: bool,
}

/// Nodes that have gone from one status to another.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ChangedStatus {
    /// What they were.
    pub was: CopyStatus,
    /// What they are now.
    pub is: CopyStatus,
    /// How many.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
}

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

/// Changes the copy statuses of the nodes in the temporary table `changing` (see [`CopyChanges`]), inside the transaction
/// that is open, and sums up what changed. `reopened_by` is what reopens those that are settled. `matches` must be as it
/// was before.
pub(crate) fn change_statuses(writer: &mut Writer, reopened_by: CopyChange) -> Result<Changed> {
    let set = CopyChanges { nodes: "changing", reopened_by: Some(reopened_by), same_before: SAME_NOW };
    let changed = writer.change_copies(&set)?;
    sum_up(writer, &changed)
}

/// Sums up changes of copy statuses. Where they make work of a migration that was complete, it is in review again.
fn sum_up(writer: &Writer, by_depth: &[ChangedAtDepth]) -> Result<Changed> {
    let mut changed = Changed::default();
    for &ChangedAtDepth { was, is, nodes, bytes, .. } in by_depth {
        if was == is {
            changed.reasons += nodes;
            continue;
        }
        changed.nodes += nodes;
        changed.bytes += bytes;
        match changed.by_status.iter_mut().find(|other| (other.was, other.is) == (was, is)) {
            Some(sum) => {
                sum.nodes += nodes;
                sum.bytes += bytes;
            }
            None => changed.by_status.push(ChangedStatus { was, is, nodes, bytes }),
        }
    }
    // In the order of the words, as people see them.
    changed.by_status.sort_by_key(|change| (change.was.as_str(), change.is.as_str()));
    if changed.by_status.iter().any(|change| change.is == CopyStatus::Pending) {
        // What was copied, and verified perhaps, is not all any more.
        if Migration::read(&writer.connection)?.current_phase().is_copied() {
            set_phase(&writer.connection, Phase::Review, None)?;
        }
    }
    Ok(changed)
}

/// Takes back the approval that counts, inside the transaction that is open. Returns whether there was one.
pub(crate) fn revoke(writer: &Writer) -> Result<bool> {
    let revoked = writer
        .connection
        .execute("UPDATE approvals SET revoked_ns = ? WHERE revoked_ns IS NULL", duckdb::params![(writer.now_ns)()])?;
    Ok(revoked > 0)
}

#[cfg(test)]
mod tests;
