//! What comes out: figures a case, each target with its verdict, as a table or as JSON.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::longhaul::Nodes;
use crate::measure::{Measured, Outcome, Run, Tool, median};

/// Everything one call of this program found out.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) longhaul: String,
    /// Where trees and ledgers were.
    pub(crate) scratch: String,
    /// Whether that is on a disk, and not in memory.
    pub(crate) on_disk: bool,
    pub(crate) cores: usize,
    pub(crate) rounds: usize,
    pub(crate) cases: Vec<CaseReport>,
    /// Those that no single case can judge.
    pub(crate) targets_across_cases: Vec<Target>,
}

/// One case: who took how long.
#[derive(Debug, Serialize)]
pub(crate) struct CaseReport {
    pub(crate) name: String,
    /// Both sides, roots included; `None` if the case does not know.
    pub(crate) nodes: Option<u64>,
    pub(crate) tools: Vec<ToolReport>,
    /// Longhaul's ledger over the nodes of both sides.
    pub(crate) ledger_bytes_per_node: Option<f64>,
    /// As Longhaul printed it.
    pub(crate) nodes_per_second: Option<f64>,
    pub(crate) warnings: Vec<String>,
    pub(crate) targets: Vec<Target>,
}

/// One tool in one case.
#[derive(Debug, Serialize)]
pub(crate) struct ToolReport {
    pub(crate) tool: Tool,
    pub(crate) command: String,
    pub(crate) outcome: Outcome,
    pub(crate) summary: Option<Summary>,
    pub(crate) runs: Vec<Run>,
}

/// The figures over all rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) wall_median_s: f64,
    pub(crate) wall_min_s: f64,
    pub(crate) cpu_median_s: f64,
    /// Of the worst round: a limit on memory has to hold always.
    pub(crate) memory_max_bytes: u64,
    /// This tool's median wall time over Longhaul's: above 1 Longhaul is faster.
    pub(crate) times_longhaul: Option<f64>,
}

/// A figure beside its limit.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Target {
    pub(crate) figure: &'static str,
    pub(crate) unit: &'static str,
    /// `None` if it could not be measured, as when the peer is not installed.
    pub(crate) measured: Option<f64>,
    pub(crate) limit: Bound,
    /// Where it should be; the limit is where it must be.
    pub(crate) aim: Option<Bound>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Ok,
    Missed,
    NotMeasured,
}

impl Bound {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtMost(limit) => value <= limit,
            Self::AtLeast(limit) => value >= limit,
        }
    }

    fn show(self, unit: &str) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {}", show_value(limit, unit)),
            Self::AtLeast(limit) => format!("≥ {}", show_value(limit, unit)),
        }
    }
}

impl Verdict {
    fn show(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missed => "missed",
            Self::NotMeasured => "not measured",
        }
    }
}

impl Target {
    pub(crate) fn new(figure: &'static str, unit: &'static str, measured: Option<f64>, limit: Bound) -> Self {
        let verdict = match measured {
            None => Verdict::NotMeasured,
            Some(value) if limit.holds(value) => Verdict::Ok,
            Some(_) => Verdict::Missed,
        };
        Self { figure, unit, measured, limit, aim: None, verdict }
    }

    pub(crate) fn with_aim(self, aim: Bound) -> Self {
        Self { aim: Some(aim), ..self }
    }
}

impl CaseReport {
    pub(crate) fn new(name: &str, nodes: Option<Nodes>, measured: Vec<Measured>) -> Self {
        let longhaul_wall_s = measured
            .iter()
            .find(|tool| tool.tool == Tool::Longhaul && tool.outcome == Outcome::Finished)
            .and_then(|tool| median(tool.runs.iter().map(|run| run.wall_s)));
        Self {
            name: name.to_owned(),
            nodes: nodes.map(Nodes::both),
            tools: measured.into_iter().map(|tool| ToolReport::new(tool, longhaul_wall_s)).collect(),
            ledger_bytes_per_node: None,
            nodes_per_second: None,
            warnings: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Says something on standard error now and keeps it for the report.
    pub(crate) fn warn(&mut self, warning: String) {
        eprintln!("  warning: {warning}");
        self.warnings.push(warning);
    }

    /// `None` if that tool did not take part or did not get through.
    pub(crate) fn summary(&self, tool: Tool) -> Option<Summary> {
        self.tools.iter().find(|row| row.tool == tool)?.summary
    }

    /// Longhaul's median wall time over that of `peer`: below 1 Longhaul is faster.
    pub(crate) fn longhaul_over(&self, peer: Tool) -> Option<f64> {
        self.summary(peer)?.times_longhaul.map(f64::recip)
    }

    /// What Longhaul's memory must be in any case.
    pub(crate) fn memory_target(&self) -> Target {
        let of_longhaul = self.tools.iter().filter(|row| row.tool.is_longhaul());
        let most = of_longhaul.filter_map(|row| row.summary).map(|summary| summary.memory_mb()).max_by(f64::total_cmp);
        Target::new("memory", "MB", most, Bound::AtMost(256.0))
    }

    /// The median wall time a node.
    pub(crate) fn longhaul_ns_per_node(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "no tree has 2^52 nodes")]
        let nodes = self.nodes? as f64;
        Some(self.summary(Tool::Longhaul)?.wall_median_s * 1e9 / nodes)
    }
}

