//! Verification as the ledger sees it: what has to be at the destination, out; what is different, in.

mod writer;

use std::ops::Range;

use duckdb::arrow::array::{Array, AsArray};
use duckdb::arrow::datatypes::Int64Type;
use duckdb::{Connection, params};
use longhaul_model::{CopyStatus, FileFacts, NodeId, NodeKind};

use crate::codes::node_kind;
use crate::error::{LedgerError, Result};
use crate::renames::renamed_paths;
use crate::sql;
use crate::temp::TempTable;

pub use writer::VerifyWriter;

/// Nodes of one batch at most: a folder with more in it is listed once for each of its batches.
const BATCH_NODES_MAX: usize = 131_072;

/// What has to be in one folder of the destination, or a part of that.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExpectedBatch {
    /// The folder on the source.
    pub folder: NodeId,
    /// Its printable path on the source.
    pub path: String,
    /// Its printable path on the destination, where it is another one.
    pub destination_path: Option<String>,
    /// In id order, at least one.
    pub nodes: Vec<ExpectedNode>,
}

impl ExpectedBatch {
    /// The folder's printable path on the destination.
    pub fn path_on_destination(&self) -> &str {
        self.destination_path.as_deref().unwrap_or(&self.path)
    }
}

/// What has to be at the destination.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ExpectedNode {
    /// The source node.
    pub id: NodeId,
    /// Its printable name on the source.
    pub name: String,
    /// Its printable name on the destination, where it is another one.
    pub other_name: Option<String>,
    /// What it is.
    pub kind: NodeKind,
    /// Its size and time when it was copied, or listed.
    pub facts: FileFacts,
    /// Whether this migration brought it there; otherwise it was there before.
    pub is_copied: bool,
    /// BLAKE3 of what was copied.
    pub checksum: Option<[u8; 32]>,
}

/// What there is to be verified when a run begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyRemaining {
    /// Source ids among which all of it is.
    pub ids: Range<i64>,
    /// Nodes.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
}

/// What has to be at the destination of source nodes with ids within `ids`, by folder. The events must have been
/// folded. `renamed` are the folders that have another path there.
pub(crate) fn pull_expected(
    connection: &Connection,
    renamed: &TempTable,
    ids: &Range<i64>,
) -> Result<Vec<ExpectedBatch>> {
    let (start, end) = (ids.start, ids.end);
    let (first_parent, last_parent): (Option<i64>, Option<i64>) = connection
        .prepare_cached("SELECT min(parent_id), max(parent_id) FROM src_nodes WHERE id >= ? AND id < ?")?
        .query_row(params![start, end], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (Some(first_parent), Some(last_parent)) = (first_parent, last_parent) else { return Ok(Vec::new()) };
    let destination_paths = renamed_paths(connection, renamed, &(first_parent..last_parent + 1))?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT n.id, n.parent_id, n.name, n.kind::VARCHAR, coalesce(c.size, n.size),
           coalesce(c.modified_ns, n.modified_ns), f.path, coalesce(s.copy_status = '{successful}', false),
           coalesce(c.name, r.name), c.checksum
         FROM (FROM src_nodes WHERE id >= ? AND id < ?) n
         JOIN (FROM src_folders WHERE id >= ? AND id <= ?) f ON f.id = n.parent_id
         LEFT JOIN (
           FROM src_current
           WHERE id >= ? AND id < ? AND copy_status IS NOT NULL
         ) s ON s.id = n.id
         LEFT JOIN (FROM matches WHERE src_id >= ? AND src_id < ?) m ON m.src_id = n.id
         LEFT JOIN (FROM copied WHERE src_id >= ? AND src_id < ?) c ON c.src_id = n.id
         LEFT JOIN (FROM renames WHERE src_id >= ? AND src_id < ?) r ON r.src_id = n.id
         WHERE coalesce({is_there}, m.same, false)
         ORDER BY n.id",
        successful = CopyStatus::Successful,
        is_there = sql::is_status("s.copy_status", CopyStatus::is_on_destination),
    ))?;
    let arrow = statement.query_arrow(params![
        start,
        end,
        first_parent,
        last_parent,
        start,
        end,
        start,
        end,
        start,
        end,
        start,
        end
    ])?;
    let mut batches: Vec<ExpectedBatch> = Vec::new();
    for rows in arrow {
        let number = |column: usize| rows.column(column).as_primitive::<Int64Type>();
        let text = |column: usize| rows.column(column).as_string::<i32>();
        let maybe = |column: usize, row: usize| number(column).is_valid(row).then(|| number(column).value(row));
        let (is_copied, checksums) = (rows.column(7).as_boolean(), rows.column(9).as_binary::<i32>());
        for row in 0..rows.num_rows() {
            let checksum = checksums.is_valid(row).then(|| <[u8; 32]>::try_from(checksums.value(row)));
            let node = ExpectedNode {
                id: NodeId(number(0).value(row)),
                name: text(2).value(row).to_owned(),
                other_name: text(8).is_valid(row).then(|| text(8).value(row).to_owned()),
                kind: node_kind(text(3).value(row))?,
                facts: FileFacts { size: maybe(4, row), modified_ns: maybe(5, row) },
                is_copied: is_copied.value(row),
                checksum: checksum
                    .transpose()
                    .map_err(|_| LedgerError::Inconsistent("a checksum has not 32 bytes".to_owned()))?,
            };
            let folder = NodeId(number(1).value(row));
            match batches.last_mut() {
                Some(last) if last.folder == folder && last.nodes.len() < BATCH_NODES_MAX => last.nodes.push(node),
                _ => {
                    let path = text(6).value(row).to_owned();
                    let destination_path = destination_paths.get(&folder.0).cloned();
                    batches.push(ExpectedBatch { folder, path, destination_path, nodes: vec![node] });
                }
            }
        }
    }
    Ok(batches)
}
