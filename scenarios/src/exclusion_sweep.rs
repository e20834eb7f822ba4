//! `exclusion-sweep`: after a traversal of two worlds of the simulator folders are excluded and included again, one in
//! the other; then the plan is approved and carried out, and what is excluded stays behind.

mod edits;
mod picks;
mod rules;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use longhaul_ledger::log_of;
use longhaul_model::{BySide, Side};
use serde::{Deserialize, Serialize};

use crate::shared::contents::Contents;
use crate::shared::last_word::LastWord;
use crate::shared::ledger_snapshot::LedgerSnapshot;
use crate::shared::report::{Report, grouped};
use crate::shared::scratch::names_in;
use crate::shared::simulator::{self, Shipped};
use crate::shared::stage::Stage;
use crate::shared::steps::STEPS;
use crate::shared::tree::Tree;
use crate::shared::trial::{self, Trial};
use edits::Edits;
use picks::Picks;
use rules::{carried_out, is_pending};

const CONFIG: Shipped = Shipped { name: "spectra-copy.json", text: include_str!("../../configs/spectra-copy.json") };

const WORLDS: &str = "worlds";
/// The ledger as it was when it was discovered: what is excluded in it is excluded anew when that was cut short.
const DISCOVERED: &str = "discovered.duckdb";

/// What is known when the worlds are made.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    seed: u64,
    picks: Picks,
}

/// What was seen.
struct Seen {
    discovery: LastWord,
    discovered: LedgerSnapshot,
    edits: Edits,
    words: Vec<LastWord>,
    after: LedgerSnapshot,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let trial = Trial::in_folder(&scratch.join(WORLDS), &stage.interrupt);
    let found = match stage.is_set_up::<Found>()? {
        Some(found) => found,
        None => set_up(&trial)?,
    };
    let Found { seed, picks } = &found;
    stage.report.line(&format!("simulator of {}; what is picked follows from its seed, {seed}", CONFIG.name))?;
    stage.report.line(&format!("to be excluded: {}, and in it {}", picks.outer, picks.inner))?;

    stage.begin_run(&found)?;
    let kept = scratch.join(DISCOVERED);
    let (discovery, discovered) = stage.step("discovery", |_| {
        let word = trial.discover()?;
        fs::copy(&trial.ledger, &kept).context("the ledger cannot be kept")?;
        Ok((word, trial.snapshot()?))
    })?;
    let edits = stage.step("exclusions and approval", |stage| {
        put_back(&trial, &kept)?;
        edits::make(&trial, picks, &stage.interrupt)
    })?;
    let (words, after) = stage.step("copy and verification", |_| Ok((trial.copy_and_verify()?, trial.snapshot()?)))?;
    let seen = Seen { discovery, discovered, edits, words, after };

    stage.begin_verification()?;
    let report = &mut stage.report;
    let before = trial.pristine()?;
    let trees = simulator::trees(&before)?;
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    seen.discovery.check(report)?;
    seen.discovered.check_sound(report)?;
    seen.discovered.check_as_in(report, &as_trees)?;
    edits::check(report, &seen.discovered, &seen.edits, picks)?;
    check_copied(report, &seen, &Contents::of(&before)?, &trial.contents()?)?;
    trial::check_what_is_left(report, &trial, false)?;
    report.check_text("files left by the run", &[DISCOVERED, STEPS, WORLDS].join(", "), &names_in(&scratch)?.join(", "))
}

fn set_up(trial: &Trial) -> Result<Found> {
    let config = CONFIG.load()?;
    let seed = config.seed.seed;
    trial.make(config)?;
    let pristine = trial.pristine()?;
    let trees = simulator::trees(&pristine)?;
    let picks = Picks::of(&BySide { src: &trees.src, dst: &trees.dst }, seed)?;
    Ok(Found { seed, picks })
}

fn put_back(trial: &Trial, kept: &Path) -> Result<()> {
    match fs::remove_file(log_of(&trial.ledger)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::copy(kept, &trial.ledger).context("the ledger cannot be put back")?;
    Ok(())
}

/// What was approved was brought over, and nothing else.
fn check_copied(report: &mut Report<'_>, seen: &Seen, before: &BySide<Contents>, now: &BySide<Contents>) -> Result<()> {
    report.line("carried out:")?;
    seen.words.iter().try_for_each(|word| word.check(report))?;
    let plan = seen.edits.last();
    let brought = plan.rows.src.iter().filter(|row| is_pending(row)).count() as u64;
    report.check_text("phase", "complete", &seen.after.phase)?;
    report.check_text("plan carried out", &seen.edits.approved.hash, &seen.after.plans.join(", "))?;
    seen.after.check_rows(report, Side::Source, "as the plan has it", &carried_out(&plan.rows.src))?;
    seen.after.check_sound(report)?;
    report.check_count("events that say that a node was copied", brought, seen.after.copied_events)?;
    seen.after.check_verified(report)?;

    let pending: BTreeSet<&str> =
        plan.rows.src.iter().filter(|row| is_pending(row)).map(|row| row.node.path.as_str()).collect();
    let due = before.dst.with_brought(&before.src, |path| pending.contains(path));
    now.dst.check(report, "destination", &due)?;
    now.src.check(report, "source", &before.src)?;
    let excluded = plan.rows.src.iter().filter(|row| rules::is_excluded(row));
    let absent = excluded.clone().filter(|row| !before.dst.0.contains_key(&row.node.path));
    let absent: Vec<&str> = absent.map(|row| row.node.path.as_str()).collect();
    let there: Vec<String> =
        absent.iter().filter(|path| now.dst.0.contains_key(**path)).map(ToString::to_string).collect();
    report.check(
        "excluded nodes that were not there before",
        !absent.is_empty(),
        "some",
        &grouped(absent.len() as u64),
    )?;
    report.check_list("excluded nodes that are there now and were not before", &there)
}
