//! What the last sweep has found.

use duckdb::{Connection, OptionalExt, params};
use longhaul_model::{BySide, Side};

use crate::error::Result;
use crate::words::Finding;

/// The last sweep: what it is, how far it has come, and what it has found.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SweepSummary {
    /// `retry` or `refresh`.
    pub kind: String,
    /// The run in which it began.
    pub run: i64,
    /// Nanoseconds since 1970.
    pub started_ns: i64,
    /// Nanoseconds since 1970; `None` while it lasts.
    pub ended_ns: Option<i64>,
    /// Folders, of both sides, that it has still to list again.
    pub folders_remaining: i64,
    /// What is different on each side.
    #[serde(flatten)]
    pub found: BySide<SweepFound>,
}

/// What a sweep has found to be different on one side, in nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SweepFound {
    /// Not known before.
    pub new: i64,
    /// Of another size or time than before.
    pub changed: i64,
    /// Not there any more; what was below them is not counted.
    pub gone: i64,
    /// There again.
    pub back: i64,
}

impl SweepSummary {
    /// The last one, if there has been any.
    pub(crate) fn read(connection: &Connection) -> Result<Option<SweepSummary>> {
        let last = connection
            .query_row(
                "SELECT kind::VARCHAR, run, src_from, dst_from, started_ns, ended_ns
                 FROM sweeps
                 ORDER BY run DESC
                 LIMIT 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?, [row.get(2)?, row.get(3)?], row.get(4)?, row.get(5)?)),
            )
            .optional()?;
        let Some((kind, run, first_ids, started_ns, ended_ns)) = last else { return Ok(None) };
        let [first_source_id, first_destination_id]: [i64; 2] = first_ids;
        let folders_remaining =
            connection.query_row("SELECT count(*) - 2 * count(*) FILTER (listed) FROM swept", [], |row| row.get(0))?;
        Ok(Some(SweepSummary {
            kind,
            run,
            started_ns,
            ended_ns,
            folders_remaining,
            found: BySide {
                src: found(connection, Side::Source, run, first_source_id)?,
                dst: found(connection, Side::Destination, run, first_destination_id)?,
            },
        }))
    }
}

fn found(connection: &Connection, side: Side, run: i64, first_id: i64) -> Result<SweepFound> {
    let side = side.prefix();
    let sql = format!(
        "SELECT
           (SELECT count(*) FROM {side}_nodes WHERE id >= ?),
           count(DISTINCT node_id) FILTER (finding = '{changed}'),
           count(DISTINCT node_id) FILTER (finding = '{gone}'),
           count(DISTINCT node_id) FILTER (finding = '{back}')
         FROM sweep_findings
         WHERE side = '{side}' AND run >= ?",
        changed = Finding::Changed.as_str(),
        gone = Finding::Gone.as_str(),
        back = Finding::Back.as_str(),
    );
    Ok(connection.query_row(&sql, params![first_id, run], |row| {
        Ok(SweepFound { new: row.get(0)?, changed: row.get(1)?, gone: row.get(2)?, back: row.get(3)? })
    })?)
}
