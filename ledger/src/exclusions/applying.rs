//! Giving nodes the copy status that follows from the exclusions, in one pass over them in the order of their ids.
//!
//! What is known of a range of nodes is read by itself and laid side by side here: to join half of all nodes with what is
//! known of them takes DuckDB several times as long, and memory for all of them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use duckdb::Connection;
use duckdb::arrow::array::{Array, AsArray, RecordBatch, StringArray};
use duckdb::arrow::datatypes::{Int32Type, Int64Type, UInt8Type};
use hashbrown::HashMap;
use longhaul_model::{CopyChange, CopyStatus, NodeId, NodeKind, PlanAction};

use super::find_covered;
use crate::approval::revoke;
use crate::bits::Bits;
use crate::changing::{Changed, sum_up};
use crate::error::{LedgerError, Result};
use crate::events::{ChangedAtDepth, Events};
use crate::review::statuses::query;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::Writer;

/// Nodes that are looked at together: all that is known of them is in memory. In tests few, because their trees are small.
const RANGE_IDS: i64 = if cfg!(test) { 8 } else { 65_536 };

/// Gives the nodes that `selected` names, and all below them, the status that follows from `exclusions`, inside the
/// transaction that is open.
pub(crate) fn apply_exclusions(writer: &mut Writer, selected: &TempTable) -> Result<Changed> {
    let connection = &writer.connection;
    let all = Bits::of_all(connection, "src")?;
    let mut applying = Applying {
        scope: all.read_beside(connection, &format!("SELECT id FROM {selected} WHERE id >= ? AND id < ?"), &[])?,
        same: all.read_beside(
            connection,
            "SELECT src_id FROM matches WHERE src_id >= ? AND src_id < ? AND same",
            &[],
        )?,
        by_depth: BTreeMap::new(),
        last_id: 0,
    };
    let Some(first) = applying.scope.ids().next() else { return Ok(Changed::default()) };
    let covered = find_covered(connection)?;
    let step = usize::try_from(RANGE_IDS).expect("it is a small number");
    for start in (first..all.end()).step_by(step) {
        applying.range(connection, &covered, &mut writer.events, &(start..start + RANGE_IDS))?;
        writer.events.flush(connection)?;
    }
    covered.drop(connection)?;
    let by_depth: Vec<ChangedAtDepth> = applying.by_depth.into_values().collect();
    writer.count_changed(&by_depth);
    let mut changed = sum_up(writer, &by_depth)?;
    if changed.nodes > 0 {
        changed.revoked = revoke(writer)?;
    }
    Ok(changed)
}

/// How far exclusions have been applied.
struct Applying {
    /// What is selected, and the folders below that, as far as they have been passed.
    scope: Bits,
    /// What the destination has the same.
    same: Bits,
    /// What has changed, by depth and by what it was and what it is.
    by_depth: BTreeMap<(i32, CopyStatus, CopyStatus), ChangedAtDepth>,
    last_id: i64,
}

/// A status with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Standing {
    status: CopyStatus,
    reason: Option<Rc<str>>,
}

/// What a node is once it is open again: what happens to it then, if anything does, with the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Verdict {
    change: Option<CopyChange>,
    reason: Option<Rc<str>>,
}

impl Applying {
    fn range(
        &mut self,
        connection: &Connection,
        covered: &TempTable,
        events: &mut Events,
        ids: &Range<i64>,
    ) -> Result<()> {
        let nodes = query(
            connection,
            "SELECT id, coalesce(parent_id, 0), depth, enum_code(kind)::UTINYINT, coalesce(size, 0)
             FROM src_nodes
             WHERE id >= ? AND id < ?",
            ids,
        )?;
        let known = Known::read(connection, covered, ids, &parents(&nodes))?;
        for batch in &nodes {
            let [nodes, parents, sizes] = [0, 1, 4].map(|column| batch.column(column).as_primitive::<Int64Type>());
            let depths = batch.column(2).as_primitive::<Int32Type>();
            let kinds = batch.column(3).as_primitive::<UInt8Type>();
            for row in 0..batch.num_rows() {
                let (id, parent) = (nodes.value(row), parents.value(row));
                // They are written in this order, and a range is read as it was written.
                if id <= self.last_id {
                    return Err(LedgerError::Inconsistent(format!("the node {id} is not where its id says")));
                }
                self.last_id = id;
                if !self.scope.is_set(id) && !self.scope.is_set(parent) {
                    continue;
                }
                if kinds.value(row) == NodeKind::Folder as u8 {
                    self.scope.set(id);
                }
                if self.same.is_set(id) {
                    continue;
                }
                let is_file = kinds.value(row) == NodeKind::File as u8;
                let bytes = if is_file { sizes.value(row) } else { 0 };
                self.node(&known, events, NodeAt { id, parent, depth: depths.value(row), bytes })?;
            }
        }
        Ok(())
    }

