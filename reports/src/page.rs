//! `report.html`: one page that needs nothing beside it. What it looks like is in `templates/`.
//!
//! The template engine escapes every value that it is given; charts are numbers and nothing else. As a second line of
//! defence the page has a policy that forbids scripts and everything from elsewhere.

mod chart;
mod facts;
mod rows;

use askama::Template;
use longhaul_ledger::reporting::{NodeProblem, ProblemKind};

use self::chart::{Chart, RunChart};
use self::facts::Facts;
use self::rows::{OutcomeTile, PartRow, ProblemRow, ReasonRow, RunRow, StatusRow, Stripe};
use crate::figures::{Figures, Noticed, Tone};
use crate::words::{bytes, count, counted, time};
use crate::{NODES, PROBLEMS, SUMMARY};

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    figures: &'a Figures,
    tone: &'static str,
    phase: String,
    made_at: String,
    created_at: String,
    tiles: Vec<OutcomeTile>,
    whole: Vec<Stripe>,
    statuses: Vec<StatusRow>,
    reasons: Vec<ReasonRow>,
    problems: Vec<ProblemRow<'a>>,
    /// How many more problems there are than are named.
    unnamed: i64,
    differences: Vec<ProblemRow<'a>>,
    /// How many more there are than are named.
    more_differences: i64,
    folders: Vec<PartRow>,
    sizes: Vec<PartRow>,
    types: Vec<PartRow>,
    runs: Vec<RunRow<'a>>,
    run_chart: Option<RunChart>,
    throughput: Vec<Chart>,
    copying: Option<String>,
    level: &'static str,
    verification: Vec<Facts>,
    settings: Vec<Facts>,
    found: Vec<FoundRow>,
    nodes_file: &'static str,
    problems_file: &'static str,
    summary_file: &'static str,
}

/// What was found on one side, as a row.
struct FoundRow {
    side: &'static str,
    cells: Vec<String>,
}

/// The page.
pub(crate) fn render(figures: &Figures, noticed: &Noticed) -> Result<String, askama::Error> {
    let named: Vec<&NodeProblem> = noticed.named();
    let differences = noticed.differences();
    let not_moved = figures.problems.iter().filter(|total| total.status != ProblemKind::Different);
    let page = Page {
        figures,
        tone: match figures.conclusion.tone {
            Tone::Good => "good",
            Tone::Attention => "attention",
            Tone::Unfinished => "unfinished",
        },
        phase: match figures.suspended_from {
            Some(from) => format!("{} ({from})", figures.phase),
            None => figures.phase.to_string(),
        },
        made_at: time(figures.made_ns),
        created_at: figures.created_at.replace(['T', 'Z'], " ").trim().to_owned(),
        tiles: rows::tiles(figures),
        whole: rows::stripes(&figures.files, figures.files.total()),
        statuses: figures.statuses.iter().map(StatusRow::new).collect(),
        reasons: not_moved.clone().map(ReasonRow::new).collect(),
        unnamed: not_moved.map(|total| total.nodes).sum::<i64>() - length(named.len()),
        problems: named.into_iter().map(ProblemRow::new).collect(),
        more_differences: figures.problems_of(ProblemKind::Different) - length(differences.len()),
        differences: differences.iter().map(ProblemRow::new).collect(),
        folders: rows::folders(&figures.folders),
        sizes: rows::sizes(&figures.sizes),
        types: rows::types(&figures.types),
        runs: figures.runs.iter().map(RunRow::new).collect(),
        run_chart: RunChart::new(&figures.runs, figures.made_ns),
        throughput: chart::throughput(&figures.throughput),
        copying: facts::copying(figures),
        level: facts::level(figures),
        verification: facts::verification(figures),
        settings: facts::settings(figures),
        found: vec![found_row("Source", &figures.on_source), found_row("Destination", &figures.on_destination)],
        nodes_file: NODES,
        problems_file: PROBLEMS,
        summary_file: SUMMARY,
    };
    page.render()
}

fn length(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn found_row(side: &'static str, found: &crate::figures::Found) -> FoundRow {
    let counts = [found.folders, found.files, found.symlinks, found.others].map(count);
    let folders = [found.folders_listed, found.folders_pending, found.folders_failed].map(count);
    let cells = counts.into_iter().chain([bytes(found.bytes)]).chain(folders).collect();
    FoundRow { side, cells }
}

impl Page<'_> {
    #[allow(clippy::unused_self, reason = "templates call methods of the page")]
    fn more(&self, more: i64) -> String {
        if more == 1 { "There is 1 more".to_owned() } else { format!("There are {} more", count(more)) }
    }

    fn rows(&self) -> String {
        counted(self.figures.problem_count, "row")
    }
}
