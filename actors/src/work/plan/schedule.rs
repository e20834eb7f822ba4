//! Which items of the plan may be done now.
//!
//! The plan is pulled in id order, and given out in id order: a folder comes before what is in it. What is in a folder
//! that is yet to be made waits for just that folder, not for all folders.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::ops::Range;

use longhaul_ledger::{CopyOutcome, CopyRemaining, PartCopied, PlanBatch};
use longhaul_model::{NodeId, NodeKind, PlanAction};

use crate::copying::{CopyReport, CopyWork, LargeFile, LargeItem};

/// Source ids of the first pull.
const PULL_IDS_MIN: i64 = 16_384;

/// Source ids of one pull at most: where little is to be done, it takes many of them to find any.
const PULL_IDS_MAX: i64 = 65_536;

/// Items in memory at most, unless one pull brings more.
const ITEMS_MAX: usize = 32_768;

/// Items of one message at most.
const MESSAGE_ITEMS_MAX: usize = 128;

/// Large files that are copied at a time.
const LARGE_FILES_MAX: usize = 4;

/// What waits and is in flight while the plan is carried out.
#[derive(Debug)]
pub(crate) struct CopySchedule {
    /// Files from this size on, in bytes, are copied in parts; `None` where the destination does not take any.
    large_from: Option<u64>,
    /// Ids that are still to be pulled.
    ids: Range<i64>,
    pull_ids: i64,
    pulling: Option<Range<i64>>,
    /// By the id of the first item.
    ready: BTreeMap<i64, PlanBatch>,
    ready_large: BTreeMap<i64, LargeItem>,
    items_in_memory: usize,
    /// Into how many messages what waits is divided, at least.
    shares: usize,
    /// Folders that are pulled and not made yet.
    unmade: HashSet<NodeId>,
    /// What waits for them.
    waiting: HashMap<NodeId, Vec<PlanBatch>>,
    /// Folders that are not on the destination and will not be: nothing in them is done.
    lost: HashSet<NodeId>,
    large: BTreeMap<NodeId, Large>,
    in_flight: usize,
}

/// A large file that was begun.
#[derive(Debug)]
struct Large {
    item: LargeItem,
    file: Option<LargeFile>,
    /// Parts that an earlier run copied, by number.
    copied_before: BTreeMap<u32, PartCopied>,
    /// Parts that are not given out yet.
    to_do: VecDeque<u32>,
    values: Vec<Option<[u8; 32]>>,
    parts_done: u32,
    in_flight: usize,
    /// The first failure of a part, which is recorded when nothing of the file is in flight.
    failed: Option<(CopyOutcome, u32)>,
    /// What is in flight comes to its end, and then it is begun again.
    has_changed: bool,
    is_over: bool,
}

impl Large {
    fn new(item: LargeItem) -> Self {
        Large {
            item,
            file: None,
            copied_before: BTreeMap::new(),
            to_do: VecDeque::new(),
            values: Vec::new(),
            parts_done: 0,
            in_flight: 1,
            failed: None,
            has_changed: false,
            is_over: false,
        }
    }

    /// Its parts are to be copied.
    fn prepared(&mut self, mut file: LargeFile) {
        self.to_do = (0..file.parts).collect();
        self.values = vec![None; file.parts as usize];
        // A part is given out with what is known of it, and not with what is known of all.
        self.copied_before = file.done.drain(..).map(|part| (part.part, part)).collect();
        file.large.item.parts = Vec::new();
        self.file = Some(file);
    }

    /// Whether there is a part to be given out, or it is to be placed, or to fail.
    fn has_work(&self) -> bool {
        if self.is_over {
            return false;
        }
        if self.failed.is_some() {
            return self.in_flight == 0;
        }
        !self.has_changed && self.file.is_some() && (!self.to_do.is_empty() || self.is_whole())
    }

    fn is_whole(&self) -> bool {
        self.in_flight == 0 && self.file.as_ref().is_some_and(|file| self.parts_done == file.parts)
    }

    fn give_out(&mut self) -> Option<CopyWork> {
        let mut file = self.file.clone()?;
        self.in_flight += 1;
        if let Some((outcome, attempts)) = self.failed.clone() {
            return Some(CopyWork::Fail { large: file.large, outcome, attempts });
        }
        if let Some(part) = self.to_do.pop_front() {
            file.done.extend(self.copied_before.remove(&part));
            return Some(CopyWork::Part { file, part });
        }
        let values: Option<Vec<_>> = self.values.iter().copied().collect();
        let checksum = values.map(|values| LargeFile::checksum_of(&values));
        Some(CopyWork::Place { file, checksum })
    }
}

