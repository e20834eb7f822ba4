//! A file that is open for reading: the file, whatever becomes of its name.

use std::ops::Range;

use longhaul_storage::{Answer, Facts, Original};

use super::store::{SimulatedStore, gone};
use super::world::Operation;

#[derive(Debug)]
pub(crate) struct SimulatedOriginal {
    pub(crate) store: SimulatedStore,
    /// That it was opened by.
    pub(crate) path: Vec<u8>,
    pub(crate) number: u64,
    /// At opening.
    pub(crate) facts: Facts,
}

impl Original for SimulatedOriginal {
    fn facts_at_opening(&self) -> Facts {
        self.facts
    }

    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(self.store.call(Operation::Facts, &self.path, |world| {
            world.disks[self.store.side].facts_of_file(self.number).ok_or_else(|| gone("the file"))
        }))
    }

    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        Box::pin(self.store.call(Operation::Read, &self.path, move |world| {
            let contents = world.disks[self.store.side].contents(self.number).ok_or_else(|| gone("the file"))?;
            Ok(read(&contents.bytes, offset, buffer))
        }))
    }

    fn data_within(&self, range: Range<u64>) -> Answer<'_, Vec<Range<u64>>> {
        let stretches = if range.is_empty() { Vec::new() } else { vec![range] };
        Box::pin(std::future::ready(Ok(stretches)))
    }
}

/// Fills a buffer as far as there are bytes.
pub(crate) fn read(bytes: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let from = usize::try_from(offset).map_or(bytes.len(), |offset| offset.min(bytes.len()));
    let count = buffer.len().min(bytes.len() - from);
    buffer[..count].copy_from_slice(&bytes[from..from + count]);
    count
}
