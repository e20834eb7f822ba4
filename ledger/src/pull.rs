//! Pulls: folders to be listed, read back from the ledger by id range.
//!
//! Those that an earlier run has dealt with are left out; those of this run are never asked for again.

use std::ops::Range;

use duckdb::{Connection, params};
use longhaul_model::{NodeId, Side};

use crate::error::Result;
use crate::listing::Folder;

/// The folders with ids within `ids`, in id order.
///
/// A range of ids takes 2 to 3 ms whatever the size of the table; `ORDER BY id LIMIT n` takes a hundred times as long.
pub(crate) fn pull_folders(connection: &Connection, side: Side, ids: &Range<i64>) -> Result<Vec<Folder>> {
    let mut statement = connection.prepare_cached(match side {
        Side::Source => {
            "SELECT id, id, path, depth
             FROM src_folders
             WHERE id >= ? AND id < ? AND id NOT IN (
               SELECT id
               FROM src_current
               WHERE id >= ? AND id < ? AND traversal_status IN ('successful', 'failed')
             )
             ORDER BY id"
        }
        Side::Destination => {
            "SELECT id, src_id, path, depth
             FROM dst_folders
             WHERE id >= ? AND id < ? AND id NOT IN (
               SELECT id
               FROM dst_current
               WHERE id >= ? AND id < ? AND traversal_status IN ('successful', 'failed')
             )
             ORDER BY id"
        }
    })?;
    let folders = statement.query_map(params![ids.start, ids.end, ids.start, ids.end], |row| {
        Ok(Folder { id: NodeId(row.get(0)?), source_id: NodeId(row.get(1)?), path: row.get(2)?, depth: row.get(3)? })
    })?;
    Ok(folders.collect::<duckdb::Result<_>>()?)
}
