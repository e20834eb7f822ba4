//! The statuses of many nodes at once, a range of ids at a time: laid side by side by id, which takes a fifth of the time
//! of a join, and memory for one range only.

use std::ops::Range;

use duckdb::arrow::array::{Array, AsArray, RecordBatch};
use duckdb::arrow::datatypes::{Int64Type, UInt8Type};
use duckdb::{Connection, params};
use longhaul_model::{CopyStatus, NodeKind, Side, TraversalStatus};

use crate::error::Result;

/// Ids that are read at a time.
pub(crate) const RANGE_IDS: i64 = 1 << 20;

/// Kinds and statuses are their places in the ledger's enumerations, which are those of the types' `ALL`.
pub(crate) const FOLDER: u8 = NodeKind::Folder as u8;

/// No event has said a status.
const NOT_SAID: u8 = u8::MAX;

/// What events and matches say of the nodes of a range, by id.
pub(crate) struct Statuses {
    side: Side,
    copy: Vec<u8>,
    traversal: Vec<u8>,
    /// On the source: matched, and the same. On the destination: matched.
    matched: Vec<bool>,
}

impl Statuses {
    /// Reads those of the nodes with ids within `ids`.
    pub(crate) fn read(connection: &Connection, side: Side, ids: &Range<i64>) -> Result<Statuses> {
        let length = usize::try_from(ids.end - ids.start).expect("a range is not negative");
        let mut statuses = Statuses {
            side,
            copy: vec![NOT_SAID; length],
            traversal: vec![NOT_SAID; length],
            matched: vec![false; length],
        };
        let place = |id: i64| usize::try_from(id - ids.start).expect("it is within the range");
        let matched = match side {
            Side::Source => "SELECT src_id FROM matches WHERE src_id >= ? AND src_id < ? AND same",
            Side::Destination => "SELECT dst_id FROM matches WHERE dst_id >= ? AND dst_id < ?",
        };
        for batch in query(connection, matched, ids)? {
            for id in batch.column(0).as_primitive::<Int64Type>().values() {
                statuses.matched[place(*id)] = true;
            }
        }
        let said = format!(
            "SELECT id, enum_code(copy_status)::UTINYINT, enum_code(traversal_status)::UTINYINT
             FROM {}_latest
             WHERE id >= ? AND id < ?",
            side.prefix()
        );
        for batch in query(connection, &said, ids)? {
            let nodes = batch.column(0).as_primitive::<Int64Type>();
            for (column, into) in [(1, &mut statuses.copy), (2, &mut statuses.traversal)] {
                let codes = batch.column(column).as_primitive::<UInt8Type>();
                for row in (0..batch.num_rows()).filter(|row| codes.is_valid(*row)) {
                    into[place(nodes.value(row))] = codes.value(row);
                }
            }
        }
        Ok(statuses)
    }

    /// The copy status of the node at `place` of the range, as the view `src_status` has it; the destination has none.
    pub(crate) fn copy(&self, place: usize) -> Option<u8> {
        match (self.side, self.copy[place]) {
            (Side::Destination, _) => None,
            (Side::Source, NOT_SAID) if self.matched[place] => Some(CopyStatus::AlreadyExisted as u8),
            (Side::Source, NOT_SAID) => Some(CopyStatus::Pending as u8),
            (Side::Source, said) => Some(said),
        }
    }

    /// The traversal status of a node of this kind at `place`, as the views `src_status` and `dst_status` have it.
    pub(crate) fn traversal(&self, place: usize, kind: u8) -> u8 {
        match self.traversal[place] {
            NOT_SAID if self.side == Side::Destination && !self.matched[place] => TraversalStatus::NotOnSrc as u8,
            NOT_SAID if kind == FOLDER => TraversalStatus::Pending as u8,
            NOT_SAID => TraversalStatus::Successful as u8,
            said => said,
        }
    }
}

/// Runs a statement whose parameters are a range of ids.
pub(crate) fn query(connection: &Connection, sql: &str, ids: &Range<i64>) -> Result<Vec<RecordBatch>> {
    Ok(connection.prepare_cached(sql)?.query_arrow(params![ids.start, ids.end])?.collect())
}
