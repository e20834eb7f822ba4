//! The one door to the record of statuses.
//!
//! Every change of a status is an event, and every event is written here: one at a time ([`Events::change_copy`] and its
//! neighbours), or for a set of nodes that a query gives ([`Events::change_copies`]). Both take the new status from the
//! tables of the `model` crate, number the events, and refuse a change that these tables do not allow, or a status without
//! the reason that it has to carry. For a set, the status that a node had is read here; for one node, it is what the caller
//! says. Nothing else writes to `src_status_events` and `dst_status_events`.

use std::collections::BTreeMap;
use std::ops::Range;

use duckdb::arrow::array::StringBuilder;
use duckdb::{Connection, params};
use longhaul_model::{
    BySide, CopyChange, CopyStatus, ForbiddenTransition, NodeId, Reason, Side, TraversalChange, TraversalStatus,
};

use crate::codes::{copy_change, copy_status};
use crate::error::{LedgerError, Result};
use crate::rows::{Rows, flush, rows};
use crate::sql::{self, RANGE_IDS};

/// Writes events.
#[derive(Debug)]
pub(crate) struct Events {
    rows: BySide<EventRows>,
    next_seq: i64,
    run: i32,
    now_ns: fn() -> i64,
}

/// A set of source nodes whose copy statuses change.
#[derive(Debug)]
pub(crate) struct CopyChanges<'a> {
    /// A query for the columns `id`, each at most once; `change`, a word of [`CopyChange`], or NULL where a node
    /// is only reopened; and `reason` in its stored form, or NULL.
    pub(crate) nodes: &'a str,
    /// What reopens the nodes that are not pending, before the change happens to them; `None` where all have to be pending.
    pub(crate) reopened_by: Option<CopyChange>,
    /// A query for the column `src_id`, each at most once: the nodes that the destination had the same before the change.
    /// What a node without an event was follows from that.
    pub(crate) same_before: &'a str,
}

/// The nodes that the destination has the same now: [`CopyChanges::same_before`] of whatever does not change `matches`.
pub(crate) const SAME_NOW: &str = "SELECT DISTINCT src_id FROM matches WHERE same";

impl CopyChanges<'_> {
    fn after(&self, was: CopyStatus, change: Option<CopyChange>) -> Result<CopyStatus, ForbiddenTransition> {
        match (self.reopened_by, change) {
            (Some(reopened_by), change) => was.after_reopening(reopened_by, change),
            (None, Some(change)) => was.after(change),
            (None, None) => Ok(was),
        }
    }
}

/// Nodes of one depth that went from one status to another, or kept theirs for another reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChangedAtDepth {
    pub(crate) depth: i32,
    pub(crate) was: CopyStatus,
    pub(crate) is: CopyStatus,
    pub(crate) nodes: i64,
    /// Bytes of the files among them.
    pub(crate) bytes: i64,
}

