//! Going over all names, some tens of thousands at a time.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};
use std::ops::Range;

use duckdb::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use duckdb::arrow::datatypes::{Int32Type, Int64Type};
use duckdb::{Connection, params};
use longhaul_model::{CopyStatus, NodeKind, decode_name};
use longhaul_naming::{Broken, Place, Rule, RuleSet, Unit};

use crate::error::{LedgerError, Result};
use crate::renames::{find_renamed_folders, paths_of_parents, renamed_paths};
use crate::rows::rows;
use crate::sql::{self, RANGE_IDS};
use crate::temp::TempTable;

/// To be brought to the destination.
pub(super) const TO_COME: i32 = 0;
/// There already, as a node of the destination.
const ON_DESTINATION: i32 = 2;

/// Names that are or will be in a folder of the source's on the destination, as far as they have been looked at.
pub(super) struct Names<'a> {
    pub(super) connection: &'a Connection,
    pub(super) rules: RuleSet,
    /// Hashes of what the destination sees of them and of themselves. State 0 is to be brought there, 1 and 2 are there, as
    /// nodes of the source and of the destination.
    pub(super) table: TempTable,
}

rows! {
    /// Rows of [`Names`].
    NameRows {
        parent_id: Vec<i64>,
        fold: Vec<i64>,
        name: Vec<i64>,
        id: Vec<i64>,
        state: Vec<i32>,
    }
}

impl NameRows {
    fn push(&mut self, rules: RuleSet, parent: i64, name: &[u8], id: i64, state: i32) {
        let fold = hash_of_fold(rules, name);
        self.parent_id.push(parent);
        self.fold.push(fold);
        self.name.push(if rules.folds() { hash_of(name) } else { fold });
        self.id.push(id);
        self.state.push(state);
    }
}

/// A hash of what the destination sees of a name. That two of them are the same by chance is looked into where it matters.
pub(super) fn hash_of_fold(rules: RuleSet, name: &[u8]) -> i64 {
    if rules.folds() { hash_of(&rules.fold(name)) } else { hash_of(name) }
}

fn hash_of(bytes: &[u8]) -> i64 {
    // Of use in this process only, where it is the same each time.
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish().cast_signed()
}

rows! {
    /// Rows of what names are at odds with by themselves.
    BrokenRows {
        id: Vec<i64>,
        parent_id: Vec<i64>,
        rules: Vec<i32>,
        room: Vec<Option<i64>>,
    }
}

/// Ranges that all ids of a table are in.
pub(super) fn ranges(connection: &Connection, table: &str) -> Result<impl Iterator<Item = Range<i64>> + use<>> {
    let last: i64 = connection.query_row(&format!("SELECT coalesce(max(id), 0) FROM {table}"), [], |row| row.get(0))?;
    let steps = 0..=last / RANGE_IDS;
    Ok(steps.map(|step| step * RANGE_IDS..(step + 1) * RANGE_IDS))
}

/// What is known of copy statuses, where there are events that are not folded: otherwise it is in `src_current`.
fn fresh_statuses(connection: &Connection) -> Result<Option<TempTable>> {
    let fresh: bool = connection.query_row(
        "SELECT coalesce(max(seq), 0) > (SELECT src_folded_seq FROM migration) FROM src_status_events",
        [],
        |row| row.get(0),
    )?;
    if !fresh {
        return Ok(None);
    }
    let statuses = "SELECT id, copy_status
                    FROM src_latest
                    WHERE copy_status IS NOT NULL";
    TempTable::of(connection, "lint_statuses", statuses).map(Some)
}

