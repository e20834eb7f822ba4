//! The plan: what the copy phase will do, one action for each source node that is not there already. Derived from
//! nodes, matches and statuses, when discovery has ended.

use std::ops::Range;

use duckdb::{Connection, params};
use longhaul_model::{Comparison, CopyStatus, FIRST_NODE_ID, NodeKind, PlanAction, PolicyVerdict, ReasonCode};

use crate::error::Result;
use crate::events::{ChangedAtDepth, CopyChanges, Events, SAME_NOW};
use crate::migration::Settings;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::Writer;

/// Makes the plan, and commits it so many ids at a time: DuckDB keeps in memory much of what a transaction adds.
///
/// Where that is broken off, discovery is still to be ended, and the plan is made again; what a part of it has said
/// of nodes that are left alone, the whole of it will say as well.
pub(crate) fn make_plan(writer: &mut Writer, range_ids: i64) -> Result<()> {
    writer.begin_transaction()?;
    let (ids, in_conflict) = begin_plan(&writer.connection)?;
    writer.commit_transaction()?;
    let mut start = ids.start;
    while start < ids.end {
        let range = start..ids.end.min(start + range_ids);
        start = range.end;
        writer.begin_transaction()?;
        plan_range(&writer.connection, &writer.settings, &in_conflict, &range)?;
        let settled = settle(&writer.connection, &mut writer.events, &range)?;
        writer.count_changed(&settled);
        writer.commit_transaction()?;
    }
    in_conflict.drop(&writer.connection)
}

/// Takes back whatever plan there was, inside the transaction that is open. The events must have been folded. Returns
/// the ids of the nodes that are to be planned, and the folders that are in conflict.
fn begin_plan(connection: &Connection) -> Result<(Range<i64>, TempTable)> {
    connection.execute_batch("DELETE FROM plan")?;
    // What was found anew has another id, and an id may be given out again.
    connection.execute_batch(
        "DELETE FROM renames r
         WHERE NOT EXISTS (
           FROM src_nodes n
           WHERE n.id = r.src_id AND n.parent_id = r.parent_id AND n.name = r.was
         )",
    )?;
    let in_conflict = find_folders_in_conflict(connection)?;
    let last: i64 = connection.query_row("SELECT coalesce(max(id), 0) FROM src_nodes", [], |row| row.get(0))?;
    // The root is never copied.
    Ok((FIRST_NODE_ID.0 + 1..last + 1, in_conflict))
}

