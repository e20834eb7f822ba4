//! The copy phase as the ledger sees it: items of the plan out, what became of them in.

mod writer;

use std::collections::HashMap;
use std::ops::Range;

use duckdb::arrow::array::{Array, AsArray};
use duckdb::arrow::datatypes::{Int32Type, Int64Type};
use duckdb::{Connection, params};
use longhaul_model::{CopyStatus, ErrorClass, FileFacts, NodeId, NodeKind, PlanAction, Reason};

use crate::codes::{node_kind, plan_action};
use crate::counters::Counters;
use crate::error::{LedgerError, Result};
use crate::renames::{paths_of_parents, renamed_paths};
use crate::sql;
use crate::temp::TempTable;

pub(crate) use writer::settle_copying;

pub use writer::CopyWriter;

/// Items of one batch at most: one message, so that neither the size of a folder nor a single worker decides how long
/// the others wait.
const BATCH_ITEMS_MAX: usize = 128;

/// Bytes of one batch at most, unless a single item has more.
const BATCH_BYTES_MAX: i64 = 32 << 20;

/// Ids that one statement looks at: with more of them, what is joined does not fit into the memory that DuckDB has.
pub(crate) const STATEMENT_IDS: i64 = 65_536;

/// Folders whose ids lie further apart are not looked at together when their children are looked for.
const GAP_IDS_MAX: i64 = 1_024;

/// Items of the plan that are in one folder: what a worker is given.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanBatch {
    /// The folder on the source.
    pub folder: NodeId,
    /// Its printable path on the source.
    pub path: String,
    /// Its printable path on the destination, where it is another one.
    pub destination_path: Option<String>,
    /// Of the items.
    pub depth: i32,
    /// In id order, at least one.
    pub items: Vec<PlanItem>,
}

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PlanItem {
    /// The source node.
    pub id: NodeId,
    /// Its printable name on the source.
    pub name: String,
    /// The printable name that it gets on the destination, where somebody has accepted another one.
    pub new_name: Option<String>,
    /// What it was when it was found.
    pub kind: NodeKind,
    /// Its size and time then.
    pub facts: FileFacts,
    /// What is to be done.
    pub action: PlanAction,
    /// What had its place on the destination then, where something is to be replaced, or compared.
    pub in_its_place: Option<FileFacts>,
    /// Parts of it that an earlier run copied.
    pub parts: Vec<PartCopied>,
}

impl PlanBatch {
    /// The folder's printable path on the destination.
    pub fn path_on_destination(&self) -> &str {
        self.destination_path.as_deref().unwrap_or(&self.path)
    }
}

impl PlanItem {
    /// The printable name on the destination.
    pub fn name_on_destination(&self) -> &str {
        self.new_name.as_deref().unwrap_or(&self.name)
    }
}

/// A folder that this migration made on the destination.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MadeFolder {
    /// The folder on the source.
    pub id: NodeId,
    /// Its printable path there.
    pub path: String,
    /// Its printable path on the destination, where it is another one.
    pub destination_path: Option<String>,
}

/// A part of a large file that is at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartCopied {
    /// 0, 1, 2, …
    pub part: u32,
    /// Of the whole file, when the part was read.
    pub facts: FileFacts,
    /// The chaining value of its contents.
    pub value: [u8; 32],
}

