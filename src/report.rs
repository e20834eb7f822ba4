//! Where a migration stands, for people and for programs.

use std::io::{self, Write};
use std::path::Path;

use indicatif::{HumanBytes, HumanCount};
use longhaul_ledger::{
    Counters, LedgerError, Overview, PaceRow, Problem, Reader, Run, SweepFound, SweepSummary, Verified,
};
use longhaul_model::Phase;
use serde::Serialize;

use crate::Exit;

/// What `status` says, and what a run ends with. Its JSON form is a promise.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    ledger: String,
    source: String,
    destination: String,
    phase: Phase,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase_reason: Option<String>,
    src: SourceReport,
    dst: DestinationReport,
    #[serde(skip_serializing_if = "Option::is_none")]
    sweep: Option<SweepSummary>,
    verified: Verified,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pace: Vec<PaceRow>,
    problem_count: i64,
    problems: Vec<Problem>,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct SourceReport {
    nodes: i64,
    #[serde(flatten)]
    counted: Counted,
    already_existed: Amount,
    copy_pending: Amount,
    conflicts: Amount,
    /// Of the conflicts, those that have come up since the plan was made: nobody has seen them in it.
    late_conflicts: i64,
    skipped: Amount,
    excluded: Amount,
    #[serde(flatten)]
    copy: CopyReport,
}

/// What became of nodes that were to be copied.
#[derive(Debug, Serialize)]
struct CopyReport {
    copied: Amount,
    failed: Amount,
    vanished: Amount,
}

#[derive(Debug, Serialize)]
struct DestinationReport {
    nodes: i64,
    #[serde(flatten)]
    counted: Counted,
    not_on_src: Amount,
}

#[derive(Debug, Serialize)]
struct Counted {
    folders: i64,
    files: i64,
    symlinks: i64,
    others: i64,
    bytes: i64,
    folders_listed: i64,
    folders_pending: i64,
    folders_failed: i64,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Amount {
    nodes: i64,
    bytes: i64,
}

impl Report {
    /// Reads it from a ledger that is not in use.
    pub(crate) fn read(ledger: &Path) -> Result<Report, LedgerError> {
        Ok(Report::new(ledger, Reader::open(ledger)?.overview()?))
    }

    /// What an overview of this ledger says.
    pub(crate) fn new(ledger: &Path, overview: Overview) -> Report {
        let Overview { migration, totals, late_conflicts, runs, verified, sweep, pace, problem_count, problems } =
            overview;
        let (src, dst) = (totals.src, totals.dst);
        Report {
            ledger: ledger.display().to_string(),
            source: migration.spec.source,
            destination: migration.spec.destination,
            phase: migration.phase,
            phase_reason: migration.phase_reason,
            src: SourceReport {
                nodes: src.nodes(),
                counted: Counted::from(&src),
                already_existed: Amount { nodes: src.already_existed, bytes: src.already_existed_bytes },
                copy_pending: Amount { nodes: src.copy_pending(), bytes: src.copy_pending_bytes() },
                conflicts: Amount { nodes: src.conflicts, bytes: src.conflict_bytes },
                late_conflicts,
                skipped: Amount { nodes: src.skipped, bytes: src.skipped_bytes },
                excluded: Amount { nodes: src.excluded, bytes: src.excluded_bytes },
                copy: CopyReport {
                    copied: Amount { nodes: src.copied, bytes: src.copied_bytes },
                    failed: Amount { nodes: src.copy_failed, bytes: src.copy_failed_bytes },
                    vanished: Amount { nodes: src.vanished, bytes: src.vanished_bytes },
                },
            },
            dst: DestinationReport {
                nodes: dst.nodes(),
                counted: Counted::from(&dst),
                not_on_src: Amount { nodes: dst.not_on_src, bytes: dst.not_on_src_bytes },
            },
            sweep,
            verified,
            pace,
            problem_count,
            problems,
            runs,
        }
    }