/// Plans the nodes with ids within `ids`, inside the transaction that is open.
///
/// Once in a transaction: two inserts into the same table must not follow one another in it (see `fold_range`).
fn plan_range(connection: &Connection, settings: &Settings, in_conflict: &TempTable, ids: &Range<i64>) -> Result<()> {
    let (start, end) = (ids.start, ids.end);
    let (first_taken, last_taken): (Option<i64>, Option<i64>) = connection.query_row(
        "SELECT min(dst_id), max(dst_id) FROM matches WHERE src_id >= ? AND src_id < ? AND NOT same",
        params![start, end],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let Settings { comparison, on_conflict, symlinks_kept, .. } = settings;
    connection.execute_batch(&format!(
        "INSERT INTO plan
         WITH matched AS (
           SELECT src_id, dst_id, same
           FROM matches
           WHERE src_id >= {start} AND src_id < {end}
         ),
         waiting AS (
           SELECT n.id, n.parent_id, n.kind, n.size, n.modified_ns, c.copy_status, c.copy_error
           FROM src_nodes n
           ANTI JOIN (SELECT src_id FROM matched WHERE same) there ON there.src_id = n.id
           LEFT JOIN (
             SELECT id, copy_status, copy_error
             FROM src_current
             WHERE id >= {start} AND id < {end} AND copy_status IS NOT NULL
           ) c ON c.id = n.id
           WHERE n.id >= {start} AND n.id < {end} AND c.copy_status IS DISTINCT FROM '{vanished}'
         )
         SELECT
           w.id,
           CASE
             WHEN w.copy_status = '{successful}' THEN '{skip}'
             WHEN q.action = '{overwrite}' THEN {replace}
             WHEN q.action IS NOT NULL THEN q.action::VARCHAR
             WHEN w.copy_status = '{was_conflict}' THEN '{conflict}'
             WHEN w.kind = '{other}' THEN '{not_copied}'
             WHEN x.id IS NOT NULL THEN '{conflict}'
             WHEN w.kind = '{symlink}' AND NOT {symlinks_kept} THEN '{not_copied}'
             -- By a plan that there was before.
             WHEN w.copy_status = '{skipped}' THEN '{skip}'
             WHEN w.kind = '{folder}' THEN '{create_folder}'
             WHEN m.dst_id IS NULL THEN {copy}
             WHEN {is_same} THEN '{already_existed}'
             WHEN {is_left_open} AND w.kind = '{file}' THEN '{compare}'
             WHEN {is_adopted_link} THEN {copy}
             ELSE {taken}
           END,
           m.dst_id,
           CASE
             WHEN w.copy_status = '{successful}' THEN {copied_before}
             WHEN q.action IS NOT NULL THEN {decided}
             WHEN {awaits_decision} THEN w.copy_error
             WHEN x.id IS NOT NULL THEN {ancestor_in_conflict}
             WHEN w.kind = '{symlink}' AND NOT {symlinks_kept} THEN {no_symlinks}
             WHEN m.dst_id IS NULL THEN NULL
             WHEN w.kind <> '{folder}' AND {is_same} THEN {already_there}
             WHEN w.kind = '{folder}' OR {is_adopted_link} OR ({adopts} AND w.kind = '{file}' AND {is_left_open}) THEN {adopted}
             ELSE {difference}
           END
         FROM waiting w
         -- A store may give a name twice.
         LEFT JOIN (SELECT src_id, min(dst_id) AS dst_id FROM matched WHERE NOT same GROUP BY src_id) m ON m.src_id = w.id
         LEFT JOIN (
           SELECT id, size, modified_ns
           FROM dst_nodes
           WHERE id >= {first_taken} AND id <= {last_taken}
         ) d ON d.id = m.dst_id
         LEFT JOIN {in_conflict} x ON x.id = w.parent_id
         LEFT JOIN (FROM decisions WHERE src_id >= {start} AND src_id < {end}) q ON q.src_id = w.id",
        // Statuses.
        vanished = CopyStatus::Vanished,
        successful = CopyStatus::Successful,
        was_conflict = CopyStatus::Conflict,
        skipped = CopyStatus::Skipped,
        awaits_decision = sql::is_status("w.copy_status", CopyStatus::awaits_decision),
        // Kinds.
        folder = NodeKind::Folder,
        file = NodeKind::File,
        symlink = NodeKind::Symlink,
        other = NodeKind::Other,
        // Actions.
        overwrite = PlanAction::Overwrite,
        replace = sql::by_kind("w", |kind| PolicyVerdict::Replace.action(kind)),
        skip = PlanAction::Skip,
        conflict = PlanAction::Conflict,
        not_copied = PlanAction::NotCopied,
        create_folder = PlanAction::for_free_name(NodeKind::Folder),
        copy = sql::by_kind("w", PlanAction::for_free_name),
        already_existed = PlanAction::AlreadyExisted,
        compare = PlanAction::Compare,
        // Conditions and reasons.
        first_taken = first_taken.unwrap_or(0),
        last_taken = last_taken.unwrap_or(-1),
        is_same = is_same_unless_compared(settings),
        is_left_open = sql::is_left_open(*comparison, "w", "d"),
        taken = sql::policy_action(*on_conflict, *comparison, "w", "d"),
        copied_before = sql::reason(ReasonCode::CopiedBefore, &[]),
        decided = sql::reason(ReasonCode::Decided, &["replace(q.action::VARCHAR, '_', '-')"]),
        ancestor_in_conflict = sql::reason(ReasonCode::AncestorInConflict, &["x.top"]),
        no_symlinks = sql::reason(ReasonCode::NoSymlinks, &[]),
        already_there = sql::reason(ReasonCode::AlreadyThere, &[]),
        is_adopted_link = is_adopted_link(*comparison),
        adopts = comparison.adopts,
        adopted = sql::reason(ReasonCode::Adopted, &[]),
        difference = difference(settings),
    ))?;
    Ok(())
}

/// Returns the folders whose place is taken by something else and all folders below them, each with the path of the topmost
/// one, or what a person can read of it, as a temporary table `(id, top)`: it is said of every node below.
fn find_folders_in_conflict(connection: &Connection) -> Result<TempTable> {
    let in_conflict = TempTable::empty(connection, "in_conflict", "id BIGINT, top VARCHAR")?;
    let (conflict, folder) = (CopyStatus::Conflict, NodeKind::Folder);
    let conflicts: i64 = connection.query_row(
        &format!("SELECT count(*) FROM src_current WHERE copy_status = '{conflict}'"),
        [],
        |row| row.get(0),
    )?;
    if conflicts > 0 {
        connection.execute_batch(&format!(
            "INSERT INTO {in_conflict}
             WITH RECURSIVE below AS (
               SELECT f.id, f.path AS top
               FROM src_folders f
               JOIN src_current c ON c.id = f.id AND c.copy_status = '{conflict}'
               UNION ALL
               SELECT n.id, below.top
               FROM below
               JOIN src_nodes n ON n.parent_id = below.id AND n.kind = '{folder}'
             )
             SELECT id, min({top})
             FROM below
             GROUP BY id",
            top = sql::shown_path("top")
        ))?;
    }
    Ok(in_conflict)
}

/// Whether a file or link is the same on the destination although it was not found so when it was matched: it was not
/// compared then, because a filter excluded it.
fn is_same_unless_compared(settings: &Settings) -> String {
    if settings.filter.is_empty() { "false".to_owned() } else { sql::is_same(settings.comparison, "w", "d") }
}

/// Whether a link is adopted: one with the size and time of a copy is compared, and replaced if its target differs.
fn is_adopted_link(comparison: Comparison) -> String {
    if !comparison.adopts {
        return "false".to_owned();
    }
    format!("(w.kind = '{}' AND {})", NodeKind::Symlink, sql::is_same(comparison.adopting(false), "w", "d"))
}

/// The reason that says how the destination's differs, and what the policy is.
fn difference(settings: &Settings) -> String {
    let policy = sql::quoted(settings.on_conflict.as_str());
    let by_size = |other_size: ReasonCode, same_size: ReasonCode| {
        let [other_size, same_size] = [other_size, same_size].map(|code| sql::reason(code, &[&policy]));
        format!("CASE WHEN w.size IS DISTINCT FROM d.size THEN {other_size} ELSE {same_size} END")
    };
    format!(
        "CASE
           WHEN w.modified_ns IS NULL OR d.modified_ns IS NULL THEN {unknown_age}
           WHEN {is_same_time} THEN {same_time}
           WHEN w.modified_ns > d.modified_ns THEN {older}
           ELSE {newer}
         END",
        is_same_time = sql::is_same_time(settings.comparison, "w", "d"),
        unknown_age = by_size(ReasonCode::DiffersUnknownAgeAndSize, ReasonCode::DiffersUnknownAge),
        same_time = by_size(ReasonCode::DiffersSameTimeAndSize, ReasonCode::DiffersSameTime),
        older = by_size(ReasonCode::DiffersOlderAndSize, ReasonCode::DiffersOlder),
        newer = by_size(ReasonCode::DiffersNewerAndSize, ReasonCode::DiffersNewer),
    )
}

/// Gives the nodes that are pending and that the plan leaves alone the status that says so. Returns what changed.
fn settle(connection: &Connection, events: &mut Events, ids: &Range<i64>) -> Result<Vec<ChangedAtDepth>> {
    let (start, end) = (ids.start, ids.end);
    let changes = PlanAction::ALL.into_iter().filter_map(|action| Some((action, action.settled_by()?)));
    let changes = changes.map(|(action, change)| format!("WHEN '{action}' THEN '{change}'")).collect::<Vec<_>>();
    let settled = format!(
        "SELECT p.src_id AS id, CASE p.action {} END AS change, p.reason
         FROM (FROM plan WHERE src_id >= {start} AND src_id < {end} AND NOT {is_work}) p
         ANTI JOIN (
           FROM src_current
           WHERE id >= {start} AND id < {end} AND {is_settled}
         ) c ON c.id = p.src_id",
        changes.join(" "),
        is_settled = sql::is_settled("copy_status"),
        is_work = sql::is_work("action"),
    );
    // Mostly there are none, and it takes longer to work out what they would become.
    let any: bool = connection.query_row(&format!("SELECT EXISTS (FROM ({settled}))"), [], |row| row.get(0))?;
    if !any {
        return Ok(Vec::new());
    }
    events.change_copies_within(
        connection,
        &CopyChanges { nodes: &settled, reopened_by: None, same_before: SAME_NOW },
        ids,
    )
}

/// Which items of a plan somebody wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlanFilter {
    /// Those with this action.
    pub action: Option<PlanAction>,
    /// Those at this printable path, and below it.
    pub under: Option<String>,
    /// So many of them at most.
    pub limit: u64,
}

