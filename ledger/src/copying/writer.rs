//! The write path of copying: what became of items of the plan, in; statuses, facts and counters, out.

use std::ops::Range;

use duckdb::params;
use longhaul_model::{
    CopyChange, CopyStatus, ErrorClass, FileFacts, NodeId, NodeKind, Phase, Reason, ReasonCode, Side, TraversalStatus,
    shown_path,
};

use super::{
    Below, CopiedFile, CopyOutcome, CopyRemaining, CopyResult, MadeFolder, PlanBatch, STATEMENT_IDS, UnfinishedFolder,
    ids_of_children, neighbours, pull_children, pull_made_folders, pull_plan, remaining,
};
use crate::error::{LedgerError, Result};
use crate::events::ChangedAtDepth;
use crate::fold::fold_events;
use crate::migration::{CopySettings, Migration, set_phase};
use crate::overview::Overview;
use crate::renames::find_renamed_folders;
use crate::rows::{CopiedRow, ErrorRow};
use crate::temp::TempTable;
use crate::writer::{Guarded, Writer};

/// How many ids further the mark is set, below which items may have been begun: one commit for so many.
const MARK_STEP: i64 = 131_072;

/// Writes a ledger whose plan is being carried out.
#[derive(Debug)]
pub struct CopyWriter {
    pub(crate) writer: Writer,
    /// The folders that have another path on the destination.
    renamed: TempTable,
}

impl Guarded for CopyWriter {
    fn writer(&mut self) -> &mut Writer {
        &mut self.writer
    }
}

/// Sets the phase `copying` with its settings, inside the transaction that is open. Settings that were chosen when copying
/// began first are kept. Returns those that count.
pub(crate) fn settle_copying(writer: &mut Writer, settings: &CopySettings) -> Result<CopySettings> {
    set_phase(&writer.connection, Phase::Copying, None)?;
    // What was verified before was before this.
    writer.counters.marks = writer.counters.marks.without_verification();
    writer.connection.execute("DELETE FROM differences", [])?;
    writer.uncommitted_rows += 1;
    let recorded = Migration::read(&writer.connection)?.copy_settings;
    let settings = recorded.map_or(*settings, |recorded| recorded.completed_by(*settings));
    let json = serde_json::to_string(&settings).expect("settings are plain data");
    writer.connection.execute("UPDATE migration SET copy_settings = ?", params![json])?;
    Ok(settings)
}

impl CopyWriter {
    /// Takes over a writer that has committed the phase `copying` with these settings. The events must have been folded.
    /// Returns what is still to be copied as well.
    pub(crate) fn begin(writer: Writer, settings: &CopySettings) -> Result<(CopyWriter, CopyRemaining)> {
        let renamed = find_renamed_folders(&writer.connection)?;
        let mut this = CopyWriter { writer, renamed };
        let remaining = this.remaining_copies(settings)?;
        Ok((this, remaining))
    }

    /// What is still to be copied. The events must have been folded.
    fn remaining_copies(&mut self, settings: &CopySettings) -> Result<CopyRemaining> {
        self.guarded(|this| {
            let source = this.writer.counters().totals().src;
            // What was begun is in the log as well: without it any item may have been; and so without the ledger before.
            let may_be_any = this.writer.connection.has_lost_its_log() || this.writer.settings.comparison.adopts;
            let begun_below = if may_be_any { i64::MAX } else { this.writer.counters.marks.copy_given_out };
            remaining(&this.writer.connection, &this.renamed, &source, begun_below, settings.large_from)
        })
    }

    /// The items of the plan that are still to be done and whose source ids lie within `ids`. That they may have been
    /// begun from now on is durable before this returns, in the file itself: a log may be cut short, or be lost.
    pub fn pull_plan(&mut self, ids: &Range<i64>) -> Result<Vec<PlanBatch>> {
        let pulled = self.guarded(|this| {
            this.writer.flush_rows()?;
            pull_plan(&this.writer.connection, &this.renamed, ids)
        })?;
        if !pulled.is_empty() && self.writer.counters.marks.copy_given_out < ids.end {
            self.writer.counters.marks.copy_given_out = ids.end + MARK_STEP;
            self.writer.uncommitted_rows += 1;
            self.commit()?;
            self.guarded(|this| this.writer.checkpoint())?;
        }
        Ok(pulled)
    }

