//! Pulls: folders to be listed, read back from the ledger by id range.
//!
//! Those that an earlier run has dealt with are left out; those of this run are never asked for again.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::{NodeId, Side};

use crate::error::Result;
use crate::listing::Folder;
use crate::sql;

/// The folders with ids within `ids`, in id order.
///
/// A range of ids takes 2 to 3 ms whatever the size of the table; `ORDER BY id LIMIT n` takes a hundred times as long.
pub(crate) fn pull_folders(
    connection: &Connection,
    side: Side,
    ids: &Range<i64>,
    in_sweep: bool,
) -> Result<Vec<Folder>> {
    let (start, end) = (ids.start, ids.end);
    let (name, source_id) = (side.prefix(), if side == Side::Source { "id" } else { "src_id" });
    let is_swept = format!(
        "id IN (
           SELECT id
           FROM swept
           WHERE side = '{name}' AND id >= {start} AND id < {end}
           GROUP BY id
           HAVING NOT bool_or(listed)
         ) OR"
    );
    let mut statement = connection.prepare(&format!(
        "SELECT id, {source_id}, path, depth
         FROM {name}_folders
         WHERE id >= {start} AND id < {end} AND ({} id NOT IN (
           SELECT id
           FROM {name}_current
           WHERE id >= {start} AND id < {end} AND {was_listed}
         ))
         ORDER BY id",
        if in_sweep { &is_swept } else { "" },
        was_listed = sql::is_listed_status("traversal_status"),
    ))?;
    let folders = statement.query_map([], |row| {
        Ok(Folder { id: NodeId(row.get(0)?), source_id: NodeId(row.get(1)?), path: row.get(2)?, depth: row.get(3)? })
    })?;
    Ok(folders.collect::<duckdb::Result<_>>()?)
}
