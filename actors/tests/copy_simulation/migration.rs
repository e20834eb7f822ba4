//! One migration, from the beginning of its discovery to the end of its verification, through all that its seed has in
//! store for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use longhaul_actors::{Ended, Engine, Outcome, Placement, Run, Schedule, ScheduleLimits, Task};
use longhaul_ledger::{Approving, BegunCopy, IdleLedger, Log, MigrationSpec};
use longhaul_model::{BySide, Phase};
use longhaul_storage::Store;
use tempfile::TempDir;

use super::calls::Left;
use super::disk::Disk;
use super::drive::{Driven, drive};
use super::expected::{Expected, expected};
use super::files::{copy_ledger, ledger_in, ledger_of_run, scratch};
use super::image::ImageReader;
use super::invariants::{Look, Wrong, nothing_is_done_twice, what_is_settled_stays};
use super::ledger::{CopyImage, More};
use super::scenario::{Disturbance, RunPlan, Scenario};
use super::verified::{damage, differences, paths_to_damage, when_verified};
use super::world::{Call, World};

/// What came of a migration.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// One number for each time that the ledger was looked at.
    pub(crate) fingerprints: Vec<u64>,
    /// Everything that the stores were asked for, in order.
    pub(crate) calls: Vec<Call>,
    pub(crate) runs: usize,
    pub(crate) kills: usize,
    /// Of the kills, those along with the machine.
    pub(crate) power_cuts: usize,
    pub(crate) interrupts: usize,
    pub(crate) gave_up: usize,
    pub(crate) copied: usize,
    /// What verification found.
    pub(crate) found: usize,
}

/// Runs the migration of a seed.
///
/// # Panics
///
/// When anything is not as it must be.
pub(crate) fn simulate(seed: u64, reader: &ImageReader) -> Told {
    let scenario = Scenario::new(seed);
    let mut migration = Migration {
        seed,
        expected: expected(&scenario),
        world: scenario.world.clone(),
        destination_before: scenario.world.disks.dst.clone(),
        scenario,
        reader,
        scratch: scratch(),
        runs: 0,
        is_copied: false,
        last: None,
        told: Told::default(),
    };
    migration.discover();
    migration.copy();
    migration.damage();
    migration.verify();
    migration.told
}

struct Migration<'a> {
    seed: u64,
    scenario: Scenario,
    expected: Expected,
    /// As it is between two runs.
    world: World,
    destination_before: Disk,
    reader: &'a ImageReader,
    scratch: TempDir,
    runs: usize,
    is_copied: bool,
    /// What the last run left in the ledger.
    last: Option<CopyImage>,
    told: Told,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Copy,
    Verify {
        /// Whether it goes on with what an earlier run began.
        goes_on: bool,
    },
}

