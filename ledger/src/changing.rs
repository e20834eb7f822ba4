//! Changes to copy statuses for a person, and what they come to.

use longhaul_model::{CopyChange, CopyStatus, Phase};

use crate::error::Result;
use crate::events::{ChangedAtDepth, CopyChanges, SAME_NOW};
use crate::migration::{Migration, set_phase};
use crate::temp::TempTable;
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

/// Changes the copy statuses of the nodes in `changing` (see [`CopyChanges`]), inside the transaction that is open, and
/// sums up what changed. `reopened_by` is what reopens those that are settled. `matches` must be as it was before.
pub(crate) fn change_statuses(writer: &mut Writer, changing: &TempTable, reopened_by: CopyChange) -> Result<Changed> {
    let nodes = format!("FROM {changing}");
    let set = CopyChanges { nodes: &nodes, reopened_by: Some(reopened_by), same_before: SAME_NOW };
    let changed = writer.change_copies(&set)?;
    sum_up(writer, &changed)
}

/// Sums up changes of copy statuses. Where they make work of a migration that was complete, it is in review again.
pub(crate) fn sum_up(writer: &Writer, by_depth: &[ChangedAtDepth]) -> Result<Changed> {
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
