//! Which folders are to be verified next, and up to where everything is.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use longhaul_ledger::{ExpectedBatch, VerifyRemaining};

use crate::copying::first_id;

/// Source ids of one pull.
const PULL_IDS: i64 = 65_536;

/// Batches in memory at most, unless one pull brings more.
const BATCHES_MAX: usize = 1_024;

/// Nodes of one message at most, unless a single batch has more.
const MESSAGE_NODES_MAX: usize = 512;

/// What waits and is in flight while the destination is verified.
#[derive(Debug)]
pub(crate) struct VerifySchedule {
    ids: Range<i64>,
    pulling: Option<Range<i64>>,
    ready: VecDeque<ExpectedBatch>,
    /// The first id of every batch that waits or is in flight.
    unverified: BTreeSet<i64>,
    in_flight: usize,
}

impl VerifySchedule {
    /// A schedule of what remains.
    pub(crate) fn new(remaining: &VerifyRemaining) -> Self {
        VerifySchedule {
            ids: remaining.ids.clone(),
            pulling: None,
            ready: VecDeque::new(),
            unverified: BTreeSet::new(),
            in_flight: 0,
        }
    }

    /// The next ids to be pulled, if it is time; they count as under way from then on.
    pub(crate) fn next_pull(&mut self) -> Option<Range<i64>> {
        if self.pulling.is_some() || self.ids.is_empty() || self.ready.len() >= BATCHES_MAX / 2 {
            return None;
        }
        let end = self.ids.end.min(self.ids.start + PULL_IDS);
        self.pulling = Some(self.ids.start..end);
        self.ids.start = end;
        self.pulling.clone()
    }

    /// The answer to a pull.
    pub(crate) fn pulled(&mut self, ids: &Range<i64>, batches: Vec<ExpectedBatch>) {
        assert_eq!(self.pulling.take().as_ref(), Some(ids), "the answer to the pull that is under way");
        self.unverified.extend(batches.iter().map(first_id));
        self.ready.extend(batches);
    }

    /// The next batches, at most a message's worth.
    pub(crate) fn give_out(&mut self) -> Vec<ExpectedBatch> {
        let mut nodes = 0;
        let mut given = Vec::new();
        while let Some(next) = self.ready.front() {
            nodes += next.nodes.len();
            if !given.is_empty() && nodes > MESSAGE_NODES_MAX {
                break;
            }
            given.extend(self.ready.pop_front());
        }
        self.in_flight += usize::from(!given.is_empty());
        given
    }

    /// A message's batches have been dealt with; these, by their first ids, are verified, and their results are on
    /// their way to the ledger. Returns below which id everything is.
    pub(crate) fn done(&mut self, verified: &[i64]) -> i64 {
        self.in_flight -= 1;
        for first in verified {
            self.unverified.remove(first);
        }
        let pulling = self.pulling.as_ref().map(|ids| ids.start);
        let first = self.unverified.first().copied();
        first.into_iter().chain(pulling).min().unwrap_or(self.ids.start)
    }

    /// How much is given out and not dealt with.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many batches wait in memory.
    pub(crate) fn waiting(&self) -> usize {
        self.ready.len()
    }

    /// Whether nothing waits and nothing is in flight.
    pub(crate) fn is_over(&self) -> bool {
        self.ids.is_empty() && self.pulling.is_none() && self.ready.is_empty() && self.in_flight == 0
    }
}

#[cfg(test)]
mod tests {
    use longhaul_model::{FileFacts, NodeId, NodeKind};
    use proptest::prelude::*;

    use super::*;

    fn batch(first: i64) -> ExpectedBatch {
        let node = longhaul_ledger::ExpectedNode {
            id: NodeId(first),
            name: first.to_string(),
            other_name: None,
            kind: NodeKind::File,
            facts: FileFacts { size: None, modified_ns: None },
            is_copied: true,
            checksum: None,
        };
        ExpectedBatch { folder: NodeId(1), path: "/".to_owned(), destination_path: None, nodes: vec![node] }
    }

    proptest! {
        /// In whatever order it is dealt with: the mark never passes what is not verified, and ends behind everything.
        #[test]
        fn the_mark_never_passes_what_is_not_verified(
            order in prop::collection::vec(any::<prop::sample::Index>(), 400),
        ) {
            let last = 3 * PULL_IDS;
            let remaining = VerifyRemaining { ids: 2..last, nodes: 0, bytes: 0 };
            let mut schedule = VerifySchedule::new(&remaining);
            let mut given: Vec<Vec<ExpectedBatch>> = Vec::new();
            let mut verified = BTreeSet::new();
            let mut order = order.into_iter();
            let mut mark = 2;
            while !schedule.is_over() {
                if let Some(ids) = schedule.next_pull() {
                    let batches = ids.clone().step_by(997).map(batch).collect();
                    schedule.pulled(&ids, batches);
                }
                for _ in 0..3 {
                    let batches = schedule.give_out();
                    if !batches.is_empty() {
                        given.push(batches);
                    }
                }
                if !given.is_empty() {
                    let index = order.next().map_or(0, |index| index.index(given.len()));
                    let firsts: Vec<i64> = given.swap_remove(index).iter().map(first_id).collect();
                    verified.extend(firsts.iter().copied());
                    let next = schedule.done(&firsts);
                    prop_assert!(next >= mark);
                    mark = next;
                    for id in (2..mark.min(2 + PULL_IDS)).step_by(997) {
                        prop_assert!(verified.contains(&id), "{id} is below {mark}");
                    }
                }
            }
            prop_assert_eq!(mark, last);
        }
    }
}
