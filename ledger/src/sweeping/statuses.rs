//! The status of every node in the folders that a sweep has listed, from what is there now.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::{CompareBy, CopyChange, CopyStatus, NodeKind, PlanAction, ReasonCode, Side};

use super::ranges::{bounds, ranges};
use crate::error::Result;
use crate::events::CopyChanges;
use crate::exclusions::cover_changing;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::Writer;

/// What statuses follow from when a sweep ends: temporary tables of source nodes.
pub(super) struct Evidence {
    /// Those that have the same counterpart now and had not, or the other way round: `(id, same_before)`.
    pub(super) same_changed: TempTable,
    /// Those that are gone: `(id)`.
    pub(super) gone: TempTable,
    /// Folders of which it is not known what the destination has: `(id)`.
    pub(super) unknown: TempTable,
    /// What has another size or time than it had, on either side, or has come back, or has a counterpart now: `(id)`.
    pub(super) differs: TempTable,
    /// What is of another kind than what has its name on the destination: `(id, reason)`.
    pub(super) taken: TempTable,
    /// Folders that are in conflict, and those below them: `(id)`.
    pub(super) in_taken: TempTable,
}

impl Evidence {
    /// The nodes `(src_id)` that had the same counterpart before the sweep, as a query.
    fn same_before(&self) -> String {
        format!(
            "SELECT DISTINCT src_id
             FROM matches
             WHERE same AND src_id NOT IN (SELECT id FROM {same_changed})
             UNION
             SELECT id
             FROM {same_changed}
             WHERE same_before",
            same_changed = self.same_changed
        )
    }

    pub(super) fn drop(self, connection: &Connection) -> Result<()> {
        let Evidence { same_changed, gone, unknown, differs, taken, in_taken } = self;
        [same_changed, gone, unknown, differs, taken, in_taken].into_iter().try_for_each(|table| table.drop(connection))
    }
}

/// Gives every node in the listed folders the status that follows from what is there now. Returns how many get another one,
/// or another reason.
pub(super) fn derive_statuses(writer: &mut Writer, evidence: &Evidence) -> Result<i64> {
    // Both were listed on the same side.
    let comparison = writer.settings.comparison.by(CompareBy::SizeAndTime).by_looking(false).adopting(false);
    let unchanged = sql::is_same_node(comparison, "s", "d");
    let Evidence { gone, unknown, differs, taken, in_taken, .. } = evidence;
    let same_before = evidence.same_before();
    let changing = TempTable::empty(&writer.connection, "changing", "id BIGINT, change VARCHAR, reason VARCHAR")?;
    for ids in ranges(&writer.connection, Side::Source)? {
        let Range { start, end } = ids;
        let (first, last) = bounds(&writer.connection, "matches", "src_id", &ids, "dst_id")?;
        let (first_parent, last_parent) = bounds(&writer.connection, "src_nodes", "id", &ids, "parent_id")?;
        writer.connection.execute_batch(&format!(
            "INSERT INTO {changing}
             SELECT
               id,
               {found},
               reason
             FROM (
               SELECT
                 s.id,
                 x.id IS NOT NULL AS is_taken,
                 {was} AS was,
                 c.copy_error AS was_reason,
                 ({status})::copy_status AS becomes,
                 CASE
                   WHEN g.id IS NOT NULL THEN {is_gone}
                   WHEN s.kind = '{other}' THEN {other_kind}
                   WHEN x.id IS NOT NULL THEN x.reason
                 END AS reason
               FROM (FROM src_nodes WHERE id >= {start} AND id < {end}) s
               LEFT JOIN (FROM src_current WHERE id >= {start} AND id < {end}) c ON c.id = s.id
               -- A store may give a name twice.
               LEFT JOIN (
                 SELECT src_id, min(dst_id) AS dst_id, bool_or(same) AS same
                 FROM matches
                 WHERE src_id >= {start} AND src_id < {end}
                 GROUP BY src_id
               ) m ON m.src_id = s.id
               LEFT JOIN (FROM dst_nodes WHERE id >= {first} AND id <= {last}) d ON d.id = m.dst_id
               LEFT JOIN (FROM ({same_before}) WHERE src_id >= {start} AND src_id < {end}) b ON b.src_id = s.id
               LEFT JOIN (FROM copied WHERE src_id >= {start} AND src_id < {end}) k ON k.src_id = s.id
               -- Left alone because of what had its place.
               LEFT JOIN (
                 FROM plan
                 WHERE src_id >= {start} AND src_id < {end} AND action = '{skip}' AND dst_id IS NOT NULL
               ) p ON p.src_id = s.id
               LEFT JOIN renames r ON r.src_id = s.id
               LEFT JOIN (FROM decisions WHERE src_id >= {start} AND src_id < {end}) q ON q.src_id = s.id
               LEFT JOIN {gone} g ON g.id = s.id
               LEFT JOIN {differs} e ON e.id = s.id
               LEFT JOIN {taken} x ON x.id = s.id
               LEFT JOIN {in_taken} t ON t.id = s.parent_id
               LEFT JOIN {unknown} u ON u.id = s.parent_id
               WHERE g.id IS NOT NULL OR s.parent_id IN (
                 SELECT id
                 FROM swept
                 WHERE side = '{src}' AND NOT listed AND id >= {first_parent} AND id <= {last_parent}
               )
             )
             WHERE was <> becomes OR (becomes = '{conflict}' AND is_taken AND reason IS DISTINCT FROM was_reason)",
            found = what_was_found("becomes"),
            src = Side::Source.prefix(),
            was = sql::copy_status("c", "b.src_id IS NOT NULL"),
            status = status_now(&unchanged),
            skip = PlanAction::Skip,
            conflict = CopyStatus::Conflict,
            other = NodeKind::Other,
            is_gone = sql::reason(ReasonCode::Gone, &[]),
            other_kind = sql::reason(ReasonCode::OtherKind, &[]),
        ))?;
    }
    apply_statuses(writer, &changing, &same_before)?;
    let changed = changing.count(&writer.connection)?;
    changing.drop(&writer.connection)?;
    Ok(changed)
}