impl Migration<'_> {
    /// Undisturbed: what may happen to it is simulated elsewhere.
    fn discover(&mut self) {
        let ledger = self.ledger();
        let spec = MigrationSpec {
            source: "simulated:source".to_owned(),
            destination: "simulated:destination".to_owned(),
            settings: self.scenario.settings.clone(),
        };
        let resources = &self.scenario.tuning.resources;
        let created = longhaul_ledger::create(&ledger, &spec, resources, now_ns()).expect("a ledger can be made");
        let (writer, to_list) = created.discover("simulated", now_ns).expect("a traversal can begin");
        let limits = ScheduleLimits { lead_nodes_max: 1000, frontier_folders_max: 1000, in_flight_folders_max: 1000 };
        let schedule = Schedule::new(limits, to_list);
        let mut calm = self.world.clone();
        (calm.faults, calm.losses, calm.latency_ms) = (Vec::new(), 0, (0, 0));
        let tuning = self.scenario.tuning.clone();
        let start = |stores: &BySide<Arc<dyn Store>>| {
            let task = Task::Traverse { writer, schedule, filter: None };
            let run = Run { stores: stores.clone(), task };
            Engine::start(run, &tuning, Arc::default(), Placement::OneThread)
        };
        let undisturbed = RunPlan { disturbance: None, changes: Vec::new() };
        let Driven { outcome, .. } = drive(calm, &undisturbed, &ledger, &self.next_ledger(), start);
        assert!(outcome.is_some_and(|outcome| matches!(outcome.ended, Ended::Done)), "nothing is in its way");
        copy_ledger(&ledger, &self.next_ledger());
        self.runs += 1;
    }

    fn copy(&mut self) {
        let mut plans = self.scenario.copy_runs.clone().into_iter();
        for _ in 0..self.runs_max() {
            let plan = plans.next().unwrap_or(RunPlan { disturbance: None, changes: Vec::new() });
            if self.run_once(Purpose::Copy, &plan) {
                return;
            }
        }
        panic!("it is not copied after {} runs", self.runs);
    }

    fn verify(&mut self) {
        self.world.faults.clone_from(&self.scenario.verify_faults);
        let mut plans = self.scenario.verify_runs.clone().into_iter();
        for run in 0..self.runs_max() {
            let plan = plans.next().unwrap_or(RunPlan { disturbance: None, changes: Vec::new() });
            if self.run_once(Purpose::Verify { goes_on: run > 0 }, &plan) {
                return;
            }
        }
        panic!("it is not verified after {} runs", self.runs);
    }

    fn runs_max(&self) -> usize {
        self.scenario.copy_runs.len() + self.scenario.verify_runs.len() + self.world.faults.len() + 10
    }

    fn ledger(&self) -> PathBuf {
        ledger_of_run(self.scratch.path(), self.runs)
    }

    fn next_ledger(&self) -> PathBuf {
        ledger_of_run(self.scratch.path(), self.runs + 1)
    }

    /// Returns whether it is complete.
    fn run_once(&mut self, purpose: Purpose, plan: &RunPlan) -> bool {
        let (ledger, next) = (self.ledger(), self.next_ledger());
        let run = self.begin(purpose, &ledger);
        self.told.runs += 1;
        self.runs += 1;
        if matches!(plan.disturbance, Some(Disturbance::KillAtOnce)) {
            self.told.kills += 1;
            copy_ledger(&ledger, &next);
            drop(run);
            self.last = Some(self.look(&next, false));
            return false;
        }
        // A run begins with what the one before left, which has been looked at.
        let began = match self.last.take() {
            Some(last) if !self.seed.is_multiple_of(8) => last,
            _ => self.look_at_open(&ledger),
        };
        let tuning = self.scenario.tuning.clone();
        let start = |stores: &BySide<Arc<dyn Store>>| {
            Engine::start(run(stores.clone()), &tuning, Arc::default(), Placement::OneThread)
        };
        let Driven { outcome, left } = drive(self.world.clone(), plan, &ledger, &next, start);
        self.world = left.world.clone();
        let prefix = temporary_prefix();
        if let (None, Some(Disturbance::Kill(_, kill))) = (&outcome, plan.disturbance) {
            self.told.kills += 1;
            if kill.cuts_power {
                self.told.power_cuts += 1;
                self.world.cut_power(|name| name.starts_with(&prefix));
            }
        }
        self.told.calls.extend(left.made.iter().cloned());
        if outcome.is_some() {
            copy_ledger(&ledger, &next);
        }
        let is_done = outcome.as_ref().is_some_and(|outcome| matches!(outcome.ended, Ended::Done));
        let ended = self.look(&next, is_done);
        self.require_progress(purpose, &began, &ended, &left);
        let is_complete = outcome.is_some_and(|outcome| self.is_complete(purpose, &outcome, &ended, plan));
        self.last = Some(ended);
        is_complete
    }

    fn require_progress(&self, purpose: Purpose, before: &CopyImage, after: &CopyImage, left: &Left) {
        let mut wrong = nothing_is_done_twice(before, left);
        wrong.extend(what_is_settled_stays(before, after));
        if purpose != Purpose::Copy && !left.placed.is_empty() {
            wrong.push(format!("{:?} was placed while it was verified", left.placed));
        }
        self.require("when the run has ended", &wrong);
    }

    /// Opens the ledger and begins a run of it. What is to be done waits for its stores.
    fn begin(&self, purpose: Purpose, ledger: &Path) -> impl FnOnce(BySide<Arc<dyn Store>>) -> Run + use<> {
        // Looking at the log first takes one more instance of DuckDB, which takes as long as all the rest.
        let log = if self.seed.is_multiple_of(8) { Log::Unknown } else { Log::Probed };
        let resources = &self.scenario.tuning.resources;
        let opened = IdleLedger::open(ledger, log, resources).and_then(IdleLedger::discovered);
        let ledger = opened.expect("it is discovered");
        let phase = ledger.migration().current_phase();
        let phases: &[Phase] = match purpose {
            Purpose::Copy => &[Phase::Review, Phase::Copying],
            Purpose::Verify { .. } => &[Phase::Verifying],
        };
        assert!(phases.contains(&phase), "the migration is {phase}");
        let (settings, copying) = (self.scenario.settings.clone(), self.scenario.copying);
        let task = match purpose {
            Purpose::Copy => {
                let approved = ledger.approved(Approving::NowWithConflicts).expect("nothing is marked");
                let (writer, begun) = approved.copy("simulated", &copying, now_ns).expect("copying can begin");
                let BegunCopy { settings: copying, remaining, .. } = begun;
                assert_eq!(remaining.temporary_prefix.as_bytes(), temporary_prefix());
                Task::Copy { writer, settings, copying, remaining, durability: self.scenario.durability }
            }
            Purpose::Verify { goes_on } => {
                let copied = ledger.copied().expect("everything is copied");
                let begun = copied.verify("simulated", goes_on, self.scenario.level, now_ns);
                let (writer, level, remaining) = begun.expect("verifying can begin");
                Task::Verify { writer, settings, copying, remaining, level }
            }
        };
        move |stores| Run { stores, task }
    }

    /// Looks at the ledger of a run that has it open.
    fn look_at_open(&mut self, ledger: &Path) -> CopyImage {
        let copy = ledger_in(self.scratch.path(), "copy");
        copy_ledger(ledger, &copy);
        self.look(&copy, false)
    }

    fn look(&mut self, ledger: &Path, has_ended: bool) -> CopyImage {
        // The views are looked at now and then, and in the end.
        let looks = self.seed + self.told.fingerprints.len() as u64;
        let image = CopyImage::new(self.reader.read(ledger, looks.is_multiple_of(8) || has_ended, More::read));
        self.told.fingerprints.push(image.fingerprint());
        if !self.is_copied {
            self.require("at any instant", &self.at(&image).always());
        }
        image
    }

    fn at<'a>(&'a self, ledger: &'a CopyImage) -> Look<'a> {
        let Migration { world, expected, destination_before, .. } = self;
        let (temporary_prefix, on_conflict) = (temporary_prefix(), self.scenario.settings.on_conflict);
        Look { ledger, world, expected, destination_before, temporary_prefix, on_conflict }
    }

    fn is_complete(&mut self, purpose: Purpose, outcome: &Outcome, ended: &CopyImage, plan: &RunPlan) -> bool {
        let image = &ended.image;
        assert_eq!(outcome.closed.failed, None);
        let suspended = |reason: &str, ended: &str| {
            assert_eq!((image.phase.as_str(), image.phase_reason.as_deref()), ("suspended", Some(reason)));
            assert_eq!(image.outcomes.last(), Some(&Some(ended.to_owned())));
        };
        match &outcome.ended {
            Ended::Done => {
                let phase = if purpose == Purpose::Copy { "verifying" } else { "complete" };
                assert_eq!((image.phase.as_str(), &image.phase_reason), (phase, &None));
                assert_eq!(image.outcomes.last(), Some(&Some("complete".to_owned())));
                assert_eq!((outcome.given_back, outcome.still_running), (0, 0));
                match purpose {
                    Purpose::Copy => self.require_copied(ended),
                    Purpose::Verify { .. } => self.require_verified(ended),
                }
                true
            }
            Ended::Interrupted => {
                assert!(matches!(plan.disturbance, Some(Disturbance::Interrupt(_))), "nobody interrupted it");
                suspended("interrupted", "interrupted");
                self.told.interrupts += 1;
                false
            }
            Ended::StoreGaveUp { reason, .. } => {
                let may_give_up = self.scenario.tuning.give_up_after.is_some() || self.world.may_suspend();
                assert!(may_give_up, "no store had a reason: {reason}");
                suspended(reason, "suspended");
                self.told.gave_up += 1;
                self.world.repair();
                false
            }
            Ended::LedgerFailed(_) | Ended::Broken(_) => panic!("it broke: {outcome:?}"),
        }
    }

    fn require_copied(&mut self, ended: &CopyImage) {
        self.require("at any instant", &self.at(ended).always());
        let keeps_names_together = self.scenario.copying.hard_links && self.world.natures.dst.keeps.hard_links;
        let wrong = self.at(ended).when_copied(keeps_names_together, self.scenario.durability);
        self.require("when everything is copied", &wrong);
        self.is_copied = true;
        self.told.copied += ended.with_status("successful").count();
    }

    fn damage(&mut self) {
        if self.scenario.damages == 0 {
            return;
        }
        let paths = paths_to_damage(self.last.as_ref().expect("it is copied"));
        for _ in 0..self.scenario.damages.min(paths.len()) {
            let (_, path) = self.world.dice.pick(&paths);
            damage(&mut self.world.dice, &mut self.world.disks.dst, &path);
        }
    }

    fn require_verified(&mut self, ended: &CopyImage) {
        let due = differences(ended, &self.world, &self.scenario.settings.comparison, self.scenario.level);
        self.require("when it is verified", &when_verified(ended, &due));
        self.told.found += due.len();
    }

    fn require(&self, when: &str, wrong: &Wrong) {
        let shown = &wrong[..wrong.len().min(10)];
        assert!(
            wrong.is_empty(),
            "seed {}, run {}: {} things are wrong {when}:\n{}",
            self.seed,
            self.runs,
            wrong.len(),
            shown.join("\n")
        );
    }
}

/// What the names of files begin with that are not whole: it follows from the time of the ledger.
fn temporary_prefix() -> Vec<u8> {
    format!(".longhaul-{:x}-", now_ns()).into_bytes()
}

/// The clock of the ledger stands still, so that what is in it is the same every time.
fn now_ns() -> i64 {
    1_700_000_000_000_000_000
}
