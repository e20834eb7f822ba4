//! The schedule, driven by Copiers that are a few lines each, in whatever order.

use std::collections::BTreeSet;

use longhaul_ledger::PlanItem;
use longhaul_model::FileFacts;
use proptest::prelude::*;

use super::*;

const LARGE_FROM: u64 = 4_096;

const PART_BYTES: u64 = 1_024;

/// An item of the plan, as it is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MadeUp {
    /// A folder that is to be made; whether that fails.
    Folder {
        fails: bool,
    },
    /// A folder that is on both sides.
    Known,
    File,
    /// In so many parts. It changes so many times, and then it is placed, or it fails at its last part.
    Large {
        parts: u32,
        changes: u32,
        fails: bool,
    },
}

/// Items, each with the folder that it is in.
type Tree = Vec<(MadeUp, usize)>;

fn tree() -> impl Strategy<Value = Tree> {
    let made_up = prop_oneof![
        2 => prop::bool::weighted(0.2).prop_map(|fails| MadeUp::Folder { fails }),
        1 => Just(MadeUp::Known),
        4 => Just(MadeUp::File),
        2 => (4_u32..8, 0_u32..3, prop::bool::weighted(0.2))
            .prop_map(|(parts, changes, fails)| MadeUp::Large { parts, changes, fails }),
    ];
    prop::collection::vec((made_up, any::<prop::sample::Index>()), 0..60).prop_map(|specs| {
        // As they are found: what is in a folder comes after it. The root has the number 0.
        let mut tree: Tree = vec![(MadeUp::Known, 0)];
        for (made_up, index) in specs {
            let is_folder = |(_, (made_up, _)): &(usize, &(MadeUp, usize))| {
                matches!(made_up, MadeUp::Folder { .. } | MadeUp::Known)
            };
            let folders: Vec<usize> = tree.iter().enumerate().filter(is_folder).map(|(number, _)| number).collect();
            let parent = folders[index.index(folders.len())];
            // What both sides have is in a folder that both sides have.
            let is_new = made_up == MadeUp::Known && tree[parent].0 != MadeUp::Known;
            tree.push((if is_new { MadeUp::Folder { fails: false } } else { made_up }, parent));
        }
        tree
    })
}

fn id(number: usize) -> NodeId {
    NodeId(i64::try_from(number).unwrap() + 1)
}

fn plan_item(number: usize, made_up: MadeUp) -> PlanItem {
    let (kind, size) = match made_up {
        MadeUp::Folder { .. } | MadeUp::Known => (NodeKind::Folder, None),
        MadeUp::File => (NodeKind::File, Some(1)),
        MadeUp::Large { parts, .. } => (NodeKind::File, Some(i64::from(parts) * 1_024)),
    };
    let action = if kind == NodeKind::Folder { PlanAction::CreateFolder } else { PlanAction::Copy };
    let (name, facts) = (number.to_string(), FileFacts { size, modified_ns: None });
    PlanItem { id: id(number), name, new_name: None, kind, facts, action, in_its_place: None, parts: Vec::new() }
}

/// What the ledger would give out of these ids: one batch for each run of items in one folder.
fn batches(tree: &Tree, ids: &Range<i64>) -> Vec<PlanBatch> {
    let mut batches: Vec<PlanBatch> = Vec::new();
    for (number, &(made_up, parent)) in tree.iter().enumerate() {
        if made_up == MadeUp::Known || !ids.contains(&id(number).0) {
            continue;
        }
        let item = plan_item(number, made_up);
        match batches.last_mut() {
            Some(last) if last.folder == id(parent) && last.items.len() < MESSAGE_ITEMS_MAX => last.items.push(item),
            _ => batches.push(PlanBatch {
                folder: id(parent),
                path: String::new(),
                destination_path: None,
                depth: 1,
                items: vec![item],
            }),
        }
    }
    batches
}

/// Everybody but the schedule.
struct World<'a> {
    tree: &'a Tree,
    schedule: CopySchedule,
    pulling: Option<Range<i64>>,
    in_hand: Vec<CopyWork>,
    given_out: BTreeSet<NodeId>,
    /// Folders that are there.
    made: BTreeSet<NodeId>,
    /// By file: attempts, and the parts of this attempt that were given out.
    large: BTreeMap<NodeId, (u32, BTreeSet<u32>, bool)>,
    over: BTreeSet<NodeId>,
    most_waiting: usize,
}

impl<'a> World<'a> {
    fn new(tree: &'a Tree, ids_per_pull: i64) -> Self {
        let ids = 1..id(tree.len()).0;
        let remaining = CopyRemaining { ids, ..CopyRemaining::default() };
        let mut schedule = CopySchedule::new(&remaining, Some(LARGE_FROM));
        schedule.pull_ids = ids_per_pull;
        let (made, large) = (BTreeSet::new(), BTreeMap::new());
        let (in_hand, given_out, over) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        World { tree, schedule, pulling: None, in_hand, given_out, made, large, over, most_waiting: 0 }
    }