impl Events {
    /// Continues the numbering. `run` is the run in which events are written, `now_ns` the clock.
    pub(crate) fn open(connection: &Connection, run: i32, now_ns: fn() -> i64) -> Result<Events> {
        // Recovery drops events, the last ones perhaps, and what is not behind the folded ones would never be folded.
        let last: i64 = connection.query_row(
            "SELECT greatest(
               (SELECT coalesce(max(seq), 0) FROM src_status_events),
               (SELECT coalesce(max(seq), 0) FROM dst_status_events),
               (SELECT max(src_folded_seq) FROM migration),
               (SELECT max(dst_folded_seq) FROM migration)
             )",
            [],
            |row| row.get(0),
        )?;
        Ok(Events { rows: BySide::default(), next_seq: last + 1, run, now_ns })
    }

    /// Something happened to the traversal status `was` of a folder.
    pub(crate) fn change_traversal(
        &mut self,
        side: Side,
        node: NodeId,
        was: TraversalStatus,
        change: TraversalChange,
        attempts: i32,
        reason: Option<&Reason>,
    ) -> Result<()> {
        let status = was.after(change).map_err(|error| forbidden(node, &error))?;
        self.push(side, node, Some(status), None, attempts, reason.map(Reason::stored).as_deref())
    }

    /// Something happened to a folder that a sweep lists again: it was pending because of that.
    pub(crate) fn change_relisted(
        &mut self,
        side: Side,
        node: NodeId,
        was: TraversalStatus,
        change: TraversalChange,
        attempts: i32,
        reason: Option<&Reason>,
    ) -> Result<()> {
        let status = was.after_retry(change).map_err(|error| forbidden(node, &error))?;
        self.push(side, node, Some(status), None, attempts, reason.map(Reason::stored).as_deref())
    }

    /// Something happened to the copy status `was` of a source node. Returns the new one.
    pub(crate) fn change_copy(
        &mut self,
        node: NodeId,
        was: CopyStatus,
        change: CopyChange,
        attempts: i32,
        reason: Option<&Reason>,
    ) -> Result<CopyStatus> {
        let status = was.after(change).map_err(|error| forbidden(node, &error))?;
        self.push(Side::Source, node, None, Some(status), attempts, reason.map(Reason::stored).as_deref())?;
        Ok(status)
    }

    /// A source node is reopened and something happens to it, if `then` is given. Returns the new status. `reason` is in
    /// its stored form.
    pub(crate) fn reconsider_copy(
        &mut self,
        node: NodeId,
        was: CopyStatus,
        reopened_by: CopyChange,
        then: Option<CopyChange>,
        reason: Option<&str>,
    ) -> Result<CopyStatus> {
        let status = was.after_reopening(reopened_by, then).map_err(|error| forbidden(node, &error))?;
        self.push(Side::Source, node, None, Some(status), 0, reason)?;
        Ok(status)
    }

    /// A source node that was just found is excluded; with that a folder counts as listed, since it never will be.
    pub(crate) fn exclude_found(&mut self, node: NodeId, is_folder: bool, reason: &Reason) -> Result<CopyStatus> {
        let copy = CopyStatus::Pending.after(CopyChange::Excluded).map_err(|error| forbidden(node, &error))?;
        let listed =
            TraversalStatus::Pending.after(TraversalChange::Listed).map_err(|error| forbidden(node, &error))?;
        let traversal = is_folder.then_some(listed);
        self.push(Side::Source, node, traversal, Some(copy), 0, Some(&reason.stored()))?;
        Ok(copy)
    }

    /// Notes something about a node. No status changes.
    pub(crate) fn remark(&mut self, side: Side, node: NodeId, remark: &Reason) -> Result<()> {
        self.push(side, node, None, None, 0, Some(&remark.stored()))
    }

    fn push(
        &mut self,
        side: Side,
        node: NodeId,
        traversal: Option<TraversalStatus>,
        copy: Option<CopyStatus>,
        attempt: i32,
        reason: Option<&str>,
    ) -> Result<()> {
        if reason.is_none() {
            if let Some(status) = copy.filter(|status| status.carries_reason()) {
                return Err(without_reason(&status));
            }
            if let Some(status) = traversal.filter(|status| status.carries_reason()) {
                return Err(without_reason(&status));
            }
        }
        let (seq, run, at_ns) = (self.next_seq, self.run, (self.now_ns)());
        self.next_seq += 1;
        self.rows[side].push(&Event { seq, node, traversal, copy, attempt, run, at_ns, reason });
        Ok(())
    }

    /// The number of the next event.
    #[cfg(test)]
    pub(crate) fn next_seq(&self) -> i64 {
        self.next_seq
    }

    /// Events that wait to be flushed.
    pub(crate) fn waiting(&self) -> usize {
        self.rows.src.len() + self.rows.dst.len()
    }

    /// Hands the events to DuckDB, inside the transaction that is open.
    pub(crate) fn flush(&mut self, connection: &Connection) -> Result<()> {
        for side in Side::BOTH {
            flush(&mut self.rows[side], &format!("{}_status_events", side.prefix()), connection)?;
        }
        Ok(())
    }

    /// Changes the copy statuses of a set of source nodes, inside the transaction that is open. Nothing may wait to be
    /// flushed. Returns what changed; the counters are the caller's.
    pub(crate) fn change_copies(
        &mut self,
        connection: &Connection,
        set: &CopyChanges<'_>,
    ) -> Result<Vec<ChangedAtDepth>> {
        assert_eq!(self.waiting(), 0, "events are flushed before a set is derived from them");
        let ranges: Vec<i64> = connection
            .prepare(&format!("SELECT DISTINCT id // {RANGE_IDS} FROM ({}) ORDER BY ALL", set.nodes))?
            .query_map([], |row| row.get(0))?
            .collect::<duckdb::Result<_>>()?;
        let mut changed = BTreeMap::new();
        for range in ranges {
            self.change_range(connection, set, &(range * RANGE_IDS..(range + 1) * RANGE_IDS), &mut changed)?;
        }
        Ok(changed.into_values().collect())
    }

    /// As [`Events::change_copies`], for the nodes with ids within `ids`, and no others.
    pub(crate) fn change_copies_within(
        &mut self,
        connection: &Connection,
        set: &CopyChanges<'_>,
        ids: &Range<i64>,
    ) -> Result<Vec<ChangedAtDepth>> {
        assert_eq!(self.waiting(), 0, "events are flushed before a set is derived from them");
        let mut changed = BTreeMap::new();
        self.change_range(connection, set, ids, &mut changed)?;
        Ok(changed.into_values().collect())
    }

    fn change_range(
        &mut self,
        connection: &Connection,
        set: &CopyChanges<'_>,
        ids: &Range<i64>,
        changed: &mut BTreeMap<(i32, CopyStatus, CopyStatus), ChangedAtDepth>,
    ) -> Result<()> {
        let Range { start, end } = *ids;
        let rows_of_set = format!(
            "SELECT c.id, c.change, c.reason, {was} AS was
             FROM (SELECT id, change, reason FROM ({nodes}) WHERE id >= {start} AND id < {end}) c
             LEFT JOIN ({latest}) l ON l.id = c.id
             LEFT JOIN (FROM ({same_before}) WHERE src_id >= {start} AND src_id < {end}) m ON m.src_id = c.id",
            was = sql::copy_status("l", "m.src_id IS NOT NULL"),
            nodes = set.nodes,
            same_before = set.same_before,
            latest = sql::latest(Side::Source, Some(ids)),
        );
        // What the tables of the model say of each combination that occurs.
        let mut becomes: BTreeMap<(CopyStatus, Option<CopyChange>), CopyStatus> = BTreeMap::new();
        let mut nodes = 0;
        {
            let mut statement = connection.prepare(&format!(
                "SELECT n.depth, s.was::VARCHAR, s.change, s.reason IS NOT NULL, count(*),
                   {bytes}::BIGINT
                 FROM ({rows_of_set}) s
                 JOIN (SELECT id, depth, kind, size FROM src_nodes WHERE id >= {start} AND id < {end}) n ON n.id = s.id
                 GROUP BY ALL",
                bytes = sql::bytes_of_files("n")
            ))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let was = copy_status(&row.get::<_, String>(1)?)?;
                let change = row.get::<_, Option<String>>(2)?.map(|word| copy_change(&word)).transpose()?;
                let is = set.after(was, change).map_err(|error| LedgerError::Inconsistent(error.to_string()))?;
                if is.carries_reason() && !row.get::<_, bool>(3)? {
                    return Err(without_reason(&is));
                }
                becomes.insert((was, change), is);
                let depth = row.get(0)?;
                let sum =
                    changed.entry((depth, was, is)).or_insert(ChangedAtDepth { depth, was, is, nodes: 0, bytes: 0 });
                let counted: i64 = row.get(4)?;
                nodes += counted;
                sum.nodes += counted;
                sum.bytes += row.get::<_, i64>(5)?;
            }
        }
        if becomes.is_empty() {
            // An insert without rows must not be followed by another one in the same transaction: see `fold_range`.
            return Ok(());
        }
        let table = becomes
            .iter()
            .map(|((was, change), is)| format!("('{was}', '{}', '{is}')", change.map_or("", CopyChange::as_str)));
        // Numbers that are passed over do no harm; to number without a gap takes a sort.
        let written = connection.execute(
            &format!(
                "INSERT INTO src_status_events
                 SELECT ? + s.id, s.id, NULL, b.becomes::copy_status, 0, ?, ?, s.reason
                 FROM ({rows_of_set}) s
                 JOIN (VALUES {table}) b (was, change, becomes) ON b.was = s.was AND b.change = coalesce(s.change, '')",
                table = table.collect::<Vec<_>>().join(", ")
            ),
            params![self.next_seq - start, self.run, (self.now_ns)()],
        )?;
        self.next_seq += end - start;
        if i64::try_from(written) != Ok(nodes) {
            return Err(LedgerError::Inconsistent(format!(
                "{nodes} nodes were to change, and {written} events were written"
            )));
        }
        Ok(())
    }
}

