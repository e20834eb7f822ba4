//! Deciding conflicts: what a person says is done instead of nothing.
//!
//! What was decided can be decided otherwise, or taken back, until it is carried out: as long as the node is pending, or
//! skipped because of it.

use duckdb::{Connection, params};
use longhaul_model::{CopyChange, CopyStatus, NodeKind, PlanAction, PolicyVerdict, ReasonCode};

use super::Editor;
use super::selection::{Selection, below};
use crate::approval::revoke;
use crate::changing::{Changed, change_statuses};
use crate::error::{LedgerError, Result};
use crate::exclusions::cover_changing;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::Writer;

/// What is done about a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Decision {
    /// The source's replaces the destination's.
    Overwrite,
    /// The source's gets another name beside it.
    KeepBoth,
    /// The destination's stays, and the source's is not copied.
    Skip,
}

impl Decision {
    /// All decisions.
    pub(crate) const ALL: [Decision; 3] = [Decision::Overwrite, Decision::KeepBoth, Decision::Skip];

    /// The word used in reasons and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Decision::Overwrite => "overwrite",
            Decision::KeepBoth => "keep-both",
            Decision::Skip => "skip",
        }
    }

    /// What it comes to, in the terms of the conflict policy.
    const fn verdict(self) -> PolicyVerdict {
        match self {
            Decision::Overwrite => PolicyVerdict::Replace,
            Decision::KeepBoth => PolicyVerdict::KeepBoth,
            Decision::Skip => PolicyVerdict::Leave,
        }
    }

    /// The action with which the ledger stores the decision.
    pub(crate) const fn action(self) -> &'static str {
        self.verdict().action(NodeKind::File).as_str()
    }

    /// The status of a node until the decision is carried out.
    const fn status(self) -> CopyStatus {
        match self {
            Decision::Overwrite | Decision::KeepBoth => CopyStatus::Pending,
            Decision::Skip => CopyStatus::Skipped,
        }
    }
}

/// Returns everything at the selected nodes and below them that is a conflict, or was one before somebody decided it, which
/// has not been carried out, as a temporary table `(id, was, decided)`.
fn find_decidable(connection: &Connection, selected: TempTable) -> Result<TempTable> {
    let is_carried_out_later = Decision::ALL.map(|decision| {
        let (status, action) = (decision.status(), decision.action());
        format!("(c.copy_status = '{status}' AND d.action = '{action}')")
    });
    let decidable = format!(
        "{below}
         SELECT b.id, c.copy_status AS was, d.action AS decided
         FROM below b
         JOIN src_current c ON c.id = b.id
         SEMI JOIN plan p ON p.src_id = b.id
         LEFT JOIN decisions d ON d.src_id = b.id
         WHERE c.copy_status = '{conflict}' OR {decided}",
        below = below(&selected),
        conflict = CopyStatus::Conflict,
        decided = is_carried_out_later.join(" OR ")
    );
    let deciding = TempTable::of(connection, "deciding", &decidable)?;
    selected.drop(connection)?;
    Ok(deciding)
}

impl Editor {
    /// Decides the conflicts among the chosen nodes and below them, those that were decided before among them. What has
    /// another kind of thing in its place can be skipped; a file or a link can also be kept beside it.
    pub fn decide(self, selection: &Selection, decision: Decision) -> Result<Changed> {
        let selected = selection.select(self.connection(), (self.now_ns)())?;
        self.in_run("decide", |writer| {
            let connection = &writer.connection;
            let deciding = find_decidable(connection, selected)?;
            refuse_impossible(connection, &deciding, decision)?;
            if deciding.count(connection)? == 0 {
                return Err(LedgerError::NothingToChange("there is no conflict to be decided".to_owned()));
            }
            connection
                .execute(&format!("DELETE FROM {deciding} WHERE decided = ?::plan_action"), [decision.action()])?;
            if deciding.count(connection)? == 0 {
                return Err(LedgerError::NothingToChange("it was decided so before".to_owned()));
            }
            decide_nodes(writer, deciding, decision)
        })
    }

    /// Takes back what was decided about the chosen nodes and those below them, as far as it has not been carried out: they
    /// are conflicts again, for the reason that they were.
    pub fn undecide(self, selection: &Selection) -> Result<Changed> {
        let selected = selection.select(self.connection(), (self.now_ns)())?;
        self.in_run("decide", |writer| {
            let connection = &writer.connection;
            let deciding = find_decidable(connection, selected)?;
            let decided: i64 =
                connection.query_row(&format!("SELECT count(decided) FROM {deciding}"), [], |row| row.get(0))?;
            if decided == 0 {
                return Err(LedgerError::NothingToChange(
                    "nothing has been decided there that could be taken back".to_owned(),
                ));
            }
            connection.execute_batch(&format!("DELETE FROM decisions WHERE src_id IN (SELECT id FROM {deciding})"))?;
            let changing = TempTable::of(
                connection,
                "changing",
                &format!(
                    "SELECT d.id, '{conflicting}' AS change, coalesce(e.reason, {place_taken}) AS reason
                     FROM {deciding} d
                     LEFT JOIN (
                       SELECT node_id, arg_max(reason, seq) AS reason
                       FROM src_status_events
                       WHERE copy_status = '{conflict}' AND node_id IN (SELECT id FROM {deciding})
                       GROUP BY node_id
                     ) e ON e.node_id = d.id
                     WHERE d.was <> '{conflict}'
                     ORDER BY d.id",
                    conflicting = CopyChange::Conflicting,
                    conflict = CopyStatus::Conflict,
                    place_taken = sql::reason(ReasonCode::PlaceTaken, &[]),
                ),
            )?;
            connection.execute_batch(&format!(
                "UPDATE plan
                 SET action = '{no_action}', reason = c.reason
                 FROM {changing} c
                 WHERE c.id = plan.src_id",
                no_action = PlanAction::Conflict,
            ))?;
            deciding.drop(connection)?;
            change_decided(writer, changing)
        })
    }
}

