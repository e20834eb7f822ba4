//! What becomes durable, and when: the transaction that is open, commits, checkpoints, and the end of a run.

use longhaul_model::Phase;

use super::Recorder;
use crate::editing::apply_exclusions;
use crate::error::{LedgerError, Result};
use crate::fold::fold_events;
use crate::migration::{Migration, Run, set_phase};
use crate::overview::Overview;
use crate::plan::{RANGE_IDS, begin_plan, plan_ids};
use crate::rows::flush;

/// A commit is due when this many rows are not durable yet. DuckDB writes complete row groups of 122 880 rows past its
/// log, so a commit should have at least one of them.
const COMMIT_ROWS_MAX: usize = 125_000;

/// A checkpoint is due after this many rows: the log is then some 15 MB long, and is replayed in a quarter of a second.
const CHECKPOINT_ROWS_MAX: usize = 500_000;

/// Memory that DuckDB may take when a run ends.
const END_MEMORY_MIB: u32 = 128;

impl Recorder {
    /// How many rows a crash would lose now.
    pub fn uncommitted_rows(&self) -> usize {
        self.uncommitted_rows
    }

    /// Whether a commit is due because of the number of rows.
    pub fn should_commit(&self) -> bool {
        self.uncommitted_rows >= COMMIT_ROWS_MAX
    }

    /// Makes everything recorded so far durable, and brings the log into the file when that is due.
    ///
    /// # Panics
    ///
    /// When there are unmatched pages: they would be committed without their matches.
    pub fn commit(&mut self) -> Result<()> {
        assert!(!self.has_unmatched(), "pages are matched before they are committed");
        if self.uncommitted_rows == 0 && !self.in_transaction {
            return Ok(());
        }
        self.guarded(|this| {
            this.flush_rows()?;
            this.begin_transaction()?;
            this.commit_transaction()?;
            if this.rows_since_checkpoint >= CHECKPOINT_ROWS_MAX { this.checkpoint_inner() } else { Ok(()) }
        })
    }

    /// Commits the transaction that is open, with the counters.
    pub(crate) fn commit_transaction(&mut self) -> Result<()> {
        self.counters.write(&self.connection)?;
        self.connection.execute_batch("COMMIT")?;
        self.in_transaction = false;
        self.rows_since_checkpoint += std::mem::take(&mut self.uncommitted_rows);
        Ok(())
    }

    fn checkpoint_inner(&mut self) -> Result<()> {
        self.connection.execute_batch("CHECKPOINT")?;
        self.rows_since_checkpoint = 0;
        Ok(())
    }

    /// Ends the run: folds the events, commits the phase and the outcome, with the plan where discovery ends with it,
    /// brings the log into the file, and closes it. Returns how it all stands then.
    pub fn end(mut self, phase: Phase, reason: Option<&str>, outcome: &str) -> Result<Overview> {
        assert!(!self.has_unmatched(), "pages are matched before the run ends");
        self.commit()?;
        let overview = self.guarded(|this| {
            // The workers have done their work: their cores are free, and what they had of memory.
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
            this.connection
                .execute_batch(&format!("SET threads = {cores}; SET memory_limit = '{END_MEMORY_MIB}MiB'"))?;
            let is_discovered = Migration::read(&this.connection)?.phase == Phase::Traversing && phase == Phase::Review;
            fold_events(&this.connection)?;
            if is_discovered {
                this.end_discovery()?;
            }
            this.begin_transaction()?;
            set_phase(&this.connection, phase, reason)?;
            Run::end(&this.connection, this.run, outcome, (this.now_ns)())?;
            this.commit_transaction()?;
            this.checkpoint_inner()?;
            Overview::read(&this.connection)
        })?;
        self.connection.close().map_err(|(_, error)| error)?;
        Ok(overview)
    }

    /// Everything is listed, and the events are folded: ends the sweep that it was, and makes the plan.
    pub(crate) fn end_discovery(&mut self) -> Result<()> {
        self.end_sweep()?;
        self.make_plan(RANGE_IDS)?;
        fold_events(&self.connection)?;
        self.exclude_what_is_new()
    }

    /// Changes what is planned, in one transaction that is committed with its counters, and folds the events of it.
    pub(crate) fn change_plan<T>(&mut self, change: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.guarded(|this| {
            this.begin_transaction()?;
            let changed = change(this)?;
            this.commit_transaction()?;
            fold_events(&this.connection)?;
            Ok(changed)
        })
    }

