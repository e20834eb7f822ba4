//! Random trees on both sides, random order of completion, and limits that are far too small.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A folder of the source, as it is made up: where it is, and what happens to it.
#[derive(Clone, Debug)]
struct Spec {
    parent: prop::sample::Index,
    /// Files on the source that lie before it in its folder.
    files_before: i64,
    on_destination: bool,
    fails: BySide<bool>,
}

/// A folder of the source. Its children are listed on the source as they come, on the destination backwards.
#[derive(Clone, Debug)]
struct MadeUp {
    files_before: i64,
    on_destination: bool,
    fails: BySide<bool>,
    children: Vec<usize>,
}

fn tree() -> impl Strategy<Value = Vec<MadeUp>> {
    let spec = (any::<prop::sample::Index>(), 0_i64..3, prop::bool::weighted(0.7), 0_u8..10).prop_map(
        |(parent, files_before, on_destination, failing)| Spec {
            parent,
            files_before,
            on_destination,
            fails: BySide { src: failing == 0, dst: failing == 1 },
        },
    );
    prop::collection::vec(spec, 0..40).prop_map(|specs| {
        let made_up = |spec: &Spec| MadeUp {
            files_before: spec.files_before,
            on_destination: spec.on_destination,
            fails: spec.fails,
            children: vec![],
        };
        let mut tree =
            vec![MadeUp { files_before: 0, on_destination: true, fails: BySide::default(), children: vec![] }];
        for spec in specs {
            let (parent, child) = (spec.parent.index(tree.len()), tree.len());
            tree[parent].children.push(child);
            tree.push(made_up(&spec));
        }
        tree
    })
}

fn limits() -> impl Strategy<Value = ScheduleLimits> {
    let frontier = prop_oneof![0_usize..=3, Just(ROOMY.frontier_folders_max)];
    (0_i64..=5, frontier, 1_usize..=4).prop_map(|(lead, frontier, in_flight)| ScheduleLimits {
        lead_nodes_max: lead,
        frontier_folders_max: frontier,
        in_flight_folders_max: in_flight,
    })
}

/// A listing in somebody's hands.
#[derive(Debug)]
struct Listing {
    side: Side,
    folder: Folder,
    blocked: bool,
    /// Children that have not been recorded, in pages.
    pages: VecDeque<Vec<usize>>,
    ids: Vec<Range<i64>>,
    found: Vec<Folder>,
}

/// Messages on their way to the Coordinator.
#[derive(Debug)]
enum Answer {
    Recorded(RecordedListing),
    Pulled(Side, Range<i64>),
}

/// The rest of the world: Listers, ledger actor and ledger.
struct World<'a> {
    tree: &'a [MadeUp],
    schedule: Schedule,
    limits: ScheduleLimits,
    choices: Choices<'a>,
    names_are_few: bool,
    next_id: BySide<i64>,
    /// Which made-up folder a node is.
    made_up: BySide<BTreeMap<NodeId, usize>>,
    source_ids: BTreeMap<usize, NodeId>,
    /// All folders that are to be listed, as the ledger has them.
    ledger: BySide<BTreeMap<i64, Folder>>,
    listed: BySide<BTreeSet<NodeId>>,
    failed_sources: BTreeSet<NodeId>,
    /// The destination folders that the schedule knows of and that are not recorded, with their counterparts.
    unmatched: BTreeMap<i64, NodeId>,
    in_hand: Vec<Listing>,
    answers: VecDeque<Answer>,
    given_out: BySide<Vec<NodeId>>,
}

/// Random choices, that go round and round.
struct Choices<'a> {
    choices: &'a [u8],
    next: usize,
}

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        self.next += 1;
        // With a drift, so that the same few choices do not repeat for ever.
        (usize::from(self.choices[self.next % self.choices.len()]) + self.next / self.choices.len()) % count
    }
}

