//! What a report is made of: one sweep over all nodes that gives them out, and adds up what they come to.
//!
//! Everything that a report says of nodes needs the same join, of nodes with their folders, matches, statuses, plan,
//! errors and checksums. It is made once, for a range of ids at a time, into a temporary table that fits into memory
//! whatever the size of the trees ([`Sweep`]); rows and sums are both taken from there, so they cannot contradict each
//! other. The sums of the ranges wait in temporary tables, and are read when the sweep is over ([`Sums`]).
//!
//! Nothing here writes to the ledger: temporary tables belong to the connection, and never get into the file.

mod about;
mod nodes;
mod problems;
mod sums;
mod sweep;

use std::path::{Path, PathBuf};

use duckdb::Connection;

use crate::counters::{Counters, DepthCounters};
use crate::error::Result;
use crate::opening;
use longhaul_model::BySide;

pub use crate::words::ProblemKind;
pub use about::{About, Verification};
pub use nodes::{NodeRows, node_schema};
pub use problems::NodeProblem;
pub use sums::{
    Amount, CopiedSlice, CopySpan, Outcomes, Part, Parts, ReasonTotal, SizeClass, StatusTotal, Sums, Throughput,
};
pub use sweep::{Sweep, Swept};

/// What a report may take of the machine.
#[derive(Clone, Debug)]
pub struct ReportingResources {
    /// Memory that DuckDB may have, in MiB.
    pub memory_mib: u32,
    /// Threads that it may use.
    pub threads: u32,
    /// Where it puts what does not fit into memory; made if needed, and left empty. `None`: beside the ledger.
    pub temp_directory: Option<PathBuf>,
}

impl Default for ReportingResources {
    fn default() -> Self {
        ReportingResources { memory_mib: 192, threads: 2, temp_directory: None }
    }
}

/// A ledger that is open for a report.
#[derive(Debug)]
pub struct Reporting {
    connection: Connection,
}

impl Reporting {
    /// Opens a ledger, whatever phase its migration is in. It must not be in use by a writer.
    pub fn open(path: &Path, resources: &ReportingResources) -> Result<Reporting> {
        // A folder whose name is not UTF-8 cannot be named in a setting.
        let temp_directory = resources.temp_directory.as_deref().and_then(Path::to_str);
        let connection = opening::open_read_only_with(path, temp_directory)?;
        connection.execute_batch(&format!(
            "SET memory_limit = '{}MiB'; SET threads = {};",
            resources.memory_mib, resources.threads
        ))?;
        Ok(Reporting { connection })
    }

    /// What the migration is about, where it stands, and what has been done so far.
    pub fn about(&self) -> Result<About> {
        About::read(&self.connection)
    }

    /// The whole of each side, as counted by whoever recorded it.
    pub fn totals(&self) -> Result<BySide<Counters>> {
        Ok(DepthCounters::read(&self.connection)?.totals())
    }

    /// Begins to go through all nodes.
    pub fn sweep(&self) -> Result<Sweep<'_>> {
        Sweep::begin(&self.connection)
    }
}

#[cfg(test)]
mod tests;
