//! One migration, from its beginning to its end, through all that its seed has in store for it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longhaul_actors::{Ended, Engine, Interrupt, Outcome, Placement, Run, Schedule, Task};
use longhaul_ledger::{DiscoverWriter, IdleLedger, Log, MigrationSpec, Settings, Stage, Undiscovered};
use longhaul_model::{BySide, Comparison, ConflictPolicy, Phase, Side, encode_name};
use longhaul_storage::Store;
use tempfile::TempDir;
use tokio::time::Instant;

use super::expected::{Expected, expected};
use super::files::{copy_ledger, ledger_in, ledger_of_run, log_bytes, scratch, tear_log};
use super::image::{Image, ImageReader};
use super::invariants;
use super::scenario::{Disturbance, Moment, Scenario};
use super::store::{Calls, SimulatedStore};

/// Simulated time after which a run is taken to be stuck. It takes a few seconds of real time to get there.
const STUCK_AFTER: Duration = Duration::from_hours(1);

/// What came of a migration.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// One number for each time that the ledger was looked at.
    pub(crate) fingerprints: Vec<u64>,
    /// Everything that the stores were asked for, in order.
    pub(crate) calls: Vec<(Side, Vec<u8>)>,
    pub(crate) runs: usize,
    pub(crate) kills: usize,
    pub(crate) interrupts: usize,
    pub(crate) gave_up: usize,
}

/// Runs the migration of a seed.
///
/// # Panics
///
/// When anything is not as it must be.
pub(crate) fn simulate(seed: u64, reader: &ImageReader) -> Told {
    let scenario = Scenario::new(seed);
    let expected = expected(&scenario);
    let mut migration = Migration {
        seed,
        scenario,
        expected,
        reader,
        scratch: scratch(),
        time: Duration::ZERO,
        told: Told { fingerprints: vec![], calls: vec![], runs: 0, kills: 0, interrupts: 0, gave_up: 0 },
    };
    migration.run();
    migration.told
}

struct Migration<'a> {
    seed: u64,
    scenario: Scenario,
    expected: Expected,
    reader: &'a ImageReader,
    scratch: TempDir,
    /// Simulated time that has passed in all runs.
    time: Duration,
    told: Told,
}

