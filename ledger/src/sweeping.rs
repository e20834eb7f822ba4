//! Sweeps: passes over folders that were listed before.
//!
//! A sweep begins with the folders that it lists again, all of them at once: those below the ones that somebody named. While it
//! lasts, the recorder notes what is different (see `recorder/sweeping.rs`). When everything is listed it ends: what is gone
//! goes with everything below it, what is there on both sides is matched, and whatever is not as it was is pending again,
//! for the plan to decide. Nodes that were found again keep their ids and their history, and their statuses where nothing about
//! them has changed.

mod summary;

use duckdb::{Connection, params};
use longhaul_model::{BySide, CompareBy, Comparison, NodeId, NodeKind, Phase, Side, TraversalChange, TraversalStatus};

use crate::Opened;
use crate::counters::{CountersToWrite, DepthCounters};
use crate::editing::{change_statuses, cover_changing, revoke};
use crate::error::{LedgerError, Result};
use crate::fold::fold_events;
use crate::migration::{Migration, set_phase};
use crate::recorder::{Recorder, Sweep};
use crate::review::paths::{nearest_existing, resolve};

pub use summary::{SweepFound, SweepSummary};

/// Why folders are listed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepKind {
    /// They were marked for retry.
    Retry,
    /// To see what has changed since.
    Refresh,
}

impl SweepKind {
    const fn as_str(self) -> &'static str {
        match self {
            SweepKind::Retry => "retry",
            SweepKind::Refresh => "refresh",
        }
    }
}

impl Opened {
    /// The source folder at a printable path from the root, which somebody has typed; without one, the root.
    pub fn source_folder(&self, path: Option<&str>) -> Result<NodeId> {
        let path = path.unwrap_or("/");
        match resolve(&self.connection, Side::Source, path)? {
            Some(found) if found.kind == NodeKind::Folder => Ok(found.id),
            Some(_) => Err(LedgerError::NotAFolder(path.to_owned())),
            None => {
                let nearest = nearest_existing(&self.connection, Side::Source, path)?;
                Err(LedgerError::NoSuchPath { path: path.to_owned(), nearest })
            }
        }
    }
}

impl Recorder {
    /// Begins to list a source folder again, with everything below it and what is there on the destination, to see what
    /// has changed; commits that with the phase `traversing`. An approval is revoked. Returns how many folders that are.
    pub fn begin_refresh(&mut self, folder: NodeId) -> Result<i64> {
        let folders = self.change_plan(|this| {
            this.connection
                .execute_batch(&format!("CREATE OR REPLACE TEMP TABLE sweep_roots AS SELECT {folder}::BIGINT AS id"))?;
            revoke(this)?;
            this.begin_sweep(SweepKind::Refresh)
        })?;
        self.commit()?;
        Ok(folders)
    }

    /// Begins a sweep over the source folders in the temporary table `sweep_roots (id)` and everything below them, and their
    /// counterparts, inside the transaction that is open; the phase is `traversing` then. The events must have been folded. Returns how
    /// many folders are listed.
    pub(crate) fn begin_sweep(&mut self, kind: SweepKind) -> Result<i64> {
        self.flush_rows()?;
        self.connection.execute_batch(
            "INSERT INTO swept
             WITH RECURSIVE folders AS MATERIALIZED (
               SELECT n.id, n.parent_id
               FROM src_nodes n
               SEMI JOIN src_folders f ON f.id = n.id
               ANTI JOIN (SELECT id FROM src_current WHERE copy_status = 'vanished') v ON v.id = n.id
               WHERE n.kind = 'folder'
             ),
             below AS (
               SELECT f.id
               FROM folders f
               SEMI JOIN sweep_roots r ON r.id = f.id
               UNION
               SELECT f.id
               FROM below
               JOIN folders f ON f.parent_id = below.id
             )
             SELECT 'src'::side, id, false
             FROM below
             UNION ALL
             SELECT 'dst'::side, f.id, false
             FROM dst_folders f
             SEMI JOIN below b ON b.id = f.src_id
             ANTI JOIN (SELECT id FROM dst_current WHERE traversal_status = 'not_on_src') c ON c.id = f.id",
        )?;
        let first_ids: BySide<NodeId> = self.next_id;
        self.connection.execute(
            "INSERT INTO sweeps
             VALUES (?, ?::sweep_kind, ?, ?, ?, NULL)",
            params![self.run, kind.as_str(), first_ids.src.0, first_ids.dst.0, (self.now_ns)()],
        )?;
        self.sweep = Some(Sweep::new(&self.connection, self.run, first_ids)?);
        // From `complete`, or from `suspended`, the way there leads over `review`.
        if Migration::read(&self.connection)?.phase != Phase::Review {
            set_phase(&self.connection, Phase::Review, None)?;
        }
        set_phase(&self.connection, Phase::Traversing, None)?;
        self.uncommitted_rows += 1;
        Ok(self.connection.query_row("SELECT count(*) FROM swept", [], |row| row.get(0))?)
    }

