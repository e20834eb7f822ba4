//! The rows of sweeps.

use duckdb::Connection;
use duckdb::arrow::array::StringBuilder;
use longhaul_model::{FileFacts, NodeId, NodeKind, Page, Side};

use super::{flush, rows};
use crate::error::Result;
use crate::words::Finding;

/// What waits of a sweep.
#[derive(Debug, Default)]
pub(crate) struct SweepRows {
    pub(crate) swept: SweptRows,
    pub(crate) findings: FindingRows,
}

impl SweepRows {
    pub(super) fn flush(&mut self, connection: &Connection) -> Result<()> {
        flush(&mut self.swept, "swept", connection)?;
        flush(&mut self.findings, "sweep_findings", connection)?;
        Ok(())
    }
}

rows! {
    /// Entries of folders that were listed before.
    RelistedRows {
        folder_id: Vec<i64>,
        name: StringBuilder,
        kind: Vec<NodeKind>,
        size: Vec<Option<i64>>,
        modified_ns: Vec<Option<i64>>,
        remark: StringBuilder,
        // Numbers of filter rules.
        left_out: Vec<Option<i64>>,
    }
}

impl RelistedRows {
    pub(crate) fn push_page(&mut self, folder: NodeId, page: &Page) {
        let mut remarks = page.remarks().peekable();
        for (index, entry) in page.iter().enumerate() {
            self.folder_id.push(folder.0);
            self.name.append_value(entry.name);
            self.kind.push(entry.kind);
            self.size.push(entry.size);
            self.modified_ns.push(entry.modified_ns);
            let mut remark = None;
            while let Some((_, text)) = remarks.next_if(|(about, _)| *about == index) {
                remark = Some(text);
            }
            self.remark.append_option(remark);
            self.left_out.push(None);
        }
        let first = self.left_out.len() - page.len();
        for (index, rule) in page.left_out() {
            self.left_out[first + index] = Some(i64::try_from(rule).expect("there are not that many rules"));
        }
    }
}

rows! {
    /// What nodes are now.
    FactRows {
        id: Vec<i64>,
        size: Vec<Option<i64>>,
        modified_ns: Vec<Option<i64>>,
    }
}

impl FactRows {
    pub(crate) fn push(&mut self, id: NodeId, facts: FileFacts) {
        self.id.push(id.0);
        self.size.push(facts.size);
        self.modified_ns.push(facts.modified_ns);
    }
}

rows! {
    /// Rows of `swept`: folders that have been listed again.
    SweptRows {
        side: Vec<Side>,
        id: Vec<i64>,
        listed: Vec<bool>,
    }
}

impl SweptRows {
    pub(crate) fn push(&mut self, side: Side, id: NodeId) {
        self.side.push(side);
        self.id.push(id.0);
        self.listed.push(true);
    }
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

rows! {
    /// Rows of `sweep_findings`.
    FindingRows {
        side: Vec<Side>,
        node_id: Vec<i64>,
        finding: Vec<Finding>,
        size: Vec<Option<i64>>,
        modified_ns: Vec<Option<i64>>,
        run: Vec<i32>,
        at_ns: Vec<i64>,
    }
}

impl FindingRows {
    pub(crate) fn push(&mut self, row: &FindingRow) {
        self.side.push(row.side);
        self.node_id.push(row.node.0);
        self.finding.push(row.finding);
        self.size.push(row.size);
        self.modified_ns.push(row.modified_ns);
        self.run.push(row.run);
        self.at_ns.push(row.at_ns);
    }
}