impl PlanFilter {
    /// The statement that finds them, and its parameters.
    pub(crate) fn to_sql(&self) -> (String, [Option<String>; 3]) {
        let under = self.under.as_ref().map(|path| sql::is_below_parameter(path).to_owned());
        let sql = format!(
            "SELECT action::VARCHAR AS action, kind::VARCHAR AS kind, size, path, reason
             FROM plan_view
             WHERE coalesce(action::VARCHAR = ?, true) AND coalesce({}, true)
             ORDER BY path
             LIMIT ?::BIGINT",
            sql::is_below("path", "?")
        );
        (sql, [self.action.map(|action| action.as_str().to_owned()), under, Some(self.limit.to_string())])
    }
}

/// What a plan comes to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct PlanTotal {
    /// The action.
    pub action: String,
    /// Nodes with it.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
}

/// The totals of the view `plan_view` by action, in the order of the enumeration.
pub(crate) fn plan_totals(connection: &Connection) -> Result<Vec<PlanTotal>> {
    let mut statement = connection.prepare(&format!(
        "SELECT action::VARCHAR, count(*), {bytes}::BIGINT
         FROM (
           SELECT CASE WHEN {is_excluded} THEN '{exclude}'::plan_action ELSE p.action END AS action, n.kind, n.size
           FROM plan p
           JOIN src_nodes n ON n.id = p.src_id
           LEFT JOIN src_latest l ON l.id = p.src_id
           WHERE {is_excluded} OR NOT ({is_work} AND {is_settled})
           UNION ALL
           SELECT '{already_existed}'::plan_action, n.kind, n.size
           FROM matches m
           JOIN src_nodes n ON n.id = m.src_id
           WHERE m.same AND n.parent_id IS NOT NULL
         ) planned
         GROUP BY action
         ORDER BY action",
        bytes = sql::bytes_of_files("planned"),
        exclude = PlanAction::Exclude,
        is_excluded = format!("coalesce({}, false)", sql::is_status("l.copy_status", CopyStatus::is_excluded)),
        is_work = sql::is_work("p.action"),
        is_settled = sql::is_settled("l.copy_status"),
        already_existed = PlanAction::AlreadyExisted,
    ))?;
    let totals =
        statement.query_map([], |row| Ok(PlanTotal { action: row.get(0)?, nodes: row.get(1)?, bytes: row.get(2)? }))?;
    Ok(totals.collect::<duckdb::Result<_>>()?)
}

#[cfg(test)]
mod tests;
