//! The plan: what the copy phase will do, one action for each source node that is not there already. Derived from
//! nodes, matches and statuses, when discovery has ended.

use std::ops::Range;

use duckdb::{Connection, params};
use longhaul_model::{
    CompareBy, ConflictPolicy, CopyStatus, FIRST_NODE_ID, NodeKind, PlanAction, SHOWN_PATH_CHARACTERS_MAX, Side,
};

use crate::counters::CountersToWrite;
use crate::error::Result;
use crate::migration::Settings;

/// Why nothing is done about what is the same on the destination, and was left out by a filter when it was matched.
pub(crate) const THERE_ALREADY: &str = "it is there already";

/// Nodes that are planned at a time: so many fit into memory along with what they are joined with.
pub(crate) const RANGE_IDS: i64 = 131_072;

/// Takes back whatever plan there was, inside the transaction that is open. The events must have been folded. Returns
/// the ids of the nodes that are to be planned.
pub(crate) fn begin_plan(connection: &Connection) -> Result<Range<i64>> {
    connection.execute_batch("DELETE FROM plan")?;
    // What was found anew has another id, and an id may be given out again.
    connection.execute_batch(
        "DELETE FROM renames r
         WHERE NOT EXISTS (
           FROM src_nodes n
           WHERE n.id = r.src_id AND n.parent_id = r.parent_id AND n.name = r.was
         )",
    )?;
    find_folders_in_conflict(connection)?;
    let last: i64 = connection.query_row("SELECT coalesce(max(id), 0) FROM src_nodes", [], |row| row.get(0))?;
    // The root is never copied.
    Ok(FIRST_NODE_ID.0 + 1..last + 1)
}

/// Plans the nodes with ids within `ids`, inside the transaction that is open. Those that the plan leaves for good get
/// their status with it; `next_seq` is the number of the first event that this takes, and afterwards of the first one
/// that is free.
///
/// Once in a transaction: two inserts into the same table must not follow one another in it (see `fold_range`).
pub(crate) fn plan_ids(
    connection: &Connection,
    settings: &Settings,
    counters: &mut CountersToWrite,
    run: i32,
    now_ns: i64,
    next_seq: &mut i64,
    ids: &Range<i64>,
) -> Result<()> {
    plan_range(connection, settings, ids)?;
    settle(connection, counters, run, now_ns, next_seq, ids)
}

fn plan_range(connection: &Connection, settings: &Settings, ids: &Range<i64>) -> Result<()> {
    let (start, end) = (ids.start, ids.end);
    let (first_taken, last_taken): (Option<i64>, Option<i64>) = connection.query_row(
        "SELECT min(dst_id), max(dst_id) FROM matches WHERE src_id >= ? AND src_id < ? AND NOT same",
        params![start, end],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
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
           WHERE n.id >= {start} AND n.id < {end} AND c.copy_status IS DISTINCT FROM 'vanished'
         )
         SELECT
           w.id,
           CASE
             WHEN w.copy_status = 'successful' THEN 'skip'
             WHEN q.action = 'overwrite' AND w.kind = 'symlink' THEN 'make_link'
             WHEN q.action IS NOT NULL THEN q.action::VARCHAR
             WHEN w.copy_status = 'conflict' THEN 'conflict'
             WHEN w.kind = 'other' THEN 'not_copied'
             WHEN x.id IS NOT NULL THEN 'conflict'
             WHEN w.kind = 'symlink' AND NOT {symlinks_kept} THEN 'not_copied'
             -- By a plan that there was before.
             WHEN w.copy_status = 'skipped' THEN 'skip'
             WHEN w.kind = 'folder' THEN 'create_folder'
             WHEN m.dst_id IS NULL THEN CASE WHEN w.kind = 'symlink' THEN 'make_link' ELSE 'copy' END
             WHEN {is_same} THEN 'skip'
             WHEN {needs_reading} AND w.kind = 'file' THEN 'compare'
             ELSE {taken}
           END,
           m.dst_id,
           CASE
             WHEN w.copy_status = 'successful' THEN 'it was copied before'
             WHEN q.action IS NOT NULL THEN 'decided: ' || replace(q.action::VARCHAR, '_', '-')
             WHEN w.copy_status IN ('conflict', 'skipped') THEN w.copy_error
             WHEN x.id IS NOT NULL THEN 'it is in ' || x.top || ', which is in conflict'
             WHEN w.kind = 'symlink' AND NOT {symlinks_kept} THEN 'the destination has no symbolic links'
             WHEN m.dst_id IS NULL THEN NULL
             WHEN w.kind <> 'folder' AND {is_same} THEN '{THERE_ALREADY}'
             ELSE 'the destination has another one, ' || {difference}
           END
         FROM waiting w
         -- A store may give a name twice.
         LEFT JOIN (SELECT src_id, min(dst_id) AS dst_id FROM matched WHERE NOT same GROUP BY src_id) m ON m.src_id = w.id
         LEFT JOIN (
           SELECT id, size, modified_ns
           FROM dst_nodes
           WHERE id >= {first_taken} AND id <= {last_taken}
         ) d ON d.id = m.dst_id
         LEFT JOIN in_conflict x ON x.id = w.parent_id
         LEFT JOIN (FROM decisions WHERE src_id >= {start} AND src_id < {end}) q ON q.src_id = w.id",
        first_taken = first_taken.unwrap_or(0),
        last_taken = last_taken.unwrap_or(-1),
        symlinks_kept = settings.symlinks_kept,
        needs_reading = if settings.comparison.is_told_by_listings() {
            "false"
        } else if settings.comparison.by == CompareBy::Checksum {
            "(w.size IS NULL OR w.size IS NOT DISTINCT FROM d.size)"
        } else {
            // Which of them is newer is not known either.
            "true"
        },
        is_same = is_same(settings),
        taken = action_for_taken_place(settings),
        difference = difference(settings),
    ))?;
    Ok(())
}