fn forbidden(node: NodeId, error: &ForbiddenTransition) -> LedgerError {
    LedgerError::Inconsistent(format!("node {node}: {error}"))
}

fn without_reason(status: &dyn std::fmt::Display) -> LedgerError {
    LedgerError::Inconsistent(format!("a node that is {status} carries no reason"))
}

/// Removes everything that was ever said of some nodes, inside the transaction that is open: they are removed as well, and
/// their ids may be given to others. `nodes` is a query for ids.
pub(crate) fn forget(connection: &Connection, side: Side, nodes: &str) -> Result<()> {
    let side = side.prefix();
    Ok(connection.execute_batch(&format!(
        "DELETE FROM {side}_status_events WHERE node_id IN ({nodes});
         DELETE FROM {side}_current WHERE id IN ({nodes});"
    ))?)
}

/// A row of `src_status_events` or `dst_status_events`.
#[derive(Debug)]
struct Event<'a> {
    seq: i64,
    node: NodeId,
    traversal: Option<TraversalStatus>,
    copy: Option<CopyStatus>,
    attempt: i32,
    run: i32,
    at_ns: i64,
    /// In its stored form.
    reason: Option<&'a str>,
}

rows! {
    /// Rows of `src_status_events` or `dst_status_events`.
    EventRows {
        seq: Vec<i64>,
        node_id: Vec<i64>,
        traversal_status: StringBuilder,
        copy_status: StringBuilder,
        attempt: Vec<i32>,
        run: Vec<i32>,
        at_ns: Vec<i64>,
        reason: StringBuilder,
    }
}

impl EventRows {
    fn push(&mut self, event: &Event<'_>) {
        self.seq.push(event.seq);
        self.node_id.push(event.node.0);
        self.traversal_status.append_option(event.traversal.map(TraversalStatus::as_str));
        self.copy_status.append_option(event.copy.map(CopyStatus::as_str));
        self.attempt.push(event.attempt);
        self.run.push(event.run);
        self.at_ns.push(event.at_ns);
        self.reason.append_option(event.reason);
    }
}

#[cfg(test)]
mod tests;