impl CopySchedule {
    /// A schedule of what remains.
    pub(crate) fn new(remaining: &CopyRemaining, large_from: Option<u64>) -> Self {
        CopySchedule {
            large_from,
            ids: remaining.ids.clone(),
            pull_ids: PULL_IDS_MIN,
            pulling: None,
            ready: BTreeMap::new(),
            ready_large: BTreeMap::new(),
            items_in_memory: 0,
            shares: 1,
            unmade: HashSet::new(),
            waiting: HashMap::new(),
            lost: HashSet::new(),
            large: BTreeMap::new(),
            in_flight: 0,
        }
    }

    /// Divides what waits into so many messages at least, so that so many workers have something to do.
    #[must_use]
    pub(crate) fn with_shares(mut self, shares: usize) -> Self {
        self.shares = shares.max(1);
        self
    }

    /// The next ids to be pulled, if it is time; they count as under way from then on.
    pub(crate) fn next_pull(&mut self) -> Option<Range<i64>> {
        if self.pulling.is_some() || self.ids.is_empty() || self.items_in_memory >= ITEMS_MAX / 2 {
            return None;
        }
        let end = self.ids.end.min(self.ids.start + self.pull_ids);
        self.pulling = Some(self.ids.start..end);
        self.ids.start = end;
        self.pulling.clone()
    }

    /// The answer to a pull.
    pub(crate) fn pulled(&mut self, ids: &Range<i64>, batches: Vec<PlanBatch>) {
        assert_eq!(self.pulling.take().as_ref(), Some(ids), "the answer to the pull that is under way");
        let items: usize = batches.iter().map(|batch| batch.items.len()).sum();
        if items < ITEMS_MAX / 8 {
            self.pull_ids = (self.pull_ids * 2).min(PULL_IDS_MAX);
        } else if items > ITEMS_MAX / 2 {
            self.pull_ids = (self.pull_ids / 2).max(PULL_IDS_MIN);
        }
        self.items_in_memory += items;
        for batch in batches {
            self.unmade
                .extend(batch.items.iter().filter(|item| item.action == PlanAction::CreateFolder).map(|item| item.id));
            self.add(batch);
        }
    }

    fn add(&mut self, batch: PlanBatch) {
        if self.lost.contains(&batch.folder) {
            self.lose(batch);
        } else if self.unmade.contains(&batch.folder) {
            self.waiting.entry(batch.folder).or_default().push(batch);
        } else {
            self.make_ready(batch);
        }
    }

    /// What is in a folder that is not there is not done, and neither is what is in the folders among it: the ledger
    /// has recorded that already.
    fn lose(&mut self, batch: PlanBatch) {
        self.items_in_memory -= batch.items.len();
        for folder in batch.items.into_iter().filter(|item| item.kind == NodeKind::Folder) {
            self.lose_folder(folder.id);
        }
    }

    fn lose_folder(&mut self, folder: NodeId) {
        self.unmade.remove(&folder);
        self.lost.insert(folder);
        for batch in self.waiting.remove(&folder).unwrap_or_default() {
            self.lose(batch);
        }
    }

    fn make_ready(&mut self, mut batch: PlanBatch) {
        let Some(large_from) = self.large_from else {
            self.ready.insert(batch.items[0].id.0, batch);
            return;
        };
        let is_large = |item: &longhaul_ledger::PlanItem| {
            item.kind == NodeKind::File && item.facts.size.is_some_and(|size| size.unsigned_abs() >= large_from)
        };
        for item in batch.items.extract_if(.., |item| is_large(item)) {
            let large = LargeItem {
                folder: batch.path.clone(),
                destination_folder: batch.destination_path.clone(),
                depth: batch.depth,
                item,
                attempt: 1,
            };
            self.ready_large.insert(large.item.id.0, large);
        }
        if let Some(first) = batch.items.first() {
            self.ready.insert(first.id.0, batch);
        }
    }

    /// The next thing to be done, if there is any that may be.
    pub(crate) fn give_out(&mut self) -> Option<CopyWork> {
        let work = self.give_out_large().or_else(|| self.give_out_ready())?;
        self.in_flight += 1;
        Some(work)
    }

    /// What was begun goes first. Each worker gets a file of its own as long as there are enough: a file system lets
    /// only one of them write to a file at a time.
    fn give_out_large(&mut self) -> Option<CopyWork> {
        let has_room = self.large.len() < LARGE_FILES_MAX;
        let next = self.large.values_mut().filter(|large| large.has_work()).min_by_key(|large| large.in_flight)?;
        if next.in_flight == 0 || !has_room {
            return next.give_out();
        }
        match self.ready_large.pop_first() {
            None => next.give_out(),
            Some((_, item)) => Some(self.begin_large(item)),
        }
    }

