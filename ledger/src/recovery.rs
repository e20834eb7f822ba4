//! Going on with a traversal: what a killed run left half done is dropped, and what is still to be listed is found.
//!
//! A folder's children and its event are committed together, so there is only one thing that can be half done: a
//! folder of many pages, of which some are committed and the event is not. Its children are forgotten; it is pending,
//! and is listed again. A constant number of statements does all of it, whatever the size of the ledger.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::{CopyChange, CopyStatus, NodeId, Side, TraversalStatus};

use crate::counters::DepthCounters;
use crate::database::Database;
use crate::error::Result;
use crate::events::{CopyChanges, Events, SAME_NOW, forget};
use crate::fold::fold_events;
use crate::sql;

/// Pending folders are told as ranges of ids; folders in the same stretch of so many ids make one range.
const STRETCH_IDS: i64 = 32_768;

/// What a traversal that goes on begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Source ids among which all pending folders are, ascending.
    pub source: Vec<Range<i64>>,
    /// Destination ids among which all pending folders are, ascending.
    pub destination: Vec<Range<i64>>,
    /// Source folders that could not be listed and whose counterparts are pending, or not found yet.
    pub failed_sources: Vec<NodeId>,
}

/// Folds what is not folded and drops what is half done, in one transaction. Returns how many nodes were dropped.
///
/// With nothing dropped the counters are those of the last commit; otherwise they have to be counted again.
pub(crate) fn recover(connection: &Database, now_ns: fn() -> i64) -> Result<usize> {
    fold_events(connection)?;
    let half_done: i64 = connection.query_row(
        "SELECT
           (SELECT count(*) FROM src_nodes WHERE parent_id IN (FROM src_unlisted))
           + (SELECT count(*) FROM dst_nodes WHERE parent_id IN (FROM dst_unlisted))",
        [],
        |row| row.get(0),
    )?;
    if half_done == 0 {
        return Ok(0);
    }
    connection.in_transaction(|| {
        drop_half_done(connection, now_ns)?;
        // The counters are written with what they count.
        DepthCounters::recount(connection)?.replace(connection)
    })?;
    Ok(usize::try_from(half_done).unwrap_or(usize::MAX))
}

/// The destination first: its matches and conflicts refer to the source. Ids of dropped nodes may be given out again, so
/// their events go as well; the conflict of a source node with a dropped destination node is taken back by an event.
fn drop_half_done(connection: &Connection, now_ns: fn() -> i64) -> Result<()> {
    const DROPPED_SRC: &str = "SELECT id FROM src_nodes WHERE parent_id IN (FROM src_unlisted)";
    const DROPPED_DST: &str = "SELECT id FROM dst_nodes WHERE parent_id IN (FROM dst_unlisted)";
    let last_run = connection.query_row("SELECT coalesce(max(run), 0) FROM runs", [], |row| row.get(0))?;
    let conflicts = format!(
        "SELECT DISTINCT s.id, NULL::VARCHAR AS change, NULL::VARCHAR AS reason
         FROM dst_nodes d
         JOIN dst_folders f ON f.id = d.parent_id
         JOIN src_nodes s ON s.parent_id = f.src_id AND s.name = d.name AND s.kind <> d.kind
         JOIN src_current c ON c.id = s.id AND c.copy_status = '{conflict}'
         WHERE f.id IN (FROM dst_unlisted)",
        conflict = CopyStatus::Conflict
    );
    let taken_back =
        CopyChanges { nodes: &conflicts, reopened_by: Some(CopyChange::FoundDifferent), same_before: SAME_NOW };
    // What comes of it is counted with everything else.
    Events::open(connection, last_run, now_ns)?.change_copies(connection, &taken_back)?;
    connection.execute_batch(&format!("DELETE FROM matches WHERE dst_id IN ({DROPPED_DST})"))?;
    forget(connection, Side::Destination, DROPPED_DST)?;
    connection.execute_batch(
        "DELETE FROM dst_nodes WHERE parent_id IN (FROM dst_unlisted);
         DELETE FROM dst_folders WHERE id NOT IN (SELECT id FROM dst_nodes);",
    )?;
    forget(connection, Side::Source, DROPPED_SRC)?;
    Ok(connection.execute_batch(&format!(
        "DELETE FROM exclusions WHERE node_id IN ({DROPPED_SRC});
         DELETE FROM src_nodes WHERE parent_id IN (FROM src_unlisted);
         DELETE FROM src_folders WHERE id NOT IN (SELECT id FROM src_nodes);"
    ))?)
}

/// What is still to be listed. The events must have been folded.
pub(crate) fn remaining(connection: &Connection) -> Result<Remaining> {
    let mut statement = connection.prepare(&format!(
        "SELECT c.id
         FROM src_current c
         LEFT JOIN dst_folders f ON f.src_id = c.id
         LEFT JOIN dst_current d ON d.id = f.id AND {was_listed}
         WHERE c.traversal_status = '{failed}' AND d.id IS NULL AND c.id NOT IN (FROM src_pending)",
        was_listed = sql::is_traversal("d.traversal_status", TraversalStatus::is_dealt_with),
        failed = TraversalStatus::Failed,
    ))?;
    let failed_sources = statement.query_map([], |row| row.get(0).map(NodeId))?.collect::<duckdb::Result<_>>()?;
    Ok(Remaining {
        source: pending_ranges(connection, Side::Source)?,
        destination: pending_ranges(connection, Side::Destination)?,
        failed_sources,
    })
}

fn pending_ranges(connection: &Connection, side: Side) -> Result<Vec<Range<i64>>> {
    let mut statement = connection.prepare(&format!(
        "SELECT min(id), max(id) + 1
         FROM {}_pending
         GROUP BY id // {STRETCH_IDS}
         ORDER BY 1",
        side.prefix()
    ))?;
    let ranges = statement.query_map([], |row| Ok(row.get(0)?..row.get(1)?))?;
    Ok(ranges.collect::<duckdb::Result<_>>()?)
}
