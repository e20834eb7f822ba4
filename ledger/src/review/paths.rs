//! Paths as people type them, and the nodes that they stand for.

use duckdb::{Connection, OptionalExt, params};
use longhaul_model::{CopyStatus, NodeId, NodeKind, Side, child_path};

use crate::error::{LedgerError, Result};

/// What there is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// The node.
    pub(crate) id: NodeId,
    /// What it is.
    pub(crate) kind: NodeKind,
}

/// A printable path without what changes nothing: slashes at the end, and several in a row.
///
/// Fails, with what is wrong, where it does not begin at the root.
pub(crate) fn normal_path(path: &str) -> Result<String, &'static str> {
    if !path.starts_with('/') {
        return Err("a path begins with /, which is the root of the tree");
    }
    let mut normal = String::with_capacity(path.len());
    for component in components(path) {
        normal.push('/');
        normal.push_str(component);
    }
    if normal.is_empty() {
        normal.push('/');
    }
    Ok(normal)
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|component| !component.is_empty())
}

/// The folder and the name of what has this normal path; `None` for the root.
pub(crate) fn folder_and_name(path: &str) -> Option<(&str, &str)> {
    match path.rsplit_once('/') {
        None | Some(("", "")) => None,
        Some(("", name)) => Some(("/", name)),
        Some(split) => Some(split),
    }
}

/// What `side` has at a printable path from the root; nothing, if there is nothing. Slashes too many make no difference.
///
/// Where a store gave one name twice, it is the one that was found first. What is gone from the source is looked for only
/// where nothing has come in its place. The events must have been folded.
pub(crate) fn resolve(connection: &Connection, side: Side, path: &str) -> Result<Option<Found>> {
    let path = components(path).fold("/".to_owned(), |parent, name| child_path(&parent, name));
    let side_name = side.prefix();
    let vanished = CopyStatus::Vanished;
    let is_there = format!("id NOT IN (SELECT id FROM {side_name}_current WHERE copy_status = '{vanished}')");
    let Some((folder, name)) = folder_and_name(&path) else {
        return first(
            connection,
            &format!("SELECT id, kind::VARCHAR FROM {side_name}_nodes WHERE parent_id IS NULL"),
            [],
        );
    };
    // In two steps: by its parent's id a node is found without reading all the names.
    let folder: Option<i64> = connection
        .prepare_cached(&format!(
            "SELECT coalesce(min(id) FILTER ({is_there}), min(id)) FROM {side_name}_folders WHERE path = ?"
        ))?
        .query_row(params![folder], |row| row.get(0))?;
    let Some(folder) = folder else { return Ok(None) };
    first(
        connection,
        &format!(
            "SELECT id, kind::VARCHAR
             FROM {side_name}_nodes
             WHERE parent_id = ? AND name = ?
             ORDER BY NOT ({is_there}), id
             LIMIT 1"
        ),
        params![folder, name],
    )
}

fn first(connection: &Connection, sql: &str, parameters: impl duckdb::Params) -> Result<Option<Found>> {
    let row: Option<(i64, String)> =
        connection.prepare_cached(sql)?.query_row(parameters, |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    row.map(|(id, kind)| {
        let kind = kind.parse().map_err(|error| LedgerError::Inconsistent(format!("{error}")))?;
        Ok(Found { id: NodeId(id), kind })
    })
    .transpose()
}

/// What `side` has at a path that was typed, with its normal path; an error where there is nothing, so that a
/// mistake is not taken for a folder with nothing in it.
pub(crate) fn require(connection: &Connection, side: Side, path: &str) -> Result<(String, Found)> {
    let path = normal_path(path).map_err(|message| LedgerError::Query(format!("{path}: {message}")))?;
    if let Some(found) = resolve(connection, side, &path)? {
        return Ok((path, found));
    }
    let nearest = nearest_existing(connection, side, &path)?;
    Err(LedgerError::NoSuchPath { side, path, nearest })
}

/// The longest beginning of `path` that `side` has something at; the root, if nothing else. The path itself, where that
/// exists.
pub(crate) fn nearest_existing(connection: &Connection, side: Side, path: &str) -> Result<String> {
    let mut above = vec!["/".to_owned()];
    for name in components(path) {
        above.push(child_path(&above[above.len() - 1], name));
    }
    let places = vec!["?"; above.len()].join(", ");
    let deepest: Option<i32> = connection
        .prepare(&format!("SELECT max(depth) FROM {}_folders WHERE path IN ({places})", side.prefix()))?
        .query_row(duckdb::params_from_iter(&above), |row| row.get(0))?;
    let deepest = usize::try_from(deepest.unwrap_or(0)).unwrap_or(0).min(above.len() - 1);
    // Below the deepest folder there may be something that is not to be listed: a file, say.
    if let Some(below) = above.get(deepest + 1)
        && resolve(connection, side, below)?.is_some()
    {
        return Ok(below.clone());
    }
    Ok(above.swap_remove(deepest))
}
