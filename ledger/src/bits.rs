//! A set of nodes of one side: one bit for each id, which is a hundredth of what DuckDB needs to hash them.
//!
//! By hand, and not a compressed bitmap: nearly all sets are tested and set once for each of millions of ids in order, which
//! here is one shift, and DuckDB takes a set as one value of its `BIT` type.

use std::ops::Range;

use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::Int64Type;
use duckdb::types::Value;
use duckdb::{Connection, params_from_iter};

use crate::error::{LedgerError, Result};
use crate::rows::{Rows, rows};
use crate::temp::TempTable;

/// Ids that are read at a time: what a statement gives is in memory until it has been looked at. In tests few, because
/// their trees are small.
const RANGE_IDS: i64 = if cfg!(test) { 16 } else { 1 << 20 };

/// Ids that are appended at a time. Less than a row group of DuckDB's.
pub(crate) const APPENDED_IDS: usize = 65_536;

/// Some of the nodes with ids from 0 to a last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    /// None of the nodes up to the id `last`.
    pub(crate) fn none(last: i64) -> Result<Bits> {
        let words = usize::try_from(last / 64 + 1);
        let words = words.map_err(|_| LedgerError::Inconsistent(format!("an id is {last}")))?;
        Ok(Bits(vec![0; words]))
    }

    /// The nodes of `side` that there are: nearly always one for each id from 1 to the last.
    pub(crate) fn of_all(connection: &Connection, side: &str) -> Result<Bits> {
        let (count, last): (i64, i64) =
            connection.query_row(&format!("SELECT count(*), coalesce(max(id), 0) FROM {side}_nodes"), [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let mut all = Bits::none(last)?;
        if count == last {
            (1..=last).for_each(|id| all.set(id));
        } else {
            all.read(connection, &format!("SELECT id FROM {side}_nodes WHERE id >= ? AND id < ?"), &[])?;
        }
        Ok(all)
    }

    /// Those up to the same last id that a statement gives: see [`Bits::read`].
    pub(crate) fn read_beside(&self, connection: &Connection, sql: &str, parameters: &[Value]) -> Result<Bits> {
        let mut beside = self.none_beside();
        beside.read(connection, sql, parameters)?;
        Ok(beside)
    }

    /// None of the nodes up to the same last id.
    pub(crate) fn none_beside(&self) -> Bits {
        Bits(vec![0; self.0.len()])
    }

    /// Adds the ids that a statement gives of a range of them; the bounds are its first two parameters, `others` the rest.
    /// An id beyond the last one is passed over.
    pub(crate) fn read(&mut self, connection: &Connection, sql: &str, others: &[Value]) -> Result<()> {
        let mut statement = connection.prepare(sql)?;
        for ids in self.ranges() {
            let parameters = [ids.start.into(), ids.end.into()].into_iter().chain(others.iter().cloned());
            for batch in statement.query_arrow(params_from_iter(parameters))? {
                batch.column(0).as_primitive::<Int64Type>().values().iter().for_each(|id| self.set(*id));
            }
        }
        Ok(())
    }

    /// Behind the last id.
    pub(crate) fn end(&self) -> i64 {
        i64::try_from(self.0.len()).expect("it was made for an id") * 64
    }

    /// All ids, so many at a time as are read.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<i64>> + use<> {
        let end = self.end();
        let step = usize::try_from(RANGE_IDS).expect("it is a small number");
        (0..end).step_by(step).map(move |start| start..end.min(start + RANGE_IDS))
    }

    /// The word that an id is in, and its place there.
    fn place(id: i64) -> (usize, u64) {
        let id = id.unsigned_abs();
        (usize::try_from(id / 64).expect("addresses have 64 bits"), 1 << (id % 64))
    }

    /// Adds the node `id`, unless that is beyond the last one.
    pub(crate) fn set(&mut self, id: i64) {
        let (word, bit) = Self::place(id);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    pub(crate) fn is_set(&self, id: i64) -> bool {
        let (word, bit) = Self::place(id);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// In the order of ids.
    pub(crate) fn ids(&self) -> impl Iterator<Item = i64> + '_ {
        self.0.iter().zip(0_i64..).flat_map(|(&word, place)| {
            std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)))
                .take_while(|rest| *rest != 0)
                .map(move |rest| place * 64 + i64::from(rest.trailing_zeros()))
        })
    }

    /// With those of `other`, which has the same last id.
    pub(crate) fn or(mut self, other: &Bits) -> Bits {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
        self
    }

    /// Only those that `other`, which has the same last id, has as well.
    pub(crate) fn and(mut self, other: &Bits) -> Bits {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
        self
    }

    /// Without those of `other`, which has the same last id.
    pub(crate) fn without(mut self, other: &Bits) -> Bits {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= !other);
        self
    }

    /// As DuckDB has its `BIT`s in a `BLOB`: the bit of the first id in front.
    pub(crate) fn to_blob(&self) -> Vec<u8> {
        self.0.iter().flat_map(|word| word.reverse_bits().to_be_bytes()).collect()
    }

    /// The ids in their order, as a temporary table `(id)`.
    pub(crate) fn to_table(&self, connection: &Connection, name: &'static str) -> Result<TempTable> {
        let table = Ids::table(connection, name)?;
        let mut rows = Ids::default();
        for id in self.ids() {
            rows.id.push(id);
            if rows.len() == APPENDED_IDS {
                table.append(connection, &mut rows)?;
            }
        }
        table.append(connection, &mut rows)?;
        Ok(table)
    }
}

rows! {
    /// Rows of a temporary table of ids.
    Ids {
        id: Vec<i64>,
    }
}

impl Ids {
    /// Such a table, without rows.
    pub(crate) fn table(connection: &Connection, name: &'static str) -> Result<TempTable> {
        TempTable::empty(connection, name, "id BIGINT")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn bits(ids: &BTreeSet<i64>) -> Bits {
        let mut bits = Bits::none(200).expect("a small number");
        for id in ids {
            bits.set(*id);
        }
        bits
    }

    proptest! {
        #[test]
        fn bits_are_a_set(
            one in prop::collection::btree_set(0..200_i64, 0..80),
            other in prop::collection::btree_set(0..200_i64, 0..80),
        ) {
            let ids = |bits: Bits| bits.ids().collect::<BTreeSet<i64>>();
            prop_assert_eq!(bits(&one).count(), one.len() as u64);
            prop_assert!((0..200).all(|id| bits(&one).is_set(id) == one.contains(&id)));
            prop_assert_eq!(ids(bits(&one).or(&bits(&other))), &one | &other);
            prop_assert_eq!(ids(bits(&one).and(&bits(&other))), &one & &other);
            prop_assert_eq!(ids(bits(&one).without(&bits(&other))), &one - &other);
        }
    }

    #[test]
    fn an_id_beyond_the_last_is_in_no_set() {
        let mut bits = Bits::none(10).expect("a small number");
        bits.set(1_000);
        assert!(!bits.is_set(1_000));
        assert_eq!(bits.count(), 0);
    }
}
