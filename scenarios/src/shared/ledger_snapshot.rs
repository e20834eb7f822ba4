//! All that a ledger shows of a migration at one moment, and how two moments differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Result;
use longhaul_ledger::{Reader, Verified};
use longhaul_model::{BySide, CopyStatus, NodeKind, Side, TraversalStatus};
use serde::{Deserialize, Serialize};

use super::expectation::walk_both;
use super::ledger_rows::{for_each, number};
use super::node::Node;
use super::report::{Report, grouped};
use super::tree::Tree;

/// What a ledger shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LedgerSnapshot {
    pub(crate) phase: String,
    /// By id.
    pub(crate) rows: BySide<Vec<Row>>,
    /// Each with its side, path and class.
    pub(crate) problems: BTreeSet<String>,
    /// Source nodes that are excluded, by the counters.
    pub(crate) excluded: u64,
    verified: Verified,
    /// Events that say that a node was copied.
    pub(crate) copied_events: u64,
    /// The plans that were carried out, in order. Runs that went on with one count as one.
    pub(crate) plans: Vec<String>,
    /// Whether the counters are what counting again gives.
    is_recount_equal: bool,
}

/// A row of a status view.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: i64,
    pub(crate) node: Node,
    /// What is said about it.
    pub(crate) error: Option<String>,
}

/// What a node is known by: its printable path and its kind.
pub(crate) type Key<'a> = (&'a str, NodeKind);

impl LedgerSnapshot {
    pub(crate) fn of(ledger: &Path) -> Result<LedgerSnapshot> {
        let reader = Reader::open(ledger)?;
        let overview = reader.overview()?;
        let mut rows = BySide { src: Vec::new(), dst: Vec::new() };
        for side in Side::BOTH {
            for_each(&reader, side, |row| {
                rows[side].push(Row { id: row.id, node: row.node, error: row.error });
                Ok(())
            })?;
        }
        let texts = |sql: &str| -> Result<Vec<String>> {
            Ok(reader.query(sql)?.rows.into_iter().flatten().flatten().collect())
        };
        // What failed with its folder has no class.
        let problems = "SELECT side || ':' || path || ' ' || class::VARCHAR FROM problems WHERE class IS NOT NULL";
        let copied_events = "SELECT count(*) FROM src_status_events WHERE copy_status = 'successful'";
        let mut plans = texts("SELECT plan_hash FROM runs WHERE plan_hash IS NOT NULL ORDER BY run")?;
        plans.dedup();
        Ok(LedgerSnapshot {
            phase: overview.migration.phase.to_string(),
            rows,
            problems: texts(problems)?.into_iter().collect(),
            excluded: overview.totals.src.excluded.unsigned_abs(),
            verified: overview.verified,
            copied_events: number(&reader, copied_events)?.unsigned_abs(),
            plans,
            is_recount_equal: reader.counters()? == reader.recount()?,
        })
    }

    /// The rows of a side, by what the nodes are known by; without what is gone from the source.
    pub(crate) fn there(&self, side: Side) -> BTreeMap<Key<'_>, &Row> {
        let there = self.rows[side].iter().filter(|row| row.node.copy != Some(CopyStatus::Vanished));
        there.map(|row| ((row.node.path.as_str(), row.node.kind), row)).collect()
    }

    /// How many source nodes have this copy status.
    pub(crate) fn count(&self, status: CopyStatus) -> u64 {
        self.rows.src.iter().filter(|row| row.node.copy == Some(status)).count() as u64
    }

    /// What must hold of every ledger in which all was listed.
    pub(crate) fn check_sound(&self, report: &mut Report<'_>) -> Result<()> {
        for side in Side::BOTH {
            let rows = &self.rows[side];
            let keys: BTreeSet<Key<'_>> = rows.iter().map(|row| (row.node.path.as_str(), row.node.kind)).collect();
            let repeated = (rows.len() - keys.len()) as u64;
            report.check_count(&format!("{side} nodes with the path and kind of another one"), 0, repeated)?;
            let ids: BTreeSet<i64> = rows.iter().map(|row| row.id).collect();
            report.check_count(&format!("{side} ids that are repeated"), 0, (rows.len() - ids.len()) as u64)?;
            let pending = rows.iter().filter(|row| row.node.traversal == TraversalStatus::Pending).count() as u64;
            report.check_count(&format!("{side} folders still to be listed"), 0, pending)?;
        }
        let equal = if self.is_recount_equal { "equal" } else { "different" };
        report.check_text("counters and recount", "equal", equal)
    }

    /// All that is at the destination was looked at and its files were read, and nothing was different.
    pub(crate) fn check_verified(&self, report: &mut Report<'_>) -> Result<()> {
        let is_there = |row: &&Row| {
            let there = [Some(CopyStatus::Successful), Some(CopyStatus::AlreadyExisted)];
            // The root has no place of its own there.
            row.node.depth > 0 && there.contains(&row.node.copy)
        };
        let there = self.rows.src.iter().filter(is_there);
        let bytes: u64 = there.clone().filter_map(|row| row.node.size).map(i64::unsigned_abs).sum();
        let Verified { nodes, bytes_read, differences } = self.verified;
        report.check_count("nodes verified at the destination", there.count() as u64, nodes.unsigned_abs())?;
        report.check_count("nodes that verification found different", 0, differences.unsigned_abs())?;
        // Where it was cut short some are read twice.
        let read = bytes_read.unsigned_abs();
        report.check(
            "bytes that verification read",
            read >= bytes,
            &format!("{} at least", grouped(bytes)),
            &grouped(read),
        )
    }

    /// Every node is as in the trees, with the statuses that follow from these; and nothing else is there, save what is
    /// gone from the source.
    pub(crate) fn check_as_in(&self, report: &mut Report<'_>, trees: &BySide<&dyn Tree>) -> Result<()> {
        let mut expected: BySide<BTreeSet<String>> = BySide::default();
        let mut problems = BTreeSet::new();
        walk_both(trees, &mut |found| {
            if let Some(class) = found.failed {
                problems.insert(format!("{}:{} {}", found.side.prefix(), found.node.path, class.as_str()));
            }
            expected[found.side].insert(found.node.to_string());
        })?;
        for side in Side::BOTH {
            let found = self.there(side).into_values().map(|row| row.node.to_string()).collect();
            let wrong = differing(&expected[side], &found);
            let count = grouped(expected[side].len() as u64);
            report.check_list(&format!("{side} nodes that are not as in the tree with its {count}"), &wrong)?;
        }
        report.check_list("problems that are not as computed", &differing(&problems, &self.problems))
    }

    /// The rows of a side are these and no others: ids, statuses and what is said about them.
    pub(crate) fn check_rows(&self, report: &mut Report<'_>, side: Side, what: &str, due: &[Row]) -> Result<()> {
        let as_texts = |rows: &[Row]| -> BTreeSet<String> { rows.iter().map(Row::to_string).collect() };
        let wrong = differing(&as_texts(due), &as_texts(&self.rows[side]));
        report.check_list(&format!("{side} nodes that are not {what}"), &wrong)
    }
}