    /// Whether there are folders that could not be listed, or nodes that could not be copied, conflicts among them that
    /// nobody could have left as they are: they have come up since the plan was made.
    fn has_failures(&self) -> bool {
        self.src.counted.folders_failed
            + self.dst.counted.folders_failed
            + self.src.copy.failed.nodes
            + self.src.late_conflicts
            + self.verified.differences
            > 0
    }

    /// How a program ends that leaves the migration like this.
    pub(crate) fn exit(&self) -> Exit {
        if self.has_failures() { Exit::SomeFailed } else { Exit::Done }
    }

    /// Where the migration stands.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    /// How far an interrupted migration has come, in words.
    pub(crate) fn stage(&self) -> String {
        let (folders, nodes) = (self.folders_pending(), self.copy_pending());
        match (folders, nodes) {
            (1.., _) => format!("{} folders are still to be listed", count(folders)),
            (_, 1..) => format!("{} nodes are still to be copied", count(nodes)),
            _ => format!("{} nodes are verified", count(self.verified.nodes)),
        }
    }

    /// What somebody should know before anything is copied. `names` is how many the destination would refuse or fold.
    pub(crate) fn doubts(&self, names: u64) -> Option<String> {
        let failed = self.src.counted.folders_failed + self.dst.counted.folders_failed;
        let doubts = [
            (self.src.conflicts.nodes, "conflict", ""),
            (failed, "folder", " that could not be listed"),
            (names.cast_signed(), "name", " that the destination would refuse or fold (see longhaul lint)"),
        ];
        let doubts: Vec<_> = doubts.into_iter().filter(|(nodes, ..)| *nodes > 0).collect();
        let verb = if doubts.first()?.0 == 1 { "is" } else { "are" };
        let in_words = doubts.iter().map(|(nodes, what, which)| {
            let plural = if *nodes == 1 { "" } else { "s" };
            format!("{} {what}{plural}{which}", count(*nodes))
        });
        Some(format!("there {verb} {}", in_words.collect::<Vec<_>>().join(" and ")))
    }

    /// How many nodes are still to be copied.
    fn copy_pending(&self) -> i64 {
        self.src.copy_pending.nodes
    }

    /// How many folders are still to be listed, for the first time or again.
    fn folders_pending(&self) -> i64 {
        let again = self.sweep.as_ref().map_or(0, |sweep| sweep.folders_remaining);
        self.src.counted.folders_pending + self.dst.counted.folders_pending + again
    }

    /// Prints it, for programs or for people.
    pub(crate) fn print_as(&self, json: bool, out: &mut impl Write) -> io::Result<()> {
        if json { self.print_json(out) } else { self.print(out) }
    }

    fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    fn print(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "source       {}", self.source)?;
        writeln!(out, "destination  {}", self.destination)?;
        match &self.phase_reason {
            Some(reason) => writeln!(out, "phase        {}: {reason}", self.phase)?,
            None => writeln!(out, "phase        {}", self.phase)?,
        }
        writeln!(out)?;
        writeln!(out, "{:<24}{:>14}{:>14}{:>12}{:>10}{:>14}", "", "folders", "files", "links", "other", "size")?;
        self.src.counted.print("on the source", out)?;
        self.dst.counted.print("on the destination", out)?;
        writeln!(out)?;
        writeln!(out, "{:<24}{:>14}{:>14}", "", "nodes", "size")?;
        self.src.copy_pending.print("to be copied", out)?;
        for (amount, what) in [
            (&self.src.copy.copied, "copied"),
            (&self.src.copy.failed, "failed to be copied"),
            (&self.src.copy.vanished, "gone from the source"),
        ] {
            if amount.nodes > 0 {
                amount.print(what, out)?;
            }
        }
        self.src.already_existed.print("there already", out)?;
        if self.src.conflicts.nodes > 0 {
            self.src.conflicts.print("to be decided", out)?;
        }
        if self.src.late_conflicts > 0 {
            writeln!(out, "{:<24}{:>14}", "  not in the plan", count(self.src.late_conflicts))?;
        }
        if self.src.skipped.nodes > 0 {
            self.src.skipped.print("left out", out)?;
        }
        if self.src.excluded.nodes > 0 {
            self.src.excluded.print("excluded", out)?;
        }
        self.dst.not_on_src.print("only on the destination", out)?;
        if self.verified.nodes > 0 {
            writeln!(
                out,
                "\nverified     {} nodes, {} read back, {} differences",
                count(self.verified.nodes),
                bytes(self.verified.bytes_read),
                count(self.verified.differences)
            )?;
        }
        self.print_sweep(out)?;
        self.print_pace(out)?;
        self.print_pending(out)?;
        self.print_problems(out)
    }

