//! What a person changes between discovery and copy: exclusions, decisions, marks for retry, and the approval of what
//! comes of it. Each is one transaction of a constant number of statements, whatever it is about, and a run of the
//! migration's history.

mod approval;
mod decision;
mod exclusion;
mod renaming;
mod retry;
mod selection;

pub(crate) use approval::plan_approval;
pub(crate) use exclusion::{apply_exclusions, cover_changing};
pub(crate) use retry::marked;

pub use approval::{Approval, Approving};
pub use decision::Decision;
pub use renaming::Renamed;
pub use retry::{BegunCopy, Marked, Marking, Retry};
pub use selection::Selection;

use std::path::Path;

use duckdb::Connection;
use longhaul_model::{CopyStatus, Phase, Side};

use crate::error::{LedgerError, Result};
use crate::fold::fold_events;
use crate::migration::{Migration, set_phase};
use crate::opening::Resources;
use crate::recorder::Recorder;
use crate::{Log, Opened};

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
    opened: Opened,
    now_ns: fn() -> i64,
}

impl Editor {
    /// Opens a ledger. Its discovery must be complete, and nobody may be working on it.
    pub fn open(path: &Path, log: Log, now_ns: fn() -> i64) -> Result<Editor> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        // No worker runs beside it.
        let resources = Resources { memory_mib: 512, threads: u16::try_from(cores).unwrap_or(8) };
        let opened = Opened::open(path, log, &resources)?;
        if !opened.is_discovered() {
            return Err(LedgerError::NotDiscovered);
        }
        fold_events(&opened.connection)?;
        Ok(Editor { opened, now_ns })
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.opened.connection
    }

    /// Begins a run with this name, does something in it in one transaction, and ends it. Nothing has changed when it
    /// fails.
    fn in_run<T>(self, command: &str, change: impl FnOnce(&mut Recorder) -> Result<T>) -> Result<T> {
        let mut recorder = self.opened.begin(command, self.now_ns)?;
        let changed = recorder.change_plan(change);
        recorder.end_change(changed.is_ok())?;
        changed
    }
}

/// Moves the nodes in the temporary table `changing (id, was, becomes, reason)` to another copy status, inside the
/// transaction that is open, and counts them.
pub(crate) fn change_statuses(recorder: &mut Recorder) -> Result<Changed> {
    let by_depth: Vec<ChangedAtDepth> = {
        let mut statement = recorder.connection.prepare(
            "SELECT n.depth, c.was::VARCHAR, c.becomes::VARCHAR, count(*),
               coalesce(sum(n.size) FILTER (WHERE n.kind = 'file'), 0)::BIGINT
             FROM changing c
             JOIN src_nodes n ON n.id = c.id
             GROUP BY ALL
             ORDER BY ALL",
        )?;
        let mut rows = statement.query([])?;
        let mut by_depth = Vec::new();
        while let Some(row) = rows.next()? {
            let (was, is): (String, String) = (row.get(1)?, row.get(2)?);
            let (was, is) = (status(&was)?, status(&is)?);
            by_depth.push(ChangedAtDepth { depth: row.get(0)?, was, is, nodes: row.get(3)?, bytes: row.get(4)? });
        }
        by_depth
    };
    let changed = count_changes(recorder, by_depth)?;
    // Numbers that are left out do no harm; to number them without a gap takes a sort.
    let (events, last): (i64, i64) =
        recorder.connection.query_row("SELECT count(*), coalesce(max(id), 0) FROM changing", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    if events > 0 {
        recorder.connection.execute(
            "INSERT INTO src_status_events
             SELECT ? + id, id, NULL, becomes, 0, ?, ?, reason
             FROM changing",
            duckdb::params![recorder.next_seq, recorder.run, (recorder.now_ns)()],
        )?;
        recorder.next_seq += last + 1;
        recorder.uncommitted_rows += usize::try_from(events).unwrap_or(usize::MAX);
    }
    Ok(changed)
}

/// Nodes of one depth that have gone from one status to another, or have the same for another reason.
struct ChangedAtDepth {
    depth: i32,
    was: CopyStatus,
    is: CopyStatus,
    nodes: i64,
    bytes: i64,
}

/// Counts changes of status, also in the ledger's counters. Where they make work of a migration that was complete, it is in
/// review again.
fn count_changes(recorder: &mut Recorder, by_depth: impl IntoIterator<Item = ChangedAtDepth>) -> Result<Changed> {
    let mut changed = Changed::default();
    for ChangedAtDepth { depth, was, is, nodes, bytes } in by_depth {
        if was == is {
            changed.reasons += nodes;
            continue;
        }
        assert!(was.may_become(is), "a node that is {was} cannot become {is}");
        let counters = recorder.counters.change(Side::Source, depth);
        counters.count_copy_statuses(was, -nodes, -bytes);
        counters.count_copy_statuses(is, nodes, bytes);
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
    if changed.by_status.iter().any(|change| change.is == CopyStatus::Pending) {
        // What was copied, and verified perhaps, is not all any more.
        let is_copied =
            matches!(Migration::read(&recorder.connection)?.current_phase(), Phase::Verifying | Phase::Complete);
        if is_copied {
            set_phase(&recorder.connection, Phase::Review, None)?;
        }
    }
    Ok(changed)
}

fn status(text: &str) -> Result<CopyStatus> {
    let found = CopyStatus::ALL.into_iter().find(|status| status.as_str() == text);
    found.ok_or_else(|| LedgerError::Inconsistent(format!("no copy status is called {text:?}")))
}

/// Takes back the approval that counts, inside the transaction that is open. Returns whether there was one.
pub(crate) fn revoke(recorder: &Recorder) -> Result<bool> {
    let revoked = recorder.connection.execute(
        "UPDATE approvals SET revoked_ns = ? WHERE revoked_ns IS NULL",
        duckdb::params![(recorder.now_ns)()],
    )?;
    Ok(revoked > 0)
}

#[cfg(test)]
mod tests;