    /// Ends the sweep, if there is one: everything that it was to list is listed, and the events are folded.
    pub(crate) fn end_sweep(&mut self) -> Result<()> {
        let Some((run, first_ids)) = self.sweep.as_ref().map(|sweep| (sweep.run(), sweep.first_ids())) else {
            return Ok(());
        };
        self.begin_transaction()?;
        self.forget_gone_on_destination(run)?;
        self.leave_gone_on_source(run)?;
        self.match_known()?;
        self.compare_matched()?;
        self.derive_statuses(run, first_ids.dst)?;
        self.connection.execute("UPDATE sweeps SET ended_ns = ? WHERE ended_ns IS NULL", params![(self.now_ns)()])?;
        self.connection.execute_batch("DELETE FROM swept")?;
        self.flush_rows()?;
        self.sweep = None;
        let marks = self.counters.marks;
        DepthCounters::recount(&self.connection)?.replace(&self.connection)?;
        self.counters = CountersToWrite::read(&self.connection)?;
        self.counters.marks = marks;
        self.uncommitted_rows += 1;
        self.commit_transaction()?;
        fold_events(&self.connection)
    }

    /// What is gone from the destination was never more than what there was, and is forgotten with everything below it.
    fn forget_gone_on_destination(&self, run: i32) -> Result<()> {
        find_gone(&self.connection, Side::Destination, run)?;
        Ok(self.connection.execute_batch(
            "DELETE FROM matches WHERE dst_id IN (FROM gone_dst);
             DELETE FROM dst_status_events WHERE node_id IN (FROM gone_dst);
             DELETE FROM dst_current WHERE id IN (FROM gone_dst);
             DELETE FROM errors WHERE side = 'dst' AND node_id IN (FROM gone_dst);
             DELETE FROM dst_folders WHERE id IN (FROM gone_dst);
             DELETE FROM dst_nodes WHERE id IN (FROM gone_dst);",
        )?)
    }

    /// What is gone from the source stays in the ledger and has no counterpart any more. Its status follows with the others.
    fn leave_gone_on_source(&mut self, run: i32) -> Result<()> {
        find_gone(&self.connection, Side::Source, run)?;
        let ids = |sql: &str| -> Result<Vec<i64>> {
            let mut statement = self.connection.prepare(sql)?;
            let ids = statement.query_map([], |row| row.get(0))?.collect::<duckdb::Result<_>>()?;
            Ok(ids)
        };
        let left_over = ids("SELECT f.id FROM dst_folders f SEMI JOIN gone_src g ON g.id = f.src_id")?;
        let failed = ids(
            "SELECT c.id FROM src_current c SEMI JOIN gone_src g ON g.id = c.id WHERE c.traversal_status = 'failed'",
        )?;
        self.connection.execute_batch("DELETE FROM matches WHERE src_id IN (FROM gone_src)")?;
        for id in left_over {
            let status = TraversalStatus::Successful.after(TraversalChange::CounterpartGone).expect("in the table");
            self.push_event(Side::Destination, NodeId(id), Some(status), None, 0, None);
        }
        for id in failed {
            // There is nothing left to be listed.
            self.push_event(Side::Source, NodeId(id), Some(TraversalStatus::Successful), None, 0, None);
        }
        self.flush_rows()
    }

    /// Matches what was there on both sides, or on one of them, and had no counterpart. Folders have found theirs already.
    fn match_known(&self) -> Result<()> {
        Ok(self.connection.execute_batch(
            "CREATE OR REPLACE TEMP TABLE unmatched AS
             SELECT d.id, d.parent_id, d.name, d.kind, f.src_id AS src_parent_id
             FROM dst_nodes d
             JOIN dst_folders f ON f.id = d.parent_id
             SEMI JOIN (SELECT id FROM swept WHERE side = 'src') w ON w.id = f.src_id
             ANTI JOIN matches m ON m.dst_id = d.id;

             CREATE OR REPLACE TEMP TABLE newly_matched AS
             SELECT s.id AS src_id, min(u.id) AS dst_id, false AS same
             FROM unmatched u
             JOIN src_nodes s ON s.parent_id = u.src_parent_id AND s.name = u.name AND s.kind = u.kind
             ANTI JOIN matches m ON m.src_id = s.id
             ANTI JOIN gone_src g ON g.id = s.id
             ANTI JOIN (
               SELECT c.id
               FROM src_current c
               WHERE c.copy_status = 'vanished' AND c.id NOT IN (SELECT node_id FROM sweep_findings WHERE finding = 'back')
             ) v ON v.id = s.id
             WHERE u.kind <> 'folder'
             GROUP BY s.id;

             INSERT INTO matches
             FROM newly_matched;

             DELETE FROM unmatched WHERE id IN (SELECT dst_id FROM matches);",
        )?)
    }

