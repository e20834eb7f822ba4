//! Running the engine, and what that took.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use longhaul_actors::{Controller, Ended, MigrationConfig, Outcome, ResumeConfig, Resumed, Tuning, discover, resume};
use longhaul_ledger::{Counters, Log, Reader, log_of};
use longhaul_model::{BySide, Side};
use longhaul_storage::{Location, OpenOptions, Store};

use super::report::{Report, grouped};
use super::scratch::names_in;
use crate::interrupt::{Interrupt, Interrupted};

/// The ledger's file in the scratch folder.
pub(crate) const LEDGER: &str = "ledger.duckdb";

/// How long nobody looks whether the end was asked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A traversal that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) ledger: PathBuf,
    /// The engine's last word; `None` where all was listed before this run, and only the checks were not made.
    pub(crate) outcome: Option<Outcome>,
    /// Whether an earlier run had begun with it.
    pub(crate) is_gone_on: bool,
    totals: BySide<Counters>,
    took: Duration,
    peak_memory_kib: Option<u64>,
}

impl Run {
    /// Traverses two stores that are open already, with the engine's own settings, into a ledger in `scratch`.
    pub(crate) fn of_stores(
        scratch: &Path,
        stores: BySide<(Location, Arc<dyn Store>)>,
        interrupt: &Interrupt,
    ) -> Result<Run> {
        let locations = BySide { src: stores.src.0.clone(), dst: stores.dst.0.clone() };
        let stores = BySide { src: stores.src.1, dst: stores.dst.1 };
        Run::begin(&scratch.join(LEDGER), locations, Some(stores), interrupt)
    }

    /// Traverses two places, with the engine's own settings, into a ledger in `scratch`.
    pub(crate) fn of_places(scratch: &Path, locations: BySide<Location>, interrupt: &Interrupt) -> Result<Run> {
        Run::begin(&scratch.join(LEDGER), locations, None, interrupt)
    }

