//! `copy-resumption`: this program brings some thousand small files and a large one to an empty folder. It is
//! interrupted, and killed, among the small files and again within the large one, and goes on each time. What was
//! committed is never written again, and in the end both folders are the same.
//!
//! The log tells of every file and part that was written. Whoever reads it stops reading where the program is to be
//! stopped, and so holds it there until its status tells the same.
//!
//! When the scenario itself is cut short and gone on with, it does all of this anew: what it has seen of the program is
//! in no ledger.

mod status;
mod tree;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use longhaul_ledger::{Reader, log_of};
use longhaul_model::{decode_name, encode_name};
use rustix::process::Signal;

use crate::interrupt::Interrupt;
use crate::shared::ledger_rows::number;
use crate::shared::program::{Ended, Heard, Program};
use crate::shared::report::{Report, grouped};
use crate::shared::scratch::names_in;
use crate::shared::snapshot::{Identity, Snapshot, compare_bytes};
use crate::shared::stage::Stage;
use status::Progress;
use written::{LOG_FILTER, Written};

const LEDGER: &str = "ledger.duckdb";
const SOURCE: &str = "source";
const DESTINATION: &str = "destination";

/// Workers: more of them come further while it is noticed how far they are.
const COPIERS: &str = "2";

/// A way of stopping the program, and what must come of it.
#[derive(Debug)]
struct Interruption {
    what: &'static str,
    signal: Signal,
    after: After,
    /// As a shell gives it.
    exit_code: i32,
    phase: &'static str,
}

/// How much the program has to have written before it is stopped.
#[derive(Clone, Copy, Debug)]
enum After {
    Files(usize),
    Parts(usize),
}

const INTERRUPTIONS: [Interruption; 4] = [
    Interruption {
        what: "interrupt among the small files",
        signal: Signal::INT,
        after: After::Files(1_000),
        exit_code: 130,
        phase: "suspended",
    },
    Interruption {
        what: "kill among the small files",
        signal: Signal::KILL,
        after: After::Files(800),
        exit_code: 137,
        phase: "copying",
    },
    Interruption {
        what: "interrupt within the large file",
        signal: Signal::INT,
        after: After::Parts(16),
        exit_code: 130,
        phase: "suspended",
    },
    Interruption {
        what: "kill within the large file",
        signal: Signal::KILL,
        after: After::Parts(16),
        exit_code: 137,
        phase: "copying",
    },
];

/// A run of the program, and what it wrote.
#[derive(Debug)]
struct Ran {
    ended: Ended,
    files: Vec<String>,
    parts: Vec<u32>,
    /// What the status said when it was stopped.
    status: Option<Progress>,
}

/// What there was when the program was gone.
#[derive(Debug)]
struct Seen {
    ran: Ran,
    phase: String,
    has_log: bool,
    /// Nodes that were still to be copied.
    pending: u64,
    /// Files that the ledger says were copied, and which files of this machine they are.
    committed: BTreeMap<String, Option<Identity>>,
    /// Parts that it says were.
    parts: BTreeSet<u32>,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    if stage.is_set_up::<()>()?.is_some() {
        stage.report.line("and made again, as are the runs: what was seen of them is not kept")?;
        stage.scratch.start_over()?;
    }
    let scratch = stage.scratch.path().to_owned();
    let entries = tree::make(&scratch.join(SOURCE), &stage.interrupt)?;
    std::fs::create_dir(scratch.join(DESTINATION))?;
    let before = Snapshot::of(&scratch.join(SOURCE), &stage.interrupt)?;
    let place = Place {
        program: Program::this(&scratch, LOG_FILTER, &stage.interrupt)?,
        ledger: scratch.join(LEDGER),
        destination: scratch.join(DESTINATION),
        interrupt: stage.interrupt.clone(),
    };
    stage.report.line(&format!(
        "source made: {} entries, among them a file of {} bytes",
        grouped(entries),
        grouped(tree::LARGE_BYTES as u64)
    ))?;

