//! The ledger: one DuckDB file that holds all there is to know of one migration.
//!
//! There is one writer, [`Recorder`], which gives out ids, appends, matches and commits; readers open the file when it
//! is not running. What must hold of the tables is written beside the tables, in `schema.sql`.

mod below;
mod bits;
mod codes;
mod copy_choices;
mod copying;
mod counters;
mod editing;
mod error;
mod events;
mod filter;
mod fold;
mod linting;
mod listing;
mod marks;
mod matching;
mod migration;
mod opening;
mod overview;
mod pace;
mod plan;
mod pull;
mod reader;
mod recent;
mod recorder;
mod recovery;
mod renames;
mod repair;
pub mod reporting;
mod review;
mod rows;
mod sql;
mod stale;
mod sweeping;
mod verification;

pub use copy_choices::{CopyChoices, Preserve};
pub use copying::{CopiedFile, CopyOutcome, CopyRemaining, CopyResult, MadeFolder, PartCopied, PlanBatch, PlanItem};
pub use counters::{Counters, DepthCounters};
pub use editing::{
    Approval, Approving, BegunCopy, Changed, ChangedStatus, Decision, Editor, Marked, Marking, Renamed, Retry,
    Selection,
};
pub use error::{LedgerError, Result};
pub use filter::{FilterRule, FilterSettings};
pub use linting::{Linted, NameFinding};
pub use listing::{FailedListing, Folder, FoundFolders, ListedPage, RecordedListing};
pub use migration::{CopyDurability, CopySettings, Migration, MigrationSpec, Run, SCHEMA_VERSION, Settings};
pub use opening::{Resources, log_of};
pub use overview::{Overview, PROBLEMS_MAX, Problem};
pub use pace::PaceRow;
pub use plan::{PlanFilter, PlanTotal};
pub use reader::{Reader, Table};
pub use recorder::Recorder;
pub use recovery::Remaining;
pub use repair::{Probed, has_log, probe, put_log_back, set_log_aside};
pub use review::condition::{Condition, ConditionError, ListedEntry};
pub use review::find::{FindPage, FindQuery, FindSort, NodeRow, PAGE_ROWS_MAX};
pub use review::tree::{SubtreeTotals, TreePage, TreeQuery, TreeRow};

pub use sweeping::{SweepFound, SweepSummary};
pub use verification::{ExpectedBatch, ExpectedNode, Verified, VerifyRemaining};

use std::path::Path;

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
    Recorder::begin(connection, command, spec.settings.clone(), now_ns)
}

/// Whether the log of a ledger has been looked at before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// [`probe`] found that it can be replayed and is the ledger's own.
    Probed,
    /// Nobody knows: that it is the ledger's own is looked at first, which replays it once more.
    Unknown,
}

/// A ledger that is open for its one writer, and of which no run has begun.
#[derive(Debug)]
pub struct Opened {
    connection: duckdb::Connection,
    migration: Migration,
}

impl Opened {
    /// Opens an existing ledger.
    pub fn open(path: &Path, log: Log, resources: &Resources) -> Result<Opened> {
        let connection = opening::open(path, log, resources)?;
        let migration = Migration::read(&connection)?;
        Ok(Opened { connection, migration })
    }

    /// What it is about, and where it stands.
    pub fn migration(&self) -> &Migration {
        &self.migration
    }

    /// Whether there is nothing left to be listed.
    pub fn is_discovered(&self) -> bool {
        self.migration.is_discovered()
    }

    /// The counters of the whole, as they stand in the ledger.
    pub fn totals(&self) -> Result<longhaul_model::BySide<Counters>> {
        Ok(DepthCounters::read(&self.connection)?.totals())
    }

    /// Bytes of the large files of which parts are at the destination already.
    pub fn begun_bytes(&self) -> Result<i64> {
        let sql = "SELECT coalesce(sum(size), 0)::BIGINT FROM src_nodes WHERE id IN (SELECT src_id FROM parts)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Begins a run. What a killed run left half done is dropped.
    pub fn begin(self, command: &str, now_ns: fn() -> i64) -> Result<Recorder> {
        let dropped = recovery::recover(&self.connection, now_ns)?;
        if dropped > 0 {
            tracing::info!(nodes = dropped, "folders of which only a part was recorded are listed again");
        }
        Recorder::begin(self.connection, command, self.migration.spec.settings.clone(), now_ns)
    }
}

/// Opens a ledger to go on with its migration, and begins a run of it.
///
/// Where the migration has come to an end there is nothing to go on with: then no run begins, and there is no recorder.
pub fn resume(
    path: &Path,
    command: &str,
    resources: &Resources,
    now_ns: fn() -> i64,
) -> Result<(Migration, Option<Recorder>)> {
    let opened = Opened::open(path, Log::Unknown, resources)?;
    let migration = opened.migration().clone();
    let recorder = if opened.is_discovered() { None } else { Some(opened.begin(command, now_ns)?) };
    Ok((migration, recorder))
}

/// The system's clock, in nanoseconds since 1970.
pub fn system_now_ns() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
