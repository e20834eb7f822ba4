//! The rows of sweeps.

use std::sync::{Arc, LazyLock};

use duckdb::arrow::array::{ArrayRef, BooleanArray, Int32Array, Int64Array, StringArray, StringBuilder};
use duckdb::arrow::datatypes::{DataType, SchemaRef};
use longhaul_model::{NodeId, NodeKind, Page, Side};

use super::{Rows, schema};

/// Rows of the temporary tables `relisted_src` and `relisted_dst`: entries of folders that were listed before.
#[derive(Debug, Default)]
pub(crate) struct RelistedRows {
    folders: Vec<i64>,
    names: StringBuilder,
    kinds: Vec<NodeKind>,
    sizes: Vec<Option<i64>>,
    modified_ns: Vec<Option<i64>>,
    remarks: StringBuilder,
    /// Numbers of filter rules.
    left_out: Vec<Option<i64>>,
}

impl RelistedRows {
    pub(crate) fn push_page(&mut self, folder: NodeId, page: &Page) {
        let mut remarks = page.remarks().peekable();
        for (index, entry) in page.iter().enumerate() {
            self.folders.push(folder.0);
            self.names.append_value(entry.name);
            self.kinds.push(entry.kind);
            self.sizes.push(entry.size);
            self.modified_ns.push(entry.modified_ns);
            let mut remark = None;
            while let Some((_, text)) = remarks.next_if(|(about, _)| *about == index) {
                remark = Some(text);
            }
            self.remarks.append_option(remark);
            self.left_out.push(None);
        }
        let first = self.left_out.len() - page.len();
        for (index, rule) in page.left_out() {
            self.left_out[first + index] = Some(i64::try_from(rule).expect("there are not that many rules"));
        }
    }
}

impl Rows for RelistedRows {
    fn len(&self) -> usize {
        self.folders.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let mut rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.folders)),
            Arc::new(rows.names.finish()),
            Arc::new(StringArray::from_iter_values(rows.kinds.iter().map(|kind| kind.as_str()))),
            Arc::new(Int64Array::from(rows.sizes)),
            Arc::new(Int64Array::from(rows.modified_ns)),
            Arc::new(rows.remarks.finish()),
            Arc::new(Int64Array::from(rows.left_out)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("folder_id", DataType::Int64),
                ("name", DataType::Utf8),
                ("kind", DataType::Utf8),
                ("size", DataType::Int64),
                ("modified_ns", DataType::Int64),
                ("remark", DataType::Utf8),
                ("left_out", DataType::Int64),
            ])
        });
        SCHEMA.clone()
    }
}

/// Rows of a temporary table of ids, with facts or without.
#[derive(Debug, Default)]
pub(crate) struct IdRows {
    ids: Vec<i64>,
    sizes: Vec<Option<i64>>,
    modified_ns: Vec<Option<i64>>,
}

impl IdRows {
    pub(crate) fn push(&mut self, id: NodeId, size: Option<i64>, modified_ns: Option<i64>) {
        self.ids.push(id.0);
        self.sizes.push(size);
        self.modified_ns.push(modified_ns);
    }
}

impl Rows for IdRows {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let rows = std::mem::take(self);
        vec![
            Arc::new(Int64Array::from(rows.ids)),
            Arc::new(Int64Array::from(rows.sizes)),
            Arc::new(Int64Array::from(rows.modified_ns)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[("id", DataType::Int64), ("size", DataType::Int64), ("modified_ns", DataType::Int64)])
        });
        SCHEMA.clone()
    }
}

/// Rows of `swept`: folders that have been listed again.
#[derive(Debug, Default)]
pub(crate) struct SweptRows {
    sides: Vec<Side>,
    ids: Vec<i64>,
}

impl SweptRows {
    pub(crate) fn push(&mut self, side: Side, id: NodeId) {
        self.sides.push(side);
        self.ids.push(id.0);
    }
}

impl Rows for SweptRows {
    fn len(&self) -> usize {
        self.ids.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let rows = std::mem::take(self);
        let listed = vec![true; rows.ids.len()];
        vec![
            Arc::new(StringArray::from_iter_values(rows.sides.iter().map(|side| side.prefix()))),
            Arc::new(Int64Array::from(rows.ids)),
            Arc::new(BooleanArray::from(listed)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[("side", DataType::Utf8), ("id", DataType::Int64), ("listed", DataType::Boolean)])
        });
        SCHEMA.clone()
    }
}

/// What a sweep has found to be different of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It has another size or time than it had.
    Changed,
    /// It is not there any more.
    Gone,
    /// It was gone, and is there again.
    Back,
}

impl Finding {
    const fn as_str(self) -> &'static str {
        match self {
            Finding::Changed => "changed",
            Finding::Gone => "gone",
            Finding::Back => "back",
        }
    }
}

/// Rows of `sweep_findings`.
#[derive(Debug, Default)]
pub(crate) struct FindingRows {
    sides: Vec<Side>,
    nodes: Vec<i64>,
    findings: Vec<Finding>,
    sizes: Vec<Option<i64>>,
    modified_ns: Vec<Option<i64>>,
    runs: Vec<i32>,
    at_ns: Vec<i64>,
}

/// A row of `sweep_findings`; size and time are what they were before.
#[derive(Debug)]
pub(crate) struct FindingRow {
    pub(crate) side: Side,
    pub(crate) node: NodeId,
    pub(crate) finding: Finding,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
    pub(crate) run: i32,
    pub(crate) at_ns: i64,
}

impl FindingRows {
    pub(crate) fn push(&mut self, row: &FindingRow) {
        self.sides.push(row.side);
        self.nodes.push(row.node.0);
        self.findings.push(row.finding);
        self.sizes.push(row.size);
        self.modified_ns.push(row.modified_ns);
        self.runs.push(row.run);
        self.at_ns.push(row.at_ns);
    }
}

impl Rows for FindingRows {
    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn take(&mut self) -> Vec<ArrayRef> {
        let rows = std::mem::take(self);
        vec![
            Arc::new(StringArray::from_iter_values(rows.sides.iter().map(|side| side.prefix()))),
            Arc::new(Int64Array::from(rows.nodes)),
            Arc::new(StringArray::from_iter_values(rows.findings.iter().map(|finding| finding.as_str()))),
            Arc::new(Int64Array::from(rows.sizes)),
            Arc::new(Int64Array::from(rows.modified_ns)),
            Arc::new(Int32Array::from(rows.runs)),
            Arc::new(Int64Array::from(rows.at_ns)),
        ]
    }

    fn schema() -> SchemaRef {
        static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
            schema(&[
                ("side", DataType::Utf8),
                ("node_id", DataType::Int64),
                ("finding", DataType::Utf8),
                ("size", DataType::Int64),
                ("modified_ns", DataType::Int64),
                ("run", DataType::Int32),
                ("at_ns", DataType::Int64),
            ])
        });
        SCHEMA.clone()
    }
}