    fn number(id: NodeId) -> usize {
        usize::try_from(id.0 - 1).unwrap()
    }

    /// Whether a folder is at the destination.
    fn is_there(&self, folder: usize) -> bool {
        self.tree[folder].0 == MadeUp::Known || self.made.contains(&id(folder))
    }

    fn go_on(&mut self) {
        if let Some(ids) = self.schedule.next_pull() {
            assert!(self.pulling.replace(ids).is_none(), "one pull at a time");
        }
        self.most_waiting = self.most_waiting.max(self.schedule.waiting());
    }

    fn give_out(&mut self) -> bool {
        let Some(work) = self.schedule.give_out() else { return false };
        match &work {
            CopyWork::Items(batches) => {
                assert!(!batches.is_empty());
                assert!(batches.iter().map(|batch| batch.items.len()).sum::<usize>() <= MESSAGE_ITEMS_MAX);
                for batch in batches {
                    assert!(self.is_there(Self::number(batch.folder)), "{:?} is not there", batch.folder);
                    for item in &batch.items {
                        assert!(self.given_out.insert(item.id), "{} is given out twice", item.id);
                    }
                }
            }
            CopyWork::Prepare(large) => {
                let id = large.item.id;
                assert!(self.is_there(self.tree[Self::number(id)].1), "its folder is not there");
                assert!(!self.over.contains(&id));
                let (attempt, parts, is_placed) = self.large.entry(id).or_default();
                assert_eq!(large.attempt, *attempt + 1, "attempts are counted");
                (*attempt, *parts, *is_placed) = (large.attempt, BTreeSet::new(), false);
                self.given_out.insert(id);
                assert!(self.schedule.large.len() <= LARGE_FILES_MAX);
            }
            CopyWork::Part { file, part } => {
                let (attempt, parts, _) = self.large.get_mut(&file.large.item.id).unwrap();
                assert_eq!(file.large.attempt, *attempt);
                assert!(parts.insert(*part) && *part < file.parts, "part {part} is given out twice");
            }
            CopyWork::Place { file, checksum } => {
                let (attempt, parts, is_placed) = self.large.get_mut(&file.large.item.id).unwrap();
                assert_eq!((file.large.attempt, parts.len()), (*attempt, file.parts as usize));
                assert!(!std::mem::replace(is_placed, true), "it is placed twice");
                assert!(checksum.is_some());
            }
            CopyWork::Fail { large, .. } => {
                let id = large.item.id;
                assert!(self.large_spec(id).2 && !self.over.contains(&id), "it fails once");
            }
            work => panic!("{work:?}"),
        }
        self.in_hand.push(work);
        true
    }

    fn large_spec(&self, id: NodeId) -> (u32, u32, bool) {
        match self.tree[Self::number(id)].0 {
            MadeUp::Large { parts, changes, fails } => (parts, changes, fails),
            made_up => panic!("{made_up:?} is not large"),
        }
    }

    fn finish(&mut self, chosen: usize) {
        let done = match self.in_hand.swap_remove(chosen) {
            CopyWork::Items(batches) => {
                let (mut made, mut lost) = (Vec::new(), Vec::new());
                for item in batches.iter().flat_map(|batch| &batch.items) {
                    if let MadeUp::Folder { fails } = self.tree[Self::number(item.id)].0 {
                        if fails { &mut lost } else { &mut made }.push(item.id);
                    }
                }
                self.made.extend(&made);
                CopyReport::Items { made, lost, given_back: 0 }
            }
            CopyWork::Prepare(large) => {
                let (parts, ..) = self.large_spec(large.item.id);
                CopyReport::Prepared(LargeFile::of_parts(large, PART_BYTES, parts))
            }
            CopyWork::Part { file, part } => {
                let id = file.large.item.id;
                let (parts, changes, fails) = self.large_spec(id);
                // All parts in flight may say that it has changed, or failed.
                if file.large.attempt <= changes && part >= 1 {
                    CopyReport::Changed(id)
                } else if fails && part + 2 >= parts {
                    failed(id)
                } else {
                    CopyReport::Part { id, part, value: Some([7; 32]) }
                }
            }
            CopyWork::Fail { large, .. } => {
                self.over.insert(large.item.id);
                CopyReport::Large(large.item.id)
            }
            CopyWork::Place { file, .. } => {
                self.over.insert(file.large.item.id);
                CopyReport::Large(file.large.item.id)
            }
            work => panic!("{work:?}"),
        };
        self.schedule.done(done);
    }

