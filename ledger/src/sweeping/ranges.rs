//! The nodes of a side, so many at a time as one statement covers.

use std::ops::Range;

use duckdb::Connection;
use longhaul_model::Side;

use crate::error::Result;
use crate::sql::RANGE_IDS;

/// All ids of a side, so many at a time.
pub(super) fn ranges(connection: &Connection, side: Side) -> Result<impl Iterator<Item = Range<i64>>> {
    let sql = format!("SELECT coalesce(max(id), 0) FROM {}_nodes", side.prefix());
    let last: i64 = connection.query_row(&sql, [], |row| row.get(0))?;
    let step = usize::try_from(RANGE_IDS).expect("it is a small number");
    Ok((0..=last).step_by(step).map(|start| start..start + RANGE_IDS))
}

/// The range of `values` in the rows of a table whose `key` lies within `ids`; what nothing lies in, where there are none.
pub(super) fn bounds(
    connection: &Connection,
    table: &str,
    key: &str,
    ids: &Range<i64>,
    value: &str,
) -> Result<(i64, i64)> {
    let sql = format!(
        "SELECT coalesce(min({value}), 0), coalesce(max({value}), -1)
         FROM {table}
         WHERE {key} >= {} AND {key} < {}",
        ids.start, ids.end
    );
    Ok(connection.query_row(&sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?)
}