    /// Brings up to date which of the matches in the listed folders are the same.
    fn compare_matched(&self) -> Result<()> {
        let same = is_same(self.settings.comparison, "s", "d");
        Ok(self.connection.execute_batch(&format!(
            "CREATE OR REPLACE TEMP TABLE compared AS
             SELECT m.src_id, m.dst_id, {same} AS same
             FROM matches m
             JOIN src_nodes s ON s.id = m.src_id
             JOIN dst_nodes d ON d.id = m.dst_id
             SEMI JOIN (SELECT id FROM swept WHERE side = 'src') w ON w.id = s.parent_id
             WHERE m.same <> {same};

             UPDATE matches
             SET same = c.same
             FROM compared c
             WHERE c.src_id = matches.src_id AND c.dst_id = matches.dst_id"
        ))?)
    }

    /// Gives every node in the listed folders the status that follows from what is there now.
    fn derive_statuses(&mut self, run: i32, first_new: NodeId) -> Result<()> {
        let first_new = first_new.0;
        let unchanged = is_same(Comparison { by: CompareBy::SizeAndTime, ..self.settings.comparison }, "s", "d");
        self.connection.execute_batch(&format!(
            "-- Folders of which it is not known what the destination has: it could not be listed, or something above it.
             CREATE OR REPLACE TEMP TABLE unknown AS
             WITH RECURSIVE below AS (
               SELECT f.src_id AS id
               FROM dst_folders f
               JOIN dst_current c ON c.id = f.id AND c.traversal_status = 'failed'
               UNION
               SELECT n.id
               FROM below
               JOIN src_nodes n ON n.parent_id = below.id AND n.kind = 'folder'
             )
             FROM below;

             -- What has another size or time than it had, on either side, or has come back, or has a counterpart now.
             CREATE OR REPLACE TEMP TABLE differs AS
             SELECT node_id AS id
             FROM sweep_findings
             WHERE side = 'src' AND run >= {run} AND finding IN ('changed', 'back')
             UNION
             SELECT m.src_id
             FROM sweep_findings f
             JOIN matches m ON m.dst_id = f.node_id
             WHERE f.side = 'dst' AND f.run >= {run} AND f.finding = 'changed'
             UNION
             SELECT src_id
             FROM matches
             WHERE NOT same AND (dst_id >= {first_new} OR dst_id IN (SELECT dst_id FROM newly_matched));

             -- Of another kind than what has its place.
             CREATE OR REPLACE TEMP TABLE taken AS
             SELECT s.id, any_value('the source has a ' || s.kind || ' of this name, the destination a ' || u.kind) AS reason
             FROM unmatched u
             JOIN src_nodes s ON s.parent_id = u.src_parent_id AND s.name = u.name AND s.kind <> u.kind
             ANTI JOIN matches m ON m.src_id = s.id
             ANTI JOIN gone_src g ON g.id = s.id
             WHERE s.kind <> 'other'
             GROUP BY s.id;

             -- What is below something that is in conflict.
             CREATE OR REPLACE TEMP TABLE in_taken AS
             WITH RECURSIVE below AS (
               SELECT n.id
               FROM src_nodes n
               WHERE n.kind = 'folder' AND (
                 n.id IN (SELECT id FROM taken)
                 OR n.id IN (SELECT id FROM src_current WHERE copy_status = 'conflict')
                   AND n.parent_id NOT IN (SELECT id FROM swept WHERE side = 'src')
               )
               UNION
               SELECT n.id
               FROM below
               JOIN src_nodes n ON n.parent_id = below.id AND n.kind = 'folder'
             )
             FROM below;

             CREATE OR REPLACE TEMP TABLE changing AS
             SELECT id, was, becomes, reason
             FROM (
               SELECT
                 s.id,
                 x.id IS NOT NULL AS is_taken,
                 coalesce(c.copy_status, CASE WHEN m.same THEN 'already_existed' ELSE 'pending' END::copy_status) AS was,
                 c.copy_error AS was_reason,
                 CASE
                   WHEN g.id IS NOT NULL THEN 'vanished'
                   WHEN c.copy_status = 'vanished' AND e.id IS NULL THEN 'vanished'
                   WHEN s.kind = 'other' THEN 'skipped'
                   WHEN c.copy_status = 'successful' AND m.same THEN 'successful'
                   WHEN m.same THEN 'already_existed'
                   WHEN c.copy_status IN ('excluded_explicit', 'excluded_inherited') THEN c.copy_status
                   WHEN x.id IS NOT NULL THEN 'conflict'
                   WHEN c.copy_status IS NULL THEN 'pending'
                   WHEN e.id IS NULL AND u.id IS NOT NULL THEN c.copy_status
                   WHEN c.copy_status = 'successful' THEN
                     CASE
                       WHEN k.src_id IS NOT NULL AND (
                         k.modified_ns IS DISTINCT FROM s.modified_ns
                         OR (s.kind = 'file' AND k.size IS DISTINCT FROM s.size)
                       ) THEN 'pending'
                       -- It was given another name there.
                       WHEN k.name IS NOT NULL THEN 'successful'
                       WHEN m.dst_id IS NOT NULL AND {unchanged} THEN 'successful'
                       ELSE 'pending'
                     END
                   WHEN e.id IS NOT NULL THEN 'pending'
                   WHEN m.dst_id IS NOT NULL THEN c.copy_status
                   WHEN c.copy_status = 'already_existed' THEN 'pending'
                   WHEN c.copy_status = 'conflict' AND t.id IS NULL THEN 'pending'
                   WHEN c.copy_status = 'skipped' AND p.src_id IS NOT NULL THEN 'pending'
                   ELSE c.copy_status
                 END::copy_status AS becomes,
                 CASE
                   WHEN g.id IS NOT NULL THEN 'it is gone from the source'
                   WHEN s.kind = 'other' THEN 'neither a file, a folder nor a symbolic link'
                   WHEN x.id IS NOT NULL THEN x.reason
                 END AS reason
               FROM src_nodes s
               LEFT JOIN src_current c ON c.id = s.id
               -- A store may give a name twice.
               LEFT JOIN (
                 SELECT src_id, min(dst_id) AS dst_id, bool_or(same) AS same
                 FROM matches
                 GROUP BY src_id
               ) m ON m.src_id = s.id
               LEFT JOIN dst_nodes d ON d.id = m.dst_id
               LEFT JOIN copied k ON k.src_id = s.id
               -- Left alone because of what had its place.
               LEFT JOIN (FROM plan WHERE action = 'skip' AND dst_id IS NOT NULL) p ON p.src_id = s.id
               LEFT JOIN gone_src g ON g.id = s.id
               LEFT JOIN differs e ON e.id = s.id
               LEFT JOIN taken x ON x.id = s.id
               LEFT JOIN in_taken t ON t.id = s.parent_id
               LEFT JOIN unknown u ON u.id = s.parent_id
               WHERE s.parent_id IN (SELECT id FROM swept WHERE side = 'src') OR g.id IS NOT NULL
             )
             WHERE was <> becomes OR (becomes = 'conflict' AND is_taken AND reason IS DISTINCT FROM was_reason);

             DELETE FROM copied WHERE src_id IN (SELECT id FROM changing WHERE becomes <> 'vanished');
             DELETE FROM parts WHERE src_id IN (SELECT id FROM changing);
             DELETE FROM differences WHERE src_id IN (SELECT id FROM changing);"
        ))?;
        cover_changing(&self.connection)?;
        change_statuses(self)?;
        Ok(())
    }
}

