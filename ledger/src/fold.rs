//! Folding: bringing the tables of current statuses up to the events.

use duckdb::Connection;
use longhaul_model::Side;

use crate::error::Result;

/// Folds all events that are not folded yet into `src_current` and `dst_current`, in one transaction.
pub(crate) fn fold_events(connection: &Connection) -> Result<()> {
    // Of this connection only, and never in the file or its log.
    connection.execute_batch("CREATE OR REPLACE TEMP TABLE folding AS FROM src_current LIMIT 0")?;
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
    // The view has each node's folded row and its fresh events brought together already. What it says of the nodes with
    // fresh events has to be read before their folded rows go.
    connection.execute_batch(&format!(
        "INSERT INTO folding
         SELECT *
         FROM {side}_latest
         WHERE id IN (SELECT node_id FROM {side}_status_events WHERE seq > (SELECT {side}_folded_seq FROM migration));

         DELETE FROM {side}_current
         WHERE id IN (SELECT id FROM folding);

         INSERT INTO {side}_current
         FROM folding;

         DELETE FROM folding;

         UPDATE migration
         SET {side}_folded_seq = coalesce((SELECT max(seq) FROM {side}_status_events), 0);"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests;
