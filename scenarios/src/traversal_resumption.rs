//! `traversal-resumption`: this program lists two worlds of a slow simulator, is interrupted, and goes on; and once
//! more with a kill. What was committed is never listed again, and in the end the ledger is that of a run that nobody
//! interrupted.
//!
//! When the scenario itself is cut short and gone on with, it does all of this anew: what it has seen of the program is
//! in no ledger.

mod comparison;
mod listings;
mod program;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use longhaul_ledger::{Reader, log_of};
use longhaul_model::{BySide, Side, TraversalStatus};
use longhaul_spectra::Config;
use rustix::process::Signal;

use crate::shared::report::{Report, grouped};
use crate::shared::scratch::names_in;
use crate::shared::simulated_world::SimulatedWorld;
use crate::shared::simulator::{self, WorldTree};
use crate::shared::stage::Stage;
use crate::shared::trace::world_of;
use crate::shared::tree::Tree;
use crate::shared::verification::verify_ledger;
use comparison::compare_ledgers;
use program::{Ended, Program, Stop};

const SLOW: &str = include_str!("traversal_resumption/slow.json");
const SLOW_FILE: &str = "slow.json";
/// The same worlds without a latency.
const FAST_FILE: &str = "fast.json";
const UNINTERRUPTED: &str = "uninterrupted.duckdb";

/// Listers of each side until the program is stopped. Each takes 25 ms at least for a folder.
const LISTERS: &str = "4";

/// A kill may cost this much work, and not more.
const LOST_MAX: Duration = Duration::from_secs(2);

/// A way of stopping the program, and what must come of it.
struct Interruption {
    what: &'static str,
    ledger: &'static str,
    stop: Stop,
    ending: &'static str,
    phase: &'static str,
    /// Whether the log is brought into the ledger's file.
    checkpointed: bool,
    /// What the ledger says of the two runs.
    outcomes: &'static str,
}

const INTERRUPTIONS: [Interruption; 2] = [
    Interruption {
        what: "interrupt",
        ledger: "interrupted.duckdb",
        stop: Stop { signal: Signal::INT, after_listings: 200 },
        ending: "exit code 130",
        phase: "suspended",
        checkpointed: true,
        outcomes: "interrupted, complete",
    },
    Interruption {
        what: "kill",
        ledger: "killed.duckdb",
        // At 8 folders in 25 ms at most: more than three seconds of work, so that two of them are not all there is.
        stop: Stop { signal: Signal::KILL, after_listings: 1_000 },
        ending: "signal 9",
        phase: "traversing",
        checkpointed: false,
        outcomes: "no outcome, complete",
    },
];

/// What was seen of one interruption.
struct Seen {
    stopped: Ended,
    phase: String,
    has_log: bool,
    /// Paths of the folders whose listing was in the ledger when the program was gone.
    committed: BySide<BTreeSet<String>>,
    went_on: Ended,
    ledger: PathBuf,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    if stage.is_set_up::<()>()?.is_some() {
        stage.report.line("and made again, as are the runs: what was seen of them is not kept")?;
        stage.scratch.start_over()?;
    }
    let scratch = stage.scratch.path().to_owned();
    let slow: Config = Config::from_json(SLOW).context("the scenario's own configuration")?;
    let latency = slow.chaos.latency;
    std::fs::write(scratch.join(SLOW_FILE), SLOW)?;
    std::fs::write(scratch.join(FAST_FILE), without_latency(SLOW))?;
    let simulator = simulator::open(&scratch.join(FAST_FILE), &scratch)?;
    let trees = BySide {
        src: WorldTree::new(&simulator, world_of(Side::Source))?,
        dst: WorldTree::new(&simulator, world_of(Side::Destination))?,
    };
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    let program = Program::this(&scratch, &stage.interrupt)?;
    stage.report.line(&format!(
        "simulator with {} to {} ms a listing, {} and {} nodes",
        latency.list_children_ms,
        latency.list_children_ms + latency.jitter_ms,
        grouped(trees.src.count()?),
        grouped(trees.dst.count()?),
    ))?;

    stage.begin_run(&())?;
    let report = &mut stage.report;
    let uninterrupted = program.discover(FAST_FILE, UNINTERRUPTED, &[], None)?;
    report.line(&format!("uninterrupted: {}, {} folders listed", uninterrupted.ending(), listed(&uninterrupted)))?;
    let mut all_seen = Vec::new();
    for interruption in &INTERRUPTIONS {
        all_seen.push(interrupt_and_go_on(report, &scratch, &program, interruption)?);
    }

    stage.begin_verification()?;
    let report = &mut stage.report;
    report.check_text("end of the uninterrupted run", "exit code 0", &uninterrupted.ending())?;
    for (interruption, seen) in INTERRUPTIONS.iter().zip(&all_seen) {
        report.line(&format!("after the {}:", interruption.what))?;
        check_stop(report, interruption, seen)?;
        let ledger = Reader::open(&seen.ledger)?;
        check_end(report, interruption, seen, &ledger, &as_trees)?;
        compare_ledgers(report, &ledger, &Reader::open(&scratch.join(UNINTERRUPTED))?)?;
    }
    let mut due = vec![SLOW_FILE, FAST_FILE, UNINTERRUPTED];
    due.extend(INTERRUPTIONS.iter().map(|interruption| interruption.ledger));
    due.sort_unstable();
    report.check_text("files left by the runs", &due.join(", "), &names_in(&scratch)?.join(", "))?;
    Ok(())
}

