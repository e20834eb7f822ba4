//! What a ledger must say when its plan was carried out and verified, worked out from the trees as they were before.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use longhaul_ledger::{DepthCounters, Reader};
use longhaul_model::{BySide, CopyStatus, NodeKind, PlanAction, Side};

use super::expectation::walk_both;
use super::ledger_rows::{self, number};
use super::node::{Census, Node};
use super::report::{Report, grouped};
use super::tree::Tree;
use super::verification::{SHOWN_MAX, compare_levels, compare_numbers, compare_reasons};

/// What has to become of every source node, by its printable path.
#[derive(Debug, Default)]
pub(crate) struct Due {
    pub(crate) nodes: BTreeMap<String, Node>,
    /// Words that must be in what the ledger says of a node; of all others it says nothing.
    reasons: BTreeMap<String, Vec<&'static str>>,
    /// Nodes that are to be among the problems, with the class of each.
    problems: BTreeMap<String, &'static str>,
    /// Files that become another name of one that was copied.
    pub(crate) linked: u64,
}

impl Due {
    /// Given both trees as they were before anything was copied: all that is to be copied can be.
    pub(crate) fn of(before: &BySide<&dyn Tree>) -> Result<Due> {
        let mut due = Due::default();
        walk_both(before, &mut |found| {
            if found.side == Side::Destination {
                return;
            }
            let mut node = found.node.clone();
            if node.copy == Some(CopyStatus::Pending) {
                node.copy = Some(CopyStatus::Successful);
            }
            if !found.words.is_empty() {
                due.reasons.insert(node.path.clone(), found.words.to_vec());
            }
            if let Some(class) = found.failed {
                due.problems.insert(node.path.clone(), class.as_str());
            }
            due.nodes.insert(node.path.clone(), node);
        })?;
        Ok(due)
    }

    /// This one cannot be copied, because it is denied.
    pub(crate) fn expect_denied(&mut self, path: &str) {
        if let Some(node) = self.nodes.get_mut(path) {
            node.copy = Some(CopyStatus::Failed);
            self.reasons.insert(path.to_owned(), vec!["denied"]);
            self.problems.insert(path.to_owned(), "denied");
        }
    }

    /// What has to become of a node.
    pub(crate) fn status(&self, path: &str) -> Option<CopyStatus> {
        self.nodes.get(path).and_then(|node| node.copy)
    }

    /// How many nodes have to come to this.
    pub(crate) fn count(&self, status: CopyStatus) -> u64 {
        self.nodes.values().filter(|node| node.copy == Some(status)).count() as u64
    }

    fn census(&self) -> Census {
        let mut census = Census::default();
        self.nodes.values().for_each(|node| census.add(node));
        census
    }
}

/// Compares a ledger with what it must say, and prints each check.
pub(crate) fn verify_copied(report: &mut Report<'_>, reader: &Reader, due: &Due, is_gone_on: bool) -> Result<()> {
    let overview = reader.overview()?;
    report.check_text("phase", "complete", overview.migration.phase.as_str())?;
    let runs: Vec<&str> = overview.runs.iter().map(|run| run.outcome.as_deref().unwrap_or("no outcome")).collect();
    if is_gone_on {
        let holds = runs.iter().all(|outcome| ["complete", "interrupted", "no outcome"].contains(outcome))
            && runs.iter().filter(|outcome| **outcome == "complete").count() == 3;
        report.check("runs in the ledger", holds, "three complete, others cut short", &runs.join(", "))?;
    } else {
        report.check_text("runs in the ledger", "complete, complete, complete", &runs.join(", "))?;
    }
    verify_nodes(report, reader, due)?;
    verify_counters(report, reader, &due.census())?;
    verify_records(report, reader, due)?;
    // The root has no place of its own at the destination.
    let is_there = due.count(CopyStatus::Successful) + due.count(CopyStatus::AlreadyExisted) - 1;
    report.check_count("nodes verified at the destination", is_there, overview.verified.nodes.unsigned_abs())?;
    report.check_count("nodes that verification found different", 0, overview.verified.differences.unsigned_abs())?;
    verify_problems(report, reader, due)
}

/// Every node has the status that it has to have, and no other.
fn verify_nodes(report: &mut Report<'_>, reader: &Reader, due: &Due) -> Result<()> {
    let (mut census, mut reasons, mut wrong) = (Census::default(), BTreeMap::new(), Vec::new());
    let mut seen = BTreeSet::new();
    ledger_rows::for_each(reader, Side::Source, |row| {
        report.check_interrupt()?;
        census.add(&row.node);
        match due.nodes.get(&row.node.path) {
            Some(due) if *due == row.node => {}
            Some(due) => wrong.push(format!("{} instead of {due}", row.node)),
            None => wrong.push(format!("{} instead of nothing", row.node)),
        }
        seen.insert(row.node.path.clone());
        if let Some(error) = row.error {
            reasons.insert(row.node.path, error);
        }
        Ok(())
    })?;
    wrong.extend(due.nodes.values().filter(|due| !seen.contains(&due.path)).map(|due| format!("no {due}")));
    let expected = due.census();
    report.check_count("source nodes", expected.nodes, census.nodes)?;
    report.check_list("source nodes other than computed", &wrong)?;
    let all = ["pending", "failed", "vanished"];
    compare_numbers(report, "copy", &all, &expected.copy, &census.copy)?;
    compare_reasons(report, Side::Source, &due.reasons, &reasons)
}

