//! What the page shows, as text: the template only puts it into place.

use longhaul_ledger::Run;
use longhaul_ledger::reporting::{
    Amount, NodeProblem, Outcomes, Part, Parts, ProblemKind, ReasonTotal, SizeClass, StatusTotal,
};
use longhaul_model::CopyStatus;

use crate::figures::Figures;
use crate::words::{bytes, count, counted, duration, time};

/// One outcome of the whole.
pub(super) struct OutcomeTile {
    pub(super) class: &'static str,
    pub(super) label: &'static str,
    pub(super) files: String,
    pub(super) bytes: String,
    pub(super) nodes: String,
}

/// A part of a bar, in percent of the bar's room.
pub(super) struct Stripe {
    pub(super) class: &'static str,
    pub(super) from: String,
    pub(super) width: String,
}

/// Source nodes of one status.
pub(super) struct StatusRow {
    pub(super) label: &'static str,
    pub(super) cells: Vec<String>,
}

/// Problems with the same reason.
pub(super) struct ReasonRow {
    pub(super) kind: &'static str,
    pub(super) class: String,
    pub(super) reason: String,
    pub(super) nodes: String,
    pub(super) bytes: String,
}

/// One problem.
pub(super) struct ProblemRow<'a> {
    pub(super) path: &'a str,
    pub(super) side: &'static str,
    pub(super) kind: &'static str,
    pub(super) size: String,
    pub(super) reason: &'a str,
}

/// One folder, class of sizes, or type.
pub(super) struct PartRow {
    pub(super) name: String,
    pub(super) is_rest: bool,
    pub(super) files: String,
    pub(super) bytes: String,
    pub(super) moved: String,
    pub(super) there: String,
    pub(super) waiting: String,
    pub(super) left: String,
    pub(super) bar: Vec<Stripe>,
}

/// One run.
pub(super) struct RunRow<'a> {
    pub(super) run: i64,
    pub(super) command: &'a str,
    pub(super) started: String,
    pub(super) ended: String,
    pub(super) took: String,
    pub(super) outcome: &'a str,
    pub(super) host: &'a str,
}

/// The least that is to be seen of a bar, in percent of its room.
const STRIPE_MIN: f64 = 0.6;

/// What kind of problem it is, in words.
fn kind_in_words(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Failed => "could not be copied",
        ProblemKind::NotListed => "folder could not be listed",
        ProblemKind::Different => "different when verified",
        ProblemKind::Conflict => "needs a decision",
        ProblemKind::Vanished => "gone from the source",
        ProblemKind::ExcludedExplicit => "excluded",
        ProblemKind::Skipped => "left out",
        ProblemKind::ExcludedInherited => "in an excluded folder",
    }
}

fn status_in_words(status: CopyStatus) -> &'static str {
    match status {
        CopyStatus::Pending => "to be moved",
        CopyStatus::Successful => "moved",
        CopyStatus::AlreadyExisted => "there already",
        CopyStatus::Failed => "could not be copied",
        CopyStatus::Skipped => "left out",
        CopyStatus::Conflict => "needs a decision",
        CopyStatus::ExcludedExplicit => "excluded",
        CopyStatus::ExcludedInherited => "in an excluded folder",
        CopyStatus::Vanished => "gone from the source",
    }
}

pub(super) fn tiles(figures: &Figures) -> Vec<OutcomeTile> {
    let (files, nodes) = (&figures.files, &figures.outcomes);
    let tile = |class, label, files: Amount, nodes: Amount| OutcomeTile {
        class,
        label,
        files: counted(files.nodes, "file"),
        bytes: bytes(files.bytes),
        nodes: format!("{} with folders and links", count(nodes.nodes)),
    };
    vec![
        tile("moved", "Moved", files.moved, nodes.moved),
        tile("there", "Was there already", files.there_already, nodes.there_already),
        tile("waiting", "Still to be moved", files.waiting, nodes.waiting),
        tile("left", "Not moved", files.not_moved, nodes.not_moved),
    ]
}

/// What became of some files, as a bar whose whole room is `whole`: by bytes, or by number where there are none.
pub(super) fn stripes(outcomes: &Outcomes, whole: Amount) -> Vec<Stripe> {
    let measure = |amount: Amount| if whole.bytes > 0 { amount.bytes } else { amount.nodes };
    bar(outcomes, measure, measure(whole))
}

#[allow(clippy::cast_precision_loss, reason = "what is shown is a few hundred dots wide")]
fn bar(outcomes: &Outcomes, measure: impl Fn(Amount) -> i64, whole: i64) -> Vec<Stripe> {
    let parts = [
        ("moved", outcomes.moved),
        ("there", outcomes.there_already),
        ("waiting", outcomes.waiting),
        ("left", outcomes.not_moved),
    ];
    let percent = |amount: Amount| measure(amount) as f64 * 100.0 / whole.max(1) as f64;
    let parts = parts.into_iter().filter(|(_, amount)| measure(*amount) > 0);
    // What is there can be seen, however little it is; the others make room for it.
    let widths: Vec<_> = parts.map(|(class, amount)| (class, percent(amount).max(STRIPE_MIN))).collect();
    let all: f64 = widths.iter().map(|(_, width)| width).sum();
    let shrunk = (percent(outcomes.total()) / all).min(1.0);
    let mut from = 0.0;
    let mut stripes = Vec::new();
    for (class, width) in widths {
        let width = (width * shrunk).max(STRIPE_MIN / 2.0);
        stripes.push(Stripe { class, from: format!("{from:.2}"), width: format!("{width:.2}") });
        from += width;
    }
    stripes
}

