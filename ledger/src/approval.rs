//! Approving the plan: from then on it is known by its hash, and any change to it needs a new approval.

use duckdb::arrow::array::AsArray;
use duckdb::{Connection, params};
use longhaul_model::{Phase, Side};

use crate::counters::DepthCounters;
use crate::error::{LedgerError, Result};
use crate::migration::Migration;
use crate::sql::{self, RANGE_IDS};
use crate::writer::Writer;

/// A plan that somebody has approved.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Approval {
    /// BLAKE3 over what is to be done, and with what settings, in hexadecimal digits.
    pub hash: String,
    /// Nodes that are to be brought to the destination.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
    /// Conflicts that were left open knowingly.
    pub conflicts: i64,
    /// Nanoseconds since 1970.
    pub at_ns: i64,
}

/// The approval that counts, if there is one.
pub(crate) fn plan_approval(connection: &Connection) -> Result<Option<Approval>> {
    let mut statement = connection.prepare(
        "SELECT hash, nodes, bytes, conflicts, at_ns
         FROM approvals
         WHERE revoked_ns IS NULL
         ORDER BY at_ns DESC
         LIMIT 1",
    )?;
    let approval = statement
        .query_map([], |row| {
            Ok(Approval {
                hash: row.get(0)?,
                nodes: row.get(1)?,
                bytes: row.get(2)?,
                conflicts: row.get(3)?,
                at_ns: row.get(4)?,
            })
        })?
        .next()
        .transpose()?;
    Ok(approval)
}

/// Whether what is to be done is what somebody has approved. The events must have been folded.
pub(crate) fn is_approved(connection: &Connection) -> Result<bool> {
    Ok(match plan_approval(connection)? {
        None => false,
        // Of a plan that is being carried out, some is done.
        Some(_) if Migration::read(connection)?.phase != Phase::Review => true,
        Some(approval) => plan_hash(connection)? == approval.hash,
    })
}

/// Approves the plan as it is, inside the transaction that is open.
pub(crate) fn approve(writer: &Writer, leave_conflicts: bool) -> Result<Approval> {
    let totals = writer.counters().totals()[Side::Source];
    if totals.conflicts > 0 && !leave_conflicts {
        return Err(LedgerError::OpenConflicts(totals.conflicts));
    }
    let approval = Approval {
        hash: plan_hash(&writer.connection)?,
        nodes: totals.copy_pending(),
        bytes: totals.copy_pending_bytes(),
        conflicts: totals.conflicts,
        at_ns: (writer.now_ns)(),
    };
    revoke(writer)?;
    writer.connection.execute(
        "INSERT INTO approvals
         VALUES (?, ?, ?, ?, ?, ?, NULL)",
        params![approval.hash, approval.nodes, approval.bytes, approval.conflicts, writer.run, approval.at_ns],
    )?;
    Ok(approval)
}

/// Refuses a ledger in which something is marked for retry, which would change its plan.
pub(crate) fn refuse_marked(connection: &Connection) -> Result<()> {
    let marked: i64 = connection.query_row("SELECT count(*) FROM marks", [], |row| row.get(0))?;
    if marked > 0 { Err(LedgerError::Marked(marked)) } else { Ok(()) }
}

/// Takes back the approval that counts, inside the transaction that is open. Returns whether there was one.
pub(crate) fn revoke(writer: &Writer) -> Result<bool> {
    let revoked = writer
        .connection
        .execute("UPDATE approvals SET revoked_ns = ? WHERE revoked_ns IS NULL", params![(writer.now_ns)()])?;
    Ok(revoked > 0)
}

/// How a run comes by the approval of what it is to carry out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approving {
    /// Somebody must have given it before.
    #[default]
    Before,
    /// The plan is approved as it is, unless there are open conflicts.
    Now,
    /// The plan is approved as it is; open conflicts are left as they are.
    NowWithConflicts,
}

/// Refuses to carry out a plan that is not approved, or that is another one than was approved. The events must
/// have been folded if there is an approval.
pub(crate) fn require_approval(connection: &Connection, phase: Phase, approving: Approving) -> Result<()> {
    refuse_marked(connection)?;
    match plan_approval(connection)? {
        Some(approval) if phase == Phase::Review => {
            // It can differ only where the tables were written by hand.
            if plan_hash(connection)? == approval.hash { Ok(()) } else { Err(LedgerError::OtherPlan) }
        }
        Some(_) => Ok(()),
        None => match (approving, DepthCounters::read(connection)?.totals().src.conflicts) {
            (Approving::Before, _) => Err(LedgerError::NotApproved),
            (Approving::Now, conflicts @ 1..) => Err(LedgerError::OpenConflicts(conflicts)),
            (Approving::Now | Approving::NowWithConflicts, _) => Ok(()),
        },
    }
}

/// Notes which approved plan this run carries out, inside the transaction that is open. It is approved now where that has
/// not been done before: [`require_approval`] has looked whether that may be.
pub(crate) fn note_plan(writer: &Writer) -> Result<Approval> {
    let approval = match plan_approval(&writer.connection)? {
        Some(approval) => approval,
        None => approve(writer, true)?,
    };
    writer.connection.execute("UPDATE runs SET plan_hash = ? WHERE run = ?", params![approval.hash, writer.run])?;
    Ok(approval)
}

/// The hash of what is to be done: one line for the migration and its settings, and one for each item that is pending,
/// in id order, with what it is, what it replaces, and the name that it gets.
pub(crate) fn plan_hash(connection: &Connection) -> Result<String> {
    let spec = Migration::read(connection)?.spec;
    let mut hasher = blake3::Hasher::new();
    let settings = serde_json::to_string(&spec.settings).expect("settings are plain data");
    for line in [&spec.source, &spec.destination, &settings] {
        hasher.update(line.as_bytes()).update(b"\n");
    }
    let last: i64 = connection.query_row("SELECT coalesce(max(src_id), 0) FROM plan", [], |row| row.get(0))?;
    let mut statement = connection.prepare(&format!(
        "SELECT concat_ws(chr(9), p.src_id, p.action, n.parent_id, n.kind, coalesce(n.size::VARCHAR, ''),
           coalesce(n.modified_ns::VARCHAR, ''), coalesce(p.dst_id::VARCHAR, ''), n.name, coalesce(r.name, ''))
         FROM plan p
         JOIN src_nodes n ON n.id = p.src_id
         LEFT JOIN (FROM renames WHERE src_id >= ? AND src_id < ?) r ON r.src_id = p.src_id
         ANTI JOIN (
           SELECT id
           FROM src_latest
           WHERE id >= ? AND id < ? AND {is_settled}
         ) done ON done.id = p.src_id
         WHERE p.src_id >= ? AND p.src_id < ? AND n.id >= ? AND n.id < ?
           AND {is_work}
         ORDER BY p.src_id",
        is_settled = sql::is_settled("copy_status"),
        is_work = sql::is_work("p.action")
    ))?;
    let mut start = 0;
    while start <= last {
        let end = start + RANGE_IDS;
        for batch in statement.query_arrow(params![start, end, start, end, start, end, start, end])? {
            for line in batch.column(0).as_string::<i32>().iter().flatten() {
                hasher.update(line.as_bytes()).update(b"\n");
            }
        }
        start = end;
    }
    Ok(hasher.finalize().to_hex().to_string())
}