    /// What the last sweep found.
    fn print_sweep(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(sweep) = &self.sweep else { return Ok(()) };
        let in_words = |found: &SweepFound| {
            let SweepFound { new, changed, gone, back } = *found;
            let back = if back > 0 { format!(", {} there again", count(back)) } else { String::new() };
            format!("{} new, {} changed, {} gone{back}", count(new), count(changed), count(gone))
        };
        let SweepSummary { kind, found, folders_remaining, .. } = sweep;
        writeln!(
            out,
            "\nlast {kind:<7} {} on the source; {} on the destination",
            in_words(&found.src),
            in_words(&found.dst)
        )?;
        if *folders_remaining > 0 {
            writeln!(out, "folders not listed again yet: {}", count(*folders_remaining))?;
        }
        Ok(())
    }

    /// At what pace the stores were asked last.
    fn print_pace(&self, out: &mut impl Write) -> io::Result<()> {
        for (number, PaceRow { side, class, concurrency, rate, cause }) in self.pace.iter().enumerate() {
            let title = if number == 0 { "\npace        " } else { "            " };
            let rate = rate.map_or_else(String::new, |rate| format!(", {rate:.1} a second"));
            writeln!(out, "{title} {side}, {class}: {concurrency} at a time{rate} ({cause})")?;
        }
        Ok(())
    }

    fn print_pending(&self, out: &mut impl Write) -> io::Result<()> {
        let (src, dst) = (self.src.counted.folders_pending, self.dst.counted.folders_pending);
        if src + dst > 0 {
            writeln!(out, "\nfolders not listed yet: {} on the source, {} on the destination", count(src), count(dst))?;
        }
        Ok(())
    }

    fn print_problems(&self, out: &mut impl Write) -> io::Result<()> {
        if self.problem_count == 0 {
            return Ok(());
        }
        writeln!(out, "\n{} failed:", count(self.problem_count))?;
        for problem in &self.problems {
            let Problem { side, path, class, message, attempts, .. } = problem;
            let tries = if *attempts == 1 { "attempt" } else { "attempts" };
            writeln!(out, "  {side} {path}: {message} ({class}, {attempts} {tries})")?;
        }
        if self.problem_count > i64::try_from(self.problems.len()).unwrap_or(i64::MAX) {
            writeln!(out, "  … all of them: longhaul query 'FROM problems' --ledger {}", self.ledger)?;
        }
        Ok(())
    }
}

impl Counted {
    fn from(counters: &Counters) -> Self {
        Counted {
            folders: counters.folders,
            files: counters.files,
            symlinks: counters.symlinks,
            others: counters.others,
            bytes: counters.bytes,
            folders_listed: counters.folders_listed,
            folders_pending: counters.folders_pending(),
            folders_failed: counters.folders_failed,
        }
    }

    fn print(&self, what: &str, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{what:<24}{:>14}{:>14}{:>12}{:>10}{:>14}",
            count(self.folders),
            count(self.files),
            count(self.symlinks),
            count(self.others),
            bytes(self.bytes)
        )
    }
}

impl Amount {
    fn print(self, what: &str, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "{what:<24}{:>14}{:>14}", count(self.nodes), bytes(self.bytes))
    }
}

fn count(number: i64) -> String {
    HumanCount(number.unsigned_abs()).to_string()
}

fn bytes(number: i64) -> String {
    HumanBytes(number.unsigned_abs()).to_string()
}
