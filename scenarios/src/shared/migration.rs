//! Running the engine, and what that took.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use longhaul_actors::{Controller, Ended, MigrationConfig, Outcome, StartError, Tuning, start, start_with_stores};
use longhaul_model::{BySide, Side};
use longhaul_storage::{Location, OpenOptions, Store};

use super::report::{Report, grouped};

/// The ledger's file in the scratch folder.
pub(crate) const LEDGER: &str = "ledger.duckdb";

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) ledger: PathBuf,
    pub(crate) outcome: Outcome,
    took: Duration,
    peak_memory_kib: Option<u64>,
}

impl Run {
    /// Traverses two stores that are open already, with the engine's own settings, into a ledger in `scratch`.
    pub(crate) fn of_stores(scratch: &Path, stores: BySide<(Location, Arc<dyn Store>)>) -> Result<Run> {
        let locations = BySide { src: stores.src.0.clone(), dst: stores.dst.0.clone() };
        Run::begin(scratch, locations, |config| start_with_stores(config, stores))
    }

    /// Traverses two places, with the engine's own settings, into a ledger in `scratch`.
    pub(crate) fn of_places(scratch: &Path, locations: BySide<Location>) -> Result<Run> {
        Run::begin(scratch, locations, start)
    }

    fn begin(
        scratch: &Path,
        locations: BySide<Location>,
        start: impl FnOnce(&MigrationConfig) -> Result<Controller, StartError>,
    ) -> Result<Run> {
        let config = MigrationConfig {
            locations,
            ledger: scratch.join(LEDGER),
            open: OpenOptions::default(),
            tuning: Tuning::default(),
        };
        let started = Instant::now();
        let outcome = start(&config)?.wait();
        let took = started.elapsed();
        Ok(Run { ledger: config.ledger, outcome, took, peak_memory_kib: peak_memory_kib() })
    }

    /// Nodes in the ledger, by the last word of the engine.
    pub(crate) fn nodes(&self, side: Side) -> u64 {
        self.outcome.closed.totals()[side].nodes().unsigned_abs()
    }

    /// Prints rate, memory and disk space. The rate is a plain integer, for programs that read it.
    pub(crate) fn print(&self, report: &mut Report<'_>) -> Result<()> {
        let nodes = self.nodes(Side::Source) + self.nodes(Side::Destination);
        let seconds = self.took.as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "below 2^52")]
        let per_second = nodes as f64 / seconds.max(1e-9);
        report.line(&format!("{per_second:.0} nodes/s (both sides, {} nodes in {seconds:.2} s)", grouped(nodes)))?;
        if let Some(kib) = self.peak_memory_kib {
            report.line(&format!("{} MiB peak memory of the process", grouped(kib / 1024)))?;
        }
        let bytes = std::fs::metadata(&self.ledger)?.len();
        #[allow(clippy::cast_precision_loss, reason = "below 2^52")]
        let each = bytes as f64 / nodes.max(1) as f64;
        report.line(&format!("{} bytes of ledger, {each:.1} bytes a node", grouped(bytes)))?;
        Ok(())
    }

    /// How it ended, in a line.
    pub(crate) fn ending(&self) -> String {
        match &self.outcome.ended {
            Ended::Done => "done".to_owned(),
            Ended::Interrupted => "interrupted".to_owned(),
            Ended::StoreGaveUp { side, reason } => format!("the {side} gave up: {reason}"),
            Ended::LedgerFailed(error) => format!("the ledger failed: {error}"),
            Ended::Broken(what) => format!("broken: {what}"),
        }
    }
}

/// The largest amount of memory that this process has had; only Linux tells.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}
