//! Folding: bringing the tables of current statuses up to the events.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::Side;

use crate::error::Result;

/// Ids whose events are merged by one statement: what it keeps of each has to fit into the memory that DuckDB has.
const MERGED_IDS: i64 = 131_072;

/// Folds all events that are not folded yet into `src_current` and `dst_current`, in one transaction.
pub(crate) fn fold_events(connection: &Connection) -> Result<()> {
    let fresh: i64 = connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM src_status_events WHERE seq > (SELECT src_folded_seq FROM migration))
               + (SELECT count(*) FROM dst_status_events WHERE seq > (SELECT dst_folded_seq FROM migration))",
        )?
        .query_row([], |row| row.get(0))?;
    if fresh == 0 {
        return Ok(());
    }
    // Of this connection only, and never in the file or its log.
    connection.execute_batch(
        "CREATE OR REPLACE TEMP TABLE merged AS FROM src_current LIMIT 0;
         CREATE OR REPLACE TEMP TABLE to_merge (id BIGINT);",
    )?;
    connection.execute_batch("BEGIN")?;
    let folded = Side::BOTH.into_iter().try_for_each(|side| fold_side(connection, side));
    match folded {
        Ok(()) => Ok(connection.execute_batch("COMMIT")?),
        Err(error) => {
            let _ = connection.execute_batch("ROLLBACK");
            Err(error)
        }
    }
}

/// Nearly every node with events has one, which says that it was listed, or copied: those are taken as they are. Only
/// what has more than that to it goes through the aggregates, which cost five times as much, and which DuckDB keeps in
/// memory: so many ids at a time.
fn fold_side(connection: &Connection, side: Side) -> Result<()> {
    let side = side.prefix();
    let fresh = format!("{side}_status_events WHERE seq > (SELECT {side}_folded_seq FROM migration)");
    connection.execute_batch(&format!(
        "INSERT INTO to_merge
         SELECT node_id
         FROM {fresh}
         GROUP BY node_id
         HAVING count(*) > 1
         UNION
         SELECT id
         FROM {side}_current
         WHERE id IN (SELECT node_id FROM {fresh});"
    ))?;
    let (first, last): (Option<i64>, Option<i64>) =
        connection.query_row("SELECT min(id), max(id) FROM to_merge", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if let Some((first, last)) = first.zip(last) {
        let mut start = first;
        while start <= last {
            merge(connection, side, &fresh, &(start..start.saturating_add(MERGED_IDS)))?;
            start = start.saturating_add(MERGED_IDS);
        }
    }
    connection.execute_batch(&format!(
        "DELETE FROM {side}_current
         WHERE id IN (FROM to_merge);

         INSERT INTO {side}_current
         SELECT
           node_id,
           traversal_status,
           copy_status,
           attempt,
           CASE WHEN traversal_status IS NOT NULL THEN nullif(error, '') END,
           CASE WHEN copy_status IS NOT NULL THEN nullif(error, '') END,
           CASE WHEN traversal_status IS NULL AND copy_status IS NULL THEN error END
         FROM {fresh} AND node_id NOT IN (FROM to_merge);

         INSERT INTO {side}_current
         FROM merged;

         DELETE FROM merged;

         DELETE FROM to_merge;

         UPDATE migration
         SET {side}_folded_seq = coalesce((SELECT max(seq) FROM {side}_status_events), 0);"
    ))?;
    Ok(())
}

/// Merges what is said of the nodes of `to_merge` with ids within `ids`.
fn merge(connection: &Connection, side: &str, fresh: &str, ids: &Range<i64>) -> Result<()> {
    let (start, end) = (ids.start, ids.end);
    // As in the view {side}_latest, but for these nodes only: a condition on the view would come behind its aggregates.
    connection.execute_batch(&format!(
        "INSERT INTO merged
         SELECT
           f.id,
           coalesce(f.traversal_status, c.traversal_status),
           coalesce(f.copy_status, c.copy_status),
           coalesce(f.attempts, c.attempts, 0),
           nullif(coalesce(f.traversal_error, c.traversal_error), ''),
           nullif(coalesce(f.copy_error, c.copy_error), ''),
           coalesce(f.remark, c.remark)
         FROM (
           SELECT
             node_id AS id,
             arg_max(traversal_status, seq) AS traversal_status,
             arg_max(copy_status, seq) AS copy_status,
             arg_max(attempt, seq) FILTER (WHERE attempt > 0) AS attempts,
             arg_max(coalesce(error, ''), seq) FILTER (WHERE traversal_status IS NOT NULL) AS traversal_error,
             arg_max(coalesce(error, ''), seq) FILTER (WHERE copy_status IS NOT NULL) AS copy_error,
             arg_max(error, seq) FILTER (WHERE traversal_status IS NULL AND copy_status IS NULL) AS remark
           FROM {fresh} AND node_id >= {start} AND node_id < {end}
             AND node_id IN (SELECT id FROM to_merge WHERE id >= {start} AND id < {end})
           GROUP BY node_id
         ) f
         LEFT JOIN (FROM {side}_current WHERE id >= {start} AND id < {end}) c ON c.id = f.id;"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests;
