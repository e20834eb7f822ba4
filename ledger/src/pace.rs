//! At what pace stores were asked: each change of it, for whoever wonders later why a run took so long.

use duckdb::Connection;
use longhaul_model::Side;

use crate::error::Result;

/// A change of pace.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PaceRow {
    /// Of which store.
    pub side: Side,
    /// Of which kind of calls: `list`, `read`, `write` or `meta`.
    pub class: String,
    /// Calls at a time.
    pub concurrency: i32,
    /// Calls a second; `None` where that is not limited.
    pub rate: Option<f64>,
    /// Why it was changed, for people.
    pub cause: String,
}

/// The last change of each kind of calls in the last run that had any.
pub(crate) fn read_last(connection: &Connection) -> Result<Vec<PaceRow>> {
    let mut statement = connection.prepare(
        "SELECT side::VARCHAR, class::VARCHAR, concurrency, rate, cause
         FROM pace
         WHERE run = (SELECT max(run) FROM pace)
         QUALIFY row_number() OVER (PARTITION BY side, class ORDER BY at_ns DESC) = 1
         ORDER BY side, class",
    )?;
    let rows = statement.query_map([], |row| {
        let side: String = row.get(0)?;
        let side = if side == Side::Source.prefix() { Side::Source } else { Side::Destination };
        Ok(PaceRow { side, class: row.get(1)?, concurrency: row.get(2)?, rate: row.get(3)?, cause: row.get(4)? })
    })?;
    Ok(rows.collect::<duckdb::Result<_>>()?)
}
