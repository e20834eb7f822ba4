//! A page by status, for which no statement joins all nodes with all events and matches.

use std::collections::BinaryHeap;

use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::{Int64Type, UInt8Type};
use duckdb::types::Value;
use longhaul_model::{NodeId, Side};

use super::{Page, Position};
use crate::error::Result;
use crate::review::statuses::{RANGE_IDS, Statuses};

/// Where a node is in this order: copy status, traversal status, id. What is shown first is less; the other way round,
/// the numbers are complements.
type Key = (u8, u8, i64);

impl Page<'_> {
    /// The page in the order of statuses.
    pub(super) fn by_status(&self, side: Side, after: Option<NodeId>) -> Result<Vec<Position>> {
        let table = self.side;
        let after = after.map(|id| self.keys(side, id.0, id.0 + 1, "true")).transpose()?;
        let after = after.and_then(|keys| keys.first().copied());
        let wanted = usize::try_from(self.limit.saturating_add(self.offset)).unwrap_or(usize::MAX);
        let last: i64 =
            self.connection
                .query_row(&format!("SELECT coalesce(max(id), 0) FROM {table}_nodes"), [], |row| row.get(0))?;
        // The greatest is on top, and makes room for whatever is less.
        let mut first: BinaryHeap<Key> = BinaryHeap::new();
        let mut start = 1;
        while start <= last {
            let end = start.saturating_add(RANGE_IDS);
            for key in self.keys(side, start, end, &self.condition)? {
                if after.is_some_and(|after| key <= after) {
                    continue;
                }
                if first.len() < wanted {
                    first.push(key);
                } else if first.peek().is_some_and(|greatest| key < *greatest) {
                    first.pop();
                    first.push(key);
                }
            }
            start = end;
        }
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let ids =
            first.into_sorted_vec().into_iter().skip(skipped).map(|(_, _, id)| if self.reverse { !id } else { id });
        Ok(ids.map(|id| Position { key: Value::BigInt(id), id }).collect())
    }

    /// The keys of the nodes with ids from `start` to before `end` that meet a condition.
    fn keys(&self, side: Side, start: i64, end: i64, condition: &str) -> Result<Vec<Key>> {
        let statuses = Statuses::read(self.connection, side, &(start..end))?;
        let mut statement = self.connection.prepare(&format!(
            "SELECT n.id, enum_code(n.kind)::UTINYINT
             FROM {}_nodes n
             WHERE n.id >= {start} AND n.id < {end} AND {condition}",
            self.side
        ))?;
        let mut keys = Vec::new();
        for batch in statement.query_arrow([])? {
            let kinds = batch.column(1).as_primitive::<UInt8Type>();
            for (id, kind) in batch.column(0).as_primitive::<Int64Type>().values().iter().zip(kinds.values()) {
                let place = usize::try_from(id - start).expect("it is within the range");
                let (copy, traversal) = (statuses.copy(place).unwrap_or(0), statuses.traversal(place, *kind));
                keys.push(if self.reverse { (!copy, !traversal, !id) } else { (copy, traversal, *id) });
            }
        }
        Ok(keys)
    }
}