/// Fills `in_conflict` with the folders whose place is taken by something else and all folders below them, each with the
/// path of the topmost one, or what a person can read of it: it is said of every node below.
fn find_folders_in_conflict(connection: &Connection) -> Result<()> {
    // Of this connection only, and never in the file or its log.
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE in_conflict (id BIGINT, top VARCHAR)")?;
    let conflicts: i64 =
        connection
            .query_row("SELECT count(*) FROM src_current WHERE copy_status = 'conflict'", [], |row| row.get(0))?;
    if conflicts > 0 {
        connection.execute_batch(&format!(
            "INSERT INTO in_conflict
             WITH RECURSIVE below AS (
               SELECT f.id, f.path AS top
               FROM src_folders f
               JOIN src_current c ON c.id = f.id AND c.copy_status = 'conflict'
               UNION ALL
               SELECT n.id, below.top
               FROM below
               JOIN src_nodes n ON n.parent_id = below.id AND n.kind = 'folder'
             )
             SELECT id, min(CASE WHEN length(top) > {SHOWN_PATH_CHARACTERS_MAX} THEN left(top, 100) || '…' || right(top, 100) ELSE top END)
             FROM below
             GROUP BY id",
        ))?;
    }
    Ok(())
}

/// Whether a file or link that was not compared when it was matched, because a filter leaves it out, is the same on the
/// destination, as an SQL expression: what [`Comparison::is_same_as_listed`](longhaul_model::Comparison::is_same_as_listed) says of it.
fn is_same(settings: &Settings) -> String {
    let same_size = "w.size = d.size";
    let same_time = format!("abs(w.modified_ns::HUGEINT - d.modified_ns) <= {}", settings.comparison.time_tolerance_ns);
    match settings.comparison.by {
        _ if settings.filter.is_empty() || !settings.comparison.is_told_by_listings() => "false".to_owned(),
        CompareBy::SizeAndTime => format!("coalesce({same_size} AND {same_time}, false)"),
        CompareBy::Size => format!("coalesce({same_size}, false)"),
        CompareBy::Time => format!("coalesce({same_time}, false)"),
        CompareBy::Checksum => "false".to_owned(),
        CompareBy::Exists => "true".to_owned(),
    }
}

/// What is done about a file or link whose place is taken, as an SQL expression.
fn action_for_taken_place(settings: &Settings) -> String {
    let replace = "CASE WHEN w.kind = 'symlink' THEN 'make_link' ELSE 'overwrite' END";
    match settings.on_conflict {
        ConflictPolicy::Newer => format!(
            "CASE WHEN w.modified_ns::HUGEINT > d.modified_ns::HUGEINT + {} THEN {replace} ELSE 'skip' END",
            settings.comparison.time_tolerance_ns
        ),
        ConflictPolicy::Skip => "'skip'".to_owned(),
        ConflictPolicy::Overwrite => replace.to_owned(),
        ConflictPolicy::KeepBoth => "'keep_both'".to_owned(),
        ConflictPolicy::Ask => "'conflict'".to_owned(),
    }
}

