//! Rows on their way into the big tables: collected in columns, handed to DuckDB as Arrow batches.
//!
//! Enumerations travel as text, which DuckDB turns into its own form on arrival (it takes no numbers for them).

mod sweep;

use std::sync::{Arc, LazyLock};

use duckdb::arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Int32Array, Int64Array, RecordBatch, StringArray, StringBuilder,
};
use duckdb::arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use duckdb::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use duckdb::{Appender, Connection};
use longhaul_model::{CopyStatus, ErrorClass, NodeId, NodeKind, Page, Phase, Side, TraversalStatus};

use crate::error::Result;

pub(crate) use sweep::{Finding, FindingRow, FindingRows, IdRows, RelistedRows, SweptRows};

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

pub(crate) fn schema(columns: &[(&str, DataType)]) -> SchemaRef {
    Arc::new(Schema::new(columns.iter().map(|(name, kind)| Field::new(*name, kind.clone(), true)).collect::<Vec<_>>()))
}

/// Rows of `src_nodes` or `dst_nodes`.
#[derive(Debug, Default)]
pub(crate) struct NodeRows {
    ids: Vec<i64>,
    parents: Vec<Option<i64>>,
    names: String,
    name_ends: Vec<i32>,
    kinds: Vec<NodeKind>,
    sizes: Vec<Option<i64>>,
    modified_ns: Vec<Option<i64>>,
    depths: Vec<i32>,
}

impl NodeRows {
    /// The root of a side.
    pub(crate) fn push_root(&mut self, id: NodeId) {
        self.ids.push(id.0);
        self.parents.push(None);
        self.name_ends.push(self.names_len());
        self.kinds.push(NodeKind::Folder);
        self.sizes.push(None);
        self.modified_ns.push(None);
        self.depths.push(0);
    }

    /// All entries of a page, with ids from `first_id` on.
    pub(crate) fn push_page(&mut self, first_id: NodeId, parent: NodeId, depth: i32, page: &Page) {
        let base = self.names_len();
        self.ids.extend((0_i64..).take(page.len()).map(|offset| first_id.0 + offset));
        self.parents.extend(std::iter::repeat_n(Some(parent.0), page.len()));
        self.names.push_str(page.names());
        self.names_len();
        self.name_ends.extend(page.ends().iter().map(|&end| base + i32::try_from(end).expect("checked above")));
        self.kinds.extend_from_slice(page.kinds());
        self.sizes.extend_from_slice(page.sizes());
        self.modified_ns.extend_from_slice(page.modified_ns());
        self.depths.extend(std::iter::repeat_n(depth, page.len()));
    }

    /// Bytes of names that are waiting.
    pub(crate) fn name_bytes(&self) -> usize {
        self.names.len()
    }

    fn names_len(&self) -> i32 {
        i32::try_from(self.names.len()).expect("the names of one batch are flushed long before 2 GiB")
    }
}

impl Rows for NodeRows {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let rows = std::mem::take(self);
        let mut offsets = Vec::with_capacity(rows.name_ends.len() + 1);
        offsets.push(0);
        offsets.extend(rows.name_ends);
        let names = StringArray::new(
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            Buffer::from_vec(rows.names.into_bytes()),
            None,
        );
        vec![
            Arc::new(Int64Array::from(rows.ids)),
            Arc::new(Int64Array::from(rows.parents)),
            Arc::new(names),
            Arc::new(StringArray::from_iter_values(rows.kinds.iter().map(|kind| kind.as_str()))),
            Arc::new(Int64Array::from(rows.sizes)),
            Arc::new(Int64Array::from(rows.modified_ns)),
            Arc::new(Int32Array::from(rows.depths)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("id", DataType::Int64),
                ("parent_id", DataType::Int64),
                ("name", DataType::Utf8),
                ("kind", DataType::Utf8),
                ("size", DataType::Int64),
                ("modified_ns", DataType::Int64),
                ("depth", DataType::Int32),
            ])
        });
        SCHEMA.clone()
    }
}

/// Rows of `src_folders`.
#[derive(Debug, Default)]
pub(crate) struct SourceFolderRows {
    ids: Vec<i64>,
    paths: StringBuilder,
    depths: Vec<i32>,
}

impl SourceFolderRows {
    pub(crate) fn push(&mut self, id: NodeId, path: &str, depth: i32) {
        self.ids.push(id.0);
        self.paths.append_value(path);
        self.depths.push(depth);
    }
}

impl Rows for SourceFolderRows {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.ids)),
            Arc::new(rows.paths.finish()),
            Arc::new(Int32Array::from(rows.depths)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> =
            LazyLock::new(|| schema(&[("id", DataType::Int64), ("path", DataType::Utf8), ("depth", DataType::Int32)]));
        SCHEMA.clone()
    }
}

