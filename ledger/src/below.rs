//! Everything below some nodes: in one pass over the nodes in id order, with one bit for each.
//!
//! A parent's id is lower than its children's, so that a node's place is known when its turn comes. A recursive query would read
//! all nodes once for each level, or hold them all in memory.

use duckdb::Connection;
use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::Int64Type;
use longhaul_model::{NodeKind, Side};

use crate::bits::{APPENDED_IDS, Bits, Ids};
use crate::error::Result;
use crate::rows::Rows;
use crate::temp::TempTable;

/// Nodes that are read at a time: their ids and their parents' fit into memory.
const READ_IDS: i64 = 131_072;

/// Returns the nodes of `side` that the query `roots` names, and those below them, as a temporary table `(id)`; with
/// `only_folders`, the folders among them.
pub(crate) fn select_below(
    connection: &Connection,
    side: Side,
    roots: &str,
    only_folders: bool,
    name: &'static str,
) -> Result<TempTable> {
    let below = Ids::table(connection, name)?;
    let nodes = format!("{}_nodes", side.prefix());
    let last: i64 = connection.query_row(&format!("SELECT coalesce(max(id), 0) FROM {nodes}"), [], |row| row.get(0))?;
    let mut chosen = Bits::none(last)?;
    let mut first = i64::MAX;
    for batch in connection.prepare(roots)?.query_arrow([])? {
        for &id in batch.column(0).as_primitive::<Int64Type>().values().iter().filter(|&&id| id <= last) {
            chosen.set(id);
            first = first.min(id);
        }
    }
    if first == i64::MAX {
        return Ok(below);
    }
    let mut found = Ids::default();
    let kind = if only_folders { format!("AND kind = '{}'", NodeKind::Folder) } else { String::new() };
    let mut statement = connection.prepare(&format!(
        "SELECT id, coalesce(parent_id, 0)
         FROM {nodes}
         WHERE id >= ? AND id < ? {kind}
         ORDER BY id"
    ))?;
    for start in (first..=last).step_by(usize::try_from(READ_IDS).expect("it is a small number")) {
        for batch in statement.query_arrow([start, start + READ_IDS])? {
            let ids = batch.column(0).as_primitive::<Int64Type>();
            let parents = batch.column(1).as_primitive::<Int64Type>();
            for row in 0..ids.len() {
                let id = ids.value(row);
                if chosen.is_set(id) || chosen.is_set(parents.value(row)) {
                    chosen.set(id);
                    found.id.push(id);
                }
            }
        }
        if found.len() >= APPENDED_IDS {
            below.append(connection, &mut found)?;
        }
    }
    below.append(connection, &mut found)?;
    Ok(below)
}