/// Fills `gone_src (id)` or `gone_dst (id)` with what the sweep that began in `run` has found to be gone, and everything below.
fn find_gone(connection: &Connection, side: Side, run: i32) -> Result<()> {
    let side = side.prefix();
    Ok(connection.execute_batch(&format!(
        "CREATE OR REPLACE TEMP TABLE gone_{side} AS
         WITH RECURSIVE below AS (
           SELECT node_id AS id
           FROM sweep_findings
           WHERE side = '{side}' AND finding = 'gone' AND run >= {run}
           UNION
           SELECT n.id
           FROM below
           JOIN {side}_nodes n ON n.parent_id = below.id
         )
         FROM below"
    ))?)
}

/// [`Comparison::is_same`] of a source node and a destination node of the same kind, as an SQL expression.
fn is_same(comparison: Comparison, source: &str, destination: &str) -> String {
    let size = format!("coalesce({source}.size = {destination}.size, false)");
    let time = format!(
        "coalesce(abs({source}.modified_ns::HUGEINT - {destination}.modified_ns::HUGEINT) <= {}, false)",
        comparison.time_tolerance_ns
    );
    let same = match comparison.by {
        CompareBy::SizeAndTime => format!("({size} AND {time})"),
        CompareBy::Size => size,
        CompareBy::Time => time,
        CompareBy::Checksum => "false".to_owned(),
        CompareBy::Exists => "true".to_owned(),
    };
    format!(
        "CASE {source}.kind
           WHEN 'folder' THEN true
           WHEN 'other' THEN false
           ELSE {same}
         END"
    )
}

#[cfg(test)]
mod tests;