/// What only one of the two has, each with which one that is.
pub(crate) fn differing(expected: &BTreeSet<String>, found: &BTreeSet<String>) -> Vec<String> {
    let missing = expected.difference(found).map(|text| format!("missing: {text}"));
    missing.chain(found.difference(expected).map(|text| format!("too much: {text}"))).collect()
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.id, self.node, self.error.as_deref().unwrap_or("nothing to be said"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(id: i64, path: &str, copy: Option<CopyStatus>) -> Row {
        let node = Node {
            path: path.to_owned(),
            kind: NodeKind::File,
            size: Some(1),
            modified_ns: Some(2),
            depth: 1,
            traversal: TraversalStatus::Successful,
            copy,
        };
        Row { id, node, error: None }
    }

    fn snapshot() -> LedgerSnapshot {
        let pending = Some(CopyStatus::Pending);
        LedgerSnapshot {
            phase: "review".to_owned(),
            rows: BySide { src: vec![row(2, "/a", pending), row(3, "/b", pending)], dst: vec![row(2, "/a", None)] },
            problems: BTreeSet::new(),
            excluded: 0,
            verified: Verified::default(),
            copied_events: 0,
            plans: Vec::new(),
            is_recount_equal: true,
        }
    }

    /// The first check that does not hold.
    fn failed(check: impl FnOnce(&mut Report<'_>) -> Result<()>) -> Option<String> {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        check(&mut report).unwrap();
        report.first_failed().map(str::to_owned)
    }

    #[test]
    fn whatever_makes_a_ledger_unsound_is_noticed() {
        let sound = snapshot();
        assert_eq!(failed(|report| sound.check_sound(report)), None);
        let of_source = |row| {
            let mut ledger = snapshot();
            ledger.rows.src.push(row);
            failed(|report| ledger.check_sound(report)).unwrap()
        };
        assert!(of_source(row(4, "/a", None)).starts_with("source nodes with the path and kind of another one"));
        assert!(of_source(row(3, "/c", None)).starts_with("source ids that are repeated"));
        let mut pending = row(4, "/c", None);
        pending.node.traversal = TraversalStatus::Pending;
        assert!(of_source(pending).starts_with("source folders still to be listed"));
        let other = LedgerSnapshot { is_recount_equal: false, ..snapshot() };
        assert!(failed(|report| other.check_sound(report)).unwrap().starts_with("counters and recount"));
    }

    #[test]
    fn whatever_is_different_between_two_moments_is_noticed() {
        let due = snapshot().rows.src;
        let check = |change: fn(&mut Vec<Row>)| {
            let mut ledger = snapshot();
            change(&mut ledger.rows.src);
            failed(|report| ledger.check_rows(report, Side::Source, "as before", &due))
        };
        let wrong = |count| Some(format!("source nodes that are not as before: expected 0, found {count}"));
        assert_eq!(check(|_| {}), None);
        assert_eq!(check(|rows| rows[0].id = 7), wrong(2));
        assert_eq!(check(|rows| rows[0].error = Some("why".to_owned())), wrong(2));
        assert_eq!(check(|rows| rows[1].node.copy = Some(CopyStatus::Successful)), wrong(2));
        assert_eq!(check(|rows| rows.truncate(1)), wrong(1));
        assert_eq!(check(|rows| rows.push(row(9, "/c", None))), wrong(1));
    }

    #[test]
    fn what_is_gone_from_the_source_is_not_there() {
        let mut ledger = snapshot();
        ledger.rows.src.push(row(4, "/gone", Some(CopyStatus::Vanished)));
        let paths: Vec<&str> = ledger.there(Side::Source).keys().map(|(path, _)| *path).collect();
        assert_eq!(paths, ["/a", "/b"]);
    }
}
