//! What was copied when.
//!
//! A migration may be worked on for an hour today and another one next week. So time is counted in slices of the runs
//! that copied something, one run after the other, and not by the calendar.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::CopyStatus;

use crate::error::Result;
use crate::sql;
use crate::temp::TempTable;

/// Slices that the time of copying is cut into, about.
const SLICES: i64 = 100;

/// Slices are not shorter than this, in nanoseconds: what is recorded together has one time.
const SLICE_NS_MIN: i64 = 1_000_000_000;

/// What was copied when.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Throughput {
    /// How long a slice is, in nanoseconds.
    pub slice_ns: i64,
    /// The runs that copied something, the first one first.
    pub spans: Vec<CopySpan>,
    /// Slices in which something was copied, by run and time.
    pub slices: Vec<CopiedSlice>,
}

/// When a run copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CopySpan {
    /// Its number.
    pub run: i64,
    /// When the first node was copied, in nanoseconds since 1970.
    pub first_ns: i64,
    /// When the last one was.
    pub last_ns: i64,
}

/// What was copied in one slice of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct CopiedSlice {
    /// In which run.
    pub run: i64,
    /// 0, 1, 2, … from when that run copied its first node.
    pub slice: i64,
    /// Nodes.
    pub nodes: i64,
    /// Bytes of the files among them, as the listing said.
    pub bytes: i64,
}

impl CopySpan {
    /// How many slices it takes.
    pub fn slices(&self, slice_ns: i64) -> i64 {
        (self.last_ns - self.first_ns).max(0) / slice_ns.max(1) + 1
    }
}

/// How the time of copying is cut into slices.
#[derive(Debug)]
pub(in super::super) struct Clock {
    spans: Vec<CopySpan>,
    slice_ns: i64,
}

impl Clock {
    pub(in super::super) fn read(connection: &Connection) -> Result<Clock> {
        let mut statement = connection.prepare(&format!(
            "SELECT run, min(at_ns), max(at_ns)
             FROM src_status_events
             WHERE copy_status = '{successful}'
             GROUP BY run
             ORDER BY run",
            successful = CopyStatus::Successful
        ))?;
        let spans = statement
            .query_map([], |row| Ok(CopySpan { run: row.get(0)?, first_ns: row.get(1)?, last_ns: row.get(2)? }))?
            .collect::<duckdb::Result<Vec<_>>>()?;
        let total_ns: i64 = spans.iter().map(|span| span.last_ns.saturating_sub(span.first_ns)).sum();
        Ok(Clock { spans, slice_ns: (total_ns / SLICES).max(SLICE_NS_MIN) })
    }

    /// Adds to `copied` what was copied of the range in `swept`, whose nodes have ids within `ids`.
    pub(super) fn add_up(
        &self,
        connection: &Connection,
        copied: &TempTable,
        swept: &TempTable,
        ids: &Range<i64>,
    ) -> Result<()> {
        if self.spans.is_empty() {
            return Ok(());
        }
        let starts: Vec<String> = self.spans.iter().map(|span| format!("({}, {})", span.run, span.first_ns)).collect();
        connection.execute_batch(&format!(
            "INSERT INTO {copied}
             SELECT e.run, (e.at_ns - r.first_ns) // {slice_ns}, count(*),
               {bytes}
             FROM (
               FROM src_status_events
               WHERE node_id >= {start} AND node_id < {end} AND copy_status = '{successful}'
             ) e
             JOIN (VALUES {starts}) r (run, first_ns) ON r.run = e.run
             JOIN {swept} s ON s.id = e.node_id
             GROUP BY ALL",
            slice_ns = self.slice_ns,
            bytes = sql::bytes_of_files("s"),
            successful = CopyStatus::Successful,
            start = ids.start,
            end = ids.end,
            starts = starts.join(", ")
        ))?;
        Ok(())
    }

    pub(super) fn throughput(&self, connection: &Connection, copied: &TempTable) -> Result<Throughput> {
        let mut statement = connection.prepare(&format!(
            "SELECT run, slice, sum(nodes)::BIGINT, sum(bytes)::BIGINT
             FROM {copied}
             GROUP BY ALL
             ORDER BY run, slice"
        ))?;
        let slices = statement.query_map([], |row| {
            Ok(CopiedSlice { run: row.get(0)?, slice: row.get(1)?, nodes: row.get(2)?, bytes: row.get(3)? })
        })?;
        Ok(Throughput {
            slice_ns: self.slice_ns,
            spans: self.spans.clone(),
            slices: slices.collect::<duckdb::Result<_>>()?,
        })
    }
}
