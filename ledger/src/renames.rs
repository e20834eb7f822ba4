//! Names that somebody has accepted: what the destination calls a node, and where it has what is in a renamed folder.

use std::collections::HashMap;
use std::ops::Range;

use duckdb::{Connection, params};

use crate::error::Result;

/// Fills the temporary table `renamed_folders (id, path)` with the folders that the destination has at another path than
/// the source, each with its printable path there: those that are renamed, and all folders below them.
///
/// Names are not accepted while a run is under way, so that it is enough when one begins.
pub(crate) fn find_renamed_folders(connection: &Connection) -> Result<()> {
    // Of this connection only, and never in the file or its log.
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE renamed_folders (id BIGINT, path VARCHAR)")?;
    let renamed: i64 = connection.query_row(
        "SELECT count(*) FROM renames r SEMI JOIN src_folders f ON f.id = r.src_id",
        [],
        |row| row.get(0),
    )?;
    if renamed == 0 {
        return Ok(());
    }
    // A renamed folder below another one is met twice: with its path on the source above it, and with the right one, which
    // is found later and from further up.
    Ok(connection.execute_batch(
        "INSERT INTO renamed_folders
         WITH RECURSIVE folders AS (
           SELECT n.id, n.parent_id, coalesce(r.name, n.name) AS name, r.src_id IS NOT NULL AS is_renamed, n.depth
           FROM src_nodes n
           LEFT JOIN renames r ON r.src_id = n.id
           WHERE n.kind = 'folder'
         ),
         below AS (
           SELECT f.id, f.depth AS top, CASE WHEN p.path = '/' THEN '/' ELSE p.path || '/' END || f.name AS path
           FROM folders f
           JOIN src_folders p ON p.id = f.parent_id
           WHERE f.is_renamed
           UNION ALL
           SELECT f.id, below.top, below.path || '/' || f.name
           FROM below
           JOIN folders f ON f.parent_id = below.id
         )
         SELECT id, arg_min(path, top)
         FROM below
         GROUP BY id",
    )?)
}

/// The printable paths on the destination of those folders with ids within `ids` that have another one there.
/// [`find_renamed_folders`] must have been called.
pub(crate) fn renamed_paths(connection: &Connection, ids: &Range<i64>) -> Result<HashMap<i64, String>> {
    let mut statement = connection.prepare_cached("SELECT id, path FROM renamed_folders WHERE id >= ? AND id < ?")?;
    let paths = statement.query_map(params![ids.start, ids.end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(paths.collect::<duckdb::Result<_>>()?)
}