impl StatusRow {
    pub(super) fn new(total: &StatusTotal) -> Self {
        let counts = [total.files, total.folders, total.symlinks, total.others].map(count);
        let cells = counts.into_iter().chain([bytes(total.bytes)]).collect();
        StatusRow { label: status_in_words(total.status), cells }
    }
}

impl ReasonRow {
    pub(super) fn new(total: &ReasonTotal) -> Self {
        ReasonRow {
            kind: kind_in_words(total.status),
            class: total.class.clone().unwrap_or_default().replace('_', " "),
            reason: match total.reason.as_deref() {
                None => "other reasons, each of a few items".to_owned(),
                Some("") => "–".to_owned(),
                Some(reason) => reason.to_owned(),
            },
            nodes: count(total.nodes),
            bytes: bytes(total.bytes),
        }
    }
}

impl<'a> ProblemRow<'a> {
    pub(super) fn new(problem: &'a NodeProblem) -> Self {
        ProblemRow {
            path: &problem.path,
            side: if problem.side == "src" { "source" } else { "destination" },
            kind: kind_in_words(problem.status),
            size: problem.size.filter(|_| problem.kind == "file").map(bytes).unwrap_or_default(),
            reason: problem.reason.as_deref().unwrap_or("–"),
        }
    }
}

impl PartRow {
    fn new(name: String, outcomes: &Outcomes, bar: Vec<Stripe>) -> Self {
        let total = outcomes.total();
        let some = |amount: Amount| if amount.nodes == 0 { "–".to_owned() } else { count(amount.nodes) };
        PartRow {
            name,
            is_rest: false,
            files: count(total.nodes),
            bytes: bytes(total.bytes),
            moved: some(outcomes.moved),
            there: some(outcomes.there_already),
            waiting: some(outcomes.waiting),
            left: some(outcomes.not_moved),
            bar,
        }
    }
}

/// Bars of parts show their sizes beside each other, too: the longest one takes all the room.
fn parts(parts: &Parts, name: impl Fn(&Part) -> String, rest: &str) -> Vec<PartRow> {
    let totals = || parts.largest.iter().map(|part| part.outcomes.total());
    let largest = Amount {
        nodes: totals().map(|total| total.nodes).max().unwrap_or(0),
        bytes: totals().map(|total| total.bytes).max().unwrap_or(0),
    };
    let mut rows: Vec<_> = parts
        .largest
        .iter()
        .map(|part| PartRow::new(name(part), &part.outcomes, stripes(&part.outcomes, largest)))
        .collect();
    if parts.others > 0 {
        // Without a bar: it would be longer than those of what it is compared with.
        let name = counted(parts.others, rest);
        rows.push(PartRow { is_rest: true, ..PartRow::new(name, &parts.others_outcomes, Vec::new()) });
    }
    rows
}

pub(super) fn folders(folders: &Parts) -> Vec<PartRow> {
    let name = |part: &Part| if part.name == "/" { "/ (in no folder)".to_owned() } else { part.name.clone() };
    parts(folders, name, "smaller folder")
}

pub(super) fn types(types: &Parts) -> Vec<PartRow> {
    let name = |part: &Part| if part.name.is_empty() { "no extension".to_owned() } else { format!(".{}", part.name) };
    parts(types, name, "rarer type")
}

pub(super) fn sizes(classes: &[SizeClass]) -> Vec<PartRow> {
    let most = classes.iter().map(|class| class.outcomes.total().nodes).max().unwrap_or(0);
    let rows = classes.iter().map(|class| {
        let name = match (class.from_bytes, class.below_bytes) {
            (Some(0), _) => "empty".to_owned(),
            (Some(1), Some(below)) => format!("below {}", whole_bytes(below)),
            (Some(from), Some(below)) => format!("{} to {}", whole_bytes(from), whole_bytes(below)),
            (Some(from), None) => format!("{} and more", whole_bytes(from)),
            (None, _) => "unknown".to_owned(),
        };
        PartRow::new(name, &class.outcomes, bar(&class.outcomes, |amount| amount.nodes, most))
    });
    rows.collect()
}

/// `4 KiB`: the limits of classes are whole numbers.
pub(super) fn whole_bytes(number: i64) -> String {
    bytes(number).replace(".00", "")
}

impl<'a> RunRow<'a> {
    pub(super) fn new(run: &'a Run) -> Self {
        RunRow {
            run: run.run,
            command: &run.command,
            started: time(run.started_ns),
            ended: run.ended_ns.map_or_else(|| "–".to_owned(), time),
            took: run.ended_ns.map_or_else(|| "–".to_owned(), |ended| duration(ended - run.started_ns)),
            outcome: run.outcome.as_deref().unwrap_or("not recorded: killed, or cut short"),
            host: &run.host,
        }
    }
}