/// What there is to be copied when a run begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRemaining {
    /// Source ids among which all items are; empty if there are none.
    pub ids: Range<i64>,
    /// Items with lower ids may have been begun by an earlier run.
    pub begun_below: i64,
    /// Items.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
    /// What the names of files begin with that are not whole yet: no name on the source does.
    pub temporary_prefix: String,
    /// Files with several names that were copied already: device, inode, and the path of one of its names.
    pub linked: Vec<(i64, i64, String)>,
    /// Large files that an earlier run may have begun and that are not to be copied any more, since they were excluded or
    /// are gone: source ids, with the printable path of their folder on the destination. What is left of them goes.
    pub given_up: Vec<(NodeId, String)>,
    /// Folders that earlier runs have made, and finished perhaps, and that something is still to be copied into: printable
    /// paths on the destination.
    pub made_before: Vec<String>,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CopyResult {
    /// The source node.
    pub id: NodeId,
    /// How deep it is.
    pub depth: i32,
    /// What it was when it was found.
    pub kind: NodeKind,
    /// Its size when it was found.
    pub size: Option<i64>,
    /// What became of it.
    pub outcome: CopyOutcome,
    /// How many attempts it took; 0 where nothing was tried.
    pub attempts: u32,
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum CopyOutcome {
    /// It is at the destination.
    Copied(CopiedFile),
    /// It was there already.
    AlreadyThere,
    /// What is in its place is left there, for this reason.
    Skipped(Reason),
    /// A person has to decide, for this reason.
    Conflict(Reason),
    /// It is gone from the source.
    Vanished(Reason),
    /// It could not be copied.
    Failed {
        /// What kind of error it was.
        class: ErrorClass,
        /// What it was, for people.
        message: String,
    },
}

/// What was copied, as it was when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct CopiedFile {
    /// Its printable name on the destination, where it is another one.
    pub name: Option<String>,
    /// Bytes; `None` for what has none.
    pub size: Option<i64>,
    /// Nanoseconds since 1970.
    pub modified_ns: Option<i64>,
    /// BLAKE3 of its contents.
    pub checksum: Option<[u8; 32]>,
    /// Device and inode, where it has several names that are kept together.
    pub identity: Option<(i64, i64)>,
}

/// Items of the plan that are still to be done, with source ids within `ids`, by folder; every folder's creation comes
/// before what is in it. `renamed` are the folders that have another path on the destination.
///
/// As with folders to be listed, all conditions are ranges of ids, which take a few milliseconds whatever the size of
/// the tables.
pub(crate) fn pull_plan(connection: &Connection, renamed: &TempTable, ids: &Range<i64>) -> Result<Vec<PlanBatch>> {
    let mut pulled = Batches::default();
    let mut start = ids.start;
    while start < ids.end {
        let end = ids.end.min(start.saturating_add(STATEMENT_IDS));
        pull_items(connection, renamed, &(start..end), &mut pulled)?;
        start = end;
    }
    let mut batches = pulled.batches;
    if !batches.is_empty() {
        add_parts(connection, ids, &mut batches)?;
    }
    Ok(batches)
}

