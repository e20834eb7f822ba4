//! `copy-retry`: one world of the simulator is brought to another one while some files cannot be read, some cannot be
//! written, and some folders cannot be made. Then all of that is repaired, and what had failed is copied, and nothing
//! else.
//!
//! The second copy is made by this program as a child, because what the simulator then wrote is in its log. While it runs,
//! whatever was copied before is denied: whoever tried to make or write it again would fail.

mod failures;

use std::collections::BTreeMap;

use anyhow::Result;
use longhaul_model::{BySide, CopyStatus, NodeKind, Side};
use longhaul_spectra::{FaultRule, Operation};
use serde::{Deserialize, Serialize};

use crate::shared::contents::Contents;
use crate::shared::last_word::LastWord;
use crate::shared::ledger_snapshot::{LedgerSnapshot, Row, differing};
use crate::shared::report::{Report, grouped};
use crate::shared::scratch::names_in;
use crate::shared::simulator::{self, Shipped};
use crate::shared::stage::Stage;
use crate::shared::steps::STEPS;
use crate::shared::trace::What;
use crate::shared::tree::Tree;
use crate::shared::trial::{self, Swept, Trial, denied};
use failures::Failures;

const CONFIG: Shipped = Shipped { name: "spectra-copy.json", text: include_str!("../../configs/spectra-copy.json") };

const WORLDS: &str = "worlds";

/// What is known when the worlds are made.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    seed: u64,
    failures: Failures,
}

/// What was seen.
struct Seen {
    discovery: LastWord,
    discovered: LedgerSnapshot,
    first: Copied,
    marked: Marked,
    swept: Swept,
    last: Copied,
}

/// A copy that was verified.
#[derive(Debug, Serialize, Deserialize)]
struct Copied {
    words: Vec<LastWord>,
    ledger: LedgerSnapshot,
    destination: Contents,
}

#[derive(Debug, Serialize, Deserialize)]
struct Marked {
    folders: i64,
    copies: i64,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let trial = Trial::in_folder(&scratch.join(WORLDS), &stage.interrupt);
    let found = match stage.is_set_up::<Found>()? {
        Some(found) => found,
        None => set_up(&trial)?,
    };
    let Found { seed, failures } = &found;
    stage.report.line(&format!("simulator of {}; what is picked follows from its seed, {seed}", CONFIG.name))?;
    failures.print(&mut stage.report)?;

    stage.begin_run(&found)?;
    let seen = run(stage, &trial, failures)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    let before = trial.pristine()?;
    let trees = simulator::trees(&before)?;
    let as_trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
    seen.discovery.check(report)?;
    seen.discovered.check_sound(report)?;
    seen.discovered.check_as_in(report, &as_trees)?;
    let before = Contents::of(&before)?;
    check_first(report, &seen, failures, &before)?;
    check_sweep(report, &seen, failures)?;
    check_last(report, &seen, &before, &trial.contents()?)?;
    trial::check_what_is_left(report, &trial, true)?;
    report.check_text("files left by the run", &[STEPS, WORLDS].join(", "), &names_in(&scratch)?.join(", "))
}

fn set_up(trial: &Trial) -> Result<Found> {
    let config = CONFIG.load()?;
    let seed = config.seed.seed;
    trial.make(config)?;
    let pristine = trial.pristine()?;
    let trees = simulator::trees(&pristine)?;
    let failures = Failures::of(&BySide { src: &trees.src, dst: &trees.dst }, seed)?;
    Ok(Found { seed, failures })
}

fn run(stage: &mut Stage<'_>, trial: &Trial, failures: &Failures) -> Result<Seen> {
    let copied = |words| Ok(Copied { words, ledger: trial.snapshot()?, destination: trial.contents()?.dst });
    let (discovery, discovered) = stage.step("discovery", |_| Ok((trial.discover()?, trial.snapshot()?)))?;
    let first: Copied = stage.step("copy with faults, and verification", |_| {
        trial.set_faults(failures.rules())?;
        copied(trial.copy_and_verify()?)
    })?;
    let marked = stage.step("repair, and marks", |_| {
        trial.set_faults(traps(&first.ledger))?;
        let marked = trial.edit()?.mark_failed(None)?;
        Ok(Marked { folders: marked.folders, copies: marked.copies })
    })?;
    let swept = stage.step("copy of what had failed", |_| trial.sweep())?;
    let last = stage.step("verification", |_| {
        trial.set_faults(Vec::new())?;
        copied(vec![trial.verify()?])
    })?;
    Ok(Seen { discovery, discovered, first, marked, swept, last })
}

/// Whatever was copied can neither be made nor written again.
fn traps(copied: &LedgerSnapshot) -> Vec<FaultRule> {
    let copied = copied.rows.src.iter().map(|row| &row.node);
    let copied = copied.filter(|node| node.copy == Some(CopyStatus::Successful));
    let trap = |kind| if kind == NodeKind::Folder { Operation::CreateFolder } else { Operation::UploadFile };
    copied.map(|node| denied(Side::Destination, trap(node.kind), &node.path)).collect()
}