    stage.begin_run(&())?;
    let mut all_seen = Vec::new();
    for (number, interruption) in INTERRUPTIONS.iter().enumerate() {
        let seen = place.interrupt_once(interruption, number > 0)?;
        let (files, parts) = (seen.ran.files.len() as u64, seen.ran.parts.len());
        stage.report.line(&format!(
            "{}: {}, {} files and {parts} parts written, {} files and {} parts committed by now",
            interruption.what,
            seen.ran.ended.ending(),
            grouped(files),
            grouped(seen.committed.len() as u64),
            seen.parts.len(),
        ))?;
        all_seen.push(seen);
    }
    let last = place.run(&going_on(), None)?;
    let (files, parts) = (last.files.len() as u64, last.parts.len());
    let ending = last.ended.ending();
    stage.report.line(&format!("gone on: {ending}, {} files and {parts} parts written", grouped(files)))?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    for (number, (interruption, seen)) in INTERRUPTIONS.iter().zip(&all_seen).enumerate() {
        report.line(&format!("after the {}:", interruption.what))?;
        let before = number.checked_sub(1).map(|before| &all_seen[before]);
        check_stop(report, interruption, seen, before, entries)?;
    }
    report.line("in the end:")?;
    report.check_text("end of the last run", "exit code 0", &last.ended.ending())?;
    check_repetitions(report, &all_seen, &last)?;
    let reader = Reader::open(&place.ledger).with_context(|| last.ended.said())?;
    check_ledger(report, &reader, entries)?;
    drop(reader);
    let after = Snapshot::of(&place.destination, &stage.interrupt)?;
    check_destination(report, &scratch, &before, &after, &all_seen, &stage.interrupt)?;
    let due = format!("{DESTINATION}, {LEDGER}, {SOURCE}");
    report.check_text("files left by the runs", &due, &names_in(&scratch)?.join(", "))
}

/// Where the program works.
#[derive(Debug)]
struct Place {
    program: Program,
    ledger: PathBuf,
    destination: PathBuf,
    interrupt: Interrupt,
}

impl Place {
    fn interrupt_once(&self, interruption: &Interruption, is_begun: bool) -> Result<Seen> {
        let arguments = if is_begun { going_on() } else { beginning() };
        let ran = self.run(&arguments, Some(interruption))?;
        let has_log = log_of(&self.ledger).exists();
        let reader = Reader::open(&self.ledger).with_context(|| ran.ended.said())?;
        let phase = reader.migration()?.phase.to_string();
        let pending = number(&reader, "SELECT count(*) FROM src_status WHERE copy_status = 'pending'")?;
        let copied = "SELECT path FROM src_status WHERE kind = 'file' AND copy_status = 'successful'";
        let committed = self.identities(reader.query(copied)?.rows.into_iter().flatten().flatten())?;
        let parts = reader.query("SELECT part FROM parts")?.rows.into_iter().flatten().flatten();
        let parts = parts.map(|part| Ok(part.parse()?)).collect::<Result<_>>()?;
        Ok(Seen { ran, phase, has_log, pending: pending.unsigned_abs(), committed, parts })
    }

    /// Which files of this machine these are at the destination.
    fn identities(&self, paths: impl Iterator<Item = String>) -> Result<BTreeMap<String, Option<Identity>>> {
        let found = Snapshot::of(&self.destination, &self.interrupt)?;
        let identity = |path: String| {
            let identity = found.get(&decode_name(&path)?).map(|entry| entry.identity);
            Ok((path, identity))
        };
        paths.map(identity).collect()
    }

    /// Runs the program, and stops it when it has come so far and says so.
    fn run(&self, arguments: &[String], stop: Option<&Interruption>) -> Result<Ran> {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (mut files, mut parts, mut status) = (Vec::new(), Vec::new(), None);
        let ended = self.program.run(&arguments, |line| {
            match Written::parse(line) {
                None => return Ok(Heard::ForPeople),
                Some(Written::File(path)) => files.push(path),
                Some(Written::Part(part)) => parts.push(part),
            }
            let Some(stop) = stop.filter(|_| status.is_none()) else { return Ok(Heard::Understood) };
            let is_far_enough = match stop.after {
                After::Files(count) => files.len() >= count,
                After::Parts(count) => parts.len() >= count,
            };
            if !is_far_enough {
                return Ok(Heard::Understood);
            }
            // It has written more than that and waits for its log to be read: it cannot come to its end meanwhile. The
            // last one of each worker may not be counted yet.
            let counted = |written: usize| (written - COPIERS.parse::<usize>().unwrap_or(0)) as u64;
            status = Some(status::wait_for(&self.ledger, &self.interrupt, |progress| match stop.after {
                After::Files(_) => progress.nodes >= counted(files.len()),
                After::Parts(_) => progress.bytes >= counted(parts.len()) * tree::PART_BYTES as u64,
            })?);
            Ok(Heard::Stop(stop.signal))
        })?;
        Ok(Ran { ended, files, parts, status })
    }
}

