//! Folding: bringing the tables of current statuses up to the events.

use duckdb::Connection;
use longhaul_model::Side;

use crate::error::Result;

/// Folds all events that are not folded yet into `src_current` and `dst_current`, in one transaction.
pub(crate) fn fold_events(connection: &Connection) -> Result<()> {
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

fn fold_side(connection: &Connection, side: Side) -> Result<()> {
    let side = side.prefix();
    // `arg_max` passes over NULLs, which is what "NULL: unchanged" means; of the error it is the last event's that
    // counts, even where that has none.
    let fresh = format!(
        "SELECT
           node_id AS id,
           arg_max(traversal_status, seq) AS traversal_status,
           arg_max(copy_status, seq) AS copy_status,
           arg_max(attempt, seq) AS attempts,
           nullif(arg_max(coalesce(error, ''), seq), '') AS error
         FROM {side}_status_events
         WHERE seq > (SELECT {side}_folded_seq FROM migration)
         GROUP BY node_id"
    );
    connection.execute_batch(&format!(
        "UPDATE {side}_current AS c
         SET
           traversal_status = coalesce(f.traversal_status, c.traversal_status),
           copy_status = coalesce(f.copy_status, c.copy_status),
           attempts = f.attempts,
           error = f.error
         FROM ({fresh}) AS f
         WHERE f.id = c.id;

         INSERT INTO {side}_current
         SELECT id, traversal_status, copy_status, attempts, error
         FROM ({fresh}) AS f
         WHERE f.id NOT IN (SELECT id FROM {side}_current);

         UPDATE migration
         SET {side}_folded_seq = coalesce((SELECT max(seq) FROM {side}_status_events), 0);"
    ))?;
    Ok(())
}