fn verify_counters(report: &mut Report<'_>, reader: &Reader, expected: &Census) -> Result<()> {
    let (written, recounted) = (reader.counters()?, reader.recount()?);
    let levels = |counters: &DepthCounters| counters.levels(Side::Source).collect::<BTreeMap<_, _>>();
    for (what, found) in [("counters", levels(&written)), ("counters, counted again", levels(&recounted))] {
        let all = format!("{} levels as computed", expected.by_depth.len());
        let found = compare_levels(&expected.by_depth, &found);
        report.check_text(&format!("source {what}"), &all, found.as_deref().unwrap_or(&all))?;
    }
    report.check_text("counters and recount", "equal", if written == recounted { "equal" } else { "different" })
}

/// What there is of every node that was copied, once.
fn verify_records(report: &mut Report<'_>, reader: &Reader, due: &Due) -> Result<()> {
    let copied = due.count(CopyStatus::Successful);
    let folders =
        due.nodes.values().filter(|node| node.copy == Some(CopyStatus::Successful) && node.kind == NodeKind::Folder);
    for (what, expected, sql) in [
        (
            "events that say that a node was copied",
            copied,
            "SELECT count(*) FROM src_status_events WHERE copy_status = 'successful'",
        ),
        (
            "nodes that have such an event",
            copied,
            "SELECT count(DISTINCT node_id) FROM src_status_events WHERE copy_status = 'successful'",
        ),
        (
            "records of files and links that were copied",
            copied - folders.count() as u64,
            "SELECT count(*) FROM copied c JOIN src_status s ON s.id = c.src_id WHERE s.copy_status = 'successful'",
        ),
        (
            "records of files without a checksum, which are other names of files",
            due.linked,
            "SELECT count(*)
             FROM copied c
             JOIN src_nodes n ON n.id = c.src_id
             WHERE n.kind = 'file' AND c.checksum IS NULL",
        ),
        ("records of parts that are left", 0, "SELECT count(*) FROM parts"),
    ] {
        report.check_count(what, expected, number(reader, sql)?.unsigned_abs())?;
    }
    Ok(())
}

fn verify_problems(report: &mut Report<'_>, reader: &Reader, due: &Due) -> Result<()> {
    // What failed with its folder has no class.
    let table =
        reader.query("SELECT side || ':' || path || ' ' || class::VARCHAR FROM problems WHERE class IS NOT NULL")?;
    let found: BTreeSet<String> = table.rows.into_iter().flatten().flatten().collect();
    let expected: BTreeSet<String> = due.problems.iter().map(|(path, class)| format!("src:{path} {class}")).collect();
    let shown = |problems: &BTreeSet<String>| match problems.len() {
        0 => "none".to_owned(),
        count if count <= SHOWN_MAX => problems.iter().cloned().collect::<Vec<_>>().join(", "),
        count => format!("{} of them", grouped(count as u64)),
    };
    report.check("problems", expected == found, &shown(&expected), &shown(&found))
}

/// What a second migration must find after one that is complete: nothing to do.
pub(crate) fn verify_second(report: &mut Report<'_>, reader: &Reader, due: &Due) -> Result<()> {
    let number_of = |sql: &str| -> Result<u64> { Ok(number(reader, sql)?.unsigned_abs()) };
    report.line("a second migration, with a ledger of its own:")?;
    report.check_text("phase", "complete", reader.migration()?.phase.as_str())?;
    let planned = reader.query("SELECT DISTINCT action::VARCHAR FROM plan")?;
    let actions: BTreeSet<String> = planned.rows.into_iter().flatten().flatten().collect();
    let is_work = |action: &str| action.parse::<PlanAction>().map_or(true, PlanAction::is_work);
    let others: Vec<&str> = actions.iter().map(String::as_str).filter(|action| is_work(action)).collect();
    let shown = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
    let failed = due.count(CopyStatus::Failed);
    // What could not be copied is tried again.
    let tried = if failed == 0 { "none" } else { "copy" };
    report.check_text("actions in the plan that do something", tried, &shown)?;
    let copied = "SELECT count(*) FROM src_status_events WHERE copy_status = 'successful'";
    report.check_count("nodes copied", 0, number_of(copied)?)?;
    let already = "SELECT count(*) FROM src_status WHERE copy_status = 'already_existed'";
    let there = due.count(CopyStatus::Successful) + due.count(CopyStatus::AlreadyExisted);
    report.check_count("nodes that are there already", there, number_of(already)?)?;
    let pending = "SELECT count(*) FROM src_status WHERE copy_status IN ('pending', 'failed')";
    report.check_count("nodes pending or failed", failed, number_of(pending)?)
}

#[cfg(test)]
mod tests;