/// Rows of `dst_folders`.
#[derive(Debug, Default)]
pub(crate) struct DestinationFolderRows {
    folders: SourceFolderRows,
    counterparts: Vec<i64>,
}

impl DestinationFolderRows {
    pub(crate) fn push(&mut self, id: NodeId, path: &str, depth: i32, counterpart: NodeId) {
        self.folders.push(id, path, depth);
        self.counterparts.push(counterpart.0);
    }
}

impl Rows for DestinationFolderRows {
    fn len(&self) -> usize {
        self.counterparts.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut columns = self.folders.take();
        columns.push(Arc::new(Int64Array::from(std::mem::take(&mut self.counterparts))));
        columns
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("id", DataType::Int64),
                ("path", DataType::Utf8),
                ("depth", DataType::Int32),
                ("src_id", DataType::Int64),
            ])
        });
        SCHEMA.clone()
    }
}

/// Rows of `matches`.
#[derive(Debug, Default)]
pub(crate) struct MatchRows {
    sources: Vec<i64>,
    destinations: Vec<i64>,
    same: Vec<bool>,
}

impl MatchRows {
    pub(crate) fn push(&mut self, source: NodeId, destination: NodeId, same: bool) {
        self.sources.push(source.0);
        self.destinations.push(destination.0);
        self.same.push(same);
    }
}

impl Rows for MatchRows {
    fn len(&self) -> usize {
        self.sources.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.sources)),
            Arc::new(Int64Array::from(rows.destinations)),
            Arc::new(BooleanArray::from(rows.same)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[("src_id", DataType::Int64), ("dst_id", DataType::Int64), ("same", DataType::Boolean)])
        });
        SCHEMA.clone()
    }
}

/// A row of `src_status_events` or `dst_status_events`.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) seq: i64,
    pub(crate) node: NodeId,
    pub(crate) traversal: Option<TraversalStatus>,
    pub(crate) copy: Option<CopyStatus>,
    pub(crate) attempt: i32,
    pub(crate) run: i32,
    pub(crate) at_ns: i64,
    pub(crate) error: Option<&'a str>,
}

/// Rows of `src_status_events` or `dst_status_events`.
#[derive(Debug, Default)]
pub(crate) struct EventRows {
    seqs: Vec<i64>,
    nodes: Vec<i64>,
    traversal: StringBuilder,
    copy: StringBuilder,
    attempts: Vec<i32>,
    runs: Vec<i32>,
    at_ns: Vec<i64>,
    errors: StringBuilder,
}

impl EventRows {
    pub(crate) fn push(&mut self, event: &Event<'_>) {
        self.seqs.push(event.seq);
        self.nodes.push(event.node.0);
        self.traversal.append_option(event.traversal.map(TraversalStatus::as_str));
        self.copy.append_option(event.copy.map(CopyStatus::as_str));
        self.attempts.push(event.attempt);
        self.runs.push(event.run);
        self.at_ns.push(event.at_ns);
        self.errors.append_option(event.error);
    }
}

impl Rows for EventRows {
    fn len(&self) -> usize {
        self.seqs.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.seqs)),
            Arc::new(Int64Array::from(rows.nodes)),
            Arc::new(rows.traversal.finish()),
            Arc::new(rows.copy.finish()),
            Arc::new(Int32Array::from(rows.attempts)),
            Arc::new(Int32Array::from(rows.runs)),
            Arc::new(Int64Array::from(rows.at_ns)),
            Arc::new(rows.errors.finish()),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("seq", DataType::Int64),
                ("node_id", DataType::Int64),
                ("traversal_status", DataType::Utf8),
                ("copy_status", DataType::Utf8),
                ("attempt", DataType::Int32),
                ("run", DataType::Int32),
                ("at_ns", DataType::Int64),
                ("error", DataType::Utf8),
            ])
        });
        SCHEMA.clone()
    }
}

/// Rows of `exclusions`: what a filter left out. What people exclude is written by SQL.
#[derive(Debug, Default)]
pub(crate) struct ExclusionRows {
    nodes: Vec<i64>,
    reasons: StringBuilder,
    runs: Vec<i32>,
    at_ns: Vec<i64>,
}

impl ExclusionRows {
    pub(crate) fn push(&mut self, node: NodeId, reason: &str, run: i32, at_ns: i64) {
        self.nodes.push(node.0);
        self.reasons.append_value(reason);
        self.runs.push(run);
        self.at_ns.push(at_ns);
    }
}

impl Rows for ExclusionRows {
    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.nodes)),
            Arc::new(rows.reasons.finish()),
            Arc::new(Int32Array::from(rows.runs)),
            Arc::new(Int64Array::from(rows.at_ns)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("node_id", DataType::Int64),
                ("reason", DataType::Utf8),
                ("run", DataType::Int32),
                ("at_ns", DataType::Int64),
            ])
        });
        SCHEMA.clone()
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

