//! `tree`: both sides as one tree, a folder or a few levels at a time, with what is below each folder in numbers.

mod totals;

use std::collections::{HashMap, HashSet};

use duckdb::{Connection, params, params_from_iter};
use longhaul_model::{NodeId, NodeKind, Side};

pub use self::totals::SubtreeTotals;

use super::find::{NodeRow, PAGE_ROWS_MAX, details};
use super::paths::{Found, folder_and_name, nearest_existing, normal_path, resolve};
use crate::error::{LedgerError, Result};
use crate::sql;

/// Which part of the tree somebody wants to see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeQuery {
    /// The printable path of what comes first.
    pub path: String,
    /// So many levels below it.
    pub depth: u32,
    /// So many rows at most; no more than [`PAGE_ROWS_MAX`].
    pub limit: u64,
    /// Without the first so many.
    pub offset: u64,
}

/// A part of the tree.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TreePage {
    /// As one walks through the tree: by name, and after each folder what is in it.
    pub rows: Vec<TreeRow>,
    /// Whether there is more behind them.
    pub has_more: bool,
}

/// Something that is on one of the sides, or with the same kind and name on both.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TreeRow {
    /// Its printable path.
    pub path: String,
    /// What it is.
    pub kind: NodeKind,
    /// What it is on the source.
    pub src: Option<NodeRow>,
    /// What it is on the destination.
    pub dst: Option<NodeRow>,
    /// What is there at this path and below it.
    pub totals: SubtreeTotals,
}

impl TreeRow {
    /// On which sides it is: `src`, `dst` or `both`.
    pub fn presence(&self) -> &'static str {
        match (&self.src, &self.dst) {
            (Some(_), Some(_)) => "both",
            (Some(_), None) => "src",
            (None, _) => "dst",
        }
    }
}

/// A folder's place in a walk through the tree: its path, with the character 1 for each slash, and nothing for the root.
/// No printable name has a character before the space, so that folders come before what is in them, and that before
/// their next sibling.
const FOLDER_KEY: &str = "CASE WHEN id = 1 THEN '' ELSE replace(path, '/', chr(1)) END";

/// A row by its nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Pair {
    src: Option<i64>,
    dst: Option<i64>,
}

/// Reads the part that is asked for. A path that is on neither side is an error that names the nearest one that is.
pub(crate) fn tree(connection: &Connection, query: &TreeQuery) -> Result<TreePage> {
    let path = normal_path(&query.path).map_err(|message| LedgerError::Query(format!("{}: {message}", query.path)))?;
    let src = resolve(connection, Side::Source, &path)?;
    let dst = resolve(connection, Side::Destination, &path)?;
    if src.is_none() && dst.is_none() {
        let nearest = nearest_on_either_side(connection, &path)?;
        return Err(LedgerError::NoSuchPath { side: Side::Source, path, nearest });
    }
    let limit = usize::try_from(query.limit.min(PAGE_ROWS_MAX)).expect("it is small enough");
    let skipped = usize::try_from(query.offset).unwrap_or(usize::MAX);
    let mut pairs = top(connection, src, dst)?;
    if query.depth > 0 && src.is_some_and(|found| found.kind == NodeKind::Folder) {
        // All rows from the beginning: what is left out of them is less than what it would take to leave it out.
        let wanted = skipped.saturating_add(limit).saturating_add(1);
        pairs.extend(below(connection, &path, query.depth, wanted)?);
    }
    let mut pairs: Vec<Pair> = pairs.into_iter().skip(skipped).take(limit.saturating_add(1)).collect();
    let has_more = pairs.len() > limit;
    pairs.truncate(limit);
    add_counterparts(connection, &mut pairs)?;
    let mut rows = describe(connection, &pairs)?;
    totals::add(connection, &mut rows)?;
    Ok(TreePage { rows, has_more })
}

fn nearest_on_either_side(connection: &Connection, path: &str) -> Result<String> {
    let src = nearest_existing(connection, Side::Source, path)?;
    let dst = nearest_existing(connection, Side::Destination, path)?;
    Ok(if dst.len() > src.len() { dst } else { src })
}

/// What is at the path itself: two rows, where it is something else on either side.
fn top(connection: &Connection, src: Option<Found>, dst: Option<Found>) -> Result<Vec<Pair>> {
    let src_row = src.map(|found| Pair { src: Some(found.id.0), dst: None });
    let is_matched = match dst {
        None => true,
        Some(found) => {
            let matches: i64 = connection
                .prepare("SELECT count(*) FROM matches WHERE dst_id = ?")?
                .query_row(params![found.id.0], |row| row.get(0))?;
            matches > 0
        }
    };
    let dst_row = dst.filter(|_| !is_matched).map(|found| Pair { src: None, dst: Some(found.id.0) });
    Ok(src_row.into_iter().chain(dst_row).collect())
}

