//! Going through all nodes, a range of ids at a time.

use std::collections::VecDeque;
use std::ops::Range;

use duckdb::Connection;
use longhaul_model::{CopyStatus, Phase, PlanAction, Side};

use super::nodes::{NodeRows, read_nodes};
use super::problems::{NodeProblem, read_problems};
use super::sums::{RangeSums, Sums};
use crate::error::Result;
use crate::migration::Migration;
use crate::sql::{self, RANGE_IDS};
use crate::temp::TempTable;

/// A way through all nodes, once: the source's first, each side in id order.
#[derive(Debug)]
pub struct Sweep<'a> {
    connection: &'a Connection,
    ranges: VecDeque<(Side, Range<i64>)>,
    is_planned: bool,
    sums: RangeSums,
    /// The nodes of the last range, as long as nobody has asked for the next one.
    swept: Option<TempTable>,
}

/// The nodes of one range, until the next one is asked for.
#[derive(Debug)]
pub struct Swept<'a> {
    connection: &'a Connection,
    nodes: &'a TempTable,
}

impl<'a> Sweep<'a> {
    pub(super) fn begin(connection: &'a Connection) -> Result<Sweep<'a>> {
        Sweep::by_ranges_of(connection, RANGE_IDS)
    }

    /// As many ids at a time.
    pub(super) fn by_ranges_of(connection: &'a Connection, range_ids: i64) -> Result<Sweep<'a>> {
        let mut ranges = VecDeque::new();
        for side in Side::BOTH {
            let last: i64 = connection.query_row(
                &format!("SELECT coalesce(max(id), 0) FROM {}_nodes", side.prefix()),
                [],
                |row| row.get(0),
            )?;
            let mut start = 1;
            while start <= last {
                let end = start.saturating_add(range_ids);
                ranges.push_back((side, start..end));
                start = end;
            }
        }
        let sums = RangeSums::begin(connection)?;
        let is_planned = Migration::read(connection)?.is_discovered();
        Ok(Sweep { connection, ranges, is_planned, sums, swept: None })
    }

    /// The next range, added up; `None` when all have been looked at.
    #[allow(clippy::should_implement_trait, reason = "what it gives is good until the next one only")]
    pub fn next(&mut self) -> Result<Option<Swept<'_>>> {
        let Some((side, ids)) = self.ranges.pop_front() else { return Ok(None) };
        let swept = match side {
            Side::Source => sweep_source(self.connection, &ids, self.is_planned)?,
            Side::Destination => sweep_destination(self.connection, &ids)?,
        };
        self.sums.add(self.connection, &swept, side, &ids)?;
        Ok(Some(Swept { connection: self.connection, nodes: self.swept.insert(swept) }))
    }

    /// What all nodes that were looked at come to.
    pub fn sums(self) -> Result<Sums> {
        if let Some(swept) = self.swept {
            swept.drop(self.connection)?;
        }
        self.sums.read(self.connection)
    }
}

impl Swept<'_> {
    /// Its rows of the node table, in the columns of [`node_schema`](super::node_schema): every source node, or every
    /// node that only the destination has.
    pub fn nodes(&self) -> Result<Vec<NodeRows>> {
        read_nodes(self.connection, self.nodes)
    }

    /// What is wrong in it, and what was not copied and why, in id order.
    pub fn problems(&self) -> Result<Vec<NodeProblem>> {
        read_problems(self.connection, self.nodes)
    }
}