    /// As [`Run::of_places`], into another ledger; whatever has its name is replaced.
    pub(crate) fn of_places_into(ledger: &Path, locations: BySide<Location>, interrupt: &Interrupt) -> Result<Run> {
        for left in [ledger.to_owned(), log_of(ledger)] {
            match std::fs::remove_file(&left) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Run::begin(ledger, locations, None, interrupt)
    }

    /// Goes on where an earlier run in `scratch` was. `None` where that had not come so far as to have a ledger.
    pub(crate) fn gone_on_with(scratch: &Path, interrupt: &Interrupt) -> Result<Option<Run>> {
        remove_unfinished_ledgers(scratch)?;
        let ledger = scratch.join(LEDGER);
        if !ledger.exists() {
            return Ok(None);
        }
        let config = ResumeConfig {
            ledger: ledger.clone(),
            log: Log::Unknown,
            locations: BySide { src: None, dst: None },
            one_file_system: false,
            compare: None,
            on_conflict: None,
            filter: Vec::new(),
            tuning: Tuning::default(),
        };
        let started = Instant::now();
        let outcome = match resume(&config)? {
            Resumed::Running(controller) => Some(attend(controller, interrupt, folders_so_far)?),
            Resumed::NothingToDo(_) | Resumed::ToApprove(_) => None,
        };
        Run::of(ledger, outcome, true, started.elapsed()).map(Some)
    }

    fn begin(
        ledger: &Path,
        locations: BySide<Location>,
        stores: Option<BySide<Arc<dyn Store>>>,
        interrupt: &Interrupt,
    ) -> Result<Run> {
        let config = MigrationConfig {
            locations,
            stores,
            ledger: ledger.to_owned(),
            open: OpenOptions::default(),
            compare: None,
            on_conflict: None,
            adopt: false,
            copying: None,
            filter: Vec::new(),
            tuning: Tuning::default(),
        };
        let started = Instant::now();
        let Resumed::Running(controller) = discover(&config)? else { bail!("a new migration has nothing to list") };
        let outcome = attend(controller, interrupt, folders_so_far)?;
        let took = started.elapsed();
        Run::of(config.ledger, Some(outcome), false, took)
    }

    fn of(ledger: PathBuf, outcome: Option<Outcome>, is_gone_on: bool, took: Duration) -> Result<Run> {
        let totals = match &outcome {
            Some(outcome) => outcome.closed.totals(),
            None => Reader::open(&ledger)?.overview()?.totals,
        };
        Ok(Run { ledger, outcome, is_gone_on, totals, took, peak_memory_kib: peak_memory_kib() })
    }

    /// Nodes in the ledger, by the last word of the engine.
    pub(crate) fn nodes(&self, side: Side) -> u64 {
        self.totals[side].nodes().unsigned_abs()
    }

    /// Prints rate, memory and disk space. The rate is a plain integer, for programs that read it; of a run that was
    /// gone on with there is none, as it is not known what it had done before.
    pub(crate) fn print(&self, report: &mut Report<'_>) -> Result<()> {
        let nodes = self.nodes(Side::Source) + self.nodes(Side::Destination);
        let seconds = self.took.as_secs_f64();
        if self.is_gone_on {
            let what = if self.outcome.is_some() { "gone on for" } else { "complete before, looked at in" };
            report.line(&format!("{what} {seconds:.2} s, {} nodes on both sides in the end", grouped(nodes)))?;
        } else {
            #[allow(clippy::cast_precision_loss, reason = "below 2^52")]
            let per_second = nodes as f64 / seconds.max(1e-9);
            report
                .line(&format!("{per_second:.0} nodes/s (both sides, {} nodes in {seconds:.2} s)", grouped(nodes)))?;
        }
        if let Some(kib) = self.peak_memory_kib {
            report.line(&format!("{} MiB peak memory of the process", grouped(kib / 1024)))?;
        }
        let bytes = std::fs::metadata(&self.ledger)?.len();
        #[allow(clippy::cast_precision_loss, reason = "below 2^52")]
        let each = bytes as f64 / nodes.max(1) as f64;
        report.line(&format!("{} bytes of ledger, {each:.1} bytes a node", grouped(bytes)))?;
        Ok(())
    }
}

/// Waits for the end of a run, and shuts it down when somebody asks for that. Then it is an [`Interrupted`] error with
/// how far it came, unless it came to its end all the same.
pub(crate) fn attend(
    mut controller: Controller,
    interrupt: &Interrupt,
    so_far: impl Fn(&Outcome) -> String,
) -> Result<Outcome> {
    let mut is_asked = false;
    let outcome = loop {
        match controller.wait_for(LOOK_INTERVAL) {
            Ok(outcome) => break outcome,
            Err(still_running) => controller = still_running,
        }
        if !is_asked && interrupt.is_asked() {
            is_asked = true;
            controller.shutdown();
        }
    };
    match &outcome.ended {
        Ended::Interrupted if is_asked => Err(Interrupted { so_far: Some(so_far(&outcome)) }.into()),
        Ended::StoreGaveUp { .. } | Ended::LedgerFailed(_) | Ended::Broken(_) if is_asked => {
            // Checks are not made any more, so nobody else would tell.
            bail!("while it was interrupted: {}", ending(&outcome))
        }
        _ => Ok(outcome),
    }
}

fn folders_so_far(outcome: &Outcome) -> String {
    let totals = outcome.closed.totals();
    let number = |of: fn(&Counters) -> i64| grouped((of(&totals.src) + of(&totals.dst)).unsigned_abs());
    let (listed, pending) = (number(|side| side.folders_listed), number(Counters::folders_pending));
    format!("{listed} folders are listed and {pending} are still to be")
}

/// What is left of a ledger when a run is killed while it makes it. It has another name until it is one.
fn remove_unfinished_ledgers(scratch: &Path) -> Result<()> {
    for name in names_in(scratch)? {
        if name.strip_prefix(LEDGER).is_some_and(|rest| rest.starts_with('.') && rest.contains(".new")) {
            std::fs::remove_file(scratch.join(name))?;
        }
    }
    Ok(())
}

/// How a run of the engine ended, in a line.
pub(crate) fn ending(outcome: &Outcome) -> String {
    match &outcome.ended {
        Ended::Done => "done".to_owned(),
        Ended::Interrupted => "interrupted".to_owned(),
        Ended::StoreGaveUp { side, reason } => format!("the {side} gave up: {reason}"),
        Ended::LedgerFailed(error) => format!("the ledger failed: {error}"),
        Ended::Broken(what) => format!("broken: {what}"),
    }
}

/// The largest amount of memory that this process has had; only Linux tells.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