    fn give_out_ready(&mut self) -> Option<CopyWork> {
        let batch = self.ready.first_key_value().map(|(id, _)| *id);
        let large = self.ready_large.first_key_value().map(|(id, _)| *id);
        let is_full = self.large.len() >= LARGE_FILES_MAX;
        if let Some(large) = large.filter(|large| !is_full && batch.is_none_or(|batch| *large < batch)) {
            let item = self.ready_large.remove(&large)?;
            return Some(self.begin_large(item));
        }
        self.give_out_batches()
    }

    fn give_out_batches(&mut self) -> Option<CopyWork> {
        let (_, mut batch) = self.ready.pop_first()?;
        let items_max = self.message_items_max();
        if batch.items.len() > items_max {
            let items = batch.items.split_off(items_max);
            let (path, destination_path) = (batch.path.clone(), batch.destination_path.clone());
            let rest = PlanBatch { folder: batch.folder, path, destination_path, depth: batch.depth, items };
            self.ready.insert(rest.items[0].id.0, rest);
        }
        let mut items = batch.items.len();
        let mut batches = vec![batch];
        // Folders with little in them go together, so that a message is worth its while.
        while let Some(next) = self.ready.first_entry() {
            let batch = next.get();
            if items + batch.items.len() > items_max || bytes(batches.iter().chain([batch])) > 16 << 20 {
                break;
            }
            items += batch.items.len();
            batches.push(next.remove());
        }
        self.items_in_memory -= items;
        Some(CopyWork::Items(batches))
    }

    /// Items of one message: where little is left, everybody gets a share of it.
    fn message_items_max(&self) -> usize {
        (self.items_in_memory / self.shares).clamp(1, MESSAGE_ITEMS_MAX)
    }

    fn begin_large(&mut self, item: LargeItem) -> CopyWork {
        self.items_in_memory -= 1;
        self.large.insert(item.item.id, Large::new(item.clone()));
        CopyWork::Prepare(item)
    }

    /// Something that was given out has been dealt with.
    pub(crate) fn done(&mut self, report: CopyReport) {
        self.in_flight -= 1;
        match report {
            CopyReport::Items { made, lost, .. } => {
                for folder in made {
                    self.unmade.remove(&folder);
                    for batch in self.waiting.remove(&folder).unwrap_or_default() {
                        self.make_ready(batch);
                    }
                }
                for folder in lost {
                    self.lose_folder(folder);
                }
            }
            CopyReport::Prepared(file) => {
                self.large_in_flight(file.large.item.id).prepared(file);
            }
            CopyReport::Part { id, part, value } => {
                let large = self.large_in_flight(id);
                large.values[part as usize] = value;
                large.parts_done += 1;
                self.settle_large(id);
            }
            CopyReport::PartFailed { id, outcome, attempts } => {
                self.large_in_flight(id).failed.get_or_insert((outcome, attempts));
            }
            CopyReport::Changed(id) => {
                self.large_in_flight(id).has_changed = true;
                self.settle_large(id);
            }
            CopyReport::Large(id) => {
                self.large_in_flight(id).is_over = true;
                self.settle_large(id);
            }
            CopyReport::LargeGivenBack(id) => {
                self.large_in_flight(id);
            }
            CopyReport::Folders | CopyReport::Verified(_) => unreachable!("that is not given out here"),
        }
    }

    fn large_in_flight(&mut self, id: NodeId) -> &mut Large {
        let large = self.large.get_mut(&id).expect("a large file in flight is known");
        large.in_flight -= 1;
        large
    }

    /// A file that is over is forgotten, and one that has changed and not failed is begun again, when nothing of it is in
    /// flight.
    fn settle_large(&mut self, id: NodeId) {
        let Some(large) = self.large.get(&id).filter(|large| large.in_flight == 0) else { return };
        if large.is_over {
            self.large.remove(&id);
        } else if large.has_changed && large.failed.is_none() {
            let mut again = large.item.clone();
            again.attempt += 1;
            self.large.remove(&id);
            self.items_in_memory += 1;
            self.ready_large.insert(id.0, again);
        }
    }

    /// How much is given out and not dealt with.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// How many items wait in memory.
    pub(crate) fn waiting(&self) -> usize {
        self.items_in_memory
    }

    /// Whether nothing waits and nothing is in flight.
    pub(crate) fn is_over(&self) -> bool {
        self.ids.is_empty()
            && self.pulling.is_none()
            && self.ready.is_empty()
            && self.ready_large.is_empty()
            && self.waiting.is_empty()
            && self.large.is_empty()
            && self.in_flight == 0
    }
}

fn bytes<'a>(batches: impl IntoIterator<Item = &'a PlanBatch>) -> i64 {
    let sizes = batches.into_iter().flat_map(|batch| &batch.items).filter_map(|item| item.facts.size);
    // Files with holes may be as long as they like.
    sizes.fold(0, i64::saturating_add)
}

#[cfg(test)]
mod tests;
