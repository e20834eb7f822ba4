//! `traversal-local`: two folders of this machine, with everything in them that makes real trees difficult.

use anyhow::Result;
use longhaul_model::{BySide, Side};
use longhaul_storage::Location;
use serde::{Deserialize, Serialize};

use crate::shared::expectation::Expectation;
use crate::shared::local_tree::LocalTree;
use crate::shared::local_trees::{self, Amounts, Made};
use crate::shared::migration::{LEDGER, Run};
use crate::shared::report::grouped;
use crate::shared::scratch::names_in;
use crate::shared::stage::Stage;
use crate::shared::tree::Tree;
use crate::shared::verification::verify;

/// A folder that takes several pages, and sizes that 32 bits do not hold.
const AMOUNTS: Amounts = Amounts { many: 20_000, sparse_bytes: 5 << 30 };

/// What is known when the folders are made.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    made: Made,
    /// What is in them, as [`fingerprint`] gives it.
    before: BySide<String>,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let folders = BySide { src: scratch.join("source"), dst: scratch.join("destination") };
    let trees = BySide { src: LocalTree::new(&folders.src), dst: LocalTree::new(&folders.dst) };
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    let (found, _closed) = if let Some(found) = stage.is_set_up::<Found>()? {
        (found, local_trees::close_again(&folders)?)
    } else {
        let (made, closed) = local_trees::make(&folders, AMOUNTS, &stage.interrupt)?;
        let expected = Expectation::of(&as_trees)?;
        let before =
            BySide { src: fingerprint(&expected, Side::Source), dst: fingerprint(&expected, Side::Destination) };
        (Found { made, before }, closed)
    };
    let made = &found.made;
    for side in Side::BOTH {
        stage.report.line(&format!("{side} made: {} entries", grouped(made.entries[side])))?;
    }
    for remark in &made.remarks {
        stage.report.line(remark)?;
    }

    stage.begin_run(&found)?;
    let run = if let Some(run) = Run::gone_on_with(&scratch, &stage.interrupt)? {
        run
    } else {
        let places = BySide { src: Location::Local(folders.src), dst: Location::Local(folders.dst) };
        Run::of_places(&scratch, places, &stage.interrupt)?
    };
    run.print(&mut stage.report)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    let expected = verify(report, &run, &as_trees)?;
    let seen = made.entries.src - made.hidden_on_source;
    report.check_count(
        "source nodes by the number of entries made, and the root",
        seen + 1,
        run.nodes(Side::Source),
    )?;
    for side in Side::BOTH {
        let is_same = found.before[side] == fingerprint(&expected, side);
        let after = if is_same { "as before" } else { "changed" };
        report.check_text(&format!("{side} folder after the run"), "as before", after)?;
    }
    for what in ["already_existed", "conflict", "pending", "skipped"] {
        let count = expected.census.src.copy.get(what).copied().unwrap_or(0);
        report.check(&format!("source nodes that have to be {what}, computed"), count > 0, "some", &grouped(count))?;
    }
    report.check_text(
        "files left by the run",
        &format!("destination, {LEDGER}, source"),
        &names_in(&scratch)?.join(", "),
    )?;
    Ok(())
}

/// As good as never the same for two different folders.
fn fingerprint(expected: &Expectation, side: Side) -> String {
    format!("{:032x}", expected.census[side].with_statuses)
}