    /// Goes on until there is nothing left that could happen.
    fn run(&mut self, choices: &[u8], copiers: usize) {
        for step in 0.. {
            assert!(step < 100_000, "it does not come to an end: {:?}", self.schedule);
            let choice = usize::from(choices[step % choices.len()]) + step / choices.len();
            self.go_on();
            match choice % 3 {
                0 if self.pulling.is_some() => self.answer(),
                1 if self.in_hand.len() < copiers && self.give_out() => {}
                _ if !self.in_hand.is_empty() => self.finish(choice / 3 % self.in_hand.len()),
                _ if self.give_out() => {}
                _ if self.pulling.is_some() => self.answer(),
                _ => return,
            }
            let is_idle = self.in_hand.is_empty() && self.pulling.is_none();
            assert!(is_idle || !self.schedule.is_over(), "it is over while something is under way");
            assert_eq!(self.schedule.in_flight(), self.in_hand.len());
        }
    }

    fn answer(&mut self) {
        let ids = self.pulling.take().unwrap();
        self.schedule.pulled(&ids, batches(self.tree, &ids));
    }

    /// Everything that is to be given out: what is not below a folder that could not be made.
    fn expected(&self) -> BTreeSet<NodeId> {
        let is_lost = |mut number: usize| {
            while number != 0 {
                number = self.tree[number].1;
                if self.tree[number].0 == (MadeUp::Folder { fails: true }) {
                    return true;
                }
            }
            false
        };
        let numbers = (1..self.tree.len()).filter(|&number| self.tree[number].0 != MadeUp::Known);
        numbers.filter(|&number| !is_lost(number)).map(id).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 4, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_everything_is_given_out_once_and_behind_its_folder_and_it_ends(
        tree in tree(),
        ids_per_pull in 1_i64..80,
        copiers in 1_usize..6,
        choices in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let mut world = World::new(&tree, ids_per_pull);
        world.run(&choices, copiers);
        prop_assert!(world.schedule.is_over(), "nothing is under way, and it is not over: {:?}", world.schedule);
        prop_assert_eq!(world.schedule.waiting(), 0);
        prop_assert_eq!(&world.given_out, &world.expected());
        let is_large = |id: &NodeId| matches!(tree[World::number(*id)].0, MadeUp::Large { .. });
        prop_assert_eq!(&world.over, &world.given_out.iter().copied().filter(is_large).collect());
    }
}

/// That a part failed for good.
fn failed(id: NodeId) -> CopyReport {
    CopyReport::PartFailed {
        id,
        outcome: CopyOutcome::Vanished(longhaul_model::Reason::message("it is gone")),
        attempts: 1,
    }
}

/// Files in one folder.
fn files(count: usize) -> Tree {
    let files = std::iter::repeat_n((MadeUp::File, 0), count);
    std::iter::once((MadeUp::Known, 0)).chain(files).collect()
}

#[test]
fn no_more_is_pulled_than_fits_however_slow_the_copiers_are() {
    let tree = files(200_000);
    let mut world = World::new(&tree, PULL_IDS_MIN);
    for _ in 0..100 {
        world.go_on();
        if world.pulling.is_some() {
            world.answer();
        }
    }
    assert!(world.schedule.waiting() >= ITEMS_MAX / 2, "{}", world.schedule.waiting());
    world.run(&[1, 1, 1, 0, 2, 5], 4);
    assert!(world.schedule.is_over());
    assert!(world.most_waiting <= ITEMS_MAX, "{}", world.most_waiting);
}

#[test]
fn a_part_that_comes_to_its_end_after_its_file_was_given_up_changes_nothing() {
    let tree = vec![(MadeUp::Known, 0), (MadeUp::Large { parts: 5, changes: 0, fails: false }, 0)];
    let mut world = World::new(&tree, 10);
    world.go_on();
    world.answer();
    assert!(world.give_out());
    world.finish(0);
    for _ in 0..3 {
        assert!(world.give_out());
    }
    world.in_hand.clear();
    let id = id(1);
    world.schedule.done(CopyReport::Changed(id));
    world.schedule.done(failed(id));
    assert!(world.schedule.give_out().is_none(), "a part of it is in flight");
    assert!(!world.schedule.is_over());
    world.schedule.done(CopyReport::Part { id, part: 2, value: None });
    assert!(matches!(world.schedule.give_out(), Some(CopyWork::Fail { .. })), "why it was given up is to be recorded");
    world.schedule.done(CopyReport::Large(id));
    assert!(world.schedule.is_over(), "it is not begun again: what became of it is recorded");
}

#[test]
fn files_as_long_as_can_be_do_not_upset_the_sizes_of_messages() {
    let tree = files(3);
    let mut batches = batches(&tree, &(1..9));
    let mut second = batches[0].clone();
    for (number, item) in second.items.iter_mut().enumerate() {
        item.id = NodeId(100 + i64::try_from(number).unwrap());
    }
    batches.push(second);
    batches.iter_mut().flat_map(|batch| &mut batch.items).for_each(|item| item.facts.size = Some(i64::MAX));
    // As where the destination takes no parts.
    let mut schedule = CopySchedule::new(&CopyRemaining { ids: 1..200, ..CopyRemaining::default() }, None);
    let ids = schedule.next_pull().unwrap();
    schedule.pulled(&ids, batches);
    assert!(schedule.give_out().is_some() && schedule.give_out().is_some());
    assert!(schedule.give_out().is_none());
}