    /// Records what became of items. What cannot be done any more because of it is failed along with it.
    pub fn record_copies(&mut self, results: &[CopyResult]) -> Result<()> {
        self.guarded(|this| results.iter().try_for_each(|result| this.record_copy(result)))
    }

    fn record_copy(&mut self, result: &CopyResult) -> Result<()> {
        let CopyResult { id, depth, kind, size, ref outcome, .. } = *result;
        let attempts = i32::try_from(result.attempts).unwrap_or(i32::MAX);
        let (change, reason) = match outcome {
            CopyOutcome::Copied(copied) => {
                self.record_copied(id, kind, copied);
                (CopyChange::Copied, None)
            }
            CopyOutcome::AlreadyThere => (CopyChange::FoundOnDestination, None),
            CopyOutcome::Skipped(reason) => (CopyChange::NotCarriedOver, Some(reason.clone())),
            CopyOutcome::Conflict(reason) => (CopyChange::Conflicting, Some(reason.clone())),
            CopyOutcome::Vanished(reason) => (CopyChange::Gone, Some(reason.clone())),
            CopyOutcome::Failed { class, message } => {
                self.record_copy_error(id, *class, message, attempts);
                (CopyChange::OutOfAttempts, Some(Reason::message(message)))
            }
        };
        let status = self.writer.settle_copy(id, change, kind, size, depth, attempts, reason.as_ref())?;
        self.writer.uncommitted_rows += 1;
        if kind == NodeKind::Folder && !status.is_on_destination() {
            self.give_up_below(id, status)?;
        }
        Ok(())
    }

    fn record_copied(&mut self, id: NodeId, kind: NodeKind, copied: &CopiedFile) {
        // There is nothing to say of a folder that its status does not say.
        if kind == NodeKind::Folder {
            return;
        }
        self.writer.rows.copied.push(&CopiedRow {
            source: id,
            name: copied.name.as_deref(),
            size: copied.size,
            modified_ns: copied.modified_ns,
            checksum: copied.checksum.as_ref(),
            identity: copied.identity,
        });
    }

    fn record_copy_error(&mut self, node: NodeId, class: ErrorClass, message: &str, attempts: i32) {
        let (run, at_ns) = (self.writer.run, (self.writer.now_ns)());
        let (side, phase) = (Side::Source, Phase::Copying);
        self.writer.rows.errors.push(&ErrorRow { side, node, phase, class, message, attempts, run, at_ns });
    }

    /// Everything below a folder that is not at the destination, and that was still to be done, goes its way: failed,
    /// vanished or in conflict with it, for the reason that names it.
    fn give_up_below(&mut self, folder: NodeId, status: CopyStatus) -> Result<()> {
        let (change, code) = match status {
            CopyStatus::Vanished => (CopyChange::Gone, ReasonCode::ParentVanished),
            CopyStatus::Conflict => (CopyChange::Conflicting, ReasonCode::ParentInConflict),
            CopyStatus::Skipped => (CopyChange::NotCarriedOver, ReasonCode::ParentSkipped),
            CopyStatus::Failed => (CopyChange::ParentFailed, ReasonCode::ParentFailed),
            CopyStatus::Pending
            | CopyStatus::Successful
            | CopyStatus::AlreadyExisted
            | CopyStatus::ExcludedExplicit
            | CopyStatus::ExcludedInherited => {
                return Err(LedgerError::Inconsistent(format!("a folder that is {status} loses nothing")));
            }
        };
        let path: String = self
            .writer
            .connection
            .prepare_cached("SELECT path FROM src_folders WHERE id = ?")?
            .query_row(params![folder.0], |row| row.get(0))?;
        // It is said of every node below.
        let reason = Reason::new(code, [shown_path(&path)]);
        let mut level = vec![folder.0];
        while !level.is_empty() {
            let mut next_level = Vec::new();
            for parents in neighbours(&level) {
                let ids = ids_of_children(&self.writer.connection, &parents)?;
                let mut start = ids.start;
                while start < ids.end {
                    let end = ids.end.min(start + STATEMENT_IDS);
                    self.writer.flush_rows()?;
                    let children = pull_children(&self.writer.connection, &level, &parents, &(start..end))?;
                    for child in &children {
                        if child.is_to_do {
                            let Below { id, kind, size, depth, .. } = *child;
                            self.writer.settle_copy(id, change, kind, size, depth, 0, Some(&reason))?;
                            self.writer.uncommitted_rows += 1;
                        }
                        if child.kind == NodeKind::Folder {
                            next_level.push(child.id.0);
                        }
                    }
                    start = end;
                }
            }
            next_level.sort_unstable();
            level = next_level;
        }
        Ok(())
    }

