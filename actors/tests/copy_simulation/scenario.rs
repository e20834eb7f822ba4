//! Everything that a seed decides: two trees, the stores that they are in, the settings, the tuning, what goes wrong,
//! and when a run is interrupted or killed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use longhaul_actors::Tuning;
use longhaul_ledger::{CopyDurability, CopySettings, Settings};
use longhaul_model::{BySide, CompareBy, Comparison, ConflictPolicy, VerifyLevel};
use longhaul_storage::Keeps;

use super::calls::Kill;
use super::changes::Change;
use super::dice::Dice;
use super::faults::{self, random_faults};
use super::trees::{LARGE_FROM, random_trees};
use super::world::{Fault, Nature, World};

/// When something happens to a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Moment {
    /// When the stores are asked for something the so many-th time, counted from 0.
    AtCall(usize),
    /// When so much time has passed.
    AtTime(Duration),
}

/// What happens to a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disturbance {
    Interrupt(Moment),
    /// The process ends without a word.
    Kill(Moment, Kill),
    /// The same, before the engine was started.
    KillAtOnce,
}

/// What happens while one run is under way.
#[derive(Clone, Debug)]
pub(crate) struct RunPlan {
    pub(crate) disturbance: Option<Disturbance>,
    /// What somebody does to the trees, and before which call; the last one first.
    pub(crate) changes: Vec<(usize, Change)>,
}

#[derive(Debug)]
pub(crate) struct Scenario {
    /// As it is in the beginning.
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) copying: CopySettings,
    pub(crate) durability: CopyDurability,
    pub(crate) tuning: Tuning,
    pub(crate) level: VerifyLevel,
    pub(crate) copy_runs: Vec<RunPlan>,
    pub(crate) verify_runs: Vec<RunPlan>,
    /// How many things somebody does to the destination before it is verified.
    pub(crate) damages: usize,
    /// What goes wrong while it is verified.
    pub(crate) verify_faults: Vec<Fault>,
}

impl Scenario {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let natures = BySide { src: source_nature(&mut dice), dst: destination_nature(&mut dice) };
        let disks = random_trees(&mut dice, &natures);
        let settings = Settings {
            on_conflict: dice.pick(&[
                ConflictPolicy::Newer,
                ConflictPolicy::Skip,
                ConflictPolicy::Overwrite,
                ConflictPolicy::KeepBoth,
                ConflictPolicy::Ask,
            ]),
            symlinks_kept: natures.dst.keeps.symlinks,
            ..Settings::new(random_comparison(&mut dice, &natures))
        };
        let copying = CopySettings {
            checksum: dice.chance(80),
            hard_links: dice.chance(40),
            large_from: dice.pick(&[LARGE_FROM, LARGE_FROM, 2 * LARGE_FROM]),
            ..CopySettings::default()
        };
        let durability =
            dice.pick(&[CopyDurability::Batch, CopyDurability::Batch, CopyDurability::File, CopyDurability::None]);
        let latency_ms = dice.pick(&[(0, 0), (0, 1), (1, 1), (0, 9), (5, 60)]);
        let losses = if dice.chance(15) { 3 } else { 0 };
        let tuning = random_tuning(&mut dice, seed, losses > 0);
        let faults = random_faults(&mut dice, &disks, &tuning, &copying);
        let verify_faults = faults::while_verifying(&mut dice, &disks, &tuning);
        let nodes = disks.src.entries().count();
        let mut world = World {
            durable: disks.dst.clone(),
            disks,
            settles_each: durability == CopyDurability::File,
            natures,
            faults: Vec::new(),
            losses: 0,
            latency_ms: (0, 0),
            dice: Dice::new(dice.draw()),
            versions: BTreeMap::new(),
            touched: BTreeSet::new(),
            intruders: BTreeMap::new(),
            emptied: BTreeMap::new(),
        };
        world.note_versions();
        let is_changed = dice.chance(35);
        let plans = Plans { nodes, latency_ms, is_changed, may_cut_power: durability != CopyDurability::None };
        let copy_runs = (0..dice.pick(&[1, 2, 2, 3, 4])).map(|_| plans.copy_run(&mut dice, &world)).collect();
        let verify_runs = (0..dice.pick(&[0, 0, 1, 2])).map(|_| plans.verify_run(&mut dice)).collect();
        (world.faults, world.losses, world.latency_ms) = (faults, losses, latency_ms);
        Scenario {
            world,
            settings,
            copying,
            durability,
            tuning,
            level: dice.pick(&VerifyLevel::ALL),
            copy_runs,
            verify_runs,
            damages: if dice.chance(50) { dice.count(1, 4) } else { 0 },
            verify_faults,
        }
    }
}

