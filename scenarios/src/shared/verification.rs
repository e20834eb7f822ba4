//! Comparing a ledger with what must be in it. All checks are made, whatever comes of the ones before.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use longhaul_ledger::{Counters, DepthCounters, Reader};
use longhaul_model::{BySide, Side};

use super::expectation::{Expectation, walk_both};
use super::ledger_rows::{self, StatusRow};
use super::migration::{Run, ending};
use super::node::Census;
use super::report::{Report, grouped};
use super::tree::Tree;

/// Differences that are printed of each side.
pub(crate) const SHOWN_MAX: usize = 5;

/// What a side of the ledger has.
#[derive(Debug, Default)]
struct Recorded {
    census: Census,
    reasons: BTreeMap<String, String>,
    ids: Ids,
}

/// Checks of identifiers, in the order of the ids.
#[derive(Debug, Default)]
struct Ids {
    last: Option<i64>,
    repeated: u64,
    not_above_parent: u64,
    names_not_at_the_end_of_the_path: u64,
}

impl Ids {
    fn add(&mut self, row: &StatusRow) {
        self.repeated += u64::from(self.last.is_some_and(|last| last >= row.id));
        self.last = Some(row.id);
        let is_root = row.node.depth == 0;
        let is_below = row.parent_id.is_some_and(|parent| parent < row.id);
        self.not_above_parent += u64::from(is_root == row.parent_id.is_some() || !(is_root || is_below));
        let end = row.node.path.rsplit('/').next().unwrap_or_default();
        self.names_not_at_the_end_of_the_path += u64::from(end != row.name);
    }
}

/// Compares the ledger of a run with the trees, and prints each check.
pub(crate) fn verify(report: &mut Report<'_>, run: &Run, trees: &BySide<&dyn Tree>) -> Result<Expectation> {
    verify_outcome(report, run)?;
    let reader = Reader::open(&run.ledger)?;
    verify_run(report, &reader, run)?;
    verify_ledger(report, &reader, trees)
}

/// Compares a ledger with the trees, whoever made it, and prints each check.
pub(crate) fn verify_ledger(
    report: &mut Report<'_>,
    reader: &Reader,
    trees: &BySide<&dyn Tree>,
) -> Result<Expectation> {
    let expected = Expectation::of(trees)?;
    let migration = reader.migration()?;
    report.check_text("phase", "review", migration.phase.as_str())?;
    for side in Side::BOTH {
        let mut recorded = Recorded::default();
        ledger_rows::for_each(reader, side, |row| {
            report.check_interrupt()?;
            recorded.ids.add(&row);
            recorded.census.add(&row.node);
            if let Some(error) = row.error {
                recorded.reasons.insert(row.node.path, error);
            }
            Ok(())
        })?;
        compare_side(report, reader, side, trees, &expected, &recorded)?;
    }
    verify_matches(report, reader, expected.matches)?;
    verify_problems(report, reader, &expected.problems)?;
    verify_counters(report, reader, &expected)?;
    Ok(expected)
}

fn compare_side(
    report: &mut Report<'_>,
    reader: &Reader,
    side: Side,
    trees: &BySide<&dyn Tree>,
    expected: &Expectation,
    recorded: &Recorded,
) -> Result<()> {
    let (census, found) = (&expected.census[side], &recorded.census);
    report.check_count(&format!("{side} nodes"), census.nodes, found.nodes)?;
    let identities = (census.identities == found.identities, "path, kind, size, time and depth");
    let statuses = (census.with_statuses == found.with_statuses, "its statuses");
    for (agree, what) in [identities, statuses] {
        let found = if agree { "the same" } else { "differences" };
        report.check_text(&format!("{side} nodes one by one, each with {what}"), "the same", found)?;
    }
    if !(identities.0 && statuses.0) {
        show_differences(report, reader, side, trees)?;
    }
    compare_numbers(report, &format!("{side} traversal"), &["pending", "failed"], &census.traversal, &found.traversal)?;
    if side == Side::Destination {
        let of = |census: &Census| census.traversal.get("not_on_src").copied().unwrap_or(0);
        report.check_count("destination nodes not_on_src", of(census), of(found))?;
    } else {
        compare_numbers(report, "copy", &["pending", "already_existed"], &census.copy, &found.copy)?;
    }
    report.check_count(&format!("{side} ids that are repeated"), 0, recorded.ids.repeated)?;
    report.check_count(&format!("{side} ids not above their parent's"), 0, recorded.ids.not_above_parent)?;
    report.check_count(
        &format!("{side} names that are not the end of their path"),
        0,
        recorded.ids.names_not_at_the_end_of_the_path,
    )?;
    compare_reasons(report, side, &expected.reasons[side], &recorded.reasons)
}