fn beginning() -> Vec<String> {
    let large_from = tree::LARGE_FROM_MIB.to_string();
    with_common(&["migrate", SOURCE, DESTINATION, "--large-from", &large_from])
}

fn going_on() -> Vec<String> {
    with_common(&["migrate", "--resume"])
}

fn with_common(arguments: &[&str]) -> Vec<String> {
    let common = ["--copiers", COPIERS, "--level", "checksum", "--ledger", LEDGER];
    arguments.iter().chain(&common).map(|&argument| argument.to_owned()).collect()
}

/// What was there when the program was gone.
fn check_stop(
    report: &mut Report<'_>,
    interruption: &Interruption,
    seen: &Seen,
    before: Option<&Seen>,
    entries: u64,
) -> Result<()> {
    let (exit_code, found) = (interruption.exit_code.to_string(), seen.ran.ended.shell_code().to_string());
    report.check_text("exit code", &exit_code, &found)?;
    report.check_text("phase", interruption.phase, &seen.phase)?;
    let status = seen.ran.status.unwrap_or_default();
    let due = before.map_or(entries, |before| before.pending);
    report.check_count("nodes in all by the status", due, status.nodes_in_all)?;
    let is_within = status.nodes < status.nodes_in_all && status.bytes < status.bytes_in_all;
    let all = format!("fewer than {} and {}", grouped(status.nodes_in_all), grouped(status.bytes_in_all));
    let found = format!("{} and {}", grouped(status.nodes), grouped(status.bytes));
    report.check("nodes and bytes dealt with by the status", is_within, &all, &found)?;
    let (files, parts) = (seen.committed.len() as u64, seen.parts.len() as u64);
    match interruption.after {
        After::Files(_) => {
            let small = (tree::FOLDERS * tree::FILES_IN_EACH) as u64;
            report.check("files committed", files > 0 && files < small, "some, not all", &grouped(files))?;
        }
        After::Parts(_) => {
            let all = (tree::LARGE_BYTES / tree::PART_BYTES) as u64;
            report.check("parts committed", parts > 0 && parts < all, "some, not all", &grouped(parts))?;
        }
    }
    if interruption.signal != Signal::INT {
        return Ok(());
    }
    report.check_text("write-ahead log", "gone", if seen.has_log { "there" } else { "gone" })?;
    let files = seen.ran.files.iter().filter(|path| !seen.committed.contains_key(*path)).count();
    let parts = seen.ran.parts.iter().filter(|part| !seen.parts.contains(part)).count();
    report.check_count("files written and not committed", 0, files as u64)?;
    report.check_count("parts written and not committed", 0, parts as u64)
}

/// What was committed before a run was not written by it.
fn check_repetitions(report: &mut Report<'_>, all_seen: &[Seen], last: &Ran) -> Result<()> {
    let later_runs = all_seen.iter().skip(1).map(|seen| &seen.ran).chain([last]);
    let (mut files, mut parts) = (Vec::new(), Vec::new());
    for (before, ran) in all_seen.iter().zip(later_runs) {
        files.extend(ran.files.iter().filter(|path| before.committed.contains_key(*path)).cloned());
        parts.extend(ran.parts.iter().filter(|part| before.parts.contains(part)).map(u32::to_string));
    }
    report.check_list("files committed and written again", &files)?;
    report.check_list("parts committed and written again", &parts)?;
    let all = u32::try_from(tree::LARGE_BYTES / tree::PART_BYTES)?;
    let runs = || all_seen.iter().map(|seen| &seen.ran).chain([last]);
    let written: BTreeSet<u32> = runs().flat_map(|ran| ran.parts.iter().copied()).collect();
    report.check_count("parts of the large file written", u64::from(all), written.len() as u64)?;
    let in_last = last.parts.len() as u64;
    report.check(
        "of these in the last run",
        in_last > 0 && in_last < u64::from(all),
        "some, not all",
        &grouped(in_last),
    )
}

