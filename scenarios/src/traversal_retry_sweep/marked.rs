//! A folder in which nothing failed is listed again, because somebody says so; the source has changed in it.

use std::slice;
use std::time::Duration;

use anyhow::{Result, anyhow};
use longhaul_ledger::Selection;
use longhaul_model::{BySide, CopyStatus, Side, TraversalStatus};
use longhaul_spectra::{FaultClass, Reply};
use serde::{Deserialize, Serialize};

use super::listed::check_listed;
use super::picks::Picks;
use crate::shared::contents::Contents;
use crate::shared::last_word::LastWord;
use crate::shared::ledger_snapshot::{LedgerSnapshot, Row};
use crate::shared::report::{Report, grouped};
use crate::shared::simulated_world::SimulatedWorld;
use crate::shared::simulator;
use crate::shared::stage::Stage;
use crate::shared::trace::world_of;
use crate::shared::tree::Tree;
use crate::shared::trial::{Swept, Trial, is_within};

/// What comes into the folder that grows: a folder with a file in it.
const NEW_FOLDER: &str = "new folder";
const NEW_FILE: &str = "new folder/new file";
const NEW_TIME_NS: i64 = 1_600_000_000_123_456_789;

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
    /// Folders that are marked after each of the three changes of marks.
    folders: [i64; 3],
    copies: i64,
    ledger: LedgerSnapshot,
}

pub(super) fn run(stage: &mut Stage<'_>, trial: &Trial, picks: &Picks) -> Result<Seen> {
    let (discovery, discovered) =
        stage.step("discovery without faults", |_| Ok((trial.discover()?, trial.snapshot()?)))?;
    let marked = stage.step("a mark, and changes of the source", |_| {
        change_source(trial, picks)?;
        mark(trial, picks)
    })?;
    let (swept, after) = stage.step("sweep of the marked folder", |_| Ok((trial.sweep()?, trial.snapshot()?)))?;
    Ok(Seen { discovery, discovered, marked, swept, after })
}

/// Makes and removes what the sweep is to find out about, as far as that has not been done.
fn change_source(trial: &Trial, picks: &Picks) -> Result<()> {
    let simulator = trial.simulator()?;
    let source = simulator.world(world_of(Side::Source))?.undisturbed();
    let now = Duration::ZERO;
    let done = |reply: Reply<()>| match reply.result {
        Err(fault) if !matches!(fault.class, FaultClass::AlreadyExists | FaultClass::Vanished) => {
            Err(anyhow!("the source cannot be changed: {}", fault.message))
        }
        _ => Ok(()),
    };
    done(source.create_folder(format!("{}/{NEW_FOLDER}", picks.grown).as_bytes(), now))?;
    done(source.write_file(format!("{}/{NEW_FILE}", picks.grown).as_bytes(), b"new", NEW_TIME_NS, true, now))?;
    done(source.remove(picks.removed.as_bytes(), now))
}

fn mark(trial: &Trial, picks: &Picks) -> Result<Marked> {
    let one = |path: &String| Selection::Paths(vec![path.clone()]);
    let first = trial.edit()?.mark_retry(&one(&picks.unmarked))?.marked;
    let both = trial.edit()?.mark_retry(&one(&picks.marked))?.marked;
    let last = trial.edit()?.unmark(Some(&one(&picks.unmarked)))?;
    let folders = [first.folders, both.folders, last.folders];
    Ok(Marked { folders, copies: last.copies, ledger: trial.snapshot()? })
}

