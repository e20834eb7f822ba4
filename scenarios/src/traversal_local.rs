//! `traversal-local`: two folders of this machine, with everything in them that makes real trees difficult.

mod made;
mod trees;

use anyhow::Result;
use longhaul_model::{BySide, Side};
use longhaul_storage::Location;

use crate::shared::expectation::Expectation;
use crate::shared::local_tree::LocalTree;
use crate::shared::migration::{LEDGER, Run};
use crate::shared::report::{Stage, grouped};
use crate::shared::scratch::names_in;
use crate::shared::tree::Tree;
use crate::shared::verification::verify;

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let report = &mut stage.report;
    let folders = BySide { src: stage.scratch.join("source"), dst: stage.scratch.join("destination") };
    let made = trees::make(&folders)?;
    for side in Side::BOTH {
        report.line(&format!("{side} made: {} entries", grouped(made.entries[side])))?;
    }
    for remark in &made.remarks {
        report.line(remark)?;
    }
    let trees = BySide { src: LocalTree::new(&folders.src), dst: LocalTree::new(&folders.dst) };
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    let before = Expectation::of(&as_trees)?;

    report.phase("run")?;
    let places = BySide { src: Location::Local(folders.src.clone()), dst: Location::Local(folders.dst.clone()) };
    let run = Run::of_places(&stage.scratch, places)?;
    run.print(report)?;

    report.phase("verification")?;
    let expected = verify(report, &run, &as_trees)?;
    let seen = made.entries.src - made.hidden_on_source;
    report.check_count(
        "source nodes by the number of entries made, and the root",
        seen + 1,
        run.nodes(Side::Source),
    )?;
    for side in Side::BOTH {
        let is_same = before.census[side].with_statuses == expected.census[side].with_statuses;
        let found = if is_same { "as before" } else { "changed" };
        report.check_text(&format!("{side} folder after the run"), "as before", found)?;
    }
    for what in ["already_existed", "conflict", "pending", "skipped"] {
        let count = expected.census.src.copy.get(what).copied().unwrap_or(0);
        report.check(&format!("source nodes that have to be {what}, computed"), count > 0, "some", &grouped(count))?;
    }
    report.check_text(
        "files left by the run",
        &format!("destination, {LEDGER}, source"),
        &names_in(&stage.scratch)?.join(", "),
    )?;
    Ok(())
}
