//! The ledger: one DuckDB file that holds all there is to know of one migration.
//!
//! Only one process has it open for writing. From an [`IdleLedger`] one comes to the writer of a phase
//! ([`DiscoverWriter`], [`CopyWriter`], [`VerifyWriter`]) or to an [`Editor`]; a [`Reader`] opens the file when there is
//! no writer. What must hold of the tables is written beside the tables, in `schema.sql`.

mod below;
mod beside;
mod bits;
mod codes;
mod copy_choices;
mod copying;
mod counters;
mod discovery;
mod editing;
mod error;
mod events;
mod filter;
mod fold;
mod idle;
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
mod recovery;
mod renames;
mod repair;
pub mod reporting;
mod review;
mod rows;
mod run_writer;
mod sql;
mod sweeping;
#[cfg(test)]
mod testing;
mod verification;
mod writer;

pub use beside::log_of;
pub use copy_choices::{CopyChoices, Preserve};
pub use copying::{
    CopiedFile, CopyOutcome, CopyRemaining, CopyResult, CopyWriter, MadeFolder, PartCopied, PlanBatch, PlanItem,
};
pub use counters::{Counters, DepthCounters};
pub use discovery::{DiscoverWriter, ToList};
pub use editing::{
    Approval, Approving, Changed, ChangedStatus, Decision, Editor, Marked, Marking, Renamed, Retry, Selection,
};
pub use error::{LedgerError, Result};
pub use filter::{FilterRule, FilterSettings};
pub use idle::{Approved, BegunCopy, Copied, Discovered, IdleLedger, Stage, Undiscovered, create};
pub use linting::{Linted, NameFinding};
pub use listing::{FailedListing, Folder, FoundFolders, ListedPage, RecordedListing};
pub use marks::Verified;
pub use migration::{CopyDurability, CopySettings, Migration, MigrationSpec, Run, SCHEMA_VERSION, Settings};
pub use opening::{Log, Resources};
pub use overview::{Overview, PROBLEMS_MAX, Problem};
pub use pace::PaceRow;
pub use plan::{PlanFilter, PlanTotal};
pub use reader::{Reader, Table};
pub use recovery::Remaining;
pub use repair::{Probed, has_log, probe, put_log_back, set_log_aside};
pub use review::condition::{Condition, ConditionError, ListedEntry};
pub use review::find::{FindPage, FindQuery, FindSort, NodeRow, PAGE_ROWS_MAX};
pub use review::tree::{SubtreeTotals, TreePage, TreeQuery, TreeRow};
pub use run_writer::RunWriter;

pub use sweeping::{SweepFound, SweepSummary};
pub use verification::{ExpectedBatch, ExpectedNode, VerifyRemaining, VerifyWriter};

/// The system's clock, in nanoseconds since 1970.
pub fn system_now_ns() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
