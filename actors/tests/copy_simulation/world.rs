//! Both sides of a migration at one instant, with all that goes wrong with them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use longhaul_model::{BySide, ErrorClass, Side};
use longhaul_storage::{Keeps, StoreError};

use super::dice::Dice;
use super::disk::{Contents, Disk, Entry};

/// What the engine asks a store for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    List,
    OpenFolder,
    FactsOfFolder,
    Look,
    Open,
    Facts,
    Read,
    ReadLink,
    CreateFolder,
    /// A draft is begun, or opened.
    Create,
    Write,
    ReadBack,
    Finish,
    CreateLink,
    HardLink,
    SetAttributes,
    RemoveDraft,
    Flush,
}

/// One call to one of the two stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) side: Side,
    pub(crate) operation: Operation,
    /// What it is about: of a file that is being written the path that it will have.
    pub(crate) path: Vec<u8>,
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) side: Side,
    /// `None` for any.
    pub(crate) operation: Option<Operation>,
    /// `None` for any.
    pub(crate) path: Option<Vec<u8>>,
    pub(crate) class: ErrorClass,
    /// How many calls come before the first that it strikes.
    pub(crate) spared: u32,
    /// So many times at most; `None` for ever.
    pub(crate) times: Option<u32>,
    pub(crate) retry_after: Option<Duration>,
    /// Whether the run is suspended because of it, until it is repaired.
    pub(crate) suspends: bool,
}

impl Fault {
    fn is_about(&self, call: &Call) -> bool {
        self.side == call.side
            && self.operation.is_none_or(|operation| operation == call.operation)
            && self.path.as_ref().is_none_or(|path| *path == call.path)
            && self.times != Some(0)
    }
}

/// What a store is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nature {
    pub(crate) keeps: Keeps,
    /// The steps of its times.
    pub(crate) resolution_ns: i64,
    pub(crate) page_entries_max: usize,
}

/// The destination, and what of it would survive a power cut.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) disks: BySide<Disk>,
    /// The destination as it was flushed last, with what was made durable by itself since.
    pub(crate) durable: Disk,
    /// Whether each thing that is done there is made durable by itself.
    pub(crate) settles_each: bool,
    pub(crate) natures: BySide<Nature>,
    pub(crate) faults: Vec<Fault>,
    /// In percent, how many calls get lost.
    pub(crate) losses: u64,
    /// The shortest and the longest time that a call takes, in milliseconds.
    pub(crate) latency_ms: (u64, u64),
    /// Whatever is decided call by call.
    pub(crate) dice: Dice,
    /// All that source files ever had in them, by path.
    pub(crate) versions: BTreeMap<Vec<u8>, Vec<Contents>>,
    /// What somebody changed after it had been listed.
    pub(crate) touched: BTreeSet<Vec<u8>>,
    /// What somebody put on the destination since.
    pub(crate) intruders: BTreeMap<Vec<u8>, Contents>,
    /// What a power cut has left empty: whether it has the time that it was given.
    pub(crate) emptied: BTreeMap<Vec<u8>, bool>,
}

impl World {
    pub(crate) fn draw_latency(&mut self) -> Duration {
        let (shortest, longest) = self.latency_ms;
        Duration::from_millis(self.dice.between(shortest, longest))
    }

    /// What goes wrong with a call, if anything does.
    pub(crate) fn strike(&mut self, call: &Call) -> Option<StoreError> {
        if self.losses > 0 && call.operation != Operation::Flush && self.dice.chance(self.losses) {
            return Some(StoreError::new(ErrorClass::Transient, "the answer got lost"));
        }
        let fault = self.faults.iter_mut().find(|fault| fault.is_about(call))?;
        if fault.spared > 0 {
            fault.spared -= 1;
            return None;
        }
        if let Some(times) = &mut fault.times {
            *times -= 1;
        }
        let message = format!("{} by a fault", fault.class);
        Some(StoreError { class: fault.class, message, retry_after: fault.retry_after })
    }

    /// Repairs the first thing for which a run is suspended.
    pub(crate) fn repair(&mut self) {
        if let Some(index) = self.faults.iter().position(|fault| fault.suspends) {
            self.faults.remove(index);
        }
    }

    pub(crate) fn may_suspend(&self) -> bool {
        self.faults.iter().any(|fault| fault.suspends)
    }

    /// The time that the destination keeps of this one.
    pub(crate) fn kept_time(&mut self, side: Side, time_ns: Option<i64>) -> i64 {
        let nature = self.natures[side];
        match time_ns {
            Some(time_ns) if nature.keeps.modified => round(time_ns, nature.resolution_ns),
            _ => {
                let now = self.disks[side].now();
                round(now, nature.resolution_ns)
            }
        }
    }

