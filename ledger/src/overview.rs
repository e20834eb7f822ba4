//! Where a migration stands: what `status` shows, and what a run ends with.

mod last_sweep;

use duckdb::Connection;
use longhaul_model::{BySide, CopyStatus, Phase, PlanAction, Side};

use crate::counters::{Counters, DepthCounters};
use crate::error::{LedgerError, Result};
use crate::marks::Marks;
use crate::marks::Verified;
use crate::migration::{Migration, Run};
use crate::pace::{PaceRow, read_last};
use crate::retry_marks::{Marked, marked};
use crate::sql;
use crate::words::ProblemKind;

pub use last_sweep::{SweepFound, SweepSummary};

/// Problems that an overview names; the view `problems` has all of them.
const PROBLEMS_MAX: usize = 10;

/// Where a migration stands, in numbers.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Overview {
    /// What it is about, and its phase.
    pub migration: Migration,
    /// The whole of each side.
    pub totals: BySide<Counters>,
    /// Of the source nodes that are in conflict, those that the plan did not have as such: the destination has changed
    /// since.
    pub late_conflicts: i64,
    /// Once the plan is carried out: source nodes that it was to bring to the destination, and that are not there, because
    /// they were gone, or because of what was in their place.
    pub left_undone: i64,
    /// All runs, the first one first.
    pub runs: Vec<Run>,
    /// What the last verification has come to.
    pub verified: Verified,
    /// The last sweep, if there has been any.
    pub sweep: Option<SweepSummary>,
    /// What is marked for retry.
    pub marked: Marked,
    /// At what pace the stores were asked last, by kind of calls; empty where nothing held it back or drove it on.
    pub pace: Vec<PaceRow>,
    /// How many problems there are.
    pub problem_count: i64,
    /// The first few of them, by side and in the order in which they were found.
    pub problems: Vec<Problem>,
}

/// A row of the view `problems`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Problem {
    /// `src` or `dst`.
    pub side: String,
    /// From the root of that side.
    pub path: String,
    /// In which phase it happened.
    pub phase: Phase,
    /// Its class; `None` for what failed because of the folder that it is in.
    pub class: Option<String>,
    /// What happened, for people.
    pub message: String,
    /// How many attempts were made.
    pub attempts: i64,
}

impl Overview {
    /// Reads it.
    pub(crate) fn read(connection: &Connection) -> Result<Overview> {
        let problem_count = count_problems(connection)?;
        let problems = if problem_count == 0 { Vec::new() } else { read_problems(connection, PROBLEMS_MAX)? };
        let totals = DepthCounters::read(connection)?.totals();
        let late_conflicts = if totals.src.conflicts == 0 {
            0
        } else {
            let sql = format!("SELECT count(*) FROM plan WHERE action = '{}'", PlanAction::Conflict);
            let planned: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
            (totals.src.conflicts - planned).max(0)
        };
        let migration = Migration::read(connection)?;
        let left_undone = if migration.current_phase().is_copied() { count_left_undone(connection)? } else { 0 };
        Ok(Overview {
            migration,
            totals,
            late_conflicts,
            left_undone,
            runs: Run::read_all(connection)?,
            verified: Marks::read(connection)?.verified,
            sweep: SweepSummary::read(connection)?,
            marked: marked(connection)?,
            pace: read_last(connection)?,
            problem_count,
            problems,
        })
    }

    /// Whether there are folders that could not be listed, nodes that are not what they should be, or any that were to be
    /// moved and are not there: because they failed, or were gone; because of what was in their place, which may be
    /// new since the plan was made; and, once the plan is carried out, conflicts that were left as they are.
    pub fn needs_attention(&self) -> bool {
        let BySide { src, dst } = &self.totals;
        let conflicts = if self.migration.current_phase().is_copied() { src.conflicts } else { 0 };
        let amiss = [
            src.folders_failed,
            dst.folders_failed,
            src.copy_failed,
            self.late_conflicts,
            self.left_undone,
            conflicts,
            self.verified.differences,
        ];
        amiss.into_iter().any(|nodes| nodes > 0)
    }
}

