//! The ledger: one DuckDB file that holds all there is to know of one migration.
//!
//! There is one writer, [`Recorder`], which gives out ids, appends, matches and commits; readers open the file when it
//! is not running. What must hold of the tables is written beside the tables, in `schema.sql`.

mod counters;
mod error;
mod fold;
mod matching;
mod migration;
mod opening;
mod overview;
mod pull;
mod reader;
mod recent;
mod recorder;
mod recovery;
mod repair;
mod rows;

pub use counters::{Counters, DepthCounters};
pub use error::{LedgerError, Result};
pub use migration::{Migration, MigrationSpec, Run, SCHEMA_VERSION, Settings};
pub use opening::{Resources, log_of};
pub use overview::{Overview, PROBLEMS_MAX, Problem};
pub use reader::{Reader, Table};
pub use recorder::{FailedListing, Folder, FoundFolders, ListedPage, RecordedListing, Recorder};
pub use recovery::Remaining;
pub use repair::{Probed, has_log, probe, put_log_back, set_log_aside};

use std::path::Path;

use longhaul_model::Phase;

/// Makes a new ledger for a migration and begins its first run. Nothing is left behind when it fails.
///
/// `command` is what the run was asked to do, `now_ns` the clock: nanoseconds since 1970.
pub fn create(
    path: &Path,
    spec: &MigrationSpec,
    command: &str,
    resources: &Resources,
    now_ns: fn() -> i64,
) -> Result<Recorder> {
    let connection = opening::create(path, spec, resources, now_ns())?;
    Recorder::begin(connection, command, spec.settings.comparison, now_ns)
}

/// Opens a ledger to go on with its migration, and begins a run of it. What a killed run left half done is dropped.
///
/// Where the migration has come to an end there is nothing to go on with: then no run begins, and there is no recorder.
pub fn resume(
    path: &Path,
    command: &str,
    resources: &Resources,
    now_ns: fn() -> i64,
) -> Result<(Migration, Option<Recorder>)> {
    let connection = opening::open(path, resources)?;
    let migration = Migration::read(&connection)?;
    if matches!(migration.phase, Phase::Review | Phase::Complete) {
        return Ok((migration, None));
    }
    let dropped = recovery::recover(&connection)?;
    if dropped > 0 {
        tracing::info!(nodes = dropped, "folders of which only a part was recorded are listed again");
    }
    let recorder = Recorder::begin(connection, command, migration.spec.settings.comparison, now_ns)?;
    Ok((migration, Some(recorder)))
}

/// The system's clock, in nanoseconds since 1970.
pub fn system_now_ns() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
