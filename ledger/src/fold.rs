//! Folding: bringing the tables of current statuses up to the events.

use duckdb::Connection;
use longhaul_model::Side;

use crate::error::Result;

/// Folds all events that are not folded yet into `src_current` and `dst_current`, in one transaction.
pub(crate) fn fold_events(connection: &Connection) -> Result<()> {
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

/// Nearly every node with events has one, which says that it was listed: those are taken as they are. Only what has
/// more than that to it goes through the aggregates, which cost five times as much.
fn fold_side(connection: &Connection, side: Side) -> Result<()> {
    let side = side.prefix();
    let fresh = format!("{side}_status_events WHERE seq > (SELECT {side}_folded_seq FROM migration)");
    connection.execute_batch(&format!(
        "INSERT INTO to_merge
         SELECT node_id
         FROM {fresh} AND (traversal_status IS NULL OR copy_status IS NOT NULL OR error IS NOT NULL)
         UNION
         SELECT node_id
         FROM {fresh}
         GROUP BY node_id
         HAVING count(*) > 1
         UNION
         SELECT id
         FROM {side}_current
         WHERE id IN (SELECT node_id FROM {fresh});

         -- As in the view {side}_latest, but for these nodes only: a condition on the view would come behind its aggregates.
         INSERT INTO merged
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
           FROM {fresh} AND node_id IN (FROM to_merge)
           GROUP BY node_id
         ) f
         LEFT JOIN {side}_current c ON c.id = f.id;

         DELETE FROM {side}_current
         WHERE id IN (FROM to_merge);

         INSERT INTO {side}_current
         SELECT node_id, traversal_status, NULL, attempt, NULL, NULL, NULL
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

#[cfg(test)]
mod tests;
