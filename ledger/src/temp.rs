//! Temporary tables: of one connection, and never in the file or its log.
//!
//! Whoever needs one makes it, lends it to whatever fills or reads it, and drops it. Where something fails it may be left
//! behind: the next one of its name takes its place.

use std::fmt;

use duckdb::Connection;

use crate::error::Result;
use crate::rows::{Rows, flush_temporary};

/// A temporary table, which a statement names by printing this.
#[derive(Debug)]
#[must_use = "nothing else knows that it is there"]
pub(crate) struct TempTable {
    name: &'static str,
}

impl TempTable {
    /// One without rows. `columns` are given as SQL: `id BIGINT, name VARCHAR`.
    pub(crate) fn empty(connection: &Connection, name: &'static str, columns: &str) -> Result<TempTable> {
        connection.execute_batch(&format!("CREATE OR REPLACE TEMP TABLE {name} ({columns})"))?;
        Ok(TempTable { name })
    }

    /// One with what a query gives, which may read the one that it takes the place of.
    pub(crate) fn of(connection: &Connection, name: &'static str, query: &str) -> Result<TempTable> {
        connection.execute_batch(&format!("CREATE OR REPLACE TEMP TABLE {name} AS {query}"))?;
        Ok(TempTable { name })
    }

    /// Appends all rows that wait, inside the transaction that is open, if one is. Returns how many there were.
    pub(crate) fn append<R: Rows>(&self, connection: &Connection, rows: &mut R) -> Result<usize> {
        flush_temporary(rows, self.name, connection)
    }

    /// How many rows it has.
    pub(crate) fn count(&self, connection: &Connection) -> Result<i64> {
        Ok(connection.query_row(&format!("SELECT count(*) FROM {self}"), [], |row| row.get(0))?)
    }

    pub(crate) fn drop(self, connection: &Connection) -> Result<()> {
        Ok(connection.execute_batch(&format!("DROP TABLE temp.{self}"))?)
    }
}

impl fmt::Display for TempTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}
