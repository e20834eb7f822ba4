//! The Coordinator's decisions, without a runtime: what is given out next, and when a traversal is over.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use longhaul_ledger::{Folder, FoundFolders, RecordedListing, Remaining, ToList};
use longhaul_model::{BySide, NodeId, Side};

use super::frontier::Frontier;
use crate::config::Tuning;

/// Bounds of a schedule.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleLimits {
    /// How far the source may run ahead of the destination, in nodes.
    pub lead_nodes_max: i64,
    /// Folders of one side that wait in memory.
    pub frontier_folders_max: usize,
    /// Folders of one side that are given out and not recorded yet.
    pub in_flight_folders_max: usize,
}

impl From<&Tuning> for ScheduleLimits {
    fn from(tuning: &Tuning) -> Self {
        ScheduleLimits {
            lead_nodes_max: tuning.lead_nodes_max,
            frontier_folders_max: tuning.frontier_folders_max,
            in_flight_folders_max: tuning.in_flight_folders_max,
        }
    }
}

/// What is known, waits and is in flight on both sides of a traversal.
///
/// Folders are given out in id order, which is breadth-first order: it is an order, not a fence. A destination folder
/// is given out when the listing of its counterpart has been recorded, because then its own can be matched.
#[derive(Debug)]
pub struct Schedule {
    limits: ScheduleLimits,
    sides: BySide<SideSchedule>,
    /// Source folders that could not be listed: their counterparts cannot be matched.
    failed_sources: BTreeSet<NodeId>,
}

#[derive(Debug)]
struct SideSchedule {
    waiting: Frontier,
    /// The folders that are given out and not recorded, with their counterparts on the source.
    in_flight: BTreeMap<NodeId, NodeId>,
}

impl Schedule {
    /// A schedule of what there is to be listed.
    pub fn new(limits: ScheduleLimits, to_list: ToList) -> Self {
        let side = |found: FoundFolders| {
            let mut waiting = Frontier::new(limits.frontier_folders_max);
            waiting.add(found);
            SideSchedule { waiting, in_flight: BTreeMap::new() }
        };
        let root = |root: Folder| {
            let ids = std::iter::once(root.id.0..root.id.plus(1).0).collect();
            FoundFolders { ids, named: Some(vec![root]) }
        };
        let left = |ids| FoundFolders { ids, named: None };
        let (sides, failed_sources) = match to_list {
            ToList::Roots(BySide { src, dst }) => (BySide { src: root(src), dst: root(dst) }, Vec::new()),
            ToList::Remaining(Remaining { source, destination, failed_sources }) => {
                (BySide { src: left(source), dst: left(destination) }, failed_sources)
            }
        };
        Schedule {
            limits,
            sides: BySide { src: side(sides.src), dst: side(sides.dst) },
            failed_sources: failed_sources.into_iter().collect(),
        }
    }

    /// Gives out up to `count` folders.
    pub(crate) fn give_out(&mut self, side: Side, count: usize) -> Vec<Folder> {
        let mut given = Vec::new();
        while given.len() < count
            && self.sides[side].in_flight.len() < self.limits.in_flight_folders_max
            && self.may_give_out_next(side)
        {
            let Some(folder) = self.sides[side].waiting.pop() else { break };
            self.sides[side].in_flight.insert(folder.id, folder.source_id);
            given.push(folder);
        }
        given
    }

    /// Takes the next destination folder if its counterpart could not be listed, so that it cannot be matched. It
    /// counts as in flight until it is recorded as failed.
    pub(crate) fn take_blocked(&mut self) -> Option<Folder> {
        let next = self.sides.dst.waiting.front()?;
        if !self.failed_sources.remove(&next.source_id) {
            return None;
        }
        let folder = self.sides.dst.waiting.pop()?;
        self.sides.dst.in_flight.insert(folder.id, folder.source_id);
        Some(folder)
    }

    fn may_give_out_next(&self, side: Side) -> bool {
        let Some(next) = self.sides[side].waiting.front() else { return false };
        match side {
            Side::Source => match self.first_unmatched_source() {
                // Where the destination waits for the source, `first` is not below the source's own first unrecorded
                // folder, so the two cannot wait for each other.
                Some(first) => next.id.0 - first.0 <= self.limits.lead_nodes_max,
                // What waits on the destination is being pulled: how far behind it is will be known then.
                None => self.sides.dst.waiting.is_empty(),
            },
            Side::Destination => {
                next.source_id.0 < self.first_unrecorded_source() && !self.failed_sources.contains(&next.source_id)
            }
        }
    }

    /// The source's low-watermark: every source folder with a lower id has been recorded.
    fn first_unrecorded_source(&self) -> i64 {
        let source = &self.sides.src;
        let in_flight = source.in_flight.first_key_value().map(|(id, _)| id.0);
        in_flight.into_iter().chain(source.waiting.first_id()).min().unwrap_or(i64::MAX)
    }

    /// The counterpart of the first destination folder that waits or is in flight.
    fn first_unmatched_source(&self) -> Option<NodeId> {
        let destination = &self.sides.dst;
        let in_flight = destination.in_flight.first_key_value().map(|(&id, &source)| (id, source));
        let waiting = destination.waiting.front().map(|folder| (folder.id, folder.source_id));
        in_flight.into_iter().chain(waiting).min().map(|(_, source)| source)
    }

    /// A listing that was given out has been recorded.
    pub(crate) fn recorded(&mut self, recorded: RecordedListing) {
        let RecordedListing { side, folder, is_complete, found } = recorded;
        let given_out = self.sides[side].in_flight.remove(&folder);
        assert!(given_out.is_some(), "{side} folder {folder} is recorded, but was not given out");
        if side == Side::Source && !is_complete {
            self.failed_sources.insert(folder);
        }
        self.sides[side].waiting.add(found);
    }

    /// The next ids to be pulled from the ledger, if it is time.
    pub(crate) fn next_pull(&mut self, side: Side) -> Option<Range<i64>> {
        self.sides[side].waiting.next_pull()
    }

    /// The answer to a pull.
    pub(crate) fn pulled(&mut self, side: Side, ids: &Range<i64>, folders: Vec<Folder>) {
        self.sides[side].waiting.pulled(ids, folders);
    }

    /// How many folders are in flight.
    pub(crate) fn in_flight(&self, side: Side) -> usize {
        self.sides[side].in_flight.len()
    }

    /// How many folders wait in memory.
    pub(crate) fn waiting(&self, side: Side) -> usize {
        self.sides[side].waiting.len_in_memory()
    }

    /// Whether nothing waits and nothing is in flight, on either side.
    pub(crate) fn is_over(&self) -> bool {
        Side::BOTH.into_iter().all(|side| self.sides[side].waiting.is_empty() && self.sides[side].in_flight.is_empty())
    }
}

#[cfg(test)]
mod tests;
