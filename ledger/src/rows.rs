//! Rows on their way into tables: collected in columns, handed to DuckDB as Arrow batches.
//!
//! The macro `rows!` makes a set of rows from its columns, which are those of the table, in their order. By hand, and not
//! by a crate for any structure, since the columns are filled a page at a time.
//!
//! Enumerations travel as text, which DuckDB turns into its own form on arrival (it takes no numbers for them).

mod columns;
mod sweep;

use duckdb::arrow::array::{ArrayRef, BinaryBuilder, RecordBatch, StringBuilder};
use duckdb::arrow::datatypes::SchemaRef;
use duckdb::{Appender, Connection};
use longhaul_model::{BySide, ErrorClass, NodeId, NodeKind, Page, Phase, Side};

use crate::error::Result;
use crate::words::ExclusionOrigin;

pub(crate) use columns::{Column, Names, rows, schema};
pub(crate) use sweep::{FactRows, FindingRow, RelistedRows, SweepRows};

/// The names of one batch may take this much: Arrow's offsets are 32 bits, and memory has to stay bounded.
pub(crate) const BATCH_NAME_BYTES_MAX: usize = 64 << 20;

/// Rows for one table.
pub(crate) trait Rows {
    /// How many are waiting.
    fn len(&self) -> usize;
    /// Takes them all as columns, in the order of the table's columns.
    fn take(&mut self) -> Vec<ArrayRef>;
    /// The table's columns.
    fn schema() -> SchemaRef;
}

/// Appends all waiting rows to `table`, inside the transaction that is open. Returns how many there were.
pub(crate) fn flush<R: Rows>(rows: &mut R, table: &str, connection: &Connection) -> Result<usize> {
    append(rows, || connection.appender(table))
}

/// As [`flush`], to a temporary table; the ledger may be open for reading only.
pub(crate) fn flush_temporary<R: Rows>(rows: &mut R, table: &str, connection: &Connection) -> Result<usize> {
    append(rows, || connection.appender_to_catalog_and_db(table, "temp", "main"))
}

fn append<'a, R: Rows>(rows: &mut R, appender: impl FnOnce() -> duckdb::Result<Appender<'a>>) -> Result<usize> {
    let count = rows.len();
    if count > 0 {
        let batch = RecordBatch::try_new(R::schema(), rows.take())?;
        let mut appender = appender()?;
        appender.append_record_batch(batch)?;
        // Dropping an appender flushes as well, but swallows the error.
        appender.flush()?;
    }
    Ok(count)
}

/// All rows that wait to be handed to DuckDB, except the events, which `Events` has. A phase fills some of them.
#[derive(Debug, Default)]
pub(crate) struct WaitingRows {
    pub(crate) nodes: BySide<NodeRows>,
    pub(crate) source_folders: SourceFolderRows,
    pub(crate) destination_folders: DestinationFolderRows,
    pub(crate) matches: MatchRows,
    pub(crate) exclusions: ExclusionRows,
    pub(crate) errors: ErrorRows,
    pub(crate) copied: CopiedRows,
    pub(crate) parts: PartRows,
    pub(crate) sweep: SweepRows,
}

impl WaitingRows {
    /// Hands them to DuckDB, inside the transaction that is open.
    pub(crate) fn flush(&mut self, connection: &Connection) -> Result<()> {
        flush(&mut self.nodes.src, "src_nodes", connection)?;
        flush(&mut self.nodes.dst, "dst_nodes", connection)?;
        flush(&mut self.source_folders, "src_folders", connection)?;
        flush(&mut self.destination_folders, "dst_folders", connection)?;
        flush(&mut self.matches, "matches", connection)?;
        flush(&mut self.exclusions, "exclusions", connection)?;
        flush(&mut self.errors, "errors", connection)?;
        flush(&mut self.copied, "copied", connection)?;
        flush(&mut self.parts, "parts", connection)?;
        self.sweep.flush(connection)
    }
}

rows! {
    /// Rows of `src_nodes` or `dst_nodes`.
    NodeRows {
        id: Vec<i64>,
        parent_id: Vec<Option<i64>>,
        name: Names,
        kind: Vec<NodeKind>,
        size: Vec<Option<i64>>,
        modified_ns: Vec<Option<i64>>,
        depth: Vec<i32>,
    }
}

impl NodeRows {
    /// The root of a side.
    pub(crate) fn push_root(&mut self, id: NodeId) {
        self.id.push(id.0);
        self.parent_id.push(None);
        self.name.push("");
        self.kind.push(NodeKind::Folder);
        self.size.push(None);
        self.modified_ns.push(None);
        self.depth.push(0);
    }

    /// All entries of a page, with ids from `first_id` on.
    pub(crate) fn push_page(&mut self, first_id: NodeId, parent: NodeId, depth: i32, page: &Page) {
        self.id.extend((0_i64..).take(page.len()).map(|offset| first_id.0 + offset));
        self.parent_id.extend(std::iter::repeat_n(Some(parent.0), page.len()));
        self.name.extend(page.names(), page.ends());
        self.kind.extend_from_slice(page.kinds());
        self.size.extend_from_slice(page.sizes());
        self.modified_ns.extend_from_slice(page.modified_ns());
        self.depth.extend(std::iter::repeat_n(depth, page.len()));
    }