/// How it differs and what the policy makes of that, as an SQL expression.
fn difference(settings: &Settings) -> String {
    let policy = settings.on_conflict.as_str();
    format!(
        "CASE
           WHEN w.modified_ns IS NULL OR d.modified_ns IS NULL THEN 'of unknown age'
           WHEN abs(w.modified_ns::HUGEINT - d.modified_ns) <= {} THEN 'of the same time'
           WHEN w.modified_ns > d.modified_ns THEN 'older'
           ELSE 'newer'
         END || CASE
           WHEN w.size IS DISTINCT FROM d.size THEN ' and of another size'
           ELSE ''
         END || ' (on conflict: {policy})'",
        settings.comparison.time_tolerance_ns
    )
}

/// Gives the nodes that are pending and that the plan leaves alone the status that says so.
fn settle(
    connection: &Connection,
    counters: &mut CountersToWrite,
    run: i32,
    now_ns: i64,
    next_seq: &mut i64,
    ids: &Range<i64>,
) -> Result<()> {
    const SETTLED: &str = "
        FROM (
          FROM plan
          WHERE src_id >= ? AND src_id < ? AND action IN ('skip', 'conflict', 'not_copied')
        ) p
        ANTI JOIN (FROM src_current WHERE copy_status IS NOT NULL AND copy_status <> 'pending') c ON c.id = p.src_id
        JOIN (SELECT id, depth, kind, size FROM src_nodes WHERE id >= ? AND id < ?) n ON n.id = p.src_id";
    let (start, end) = (ids.start, ids.end);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT n.depth, p.action = 'conflict', count(*),
           coalesce(sum(n.size) FILTER (WHERE n.kind = 'file'), 0)::BIGINT
         {SETTLED}
         GROUP BY ALL"
    ))?;
    let mut rows = statement.query(params![start, end, start, end])?;
    let mut settled = 0;
    while let Some(row) = rows.next()? {
        let status = if row.get(1)? { CopyStatus::Conflict } else { CopyStatus::Skipped };
        let nodes: i64 = row.get(2)?;
        counters.change(Side::Source, row.get(0)?).count_copy_statuses(status, nodes, row.get(3)?);
        settled += nodes;
    }
    if settled > 0 {
        // Numbers that are left out do no harm; to number them without a gap takes a sort.
        connection.execute(
            &format!(
                "INSERT INTO src_status_events
                 SELECT ? + p.src_id, p.src_id, NULL,
                   CASE WHEN p.action = 'conflict' THEN 'conflict' ELSE 'skipped' END, 0, ?, ?, p.reason
                 {SETTLED}"
            ),
            params![*next_seq - start, run, now_ns, start, end, start, end],
        )?;
        *next_seq += end - start;
    }
    Ok(())
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
    pub(crate) fn to_sql(&self) -> (&'static str, [Option<String>; 3]) {
        let under = self.under.as_ref().map(|path| path.trim_end_matches('/').to_owned());
        let sql = "SELECT action::VARCHAR AS action, kind::VARCHAR AS kind, size, path, reason
             FROM plan_view
             WHERE coalesce(action::VARCHAR = ?, true) AND coalesce(starts_with(path || '/', ? || '/'), true)
             ORDER BY path
             LIMIT ?::BIGINT";
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

/// The totals of the plan by action, in the order of the enumeration.
pub(crate) fn plan_totals(connection: &Connection) -> Result<Vec<PlanTotal>> {
    let mut statement = connection.prepare(&format!(
        "SELECT action::VARCHAR, count(*), coalesce(sum(size) FILTER (WHERE kind = '{}'), 0)::BIGINT
         FROM (
           SELECT CASE WHEN x.id IS NULL THEN p.action ELSE 'exclude'::plan_action END AS action, n.kind, n.size
           FROM plan p
           JOIN src_nodes n ON n.id = p.src_id
           LEFT JOIN (
             SELECT id
             FROM src_latest
             WHERE copy_status IN ('excluded_explicit', 'excluded_inherited')
           ) x ON x.id = p.src_id
           UNION ALL
           SELECT 'skip'::plan_action, n.kind, n.size
           FROM matches m
           JOIN src_nodes n ON n.id = m.src_id
           WHERE m.same AND n.parent_id IS NOT NULL
         ) planned
         GROUP BY action
         ORDER BY action",
        NodeKind::File.as_str()
    ))?;
    let totals =
        statement.query_map([], |row| Ok(PlanTotal { action: row.get(0)?, nodes: row.get(1)?, bytes: row.get(2)? }))?;
    Ok(totals.collect::<duckdb::Result<_>>()?)
}

#[cfg(test)]
mod tests;
