//! The writer of the run that is under way, whatever its phase: what the engine's only owner of the ledger holds.

use std::path::Path;

use longhaul_model::Phase;

use crate::backup::{Existing, back_up_open};
use crate::copying::CopyWriter;
use crate::discovery::DiscoverWriter;
use crate::error::{LedgerError, Result};
use crate::listing::RecordedListing;
use crate::overview::Overview;
use crate::pace::PaceRow;
use crate::verification::VerifyWriter;
use crate::writer::{Guarded, Writer};

/// The writer of the run that is under way.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it in a run")]
pub enum RunWriter {
    /// Lists.
    Discover(DiscoverWriter),
    /// Copies.
    Copy(CopyWriter),
    /// Verifies.
    Verify(VerifyWriter),
}

impl From<DiscoverWriter> for RunWriter {
    fn from(writer: DiscoverWriter) -> RunWriter {
        RunWriter::Discover(writer)
    }
}

impl From<CopyWriter> for RunWriter {
    fn from(writer: CopyWriter) -> RunWriter {
        RunWriter::Copy(writer)
    }
}

impl From<VerifyWriter> for RunWriter {
    fn from(writer: VerifyWriter) -> RunWriter {
        RunWriter::Verify(writer)
    }
}

impl RunWriter {
    /// For what only a discovery records.
    pub fn discovery(&mut self) -> Result<&mut DiscoverWriter> {
        match self {
            RunWriter::Discover(writer) => Ok(writer),
            RunWriter::Copy(_) | RunWriter::Verify(_) => Err(other_phase("lists")),
        }
    }

    /// For what only a copy records.
    pub fn copy(&mut self) -> Result<&mut CopyWriter> {
        match self {
            RunWriter::Copy(writer) => Ok(writer),
            RunWriter::Discover(_) | RunWriter::Verify(_) => Err(other_phase("copies")),
        }
    }

    /// For what only a verification records.
    pub fn verification(&mut self) -> Result<&mut VerifyWriter> {
        match self {
            RunWriter::Verify(writer) => Ok(writer),
            RunWriter::Discover(_) | RunWriter::Copy(_) => Err(other_phase("verifies")),
        }
    }

    /// Records a change of pace. It becomes durable with whatever is recorded next.
    pub fn record_pace(&mut self, change: &PaceRow) -> Result<()> {
        self.writer().record_pace(change)
    }

    /// Matches what waits to be matched, and makes everything recorded so far durable. Returns the listings that are
    /// complete with it.
    pub fn commit(&mut self) -> Result<Vec<RecordedListing>> {
        match self {
            RunWriter::Discover(writer) => {
                let recorded = writer.match_recorded()?;
                writer.commit()?;
                Ok(recorded)
            }
            RunWriter::Copy(writer) => writer.commit().map(|()| Vec::new()),
            RunWriter::Verify(writer) => writer.commit().map(|()| Vec::new()),
        }
    }

    /// Backs the ledger up as it is now. The listings are those that are complete with it, as from [`RunWriter::commit`];
    /// that the backup could not be written does the ledger no harm.
    pub fn back_up(&mut self, to: &Path, existing: Existing) -> Result<(Vec<RecordedListing>, Result<u64>)> {
        let recorded = self.commit()?;
        let writer = self.writer();
        writer.guarded(Writer::checkpoint)?;
        Ok((recorded, back_up_open(&writer.connection, to, existing)))
    }

    /// Ends the run: commits the phase and the outcome, with the plan where discovery ends with it, brings the log into the
    /// file, and closes it. Returns the overview of the ledger.
    pub fn end(self, phase: Phase, reason: Option<&str>, outcome: &str) -> Result<Overview> {
        match self {
            RunWriter::Discover(writer) => writer.end(phase, reason, outcome),
            RunWriter::Copy(writer) => writer.end(phase, reason, outcome),
            RunWriter::Verify(writer) => writer.end(phase, reason, outcome),
        }
    }

    /// Gives the ledger up after an error. What was committed stays; the reason is noted if that is still possible.
    pub fn abandon(self) {
        self.into_writer().abandon();
    }

    /// Makes every further call fail, as after an error: for trying what an error leads to.
    #[doc(hidden)]
    pub fn poison(&mut self, reason: &str) {
        self.writer().poison(reason);
    }

    fn writer(&mut self) -> &mut Writer {
        match self {
            RunWriter::Discover(DiscoverWriter { writer, .. })
            | RunWriter::Copy(CopyWriter { writer, .. })
            | RunWriter::Verify(VerifyWriter { writer, .. }) => writer,
        }
    }

    fn into_writer(self) -> Writer {
        match self {
            RunWriter::Discover(DiscoverWriter { writer, .. })
            | RunWriter::Copy(CopyWriter { writer, .. })
            | RunWriter::Verify(VerifyWriter { writer, .. }) => writer,
        }
    }
}

fn other_phase(does: &str) -> LedgerError {
    LedgerError::Inconsistent(format!("this can be asked only of a run that {does}"))
}
