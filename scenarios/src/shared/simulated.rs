//! The whole engine on one thread and in simulated time, against worlds that ask for patience or are slow: it is the pace
//! that is looked at, and no time is spent on waiting.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use longhaul_actors::{Ended, Engine, Outcome, Placement, Run, Schedule, ScheduleLimits, Task, Tuning};
use longhaul_ledger::{MigrationSpec, Reader, Settings};
use longhaul_model::{BySide, Comparison};
use longhaul_spectra::{ChaosConfig, Config, Mode, RateConfig, Spectra};
use longhaul_storage::{Location, SpectraStore, Store};
use tokio::time::Instant;

use super::migration::ending;
use super::report::{Report, grouped};

const WORLDS: BySide<&str> = BySide { src: "primary", dst: "empty" };

/// Who discovers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crew {
    pub(crate) listers: usize,
    /// Calls at a time that a person allows at most.
    pub(crate) max_concurrency: Option<usize>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Discovered {
    outcome: Outcome,
    /// Simulated time.
    pub(crate) took: Duration,
    /// Those there are.
    pub(crate) folders: u64,
    /// How many listings the source was asked for at a time, after each change, and why.
    pub(crate) pace: Vec<Change>,
    /// Folders of the source that were listed by the end of each second.
    listed: Vec<u64>,
}

#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) concurrency: u64,
    pub(crate) cause: String,
}

/// A tree of some ten thousand folders, and nothing at the destination.
pub(crate) fn config(chaos: ChaosConfig) -> Config {
    let mut config = Config { mode: Mode::Ephemeral, chaos, ..Config::default() };
    (config.seed.max_depth, config.seed.seed) = (5, 7);
    (config.seed.min_folders, config.seed.max_folders) = (8, 8);
    (config.seed.min_files, config.seed.max_files) = (1, 1);
    config.secondary_tables.insert(WORLDS.dst.to_owned(), 0.0);
    config
}

/// Listings that take so long, and of which there may be so many a second.
pub(crate) fn listings(latency_ms: u64, calls_per_second: Option<f64>) -> ChaosConfig {
    let mut chaos = ChaosConfig::default();
    chaos.latency.list_children_ms = latency_ms;
    chaos.backoff.base_retry_after_ms = 20;
    chaos.rate_limits.operations.list_children =
        calls_per_second.map(|calls_per_second| RateConfig { calls_per_second, burst: 100 });
    chaos
}

/// Discovers a tree, and does something to the simulator meanwhile.
pub(crate) fn discover(
    folder: &Path,
    config: Config,
    crew: Crew,
    meanwhile: impl AsyncFnOnce(&Spectra),
) -> Result<Discovered> {
    actix::System::new().block_on(async {
        tokio::time::pause();
        discover_in_simulated_time(folder, config, crew, meanwhile).await
    })
}

async fn discover_in_simulated_time(
    folder: &Path,
    config: Config,
    crew: Crew,
    meanwhile: impl AsyncFnOnce(&Spectra),
) -> Result<Discovered> {
    let ledger = tempfile::Builder::new().prefix("simulated").tempdir_in(folder)?;
    let ledger = ledger.path().join("ledger.duckdb");
    let simulator = Spectra::open(config)?;
    let stores: BySide<Arc<dyn Store>> = {
        let store = |world: &str| -> Result<Arc<dyn Store>> {
            let location = Location::Spectra { world: world.to_owned(), config: "simulated.json".into() };
            Ok(Arc::new(SpectraStore::open(&simulator, world, location)?))
        };
        BySide { src: store(WORLDS.src)?, dst: store(WORLDS.dst)? }
    };
    let tuning = Tuning { workers: Some(crew.listers), max_concurrency: crew.max_concurrency, ..Tuning::default() };
    let spec = MigrationSpec {
        source: stores.src.location(),
        destination: stores.dst.location(),
        settings: Settings::new(Comparison::for_resolutions(1, 1)),
    };
    let created = longhaul_ledger::create(&ledger, &spec, &tuning.resources, 0)?;
    let (writer, to_list) = created.discover("discover", || 0)?;
    let limits =
        ScheduleLimits { lead_nodes_max: 1 << 40, frontier_folders_max: 1 << 16, in_flight_folders_max: 4_096 };
    let schedule = Schedule::new(limits, to_list);
    let began = Instant::now();
    let run = Run { stores, task: Task::Traverse { writer, schedule, filter: None } };
    let engine = Engine::start(run, &tuning, Arc::default(), Placement::OneThread);
    let world = simulator.world(WORLDS.src)?;
    let mut listed = Vec::new();
    let outcome = tokio::select! {
        outcome = engine.join() => outcome.map_err(|_| anyhow!("the engine has no last word"))?,
        () = async {
            let every_second = async {
                loop {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    listed.push(world.listings());
                }
            };
            tokio::join!(meanwhile(&simulator), every_second);
        } => unreachable!("seconds never end"),
    };
    let took = began.elapsed();
    let folders = world.undisturbed().count()?.total.folders;
    Ok(Discovered { outcome, took, folders, pace: pace(&ledger)?, listed })
}

fn pace(ledger: &Path) -> Result<Vec<Change>> {
    let reader = Reader::open(ledger)?;
    let changes = "SELECT concurrency::VARCHAR, cause FROM pace WHERE side = 'src' AND class = 'list' ORDER BY rowid";
    let rows = reader.query(changes)?.rows.into_iter();
    rows.map(|row| {
        let [concurrency, cause] = <[_; 2]>::try_from(row).map_err(|_| anyhow!("two columns"))?;
        let (concurrency, cause) = concurrency.zip(cause).context("a change has both")?;
        Ok(Change { concurrency: concurrency.parse()?, cause })
    })
    .collect()
}

impl Discovered {
    /// All was listed, and nothing failed.
    pub(crate) fn check(&self, report: &mut Report<'_>) -> Result<()> {
        report.check("end", matches!(self.outcome.ended, Ended::Done), "done", &ending(&self.outcome))?;
        let totals = self.outcome.closed.totals().src;
        report.check_count("source folders", self.folders, totals.folders.unsigned_abs())?;
        report.check_count("source folders listed", self.folders, totals.folders_listed.unsigned_abs())?;
        report.check_count("source folders that failed", 0, totals.folders_failed.unsigned_abs())
    }

    /// How many times the store asked for patience, in the pace's eyes.
    pub(crate) fn times_throttled(&self) -> usize {
        self.pace.iter().filter(|change| change.cause == "the store asks for patience").count()
    }

    /// Folders that were listed in each second.
    pub(crate) fn by_second(&self) -> Vec<u64> {
        let before = std::iter::once(0).chain(self.listed.iter().copied());
        before.zip(&self.listed).map(|(before, after)| after - before).collect()
    }

    /// Folders listed in a second, over all of it.
    #[allow(clippy::cast_precision_loss, reason = "some ten thousand")]
    pub(crate) fn rate(&self) -> f64 {
        self.folders as f64 / self.took.as_secs_f64()
    }

    /// Prints what the pace was.
    pub(crate) fn print(&self, report: &mut Report<'_>) -> Result<()> {
        const SHOWN_MAX: usize = 12;
        let (folders, took) = (grouped(self.folders), self.took.as_secs_f64());
        report.line(&format!("{folders} folders in {took:.2} s of simulated time, {:.0} a second", self.rate()))?;
        for change in self.pace.iter().take(SHOWN_MAX) {
            report.line(&format!("        {:>3} at a time: {}", change.concurrency, change.cause))?;
        }
        if let Some(more) = self.pace.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
            report.line(&format!("        and {more} more changes"))?;
        }
        Ok(())
    }
}
