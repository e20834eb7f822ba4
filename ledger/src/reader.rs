//! Reading a ledger that nobody is writing.

use std::path::Path;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use longhaul_model::{BySide, Phase};

use crate::counters::{Counters, DepthCounters};
use crate::error::{LedgerError, Result};
use crate::migration::{Migration, Run};
use crate::opening;

/// An open ledger that is only read.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

/// Where a migration stands, in numbers.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What it is about, and its phase.
    pub migration: Migration,
    /// The whole of each side.
    pub totals: BySide<Counters>,
    /// All runs, the first one first.
    pub runs: Vec<Run>,
    /// How many problems there are.
    pub problem_count: i64,
    /// The first of them.
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

/// The result of a query, as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The rows; `None` where the value is NULL.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Reader {
    /// Opens a ledger for reading. Nothing in it is changed.
    pub fn open(path: &Path) -> Result<Reader> {
        Ok(Reader { connection: opening::open_read_only(path)? })
    }

    /// What it is about and where it stands.
    pub fn migration(&self) -> Result<Migration> {
        Migration::read(&self.connection)
    }

    /// The counters as they were written.
    pub fn counters(&self) -> Result<DepthCounters> {
        DepthCounters::read(&self.connection)
    }

    /// The counters, counted again from the nodes, matches and events. Reads everything.
    pub fn recount(&self) -> Result<DepthCounters> {
        DepthCounters::recount(&self.connection)
    }

    /// Everything that `status` shows, with the first `problems_max` problems.
    pub fn overview(&self, problems_max: usize) -> Result<Overview> {
        let failed_or_not: i64 = self.connection.query_row("SELECT count(*) FROM errors", [], |row| row.get(0))?;
        let (problem_count, problems) = if failed_or_not == 0 {
            (0, Vec::new())
        } else {
            (
                self.connection.query_row("SELECT count(*) FROM problems", [], |row| row.get(0))?,
                self.problems(problems_max)?,
            )
        };
        Ok(Overview {
            migration: self.migration()?,
            totals: self.counters()?.totals(),
            runs: Run::read_all(&self.connection)?,
            problem_count,
            problems,
        })
    }

    /// The first `limit` problems, by side and path.
    pub fn problems(&self, limit: usize) -> Result<Vec<Problem>> {
        let mut statement = self.connection.prepare(
            "SELECT side::VARCHAR, path, phase::VARCHAR, class::VARCHAR, message, attempts
             FROM problems
             ORDER BY side, path
             LIMIT ?",
        )?;
        let rows = statement.query_map([i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok((
                Problem {
                    side: row.get(0)?,
                    path: row.get(1)?,
                    phase: Phase::Created,
                    class: row.get(3)?,
                    message: row.get(4)?,
                    attempts: row.get(5)?,
                },
                row.get::<_, String>(2)?,
            ))
        })?;
        rows.map(|row| {
            let (problem, phase) = row?;
            let phase = phase.parse().map_err(|error| LedgerError::Inconsistent(format!("{error}")))?;
            Ok(Problem { phase, ..problem })
        })
        .collect()
    }

    /// Runs any statement that reads, and returns its whole result as text.
    pub fn query(&self, sql: &str) -> Result<Table> {
        let wrong = |error: &dyn std::fmt::Display| LedgerError::Query(error.to_string());
        let mut statement = self.connection.prepare(sql).map_err(|error| wrong(&error))?;
        let batches: Vec<RecordBatch> = statement.query_arrow([]).map_err(|error| wrong(&error))?.collect();
        let columns = statement.column_names();
        let options = FormatOptions::default();
        let mut rows = Vec::new();
        for batch in &batches {
            let formatters = batch
                .columns()
                .iter()
                .map(|column| ArrayFormatter::try_new(column.as_ref(), &options))
                .collect::<std::result::Result<Vec<_>, _>>()?;
            for row in 0..batch.num_rows() {
                rows.push(
                    batch
                        .columns()
                        .iter()
                        .zip(&formatters)
                        .map(|(column, formatter)| column.is_valid(row).then(|| formatter.value(row).to_string()))
                        .collect(),
                );
            }
        }
        Ok(Table { columns, rows })
    }
}
