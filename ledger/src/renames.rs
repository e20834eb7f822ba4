//! Paths of folders, and the names that somebody has accepted: what the destination calls a node, and where it has what is
//! in a renamed folder.

use std::collections::HashMap;
use std::ops::Range;

use duckdb::{Connection, params};
use longhaul_model::NodeKind;

use crate::error::Result;
use crate::temp::TempTable;

/// The source's nodes under the names that the destination has for them, as a query.
pub(crate) const SOURCE_AS_CALLED: &str = "
    SELECT n.id, n.parent_id, coalesce(r.name, n.name) AS name, n.kind, n.size, n.modified_ns
    FROM src_nodes n
    LEFT JOIN renames r ON r.src_id = n.id";

/// Returns the folders that the destination has at another path than the source, each with its printable path there, as a
/// temporary table `(id, path)`: those that are renamed, and all folders below them.
///
/// Names are not accepted while a run is under way, so that it is enough when one begins.
pub(crate) fn find_renamed_folders(connection: &Connection) -> Result<TempTable> {
    let renamed = TempTable::empty(connection, "renamed_folders", "id BIGINT, path VARCHAR")?;
    let (first, last): (Option<i32>, Option<i32>) = connection.query_row(
        "SELECT min(f.depth), (SELECT max(depth) FROM src_folders)
         FROM src_folders f
         SEMI JOIN renames r ON r.src_id = f.id",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(renamed) };
    // One statement a level, and not one for all that calls itself: that would hold all paths in memory at a time. What has
    // the same depth lies together.
    let mut statement = connection.prepare(&format!(
        "INSERT INTO {renamed}
         SELECT n.id, coalesce(p.path, nullif(f.path, '/'), '') || '/' || coalesce(r.name, n.name)
         FROM (SELECT id, parent_id, name FROM src_nodes WHERE depth = ? AND kind = '{folder}') n
         JOIN (SELECT id, path FROM src_folders WHERE depth = ?) f ON f.id = n.parent_id
         LEFT JOIN {renamed} p ON p.id = n.parent_id
         LEFT JOIN renames r ON r.src_id = n.id
         WHERE p.id IS NOT NULL OR r.src_id IS NOT NULL",
        folder = NodeKind::Folder
    ))?;
    for depth in first..=last {
        statement.execute(params![depth, depth - 1])?;
    }
    Ok(renamed)
}

/// The printable paths on the destination of those folders with ids within `ids` that have another one there. `renamed` is
/// what [`find_renamed_folders`] has found.
pub(crate) fn renamed_paths(
    connection: &Connection,
    renamed: &TempTable,
    ids: &Range<i64>,
) -> Result<HashMap<i64, String>> {
    let mut statement =
        connection.prepare_cached(&format!("SELECT id, path FROM {renamed} WHERE id >= ? AND id < ?"))?;
    let paths = statement.query_map(params![ids.start, ids.end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(paths.collect::<duckdb::Result<_>>()?)
}

/// The printable paths of the folders that nodes with ids within `ids` are in.
pub(crate) fn paths_of_parents(connection: &Connection, ids: &Range<i64>) -> Result<HashMap<i64, String>> {
    let (first, last): (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT min(parent_id), max(parent_id) FROM src_nodes WHERE id >= ? AND id < ?")?
        .query_row(params![ids.start, ids.end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let mut statement = connection.prepare_cached(
        "SELECT f.id, f.path
         FROM src_folders f
         SEMI JOIN (SELECT parent_id FROM src_nodes WHERE id >= ? AND id < ?) n ON n.parent_id = f.id
         WHERE f.id >= ? AND f.id <= ?",
    )?;
    let paths = statement.query_map(params![ids.start, ids.end, first.unwrap_or(0), last.unwrap_or(-1)], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    Ok(paths.collect::<duckdb::Result<_>>()?)
}
