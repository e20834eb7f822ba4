//! What ephemeral mode keeps, in memory. A database in memory was tried first: some twenty times slower, since each change
//! is a transaction.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Bound;

use parking_lot::RwLock;

use super::change::{Change, Tables, make};
use super::record::Record;

/// Records and contents by the keys that a database has them under.
#[derive(Debug, Default)]
pub(super) struct Memory {
    tables: RwLock<MemoryTables>,
}

#[derive(Debug, Default)]
struct MemoryTables {
    records: BTreeMap<Box<[u8]>, Record>,
    chunks: BTreeMap<(u64, u64), Box<[u8]>>,
}

impl Memory {
    /// Makes all changes at once, as others see it.
    pub(super) fn apply(&self, world: u8, changes: &[Change<'_>], before_seen: impl FnOnce(Vec<u64>)) {
        let mut tables = self.tables.write();
        let mut new_marks = Vec::new();
        for change in changes {
            match make(change, world, &mut *tables, &mut new_marks) {
                Ok(()) => {}
                Err(never) => match never {},
            }
        }
        before_seen(new_marks);
    }

    pub(super) fn record(&self, key: &[u8]) -> Option<Record> {
        self.tables.read().records.get(key).copied()
    }

    /// Up to `limit` records from the first key on and before the second.
    pub(super) fn records_between(&self, start: &[u8], end: &[u8], limit: usize) -> Vec<(Vec<u8>, Record)> {
        let tables = self.tables.read();
        let range = tables.records.range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)));
        range.take(limit).map(|(key, record)| (key.to_vec(), *record)).collect()
    }

    /// Gives a chunk to `look`; `None` where there is none.
    pub(super) fn chunk<T>(&self, content: u64, number: u64, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        self.tables.read().chunks.get(&(content, number)).map(|chunk| look(chunk))
    }
}

impl Tables for MemoryTables {
    type Error = Infallible;

    fn insert(&mut self, key: &[u8], record: Record) -> Result<Option<Record>, Infallible> {
        Ok(self.records.insert(key.into(), record))
    }

    fn remove(&mut self, key: &[u8]) -> Result<Option<Record>, Infallible> {
        Ok(self.records.remove(key))
    }

    fn keys_between(&mut self, start: &[u8], end: &[u8]) -> Result<Vec<Vec<u8>>, Infallible> {
        Ok(self
            .records
            .range::<[u8], _>((Bound::Included(start), Bound::Excluded(end)))
            .map(|(key, _)| key.to_vec())
            .collect())
    }

    fn insert_chunk(&mut self, content: u64, number: u64, chunk: &[u8]) -> Result<(), Infallible> {
        self.chunks.insert((content, number), chunk.into());
        Ok(())
    }

    fn remove_chunks(&mut self, content: u64) -> Result<(), Infallible> {
        let numbers: Vec<u64> =
            self.chunks.range((content, 0)..=(content, u64::MAX)).map(|((_, number), _)| *number).collect();
        for number in numbers {
            self.chunks.remove(&(content, number));
        }
        Ok(())
    }

    fn set_staged(&mut self, _: u64, _: bool) -> Result<(), Infallible> {
        // Nobody comes back to what a process left behind in its memory.
        Ok(())
    }
}
