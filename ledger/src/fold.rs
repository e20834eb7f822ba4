//! Folding: bringing the tables of current statuses up to the events.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::Side;

use crate::database::Database;
use crate::error::Result;
use crate::sql::{LAST_OF_EVENTS, LAST_OVER_FOLDED};
use crate::temp::TempTable;

/// Ids whose events are folded by one statement: what it keeps of each has to fit into the memory that DuckDB has.
const FOLDED_IDS: i64 = 131_072;

/// Bytes of what is said of nodes that are folded by one statement, which keeps them more than once.
const FOLDED_BYTES: i64 = 2 << 20;

/// Ids of which it is counted together how much is said of them.
const COUNTED_IDS: i64 = 1_024;

/// Folds all events that are not folded yet into `src_current` and `dst_current`.
///
/// Each range of ids in a transaction of its own, because DuckDB keeps in memory much of what a transaction adds; that
/// they are folded is said with the last. Where that is broken off, what was folded is folded once more, into the same.
pub(crate) fn fold_events(connection: &Database) -> Result<()> {
    Side::BOTH.into_iter().try_for_each(|side| fold_side(connection, side.prefix()))
}

fn fold_side(connection: &Database, side: &str) -> Result<()> {
    let fresh = format!("{side}_status_events WHERE seq > (SELECT {side}_folded_seq FROM migration)");
    let ranges = ranges(connection, &fresh)?;
    if ranges.is_empty() {
        return Ok(());
    }
    let merging = Merging {
        to_merge: TempTable::empty(connection, "to_merge", "id BIGINT")?,
        merged: TempTable::of(connection, "merged", "FROM src_current LIMIT 0")?,
    };
    for ids in ranges {
        connection.in_transaction(|| fold_range(connection, side, &fresh, &ids, &merging))?;
    }
    connection.execute_batch(&format!(
        "UPDATE migration
         SET {side}_folded_seq = (SELECT max(seq) FROM {side}_status_events)"
    ))?;
    merging.to_merge.drop(connection)?;
    merging.merged.drop(connection)
}

/// What is merged of a range while that is folded. Between two of them both are empty.
struct Merging {
    /// The nodes of which more is known than one event says.
    to_merge: TempTable,
    /// What all that comes to.
    merged: TempTable,
}

/// Cuts the ids of all nodes with events into ranges, each of which can be folded by one statement.
fn ranges(connection: &Connection, fresh: &str) -> Result<Vec<Range<i64>>> {
    let mut statement = connection.prepare(&format!(
        "SELECT node_id // {COUNTED_IDS} * {COUNTED_IDS} AS first, sum(coalesce(strlen(reason), 0))::BIGINT
         FROM {fresh}
         GROUP BY first
         ORDER BY first"
    ))?;
    let mut rows = statement.query([])?;
    let (mut ranges, mut bytes): (Vec<Range<i64>>, i64) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (first, said): (i64, i64) = (row.get(0)?, row.get(1)?);
        match ranges.last_mut() {
            Some(range) if first + COUNTED_IDS - range.start <= FOLDED_IDS && bytes + said <= FOLDED_BYTES => {
                range.end = first + COUNTED_IDS;
                bytes += said;
            }
            _ => {
                ranges.push(first..first + COUNTED_IDS);
                bytes = said;
            }
        }
    }
    Ok(ranges)
}

/// Folds what is said of the nodes with ids within `ids`.
///
/// One statement inserts into the table, and not two: where one of two inserts in a transaction has no rows and the other
/// has more than a row group (122 880), DuckDB 1.5.6 does not see what later transactions append, until the next
/// checkpoint.
///
/// Nearly every node with events has one, which says that it was listed, or copied: those are taken as they are. Only
/// what has more than that to it goes through the aggregates, which cost five times as much.
fn fold_range(connection: &Connection, side: &str, fresh: &str, ids: &Range<i64>, merging: &Merging) -> Result<()> {
    let Merging { to_merge, merged } = merging;
    let (start, end) = (ids.start, ids.end);
    let fresh = format!("{fresh} AND node_id >= {start} AND node_id < {end}");
    let within = format!("id >= {start} AND id < {end}");
    connection.execute_batch(&format!(
        "INSERT INTO {to_merge}
         SELECT node_id
         FROM {fresh}
         GROUP BY node_id
         HAVING count(*) > 1
         UNION
         SELECT id
         FROM {side}_current
         WHERE {within} AND id IN (SELECT node_id FROM {fresh});

         INSERT INTO {merged}
         SELECT f.id, {LAST_OVER_FOLDED}
         FROM (
           SELECT {LAST_OF_EVENTS}
           FROM {fresh} AND node_id IN (FROM {to_merge})
           GROUP BY node_id
         ) f
         LEFT JOIN (FROM {side}_current WHERE {within}) c ON c.id = f.id;

         DELETE FROM {side}_current
         WHERE {within} AND id IN (FROM {to_merge});

         INSERT INTO {side}_current
         SELECT
           node_id,
           traversal_status,
           copy_status,
           attempt,
           CASE WHEN traversal_status IS NOT NULL THEN nullif(reason, '') END,
           CASE WHEN copy_status IS NOT NULL THEN nullif(reason, '') END,
           CASE WHEN traversal_status IS NULL AND copy_status IS NULL THEN reason END
         FROM {fresh} AND node_id NOT IN (FROM {to_merge})
         UNION ALL
         FROM {merged};

         DELETE FROM {merged};

         DELETE FROM {to_merge};"
    ))?;
    Ok(())
}

#[cfg(test)]
mod tests;