    /// Ends a run that was about changing the plan, and closes the ledger; the phase stays. One that has changed nothing is not
    /// remembered either.
    pub fn end_change(self, has_changed: bool) -> Result<()> {
        if has_changed {
            Run::end(&self.connection, self.run, "complete", (self.now_ns)())?;
        } else {
            Run::forget(&self.connection, self.run)?;
        }
        self.connection.execute_batch("CHECKPOINT")?;
        Ok(self.connection.close().map_err(|(_, error)| error)?)
    }

    /// Makes the plan, and commits it so many ids at a time: DuckDB keeps in memory much of what a transaction adds.
    ///
    /// Where that is broken off, discovery is still to be ended, and the plan is made again; what a part of it has said
    /// of nodes that are left alone, the whole of it will say as well.
    pub(super) fn make_plan(&mut self, range_ids: i64) -> Result<()> {
        self.begin_transaction()?;
        let ids = begin_plan(&self.connection)?;
        self.commit_transaction()?;
        let mut start = ids.start;
        while start < ids.end {
            let range = start..ids.end.min(start + range_ids);
            start = range.end;
            self.begin_transaction()?;
            let settled = plan_ids(&self.connection, &self.settings, &mut self.events, &range)?;
            self.count_changed(&settled);
            self.commit_transaction()?;
        }
        Ok(())
    }

    /// What was found in a sweep may be in something that somebody had excluded before: in a folder that is listed, which
    /// those that a filter leaves out are not.
    fn exclude_what_is_new(&mut self) -> Result<()> {
        const FOLDERS: &str = "FROM exclusions e SEMI JOIN src_folders f ON f.id = e.node_id";
        let folders: i64 = self.connection.query_row(&format!("SELECT count(*) {FOLDERS}"), [], |row| row.get(0))?;
        if folders > 0 {
            self.begin_transaction()?;
            self.connection
                .execute_batch(&format!("CREATE OR REPLACE TEMP TABLE selected AS SELECT e.node_id AS id {FOLDERS}"))?;
            apply_exclusions(self)?;
            self.commit_transaction()?;
            fold_events(&self.connection)?;
        }
        Ok(())
    }

    /// Gives the ledger up after an error. What was committed stays, and the reason is noted with it if that is still
    /// possible: where it is not, the next run finds what a crash leaves behind.
    pub fn abandon(self) {
        let reason = self.poisoned.unwrap_or_default();
        let noted = set_phase(&self.connection, Phase::Suspended, Some(&reason))
            .and_then(|()| Run::end(&self.connection, self.run, "suspended", (self.now_ns)()));
        if let Err(error) = noted {
            tracing::debug!("the reason could not be noted in the ledger: {error}");
        }
    }

    /// Makes every further call fail, as after an error: for trying what an error leads to.
    #[doc(hidden)]
    pub fn poison(&mut self, reason: &str) {
        self.poisoned = Some(reason.to_owned());
    }

    pub(crate) fn flush_rows(&mut self) -> Result<()> {
        self.begin_transaction()?;
        let connection = &self.connection;
        flush(&mut self.nodes.src, "src_nodes", connection)?;
        flush(&mut self.nodes.dst, "dst_nodes", connection)?;
        flush(&mut self.source_folders, "src_folders", connection)?;
        flush(&mut self.destination_folders, "dst_folders", connection)?;
        flush(&mut self.matches, "matches", connection)?;
        self.events.flush(connection)?;
        flush(&mut self.exclusions, "exclusions", connection)?;
        flush(&mut self.errors, "errors", connection)?;
        flush(&mut self.copied, "copied", connection)?;
        flush(&mut self.parts, "parts", connection)?;
        if let Some(sweep) = &mut self.sweep {
            sweep.flush(connection)?;
        }
        Ok(())
    }

    pub(crate) fn begin_transaction(&mut self) -> Result<()> {
        if !self.in_transaction {
            self.connection.execute_batch("BEGIN")?;
            self.in_transaction = true;
        }
        Ok(())
    }

    /// Runs something that may fail. An error poisons the recorder: DuckDB's COMMIT of a transaction in which something
    /// failed says Ok and stores nothing, so nothing may ever be committed after it.
    pub(crate) fn guarded<T>(&mut self, action: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(earlier) = &self.poisoned {
            return Err(LedgerError::Poisoned(earlier.clone()));
        }
        action(self).inspect_err(|error| {
            self.poisoned = Some(error.to_string());
            if self.in_transaction {
                // It fails where the instance itself is broken; either way nothing of it is stored.
                let _ = self.connection.execute_batch("ROLLBACK");
            }
        })
    }
}