    pub(crate) fn flush(&mut self) {
        self.durable = self.disks.dst.clone();
    }

    /// Makes one entry of the destination durable, or that it is gone, where that is done one by one.
    pub(crate) fn settle(&mut self, path: &[u8]) {
        if self.settles_each {
            self.durable.forget(path);
            self.durable.take_over(&self.disks.dst, path);
        }
    }

    /// Notes what the files of the source have in them now.
    pub(crate) fn note_versions(&mut self) {
        let source = &self.disks.src;
        for (path, entry) in source.entries() {
            let Entry::File(number) = entry else { continue };
            let contents = source.contents(*number).expect("a file with a name is there");
            let versions = self.versions.entry(path.clone()).or_default();
            if versions.last() != Some(contents) {
                versions.push(contents.clone());
            }
        }
    }

    /// What the destination is after a power cut. What was flushed is there; what was done since is there or is not, in
    /// any order, but a file never has two names because it was given another one.
    pub(crate) fn cut_power(&mut self, is_temporary: impl Fn(&[u8]) -> bool + Copy) {
        let now = &self.disks.dst;
        let mut left = self.durable.clone();
        left.keep_numbers_of(now);
        let paths: BTreeSet<Vec<u8>> =
            now.entries().chain(self.durable.entries()).map(|(path, _)| path.clone()).collect();
        for path in &paths {
            let (before, after) = (self.durable.entry(path), now.entry(path));
            let contents_before = self.durable.file(path);
            if (before, contents_before) == (after, now.file(path)) || self.dice.chance(50) {
                continue;
            }
            let is_there = path.as_slice() == b"/" || left.is_folder(super::disk::parent(path));
            match after {
                Some(_) if is_there => left.take_over(now, path),
                Some(_) => {}
                None => left.forget(path),
            }
        }
        let files: BTreeSet<u64> = left
            .entries()
            .filter_map(|(_, entry)| if let Entry::File(number) = entry { Some(*number) } else { None })
            .collect();
        for file in files {
            let names = left.names_of(file);
            let (drafts, placed): (Vec<_>, Vec<_>) =
                names.into_iter().partition(|path| is_temporary(super::disk::name_of(path)));
            if !placed.is_empty() {
                for draft in &drafts {
                    left.forget(draft);
                }
            } else if self.dice.chance(30) {
                // What was written into a draft last may be missing.
                let flushed = self.durable.contents(file).map_or_else(Arc::default, |contents| contents.bytes.clone());
                let bytes = Arc::make_mut(&mut left.contents_mut(file).bytes);
                for lost in self.dice.count(0, bytes.len())..bytes.len() {
                    bytes[lost] = flushed.get(lost).copied().unwrap_or(0);
                }
            }
        }
        self.empty_what_was_not_flushed(&mut left, is_temporary);
        self.durable = left.clone();
        self.disks.dst = left;
    }

    /// Files that have their names, but of which the bytes had not reached the disk, may have none of them; and some have
    /// not even their time.
    fn empty_what_was_not_flushed(&mut self, left: &mut Disk, is_temporary: impl Fn(&[u8]) -> bool) {
        let files: BTreeSet<u64> = left
            .entries()
            .filter_map(|(_, entry)| if let Entry::File(number) = entry { Some(*number) } else { None })
            .collect();
        for file in files {
            let names = left.names_of(file);
            let contents = left.contents(file).expect("it has a name");
            let is_flushed = self.durable.contents(file).is_some_and(|flushed| flushed.bytes == contents.bytes);
            let is_ours =
                !names.iter().any(|path| is_temporary(super::disk::name_of(path)) || self.intruders.contains_key(path));
            if is_flushed || !is_ours || contents.bytes.is_empty() || !self.dice.chance(30) {
                continue;
            }
            let keeps_time = self.natures.dst.keeps.modified && !self.dice.chance(25);
            let now = round(left.now(), self.natures.dst.resolution_ns);
            let contents = left.contents_mut(file);
            contents.bytes = Arc::default();
            if !keeps_time {
                contents.modified_ns = now;
                // Whose it is cannot be told any more.
                self.touched.extend(names.iter().cloned());
            }
            self.emptied.extend(names.into_iter().map(|path| (path, keeps_time)));
        }
    }
}

pub(crate) fn round(time_ns: i64, resolution_ns: i64) -> i64 {
    time_ns - time_ns.rem_euclid(resolution_ns)
}