/// How many nodes the plan was to bring over that are not there. What it left to be compared may be skipped by the policy,
/// as planned.
fn count_left_undone(connection: &Connection) -> Result<i64> {
    let sql = format!(
        "SELECT count(*)
         FROM plan p
         JOIN (SELECT id, copy_status FROM src_current WHERE {is_left_undone}) c ON c.id = p.src_id
         WHERE {is_work} AND (p.action <> '{compare}' OR c.copy_status <> '{skipped}')",
        is_left_undone = sql::is_status("copy_status", CopyStatus::is_left_undone),
        is_work = sql::is_work("p.action"),
        compare = PlanAction::Compare,
        skipped = CopyStatus::Skipped,
    );
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

/// The nodes that are in the view `problems`, without what is said of them: `side, id`. There may be millions of them, and
/// a run that ends has little memory.
fn with_problems() -> String {
    let of_side = |side: Side| {
        let (name, has_failed) = (side.prefix(), sql::has_failed(side, "l"));
        format!("SELECT '{name}'::side AS side, id FROM {name}_latest l WHERE {has_failed}")
    };
    Side::BOTH.map(of_side).join(" UNION ALL ")
}

/// How many rows the view `problems` has.
fn count_problems(connection: &Connection) -> Result<i64> {
    // Mostly there are none, and to look for the nodes that they may be about takes much longer than to find that out. What
    // has no error failed with a folder that has one.
    let sql = "SELECT (SELECT count(*) FROM errors) + (SELECT count(*) FROM differences)";
    if connection.query_row(sql, [], |row| row.get::<_, i64>(0))? == 0 {
        return Ok(0);
    }
    let sql = format!("SELECT (SELECT count(*) FROM ({})) + (SELECT count(*) FROM differences)", with_problems());
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
}

/// The first `limit` problems, by side and in the order in which their nodes were found.
pub(crate) fn read_problems(connection: &Connection, limit: usize) -> Result<Vec<Problem>> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let chosen = format!("{} ORDER BY side, id LIMIT {limit}", with_problems());
    let path = sql::path("n", "f");
    let mut problems = Vec::new();
    for side in Side::BOTH {
        let reason = match side {
            Side::Source => sql::sentence("coalesce(l.copy_error, l.traversal_error)"),
            Side::Destination => sql::sentence("l.traversal_error"),
        };
        let side = side.prefix();
        let mut statement = connection.prepare(&format!(
            "WITH chosen AS ({chosen}),
             last_errors AS (
               SELECT node_id AS id, arg_max(phase, at_ns) AS phase, arg_max(class, at_ns) AS class,
                 arg_max(message, at_ns) AS message, arg_max(attempts, at_ns) AS attempts
               FROM errors
               WHERE side = '{side}' AND node_id IN (SELECT id FROM chosen WHERE side = '{side}')
               GROUP BY node_id
             )
             SELECT '{side}', {path}, coalesce(e.phase, '{copying}')::VARCHAR, e.class::VARCHAR,
               coalesce(e.message, {reason}, ''), coalesce(e.attempts, 0)
             FROM (
               FROM {side}_nodes
               WHERE id IN (SELECT id FROM chosen WHERE side = '{side}')
             ) n
             LEFT JOIN last_errors e USING (id)
             LEFT JOIN (
               FROM {side}_latest
               WHERE id IN (SELECT id FROM chosen WHERE side = '{side}')
             ) l USING (id)
             LEFT JOIN {side}_folders f ON f.id = n.parent_id
             ORDER BY n.id",
            copying = Phase::Copying,
        ))?;
        problems.extend(rows_of(&mut statement)?);
    }
    let left = limit - i64::try_from(problems.len()).unwrap_or(i64::MAX);
    let mut statement = connection.prepare(&format!(
        "WITH chosen AS (FROM differences ORDER BY src_id LIMIT {left})
         SELECT '{dst}', {path}, '{verifying}', '{different}', chosen.message, 1
         FROM chosen
         JOIN (FROM src_nodes WHERE id IN (SELECT src_id FROM chosen)) n ON n.id = chosen.src_id
         LEFT JOIN src_folders f ON f.id = n.parent_id
         ORDER BY n.id",
        dst = Side::Destination.prefix(),
        verifying = Phase::Verifying,
        different = ProblemKind::Different.as_str(),
    ))?;
    problems.extend(rows_of(&mut statement)?);
    Ok(problems)
}

fn rows_of(statement: &mut duckdb::Statement<'_>) -> Result<Vec<Problem>> {
    let mut rows = statement.query([])?;
    let mut problems = Vec::new();
    while let Some(row) = rows.next()? {
        let phase: String = row.get(2)?;
        problems.push(Problem {
            side: row.get(0)?,
            path: row.get(1)?,
            phase: phase.parse().map_err(|error| LedgerError::Inconsistent(format!("{error}")))?,
            class: row.get(3)?,
            message: row.get(4)?,
            attempts: row.get(5)?,
        });
    }
    Ok(problems)
}