impl<'a> World<'a> {
    fn new(tree: &'a [MadeUp], limits: ScheduleLimits, choices: &'a [u8], names_are_few: bool) -> Self {
        let root = |_| BTreeMap::from([(NodeId(1), 0)]);
        World {
            tree,
            schedule: schedule(limits),
            limits,
            choices: Choices { choices, next: 0 },
            names_are_few,
            next_id: BySide { src: 2, dst: 2 },
            made_up: BySide::from_fn(root),
            source_ids: BTreeMap::from([(0, NodeId(1))]),
            ledger: BySide::from_fn(|_| BTreeMap::from([(1, super::root())])),
            listed: BySide::default(),
            failed_sources: BTreeSet::new(),
            unmatched: BTreeMap::from([(1, NodeId(1))]),
            in_hand: vec![],
            answers: VecDeque::new(),
            given_out: BySide::default(),
        }
    }

    /// What the Coordinator does after every message.
    fn go_on(&mut self) {
        for side in Side::BOTH {
            if let Some(ids) = self.schedule.next_pull(side) {
                self.answers.push_back(Answer::Pulled(side, ids));
            }
            if side == Side::Destination {
                while let Some(folder) = self.schedule.take_blocked() {
                    assert!(self.failed_sources.contains(&folder.source_id), "{folder:?} is not blocked");
                    self.take(side, folder, true);
                }
            }
            let count = 1 + self.choices.below(3);
            let in_flight = self.schedule.in_flight(side);
            let given = self.schedule.give_out(side, count);
            assert!(given.len() <= count);
            assert!(given.is_empty() || in_flight + given.len() <= self.limits.in_flight_folders_max);
            for folder in given {
                match side {
                    Side::Source if self.limits.frontier_folders_max == ROOMY.frontier_folders_max => {
                        self.check_lead(&folder);
                    }
                    Side::Source => {}
                    Side::Destination => {
                        let source = folder.source_id;
                        assert!(self.listed.src.contains(&source), "the counterpart of {folder:?} is not recorded");
                        assert!(!self.failed_sources.contains(&source), "the counterpart of {folder:?} failed");
                    }
                }
                self.take(side, folder, false);
            }
        }
    }

    /// Not where folders are left in the ledger: how far behind those are is only known when they have been pulled.
    fn check_lead(&self, folder: &Folder) {
        if let Some((id, source_id)) = self.unmatched.first_key_value() {
            let lead = folder.id.0 - source_id.0;
            assert!(lead <= self.limits.lead_nodes_max, "{folder:?} is given out, {lead} ahead of destination {id}");
        }
    }

    fn take(&mut self, side: Side, folder: Folder, blocked: bool) {
        self.given_out[side].push(folder.id);
        let made_up = &self.tree[self.made_up[side][&folder.id]];
        let mut children: Vec<usize> = match side {
            Side::Source => made_up.children.clone(),
            Side::Destination => {
                made_up.children.iter().rev().copied().filter(|&child| self.tree[child].on_destination).collect()
            }
        };
        if blocked {
            children.clear();
        }
        let mut pages: VecDeque<Vec<usize>> =
            children.chunks(1 + self.choices.below(3)).map(<[usize]>::to_vec).collect();
        if pages.is_empty() {
            pages.push_back(vec![]);
        }
        self.in_hand.push(Listing { side, folder, blocked, pages, ids: vec![], found: vec![] });
    }