fn source_nature(dice: &mut Dice) -> Nature {
    let keeps = Keeps { modified: true, symlinks: true, hard_links: true, parts: true, ..Keeps::default() };
    Nature { keeps, resolution_ns: 1, page_entries_max: dice.pick(&[1, 3, 1000]) }
}

/// Mostly a file system like any other; or one without links and drafts that one could see, with times or without.
fn destination_nature(dice: &mut Dice) -> Nature {
    let modified = Keeps { modified: true, ..Keeps::default() };
    let everything = Keeps { symlinks: true, hard_links: true, parts: true, ..modified };
    Nature {
        keeps: dice.pick(&[everything, everything, everything, everything, everything, modified, Keeps::default()]),
        resolution_ns: dice.pick(&[1, 1, 1_000_000_000]),
        page_entries_max: dice.pick(&[1, 3, 1000]),
    }
}

fn random_comparison(dice: &mut Dice, natures: &BySide<Nature>) -> Comparison {
    let [source, destination] = [natures.src, natures.dst].map(|nature| nature.resolution_ns.unsigned_abs());
    Comparison::for_resolutions(source, destination).by(dice.pick(&[
        CompareBy::SizeAndTime,
        CompareBy::SizeAndTime,
        CompareBy::Size,
        CompareBy::Time,
        CompareBy::Checksum,
        CompareBy::Exists,
    ]))
}

fn random_tuning(dice: &mut Dice, seed: u64, is_lossy: bool) -> Tuning {
    Tuning {
        workers: Some(1),
        copiers: Some(dice.count(1, 5)),
        results_under_way_max: dice.pick(&[1, 3, 20, 1000]),
        // Where chance decides about every attempt, nothing fails for good by chance.
        attempts_max: if is_lossy { 60 } else { dice.pick(&[1, 4, 8]) },
        pause_first: Duration::from_millis(dice.pick(&[1, 20, 100])),
        pause_max: Duration::from_millis(dice.pick(&[100, 500])),
        jitter_seed: seed,
        give_up_after: (!is_lossy && dice.chance(30)).then_some(Duration::from_secs(3)),
        commit_interval: Duration::from_millis(dice.pick(&[2, 20, 100, 500])),
        grace: Duration::from_millis(dice.pick(&[0, 5, 100, 10_000])),
        ..Tuning::default()
    }
}

/// How runs are planned.
struct Plans {
    nodes: usize,
    latency_ms: (u64, u64),
    /// Whether somebody else changes the trees.
    is_changed: bool,
    may_cut_power: bool,
}

impl Plans {
    fn copy_run(&self, dice: &mut Dice, world: &World) -> RunPlan {
        let calls = 10 + self.nodes * 8;
        let mut changes: Vec<_> = (0..if self.is_changed { dice.count(0, 3) } else { 0 })
            .filter_map(|_| {
                // Often between two runs.
                let at = if dice.chance(40) { 0 } else { dice.count(0, calls) };
                Some((at, Change::random(dice, &world.disks.src)?))
            })
            .collect();
        changes.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        RunPlan { disturbance: dice.chance(85).then(|| self.disturbance(dice, calls)), changes }
    }

    fn verify_run(&self, dice: &mut Dice) -> RunPlan {
        RunPlan { disturbance: Some(self.disturbance(dice, 2 + self.nodes * 2)), changes: Vec::new() }
    }

    fn disturbance(&self, dice: &mut Dice, calls: usize) -> Disturbance {
        let moment = if dice.chance(80) {
            Moment::AtCall(dice.count(0, calls))
        } else {
            let longest_us = (1 + self.latency_ms.0 + self.latency_ms.1) * 500 * calls as u64;
            Moment::AtTime(Duration::from_micros(dice.between(1, longest_us)))
        };
        match dice.between(0, 9) {
            0..=2 => Disturbance::Interrupt(moment),
            3..=8 => {
                let is_torn = matches!(moment, Moment::AtCall(_)) && dice.chance(25);
                Disturbance::Kill(moment, Kill { is_torn, cuts_power: self.may_cut_power && dice.chance(40) })
            }
            _ => Disturbance::KillAtOnce,
        }
    }
}
