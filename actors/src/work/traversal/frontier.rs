//! The folders of one side that wait to be given out, in the order in which they were found.
//!
//! The first of them are in memory. The rest are only known by the ids they lie within, and are pulled from the ledger
//! when their turn comes: memory does not depend on how wide a tree is.

use std::collections::BTreeMap;
use std::ops::Range;

use longhaul_ledger::{Folder, FoundFolders};

/// Ids asked for in one pull: what comes back is a part of them, and may be all.
const PULL_IDS_MAX: i64 = 32_768;

/// Folders that wait.
#[derive(Debug)]
pub(crate) struct Frontier {
    /// By id: listings are not always completed in the order in which their folders got their ids.
    queue: BTreeMap<i64, Folder>,
    /// Ranges of ids, start to end, that have nothing in common and do not touch: listings follow one another in ids,
    /// so however many are left in the ledger, they make few ranges.
    in_ledger: BTreeMap<i64, i64>,
    pulling: Option<Range<i64>>,
    folders_max: usize,
}

impl Frontier {
    /// An empty one, that keeps up to about `folders_max` folders in memory.
    pub(crate) fn new(folders_max: usize) -> Self {
        Frontier { queue: BTreeMap::new(), in_ledger: BTreeMap::new(), pulling: None, folders_max }
    }

    /// Adds what a listing found.
    pub(crate) fn add(&mut self, found: FoundFolders) {
        let nothing_in_ledger = self.in_ledger.is_empty() && self.pulling.is_none();
        match found.named {
            Some(folders) if nothing_in_ledger && self.queue.len() + folders.len() <= self.folders_max => {
                self.queue.extend(folders.into_iter().map(|folder| (folder.id.0, folder)));
            }
            _ => found.ids.into_iter().for_each(|ids| self.leave_in_ledger(ids)),
        }
    }

    fn leave_in_ledger(&mut self, mut ids: Range<i64>) {
        if let Some((&start, &end)) = self.in_ledger.range(..ids.start).next_back() {
            assert!(end <= ids.start, "the same ids are found twice");
            if end == ids.start {
                self.in_ledger.remove(&start);
                ids.start = start;
            }
        }
        if let Some(end) = self.in_ledger.remove(&ids.end) {
            ids.end = end;
        }
        self.in_ledger.insert(ids.start, ids.end);
    }

    /// The next range to pull, if it is time; it counts as under way from then on.
    pub(crate) fn next_pull(&mut self) -> Option<Range<i64>> {
        let (&first_in_ledger, _) = self.in_ledger.first_key_value()?;
        let is_full = self.queue.len() * 2 > self.folders_max;
        // What comes before all that is in memory is not made to wait for room: the other side may be waiting for it.
        let may_wait = self.queue.first_key_value().is_some_and(|(&id, _)| id < first_in_ledger);
        if self.pulling.is_some() || (is_full && may_wait) {
            return None;
        }
        let (start, end) = self.in_ledger.pop_first()?;
        let pulled_end = end.min(start + PULL_IDS_MAX);
        if pulled_end < end {
            self.in_ledger.insert(pulled_end, end);
        }
        self.pulling = Some(start..pulled_end);
        self.pulling.clone()
    }

    /// The answer to a pull.
    pub(crate) fn pulled(&mut self, ids: &Range<i64>, folders: Vec<Folder>) {
        assert_eq!(self.pulling.take().as_ref(), Some(ids), "the answer to the pull that is under way");
        assert!(folders.iter().all(|folder| ids.contains(&folder.id.0)), "only what was asked for");
        self.queue.extend(folders.into_iter().map(|folder| (folder.id.0, folder)));
    }

    /// The next folder, if it is in memory.
    pub(crate) fn front(&self) -> Option<&Folder> {
        self.queue.first_key_value().map(|(_, folder)| folder)
    }

    /// Takes the next folder.
    pub(crate) fn pop(&mut self) -> Option<Folder> {
        self.queue.pop_first().map(|(_, folder)| folder)
    }

    /// How many are in memory.
    pub(crate) fn len_in_memory(&self) -> usize {
        self.queue.len()
    }

    /// A lower bound of the ids that wait; `None` if nothing does.
    pub(crate) fn first_id(&self) -> Option<i64> {
        let in_memory = self.queue.first_key_value().map(|(&id, _)| id);
        let in_ledger = self.in_ledger.first_key_value().map(|(&start, _)| start);
        let pulling = self.pulling.as_ref().map(|ids| ids.start);
        [in_memory, in_ledger, pulling].into_iter().flatten().min()
    }

    /// Whether nothing waits, neither in memory nor in the ledger.
    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.in_ledger.is_empty() && self.pulling.is_none()
    }
}

#[cfg(test)]
mod tests {
    use longhaul_model::NodeId;
    use proptest::prelude::*;

    use super::*;

    fn folder(id: i64) -> Folder {
        Folder { id: NodeId(id), source_id: NodeId(id), path: format!("/{id}"), depth: 1 }
    }

    proptest! {
        /// Listings of any size, in whatever order they are completed, named or not, with a queue that is too small for
        /// them: every folder comes out once.
        #[test]
        fn every_folder_comes_out_exactly_once(
            listings in prop::collection::vec((0_i64..12, any::<bool>()), 1..60),
            order in prop::collection::vec(any::<prop::sample::Index>(), 60),
            pops in 1_usize..6,
        ) {
            let mut next_id = 1;
            let mut found: Vec<FoundFolders> = listings
                .into_iter()
                .map(|(count, is_named)| {
                    let ids = next_id..next_id + count;
                    next_id = ids.end;
                    // Every third node is a folder.
                    let folders = ids.clone().filter(|id| id % 3 == 0).map(folder).collect();
                    let ids = if ids.is_empty() { vec![] } else { vec![ids] };
                    FoundFolders { ids, named: is_named.then_some(folders) }
                })
                .collect();
            let mut frontier = Frontier::new(4);
            let mut out = Vec::new();
            for index in order {
                if !found.is_empty() {
                    let position = index.index(found.len().min(3));
                    frontier.add(found.remove(position));
                }
                if let Some(ids) = frontier.next_pull() {
                    frontier.pulled(&ids, ids.clone().filter(|id| id % 3 == 0).map(folder).collect());
                }
                for _ in 0..pops {
                    prop_assert!(frontier.front().is_none_or(|f| frontier.first_id().unwrap() <= f.id.0));
                    out.extend(frontier.pop().map(|f| f.id.0));
                }
            }
            for found in found {
                frontier.add(found);
            }
            while !frontier.is_empty() {
                if let Some(ids) = frontier.next_pull() {
                    frontier.pulled(&ids, ids.clone().filter(|id| id % 3 == 0).map(folder).collect());
                }
                out.extend(frontier.pop().map(|f| f.id.0));
            }
            out.sort_unstable();
            prop_assert_eq!(out, (1..next_id).filter(|id| id % 3 == 0).collect::<Vec<_>>());
        }
    }
}