impl ToolReport {
    fn new(measured: Measured, longhaul_wall_s: Option<f64>) -> Self {
        // Rounds before a failure are in the report, but no figure is made of them.
        let summary = match measured.outcome {
            Outcome::Finished => Summary::of(&measured.runs, longhaul_wall_s),
            Outcome::NotInstalled | Outcome::Failed(_) => None,
        };
        Self { tool: measured.tool, command: measured.command, outcome: measured.outcome, summary, runs: measured.runs }
    }
}

impl Summary {
    fn of(runs: &[Run], longhaul_wall_s: Option<f64>) -> Option<Self> {
        let wall_median_s = median(runs.iter().map(|run| run.wall_s))?;
        Some(Self {
            wall_median_s,
            wall_min_s: runs.iter().map(|run| run.wall_s).min_by(f64::total_cmp)?,
            cpu_median_s: median(runs.iter().map(|run| run.cpu_s))?,
            memory_max_bytes: runs.iter().map(|run| run.memory_bytes).max()?,
            times_longhaul: longhaul_wall_s.map(|longhaul| wall_median_s / longhaul),
        })
    }

    pub(crate) fn memory_mb(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "no process has 2^52 bytes")]
        let bytes = self.memory_max_bytes as f64;
        bytes / 1e6
    }
}

impl Report {
    /// Whether a run of Longhaul failed, or did not do what was asked.
    pub(crate) fn longhaul_failed(&self) -> bool {
        let mut tools = self.cases.iter().flat_map(|case| &case.tools);
        tools.any(|row| row.tool.is_longhaul() && row.outcome != Outcome::Finished)
    }

    pub(crate) fn to_table(&self) -> String {
        let mut text = format!(
            "{} rounds, warm, {} cores, trees and ledgers {} in {}\nlonghaul: {}\n",
            self.rounds,
            self.cores,
            if self.on_disk { "on disk" } else { "in memory" },
            self.scratch,
            self.longhaul
        );
        let _ = write!(text, "\n{}\n\n{}\n", self.figures_table(), self.targets_table());
        for case in &self.cases {
            for warning in &case.warnings {
                let _ = writeln!(text, "warning: {}: {warning}", case.name);
            }
        }
        text
    }

    fn figures_table(&self) -> Table {
        let headings = [
            "case",
            "tool",
            "median s",
            "min s",
            "× longhaul",
            "memory MB",
            "CPU s",
            "nodes",
            "ledger B/node",
            "nodes/s",
        ];
        let mut table = plain_table(&headings, 2);
        for case in &self.cases {
            for (index, row) in case.tools.iter().enumerate() {
                let first = index == 0;
                let mut cells = vec![if first { case.name.clone() } else { String::new() }, row.tool.name().to_owned()];
                cells.extend(figure_cells(row));
                if row.tool == Tool::Longhaul {
                    cells.push(case.nodes.map(|nodes| nodes.to_string()).unwrap_or_default());
                    cells.push(show_optional(case.ledger_bytes_per_node, 1));
                    cells.push(show_optional(case.nodes_per_second, 0));
                }
                table.add_row(cells);
            }
        }
        table
    }