    /// Records that a part of a large file is at the destination. `facts` are those of the whole file.
    pub fn record_part(&mut self, id: NodeId, part: u32, facts: FileFacts, value: &[u8; 32]) -> Result<()> {
        self.guarded(|this| {
            let part = i32::try_from(part).expect("a file has fewer than 2^31 parts");
            this.writer.rows.parts.push(id, part, facts.size.unwrap_or(0), facts.modified_ns, value);
            this.writer.uncommitted_rows += 1;
            Ok(())
        })
    }

    /// Records that a folder was made and could not be finished: it has failed, and a retry finishes it.
    pub fn record_unfinished(&mut self, folder: &UnfinishedFolder) -> Result<()> {
        self.guarded(|this| {
            let UnfinishedFolder { id, class, ref message, attempts } = *folder;
            let attempts = i32::try_from(attempts).unwrap_or(i32::MAX);
            let (depth, is_listed) = this
                .writer
                .connection
                .prepare_cached(&format!(
                    "SELECT f.depth, c.traversal_status IS DISTINCT FROM '{failed}'
                     FROM src_folders f
                     LEFT JOIN src_current c ON c.id = f.id
                     WHERE f.id = ?",
                    failed = TraversalStatus::Failed
                ))?
                .query_row(params![id.0], |row| Ok((row.get(0)?, row.get::<_, bool>(1)?)))?;
            if !is_listed {
                // It is a problem already, for the better reason, and is finished once it has been listed.
                return Ok(());
            }
            this.record_copy_error(id, class, message, attempts);
            // It counted as copied when it was made.
            let (was, reopened_by) = (CopyStatus::Successful, CopyChange::FoundDifferent);
            let (then, reason) = (Some(CopyChange::OutOfAttempts), Reason::message(message).stored());
            let is = this.writer.events.reconsider_copy(id, was, reopened_by, then, Some(&reason))?;
            this.writer.count_changed(&[ChangedAtDepth { depth, was, is, nodes: 1, bytes: 0 }]);
            Ok(())
        })
    }

    /// Forgets the parts of a file that was copied, or that has changed.
    pub fn forget_parts(&mut self, id: NodeId) -> Result<()> {
        self.guarded(|this| {
            this.writer.flush_rows()?;
            this.writer.connection.execute("DELETE FROM parts WHERE src_id = ?", params![id.0])?;
            this.writer.uncommitted_rows += 1;
            Ok(())
        })
    }

    /// Everything is copied: commits, folds the events, and returns the ids among which all folders are that this
    /// migration made on the destination. Their attributes are to be set now that everything is in them.
    pub fn begin_made_folders(&mut self) -> Result<Range<i64>> {
        self.commit()?;
        self.guarded(|this| {
            fold_events(&this.writer.connection)?;
            let (first, last) = this.writer.connection.query_row(
                &format!(
                    "SELECT min(f.id), max(f.id)
                 FROM src_folders f
                 JOIN src_current c ON c.id = f.id
                     WHERE c.copy_status = '{successful}'",
                    successful = CopyStatus::Successful
                ),
                [],
                |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
            )?;
            Ok(first.zip(last).map_or(0..0, |(first, last)| first..last + 1))
        })
    }

    /// Those of them with ids within `ids`, with their printable paths, in id order.
    pub fn pull_made_folders(&mut self, ids: &Range<i64>) -> Result<Vec<MadeFolder>> {
        self.guarded(|this| pull_made_folders(&this.writer.connection, &this.renamed, ids))
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
