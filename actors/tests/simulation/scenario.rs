//! Everything that a seed decides: two trees, what goes wrong with them, how the engine is tuned, and when it is
//! interrupted or killed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use longhaul_actors::{ScheduleLimits, Tuning};
use longhaul_ledger::Resources;
use longhaul_model::{BySide, ErrorClass, NodeKind, Side};
use longhaul_spectra::{
    ChaosConfig, Config, FaultClass, FaultRule, LatencyConfig, Mode, Operation, OperationFilter, PacketLossConfig,
    RateConfig, SeedConfig, Spectra,
};

use super::dice::Dice;
use super::store::{EVERYWHERE, FaultsBetweenPages, FolderFault, Tree, child};

/// Larger trees are not simulated: they would show nothing more, and take longer. Most are a good deal smaller.
const NODES_MAX: usize = 300;

/// When something happens to a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// When the stores are asked for the page with this number, counted from 0.
    AtCall(usize),
    /// When so much time has passed.
    AtTime(Duration),
}

/// What happens to a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disturbance {
    Interrupt(Moment),
    /// The process ends without a word. The log may lose its last bytes, as if it was just being written.
    Kill {
        at: Moment,
        torn_bytes: Option<u64>,
    },
    /// The same, before the engine was started.
    KillAtOnce,
}

#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) trees: BySide<Tree>,
    pub(crate) tuning: Tuning,
    pub(crate) blocks_thread: bool,
    pub(crate) disturbances: Vec<Disturbance>,
    pub(crate) faults: Vec<FolderFault>,
    pub(crate) between_pages: Arc<FaultsBetweenPages>,
    simulator: Spectra,
    /// What goes wrong beside the faults.
    chaos: ChaosConfig,
}

impl Scenario {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let nodes_max = dice.pick(&[30, 30, 60, 100, NODES_MAX]);
        let (simulator, trees) = loop {
            let (simulator, trees) = random_trees(&mut dice, seed);
            let nodes = BySide::from_fn(|side| folders(&trees[side]).1);
            if nodes.src.max(nodes.dst) <= nodes_max && nodes.src + nodes.dst >= 10 {
                break (simulator, trees);
            }
        };
        for side in Side::BOTH {
            change_tree(&mut dice, &trees[side]);
        }
        let chaos = random_chaos(&mut dice);
        let is_lossy = chaos != ChaosConfig { latency: chaos.latency, ..ChaosConfig::default() };
        let tuning = random_tuning(&mut dice, seed, is_lossy);
        let faults = random_faults(&mut dice, &trees, &tuning);
        let pages: usize = Side::BOTH.iter().map(|&side| folders(&trees[side]).0.len()).sum();
        let disturbances =
            (0..dice.pick(&[0, 1, 1, 2, 3])).map(|_| random_disturbance(&mut dice, pages, chaos.latency)).collect();
        let scenario = Scenario {
            trees,
            tuning,
            blocks_thread: dice.chance(30),
            disturbances,
            faults,
            between_pages: Arc::default(),
            simulator,
            chaos,
        };
        scenario.put_faults_in_force();
        scenario
    }

    pub(crate) fn limits(&self) -> ScheduleLimits {
        ScheduleLimits {
            lead_nodes_max: self.tuning.lead_nodes_max,
            frontier_folders_max: self.tuning.frontier_folders_max,
            in_flight_folders_max: self.tuning.in_flight_folders_max,
        }
    }

    /// The permanent fault of a folder, if it has one.
    pub(crate) fn permanent_fault(&self, side: Side, path: &[u8]) -> Option<&FolderFault> {
        self.faults.iter().find(|fault| fault.side == side && fault.path == path && fault.is_permanent())
    }

    /// Whether a store may give up.
    pub(crate) fn may_give_up(&self) -> bool {
        self.tuning.give_up_after.is_some() || self.faults.iter().any(FolderFault::suspends)
    }

    /// Repairs one of the faults for which a store gives up.
    pub(crate) fn repair(&mut self) {
        if let Some(index) = self.faults.iter().position(FolderFault::suspends) {
            self.faults.remove(index);
            self.put_faults_in_force();
        }
    }

    /// Faults before the first page are chaos of Spectra's, the others those of the simulated stores.
    fn put_faults_in_force(&self) {
        let mut chaos = self.chaos.clone();
        let mut between_pages = BySide::<BTreeMap<_, _>>::default();
        for fault in &self.faults {
            if fault.page == 0 {
                chaos.faults.push(self.to_rule(fault));
            } else {
                between_pages[fault.side].insert(fault.path.clone(), (fault.clone(), 0));
            }
        }
        self.simulator.set_chaos(chaos).expect("the chaos is acceptable");
        *self.between_pages.lock() = between_pages;
    }

    fn to_rule(&self, fault: &FolderFault) -> FaultRule {
        let class = match fault.class {
            ErrorClass::Transient => FaultClass::Transient,
            ErrorClass::Throttled => FaultClass::Throttled,
            ErrorClass::Denied => FaultClass::Denied,
            ErrorClass::Vanished => FaultClass::Vanished,
            ErrorClass::BadName => FaultClass::BadName,
            ErrorClass::NoSpace => FaultClass::NoSpace,
            ErrorClass::Fatal => FaultClass::Fatal,
            ErrorClass::Blocked => unreachable!("no store says that"),
        };
        FaultRule {
            operation: OperationFilter::Only(Operation::ListChildren),
            world: Some(self.trees[fault.side].world.name().to_owned()),
            path: Some(String::from_utf8(fault.path.clone()).expect("only folders with plain names have faults")),
            first_attempts: fault.first_attempts,
            retry_after_ms: fault.retry_after.map(|time| u64::try_from(time.as_millis()).expect("it is short")),
            ..FaultRule::new(class)
        }
    }
}

