//! Traversing two worlds of the simulator: all that the scenarios with worlds have in common.

use anyhow::Result;
use longhaul_model::{BySide, Side, TraversalStatus};

use super::expectation::Expectation;
use super::migration::{LEDGER, Run};
use super::report::Stage;
use super::scratch::names_in;
use super::simulator::{self, Shipped, WorldTree};
use super::tree::Tree;
use super::verification::verify;

const WORLDS: BySide<&str> = BySide { src: "primary", dst: "s1" };

/// Traverses `primary` and `s1` and compares the ledger with what the simulator says of them behind the engine's back.
pub(crate) fn traverse(stage: &mut Stage<'_>, config: &Shipped) -> Result<Expectation> {
    let file = config.file(&stage.scratch)?;
    let simulator = simulator::open(&file, &stage.scratch)?;
    let report = &mut stage.report;
    report.line(&format!("simulator of {}, from {} to {}", config.name, WORLDS.src, WORLDS.dst))?;

    report.phase("run")?;
    let run = Run::of_stores(&stage.scratch, simulator::stores(&simulator, WORLDS, &file)?)?;
    run.print(report)?;
    let listings =
        BySide { src: simulator.world(WORLDS.src)?.listings(), dst: simulator.world(WORLDS.dst)?.listings() };

    report.phase("verification")?;
    let trees = BySide { src: WorldTree::new(&simulator, WORLDS.src)?, dst: WorldTree::new(&simulator, WORLDS.dst)? };
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    let expected = verify(report, &run, &as_trees)?;
    report.check_count("source nodes by the simulator's own count", trees.src.count()?, run.nodes(Side::Source))?;
    for side in Side::BOTH {
        // All of them were listed, by the checks above; so with this number each of them was listed once.
        let folders = expected.census[side].folders_with(TraversalStatus::Successful);
        report.check_count(&format!("{side} folders listed by the simulator"), folders, listings[side])?;
    }
    Ok(expected)
}

/// How many nodes of the destination have no counterpart.
pub(crate) fn not_on_src(expected: &Expectation) -> u64 {
    expected.census.dst.traversal.get(TraversalStatus::NotOnSrc.as_str()).copied().unwrap_or(0)
}

/// Nothing is left on disk but the ledger, complete in one file, and what the simulator is to keep.
pub(crate) fn check_what_is_left(stage: &mut Stage<'_>, config: &Shipped, kept: &[&str]) -> Result<()> {
    let mut expected: Vec<&str> = kept.iter().copied().chain([LEDGER]).collect();
    if config.is_written_out() {
        expected.push(config.name);
    }
    expected.sort_unstable();
    let found = names_in(&stage.scratch)?;
    stage.report.check_text("files left by the run", &expected.join(", "), &found.join(", "))?;
    Ok(())
}