/// Compares how many nodes have each status: those in `always` and whichever others either side has.
pub(crate) fn compare_numbers(
    report: &mut Report<'_>,
    what: &str,
    always: &[&'static str],
    expected: &BTreeMap<&'static str, u64>,
    found: &BTreeMap<&'static str, u64>,
) -> Result<()> {
    let statuses: BTreeSet<&str> = always.iter().chain(expected.keys()).chain(found.keys()).copied().collect();
    for status in statuses.into_iter().filter(|&status| status != "not_on_src") {
        let of = |numbers: &BTreeMap<&str, u64>| numbers.get(status).copied().unwrap_or(0);
        report.check_count(&format!("{what} {status}"), of(expected), of(found))?;
    }
    Ok(())
}

/// Every reason there must be is there and names what it is about; and there is none that nobody expects.
pub(crate) fn compare_reasons(
    report: &mut Report<'_>,
    side: Side,
    expected: &BTreeMap<String, Vec<&'static str>>,
    found: &BTreeMap<String, String>,
) -> Result<()> {
    let mut wrong = Vec::new();
    for (path, words) in expected {
        let reason = found.get(path).map_or("", String::as_str);
        if !words.iter().all(|word| reason.contains(word)) {
            wrong.push(format!("{path} has {reason:?} without {words:?}"));
        }
    }
    for (path, reason) in found.iter().filter(|(path, _)| !expected.contains_key(*path)) {
        wrong.push(format!("{path} has {reason:?} and is to have none"));
    }
    let due = format!("{} and no others", grouped(expected.len() as u64));
    let found = match wrong.first() {
        None => due.clone(),
        Some(first) => format!("{} wrong, the first: {first}", grouped(wrong.len() as u64)),
    };
    report.check_text(&format!("{side} nodes with a reason that fits"), &due, &found)?;
    for line in wrong.iter().skip(1).take(SHOWN_MAX) {
        report.line(&format!("        {line}"))?;
    }
    Ok(())
}

/// Prints some of the nodes that only the trees or only the ledger has. Memory does not matter here any more.
fn show_differences(report: &mut Report<'_>, reader: &Reader, side: Side, trees: &BySide<&dyn Tree>) -> Result<()> {
    let mut balance: BTreeMap<String, i64> = BTreeMap::new();
    walk_both(trees, &mut |found| {
        if found.side == side {
            *balance.entry(found.node.to_string()).or_default() += 1;
        }
    })?;
    ledger_rows::for_each(reader, side, |row| {
        *balance.entry(row.node.to_string()).or_default() -= 1;
        Ok(())
    })?;
    for (title, sign) in [("expected", 1), ("in the ledger", -1)] {
        let nodes = balance.iter().filter(|(_, balance)| balance.signum() == sign);
        report.line(&format!("        {} nodes only {title}", nodes.clone().count()))?;
        for (node, _) in nodes.take(SHOWN_MAX) {
            report.line(&format!("          {node}"))?;
        }
    }
    Ok(())
}

/// Every pair has the same kind and name under parents that are a pair too, and there are as many as there must be.
fn verify_matches(report: &mut Report<'_>, reader: &Reader, expected: u64) -> Result<()> {
    let all = ledger_rows::number(reader, "SELECT count(*) FROM matches")?;
    let proper = ledger_rows::number(
        reader,
        "SELECT count(*)
         FROM matches m
         JOIN src_nodes s ON s.id = m.src_id
         JOIN dst_nodes d ON d.id = m.dst_id
         LEFT JOIN dst_folders f ON f.id = d.parent_id
         WHERE s.name = d.name AND s.kind = d.kind AND s.parent_id IS NOT DISTINCT FROM f.src_id",
    )?;
    report.check_count("matches", expected, all.unsigned_abs())?;
    report.check_count("matches of the same kind and name under matched parents", expected, proper.unsigned_abs())?;
    Ok(())
}

fn verify_problems(
    report: &mut Report<'_>,
    reader: &Reader,
    expected: &BTreeSet<(&'static str, String, &'static str)>,
) -> Result<()> {
    let problems = reader.problems(usize::MAX)?;
    let found: BTreeSet<_> =
        problems.iter().map(|p| (p.side.as_str(), p.path.clone(), p.class.as_deref().unwrap_or_default())).collect();
    let as_text = |problems: &BTreeSet<(&str, String, &str)>| match problems.len() {
        0 => "none".to_owned(),
        1..=SHOWN_MAX => {
            let each: Vec<_> =
                problems.iter().map(|(side, path, class)| format!("{class} {side}:{}", shortened(path))).collect();
            each.join(", ")
        }
        more => format!("{more} of them"),
    };
    let holds = found == *expected && problems.len() == found.len();
    report.check("problems", holds, &as_text(expected), &as_text(&found))?;
    Ok(())
}

fn shortened(path: &str) -> String {
    const SHOWN_CHARACTERS: usize = 60;
    if path.chars().count() <= SHOWN_CHARACTERS {
        return path.to_owned();
    }
    path.chars().take(SHOWN_CHARACTERS).chain("…".chars()).collect()
}

/// The counters that were written, those that are counted again, and those that follow from the trees.
fn verify_counters(report: &mut Report<'_>, reader: &Reader, expected: &Expectation) -> Result<()> {
    let written = reader.counters()?;
    let recounted = reader.recount()?;
    for side in Side::BOTH {
        let levels = |counters: &DepthCounters| counters.levels(side).collect::<BTreeMap<_, _>>();
        let due = &expected.census[side].by_depth;
        for (what, found) in [("counters", levels(&written)), ("counters, counted again", levels(&recounted))] {
            let found = compare_levels(due, &found);
            let all = format!("{} levels as computed", due.len());
            report.check_text(&format!("{side} {what}"), &all, found.as_deref().unwrap_or(&all))?;
        }
    }
    report.check_text("counters and recount", "equal", if written == recounted { "equal" } else { "different" })?;
    Ok(())
}

/// The first level that is not as it is to be.
pub(crate) fn compare_levels(expected: &BTreeMap<i32, Counters>, found: &BTreeMap<i32, Counters>) -> Option<String> {
    let depths: BTreeSet<i32> = expected.keys().chain(found.keys()).copied().collect();
    let wrong = depths.into_iter().find(|depth| expected.get(depth) != found.get(depth))?;
    Some(format!("at depth {wrong} {:?} instead of {:?}", found.get(&wrong), expected.get(&wrong)))
}

/// The engine's last word: it came to its end, and lost nothing on the way.
pub(crate) fn verify_outcome(report: &mut Report<'_>, run: &Run) -> Result<()> {
    let Some(outcome) = &run.outcome else {
        return report.line("the engine had said its last word before this was gone on with");
    };
    report.check_text("end of the run", "done", &ending(outcome))?;
    report.check_count("listings that were not recorded", 0, outcome.closed.dropped)?;
    report.check_count("folders given back", 0, outcome.given_back as u64)?;
    report.check_count("listers still running", 0, outcome.still_running as u64)?;
    Ok(())
}

/// What the ledger says of the run is what the engine said.
fn verify_run(report: &mut Report<'_>, reader: &Reader, run: &Run) -> Result<()> {
    let overview = reader.overview()?;
    let runs: Vec<&str> = overview.runs.iter().map(|run| run.outcome.as_deref().unwrap_or("no outcome")).collect();
    if run.is_gone_on {
        let holds = runs.split_last().is_some_and(|(last, before)| {
            *last == "complete" && before.iter().all(|outcome| ["interrupted", "no outcome"].contains(outcome))
        });
        report.check("runs in the ledger", holds, "complete after those cut short", &runs.join(", "))?;
    } else {
        report.check_text("runs in the ledger", "complete", &runs.join(", "))?;
    }
    let Some(outcome) = &run.outcome else { return Ok(()) };
    let is_same = overview.totals == outcome.closed.totals();
    let found = if is_same { "as in the ledger" } else { "others" };
    report.check_text("totals that the engine told", "as in the ledger", found)?;
    Ok(())
}

#[cfg(test)]
mod tests;