    fn targets_table(&self) -> Table {
        let mut table = plain_table(&["case", "target", "measured", "limit", "aim", "verdict"], 2);
        let of_cases =
            self.cases.iter().flat_map(|case| case.targets.iter().map(|target| (case.name.as_str(), target)));
        let across = self.targets_across_cases.iter().map(|target| ("", target));
        for (case, target) in of_cases.chain(across) {
            let measured = target.measured.map(|value| show_value(value, target.unit));
            table.add_row([
                case.to_owned(),
                target.figure.to_owned(),
                measured.unwrap_or_else(|| "–".to_owned()),
                target.limit.show(target.unit),
                target.aim.map(|aim| aim.show(target.unit)).unwrap_or_default(),
                target.verdict.show().to_owned(),
            ]);
        }
        table
    }
}

/// The five columns that every tool has.
fn figure_cells(row: &ToolReport) -> [String; 5] {
    let instead = |text: &str| [text, "", "", "", ""].map(str::to_owned);
    match (&row.outcome, row.summary) {
        (Outcome::Finished, Some(summary)) => [
            format!("{:.3}", summary.wall_median_s),
            format!("{:.3}", summary.wall_min_s),
            show_optional(summary.times_longhaul, 2),
            format!("{:.0}", summary.memory_mb()),
            format!("{:.2}", summary.cpu_median_s),
        ],
        (Outcome::NotInstalled, _) => instead("not installed"),
        (Outcome::Finished | Outcome::Failed(_), _) => instead("failed"),
    }
}

/// Columns after the first `text_columns` are numbers, to the right.
fn plain_table(headings: &[&str], text_columns: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(headings);
    for column in table.column_iter_mut().skip(text_columns) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn show_optional(value: Option<f64>, decimals: usize) -> String {
    value.map(|value| format!("{value:.decimals$}")).unwrap_or_default()
}

fn show_value(value: f64, unit: &str) -> String {
    let decimals = match value {
        100.0.. => 0,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$} {unit}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(tool: Tool, outcome: Outcome, walls_s: &[f64]) -> Measured {
        let run = |wall_s: &f64| Run { wall_s: *wall_s, cpu_s: 1.0, memory_bytes: 5_000_000 };
        Measured { tool, command: tool.name().to_owned(), outcome, runs: walls_s.iter().map(run).collect() }
    }

    fn report(case: CaseReport) -> Report {
        Report {
            longhaul: "longhaul".to_owned(),
            scratch: "/tmp".to_owned(),
            on_disk: true,
            cores: 2,
            rounds: 3,
            cases: vec![case],
            targets_across_cases: Vec::new(),
        }
    }

    #[test]
    fn a_target_is_judged_by_its_bound() {
        let verdict = |measured, limit| Target::new("figure", "", measured, limit).verdict;
        assert_eq!(verdict(Some(1.2), Bound::AtMost(1.2)), Verdict::Ok);
        assert_eq!(verdict(Some(1.3), Bound::AtMost(1.2)), Verdict::Missed);
        assert_eq!(verdict(Some(3.0), Bound::AtLeast(3.0)), Verdict::Ok);
        assert_eq!(verdict(Some(2.9), Bound::AtLeast(3.0)), Verdict::Missed);
        assert_eq!(verdict(None, Bound::AtLeast(3.0)), Verdict::NotMeasured);
    }

    #[test]
    fn ratios_are_of_medians_and_in_both_directions() {
        let case = CaseReport::new(
            "one-side",
            Some(Nodes { source: 999, destination: 1 }),
            vec![
                measured(Tool::Longhaul, Outcome::Finished, &[2.0, 9.0, 1.0]),
                measured(Tool::Find, Outcome::Finished, &[4.0, 3.0, 8.0]),
            ],
        );
        assert_eq!(case.summary(Tool::Find).unwrap().times_longhaul, Some(2.0));
        assert_eq!(case.longhaul_over(Tool::Find), Some(0.5));
        assert_eq!(case.longhaul_over(Tool::Rsync), None);
        assert_eq!(case.longhaul_ns_per_node(), Some(2e6));
    }

    #[test]
    fn a_peer_that_failed_has_no_figures_and_does_not_fail_the_report() {
        let failed = Outcome::Failed("exit status: 23".to_owned());
        let case = CaseReport::new(
            "chain",
            None,
            vec![measured(Tool::Longhaul, Outcome::Finished, &[1.0]), measured(Tool::Rsync, failed.clone(), &[0.1])],
        );
        assert_eq!(case.longhaul_over(Tool::Rsync), None);
        let report = report(case);
        assert!(!report.longhaul_failed());
        assert!(report.to_table().contains("failed"));

        let case = CaseReport::new("chain", None, vec![measured(Tool::Longhaul, failed, &[])]);
        assert!(self::report(case).longhaul_failed());
    }
}
