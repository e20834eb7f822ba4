//! What can go wrong with a ledger.

use std::path::PathBuf;

use longhaul_model::{Side, UnknownWord};

/// An error of the ledger. Each variant is something that a caller treats differently. What can be done about it in the
/// words of a command line is for whoever has one to say.
#[derive(Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
pub enum LedgerError {
    /// There is a ledger, or some other file, where a new one was to be made.
    #[error("ledger {} exists already", .0.display())]
    Exists(PathBuf),
    /// There is no file.
    #[error("ledger {} does not exist", .0.display())]
    Missing(PathBuf),
    /// There is a file, but it is not a ledger.
    #[error("{} is not a Longhaul ledger ({reason})", path.display())]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Made by a later version of the program.
    #[error(
        "ledger {} was made by Longhaul {made_by} (schema {found}), this is {} (schema {known}): use that version or a later one",
        path.display(), env!("CARGO_PKG_VERSION")
    )]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Version of the program that made it.
        made_by: String,
        /// Its schema version.
        found: i64,
        /// The newest schema version that this program knows.
        known: i64,
    },
    /// Another process has it open.
    #[error("ledger {} is in use by another process{holder}: wait for it, or interrupt it", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
        /// Who holds it, as DuckDB tells: ` (…)`, or nothing.
        holder: String,
    },
    /// The file cannot be made or written.
    #[error("ledger {} cannot be written ({reason})", path.display())]
    NotWritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// The file cannot be read.
    #[error("ledger {} cannot be read ({reason})", path.display())]
    NotReadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It belongs to a migration between other places.
    #[error("ledger {} belongs to the migration of {source_location} to {destination_location}", path.display())]
    OtherMigration {
        /// The file.
        path: PathBuf,
        /// The source that it is about.
        source_location: String,
        /// The destination that it is about.
        destination_location: String,
    },
    /// No room where the ledger is.
    #[error("no space left for the ledger: {0}")]
    DiskFull(String),
    /// An earlier error; what was uncommitted then is gone, and the ledger must be opened again.
    #[error("the ledger cannot be used any more after an earlier error: {0}")]
    Poisoned(String),
    /// DuckDB cannot open the file with its log, or what is in them does not go together.
    #[error("ledger {} cannot be opened: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// DuckDB refused something.
    #[error("ledger: {0}")]
    Database(String),
    /// A statement that somebody typed is wrong.
    #[error("query: {0}")]
    Query(String),
    /// There is no plan yet: nothing can be copied, changed or listed again.
    #[error("discovery is not complete")]
    NotDiscovered,
    /// The plan has not been carried out yet: there is nothing to verify.
    #[error("copying is not complete")]
    NotCopied,
    /// The root is what it is all about.
    #[error("the root cannot be chosen: name what is below it")]
    IsRoot,
    /// There is nothing at this path.
    #[error("{path} is not on the {side}; the nearest that is: {nearest}")]
    NoSuchPath {
        /// Of which side, where it makes a difference; otherwise the source.
        side: Side,
        /// What was asked for.
        path: String,
        /// The longest part of it that exists.
        nearest: String,
    },
    /// The source has something at this path that cannot be listed.
    #[error("{0} is not a folder")]
    NotAFolder(String),
    /// It was not excluded by itself.
    #[error("{path} cannot be included again: {reason}")]
    NotExcluded {
        /// What was asked for.
        path: String,
        /// Why not.
        reason: String,
    },
    /// It was left out when it was found, and nobody knows what is in it.
    #[error(
        "{path} cannot be included again, as nobody knows what is in it ({reason}): change the filter and discover anew"
    )]
    NotListed {
        /// What was asked for.
        path: String,
        /// Which rule it was.
        reason: String,
    },
    /// What has its place on the destination is of another kind, or the folder that it is in has no place there.
    #[error(
        "nothing was changed: {path} cannot replace what has its place, which is another kind of thing{}: skip it, or \
         keep both if it is a file or a link", and_others(*.others)
    )]
    CannotOverwrite {
        /// The first of them.
        path: String,
        /// How many others there are.
        others: i64,
    },
    /// It is a folder, or in one whose place is taken.
    #[error(
        "nothing was changed: {path} cannot be kept beside what has its place, because it is a folder or in one that has \
         no place there{}: skip it", and_others(*.others)
    )]
    CannotBeKept {
        /// The first of them.
        path: String,
        /// How many others there are.
        others: i64,
    },
    /// There is nothing that the wish could be about.
    #[error("nothing was changed: {0}")]
    NothingToChange(String),
    /// Nobody has approved the plan.
    #[error("the plan is not approved")]
    NotApproved,
    /// What was approved is not what there is now.
    #[error("the plan is another one than was approved")]
    OtherPlan,
    /// What is marked would change the plan.
    #[error("there are marks for retry ({0})")]
    Marked(i64),
    /// Somebody has to decide first.
    #[error("conflicts are open ({0})")]
    OpenConflicts(i64),
    /// An invariant of the ledger does not hold: a bug, or a damaged file.
    #[error("ledger is inconsistent: {0}")]
    Inconsistent(String),
}

/// What is said of `others` beside the one that is named.
fn and_others(others: i64) -> String {
    if others == 0 { String::new() } else { format!(" (and {others} others)") }
}

/// The result of something asked of the ledger.
pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

impl From<duckdb::Error> for LedgerError {
    fn from(error: duckdb::Error) -> Self {
        let message = error.to_string();
        // DuckDB's C interface has no codes for these: the message is all there is.
        if message.contains("No space left on device")
            || message.contains("File too large")
            || message.contains("Disk quota exceeded")
        {
            LedgerError::DiskFull(first_line(&message).to_owned())
        } else {
            LedgerError::Database(message)
        }
    }
}

impl From<UnknownWord> for LedgerError {
    fn from(error: UnknownWord) -> Self {
        LedgerError::Inconsistent(error.to_string())
    }
}

impl From<duckdb::arrow::error::ArrowError> for LedgerError {
    fn from(error: duckdb::arrow::error::ArrowError) -> Self {
        LedgerError::Database(error.to_string())
    }
}

/// Whether an error of DuckDB means that the file is damaged: a block has a wrong checksum, or the file is too short. Any
/// other error, such as a failing disk or a lack of memory, may pass.
pub fn is_damage(message: &str) -> bool {
    ["Corrupt database file", "Could not read all bytes", "Could not read enough bytes"]
        .iter()
        .any(|text| message.contains(text))
}

pub(crate) fn first_line(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}