/// Adds the items with ids within `ids`.
fn pull_items(connection: &Connection, renamed: &TempTable, ids: &Range<i64>, pulled: &mut Batches) -> Result<()> {
    let (start, end) = (ids.start, ids.end);
    let (to_do, first_taken, last_taken): (i64, Option<i64>, Option<i64>) = connection
        .prepare_cached(&format!(
            "SELECT count(*), min(dst_id), max(dst_id)
                 FROM plan
                 WHERE src_id >= ? AND src_id < ? AND {}",
            sql::is_work("action")
        ))?
        .query_row(params![start, end], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    if to_do == 0 {
        return Ok(());
    }
    let paths = paths_of_parents(connection, ids)?;
    let destination_paths = match (paths.keys().min(), paths.keys().max()) {
        (Some(&first), Some(&last)) => renamed_paths(connection, renamed, &(first..last + 1))?,
        _ => HashMap::new(),
    };
    // Without an order, and without the paths, which would be there once for each item: it takes half as long.
    let mut statement = connection.prepare_cached(&format!(
        "SELECT n.id, n.parent_id, n.depth, n.name, n.kind::VARCHAR, n.size, n.modified_ns, p.action::VARCHAR,
           d.id, d.size, d.modified_ns, r.name
         FROM plan p
         ANTI JOIN (
           SELECT id
           FROM src_current
           WHERE id >= ? AND id < ? AND {is_settled}
         ) done ON done.id = p.src_id
         JOIN src_nodes n ON n.id = p.src_id
         LEFT JOIN (SELECT id, size, modified_ns FROM dst_nodes WHERE id >= ? AND id <= ?) d ON d.id = p.dst_id
         LEFT JOIN (SELECT src_id, name FROM renames WHERE src_id >= ? AND src_id < ?) r ON r.src_id = p.src_id
         WHERE p.src_id >= ? AND p.src_id < ? AND n.id >= ? AND n.id < ?
           AND {is_work}",
        is_settled = sql::is_settled("copy_status"),
        is_work = sql::is_work("p.action")
    ))?;
    let (first_taken, last_taken) = (first_taken.unwrap_or(0), last_taken.unwrap_or(-1));
    let batches =
        statement.query_arrow(params![start, end, first_taken, last_taken, start, end, start, end, start, end])?;
    let mut items = Vec::new();
    for batch in batches {
        let number = |column: usize| batch.column(column).as_primitive::<Int64Type>();
        let text = |column: usize| batch.column(column).as_string::<i32>();
        let depths = batch.column(2).as_primitive::<Int32Type>();
        let maybe = |column: usize, row: usize| number(column).is_valid(row).then(|| number(column).value(row));
        for row in 0..batch.num_rows() {
            let item = PlanItem {
                id: NodeId(number(0).value(row)),
                name: text(3).value(row).to_owned(),
                new_name: text(11).is_valid(row).then(|| text(11).value(row).to_owned()),
                kind: node_kind(text(4).value(row))?,
                facts: FileFacts { size: maybe(5, row), modified_ns: maybe(6, row) },
                action: plan_action(text(7).value(row))?,
                in_its_place: maybe(8, row).map(|_| FileFacts { size: maybe(9, row), modified_ns: maybe(10, row) }),
                parts: Vec::new(),
            };
            items.push((number(1).value(row), depths.value(row), item));
        }
    }
    items.sort_by_key(|(_, _, item)| item.id);
    for (parent, depth, item) in items {
        let path = paths
            .get(&parent)
            .ok_or_else(|| LedgerError::Inconsistent(format!("the folder {parent} of a planned node has no path")))?;
        pulled.add(NodeId(parent), path, destination_paths.get(&parent), depth, item);
    }
    Ok(())
}

/// Gathers items into batches: those of one folder follow one another, except where a folder was listed in pages.
#[derive(Default)]
struct Batches {
    batches: Vec<PlanBatch>,
    bytes: i64,
}

impl Batches {
    fn add(&mut self, folder: NodeId, path: &str, destination_path: Option<&String>, depth: i32, item: PlanItem) {
        let bytes = item.facts.size.unwrap_or(0);
        match self.batches.last_mut() {
            Some(last)
                if last.folder == folder
                    && last.items.len() < BATCH_ITEMS_MAX
                    && self.bytes.saturating_add(bytes) <= BATCH_BYTES_MAX =>
            {
                last.items.push(item);
                self.bytes += bytes;
            }
            _ => {
                let (path, destination_path) = (path.to_owned(), destination_path.cloned());
                self.batches.push(PlanBatch { folder, path, destination_path, depth, items: vec![item] });
                self.bytes = bytes;
            }
        }
    }
}

fn add_parts(connection: &Connection, ids: &Range<i64>, batches: &mut [PlanBatch]) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "SELECT src_id, part, size, modified_ns, value
         FROM parts
         WHERE src_id >= ? AND src_id < ?
         ORDER BY src_id, part",
    )?;
    let mut rows = statement.query(params![ids.start, ids.end])?;
    let mut parts: HashMap<NodeId, Vec<PartCopied>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let value: Vec<u8> = row.get(4)?;
        let part = PartCopied {
            part: row.get(1)?,
            facts: FileFacts { size: Some(row.get(2)?), modified_ns: row.get(3)? },
            value: value
                .try_into()
                .map_err(|_| LedgerError::Inconsistent("a part's value has not 32 bytes".to_owned()))?,
        };
        parts.entry(NodeId(row.get(0)?)).or_default().push(part);
    }
    if !parts.is_empty() {
        for item in batches.iter_mut().flat_map(|batch| &mut batch.items) {
            item.parts = parts.remove(&item.id).unwrap_or_default();
        }
    }
    Ok(())
}

/// The folders with ids within `ids` that this migration made on the destination, in id order. The events must have been
/// folded. `renamed` are the folders that have another path there.
pub(crate) fn pull_made_folders(
    connection: &Connection,
    renamed: &TempTable,
    ids: &Range<i64>,
) -> Result<Vec<MadeFolder>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT f.id, f.path, d.path
         FROM src_folders f
         JOIN src_current c ON c.id = f.id
         LEFT JOIN (FROM {renamed} WHERE id >= ? AND id < ?) d ON d.id = f.id
         WHERE f.id >= ? AND f.id < ? AND c.id >= ? AND c.id < ? AND c.copy_status = '{successful}'
         ORDER BY f.id",
        successful = CopyStatus::Successful
    ))?;
    let (start, end) = (ids.start, ids.end);
    let folders = statement.query_map(params![start, end, start, end, start, end], |row| {
        Ok(MadeFolder { id: NodeId(row.get(0)?), path: row.get(1)?, destination_path: row.get(2)? })
    })?;
    Ok(folders.collect::<duckdb::Result<_>>()?)
}