fn check_ledger(report: &mut Report<'_>, reader: &Reader, entries: u64) -> Result<()> {
    report.check_text("phase", "complete", reader.migration()?.phase.as_str())?;
    let successful = "FROM src_status_events WHERE copy_status = 'successful'";
    for (what, due, sql) in [
        ("events that say that a node was copied", entries, format!("SELECT count(*) {successful}")),
        ("nodes that have such an event", entries, format!("SELECT count(DISTINCT node_id) {successful}")),
        (
            "nodes that are there",
            entries,
            "SELECT count(*) FROM src_status WHERE copy_status = 'successful'".to_owned(),
        ),
        ("records of parts that are left", 0, "SELECT count(*) FROM parts".to_owned()),
        ("problems", 0, "SELECT count(*) FROM problems".to_owned()),
    ] {
        report.check_count(what, due, number(reader, &sql)?.unsigned_abs())?;
    }
    let verified = reader.overview()?.verified;
    report.check_count("nodes verified at the destination", entries, verified.nodes.unsigned_abs())?;
    report.check_count("nodes that verification found different", 0, verified.differences.unsigned_abs())?;
    let equal = reader.counters()? == reader.recount()?;
    report.check_text("counters and recount", "equal", if equal { "equal" } else { "different" })?;
    let runs = reader.overview()?.runs;
    let outcomes: Vec<&str> = runs.iter().map(|run| run.outcome.as_deref().unwrap_or("no outcome")).collect();
    // Discovery, four runs cut short, the last copy, and the verification.
    let due = "complete, interrupted, no outcome, interrupted, no outcome, complete, complete";
    report.check_text("runs in the ledger", due, &outcomes.join(", "))
}

/// The destination is the source, and what was there once was not touched again.
fn check_destination(
    report: &mut Report<'_>,
    scratch: &Path,
    before: &Snapshot,
    after: &Snapshot,
    all_seen: &[Seen],
    interrupt: &Interrupt,
) -> Result<()> {
    let facts = |snapshot: &Snapshot| -> BTreeMap<Vec<u8>, _> {
        // The root was there before, and has a time of its own.
        let below = snapshot.entries.iter().filter(|(path, _)| path[..] != b"/"[..]);
        below.map(|(path, entry)| (path.clone(), entry.facts.clone())).collect()
    };
    let (source, destination) = (facts(before), facts(after));
    let paths: BTreeSet<&Vec<u8>> = source.keys().chain(destination.keys()).collect();
    let different = paths.iter().filter(|path| source.get(**path) != destination.get(**path));
    let different: Vec<String> = different.map(|path| encode_name(path).into_owned()).collect();
    let what = format!("of {} entries, those that are not the same on both sides", grouped(paths.len() as u64));
    report.check_list(&what, &different)?;
    let (mut bytes, mut other) = (0, Vec::new());
    for path in source.iter().filter(|(_, facts)| facts.kind == "file").map(|(path, _)| path) {
        match compare_bytes([&scratch.join(SOURCE), &scratch.join(DESTINATION)], path, interrupt) {
            Ok(Ok(length)) => bytes += length,
            Ok(Err(at)) => other.push(format!("{}: at byte {at}", encode_name(path))),
            Err(error) => other.push(format!("{error:#}")),
        }
    }
    report.check_list("files with other bytes on the two sides", &other)?;
    report.line(&format!("        {} bytes compared", grouped(bytes)))?;
    let temporary = after.entries.keys().map(|path| encode_name(path).into_owned());
    let temporary: Vec<String> = temporary.filter(|path| path.contains("/.longhaul-")).collect();
    report.check_list("temporary files left", &temporary)?;
    let committed = all_seen.iter().flat_map(|seen| &seen.committed);
    let touched = committed.clone().filter(|(path, identity)| {
        let now = decode_name(path).ok().and_then(|path| after.get(&path).map(|entry| entry.identity));
        identity.is_none()
            || now.map(|now| (now.inode, now.changed_ns)) != identity.map(|was| (was.inode, was.changed_ns))
    });
    let touched: Vec<String> = touched.map(|(path, _)| path.clone()).collect();
    let count = grouped(committed.count() as u64);
    report.check_list(&format!("of {count} looks at a committed file, those at one that was touched later"), &touched)
}
