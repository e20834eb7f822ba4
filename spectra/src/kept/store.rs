//! What is kept, wherever it is.
//!
//! Listing asks for nothing where nothing was written: a set of folders that have records, in memory, eight bytes
//! each, answers before any table is touched.

use std::cell::OnceCell;
use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::change::{CHUNK_BYTES, Change};
use super::database::{Disk, Snapshot};
use super::keys;
use super::memory::Memory;
use super::record::Record;
use crate::config::{Config, Mode};
use crate::error::SpectraError;
use crate::fault::{Fault, FaultClass};
use crate::names::Rank;
use crate::path::NodePath;

/// Records that a listing fetches at a time.
const FETCHED_RECORDS: usize = 256;

/// Records and contents of all worlds.
#[derive(Debug)]
pub(crate) struct KeptStore {
    place: Place,
    /// Whether `marks` has anything in it, which is asked on every listing.
    touched: AtomicBool,
    /// Marks of all folders that have records; see `keys::folder_mark`. Never shrinks.
    marks: RwLock<HashSet<u64>>,
    next_content: AtomicU64,
    /// Held from looking at what is there until having changed it.
    writing: Mutex<()>,
}

#[derive(Debug)]
enum Place {
    Memory(Memory),
    Disk(Disk),
}

impl KeptStore {
    /// Opens or creates what the configuration asks for.
    pub(crate) fn open(config: &Config) -> Result<Self, SpectraError> {
        let mut marks = HashSet::new();
        let (place, next_content) = match config.mode {
            Mode::Ephemeral => (Place::Memory(Memory::default()), 1),
            Mode::Persistent => {
                let (disk, next_content) = Disk::open(config, |key| {
                    marks.extend(keys::folder_of(key).map(|(world, folder)| keys::folder_mark(world, folder)));
                })?;
                (Place::Disk(disk), next_content)
            }
        };
        Ok(Self {
            place,
            touched: AtomicBool::new(!marks.is_empty()),
            marks: RwLock::new(marks),
            next_content: AtomicU64::new(next_content),
            writing: Mutex::new(()),
        })
    }

    /// Whether a folder may have records. Costs next to nothing where nothing was ever written.
    fn may_have_records(&self, world: u8, folder: NodePath<'_>) -> bool {
        self.touched.load(Ordering::Acquire)
            && self.marks.read().contains(&keys::folder_mark(world, folder.as_prefix()))
    }

    /// A view of one world, which looks only when it has to.
    pub(crate) fn reader(&self, world: u8) -> Reader<'_> {
        Reader { store: self, world, snapshot: OnceCell::new() }
    }

    /// Keeps others from changing anything until it is dropped.
    pub(crate) fn lock_for_writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock()
    }

    /// A number for a new content.
    pub(crate) fn new_content(&self) -> u64 {
        self.next_content.fetch_add(1, Ordering::Relaxed)
    }

    /// Makes all changes, or none.
    pub(crate) fn apply(&self, world: u8, changes: &[Change<'_>]) -> Result<(), Fault> {
        // Who sees a mark without its record looks in vain; who saw a record without its mark would overlook it.
        let before_seen = |new_marks: Vec<u64>| {
            if new_marks.is_empty() {
                return;
            }
            // Most changes are in a folder that has records already, and need not keep listings waiting.
            let known = {
                let marks = self.marks.read();
                new_marks.iter().all(|mark| marks.contains(mark))
            };
            if !known {
                self.marks.write().extend(new_marks);
                self.touched.store(true, Ordering::Release);
            }
        };
        match &self.place {
            Place::Memory(memory) => {
                memory.apply(world, changes, before_seen);
                Ok(())
            }
            Place::Disk(disk) => disk.apply(world, changes, before_seen).map_err(|error| broken(&error)),
        }
    }

    /// Waits until everything written so far would survive a power cut. Nothing to do in memory.
    pub(crate) fn flush(&self) -> Result<(), Fault> {
        match &self.place {
            Place::Memory(_) => Ok(()),
            Place::Disk(disk) => disk.flush().map_err(|error| broken(&error)),
        }
    }
}

/// A view of one world. On disk it is the state at the moment when it was first needed; in memory always the latest.
pub(crate) struct Reader<'a> {
    store: &'a KeptStore,
    world: u8,
    snapshot: OnceCell<Arc<Snapshot>>,
}

impl<'a> Reader<'a> {
    fn snapshot(&self, disk: &Disk) -> Result<&Snapshot, Fault> {
        if self.snapshot.get().is_none() {
            let snapshot = disk.snapshot().map_err(|error| broken(&error))?;
            self.snapshot.get_or_init(|| snapshot);
        }
        Ok(self.snapshot.get().expect("just taken"))
    }