/// A folder that was made, and whose time or permissions could not be set.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct UnfinishedFolder {
    /// Which one.
    pub id: NodeId,
    /// The class of the error.
    pub class: ErrorClass,
    /// What went wrong.
    pub message: String,
    /// After how many attempts.
    pub attempts: u32,
}

/// Something below a folder that cannot be copied because of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Below {
    pub(crate) id: NodeId,
    pub(crate) kind: NodeKind,
    pub(crate) size: Option<i64>,
    pub(crate) depth: i32,
    /// Whether the plan has work for it and it is still pending.
    pub(crate) is_to_do: bool,
}

/// Cuts ascending ids of folders into ranges of neighbours. The children of neighbours are neighbours, so that it takes
/// as long to find them as there are many, and not as long as there is much in the ledger.
pub(crate) fn neighbours(folders: &[i64]) -> Vec<Range<i64>> {
    let mut ranges: Vec<Range<i64>> = Vec::new();
    for &id in folders {
        match ranges.last_mut() {
            Some(last) if id - last.end < GAP_IDS_MAX && id - last.start < STATEMENT_IDS => last.end = id + 1,
            _ => ranges.push(id..id + 1),
        }
    }
    ranges
}

/// The ids among which all children are of the folders with ids within `parents`.
pub(crate) fn ids_of_children(connection: &Connection, parents: &Range<i64>) -> Result<Range<i64>> {
    let (first, last): (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT min(id), max(id) FROM src_nodes WHERE parent_id >= ? AND parent_id < ?")?
        .query_row(params![parents.start, parents.end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(first.zip(last).map_or(0..0, |(first, last)| first..last + 1))
}

/// Those children of `folders` whose ids lie within `ids`, in id order; `parents` are the bounds of `folders`. The rows
/// must have been flushed.
pub(crate) fn pull_children(
    connection: &Connection,
    folders: &[i64],
    parents: &Range<i64>,
    ids: &Range<i64>,
) -> Result<Vec<Below>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT n.id, n.parent_id, n.kind::VARCHAR, n.size, n.depth,
           p.src_id IS NOT NULL AND NOT {is_settled}
         FROM src_nodes n
         LEFT JOIN (
           SELECT src_id
           FROM plan
           WHERE src_id >= ? AND src_id < ? AND {is_work}
         ) p ON p.src_id = n.id
         LEFT JOIN (
           SELECT node_id AS id, arg_max(copy_status, seq) AS copy_status
           FROM src_status_events
           WHERE seq > (SELECT src_folded_seq FROM migration) AND node_id >= ? AND node_id < ?
             AND copy_status IS NOT NULL
           GROUP BY node_id
         ) e ON e.id = n.id
         LEFT JOIN (
           SELECT id, copy_status
           FROM src_current
           WHERE id >= ? AND id < ? AND copy_status IS NOT NULL
         ) s ON s.id = n.id
         WHERE n.id >= ? AND n.id < ? AND n.parent_id >= ? AND n.parent_id < ?",
        is_settled = sql::is_settled("coalesce(e.copy_status, s.copy_status)"),
        is_work = sql::is_work("action")
    ))?;
    let (start, end) = (ids.start, ids.end);
    let (first, last) = (parents.start, parents.end);
    let mut rows = statement.query(params![start, end, start, end, start, end, start, end, first, last])?;
    let mut children = Vec::new();
    while let Some(row) = rows.next()? {
        if folders.binary_search(&row.get(1)?).is_ok() {
            children.push(Below {
                id: NodeId(row.get(0)?),
                kind: node_kind(&row.get::<_, String>(2)?)?,
                size: row.get(3)?,
                depth: row.get(4)?,
                is_to_do: row.get(5)?,
            });
        }
    }
    children.sort_by_key(|child| child.id);
    Ok(children)
}