/// The lowest and the highest parent of the nodes within `ids`: few folders, since ids are given out breadth first.
fn parents(connection: &Connection, side: Side, ids: &Range<i64>) -> Result<(i64, i64)> {
    let sql = format!(
        "SELECT coalesce(min(parent_id), 0), coalesce(max(parent_id), -1)
         FROM {}_nodes
         WHERE id >= ? AND id < ?",
        side.prefix()
    );
    Ok(connection.query_row(&sql, [ids.start, ids.end], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// The last error of each node within `ids`, by what was tried: listing it, or bringing it over.
fn last_errors(side: Side, ids: &Range<i64>) -> String {
    format!(
        "SELECT
           node_id AS id,
           arg_max(class, at_ns) FILTER (WHERE phase = '{traversing}') AS traversal_class,
           arg_max(class, at_ns) FILTER (WHERE phase <> '{traversing}') AS copy_class
         FROM errors
         WHERE side = '{side}' AND node_id >= {start} AND node_id < {end}
         GROUP BY node_id",
        traversing = Phase::Traversing,
        side = side.prefix(),
        start = ids.start,
        end = ids.end,
    )
}

/// The table of the nodes of a range, of which there is one at a time.
const SWEPT: &str = "nodes_of_range";

/// Returns the source nodes within `ids`, as the views `src_status` and `plan_view` have them, as a temporary table.
fn sweep_source(connection: &Connection, ids: &Range<i64>, is_planned: bool) -> Result<TempTable> {
    let (start, end) = (ids.start, ids.end);
    let (first_parent, last_parent) = parents(connection, Side::Source, ids)?;
    let nodes = format!(
        "SELECT
           '{src}'::side AS side,
           n.id,
           {path} AS path,
           n.name,
           n.kind,
           n.size,
           n.modified_ns,
           n.depth,
           {traversal_status} AS traversal_status,
           {copy_status} AS copy_status,
           CASE
             WHEN NOT {is_planned} OR n.parent_id IS NULL THEN NULL
             WHEN {is_excluded} THEN '{exclude}'
             ELSE coalesce(p.action::VARCHAR, CASE WHEN m.src_id IS NOT NULL THEN '{already_existed}' END)
           END AS action,
           coalesce(l.attempts, 0) AS attempts,
           l.traversal_error,
           coalesce(l.copy_error, p.reason) AS copy_reason,
           coalesce(l.copy_error, l.traversal_error, l.remark, p.reason) AS reason,
           e.traversal_class,
           e.copy_class,
           c.checksum,
           true AS is_reported
         FROM (FROM src_nodes WHERE id >= {start} AND id < {end}) n
         LEFT JOIN (FROM src_folders WHERE id >= {first_parent} AND id <= {last_parent}) f ON f.id = n.parent_id
         -- A store may give a name twice.
         LEFT JOIN (
           SELECT DISTINCT src_id
           FROM matches
           WHERE src_id >= {start} AND src_id < {end} AND same
         ) m ON m.src_id = n.id
         LEFT JOIN ({latest}) l ON l.id = n.id
         LEFT JOIN (FROM plan WHERE src_id >= {start} AND src_id < {end}) p ON p.src_id = n.id
         LEFT JOIN ({errors}) e ON e.id = n.id
         LEFT JOIN (
           SELECT src_id, any_value(checksum) AS checksum
           FROM copied
           WHERE src_id >= {start} AND src_id < {end} AND checksum IS NOT NULL
           GROUP BY src_id
         ) c ON c.src_id = n.id",
        src = Side::Source.prefix(),
        exclude = PlanAction::Exclude,
        already_existed = PlanAction::AlreadyExisted,
        path = sql::path("n", "f"),
        traversal_status = sql::traversal_status(Side::Source, "l", "n", "m"),
        copy_status = sql::copy_status("l", "m.src_id IS NOT NULL"),
        is_excluded = sql::is_status("l.copy_status", CopyStatus::is_excluded),
        latest = sql::latest(Side::Source, Some(ids)),
        errors = last_errors(Side::Source, ids),
    );
    TempTable::of(connection, SWEPT, &nodes)
}

/// Returns those of the destination nodes within `ids` that the source does not have, and the folders that could not be
/// listed, as a temporary table with the same columns.
fn sweep_destination(connection: &Connection, ids: &Range<i64>) -> Result<TempTable> {
    let (start, end) = (ids.start, ids.end);
    let (first_parent, last_parent) = parents(connection, Side::Destination, ids)?;
    let nodes = format!(
        "SELECT
           '{dst}'::side AS side,
           n.id,
           {path} AS path,
           n.name,
           n.kind,
           n.size,
           n.modified_ns,
           n.depth,
           {traversal_status} AS traversal_status,
           NULL::copy_status AS copy_status,
           NULL::VARCHAR AS action,
           coalesce(l.attempts, 0) AS attempts,
           l.traversal_error,
           NULL::VARCHAR AS copy_reason,
           coalesce(l.traversal_error, l.remark) AS reason,
           e.traversal_class,
           NULL::error_class AS copy_class,
           NULL::BLOB AS checksum,
           m.dst_id IS NULL AS is_reported
         FROM (FROM dst_nodes WHERE id >= {start} AND id < {end}) n
         LEFT JOIN (FROM dst_folders WHERE id >= {first_parent} AND id <= {last_parent}) f ON f.id = n.parent_id
         LEFT JOIN (SELECT DISTINCT dst_id FROM matches WHERE dst_id >= {start} AND dst_id < {end}) m ON m.dst_id = n.id
         LEFT JOIN ({latest}) l ON l.id = n.id
         LEFT JOIN ({errors}) e ON e.id = n.id
         WHERE m.dst_id IS NULL OR {has_failed}",
        dst = Side::Destination.prefix(),
        has_failed = sql::has_failed(Side::Destination, "l"),
        path = sql::path("n", "f"),
        traversal_status = sql::traversal_status(Side::Destination, "l", "n", "m"),
        latest = sql::latest(Side::Destination, Some(ids)),
        errors = last_errors(Side::Destination, ids),
    );
    TempTable::of(connection, SWEPT, &nodes)
}