/// The configuration, as text, with its latency switched off.
fn without_latency(config: &str) -> String {
    config.replace("\"chaos\": {", "\"chaos\": { \"enabled\": false,")
}

fn listed(ended: &Ended) -> String {
    grouped(ended.listings.len() as u64)
}

fn interrupt_and_go_on(
    report: &mut Report<'_>,
    scratch: &Path,
    program: &Program,
    interruption: &Interruption,
) -> Result<Seen> {
    let ledger = scratch.join(interruption.ledger);
    let workers = ["--workers", LISTERS];
    let stopped = program.discover(SLOW_FILE, interruption.ledger, &workers, Some(interruption.stop))?;
    let has_log = log_of(&ledger).exists();
    let (phase, committed) = {
        let reader = Reader::open(&ledger).with_context(|| stopped.said())?;
        let phase = reader.migration()?.phase.to_string();
        (phase, BySide { src: committed(&reader, Side::Source)?, dst: committed(&reader, Side::Destination)? })
    };
    report.line(&format!(
        "{} after {} folders: {}, {} folders committed",
        interruption.what,
        listed(&stopped),
        stopped.ending(),
        grouped((committed.src.len() + committed.dst.len()) as u64),
    ))?;
    let went_on = program.resume(interruption.ledger)?;
    report.line(&format!("gone on: {}, {} folders listed", went_on.ending(), listed(&went_on)))?;
    Ok(Seen { stopped, phase, has_log, committed, went_on, ledger })
}

/// The folders of which the ledger has an event that says that they were listed.
fn committed(reader: &Reader, side: Side) -> Result<BTreeSet<String>> {
    let prefix = side.prefix();
    let table = reader.query(&format!(
        "SELECT f.path
         FROM {prefix}_status_events e
         JOIN {prefix}_folders f ON f.id = e.node_id
         WHERE e.traversal_status = 'successful'"
    ))?;
    Ok(table.rows.into_iter().flatten().flatten().collect())
}

/// What was there when the program was gone.
fn check_stop(report: &mut Report<'_>, interruption: &Interruption, seen: &Seen) -> Result<()> {
    let Seen { stopped, committed, .. } = seen;
    report.check_text("end of the run", interruption.ending, &stopped.ending())?;
    report.check_text("phase", interruption.phase, &seen.phase)?;
    let not_committed: Vec<_> =
        stopped.listings.iter().filter(|listing| !committed[listing.side].contains(&listing.path)).collect();
    if interruption.checkpointed {
        report.check_text("write-ahead log", "gone", if seen.has_log { "there" } else { "gone" })?;
        report.check_count("folders listed and not committed", 0, not_committed.len() as u64)?;
        return Ok(());
    }
    let Some(stopped_at) = stopped.stopped_at else { return Ok(()) };
    let old = |listing: &&listings::Listing| stopped_at.since(listing.at) > LOST_MAX;
    let count = stopped.listings.iter().filter(old).count() as u64;
    report.check("folders listed more than 2 s before", count > 0, "some", &grouped(count))?;
    let lost = not_committed.iter().copied().filter(|listing| old(listing)).count() as u64;
    report.check_count("folders listed more than 2 s before and not committed", 0, lost)?;
    let oldest = not_committed.iter().map(|listing| stopped_at.since(listing.at)).max().unwrap_or_default();
    let lost = not_committed.len() as u64;
    report.line(&format!(
        "        {} listings lost, the work of the last {:.2} s",
        grouped(lost),
        oldest.as_secs_f64()
    ))?;
    Ok(())
}

/// What was listed afterwards, and what came of it all.
fn check_end(
    report: &mut Report<'_>,
    interruption: &Interruption,
    seen: &Seen,
    ledger: &Reader,
    trees: &BySide<&dyn Tree>,
) -> Result<()> {
    report.check_text("end of the run that goes on", "exit code 0", &seen.went_on.ending())?;
    let expected = verify_ledger(report, ledger, trees)?;
    for side in Side::BOTH {
        let again: Vec<&str> =
            seen.went_on.listings.iter().filter(|listing| listing.side == side).map(|l| l.path.as_str()).collect();
        let committed = &seen.committed[side];
        let twice = again.iter().filter(|path| committed.contains(**path)).count() as u64;
        report.check_count(&format!("{side} folders committed before and listed again"), 0, twice)?;
        let folders = expected.census[side].folders_with(TraversalStatus::Successful);
        let due = folders.saturating_sub(committed.len() as u64);
        report.check_count(&format!("{side} folders still to be listed, and listed"), due, again.len() as u64)?;
        let different = again.iter().collect::<BTreeSet<_>>().len() as u64;
        report.check_count(&format!("{side} folders listed, each counted once"), due, different)?;
    }
    let runs = ledger.overview()?.runs;
    let outcomes: Vec<&str> = runs.iter().map(|run| run.outcome.as_deref().unwrap_or("no outcome")).collect();
    report.check_text("runs in the ledger", interruption.outcomes, &outcomes.join(", "))?;
    Ok(())
}