/// What could not be copied has failed, and says why; everything else was copied.
fn check_first(report: &mut Report<'_>, seen: &Seen, failures: &Failures, before: &BySide<Contents>) -> Result<()> {
    report.line("with faults:")?;
    let Copied { words, ledger, destination } = &seen.first;
    words.iter().try_for_each(|word| word.check(report))?;
    ledger.check_sound(report)?;
    let due = failures.applied_to(&seen.discovered.rows.src);
    // Why something failed is worded by whoever failed: of that there only have to be certain words.
    let mut found = ledger.clone();
    for row in &mut found.rows.src {
        if row.node.copy == Some(CopyStatus::Failed) {
            row.error = None;
        }
    }
    found.check_rows(report, Side::Source, "copied, or failed, as they have to be", &due)?;
    ledger.check_rows(report, Side::Destination, "as before", &seen.discovered.rows.dst)?;
    let failed = due.iter().filter(|row| row.node.copy == Some(CopyStatus::Failed)).count() as u64;
    report.check("nodes that have to fail", failed > 0, "some", &grouped(failed))?;
    report.check_list("failed nodes without a reason that fits", &failures.without_reason(&ledger.rows.src))?;
    report.check_list("problems that are not as computed", &differing(&failures.problems(), &ledger.problems))?;
    let successful = brought(&due);
    destination.check(
        report,
        "destination",
        &before.dst.with_brought(&before.src, |path| successful.contains_key(path)),
    )
}

/// What had failed was written, once, and nothing else was.
fn check_sweep(report: &mut Report<'_>, seen: &Seen, failures: &Failures) -> Result<()> {
    report.line("copied again:")?;
    let failed = failures.applied_to(&seen.discovered.rows.src);
    let failed = failed.iter().map(|row| &row.node).filter(|node| node.copy == Some(CopyStatus::Failed));
    let Marked { folders, copies } = seen.marked;
    report.check_count("nodes marked to be copied again", failed.clone().count() as u64, copies.unsigned_abs())?;
    report.check_count("folders marked to be listed again", 0, folders.unsigned_abs())?;
    seen.swept.check_end(report)?;
    let mut times: BTreeMap<&str, u64> = BTreeMap::new();
    for trace in seen.swept.traces.iter().filter(|trace| trace.what == What::Written) {
        *times.entry(trace.path.as_str()).or_default() += if trace.side == Side::Destination { 1 } else { 100 };
    }
    let files: Vec<&str> = failed.filter(|node| node.kind == NodeKind::File).map(|node| node.path.as_str()).collect();
    let others = times.keys().filter(|path| !files.contains(path)).map(ToString::to_string);
    report.check_list("files written that had not failed", &others.collect::<Vec<_>>())?;
    if seen.swept.is_gone_on {
        return report.line("        how often the others were is not known of a sweep that was gone on with");
    }
    let wrong = files.iter().filter(|path| times.get(**path) != Some(&1)).map(ToString::to_string);
    let count = grouped(files.len() as u64);
    report.check_list(&format!("of {count} files that had failed, those not written once"), &wrong.collect::<Vec<_>>())
}

/// In the end all of it is there.
fn check_last(report: &mut Report<'_>, seen: &Seen, before: &BySide<Contents>, now: &BySide<Contents>) -> Result<()> {
    report.line("in the end:")?;
    let Copied { words, ledger, destination } = &seen.last;
    words.iter().try_for_each(|word| word.check(report))?;
    ledger.check_sound(report)?;
    report.check_text("phase", "complete", &ledger.phase)?;
    let due = copied_all(&seen.discovered.rows.src);
    ledger.check_rows(report, Side::Source, "copied as they have to be", &due)?;
    report.check_list("problems", &ledger.problems.iter().cloned().collect::<Vec<_>>())?;
    let successful = brought(&due);
    report.check_count("events that say that a node was copied", successful.len() as u64, ledger.copied_events)?;
    report.check_count("plans carried out, one after the other", 2, ledger.plans.len() as u64)?;
    ledger.check_verified(report)?;
    let whole = before.dst.with_brought(&before.src, |path| successful.contains_key(path));
    destination.check(report, "destination", &whole)?;
    now.dst.check(report, "destination, now", &whole)?;
    now.src.check(report, "source", &before.src)
}

/// The rows when nothing fails.
fn copied_all(rows: &[Row]) -> Vec<Row> {
    Failures::default().applied_to(rows)
}

/// What was copied, by path.
fn brought(rows: &[Row]) -> BTreeMap<&str, &Row> {
    let copied = rows.iter().filter(|row| row.node.copy == Some(CopyStatus::Successful));
    copied.map(|row| (row.node.path.as_str(), row)).collect()
}