    /// Records what changes for a node that is not the same on the destination.
    fn node(&mut self, known: &Known, events: &mut Events, node: NodeAt) -> Result<()> {
        let was = known.was(node.id);
        if !was.status.may_be_excluded() {
            return Ok(());
        }
        let verdict = known.verdict(node.id, node.parent);
        let reason = verdict.reason.as_deref();
        let is = was.status.after_reopening(CopyChange::Included, verdict.change);
        let is_same_status = is.is_ok_and(|is| is == was.status);
        if is_same_status && (was.status == CopyStatus::Pending || was.reason == verdict.reason) {
            return Ok(());
        }
        let (id, reopened_by) = (NodeId(node.id), CopyChange::Included);
        let is = events.reconsider_copy(id, was.status, reopened_by, verdict.change, reason)?;
        let changed = self.by_depth.entry((node.depth, was.status, is)).or_insert(ChangedAtDepth {
            depth: node.depth,
            was: was.status,
            is,
            nodes: 0,
            bytes: 0,
        });
        changed.nodes += 1;
        changed.bytes += node.bytes;
        Ok(())
    }
}

/// A node of a range.
#[derive(Clone, Copy, Debug)]
struct NodeAt {
    id: i64,
    parent: i64,
    depth: i32,
    /// Of a file.
    bytes: i64,
}

/// From the lowest to the highest parent of some nodes.
fn parents(nodes: &[RecordBatch]) -> Range<i64> {
    let parents =
        || nodes.iter().flat_map(|batch| batch.column(1).as_primitive::<Int64Type>().values().iter().copied());
    parents().min().unwrap_or(0)..parents().max().unwrap_or(0) + 1
}

/// What is known of a range of nodes.
struct Known {
    /// As the last event says that had something to say of it.
    current: HashMap<i64, Standing>,
    /// What has been excluded by itself, with the reason.
    excluded: HashMap<i64, Rc<str>>,
    /// The folders in which all is excluded, with the reason.
    covered: HashMap<i64, Rc<str>>,
    /// What the plan leaves alone, which only matters for what a filter excluded before it was made.
    planned: HashMap<i64, Verdict>,
}

impl Known {
    fn read(connection: &Connection, covered: &TempTable, ids: &Range<i64>, parents: &Range<i64>) -> Result<Known> {
        let excluded = reasons(
            connection,
            "SELECT node_id, min(reason)
             FROM exclusions
             WHERE node_id >= ? AND node_id < ?
             GROUP BY node_id",
            ids,
        )?;
        let covered =
            reasons(connection, &format!("SELECT id, inherited FROM {covered} WHERE id >= ? AND id < ?"), parents)?;
        let mut current = HashMap::new();
        for_each_coded(
            connection,
            "SELECT id, copy_error, enum_code(copy_status)::UTINYINT
             FROM src_current
             WHERE id >= ? AND id < ? AND copy_status IS NOT NULL",
            ids,
            |id, code, reason| {
                current.insert(id, Standing { status: CopyStatus::ALL[code], reason });
            },
        )?;
        let mut planned = HashMap::new();
        for_each_coded(
            connection,
            &format!(
                "SELECT src_id, reason, enum_code(action)::UTINYINT
                 FROM plan
                 WHERE src_id >= ? AND src_id < ? AND NOT {}",
                sql::is_work("action")
            ),
            ids,
            |id, code, reason| {
                planned.insert(id, Verdict { change: PlanAction::ALL[code].settled_by(), reason });
            },
        )?;
        Ok(Known { current, excluded, covered, planned })
    }

    fn was(&self, id: i64) -> Standing {
        self.current.get(&id).cloned().unwrap_or(Standing { status: CopyStatus::Pending, reason: None })
    }

    fn verdict(&self, id: i64, parent: i64) -> Verdict {
        match (self.excluded.get(&id), self.covered.get(&parent)) {
            (Some(reason), _) => Verdict { change: Some(CopyChange::Excluded), reason: Some(reason.clone()) },
            (None, Some(reason)) => {
                Verdict { change: Some(CopyChange::AncestorExcluded), reason: Some(reason.clone()) }
            }
            (None, None) => self.planned.get(&id).cloned().unwrap_or(Verdict { change: None, reason: None }),
        }
    }
}

fn reasons(connection: &Connection, sql: &str, ids: &Range<i64>) -> Result<HashMap<i64, Rc<str>>> {
    let mut reasons = HashMap::new();
    let mut last = Rc::from("");
    for_each(&query(connection, sql, ids)?, |_, _, id, reason| {
        if let Some(reason) = one_for_many(&mut last, reason) {
            reasons.insert(id, reason);
        }
    });
    Ok(reasons)
}

/// Calls `each` with the id, the code of an enumeration and the reason in each row that a statement gives.
fn for_each_coded(
    connection: &Connection,
    sql: &str,
    ids: &Range<i64>,
    mut each: impl FnMut(i64, usize, Option<Rc<str>>),
) -> Result<()> {
    let mut last = Rc::from("");
    for_each(&query(connection, sql, ids)?, |batch, row, id, reason| {
        let code = batch.column(2).as_primitive::<UInt8Type>().value(row);
        each(id, usize::from(code), one_for_many(&mut last, reason));
    });
    Ok(())
}

fn for_each(batches: &[RecordBatch], mut each: impl FnMut(&RecordBatch, usize, i64, Option<&str>)) {
    for batch in batches {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let reasons: &StringArray = batch.column(1).as_string();
        for row in 0..batch.num_rows() {
            each(batch, row, ids.value(row), reasons.is_valid(row).then(|| reasons.value(row)));
        }
    }
}

/// What is excluded together has one reason, which need not be kept for each.
fn one_for_many(last: &mut Rc<str>, reason: Option<&str>) -> Option<Rc<str>> {
    let reason = reason?;
    if **last != *reason {
        *last = Rc::from(reason);
    }
    Some(last.clone())
}
