//! The write path of verification.

use std::ops::Range;

use duckdb::params;
use longhaul_model::{CopyStatus, NodeId, Phase, VerifyLevel};

use super::{ExpectedBatch, VerifyRemaining, pull_expected};
use crate::codes::verify_level;
use crate::error::Result;
use crate::fold::fold_events;
use crate::marks::Marks;
use crate::migration::set_phase;
use crate::overview::Overview;
use crate::renames::find_renamed_folders;
use crate::sql;
use crate::temp::TempTable;
use crate::writer::{Guarded, Writer};

/// Writes a ledger whose destination is being verified.
#[derive(Debug)]
pub struct VerifyWriter {
    pub(crate) writer: Writer,
    /// The folders that have another path on the destination.
    renamed: TempTable,
}

impl Guarded for VerifyWriter {
    fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

impl VerifyWriter {
    /// Begins to verify, or with `resume` goes on where an earlier run was, as closely as that looked, if one has begun since
    /// the copy. To look more closely than that is to begin anew. What an earlier verification found is forgotten, as far as
    /// it is looked at again.
    pub(crate) fn begin(
        writer: Writer,
        resume: bool,
        level: VerifyLevel,
    ) -> Result<(VerifyWriter, VerifyLevel, VerifyRemaining)> {
        let renamed = find_renamed_folders(&writer.connection)?;
        let mut this = VerifyWriter { writer, renamed };
        let (level, remaining) = this.begin_verifying(resume, level)?;
        Ok((this, level, remaining))
    }

    fn begin_verifying(&mut self, resume: bool, level: VerifyLevel) -> Result<(VerifyLevel, VerifyRemaining)> {
        self.guarded(|this| {
            fold_events(&this.writer.connection)?;
            this.writer.begin_transaction()?;
            let marks = this.writer.counters.marks;
            // After a copy there is none yet to go on with.
            let is_begun = marks.verification_begun != 0 && level as i64 <= marks.verify_level;
            if !(resume && is_begun) {
                let marks = marks.without_verification();
                this.writer.counters.marks = Marks { verification_begun: 1, verify_level: level as i64, ..marks };
            }
            set_phase(&this.writer.connection, Phase::Verifying, None)?;
            let below = this.writer.counters.marks.verified_below;
            this.writer.connection.execute("DELETE FROM differences WHERE src_id >= ?", params![below])?;
            // What was looked at behind the mark is looked at again.
            let count = |sql: &str| this.writer.connection.query_row(sql, params![below], |row| row.get(0));
            this.writer.counters.marks.verified.differences =
                count("SELECT count(*) FROM differences WHERE src_id < ?")?;
            this.writer.counters.marks.verified.nodes = count(&format!(
                "SELECT count(*)
                 FROM src_status
                 WHERE id < ? AND parent_id IS NOT NULL AND {}",
                sql::is_status("copy_status", CopyStatus::is_on_destination)
            ))?;
            this.writer.uncommitted_rows += 1;
            Ok(())
        })?;
        self.commit()?;
        self.guarded(|this| {
            let last: i64 =
                this.writer.connection.query_row("SELECT coalesce(max(id), 0) FROM src_nodes", [], |row| row.get(0))?;
            let (source, marks) = (this.writer.counters().totals().src, this.writer.counters.marks);
            let remaining = VerifyRemaining {
                ids: marks.verified_below.min(last + 1)..last + 1,
                // The root is nobody's child, and was not looked for.
                nodes: (source.copied + source.already_existed - 1 - marks.verified.nodes).max(0),
                bytes: source.copied_bytes + source.already_existed_bytes,
            };
            Ok((verify_level(marks.verify_level), remaining))
        })
    }

    /// What has to be at the destination of source nodes with ids within `ids`.
    pub fn pull_expected(&mut self, ids: &Range<i64>) -> Result<Vec<ExpectedBatch>> {
        self.guarded(|this| pull_expected(&this.writer.connection, &this.renamed, ids))
    }

    /// Records that nodes were looked at, and which of them are not what they should be.
    pub fn record_verified(&mut self, nodes: u64, bytes_read: u64, differences: &[(NodeId, String)]) -> Result<()> {
        self.guarded(|this| {
            let at_ns = (this.writer.now_ns)();
            this.writer.begin_transaction()?;
            let mut appender = this.writer.connection.appender("differences")?;
            for (node, message) in differences {
                appender.append_row(params![node.0, message, at_ns])?;
            }
            appender.flush()?;
            drop(appender);
            let verified = &mut this.writer.counters.marks.verified;
            verified.nodes += i64::try_from(nodes).unwrap_or(i64::MAX);
            verified.bytes_read += i64::try_from(bytes_read).unwrap_or(i64::MAX);
            verified.differences += i64::try_from(differences.len()).unwrap_or(i64::MAX);
            this.writer.uncommitted_rows += differences.len() + 1;
            Ok(())
        })
    }

    /// Everything with a lower source id has been looked at.
    pub fn set_verified_below(&mut self, id: i64) {
        self.writer.counters.marks.verified_below = id;
        self.writer.uncommitted_rows += 1;
    }

    /// Makes everything recorded so far durable.
    pub fn commit(&mut self) -> Result<()> {
        self.writer.commit()
    }

    /// Ends the run.
    pub fn end(self, phase: Phase, reason: Option<&str>, outcome: &str) -> Result<Overview> {
        self.writer.end(reason, outcome, |_| Ok(phase))
    }
}