/// The first `wanted` rows below the folder at `path`, no more than `depth` levels below it; those that are on both sides
/// by their source node.
fn below(connection: &Connection, path: &str, depth: u32, wanted: usize) -> Result<Vec<Pair>> {
    let level = folder_level(path);
    let deepest = level.saturating_add(i64::from(depth));
    // Each folder that is looked into is a row itself, which comes before what is in it. So the first `wanted` rows are in
    // the first `wanted` folders, and in no other.
    let mut statement = connection.prepare(&format!(
        "WITH k AS MATERIALIZED (
           SELECT id, {FOLDER_KEY} AS key
           FROM src_folders
           WHERE {is_below} AND depth < ?
           ORDER BY key
           LIMIT {folders}
         ),
         d AS MATERIALIZED (
           SELECT f.id, k.key
           FROM k
           JOIN dst_folders f ON f.src_id = k.id
         ),
         in_d AS MATERIALIZED (
           SELECT d.key || chr(1) || n.name AS key, n.id
           FROM dst_nodes n
           JOIN d ON d.id = n.parent_id
         )
         SELECT src_id, dst_id
         FROM (
           SELECT k.key || chr(1) || n.name AS key, n.id AS src_id, NULL AS dst_id
           FROM src_nodes n
           JOIN k ON k.id = n.parent_id
           UNION ALL
           SELECT key, NULL, id
           FROM in_d
           WHERE id NOT IN (SELECT dst_id FROM matches WHERE dst_id IN (SELECT id FROM in_d))
         )
         ORDER BY key, src_id NULLS LAST, dst_id
         LIMIT {wanted}",
        is_below = sql::is_below("path", "?"),
        folders = wanted.saturating_add(1),
    ))?;
    let parameters = params![sql::is_below_parameter(path), deepest];
    let pairs = statement.query_map(parameters, |row| Ok(Pair { src: row.get(0)?, dst: row.get(1)? }))?;
    Ok(pairs.collect::<duckdb::Result<_>>()?)
}

fn folder_level(path: &str) -> i64 {
    let mut level = 0;
    let mut rest = path;
    while let Some((folder, _)) = folder_and_name(rest) {
        level += 1;
        rest = folder;
    }
    level
}

/// Adds the destination's node to those of the source that have one.
fn add_counterparts(connection: &Connection, pairs: &mut [Pair]) -> Result<()> {
    let ids: Vec<i64> = pairs.iter().filter_map(|pair| pair.src).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let places = vec!["?"; ids.len()].join(", ");
    let mut statement = connection
        .prepare(&format!("SELECT src_id, min(dst_id) FROM matches WHERE src_id IN ({places}) GROUP BY src_id"))?;
    let counterparts: HashMap<i64, i64> = statement
        .query_map(params_from_iter(ids), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<duckdb::Result<_>>()?;
    for pair in pairs.iter_mut() {
        pair.dst = pair.src.map_or(pair.dst, |src| counterparts.get(&src).copied());
    }
    Ok(())
}

fn describe(connection: &Connection, pairs: &[Pair]) -> Result<Vec<TreeRow>> {
    let by_id = |side, ids: Vec<i64>| -> Result<HashMap<NodeId, NodeRow>> {
        // A store may give a name twice, and both have the same counterpart.
        let mut seen = HashSet::new();
        let ids: Vec<i64> = ids.into_iter().filter(|id| seen.insert(*id)).collect();
        Ok(details(connection, side, &ids)?.into_iter().map(|row| (row.id, row)).collect())
    };
    let src = by_id(Side::Source, pairs.iter().filter_map(|pair| pair.src).collect())?;
    let dst = by_id(Side::Destination, pairs.iter().filter_map(|pair| pair.dst).collect())?;
    pairs
        .iter()
        .map(|pair| {
            let src = pair.src.and_then(|id| src.get(&NodeId(id)).cloned());
            let dst = pair.dst.and_then(|id| dst.get(&NodeId(id)).cloned());
            let (path, kind) = match (&src, &dst) {
                (Some(row), _) | (None, Some(row)) => (row.path.clone(), row.kind),
                (None, None) => return Err(LedgerError::Inconsistent("a row of the tree has no node".to_owned())),
            };
            Ok(TreeRow { path, kind, src, dst, totals: SubtreeTotals::default() })
        })
        .collect()
}

#[cfg(test)]
mod tests;