/// Decides the conflicts in `deciding`, inside the transaction that is open.
fn decide_nodes(writer: &mut Writer, deciding: TempTable, decision: Decision) -> Result<Changed> {
    let connection = &writer.connection;
    connection.execute(&format!("DELETE FROM decisions WHERE src_id IN (SELECT id FROM {deciding})"), [])?;
    connection.execute(
        &format!(
            "INSERT INTO decisions
             SELECT id, ?::plan_action, ?, ?
             FROM {deciding}"
        ),
        params![decision.action(), writer.run, (writer.now_ns)()],
    )?;
    let reason = sql::reason(ReasonCode::Decided, &[&sql::quoted(decision.as_str())]);
    connection.execute_batch(&format!(
        "UPDATE plan
         SET action = {action}, reason = {reason}
         FROM (SELECT id, kind FROM src_nodes WHERE id IN (SELECT id FROM {deciding})) n
         WHERE n.id = plan.src_id",
        action = sql::by_kind("n", |kind| decision.verdict().action(kind)),
    ))?;
    // What is to be copied after all is pending, and no more than that.
    let (change, reason) = match decision {
        Decision::Skip => (sql::quoted(CopyChange::NotCarriedOver.as_str()), reason.as_str()),
        Decision::Overwrite | Decision::KeepBoth => ("NULL".to_owned(), "NULL"),
    };
    let changing = TempTable::of(
        connection,
        "changing",
        &format!(
            "SELECT id, {change}::VARCHAR AS change, {reason}::VARCHAR AS reason
             FROM {deciding}
             ORDER BY id"
        ),
    )?;
    deciding.drop(connection)?;
    cover_changing(connection, &changing)?;
    change_decided(writer, changing)
}

/// Decides the conflicts among the nodes in `selected` and below them, those for which that is possible, inside the
/// transaction that is open.
pub(crate) fn decide_selected(writer: &mut Writer, selected: TempTable, decision: Decision) -> Result<Changed> {
    let connection = &writer.connection;
    let deciding = find_decidable(connection, selected)?;
    if let Some(impossible) = impossible(decision) {
        connection.execute_batch(&format!(
            "DELETE FROM {deciding}
             WHERE id IN (
               SELECT d.id
               FROM {deciding} d
               JOIN plan p ON p.src_id = d.id
               JOIN src_nodes s ON s.id = d.id
               WHERE {impossible}
             )"
        ))?;
    }
    decide_nodes(writer, deciding, decision)
}

/// Changes the statuses that follow from what was decided, or is not decided any more, and revokes an approval.
fn change_decided(writer: &mut Writer, changing: TempTable) -> Result<Changed> {
    let mut changed = change_statuses(writer, &changing, CopyChange::Decided)?;
    changed.revoked = revoke(writer)?;
    changing.drop(&writer.connection)?;
    Ok(changed)
}

/// What cannot be decided so, as a condition on a node `s` and its row `p` of the plan: only a file or link that has one of its
/// kind in its place replaces that, and a folder cannot be kept beside anything, nor what is in a folder that has no place.
fn impossible(decision: Decision) -> Option<String> {
    match decision {
        Decision::Skip => None,
        Decision::Overwrite => Some("p.dst_id IS NULL".to_owned()),
        Decision::KeepBoth => Some(format!(
            "NOT {is_file_or_link} OR s.parent_id IN (
               SELECT id
               FROM src_current
               WHERE {awaits_decision}
             )",
            is_file_or_link = sql::is_kind("s.kind", NodeKind::is_file_or_link),
            awaits_decision = sql::is_status("copy_status", CopyStatus::awaits_decision),
        )),
    }
}

/// Refuses to decide what cannot be decided so.
fn refuse_impossible(connection: &Connection, deciding: &TempTable, decision: Decision) -> Result<()> {
    let Some(impossible) = impossible(decision) else { return Ok(()) };
    let (nodes, first): (i64, Option<String>) = connection.query_row(
        &format!(
            "SELECT count(*), min(s.path)
             FROM {deciding} d
             JOIN plan p ON p.src_id = d.id
             JOIN src_status s ON s.id = d.id
             WHERE {impossible}"
        ),
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Some(path) = first else { return Ok(()) };
    Err(match decision {
        Decision::KeepBoth => LedgerError::CannotBeKept { path, others: nodes - 1 },
        Decision::Overwrite | Decision::Skip => LedgerError::CannotOverwrite { path, others: nodes - 1 },
    })
}