/// The copy status that follows for a node from what a sweep has found: an expression over the tables that
/// `derive_statuses` joins. `unchanged` tells whether a node and its counterpart have the same size and time.
fn status_now(unchanged: &str) -> String {
    format!(
        "CASE
           WHEN g.id IS NOT NULL THEN '{vanished}'
           WHEN c.copy_status = '{vanished}' AND e.id IS NULL THEN '{vanished}'
           WHEN s.kind = '{other}' THEN '{skipped}'
           WHEN c.copy_status = '{successful}' AND m.same THEN '{successful}'
           WHEN m.same THEN '{already_existed}'
           WHEN {is_excluded} THEN c.copy_status
           -- A decision stays.
           WHEN c.copy_status = '{skipped}' AND q.action = '{skip}' THEN '{skipped}'
           WHEN x.id IS NOT NULL AND (q.action IS NULL OR q.action <> '{keep_both}') THEN '{conflict}'
           WHEN c.copy_status IS NULL THEN '{pending}'
           WHEN e.id IS NULL AND u.id IS NOT NULL THEN c.copy_status
           WHEN c.copy_status = '{successful}' THEN
             CASE
               WHEN k.src_id IS NOT NULL AND (
                 k.modified_ns IS DISTINCT FROM s.modified_ns
                 OR (s.kind = '{file}' AND k.size IS DISTINCT FROM s.size)
               ) THEN '{pending}'
               -- It was put beside another one.
               WHEN k.name IS NOT NULL AND k.name IS DISTINCT FROM r.name THEN '{successful}'
               WHEN m.dst_id IS NOT NULL AND {unchanged} THEN '{successful}'
               ELSE '{pending}'
             END
           WHEN e.id IS NOT NULL THEN '{pending}'
           WHEN m.dst_id IS NOT NULL THEN c.copy_status
           WHEN c.copy_status = '{already_existed}' THEN '{pending}'
           WHEN c.copy_status = '{conflict}' AND t.id IS NULL THEN '{pending}'
           WHEN c.copy_status = '{skipped}' AND p.src_id IS NOT NULL THEN '{pending}'
           ELSE c.copy_status
         END",
        is_excluded = sql::is_status("c.copy_status", CopyStatus::is_excluded),
        // Statuses.
        pending = CopyStatus::Pending,
        successful = CopyStatus::Successful,
        already_existed = CopyStatus::AlreadyExisted,
        skipped = CopyStatus::Skipped,
        conflict = CopyStatus::Conflict,
        vanished = CopyStatus::Vanished,
        // Kinds and actions.
        file = NodeKind::File,
        other = NodeKind::Other,
        skip = PlanAction::Skip,
        keep_both = PlanAction::KeepBoth,
    )
}

/// What happens to a reopened node for it to get the copy status in a column.
fn what_was_found(becomes: &str) -> String {
    let changes =
        [CopyChange::Gone, CopyChange::NotCarriedOver, CopyChange::FoundOnDestination, CopyChange::Conflicting];
    let cases = changes.map(|change| {
        let status = CopyStatus::Pending.after(change).expect("each of these can happen to a pending node");
        format!("WHEN '{status}' THEN '{change}'")
    });
    // No other status is found by looking: nodes only keep it.
    format!(
        "CASE {becomes} WHEN '{}' THEN NULL {} ELSE error('a sweep found ' || {becomes}) END",
        CopyStatus::Pending,
        cases.join(" ")
    )
}

/// Changes the statuses of the nodes in `changing`, and forgets what was recorded of their copies.
fn apply_statuses(writer: &mut Writer, changing: &TempTable, same_before: &str) -> Result<()> {
    writer.connection.execute_batch(&format!(
        "DELETE FROM copied WHERE src_id IN (SELECT id FROM {changing} WHERE change IS DISTINCT FROM '{gone}');
         DELETE FROM parts WHERE src_id IN (SELECT id FROM {changing});
         -- What only became pending is still different, and may well stay so: the policy may be to leave it.
         DELETE FROM differences WHERE src_id IN (SELECT id FROM {changing} WHERE change IS NOT NULL);",
        gone = CopyChange::Gone
    ))?;
    cover_changing(&writer.connection, changing)?;
    let (nodes, reopened_by) = (format!("FROM {changing}"), Some(CopyChange::FoundDifferent));
    writer.change_copies(&CopyChanges { nodes: &nodes, reopened_by, same_before })?;
    Ok(())
}