impl Seen {
    pub(super) fn check(&self, report: &mut Report<'_>, trial: &Trial, picks: &Picks) -> Result<()> {
        report.line("a folder that somebody has marked:")?;
        self.discovery.check(report)?;
        let (before, now) = (trial.pristine()?, trial.simulator()?);
        let trees = simulator::trees(&before)?;
        let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
        self.discovered.check_sound(report)?;
        self.discovered.check_as_in(report, &as_trees)?;

        let Marked { folders, copies, ledger } = &self.marked;
        report.check_text("folders marked: one, two, and one is unmarked", "[1, 2, 1]", &format!("{folders:?}"))?;
        report.check_count("nodes marked to be copied again", 0, copies.unsigned_abs())?;
        for side in Side::BOTH {
            ledger.check_rows(report, side, "as before they were marked", &self.discovered.rows[side])?;
        }

        self.swept.check_end(report)?;
        let worlds = Contents::of(&now)?;
        let folder = slice::from_ref(&picks.marked);
        check_listed(report, &self.swept, &worlds, folder, folder)?;
        self.check_found(report, &worlds, picks)?;
        let trees = simulator::trees(&now)?;
        let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
        self.after.check_sound(report)?;
        self.after.check_as_in(report, &as_trees)?;
        let there = self.after.there(Side::Source).len() as u64;
        report.check_count("source nodes by the simulator's own count", trees.src.count()?, there)?;
        let destination = Contents::of(&before)?.dst;
        worlds.dst.check(report, "destination", &destination)
    }

    /// What has changed is found, and what has not is as it was.
    fn check_found(&self, report: &mut Report<'_>, worlds: &BySide<Contents>, picks: &Picks) -> Result<()> {
        report.check_text("phase", "review", &self.after.phase)?;
        report.check_list("problems", &self.after.problems.iter().cloned().collect::<Vec<_>>())?;
        let is_outside = |row: &&Row| !is_within(&row.node.path, &picks.marked) || row.node.path == picks.marked;
        for side in Side::BOTH {
            let outside = |ledger: &LedgerSnapshot| -> Vec<Row> {
                ledger.rows[side].iter().filter(is_outside).cloned().collect()
            };
            let after = outside(&self.after);
            let mut only_outside = self.after.clone();
            only_outside.rows[side] = after;
            let what = "as before, of those that are not below the folder";
            only_outside.check_rows(report, side, what, &outside(&self.discovered))?;
        }
        let without_ids = |ledger: &LedgerSnapshot| -> Vec<Row> {
            ledger.rows.dst.iter().map(|row| Row { id: 0, ..row.clone() }).collect()
        };
        let mut found = self.after.clone();
        found.rows.dst = without_ids(&self.after);
        found.check_rows(report, Side::Destination, "as before, whatever their ids", &without_ids(&self.discovered))?;

        let there = self.after.there(Side::Source);
        let status = |path: &str| {
            let found = there.iter().find(|((there, _), _)| *there == path).map(|(_, row)| &row.node);
            found.map_or("nothing".to_owned(), |node| format!("{}, {:?}", node.traversal, node.copy))
        };
        let new = format!("{}, {:?}", TraversalStatus::Successful, Some(CopyStatus::Pending));
        for name in [NEW_FOLDER, NEW_FILE] {
            report.check_text(name, &new, &status(&format!("{}/{name}", picks.grown)))?;
        }
        report.check_text("the file that was removed", "nothing", &status(&picks.removed))?;
        let is_gone = !worlds.src.0.contains_key(&picks.removed);
        report.check(
            "the file that was removed, in the world",
            is_gone,
            "gone",
            if is_gone { "gone" } else { "there" },
        )?;
        self.check_that_what_is_found_again_keeps_its_id(report, picks)
    }

    fn check_that_what_is_found_again_keeps_its_id(&self, report: &mut Report<'_>, picks: &Picks) -> Result<()> {
        for side in Side::BOTH {
            let (before, after) = (self.discovered.there(side), self.after.there(side));
            let again = after.iter().filter_map(|(key, row)| Some((key, row.id, before.get(key)?.id)));
            let again: Vec<_> = again.filter(|((path, _), ..)| is_within(path, &picks.marked)).collect();
            let other = again.iter().filter(|(_, now, then)| now != then);
            let other: Vec<String> = other.map(|((path, _), now, then)| format!("{path}: {then}, now {now}")).collect();
            let count = grouped(again.len() as u64);
            report.check_list(&format!("of {count} {side} nodes found again, those with another id"), &other)?;
        }
        Ok(())
    }
}