/// What is still to be copied, of which `counters` has the numbers. The events must have been folded. `renamed` are the folders
/// that have another path on the destination.
pub(crate) fn remaining(
    connection: &Connection,
    renamed: &TempTable,
    counters: &Counters,
    begun_below: i64,
    large_from: u64,
) -> Result<CopyRemaining> {
    // What is done already is passed over when it is pulled.
    let (first, last) = connection.query_row(
        &format!("SELECT min(src_id), max(src_id) FROM plan WHERE {}", sql::is_work("action")),
        [],
        |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
    )?;
    let nodes = counters.copy_pending();
    let ids = first.zip(last).filter(|_| nodes > 0).map_or(0..0, |(first, last)| first..last + 1);
    let path = sql::child_path("n.parent_id", "coalesce(d.path, f.path)", "coalesce(c.name, n.name)");
    let mut statement = connection.prepare(&format!(
        "SELECT DISTINCT ON (c.device, c.inode) c.device, c.inode, {path}
         FROM copied c
         JOIN src_nodes n ON n.id = c.src_id
         JOIN src_folders f ON f.id = n.parent_id
         LEFT JOIN {renamed} d ON d.id = f.id
         WHERE c.inode IS NOT NULL"
    ))?;
    let linked = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(CopyRemaining {
        temporary_prefix: temporary_prefix(connection)?,
        ids,
        begun_below,
        nodes,
        bytes: counters.copy_pending_bytes(),
        linked: linked.collect::<duckdb::Result<_>>()?,
        given_up: given_up(connection, renamed, begun_below, large_from)?,
        made_before: if begun_below > 0 { made_before(connection, renamed)? } else { Vec::new() },
    })
}

fn made_before(connection: &Connection, renamed: &TempTable) -> Result<Vec<String>> {
    let mut statement = connection.prepare(&format!(
        "SELECT coalesce(d.path, f.path)
         FROM src_folders f
         JOIN src_current c ON c.id = f.id
         LEFT JOIN {renamed} d ON d.id = f.id
         WHERE c.copy_status = '{successful}' AND f.id IN (
           SELECT n.parent_id
           FROM plan p
           JOIN src_nodes n ON n.id = p.src_id
           LEFT JOIN src_current i ON i.id = p.src_id
           WHERE {is_work} AND NOT {is_settled}
         )
         ORDER BY f.id",
        successful = CopyStatus::Successful,
        is_work = sql::is_work("p.action"),
        is_settled = sql::is_settled("i.copy_status"),
    ))?;
    let paths = statement.query_map([], |row| row.get(0))?;
    Ok(paths.collect::<duckdb::Result<_>>()?)
}

fn given_up(
    connection: &Connection,
    renamed: &TempTable,
    begun_below: i64,
    large_from: u64,
) -> Result<Vec<(NodeId, String)>> {
    let mut statement = connection.prepare(&format!(
        "SELECT n.id, coalesce(d.path, f.path)
         FROM src_nodes n
         JOIN src_current c ON c.id = n.id
         JOIN src_folders f ON f.id = n.parent_id
         LEFT JOIN {renamed} d ON d.id = f.id
         WHERE n.id < ? AND n.kind = '{file}' AND n.size >= ?
           AND {is_given_up}
         ORDER BY n.id",
        file = NodeKind::File,
        is_given_up = sql::is_status("c.copy_status", CopyStatus::is_given_up)
    ))?;
    let large_from = i64::try_from(large_from).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![begun_below, large_from], |row| Ok((NodeId(row.get(0)?), row.get(1)?)))?;
    Ok(rows.collect::<duckdb::Result<_>>()?)
}

/// A prefix that tells this migration's temporary files from any other name.
fn temporary_prefix(connection: &Connection) -> Result<String> {
    let created_ns: i64 = connection.query_row("SELECT created_ns FROM migration", [], |row| row.get(0))?;
    let mut prefix = format!(".longhaul-{created_ns:x}-");
    loop {
        let taken: i64 = connection
            .prepare_cached("SELECT count(*) FROM src_nodes WHERE starts_with(name, ?)")?
            .query_row(params![prefix], |row| row.get(0))?;
        if taken == 0 {
            return Ok(prefix);
        }
        prefix.insert(prefix.len() - 1, 'x');
    }
}

#[cfg(test)]
mod tests;
