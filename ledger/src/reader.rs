//! Reading a ledger that nobody is writing.

use std::path::Path;

use duckdb::Connection;
use duckdb::arrow::array::{Array, RecordBatch};
use duckdb::arrow::compute::concat_batches;
use duckdb::arrow::datatypes::SchemaRef;
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
use crate::temp::TempTable;

/// Memory for the result of a user's query.
const SELECT_MEMORY_MIB: u32 = 1_024;

/// Rows of a page of such a result. With the longest paths they are some thirty megabytes.
const SELECT_ROWS: i64 = 8_192;

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
        self.query_with(&only_selecting(sql), []).map_err(explain_selecting)
    }

    /// Runs one statement that selects, and gives its result a page at a time. What does not fit into memory goes to a
    /// temporary file beside the ledger.
    pub fn select(&self, sql: &str) -> Result<Selected<'_>> {
        self.connection.execute_batch(&format!("SET memory_limit = '{SELECT_MEMORY_MIB}MiB'"))?;
        Selected::of(&self.connection, sql)
    }

    fn query_with<const N: usize>(&self, sql: &str, parameters: [Option<String>; N]) -> Result<Table> {
        let wrong = |error: &dyn std::fmt::Display| LedgerError::Query(error.to_string());
        let mut statement = self.connection.prepare(sql).map_err(|error| wrong(&error))?;
        let parameters = duckdb::params_from_iter(parameters);
        let batches: Vec<RecordBatch> = statement.query_arrow(parameters).map_err(|error| wrong(&error))?.collect();
        let columns = statement.column_names();
        let rows = batches.iter().map(text_of).collect::<Result<Vec<_>>>()?;
        Ok(Table { columns, rows: rows.into_iter().flatten().collect() })
    }
}

/// A statement that gives what `sql` does: this function of DuckDB's takes no statement but one that selects, and no second
/// one behind it.
fn only_selecting(sql: &str) -> String {
    format!("FROM query({})", quoted(sql))
}

fn explain_selecting(error: LedgerError) -> LedgerError {
    match error {
        LedgerError::Query(reason) if reason.contains("Expected a single SELECT statement") => LedgerError::Query(
            "one statement that selects is wanted (SELECT, FROM, WITH, DESCRIBE, SUMMARIZE): a ledger is only read"
                .to_owned(),
        ),
        // What follows shows a place in the statement that the query is put into, which the user did not type.
        LedgerError::Query(reason) => {
            LedgerError::Query(reason.split("\n\nLINE ").next().unwrap_or_default().trim_end().to_owned())
        }
        other => other,
    }
}

/// The rows of a part of a result, as text; `None` where the value is NULL.
pub fn text_of(batch: &RecordBatch) -> Result<Vec<Vec<Option<String>>>> {
    let options = FormatOptions::default();
    let formatters = batch.columns().iter().map(|column| ArrayFormatter::try_new(column.as_ref(), &options));
    let formatters = formatters.collect::<std::result::Result<Vec<_>, _>>()?;
    let value = |row: usize, column: usize| {
        batch.column(column).is_valid(row).then(|| formatters[column].value(row).to_string())
    };
    Ok((0..batch.num_rows()).map(|row| (0..batch.num_columns()).map(|column| value(row, column)).collect()).collect())
}

/// The result of a statement that selects, in pages of some thousand rows.
#[derive(Debug)]
pub struct Selected<'a> {
    connection: &'a Connection,
    rows: TempTable,
    schema: SchemaRef,
    next: i64,
}

impl<'a> Selected<'a> {
    fn of(connection: &'a Connection, sql: &str) -> Result<Selected<'a>> {
        let wrong = |error: LedgerError| match error {
            LedgerError::Database(reason) => LedgerError::Query(reason),
            other => other,
        };
        let rows = TempTable::of(connection, "asked_for", &only_selecting(sql))
            .map_err(|error| explain_selecting(wrong(error)))?;
        let schema = connection.prepare(&format!("FROM {rows} LIMIT 0"))?.query_arrow([])?.get_schema();
        // A column of this name would hide the number of a row.
        if schema.fields().iter().any(|field| field.name().eq_ignore_ascii_case("rowid")) {
            connection.execute_batch(&format!("ALTER TABLE temp.{rows} RENAME COLUMN rowid TO \"its own rowid\""))?;
        }
        Ok(Selected { connection, rows, schema, next: 0 })
    }

    /// The names and types of its columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next page; `None` at the end.
    fn next_page(&mut self) -> Result<Option<RecordBatch>> {
        let sql = format!("FROM {} WHERE rowid >= ? AND rowid < ?", self.rows);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let batches: Vec<_> = statement.query_arrow([self.next, self.next + SELECT_ROWS])?.collect();
        self.next += SELECT_ROWS;
        let page = concat_batches(batches.first().map_or(&self.schema, RecordBatch::schema_ref), &batches)?;
        // With the names as they were asked for.
        let page = RecordBatch::try_new(self.schema.clone(), page.columns().to_vec())?;
        Ok(Some(page).filter(|page| page.num_rows() > 0))
    }
}

impl Iterator for Selected<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_page().transpose()
    }
}