/// The names that nodes of the source have or will have on the destination; `where_clause` is about the node `n`.
/// `fresh` is what [`fresh_statuses`] has found.
///
/// What failed is tried again by a sweep, and counts as to come.
fn source_names(fresh: Option<&TempTable>, where_clause: &str) -> String {
    format!(
        "SELECT n.id, n.parent_id, coalesce(r.name, n.name), n.depth, n.kind = '{folder}',
           CASE WHEN m.src_id IS NOT NULL OR coalesce({is_there}, false) THEN 1 ELSE 0 END::INTEGER AS state
         FROM (FROM src_nodes WHERE id >= ?1 AND id < ?2) n
         LEFT JOIN (
           SELECT src_id
           FROM plan
           WHERE src_id >= ?1 AND src_id < ?2 AND {is_work}
         ) p ON p.src_id = n.id
         LEFT JOIN (SELECT DISTINCT src_id FROM matches WHERE src_id >= ?1 AND src_id < ?2 AND same) m ON m.src_id = n.id
         LEFT JOIN (FROM {statuses} WHERE id >= ?1 AND id < ?2) c ON c.id = n.id
         LEFT JOIN (FROM renames WHERE src_id >= ?1 AND src_id < ?2) r ON r.src_id = n.id
         WHERE n.parent_id IS NOT NULL AND {where_clause} AND (
           state = 1 OR p.src_id IS NOT NULL AND {is_outstanding}
         )",
        folder = NodeKind::Folder,
        is_outstanding =
            sql::is_status(&format!("coalesce(c.copy_status, '{}')", CopyStatus::Pending), CopyStatus::is_outstanding),
        is_there = sql::is_status("c.copy_status", CopyStatus::is_on_destination),
        is_work = sql::is_work("action"),
        statuses = fresh.map_or("src_current".to_owned(), TempTable::to_string)
    )
}

/// Whether the rules can have anything against any name at all: often one look over all of them tells that they cannot.
pub(super) fn may_be_broken(connection: &Connection, rules: RuleSet) -> Result<bool> {
    let Some(bytes) = rules.takes_all_up_to() else { return Ok(true) };
    // What is not its own printable form is no shorter for that.
    let sql = "SELECT EXISTS (
                 SELECT *
                 FROM (SELECT name FROM src_nodes UNION ALL SELECT name FROM renames)
                 WHERE strlen(name) > ? OR contains(name, '\\') OR name IN ('.', '..')
               )";
    Ok(connection.query_row(sql, [i64::try_from(bytes).unwrap_or(i64::MAX)], |row| row.get(0))?)
}

impl<'a> Names<'a> {
    pub(super) fn none(connection: &'a Connection, rules: RuleSet) -> Result<Names<'a>> {
        let columns = "parent_id BIGINT, fold BIGINT, name BIGINT, id BIGINT, state INTEGER";
        Ok(Names { connection, rules, table: TempTable::empty(connection, "lint_names", columns)? })
    }

    /// Looks at each name of the source by itself, and notes in `broken` what it is at odds with; and notes all names where
    /// the destination takes them for one another.
    pub(super) fn look_at_source(&self, broken: &TempTable) -> Result<()> {
        let Names { connection, rules, .. } = *self;
        let renamed = find_renamed_folders(connection)?;
        let fresh = fresh_statuses(connection)?;
        let sql = source_names(fresh.as_ref(), "true");
        let (mut found_broken, mut names) = (BrokenRows::default(), NameRows::default());
        for ids in ranges(connection, "src_nodes")? {
            let paths = match rules.path_max() {
                Some(length) => path_lengths(connection, &renamed, &ids, length.unit)?,
                None => HashMap::new(),
            };
            for_each_name(connection, &sql, &ids, |node, name| {
                if rules.folds() {
                    names.push(rules, node.parent, name, node.id, node.state);
                }
                if node.state != TO_COME {
                    return Ok(());
                }
                let mut found = rules.check(name, node.place());
                let mut room = None;
                if let Some(length) = rules.path_max() {
                    let above = *paths.get(&node.parent).ok_or_else(|| no_path(node.parent))?;
                    // How long the name can be, what is above it counted with the slash behind it.
                    let left = length.max.saturating_sub(above);
                    if length.unit.length_of(name) > left {
                        found.add(Rule::PathLength);
                    }
                    room = Some(i64::try_from(left).expect("a limit of paths"));
                }
                if !found.is_empty() {
                    push_broken(&mut found_broken, node, found, room);
                }
                Ok(())
            })?;
            self.table.append(connection, &mut names)?;
            broken.append(connection, &mut found_broken)?;
        }
        renamed.drop(connection)?;
        fresh.map_or(Ok(()), |fresh| fresh.drop(connection))
    }

    /// Notes the names of what is on the destination, in the folders that the source has as well. With `findings` only where
    /// something was found.
    pub(super) fn look_at_destination(&self, findings: Option<&TempTable>) -> Result<()> {
        let near = findings.map(|findings| format!("WHERE f.src_id IN (SELECT parent_id FROM {findings})"));
        let sql = format!(
            "SELECT d.id, f.src_id, d.name, d.depth, d.kind = '{folder}', {ON_DESTINATION}::INTEGER
             FROM (FROM dst_nodes WHERE id >= ?1 AND id < ?2) d
             JOIN dst_folders f ON f.id = d.parent_id
             {near}",
            folder = NodeKind::Folder,
            near = near.unwrap_or_default()
        );
        self.note(&sql, "dst_nodes")
    }

    /// Notes the names of the source that are in a folder in which something was found.
    pub(super) fn look_at_siblings(&self, findings: &TempTable) -> Result<()> {
        let fresh = fresh_statuses(self.connection)?;
        let sql = source_names(fresh.as_ref(), &format!("n.parent_id IN (SELECT parent_id FROM {findings})"));
        self.note(&sql, "src_nodes")?;
        fresh.map_or(Ok(()), |fresh| fresh.drop(self.connection))
    }

    fn note(&self, sql: &str, nodes: &str) -> Result<()> {
        let mut names = NameRows::default();
        for ids in ranges(self.connection, nodes)? {
            for_each_name(self.connection, sql, &ids, |node, name| {
                names.push(self.rules, node.parent, name, node.id, node.state);
                Ok(())
            })?;
            self.table.append(self.connection, &mut names)?;
        }
        Ok(())
    }
}

fn push_broken(rows: &mut BrokenRows, node: Node, broken: Broken, room: Option<i64>) {
    rows.id.push(node.id);
    rows.parent_id.push(node.parent);
    rows.rules.push(broken.to_bits().into());
    rows.room.push(room);
}

/// How long the paths on the destination are of the folders that nodes with ids within `ids` are in, without a slash in
/// front, and with one behind unless it is the root.
fn path_lengths(
    connection: &Connection,
    renamed: &TempTable,
    ids: &Range<i64>,
    unit: Unit,
) -> Result<HashMap<i64, usize>> {
    let mut paths = paths_of_parents(connection, ids)?;
    let (first, last) = (paths.keys().min().copied().unwrap_or(0), paths.keys().max().copied().unwrap_or(-1));
    for (id, path) in renamed_paths(connection, renamed, &(first..last + 1))? {
        if let Some(known) = paths.get_mut(&id) {
            *known = path;
        }
    }
    // There is a slash in front, which is not counted, in the place of the one behind, which is.
    let length = |path: String| if path == "/" { 0 } else { unit.length_of(&bytes_of(&path)) };
    Ok(paths.into_iter().map(|(id, path)| (id, length(path))).collect())
}

/// A row of a statement that goes over names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) id: i64,
    pub(super) parent: i64,
    depth: i32,
    is_folder: bool,
    /// The last column, whatever it is.
    pub(super) state: i32,
}