fn random_trees(dice: &mut Dice, seed: u64) -> (Spectra, BySide<Tree>) {
    let config = Config {
        mode: Mode::Ephemeral,
        seed: SeedConfig {
            max_depth: dice.pick(&[1, 2, 3, 3, 4, 4, 6, 12]),
            min_folders: dice.pick(&[0, 0, 1]),
            max_folders: dice.pick(&[1, 2, 3, 5, 8, 30]),
            min_files: 0,
            max_files: dice.pick(&[0, 2, 6, 20, 90]),
            seed: dice.draw(),
            folder_depth_decay_factor: dice.pick(&[1.0, 0.7, 0.4]),
            diverging_tree_mode: dice.chance(50),
            min_file_size: 0,
            max_file_size: dice.pick(&[0, 5, 1_000_000]),
            stale_probability: dice.pick(&[0.0, 0.3]),
            ..SeedConfig::default()
        },
        secondary_tables: ["s1", "s2"]
            .map(|name| (name.to_owned(), dice.pick(&[0.0, 0.4, 0.8, 0.95, 1.0])))
            .into_iter()
            .collect(),
        ..Config::default()
    };
    let simulator = Spectra::open(config).expect("the configuration is acceptable");
    let (source, destination) = dice.pick(&[("primary", "s1"), ("primary", "s1"), ("s1", "primary"), ("s1", "s2")]);
    let mut tree = |side, world| Tree {
        side,
        world: simulator.world(world).expect("the world is in the configuration"),
        seed,
        page_entries_max: dice.pick(&[1, 2, 5, 17, 1000]),
    };
    let trees = BySide { src: tree(Side::Source, source), dst: tree(Side::Destination, destination) };
    (simulator, trees)
}

/// All folders of a tree, breadth-first, and how many nodes it has; neither is more than a little above the limit.
fn folders(tree: &Tree) -> (Vec<Vec<u8>>, usize) {
    let mut folders = vec![b"/".to_vec()];
    let mut nodes = 1;
    let mut next = 0;
    while next < folders.len() && nodes <= NODES_MAX {
        let entries = tree.entries(&folders[next]);
        nodes += entries.len();
        let found = entries.iter().filter(|entry| entry.kind == NodeKind::Folder);
        let found: Vec<_> = found.map(|entry| child(&folders[next], &entry.name)).collect();
        folders.extend(found);
        next += 1;
    }
    (folders, nodes)
}

/// Puts something in the place of something else, adds names that are hard to carry, and removes whole branches.
fn change_tree(dice: &mut Dice, tree: &Tree) {
    const NAMES: [&[u8]; 6] =
        [b"na\xFFme", b"two\nlines", b"it's \"100%\"", b"FILE_1.txt", b"folder_1", "\u{e9}".as_bytes()];
    let world = tree.world.undisturbed();
    for _ in 0..dice.count(0, 4) {
        let folder = dice.pick(&folders(tree).0);
        let entries = tree.entries(&folder);
        let name =
            if dice.chance(50) && !entries.is_empty() { dice.pick(&entries).name } else { dice.pick(&NAMES).to_vec() };
        let path = child(&folder, &name);
        // What is there, if anything, makes room.
        let _ = world.remove_tree(&path, Duration::ZERO).result;
        let made = match dice.between(0, 2) {
            0 => world.create_folder(&path, Duration::ZERO).result,
            1 => world.write_file(&path, b"changed", 1_600_000_000_000_000_000, false, Duration::ZERO).result,
            _ => Ok(()),
        };
        made.expect("there is room for it");
    }
}

