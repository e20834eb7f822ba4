//! The ledger: one DuckDB file that holds all there is to know of one migration.
//!
//! Only one process has it open for writing. From an [`IdleLedger`] one comes to the writer of a phase
//! ([`DiscoverWriter`], [`CopyWriter`], [`VerifyWriter`]) or to an [`Editor`]; a [`Reader`] opens the file when there is
//! no writer. What must hold of the tables is written beside the tables, in `schema.sql`.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

// The way in: what may be done with a ledger follows from how far its migration has come.
mod idle;
mod migration;
mod run_writer;

// What each phase writes.
mod copying;
mod discovery;
mod verification;

// What a person changes in between.
mod editing;

// What the phases are made of: a plan, a sweep over what was listed before, exclusions, an approval, names.
mod approval;
mod carried_over;
mod changing;
mod exclusions;
mod linting;
mod plan;
mod recovery;
mod retry_marks;
mod sweeping;

// What they all write with: rows and events in one transaction, and counters beside them.
mod counters;
mod events;
mod fold;
mod marks;
mod rows;
mod writer;

// What goes in and out: listings, what the engine is told of a file, settings.
mod copy_choices;
mod filter;
mod listing;
mod matching;
mod pace;
mod pull;
mod recent;
mod renames;

// What is read of it.
mod overview;
mod reader;
pub mod reporting;
mod review;

// The file itself.
mod backup;
mod beside;
mod database;
mod double_write;
mod opening;
mod repair;
mod rescue;

// Rules and words as SQL; sets of ids; errors.
mod below;
mod bits;
mod codes;
mod error;
mod sql;
mod temp;
mod words;

#[cfg(test)]
mod testing;

pub use approval::{Approval, Approving};
pub use backup::{Existing, back_up};
pub use beside::{belongs_to, folder_of, log_of};
pub use changing::{Changed, ChangedStatus};
pub use copy_choices::{CopyChoices, Preserve};
pub use copying::{
    CopiedFile, CopyOutcome, CopyRemaining, CopyResult, CopyWriter, MadeFolder, PartCopied, PlanBatch, PlanItem,
    UnfinishedFolder,
};
pub use counters::{Counters, DepthCounters};
pub use discovery::{DiscoverWriter, ToList};
pub use double_write::{PutBack, put_back_torn};
pub use editing::{Decision, Editor, Marking, Renamed, Retry, Selection};
pub use error::{LedgerError, Result, is_damage};
pub use filter::{FilterRule, FilterSettings};
pub use idle::{Approved, BegunCopy, Copied, Discovered, IdleLedger, Stage, Undiscovered, create};
pub use linting::{Linted, NameFinding};
pub use listing::{FailedListing, Folder, FoundFolders, ListedPage, RecordedListing};
pub use marks::Verified;
pub use migration::{CopyDurability, CopySettings, Migration, MigrationSpec, Run, Settings};
pub use opening::{Log, Resources};
pub use overview::{Overview, Problem, SweepFound, SweepSummary};
pub use pace::PaceRow;
pub use plan::{PlanFilter, PlanTotal};
pub use reader::{Reader, Selected, Table, text_of};
pub use recovery::Remaining;
pub use repair::{Probed, cut_log, has_log, probe, try_log};
pub use rescue::{Rescued, rescue, take_its_place, unreadable_tables};
pub use retry_marks::Marked;
pub use review::condition::{Condition, ConditionError, ListedEntry};
pub use review::find::{FindPage, FindQuery, FindSort, NodeRow, PAGE_ROWS_MAX};
pub use review::tree::{SubtreeTotals, TreePage, TreeQuery, TreeRow};
pub use run_writer::RunWriter;
pub use verification::{ExpectedBatch, ExpectedNode, VerifyRemaining, VerifyWriter};

/// The system's clock, in nanoseconds since 1970.
pub fn system_now_ns() -> i64 {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since_1970.as_nanos()).unwrap_or(i64::MAX)
}
