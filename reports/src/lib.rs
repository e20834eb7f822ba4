//! The report of a migration: what one sends to whoever asked for it, in four files that say the same in four ways.
//!
//! | file | for whom |
//! |---|---|
//! | `report.html` | a person: one page that needs nothing beside it, on a screen or on paper |
//! | `summary.json` | a program: the figures of that page |
//! | `problems.csv` | a spreadsheet: everything that was not copied or is wrong, and why |
//! | `nodes.parquet` | a data tool: every node |
//!
//! All of them come of one pass over the ledger ([`longhaul_ledger::reporting`]), whatever phase the migration is in,
//! and appear together or not at all ([`write_report`]). Memory does not depend on the number of nodes.
//!
//! Names come from whoever could make a file, so everything is taken to be hostile: the page is made by a template engine
//! that escapes what it is given, and forbids scripts besides; the table guards cells that a spreadsheet would run.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

// What a report says.
mod conclusion;
mod figures;
mod words;

// Its files, one module each; the summary is the figures as they are.
mod nodes_file;
mod page;
mod problems_file;

// The folder in which all of them appear together, or none.
mod folder;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longhaul_ledger::LedgerError;
use longhaul_ledger::reporting::{Reporting, ReportingResources};

pub use figures::Found;

use crate::conclusion::conclude;
use crate::figures::{Figures, Noticed};
use crate::folder::ReportFolder;
use crate::nodes_file::NodesFile;
use crate::problems_file::ProblemsFile;
pub use crate::problems_file::guard_cell;

/// The page for people.
pub const PAGE: &str = "report.html";
/// The figures for programs.
pub const SUMMARY: &str = "summary.json";
/// What was not copied or is wrong, for spreadsheets.
pub const PROBLEMS: &str = "problems.csv";
/// Every node, for data tools.
pub const NODES: &str = "nodes.parquet";

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// There is one already.
    #[error("{} has a report already ({names})", folder.display())]
    Exists {
        /// Where it was to be.
        folder: PathBuf,
        /// The files that are there.
        names: String,
    },
    /// Something in the folder could not be made, written or renamed.
    #[error("{}: {error}", path.display())]
    NotWritten {
        /// What.
        path: PathBuf,
        /// What the system said. Not a source of this error, which says it already.
        error: std::io::Error,
    },
    /// A file of it could not be put together.
    #[error("{name}: {reason}")]
    NotMade {
        /// Which.
        name: &'static str,
        /// What was wrong.
        reason: String,
    },
    /// Somebody has asked for it to be given up.
    #[error("the report was given up, and nothing of it is left")]
    Stopped,
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The result of something done for a report.
pub(crate) type Result<T, E = ReportError> = std::result::Result<T, E>;

/// How a report is made.
#[derive(Clone, Debug)]
pub struct ReportOptions {
    /// Whether a report that is there already is replaced.
    pub force: bool,
    /// When it is made, in nanoseconds since 1970.
    pub now_ns: i64,
    /// What it may take of the machine. Its folder for what does not fit into memory is chosen here, and not there.
    pub resources: ReportingResources,
    /// Set by whoever wants it to be given up: it is then at the next opportunity, as long as it has not appeared.
    pub stop: Arc<AtomicBool>,
}

impl ReportOptions {
    fn check_stop(&self) -> Result<()> {
        if self.stop.load(Ordering::Acquire) { Err(ReportError::Stopped) } else { Ok(()) }
    }
}

/// A report that is there.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its files, the page first.
    pub files: Vec<PathBuf>,
    /// What it says.
    pub figures: Figures,
}

/// Writes the report of the migration that `ledger` is about into the folder `out`, which is made if need be.
///
/// Its files get their names when all of them are whole and on stable storage. Where that fails, the folder is as it was.
pub fn write_report(ledger: &Path, out: &Path, options: &ReportOptions) -> Result<Written> {
    // Before a folder is made for it: this is what goes wrong most often.
    drop(Reporting::open(ledger, &options.resources)?);
    let folder = ReportFolder::begin(out, options.force)?;
    let resources =
        ReportingResources { temp_directory: Some(folder.scratch().join("duckdb")), ..options.resources.clone() };
    let reporting = Reporting::open(ledger, &resources)?;

    let mut nodes = NodesFile::create(&folder.unfinished(NODES))?;
    let mut problems = ProblemsFile::create(&folder.unfinished(PROBLEMS))?;
    let mut noticed = Noticed::default();
    let mut sweep = reporting.sweep()?;
    while let Some(swept) = sweep.next()? {
        options.check_stop()?;
        for batch in swept.nodes()? {
            nodes.write(&batch)?;
        }
        for problem in swept.problems()? {
            problems.write(&problem)?;
            noticed.take(problem);
        }
    }
    options.check_stop()?;
    let sums = sweep.sums()?;
    nodes.finish()?;
    problems.finish()?;

    let about = reporting.about()?;
    let phase = about.migration.current_phase();
    let mut figures = Figures::new(ledger, about, &reporting.totals()?, sums, options.now_ns);
    figures.conclusion = conclude(&figures, phase);
    drop(reporting);
    let summary = serde_json::to_vec_pretty(&figures).map_err(|error| not_made(SUMMARY, &error))?;
    folder.write(SUMMARY, &summary)?;
    let page = page::render(&figures, &noticed).map_err(|error| not_made(PAGE, &error))?;
    folder.write(PAGE, page.as_bytes())?;
    options.check_stop()?;
    Ok(Written { files: folder.publish()?, figures })
}

fn not_made(name: &'static str, reason: &dyn std::fmt::Display) -> ReportError {
    ReportError::NotMade { name, reason: reason.to_string() }
}

fn not_written(path: &Path) -> impl FnOnce(std::io::Error) -> ReportError {
    let path = path.to_owned();
    move |error| ReportError::NotWritten { path, error }
}