impl Node {
    pub(super) fn place(self) -> Place {
        Place { is_folder: self.is_folder, is_in_root: self.depth == 1 }
    }
}

/// Calls `each` with the rows of a statement with the columns id, parent, printable name, depth, whether it is a folder, and
/// a number, for ids within `ids`; the name is given as bytes.
pub(super) fn for_each_name(
    connection: &Connection,
    sql: &str,
    ids: &Range<i64>,
    mut each: impl FnMut(Node, &[u8]) -> Result<()>,
) -> Result<()> {
    let batches: Vec<RecordBatch> = {
        let mut statement = connection.prepare_cached(sql)?;
        statement.query_arrow(params![ids.start, ids.end])?.collect()
    };
    for batch in batches {
        let (id, parent) = (batch.column(0).as_primitive::<Int64Type>(), batch.column(1).as_primitive::<Int64Type>());
        let names: &StringArray = batch.column(2).as_string();
        let depths = batch.column(3).as_primitive::<Int32Type>();
        let is_folder = batch.column(4).as_boolean();
        let states = batch.column(5).as_primitive::<Int32Type>();
        for row in 0..batch.num_rows() {
            let node = Node {
                id: id.value(row),
                parent: parent.value(row),
                depth: depths.value(row),
                is_folder: is_folder.value(row),
                state: if states.is_null(row) { 0 } else { states.value(row) },
            };
            let name = names.value(row);
            // Nearly all names are their own printable form.
            if name.contains('\\') { each(node, &bytes_of(name))? } else { each(node, name.as_bytes())? }
        }
    }
    Ok(())
}

/// The bytes of what is in the ledger, which has printable forms only.
pub(super) fn bytes_of(printable: &str) -> Vec<u8> {
    decode_name(printable).unwrap_or_else(|_| printable.as_bytes().to_vec())
}

fn no_path(folder: i64) -> LedgerError {
    LedgerError::Inconsistent(format!("the folder {folder} of a planned node has no path"))
}
