//! Reading a ledger that nobody is writing.

use std::path::Path;

use duckdb::Connection;
use duckdb::arrow::array::RecordBatch;
use duckdb::arrow::util::display::{ArrayFormatter, FormatOptions};
use longhaul_model::Side;
use longhaul_naming::RuleSet;

use crate::approval::{Approval, plan_approval};
use crate::counters::DepthCounters;
use crate::error::{LedgerError, Result};
use crate::linting::{self, Linted, lint};
use crate::migration::Migration;
use crate::opening;
use crate::overview::{Overview, Problem, read_problems};
use crate::plan::{PlanFilter, PlanTotal, plan_totals};
use crate::retry_marks::{Marked, marked};
use crate::review::find::{self, FindPage, FindQuery};
use crate::review::paths;
use crate::review::tree::{self, TreePage, TreeQuery};
use crate::sql::quoted;

/// An open ledger that is only read.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
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

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
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

    /// Everything that `status` shows.
    pub fn overview(&self) -> Result<Overview> {
        Overview::read(&self.connection)
    }

    /// The first `limit` problems, by side and path.
    pub fn problems(&self, limit: usize) -> Result<Vec<Problem>> {
        read_problems(&self.connection, limit)
    }

    /// Looks at all names that are still to be brought to the destination, by its own rules or by others. What comes of it is
    /// what is found at the printable path `under` and below it, or anywhere. Discovery must be complete.
    pub fn lint(&self, rules: Option<RuleSet>, under: Option<&str>) -> Result<Linted<'_>> {
        // What is read otherwise takes little; this is to go to disk before it takes much.
        self.connection().execute_batch(&format!("SET memory_limit = '{}MiB'", linting::MEMORY_MIB))?;
        lint(self.connection(), rules, under)
    }

    /// What is marked for retry.
    pub fn marked(&self) -> Result<Marked> {
        marked(&self.connection)
    }

    /// The approval of the plan that counts, if there is one.
    pub fn approval(&self) -> Result<Option<Approval>> {
        plan_approval(&self.connection)
    }

    /// What the plan comes to, by action.
    pub fn plan_totals(&self) -> Result<Vec<PlanTotal>> {
        plan_totals(&self.connection)
    }

    /// The items of the plan that somebody wants to see, by path.
    pub fn plan_items(&self, filter: &PlanFilter) -> Result<Table> {
        let (sql, parameters) = filter.to_sql();
        self.query_with(&sql, parameters)
    }

    /// Refuses a path that somebody has typed and that one side has nothing at, so that a mistake is not taken for a folder
    /// with nothing in it. Returns it without what changes nothing: slashes at the end, and several in a row.
    pub fn require_path(&self, side: Side, path: &str) -> Result<String> {
        Ok(paths::require(&self.connection, side, path)?.0)
    }

    /// A page of the nodes that meet a condition.
    pub fn find(&self, query: &FindQuery) -> Result<FindPage> {
        find::find(&self.connection, query)
    }

    /// A part of both trees, merged.
    pub fn tree(&self, query: &TreeQuery) -> Result<TreePage> {
        tree::tree(&self.connection, query)
    }

    /// Runs one statement that selects, and returns its whole result as text. It reads the ledger and nothing else.
    pub fn query(&self, sql: &str) -> Result<Table> {
        // This function of DuckDB's takes no other statement, and no second one behind it.
        self.query_with(&format!("FROM query({})", quoted(sql)), []).map_err(|error| match error {
            LedgerError::Query(reason) if reason.contains("Expected a single SELECT statement") => LedgerError::Query(
                "one statement that selects is wanted (SELECT, FROM, WITH, DESCRIBE, SUMMARIZE): a ledger is only read"
                    .to_owned(),
            ),
            other => other,
        })
    }

    fn query_with<const N: usize>(&self, sql: &str, parameters: [Option<String>; N]) -> Result<Table> {
        let wrong = |error: &dyn std::fmt::Display| LedgerError::Query(error.to_string());
        let mut statement = self.connection.prepare(sql).map_err(|error| wrong(&error))?;
        let parameters = duckdb::params_from_iter(parameters);
        let batches: Vec<RecordBatch> = statement.query_arrow(parameters).map_err(|error| wrong(&error))?.collect();
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