    /// Records the next page of one of the listings in hand.
    fn record_page(&mut self) {
        let chosen = self.choices.below(self.in_hand.len());
        let mut listing = self.in_hand.swap_remove(chosen);
        let side = listing.side;
        for child in listing.pages.pop_front().unwrap_or_default() {
            let start = self.next_id[side];
            let id = NodeId(start + self.tree[child].files_before);
            self.next_id[side] = id.0 + 1;
            match listing.ids.last_mut() {
                Some(last) if last.end == start => last.end = self.next_id[side],
                _ => listing.ids.push(start..self.next_id[side]),
            }
            self.made_up[side].insert(id, child);
            let source_id = match side {
                Side::Source => *self.source_ids.entry(child).or_insert(id),
                Side::Destination => self.source_ids[&child],
            };
            listing.found.push(Folder { id, source_id, path: String::new(), depth: 0 });
        }
        if !listing.pages.is_empty() {
            self.in_hand.push(listing);
            return;
        }
        let Listing { side, folder, blocked, ids, found, .. } = listing;
        let fails = blocked || self.tree[self.made_up[side][&folder.id]].fails[side];
        assert!(self.listed[side].insert(folder.id), "{side} {folder:?} is listed twice");
        if side == Side::Source && fails {
            self.failed_sources.insert(folder.id);
        }
        self.ledger[side].extend(found.iter().map(|found| (found.id.0, found.clone())));
        let named = if self.names_are_few && self.choices.below(3) == 0 { None } else { Some(found) };
        let recorded =
            RecordedListing { side, folder: folder.id, is_complete: !fails, found: FoundFolders { ids, named } };
        // Destination listings may be matched later than they are recorded.
        let delayed = side == Side::Destination && self.choices.below(2) == 0;
        match self.answers.len() {
            waiting if delayed && waiting > 0 => {
                let behind = self.choices.below(waiting) + 1;
                self.answers.insert(behind, Answer::Recorded(recorded));
            }
            _ => self.answers.push_back(Answer::Recorded(recorded)),
        }
    }

    fn answer(&mut self) {
        match self.answers.pop_front() {
            Some(Answer::Recorded(recorded)) => {
                if recorded.side == Side::Destination {
                    self.unmatched.remove(&recorded.folder.0);
                    let found = recorded.found.ids.iter().flat_map(|ids| self.ledger.dst.range(ids.clone()));
                    self.unmatched.extend(found.map(|(&id, folder)| (id, folder.source_id)));
                }
                self.schedule.recorded(recorded);
            }
            Some(Answer::Pulled(side, ids)) => {
                let folders = self.ledger[side].range(ids.clone()).map(|(_, folder)| folder.clone()).collect();
                self.schedule.pulled(side, &ids, folders);
            }
            None => {}
        }
        self.go_on();
    }

    /// Goes on until there is nothing left that could happen.
    fn run(&mut self) {
        self.go_on();
        while !(self.in_hand.is_empty() && self.answers.is_empty()) {
            assert!(!self.schedule.is_over(), "it is over while something is under way");
            if self.in_hand.is_empty() || (!self.answers.is_empty() && self.choices.below(2) == 0) {
                self.answer();
            } else {
                self.record_page();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 8, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_order_and_the_limits_every_folder_is_given_out_once_and_it_ends(
        tree in tree(),
        limits in limits(),
        choices in prop::collection::vec(any::<u8>(), 1..40),
        names_are_few in any::<bool>(),
    ) {
        let names_are_few = names_are_few && limits.frontier_folders_max < ROOMY.frontier_folders_max;
        let mut world = World::new(&tree, limits, &choices, names_are_few);
        world.run();
        prop_assert!(world.schedule.is_over(), "nothing is under way, and it is not over: {:?}", world.schedule);
        for side in Side::BOTH {
            let expected: Vec<NodeId> = world.ledger[side].values().map(|folder| folder.id).collect();
            world.given_out[side].sort_unstable();
            prop_assert_eq!(&world.given_out[side], &expected, "{}", side);
        }
    }

    /// With room for all of them in memory, and one Lister.
    #[test]
    fn one_lister_gets_the_folders_in_id_order(
        tree in tree(),
        choices in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let limits = ScheduleLimits { in_flight_folders_max: 1, ..ROOMY };
        let mut world = World::new(&tree, limits, &choices, false);
        world.run();
        for side in Side::BOTH {
            prop_assert!(world.given_out[side].is_sorted(), "{}: {:?}", side, world.given_out[side]);
        }
    }
}