    /// What is kept of the entry `name` of `folder`.
    pub(crate) fn record(&self, folder: NodePath<'_>, name: &[u8]) -> Result<Option<Record>, Fault> {
        if !self.store.may_have_records(self.world, folder) {
            return Ok(None);
        }
        let key = keys::record_key(self.world, folder, Rank::of(name));
        match &self.store.place {
            Place::Memory(memory) => Ok(memory.record(&key)),
            Place::Disk(disk) => {
                let found = self.snapshot(disk)?.record(&key).map_err(|error| broken(&error))?;
                found.map(|record| record.ok_or_else(|| unreadable(&key))).transpose()
            }
        }
    }

    fn records_between(&self, start: &[u8], end: &[u8]) -> Result<VecDeque<(Vec<u8>, Record)>, Fault> {
        match &self.store.place {
            Place::Memory(memory) => Ok(memory.records_between(start, end, FETCHED_RECORDS).into()),
            Place::Disk(disk) => {
                let found = self.snapshot(disk)?.records_between(start, end, FETCHED_RECORDS);
                let found = found.map_err(|error| broken(&error))?.into_iter();
                found
                    .map(|(key, record)| record.map(|record| (key.clone(), record)).ok_or_else(|| unreadable(&key)))
                    .collect()
            }
        }
    }

    /// All that is kept of `folder`'s entries behind `after`, in the order of listings; `None` when there is nothing.
    pub(crate) fn children<'b>(
        &'b self,
        folder: NodePath<'_>,
        after: Option<Rank<'_>>,
    ) -> Result<Option<Children<'a, 'b>>, Fault> {
        if !self.store.may_have_records(self.world, folder) {
            return Ok(None);
        }
        let prefix = keys::folder_key(self.world, folder);
        let mut start = prefix.clone();
        if let Some(after) = after {
            after.append_sortable(&mut start);
            start.push(0);
        }
        let end = keys::end_of(&prefix);
        let fetched = self.records_between(&start, &end)?;
        let more = fetched.len() == FETCHED_RECORDS;
        Ok(Some(Children { reader: self, fetched, more, end, prefix_length: prefix.len() }))
    }

    /// Reads from a stored content; `out` must not reach beyond its end.
    pub(crate) fn read_content(&self, content: u64, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        let chunk_bytes = CHUNK_BYTES as u64;
        let mut filled = 0;
        while filled < out.len() {
            let position = offset + filled as u64;
            let within = usize::try_from(position % chunk_bytes).expect("less than a chunk");
            let rest = &mut out[filled..];
            let copy = |chunk: &[u8]| {
                let available = chunk.get(within..).unwrap_or_default();
                let length = available.len().min(rest.len());
                rest[..length].copy_from_slice(&available[..length]);
                length
            };
            let copied = match &self.store.place {
                Place::Memory(memory) => memory.chunk(content, position / chunk_bytes, copy),
                Place::Disk(disk) => {
                    let copied = self.snapshot(disk)?.chunk(content, position / chunk_bytes, copy);
                    copied.map_err(|error| broken(&error))?
                }
            };
            let Some(length @ 1..) = copied else {
                // Replaced between looking at the record and reading: as on any store, ask again.
                let message = "the file was replaced while it was read: read it again";
                return Err(Fault::new(FaultClass::Transient, message));
            };
            filled += length;
        }
        Ok(())
    }
}

/// Kept entries of one folder, in the order of listings.
pub(crate) struct Children<'a, 'b> {
    reader: &'b Reader<'a>,
    fetched: VecDeque<(Vec<u8>, Record)>,
    /// Whether there may be records behind those fetched.
    more: bool,
    end: Vec<u8>,
    prefix_length: usize,
}

impl Children<'_, '_> {
    /// The next entry; [`Children::advance`] goes on behind it.
    pub(crate) fn peek(&self) -> Result<Option<(Rank<'_>, Record)>, Fault> {
        let Some((key, record)) = self.fetched.front() else { return Ok(None) };
        let rank = keys::rank_in(key, self.prefix_length).ok_or_else(|| unreadable(key))?;
        Ok(Some((rank, *record)))
    }

    /// Goes on behind the entry that was looked at.
    pub(crate) fn advance(&mut self) -> Result<(), Fault> {
        let passed = self.fetched.pop_front();
        if let (Some((mut key, _)), true, true) = (passed, self.fetched.is_empty(), self.more) {
            // The least key above that one.
            key.push(0);
            self.fetched = self.reader.records_between(&key, &self.end)?;
            self.more = self.fetched.len() == FETCHED_RECORDS;
        }
        Ok(())
    }
}

fn broken(error: &dyn std::fmt::Display) -> Fault {
    Fault::new(FaultClass::Fatal, format!("the database of what was written fails: {error}"))
}

fn unreadable(key: &[u8]) -> Fault {
    let key = key.escape_ascii();
    Fault::new(FaultClass::Fatal, format!("the database of what was written has an unreadable record at `{key}`"))
}
