//! What a report says of the migration as such.

use duckdb::Connection;
use longhaul_model::VerifyLevel;

use crate::approval::plan_approval;
use crate::codes::verify_level;
use crate::error::Result;
use crate::marks::Marks;
use crate::marks::Verified;
use crate::migration::{Migration, Run};
use crate::overview::Overview;

/// What a migration is about, and what has been done so far.
#[derive(Clone, Debug)]
pub struct About {
    /// Its places, settings and phase.
    pub migration: Migration,
    /// The version of the ledger's tables.
    pub schema_version: i64,
    /// The version of the library that made the ledger.
    pub duckdb_version: String,
    /// All runs, the first one first.
    pub runs: Vec<Run>,
    /// What the last verification has come to; `None` if there was none.
    pub verification: Option<Verification>,
    /// Source nodes that the plan was to bring over and that are not there: see [`Overview::left_undone`].
    pub left_undone: i64,
    /// Whether something is not as it should be: see [`Overview::needs_attention`].
    pub needs_attention: bool,
    /// The hash of the plan that was carried out last; `None` where none was.
    pub plan_hash: Option<String>,
    /// The hash of the plan that is approved; `None` where nobody has approved one, or it was changed after that.
    pub approved_plan_hash: Option<String>,
}

/// What the last verification has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verification {
    /// How closely it looked.
    pub level: VerifyLevel,
    /// Nodes, bytes and differences.
    pub verified: Verified,
}

impl About {
    pub(super) fn read(connection: &Connection) -> Result<About> {
        let (schema_version, duckdb_version) =
            connection.query_row("SELECT schema_version, duckdb_version FROM migration", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        let overview = Overview::read(connection)?;
        let marks = Marks::read(connection)?;
        let verification = (marks.verified.nodes > 0)
            .then(|| Verification { level: verify_level(marks.verify_level), verified: marks.verified });
        Ok(About {
            left_undone: overview.left_undone,
            needs_attention: overview.needs_attention(),
            migration: overview.migration,
            schema_version,
            duckdb_version,
            runs: overview.runs,
            verification,
            plan_hash: connection.query_row(
                "SELECT arg_max(plan_hash, run) FROM runs WHERE plan_hash IS NOT NULL",
                [],
                |row| row.get(0),
            )?,
            approved_plan_hash: plan_approval(connection)?.map(|approval| approval.hash),
        })
    }
}