fn random_chaos(dice: &mut Dice) -> ChaosConfig {
    let mut chaos = ChaosConfig {
        latency: LatencyConfig {
            list_children_ms: dice.pick(&[0, 1, 10, 10, 60]),
            jitter_ms: dice.pick(&[0, 3, 50]),
            ..LatencyConfig::default()
        },
        ..ChaosConfig::default()
    };
    if dice.chance(20) {
        chaos.packet_loss = PacketLossConfig { probability: 0.1, retry_after_ms: dice.pick(&[0, 7]) };
    }
    if dice.chance(15) {
        chaos.rate_limits.operations.list_children = Some(RateConfig { calls_per_second: 50.0, burst: 4 });
    }
    chaos
}

fn random_tuning(dice: &mut Dice, seed: u64, is_lossy: bool) -> Tuning {
    Tuning {
        workers: Some(dice.count(1, 4)),
        // Where chance decides about every attempt, nothing fails for good by chance.
        attempts_max: if is_lossy { 60 } else { dice.pick(&[1, 2, 5]) },
        pause_first: Duration::from_millis(dice.pick(&[1, 20, 100])),
        pause_max: Duration::from_millis(dice.pick(&[100, 500])),
        jitter_seed: seed,
        lead_nodes_max: dice.pick(&[0, 1, 10, 100, 1000]),
        frontier_folders_max: dice.pick(&[1, 2, 5, 100]),
        in_flight_folders_max: dice.pick(&[1, 2, 5, 100]),
        entries_under_way_max: dice.pick(&[1, 10, 50, 1000]),
        give_up_after: dice.chance(30).then_some(Duration::from_secs(3)),
        commit_interval: Duration::from_millis(dice.pick(&[20, 100, 200, 500])),
        grace: Duration::from_millis(dice.pick(&[0, 5, 100, 10_000])),
        resources: Resources::default(),
        ..Tuning::default()
    }
}

/// No folder has more than one.
fn random_faults(dice: &mut Dice, trees: &BySide<Tree>, tuning: &Tuning) -> Vec<FolderFault> {
    let mut faults: BTreeMap<(Side, Vec<u8>), FolderFault> = BTreeMap::new();
    for side in Side::BOTH {
        let mut folders = folders(&trees[side]).0;
        folders.retain(|path| path.iter().all(u8::is_ascii_graphic));
        for _ in 0..dice.pick(&[0, 0, 1, 2, 4]) {
            let path = dice.pick(&folders);
            if path == b"/" && dice.chance(80) {
                continue;
            }
            if let Some(fault) = random_fault(dice, side, &path, tuning) {
                faults.insert((side, path), fault);
            }
        }
        if tuning.give_up_after.is_some() && dice.chance(20) {
            let (path, class) = (EVERYWHERE.to_vec(), ErrorClass::Transient);
            let fault = FolderFault { side, path, page: 0, class, first_attempts: None, retry_after: None };
            faults.insert((side, EVERYWHERE.to_vec()), fault);
        }
    }
    faults.into_values().collect()
}

fn random_fault(dice: &mut Dice, side: Side, path: &[u8], tuning: &Tuning) -> Option<FolderFault> {
    let suspending = dice.pick(&[ErrorClass::NoSpace, ErrorClass::Fatal]);
    let class = dice.pick(&[
        ErrorClass::Transient,
        ErrorClass::Transient,
        ErrorClass::Throttled,
        ErrorClass::Denied,
        ErrorClass::Vanished,
        ErrorClass::BadName,
        suspending,
    ]);
    let passes_after = u64::from(tuning.attempts_max.min(5) - 1);
    let passes = class.is_retried() && passes_after > 0 && dice.chance(75);
    if class.is_retried() && !passes && tuning.give_up_after.is_some() {
        // Whether the folder fails or the store gives up would depend on what else is being listed.
        return None;
    }
    let first_attempts = passes.then(|| u32::try_from(dice.between(1, passes_after)).expect("it is small"));
    let retry_after = dice.chance(30).then(|| Duration::from_millis(dice.pick(&[1, 40, 900])));
    Some(FolderFault {
        side,
        path: path.to_vec(),
        page: dice.pick(&[0, 0, 0, 1, 2]),
        class,
        first_attempts,
        retry_after,
    })
}

fn random_disturbance(dice: &mut Dice, folders: usize, latency: LatencyConfig) -> Disturbance {
    let moment = |dice: &mut Dice| {
        if dice.chance(60) {
            Moment::AtCall(dice.count(0, folders + folders / 2))
        } else {
            let longest_ms = (latency.list_children_ms + latency.jitter_ms) * folders as u64 / 2;
            Moment::AtTime(Duration::from_micros(dice.between(1000, 1000 + longest_ms * 1000)))
        }
    };
    match dice.between(0, 9) {
        0..=3 => Disturbance::Interrupt(moment(dice)),
        4..=8 => Disturbance::Kill { at: moment(dice), torn_bytes: dice.chance(30).then(|| dice.between(1, 3000)) },
        _ => Disturbance::KillAtOnce,
    }
}
