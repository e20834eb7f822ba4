//! What torture found out, as a table or as JSON.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::kill::Means;
use super::outcome::{CaseOutcome, Moment};

/// Everything one call found out.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    longhaul: String,
    seed: u64,
    pub(super) trees: u64,
    cases: u64,
    pub(super) seconds: f64,
    /// Kills that hit the program, by signal and moment.
    kills: BTreeMap<Means, BTreeMap<Moment, u64>>,
    /// Moments that were later than the end of the run.
    too_late: u64,
    /// Folders that simulated stores listed, and how many of them they had listed before.
    listings: u64,
    listed_again: u64,
    /// Files, and parts of them, that were written, and how many of them had been written before.
    written: u64,
    written_again: u64,
    /// Files that local destinations had after kills, and how many of them the ledgers did not know of.
    at_the_destination: u64,
    unknown: u64,
    /// Files that were left beside ledgers.
    left_behind: u64,
    /// Ledgers that could not be opened after a kill, those that were not as without kills, and those of which torn blocks
    /// were restored.
    lost: u64,
    differing: u64,
    restored: u64,
    failures: Vec<Failure>,
}

/// A case that did not end as it must.
#[derive(Debug, Serialize)]
struct Failure {
    case: u64,
    trees: String,
    what: Vec<String>,
    /// The command that plays it again.
    replay: String,
}

impl Report {
    pub(super) fn new(longhaul: &Path, seed: u64) -> Self {
        Self { longhaul: longhaul.display().to_string(), seed, ..Self::default() }
    }

    /// Kills that hit the program.
    pub fn kills(&self) -> u64 {
        self.kills.values().flat_map(BTreeMap::values).sum()
    }

    /// Whether no case has been played yet.
    pub(super) fn is_empty(&self) -> bool {
        self.cases == 0
    }

    /// Whether anything was not as it must be.
    pub fn has_failures(&self) -> bool {
        !self.failures.is_empty()
    }

    pub(super) fn add(&mut self, case: u64, trees: String, replay: String, outcome: CaseOutcome) {
        self.cases += 1;
        for (means, moment) in outcome.kills {
            *self.kills.entry(means).or_default().entry(moment).or_default() += 1;
        }
        self.too_late += outcome.too_late;
        self.listings += outcome.listings;
        self.listed_again += outcome.listed_again;
        self.written += outcome.written;
        self.written_again += outcome.written_again;
        self.at_the_destination += outcome.at_the_destination;
        self.unknown += outcome.unknown;
        self.left_behind += outcome.left_behind;
        self.lost += outcome.lost;
        self.differing += outcome.differing;
        self.restored += outcome.restored;
        if !outcome.failures.is_empty() {
            self.failures.push(Failure { case, trees, what: outcome.failures, replay });
        }
    }

    /// Adds that already a run that nobody killed was not as it must be.
    pub(super) fn add_undisturbed(&mut self, case: u64, trees: String, replay: String, mut what: Vec<String>) {
        what.insert(0, "without any kill:".to_owned());
        self.failures.push(Failure { case, trees, what, replay });
    }

    /// For people.
    pub fn to_table(&self) -> String {
        let mut text = format!(
            "{} kills in {} cases over {} pairs of trees, seed {}, {:.0} s\nlonghaul: {}\n\n{}\n\n",
            self.kills(),
            self.cases,
            self.trees,
            self.seed,
            self.seconds,
            self.longhaul,
            self.kills_table()
        );
        let _ = writeln!(text, "{} more moments came after the end of the run", self.too_late);
        for (all, what, some, which) in [
            (self.listings, "folders of simulated stores listed", self.listed_again, "of them again"),
            (self.written, "files and parts written", self.written_again, "of them again"),
            (self.at_the_destination, "files at local destinations after kills", self.unknown, "not recorded yet"),
        ] {
            #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52 files")]
            let share = 100.0 * some as f64 / all.max(1) as f64;
            let _ = writeln!(text, "{all} {what}, {some} {which} ({share:.1} %)");
        }
        let _ = writeln!(text, "{} files left beside ledgers", self.left_behind);
        let Self { lost, differing, restored, .. } = self;
        let _ = writeln!(text, "ledgers: {lost} lost, {differing} different, {restored} restored");
        let _ = writeln!(text, "{} cases failed", self.failures.len());
        for failure in &self.failures {
            let _ = writeln!(text, "\ncase {} ({}); again with: {}", failure.case, failure.trees, failure.replay);
            for line in &failure.what {
                let _ = writeln!(text, "  {line}");
            }
        }
        text
    }

    fn kills_table(&self) -> Table {
        let mut table = Table::new();
        let is_hit = |moment: &Moment| self.kills.values().any(|moments| moments.contains_key(moment));
        let hit: Vec<Moment> = Moment::ALL.into_iter().filter(is_hit).collect();
        let headings = hit.iter().map(|moment| moment.name());
        table.load_preset(presets::NOTHING).set_header([""].into_iter().chain(headings).chain(["all"]));
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        let of = |means: &[Means], moments: &[Moment]| -> u64 {
            let kills = |means| moments.iter().filter_map(move |moment| self.kills.get(means)?.get(moment));
            means.iter().flat_map(kills).sum()
        };
        let lines = Means::ALL.iter().map(|means| (means.name(), std::slice::from_ref(means)));
        for (name, means) in lines.chain([("all", Means::ALL.as_slice())]) {
            let mut cells = vec![name.to_owned()];
            cells.extend(hit.iter().map(|moment| of(means, &[*moment]).to_string()));
            cells.push(of(means, &Moment::ALL).to_string());
            table.add_row(cells);
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_are_counted_and_failures_say_how_to_play_them_again() {
        let mut report = Report::default();
        let kills = vec![(Means::Kill, Moment::Traversing), (Means::Interrupt, Moment::ShuttingDown)];
        let outcome = CaseOutcome { kills, too_late: 1, ..CaseOutcome::default() };
        report.add(0, "Local".to_owned(), String::new(), outcome);
        assert_eq!((report.kills(), report.has_failures()), (2, false));
        let failures = vec!["a difference".to_owned()];
        let outcome = CaseOutcome { differing: 1, failures, ..CaseOutcome::default() };
        report.add(1, "Local".to_owned(), "the command".to_owned(), outcome);
        assert!(report.has_failures());
        let text = report.to_table();
        assert!(text.contains("case 1 (Local); again with: the command\n  a difference\n"), "{text}");
        assert!(text.contains("ledgers: 0 lost, 1 different, 0 restored\n"), "{text}");
        assert!(text.contains("discovery") && !text.contains("verifying"), "{text}");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["kills"]["kill"]["traversing"], 1);
    }
}
