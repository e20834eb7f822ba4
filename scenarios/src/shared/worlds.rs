//! Traversing two worlds of the simulator: all that the scenarios with worlds have in common.

use std::path::Path;

use anyhow::Result;
use longhaul_ledger::Reader;
use longhaul_model::{BySide, Side, TraversalStatus};
use serde::{Deserialize, Serialize};

use super::expectation::Expectation;
use super::ledger_rows;
use super::migration::{LEDGER, Run};
use super::scratch::names_in;
use super::served::Served;
use super::simulated_world::SimulatedWorld;
use super::simulator::{self, Place, Shipped};
use super::stage::Stage;
use super::tree::Tree;
use super::verification::verify;
use crate::interrupt::Interrupt;

const WORLDS: BySide<&str> = BySide { src: "primary", dst: "s1" };

/// What is known before the engine begins.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    /// The server that has the worlds; `None` where this process has them.
    server: Option<String>,
    /// Folders that a server had listed before.
    listed_before: BySide<u64>,
}

/// Traverses `primary` and `s1` and compares the ledger with what the simulator says of them behind the engine's back.
pub(crate) fn traverse(stage: &mut Stage<'_>, config: &Shipped) -> Result<Expectation> {
    let scratch = stage.scratch.path().to_owned();
    let found = match stage.is_set_up::<Found>()? {
        Some(found) => found,
        None => set_up(stage.spectra_url.as_deref(), config, &scratch)?,
    };
    stage.expect_spectra_url(found.server.as_deref())?;
    let place = match &found.server {
        None => Place::Here { config: config.file_in(&scratch), scratch: scratch.clone() },
        Some(url) => Place::There(Served::at(url)?),
    };
    let which = found.server.as_ref().map_or_else(|| format!("of {}", config.name), |url| format!("at {url}"));
    stage.report.line(&format!("simulator {which}, from {} to {}", WORLDS.src, WORLDS.dst))?;

    stage.begin_run(&found)?;
    let (run, trees) = run(&scratch, &place, &stage.interrupt)?;
    run.print(&mut stage.report)?;
    let listings = listings(&run, &trees, &found.listed_before)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    let as_trees: BySide<&dyn Tree> = BySide { src: &*trees.src, dst: &*trees.dst };
    let expected = verify(report, &run, &as_trees)?;
    report.check_count("source nodes by the simulator's own count", trees.src.count()?, run.nodes(Side::Source))?;
    for side in Side::BOTH {
        // All of them were listed, by the checks above; so with this number each of them was listed once.
        let folders = expected.census[side].folders_with(TraversalStatus::Successful);
        report.check_count(&format!("{side} folders listed by {}", listings.by), folders, listings.count[side])?;
    }
    Ok(expected)
}

fn set_up(server: Option<&str>, config: &Shipped, scratch: &Path) -> Result<Found> {
    let mut found = Found { server: server.map(str::to_owned), listed_before: BySide { src: 0, dst: 0 } };
    match server {
        // What it keeps is made now: half of a database could not be gone on with.
        None => drop(simulator::open(&config.write_into(scratch)?, scratch)?),
        Some(url) => {
            let worlds = Place::There(Served::at(url)?).worlds(WORLDS)?;
            found.listed_before = BySide { src: worlds.src.listings()?, dst: worlds.dst.listings()? };
        }
    }
    Ok(found)
}

/// Traverses both worlds, or goes on with that. Gives with it what is in the worlds: where this process has them, of the
/// simulator that was traversed unless the run was gone on with.
fn run(scratch: &Path, place: &Place, interrupt: &Interrupt) -> Result<(Run, BySide<Box<dyn SimulatedWorld>>)> {
    // The engine opens the simulator by itself, which one at a time can do.
    if let Some(run) = Run::gone_on_with(scratch, interrupt)? {
        return Ok((run, place.worlds(WORLDS)?));
    }
    match place {
        Place::Here { config, scratch } => {
            let simulator = simulator::open(config, scratch)?;
            let run = Run::of_stores(scratch, simulator::stores(&simulator, WORLDS, config)?, interrupt)?;
            Ok((run, simulator::boxed_worlds(&simulator, WORLDS)?))
        }
        Place::There(served) => {
            let run = Run::of_places(scratch, served.locations(WORLDS)?, interrupt)?;
            Ok((run, place.worlds(WORLDS)?))
        }
    }
}

/// How many folders were listed, and who says so.
struct Listings {
    by: &'static str,
    count: BySide<u64>,
}

/// Asks the simulator, or the ledger where several simulators have each seen a part of it. There every listing that
/// counts is an event, and a folder that was listed again although it was committed has two.
fn listings(run: &Run, worlds: &BySide<Box<dyn SimulatedWorld>>, before: &BySide<u64>) -> Result<Listings> {
    if !run.is_gone_on {
        let of = |side| Ok::<u64, anyhow::Error>(worlds[side].listings()?.saturating_sub(before[side]));
        return Ok(Listings {
            by: "the simulator",
            count: BySide { src: of(Side::Source)?, dst: of(Side::Destination)? },
        });
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
    // A server keeps its things with itself.
    let ours = kept.iter().copied().chain([config.name]).filter(|_| stage.spectra_url.is_none());
    let mut expected: Vec<&str> = ours.chain([LEDGER]).collect();
    expected.sort_unstable();
    let found = names_in(stage.scratch.path())?;
    stage.report.check_text("files left by the run", &expected.join(", "), &found.join(", "))?;
    Ok(())
}