/// Rows of `errors`.
#[derive(Debug, Default)]
pub(crate) struct ErrorRows {
    sides: StringBuilder,
    nodes: Vec<i64>,
    phases: StringBuilder,
    classes: StringBuilder,
    messages: StringBuilder,
    attempts: Vec<i32>,
    runs: Vec<i32>,
    at_ns: Vec<i64>,
}

impl ErrorRows {
    pub(crate) fn push(&mut self, row: &ErrorRow<'_>) {
        self.sides.append_value(row.side.prefix());
        self.nodes.push(row.node.0);
        self.phases.append_value(row.phase.as_str());
        self.classes.append_value(row.class.as_str());
        self.messages.append_value(row.message);
        self.attempts.push(row.attempts);
        self.runs.push(row.run);
        self.at_ns.push(row.at_ns);
    }
}

impl Rows for ErrorRows {
    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut rows = std::mem::take(self);
        vec![
            Arc::new(rows.sides.finish()),
            Arc::new(Int64Array::from(rows.nodes)),
            Arc::new(rows.phases.finish()),
            Arc::new(rows.classes.finish()),
            Arc::new(rows.messages.finish()),
            Arc::new(Int32Array::from(rows.attempts)),
            Arc::new(Int32Array::from(rows.runs)),
            Arc::new(Int64Array::from(rows.at_ns)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("side", DataType::Utf8),
                ("node_id", DataType::Int64),
                ("phase", DataType::Utf8),
                ("class", DataType::Utf8),
                ("message", DataType::Utf8),
                ("attempts", DataType::Int32),
                ("run", DataType::Int32),
                ("at_ns", DataType::Int64),
            ])
        });
        SCHEMA.clone()
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

/// Rows of `copied`.
#[derive(Debug, Default)]
pub(crate) struct CopiedRows {
    sources: Vec<i64>,
    names: StringBuilder,
    sizes: Vec<Option<i64>>,
    modified_ns: Vec<Option<i64>>,
    checksums: BinaryBuilder,
    devices: Vec<Option<i64>>,
    inodes: Vec<Option<i64>>,
}

impl CopiedRows {
    pub(crate) fn push(&mut self, row: &CopiedRow<'_>) {
        self.sources.push(row.source.0);
        self.names.append_option(row.name);
        self.sizes.push(row.size);
        self.modified_ns.push(row.modified_ns);
        self.checksums.append_option(row.checksum);
        self.devices.push(row.identity.map(|(device, _)| device));
        self.inodes.push(row.identity.map(|(_, inode)| inode));
    }
}

impl Rows for CopiedRows {
    fn len(&self) -> usize {
        self.sources.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.sources)),
            Arc::new(rows.names.finish()),
            Arc::new(Int64Array::from(rows.sizes)),
            Arc::new(Int64Array::from(rows.modified_ns)),
            Arc::new(rows.checksums.finish()),
            Arc::new(Int64Array::from(rows.devices)),
            Arc::new(Int64Array::from(rows.inodes)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("src_id", DataType::Int64),
                ("name", DataType::Utf8),
                ("size", DataType::Int64),
                ("modified_ns", DataType::Int64),
                ("checksum", DataType::Binary),
                ("device", DataType::Int64),
                ("inode", DataType::Int64),
            ])
        });
        SCHEMA.clone()
    }
}

/// Rows of `parts`.
#[derive(Debug, Default)]
pub(crate) struct PartRows {
    sources: Vec<i64>,
    parts: Vec<i32>,
    sizes: Vec<i64>,
    modified_ns: Vec<Option<i64>>,
    values: BinaryBuilder,
}

impl PartRows {
    pub(crate) fn push(&mut self, source: NodeId, part: i32, size: i64, modified_ns: Option<i64>, value: &[u8; 32]) {
        self.sources.push(source.0);
        self.parts.push(part);
        self.sizes.push(size);
        self.modified_ns.push(modified_ns);
        self.values.append_value(value);
    }
}

impl Rows for PartRows {
    fn len(&self) -> usize {
        self.sources.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.sources)),
            Arc::new(Int32Array::from(rows.parts)),
            Arc::new(Int64Array::from(rows.sizes)),
            Arc::new(Int64Array::from(rows.modified_ns)),
            Arc::new(rows.values.finish()),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("src_id", DataType::Int64),
                ("part", DataType::Int32),
                ("size", DataType::Int64),
                ("modified_ns", DataType::Int64),
                ("value", DataType::Binary),
            ])
        });
        SCHEMA.clone()
    }
}
