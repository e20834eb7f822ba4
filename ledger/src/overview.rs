//! Where a migration stands: what `status` shows, and what a run ends with.

use duckdb::Connection;
use longhaul_model::{BySide, Phase};

use crate::counters::{Counters, DepthCounters};
use crate::error::{LedgerError, Result};
use crate::marks::Marks;
use crate::migration::{Migration, Run};
use crate::sweeping::SweepSummary;
use crate::verification::Verified;

/// Problems that an overview names; the view `problems` has all of them.
pub const PROBLEMS_MAX: usize = 10;

/// Where a migration stands, in numbers.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What it is about, and its phase.
    pub migration: Migration,
    /// The whole of each side.
    pub totals: BySide<Counters>,
    /// Of the source nodes that are in conflict, those that the plan did not have as such: the destination has changed
    /// since.
    pub late_conflicts: i64,
    /// All runs, the first one first.
    pub runs: Vec<Run>,
    /// What the last verification has come to.
    pub verified: Verified,
    /// The last sweep, if there has been any.
    pub sweep: Option<SweepSummary>,
    /// How many problems there are.
    pub problem_count: i64,
    /// The first [`PROBLEMS_MAX`] of them, by side and path.
    pub problems: Vec<Problem>,
}

/// A row of the view `problems`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// `src` or `dst`.
    pub side: String,
    /// From the root of that side.
    pub path: String,
    /// In which phase it happened.
    pub phase: Phase,
    /// Its class.
    pub class: String,
    /// What happened, for people.
    pub message: String,
    /// How many attempts were made.
    pub attempts: i64,
}

impl Overview {
    /// Reads it.
    pub(crate) fn read(connection: &Connection) -> Result<Overview> {
        let errors: i64 = connection.query_row(
            "SELECT (SELECT count(*) FROM errors) + (SELECT count(*) FROM differences)",
            [],
            |row| row.get(0),
        )?;
        // The view goes through all nodes; without an error there is nothing in it.
        let (problem_count, problems) = if errors == 0 {
            (0, Vec::new())
        } else {
            let count = connection.query_row("SELECT count(*) FROM problems", [], |row| row.get(0))?;
            (count, read_problems(connection, PROBLEMS_MAX)?)
        };
        let totals = DepthCounters::read(connection)?.totals();
        let late_conflicts = if totals.src.conflicts == 0 {
            0
        } else {
            let sql = "SELECT count(*) FROM plan WHERE action = 'conflict'";
            let planned: i64 = connection.query_row(sql, [], |row| row.get(0))?;
            (totals.src.conflicts - planned).max(0)
        };
        Ok(Overview {
            migration: Migration::read(connection)?,
            totals,
            late_conflicts,
            runs: Run::read_all(connection)?,
            verified: Marks::read(connection)?.verified,
            sweep: SweepSummary::read(connection)?,
            problem_count,
            problems,
        })
    }
}

/// The first `limit` problems, by side and path.
pub(crate) fn read_problems(connection: &Connection, limit: usize) -> Result<Vec<Problem>> {
    let mut statement = connection.prepare(
        "SELECT side::VARCHAR, path, phase::VARCHAR, coalesce(class::VARCHAR, 'different'), message, attempts
         FROM problems
         ORDER BY side, path
         LIMIT ?",
    )?;
    let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
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