impl Migration<'_> {
    fn run(&mut self) {
        let runs_max = self.scenario.disturbances.len() + self.scenario.faults.len() + 10;
        let mut disturbances = self.scenario.disturbances.clone().into_iter();
        for run in 0..runs_max {
            self.told.runs += 1;
            if self.run_once(run, disturbances.next()) {
                return;
            }
        }
        panic!("it is not complete after {runs_max} runs");
    }

    /// Returns whether it is complete.
    fn run_once(&mut self, run: usize, disturbance: Option<Disturbance>) -> bool {
        let ledger = ledger_of_run(self.scratch.path(), run);
        let opened = self.open(run, &ledger);
        let is_new = opened.migration().phase == Phase::Created;
        if is_new && matches!(disturbance, Some(Disturbance::KillAtOnce)) {
            // Before anything is begun.
            self.told.kills += 1;
            copy_ledger(&ledger, &ledger_of_run(self.scratch.path(), run + 1));
            return false;
        }
        let (writer, to_list) = opened.discover("simulated", now_ns).expect("a run of it can begin");
        if matches!(disturbance, Some(Disturbance::KillAtOnce)) {
            self.told.kills += 1;
            copy_ledger(&ledger, &ledger_of_run(self.scratch.path(), run + 1));
            drop(writer);
            self.look(&ledger_of_run(self.scratch.path(), run + 1), false);
            return false;
        }
        let schedule = Schedule::new(self.scenario.limits(), to_list);
        // A new ledger has nothing in it that could be lost.
        let began = (!is_new).then(|| self.look_at_open(&ledger));
        if let Some(began) = &began {
            require("when the run has begun", &invariants::after_recovery(began));
            assert_eq!((began.phase.as_str(), &began.phase_reason), ("traversing", &None));
        }

        let calls_before = self.told.calls.len();
        let end = self.drive(run, &ledger, writer, schedule, disturbance);
        let asked_for: Vec<_> =
            self.told.calls[calls_before..].iter().map(|(side, path)| (*side, printable(path))).collect();
        let next = ledger_of_run(self.scratch.path(), run + 1);
        if end.is_some() {
            copy_ledger(&ledger, &next);
        }
        let ended = self.look(&next, end.as_ref().is_some_and(|outcome| matches!(outcome.ended, Ended::Done)));
        if let Some(began) = &began {
            require("when the run has ended", &invariants::committed_stays(began, &ended, &asked_for));
        }
        match end {
            None => {
                assert_eq!(ended.outcomes.last(), Some(&None), "nobody could say how it ended");
                assert_eq!(ended.phase, "traversing");
                false
            }
            Some(outcome) => self.is_complete(&outcome, &ended, disturbance),
        }
    }

    fn open(&self, run: usize, ledger: &Path) -> Undiscovered {
        let resources = &self.scenario.tuning.resources;
        if run == 0 {
            let location = |side: Side| format!("simulated:{}", self.scenario.trees[side].world.name());
            let spec = MigrationSpec {
                source: location(Side::Source),
                destination: location(Side::Destination),
                settings: Settings {
                    on_conflict: ConflictPolicy::Overwrite,
                    ..Settings::new(Comparison::for_resolutions(1, 1))
                },
            };
            return longhaul_ledger::create(ledger, &spec, resources, now_ns()).expect("a ledger can be made");
        }
        // Looking at the log first takes one more instance of DuckDB, which takes as long as all the rest.
        let log = if self.seed.is_multiple_of(8) { Log::Unknown } else { Log::Probed };
        match IdleLedger::open(ledger, log, resources).expect("a ledger can be gone on with").stage() {
            Stage::Undiscovered(ledger) => ledger,
            Stage::Discovered(_) => panic!("there is nothing left to be listed"),
        }
    }

    /// Runs the engine, on this thread and on a clock that stands still while there is something to do. Where it is
    /// killed it tells nothing.
    fn drive(
        &mut self,
        run: usize,
        ledger: &Path,
        writer: DiscoverWriter,
        schedule: Schedule,
        disturbance: Option<Disturbance>,
    ) -> Option<Outcome> {
        let log_for_good = log_bytes(ledger);
        let killed = ledger_of_run(self.scratch.path(), run + 1);
        let (moment, interrupts) = match disturbance {
            None => (None, false),
            Some(Disturbance::Interrupt(at)) => (Some(at), true),
            Some(Disturbance::Kill { at, .. }) => (Some(at), false),
            Some(Disturbance::KillAtOnce) => unreachable!("the engine is not started"),
        };
        let calls = Arc::new(match moment {
            Some(Moment::AtCall(call)) => Calls::new(Some(call), (!interrupts).then(|| (ledger.to_owned(), killed))),
            Some(Moment::AtTime(_)) | None => Calls::default(),
        });
        // The time that a system begins with is a part of what happens when: it must not be the real one.
        let system = actix::System::with_tokio_rt(|| {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .expect("a runtime can be made")
        });
        let (outcome, passed) = system.block_on(async {
            let started = Instant::now();
            let stores = self.stores(&calls, started);
            let run = Run { stores, task: Task::Traverse { writer, schedule, filter: None } };
            let engine = Engine::start(run, &self.scenario.tuning, Arc::default(), Placement::OneThread);
            let coordinator = engine.coordinator.clone();
            let has_come = async {
                match moment {
                    Some(Moment::AtCall(_)) => calls.reached.notified().await,
                    Some(Moment::AtTime(time)) => tokio::time::sleep(time).await,
                    None => std::future::pending().await,
                }
            };
            let mut ended = std::pin::pin!(tokio::time::timeout(STUCK_AFTER, engine.join()));
            let told = tokio::select! {
                biased;
                told = &mut ended => Some(told),
                () = has_come => None,
            };
            let told = match told {
                None if interrupts => {
                    coordinator.do_send(Interrupt);
                    Some(ended.await)
                }
                told => told,
            };
            let told = told.map(|told| told.expect("it is not stuck").expect("it says how it ended"));
            (told, started.elapsed())
        });
        if outcome.is_none() && !matches!(moment, Some(Moment::AtCall(_))) {
            copy_ledger(ledger, &ledger_of_run(self.scratch.path(), run + 1));
        }
        drop(system);
        self.time += passed;
        self.told.calls.extend(calls.made());
        let Some(outcome) = outcome else {
            if let Some(Disturbance::Kill { torn_bytes: Some(bytes), .. }) = disturbance {
                tear_log(&ledger_of_run(self.scratch.path(), run + 1), bytes, log_for_good);
            }
            self.told.kills += 1;
            return None;
        };
        Some(outcome)
    }

    fn stores(&self, calls: &Arc<Calls>, started: Instant) -> BySide<Arc<dyn Store>> {
        BySide::from_fn(|side| {
            let store: Arc<dyn Store> = Arc::new(SimulatedStore {
                tree: self.scenario.trees[side].clone(),
                blocks_thread: self.scenario.blocks_thread,
                between_pages: self.scenario.between_pages.clone(),
                calls: calls.clone(),
                time_before: self.time,
                started,
            });
            store
        })
    }

    /// Looks at the ledger of a run that has it open.
    fn look_at_open(&mut self, ledger: &Path) -> Image {
        let copy = ledger_in(self.scratch.path(), "copy");
        copy_ledger(ledger, &copy);
        self.look(&copy, false)
    }

    fn look(&mut self, ledger: &Path, has_ended: bool) -> Image {
        // They are looked at now and then, and where a migration that was gone on with may have come to its end.
        let looks = self.seed + self.told.fingerprints.len() as u64;
        let with_views = looks.is_multiple_of(8) || (has_ended && self.told.runs > 1);
        let (image, ()) = self.reader.read(ledger, with_views, |_| Ok(()));
        self.told.fingerprints.push(image.fingerprint());
        if !image.sides.src.nodes.is_empty() {
            require("at any instant", &invariants::always(&image, &self.expected));
        }
        image
    }

    fn is_complete(&mut self, outcome: &Outcome, image: &Image, disturbance: Option<Disturbance>) -> bool {
        require("between the actors", &invariants::nothing_is_lost_between_actors(outcome));
        assert_eq!(outcome.closed.failed, None);
        assert_eq!(outcome.closed.totals(), image.counters.totals(), "it says what is in the ledger");
        let suspended = |reason: &str, ended: &str| {
            assert_eq!((image.phase.as_str(), image.phase_reason.as_deref()), ("suspended", Some(reason)));
            assert_eq!(image.outcomes.last(), Some(&Some(ended.to_owned())));
        };
        match &outcome.ended {
            Ended::Done => {
                assert_eq!((image.phase.as_str(), &image.phase_reason), ("review", &None));
                assert_eq!(image.outcomes.last(), Some(&Some("complete".to_owned())));
                assert_eq!((outcome.given_back, outcome.still_running), (0, 0));
                require("in the end", &invariants::when_complete(image, &self.expected));
                true
            }
            Ended::Interrupted => {
                assert!(matches!(disturbance, Some(Disturbance::Interrupt(_))), "nobody interrupted it");
                suspended("interrupted", "interrupted");
                self.told.interrupts += 1;
                false
            }
            Ended::StoreGaveUp { reason, .. } => {
                assert!(self.scenario.may_give_up(), "no store had a reason: {reason}");
                suspended(reason, "suspended");
                self.told.gave_up += 1;
                self.scenario.repair();
                false
            }
            Ended::LedgerFailed(_) | Ended::Broken(_) => panic!("it broke: {outcome:?}"),
        }
    }
}

/// The clock of the ledger stands still, so that what is in it is the same every time.
fn now_ns() -> i64 {
    1_700_000_000_000_000_000
}

fn printable(path: &[u8]) -> String {
    let mut printable = String::new();
    for name in path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
        printable.push('/');
        printable.push_str(&encode_name(name));
    }
    if printable.is_empty() { "/".to_owned() } else { printable }
}

fn require(when: &str, wrong: &[String]) {
    let shown = &wrong[..wrong.len().min(10)];
    assert!(wrong.is_empty(), "{} things are wrong {when}:\n{}", wrong.len(), shown.join("\n"));
}
