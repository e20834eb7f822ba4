//! `dual-tree`: two small trees that were written by hand. Nothing at the top of the source can be listed or read at
//! first. What the ledger has to say of every node of both sides is written down for each stage on the way until all is
//! copied, and so is every node that is at the destination in the end.

mod table;
mod trees;

use anyhow::Result;
use longhaul_model::Side;
use serde::{Deserialize, Serialize};

use crate::shared::contents::Contents;
use crate::shared::last_word::LastWord;
use crate::shared::ledger_snapshot::LedgerSnapshot;
use crate::shared::report::Report;
use crate::shared::scratch::names_in;
use crate::shared::stage::Stage;
use crate::shared::steps::STEPS;
use crate::shared::trial::{self, Trial};

const WORLDS: &str = "worlds";

/// One stage of the migration that is over.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    words: Vec<LastWord>,
    ledger: LedgerSnapshot,
    destination: Contents,
}

/// What was marked for retry.
#[derive(Debug, Serialize, Deserialize)]
struct Marked {
    folders: i64,
    copies: i64,
}

/// What was approved after the sweep.
#[derive(Debug, Serialize, Deserialize)]
struct Approved {
    nodes: i64,
    hash: String,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let trial = Trial::in_folder(&scratch.join(WORLDS), &stage.interrupt);
    if stage.is_set_up::<()>()?.is_none() {
        trial.make(trees::config()?)?;
        trees::write(&trial.simulator()?)?;
    }
    let [source, destination] = [Side::Source, Side::Destination].map(trees::count);
    stage.report.line(&format!("two trees of {source} and {destination} nodes; nothing at random"))?;

    stage.begin_run(&())?;
    let seen = |words| Ok(Seen { words, ledger: trial.snapshot()?, destination: trial.contents()?.dst });
    let discovered = stage.step("discovery with faults", |_| {
        trial.set_faults(trees::faults())?;
        seen(vec![trial.discover()?])
    })?;
    let copied = stage.step("copy with faults, and verification", |_| seen(trial.copy_and_verify()?))?;
    let marked = stage.step("repair, and marks", |_| {
        trial.set_faults(Vec::new())?;
        let marked = trial.edit()?.mark_failed(None)?;
        Ok(Marked { folders: marked.folders, copies: marked.copies })
    })?;
    let swept = stage.step("sweep", |_| seen(vec![trial.sweep_here()?]))?;
    let approved = stage.step("approval", |_| {
        let approval = trial.edit()?.approve(false)?;
        Ok(Approved { nodes: approval.nodes, hash: approval.hash })
    })?;
    let last = stage.step("copy, and verification", |_| seen(trial.copy_and_verify()?))?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    for (stage, seen) in [&discovered, &copied, &swept, &last].into_iter().enumerate() {
        check_stage(report, stage, seen)?;
    }
    report.line("on the way:")?;
    report.check_count("folders marked", 2, marked.folders.unsigned_abs())?;
    report.check_count("nodes marked to be copied again", 1, marked.copies.unsigned_abs())?;
    report.check_count("nodes approved", table::APPROVED, approved.nodes.unsigned_abs())?;
    last.ledger.check_verified(report)?;
    let plan = last.ledger.plans.last().map_or("none", String::as_str);
    report.check_text("plan carried out in the end", &approved.hash, plan)?;
    report.check_count("plans carried out, one after the other", 2, last.ledger.plans.len() as u64)?;
    let now = trial.contents()?;
    now.src.check(report, "source", &trees::contents_of(Side::Source)?)?;
    now.dst.check(report, "destination, now", &trees::destination_after(3)?)?;
    trial::check_what_is_left(report, &trial, false)?;
    report.check_text("files left by the run", &[STEPS, WORLDS].join(", "), &names_in(&scratch)?.join(", "))
}

/// Every node has the statuses that are in the table, and none is missing.
fn check_stage(report: &mut Report<'_>, stage: usize, seen: &Seen) -> Result<()> {
    report.line(&format!("{}:", table::STAGES[stage]))?;
    seen.words.iter().try_for_each(|word| word.check(report))?;
    seen.ledger.check_sound(report)?;
    for side in Side::BOTH {
        for (path, due, found) in table::compare(&seen.ledger, side, stage) {
            report.check_text(&format!("{} {path}", side.prefix()), due, &found)?;
        }
    }
    let problems: Vec<&str> = seen.ledger.problems.iter().map(String::as_str).collect();
    report.check_text("problems", &table::PROBLEMS[stage].join(", "), &problems.join(", "))?;
    let expected = trees::destination_after(stage)?;
    seen.destination.check(report, "destination", &expected)
}
