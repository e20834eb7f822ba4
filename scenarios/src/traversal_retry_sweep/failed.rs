//! Folders that could not be listed are found when they can be.

use anyhow::Result;
use longhaul_model::{BySide, Side};
use longhaul_spectra::Operation;
use serde::{Deserialize, Serialize};

use super::listed::check_listed;
use super::picks::Picks;
use crate::shared::contents::Contents;
use crate::shared::last_word::LastWord;
use crate::shared::ledger_snapshot::LedgerSnapshot;
use crate::shared::refusing::Refusing;
use crate::shared::report::Report;
use crate::shared::simulated_world::SimulatedWorld;
use crate::shared::simulator;
use crate::shared::stage::Stage;
use crate::shared::tree::Tree;
use crate::shared::trial::{Swept, Trial, denied};

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen {
    discovery: LastWord,
    discovered: LedgerSnapshot,
    marked: Marked,
    swept: Swept,
    after: LedgerSnapshot,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marked {
    folders: i64,
    copies: i64,
}

pub(super) fn run(stage: &mut Stage<'_>, trial: &Trial, picks: &Picks) -> Result<Seen> {
    let (discovery, discovered) = stage.step("discovery with faults", |_| {
        let faults = Side::BOTH
            .into_iter()
            .flat_map(|side| picks.denied[side].iter().map(move |path| denied(side, Operation::ListChildren, path)));
        trial.set_faults(faults.collect())?;
        Ok((trial.discover()?, trial.snapshot()?))
    })?;
    let marked = stage.step("repair, and marks", |_| {
        trial.set_faults(Vec::new())?;
        let marked = trial.edit()?.mark_failed(None)?;
        Ok(Marked { folders: marked.folders, copies: marked.copies })
    })?;
    let (swept, after) = stage.step("sweep of what had failed", |_| Ok((trial.sweep()?, trial.snapshot()?)))?;
    Ok(Seen { discovery, discovered, marked, swept, after })
}

impl Seen {
    pub(super) fn check(&self, report: &mut Report<'_>, trial: &Trial, picks: &Picks) -> Result<()> {
        report.line("folders that could not be listed at first:")?;
        self.discovery.check(report)?;
        let simulator = trial.simulator()?;
        let trees = simulator::trees(&simulator)?;
        let refusing = BySide {
            src: Refusing { tree: &trees.src, denied: &picks.denied.src },
            dst: Refusing { tree: &trees.dst, denied: &picks.denied.dst },
        };
        let as_trees: BySide<&dyn Tree> = BySide { src: &refusing.src, dst: &refusing.dst };
        self.discovered.check_sound(report)?;
        self.discovered.check_as_in(report, &as_trees)?;
        let all = picks.denied_anywhere();
        report.check_count("folders marked", all.len() as u64, self.marked.folders.unsigned_abs())?;
        report.check_count("nodes marked to be copied again", 0, self.marked.copies.unsigned_abs())?;

        self.swept.check_end(report)?;
        // What the destination had not said may be asked of the destination alone.
        check_listed(report, &self.swept, &Contents::of(&simulator)?, &all, &picks.denied.src)?;
        report.check_text("phase", "review", &self.after.phase)?;
        let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
        self.after.check_sound(report)?;
        self.after.check_as_in(report, &as_trees)?;
        let there = self.after.there(Side::Source).len() as u64;
        report.check_count("source nodes by the simulator's own count", trees.src.count()?, there)?;
        let with_a_reason = Side::BOTH.into_iter().flat_map(|side| &self.after.rows[side]);
        let with_a_reason = with_a_reason.filter(|row| row.error.is_some()).map(ToString::to_string);
        report.check_list("nodes about which something is said", &with_a_reason.collect::<Vec<_>>())
    }
}