    /// Bytes of names that are waiting.
    pub(crate) fn name_bytes(&self) -> usize {
        self.name.bytes()
    }
}

rows! {
    /// Rows of `src_folders`.
    SourceFolderRows {
        id: Vec<i64>,
        path: StringBuilder,
        depth: Vec<i32>,
    }
}

impl SourceFolderRows {
    pub(crate) fn push(&mut self, id: NodeId, path: &str, depth: i32) {
        self.id.push(id.0);
        self.path.append_value(path);
        self.depth.push(depth);
    }
}

rows! {
    /// Rows of `dst_folders`.
    DestinationFolderRows {
        id: Vec<i64>,
        path: StringBuilder,
        depth: Vec<i32>,
        src_id: Vec<i64>,
    }
}

impl DestinationFolderRows {
    pub(crate) fn push(&mut self, id: NodeId, path: &str, depth: i32, counterpart: NodeId) {
        self.id.push(id.0);
        self.path.append_value(path);
        self.depth.push(depth);
        self.src_id.push(counterpart.0);
    }
}

rows! {
    /// Rows of `matches`.
    MatchRows {
        src_id: Vec<i64>,
        dst_id: Vec<i64>,
        same: Vec<bool>,
    }
}

impl MatchRows {
    pub(crate) fn push(&mut self, source: NodeId, destination: NodeId, same: bool) {
        self.src_id.push(source.0);
        self.dst_id.push(destination.0);
        self.same.push(same);
    }
}

rows! {
    /// Rows of `exclusions`: what a filter excluded. What people exclude is written by SQL.
    ExclusionRows {
        node_id: Vec<i64>,
        origin: Vec<ExclusionOrigin>,
        reason: StringBuilder,
        run: Vec<i32>,
        at_ns: Vec<i64>,
    }
}

impl ExclusionRows {
    /// `reason` is in its stored form.
    pub(crate) fn push(&mut self, node: NodeId, origin: ExclusionOrigin, reason: &str, run: i32, at_ns: i64) {
        self.node_id.push(node.0);
        self.origin.push(origin);
        self.reason.append_value(reason);
        self.run.push(run);
        self.at_ns.push(at_ns);
    }
}

/// A row of `errors`.
#[derive(Debug)]
pub(crate) struct ErrorRow<'a> {
    pub(crate) side: Side,
    pub(crate) node: NodeId,
    pub(crate) phase: Phase,
    pub(crate) class: ErrorClass,
    pub(crate) message: &'a str,
    pub(crate) attempts: i32,
    pub(crate) run: i32,
    pub(crate) at_ns: i64,
}

rows! {
    /// Rows of `errors`.
    ErrorRows {
        side: Vec<Side>,
        node_id: Vec<i64>,
        phase: StringBuilder,
        class: StringBuilder,
        message: StringBuilder,
        attempts: Vec<i32>,
        run: Vec<i32>,
        at_ns: Vec<i64>,
    }
}

impl ErrorRows {
    pub(crate) fn push(&mut self, row: &ErrorRow<'_>) {
        self.side.push(row.side);
        self.node_id.push(row.node.0);
        self.phase.append_value(row.phase.as_str());
        self.class.append_value(row.class.as_str());
        self.message.append_value(row.message);
        self.attempts.push(row.attempts);
        self.run.push(row.run);
        self.at_ns.push(row.at_ns);
    }
}

/// A row of `copied`.
#[derive(Debug)]
pub(crate) struct CopiedRow<'a> {
    pub(crate) source: NodeId,
    pub(crate) name: Option<&'a str>,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
    pub(crate) checksum: Option<&'a [u8; 32]>,
    pub(crate) identity: Option<(i64, i64)>,
}

rows! {
    /// Rows of `copied`.
    CopiedRows {
        src_id: Vec<i64>,
        name: StringBuilder,
        size: Vec<Option<i64>>,
        modified_ns: Vec<Option<i64>>,
        checksum: BinaryBuilder,
        device: Vec<Option<i64>>,
        inode: Vec<Option<i64>>,
    }
}

impl CopiedRows {
    pub(crate) fn push(&mut self, row: &CopiedRow<'_>) {
        self.src_id.push(row.source.0);
        self.name.append_option(row.name);
        self.size.push(row.size);
        self.modified_ns.push(row.modified_ns);
        self.checksum.append_option(row.checksum);
        self.device.push(row.identity.map(|(device, _)| device));
        self.inode.push(row.identity.map(|(_, inode)| inode));
    }
}

rows! {
    /// Rows of `parts`.
    PartRows {
        src_id: Vec<i64>,
        part: Vec<i32>,
        size: Vec<i64>,
        modified_ns: Vec<Option<i64>>,
        value: BinaryBuilder,
    }
}

impl PartRows {
    pub(crate) fn push(&mut self, source: NodeId, part: i32, size: i64, modified_ns: Option<i64>, value: &[u8; 32]) {
        self.src_id.push(source.0);
        self.part.push(part);
        self.size.push(size);
        self.modified_ns.push(modified_ns);
        self.value.append_value(value);
    }
}
