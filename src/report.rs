//! Where a migration stands, for people and for programs.

use std::io::{self, Write};
use std::path::Path;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ColumnConstraint, Width};
use longhaul_ledger::{
    LedgerError, Marked, Overview, PaceRow, Problem, Reader, Run, SweepFound, SweepSummary, Verified,
};
use longhaul_model::Phase;
use longhaul_model::human::{bytes, count, counted};
use longhaul_reports::Found;
use serde::Serialize;

use crate::Exit;

/// The room of the first column of a table, in characters.
const TITLE_WIDTH: u16 = 24;

/// What `status` says, and what a run ends with. Its JSON form is a promise.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Whether something is not as it should be.
    needs_attention: bool,
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
    marked: Marked,
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
    counted: Found,
    already_existed: Amount,
    copy_pending: Amount,
    conflicts: Amount,
    /// Of the conflicts, those that have come up since the plan was made: nobody has seen them in it.
    late_conflicts: i64,
    /// Once the plan is carried out: what it was to bring over and what is not there, failures aside.
    left_undone: i64,
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
    counted: Found,
    not_on_src: Amount,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Amount {
    nodes: i64,
    bytes: i64,
}

impl Amount {
    fn cells(self) -> [String; 2] {
        [count(self.nodes), bytes(self.bytes)]
    }
}

impl Report {
    /// Reads it from a ledger that is not in use.
    pub(crate) fn read(ledger: &Path) -> Result<Report, LedgerError> {
        Ok(Report::new(ledger, Reader::open(ledger)?.overview()?))
    }

    /// What an overview of this ledger says.
    pub(crate) fn new(ledger: &Path, overview: Overview) -> Report {
        let needs_attention = overview.needs_attention();
        let Overview {
            migration,
            totals,
            late_conflicts,
            left_undone,
            runs,
            verified,
            sweep,
            marked,
            pace,
            problem_count,
            problems,
        } = overview;
        let (src, dst) = (totals.src, totals.dst);
        Report {
            ledger: ledger.display().to_string(),
            needs_attention,
            source: migration.spec.source,
            destination: migration.spec.destination,
            phase: migration.phase,
            phase_reason: migration.phase_reason,
            src: SourceReport {
                nodes: src.nodes(),
                counted: Found::from(&src),
                already_existed: Amount { nodes: src.already_existed, bytes: src.already_existed_bytes },
                copy_pending: Amount { nodes: src.copy_pending(), bytes: src.copy_pending_bytes() },
                conflicts: Amount { nodes: src.conflicts, bytes: src.conflict_bytes },
                late_conflicts,
                left_undone,
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
                counted: Found::from(&dst),
                not_on_src: Amount { nodes: dst.not_on_src, bytes: dst.not_on_src_bytes },
            },
            sweep,
            verified,
            marked,
            pace,
            problem_count,
            problems,
            runs,
        }
    }

    /// How a program ends that leaves the migration like this.
    pub(crate) fn exit(&self) -> Exit {
        if self.needs_attention { Exit::SomeFailed } else { Exit::Done }
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
        let in_words = doubts.iter().map(|(nodes, what, which)| format!("{}{which}", counted(*nodes, what)));
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
        self.print_found(out)?;
        writeln!(out)?;
        self.print_amounts(out)?;
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
        self.print_marked(out)?;
        self.print_pace(out)?;
        self.print_pending(out)?;
        self.print_problems(out)
    }

    /// What each side has.
    fn print_found(&self, out: &mut impl Write) -> io::Result<()> {
        let mut table = table([("folders", 14), ("files", 14), ("links", 12), ("other", 10), ("size", 14)]);
        add_row(&mut table, "on the source", cells(&self.src.counted));
        add_row(&mut table, "on the destination", cells(&self.dst.counted));
        print_table(&table, out)
    }

    /// What is to be done with it, and what was: some of it in any case, the rest only where there is any.
    fn print_amounts(&self, out: &mut impl Write) -> io::Result<()> {
        let SourceReport { copy_pending, copy, already_existed, conflicts, skipped, excluded, .. } = &self.src;
        let mut table = table([("nodes", 14), ("size", 14)]);
        for (what, amount, is_always_shown) in [
            ("to be copied", copy_pending, true),
            ("copied", &copy.copied, false),
            ("failed to be copied", &copy.failed, false),
            ("gone from the source", &copy.vanished, false),
            ("there already", already_existed, true),
            ("to be decided", conflicts, false),
        ] {
            if is_always_shown || amount.nodes > 0 {
                add_row(&mut table, what, amount.cells());
            }
        }
        if self.src.late_conflicts > 0 {
            add_row(&mut table, "  not in the plan", [count(self.src.late_conflicts), String::new()]);
        }
        if self.src.left_undone > 0 {
            add_row(&mut table, "planned, and not there", [count(self.src.left_undone), String::new()]);
        }
        for (what, amount, is_always_shown) in [
            ("left out", skipped, false),
            ("excluded", excluded, false),
            ("only on the destination", &self.dst.not_on_src, true),
        ] {
            if is_always_shown || amount.nodes > 0 {
                add_row(&mut table, what, amount.cells());
            }
        }
        print_table(&table, out)
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

    /// What waits for a retry.
    fn print_marked(&self, out: &mut impl Write) -> io::Result<()> {
        let Marked { folders, copies } = self.marked;
        if folders + copies > 0 {
            let (folders, copies) = (counted(folders, "folder"), counted(copies, "node"));
            writeln!(out, "\nmarked for retry: {folders} to be listed again, {copies} to be copied again")?;
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
            let class = class.as_ref().map(|class| format!("{class}, ")).unwrap_or_default();
            writeln!(out, "  {side} {path}: {message} ({class}{attempts} {tries})")?;
        }
        if self.problem_count > i64::try_from(self.problems.len()).unwrap_or(i64::MAX) {
            writeln!(out, "  … all of them: longhaul query 'FROM problems' --ledger {}", self.ledger)?;
        }
        Ok(())
    }
}

/// The nodes of one side, as a row of cells.
fn cells(found: &Found) -> [String; 5] {
    let counts = [found.folders, found.files, found.symlinks, found.others].map(count);
    let [folders, files, links, others] = counts;
    [folders, files, links, others, bytes(found.bytes)]
}

/// A table whose first column is text, and the others are numbers of at least so many characters.
fn table<const N: usize>(columns: [(&str, u16); N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(NOTHING).set_header([""].into_iter().chain(columns.map(|(name, _)| name)));
    let widths = [TITLE_WIDTH].into_iter().chain(columns.map(|(_, width)| width));
    for (number, (column, width)) in table.column_iter_mut().zip(widths).enumerate() {
        column.set_padding((0, 0)).set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
        column.set_cell_alignment(if number == 0 { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

fn add_row<const N: usize>(table: &mut comfy_table::Table, what: &str, cells: [String; N]) {
    table.add_row([what.to_owned()].into_iter().chain(cells));
}

fn print_table(table: &comfy_table::Table, out: &mut impl Write) -> io::Result<()> {
    table.lines().try_for_each(|line| writeln!(out, "{}", line.trim_end()))
}
