//! Traversing two worlds of the simulator: all that the scenarios with worlds have in common.

use std::path::Path;

use anyhow::Result;
use longhaul_ledger::Reader;
use longhaul_model::{BySide, Side, TraversalStatus};
use longhaul_spectra::Spectra;

use super::expectation::Expectation;
use super::ledger_rows;
use super::migration::{LEDGER, Run};
use super::scratch::names_in;
use super::simulator::{self, Shipped, WorldTree};
use super::stage::Stage;
use super::tree::Tree;
use super::verification::verify;
use crate::interrupt::Interrupt;

const WORLDS: BySide<&str> = BySide { src: "primary", dst: "s1" };

/// Traverses `primary` and `s1` and compares the ledger with what the simulator says of them behind the engine's back.
pub(crate) fn traverse(stage: &mut Stage<'_>, config: &Shipped) -> Result<Expectation> {
    let scratch = stage.scratch.path().to_owned();
    if stage.is_set_up::<()>()?.is_none() {
        // What it keeps is made now: half of a database could not be gone on with.
        simulator::open(&config.write_into(&scratch)?, &scratch)?;
    }
    stage.report.line(&format!("simulator of {}, from {} to {}", config.name, WORLDS.src, WORLDS.dst))?;

    stage.begin_run(&())?;
    let (run, simulator) = run(&scratch, &config.file_in(&scratch), &stage.interrupt)?;
    run.print(&mut stage.report)?;
    let listings = listings(&run, &simulator)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    let trees = BySide { src: WorldTree::new(&simulator, WORLDS.src)?, dst: WorldTree::new(&simulator, WORLDS.dst)? };
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    let expected = verify(report, &run, &as_trees)?;
    report.check_count("source nodes by the simulator's own count", trees.src.count()?, run.nodes(Side::Source))?;
    for side in Side::BOTH {
        // All of them were listed, by the checks above; so with this number each of them was listed once.
        let folders = expected.census[side].folders_with(TraversalStatus::Successful);
        report.check_count(&format!("{side} folders listed by {}", listings.by), folders, listings.count[side])?;
    }
    Ok(expected)
}

/// Traverses both worlds, or goes on with that. Gives the simulator with it, which is the one that was traversed unless
/// the run was gone on with.
fn run(scratch: &Path, config: &Path, interrupt: &Interrupt) -> Result<(Run, Spectra)> {
    // The engine opens the simulator by itself, which one at a time can do.
    if let Some(run) = Run::gone_on_with(scratch, interrupt)? {
        return Ok((run, simulator::open_after_engine(config, scratch)?));
    }
    let simulator = simulator::open(config, scratch)?;
    let run = Run::of_stores(scratch, simulator::stores(&simulator, WORLDS, config)?, interrupt)?;
    Ok((run, simulator))
}

/// How many folders were listed, and who says so.
struct Listings {
    by: &'static str,
    count: BySide<u64>,
}

/// Asks the simulator, or the ledger where several simulators have each seen a part of it. There every listing that
/// counts is an event, and a folder that was listed again although it was committed has two.
fn listings(run: &Run, simulator: &Spectra) -> Result<Listings> {
    if !run.is_gone_on {
        let of = |world| Ok::<u64, anyhow::Error>(simulator.world(world)?.listings());
        return Ok(Listings { by: "the simulator", count: BySide { src: of(WORLDS.src)?, dst: of(WORLDS.dst)? } });
    }
    let reader = Reader::open(&run.ledger)?;
    let of = |side: Side| -> Result<u64> {
        let prefix = side.prefix();
        let events = ledger_rows::number(
            &reader,
            &format!(
                "SELECT count(*)
                 FROM {prefix}_status_events e
                 JOIN {prefix}_folders f ON f.id = e.node_id
                 WHERE e.traversal_status = 'successful'"
            ),
        )?;
        Ok(events.unsigned_abs())
    };
    Ok(Listings { by: "the events", count: BySide { src: of(Side::Source)?, dst: of(Side::Destination)? } })
}

/// How many nodes of the destination have no counterpart.
pub(crate) fn not_on_src(expected: &Expectation) -> u64 {
    expected.census.dst.traversal.get(TraversalStatus::NotOnSrc.as_str()).copied().unwrap_or(0)
}

/// Nothing is left on disk but the ledger, complete in one file, the configuration, and what the simulator is to keep.
pub(crate) fn check_what_is_left(stage: &mut Stage<'_>, config: &Shipped, kept: &[&str]) -> Result<()> {
    let mut expected: Vec<&str> = kept.iter().copied().chain([LEDGER, config.name]).collect();
    expected.sort_unstable();
    let found = names_in(stage.scratch.path())?;
    stage.report.check_text("files left by the run", &expected.join(", "), &found.join(", "))?;
    Ok(())
}
