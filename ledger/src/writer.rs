//! What the writers of all phases have in common: the connection, the rows that wait, the transaction that is open, the
//! counters, and the end of a run.
//!
//! Rows are collected in memory and flushed into DuckDB's open transaction when a statement has to see them or there are
//! enough; a commit makes them durable. Whatever is in memory or in the open transaction is lost by a crash *together*.

use duckdb::params;
use longhaul_model::{BySide, CopyChange, CopyStatus, NodeId, NodeKind, Phase, Reason, Side};

use crate::counters::{CountersToWrite, DepthCounters};
use crate::database::Database;
use crate::error::{LedgerError, Result};
use crate::events::{ChangedAtDepth, CopyChanges, Events};
use crate::fold::fold_events;
use crate::migration::{Run, Settings, set_phase};
use crate::overview::Overview;
use crate::pace::PaceRow;
use crate::rows::WaitingRows;

/// A commit is due when this many rows are not durable yet. DuckDB writes complete row groups of 122 880 rows past its
/// log, so a commit should have at least one of them.
const COMMIT_ROWS_MAX: usize = 125_000;

/// A checkpoint is due after this many rows: the log is then some 15 MB long, and is replayed in a quarter of a second.
const CHECKPOINT_ROWS_MAX: usize = 500_000;

/// Memory that DuckDB may take when a run ends.
const END_MEMORY_MIB: u32 = 128;

/// A ledger in which a run is under way: what every phase writes with.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) connection: Database,
    pub(crate) run: i32,
    pub(crate) settings: Settings,
    pub(crate) now_ns: fn() -> i64,
    pub(crate) rows: WaitingRows,
    pub(crate) events: Events,
    pub(crate) counters: CountersToWrite,
    pub(crate) next_id: BySide<NodeId>,
    pub(crate) uncommitted_rows: usize,
    in_transaction: bool,
    rows_since_checkpoint: usize,
    poisoned: Option<String>,
}

impl Writer {
    /// Takes over an open ledger and notes that a run begins.
    pub(crate) fn begin(connection: Database, command: &str, settings: Settings, now_ns: fn() -> i64) -> Result<Self> {
        let next_id = |side: Side| -> Result<NodeId> {
            let sql = format!("SELECT coalesce(max(id), 0) + 1 FROM {}_nodes", side.prefix());
            Ok(NodeId(connection.query_row(&sql, [], |row| row.get(0))?))
        };
        let next_id = BySide { src: next_id(Side::Source)?, dst: next_id(Side::Destination)? };
        let counters = CountersToWrite::read(&connection)?;
        let run = Run::begin(&connection, command, now_ns())?;
        let events = Events::open(&connection, run, now_ns)?;
        Ok(Writer {
            connection,
            run,
            settings,
            now_ns,
            rows: WaitingRows::default(),
            events,
            counters,
            next_id,
            uncommitted_rows: 0,
            in_transaction: false,
            rows_since_checkpoint: 0,
            poisoned: None,
        })
    }

    /// The counters, those of what is not committed included.
    pub(crate) fn counters(&self) -> &DepthCounters {
        self.counters.get()
    }

    /// Gives out `count` ids in sequence. Returns the first one.
    pub(crate) fn give_out_ids(&mut self, side: Side, count: usize) -> NodeId {
        let first = self.next_id[side];
        self.next_id[side] = first.plus(count);
        first
    }

    /// Something happened to the copy status of a source node that was pending. Counts it. Returns the new status.
    #[allow(clippy::too_many_arguments, reason = "the node and what happened to it, of which nothing belongs together")]
    pub(crate) fn settle_copy(
        &mut self,
        node: NodeId,
        change: CopyChange,
        kind: NodeKind,
        size: Option<i64>,
        depth: i32,
        attempts: i32,
        reason: Option<&Reason>,
    ) -> Result<CopyStatus> {
        let status = self.events.change_copy(node, CopyStatus::Pending, change, attempts, reason)?;
        self.counters.change(Side::Source, depth).count_copy_status(status, kind, size);
        Ok(status)
    }

    /// Changes the copy statuses of a set of source nodes, inside the transaction that is open, and counts them.
    pub(crate) fn change_copies(&mut self, set: &CopyChanges<'_>) -> Result<Vec<ChangedAtDepth>> {
        self.flush_rows()?;
        let changed = self.events.change_copies(&self.connection, set)?;
        self.count_changed(&changed);
        Ok(changed)
    }

    /// Counts nodes whose copy status has changed.
    pub(crate) fn count_changed(&mut self, changed: &[ChangedAtDepth]) {
        for ChangedAtDepth { depth, was, is, nodes, bytes } in changed {
            let counters = self.counters.change(Side::Source, *depth);
            counters.count_copy_statuses(*was, -nodes, -bytes);
            counters.count_copy_statuses(*is, *nodes, *bytes);
            self.uncommitted_rows += usize::try_from(*nodes).unwrap_or(usize::MAX);
        }
    }

    /// Records a change of pace. It becomes durable with whatever is recorded next.
    pub(crate) fn record_pace(&mut self, change: &PaceRow) -> Result<()> {
        self.guarded(|this| {
            this.begin_transaction()?;
            this.connection.prepare_cached("INSERT INTO pace VALUES (?, ?, ?, ?, ?, ?, ?)")?.execute(params![
                this.run,
                (this.now_ns)(),
                change.side.prefix(),
                change.class,
                change.concurrency,
                change.rate,
                change.cause,
            ])?;
            this.uncommitted_rows += 1;
            Ok(())
        })
    }

    /// Whether a commit is due because of the number of rows.
    pub(crate) fn should_commit(&self) -> bool {
        self.uncommitted_rows >= COMMIT_ROWS_MAX
    }

    pub(crate) fn begin_transaction(&mut self) -> Result<()> {
        if !self.in_transaction {
            self.connection.execute_batch("BEGIN")?;
            self.in_transaction = true;
        }
        Ok(())
    }

    /// Hands all rows that wait to DuckDB, inside the transaction that is open, or a new one.
    pub(crate) fn flush_rows(&mut self) -> Result<()> {
        self.begin_transaction()?;
        self.rows.flush(&self.connection)?;
        self.events.flush(&self.connection)
    }

    /// Makes everything recorded so far durable, and brings the log into the file when that is due.
    pub(crate) fn commit(&mut self) -> Result<()> {
        if self.uncommitted_rows == 0 && !self.in_transaction {
            return Ok(());
        }
        self.guarded(|this| {
            this.flush_rows()?;
            this.commit_transaction()?;
            if this.rows_since_checkpoint >= CHECKPOINT_ROWS_MAX { this.checkpoint() } else { Ok(()) }
        })
    }

    /// Commits the transaction that is open, with the counters.
    pub(crate) fn commit_transaction(&mut self) -> Result<()> {
        self.counters.write(&self.connection)?;
        self.connection.commit()?;
        self.in_transaction = false;
        self.rows_since_checkpoint += std::mem::take(&mut self.uncommitted_rows);
        Ok(())
    }

    pub(crate) fn checkpoint(&mut self) -> Result<()> {
        self.connection.checkpoint()?;
        self.rows_since_checkpoint = 0;
        Ok(())
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

    /// Ends the run: commits, folds the events, does `last`, commits the phase that it returns and the outcome, brings the
    /// log into the file, and closes it. Returns the overview of the ledger.
    pub(crate) fn end(
        mut self,
        reason: Option<&str>,
        outcome: &str,
        last: impl FnOnce(&mut Self) -> Result<Phase>,
    ) -> Result<Overview> {
        self.commit()?;
        let overview = self.guarded(|this| {
            // The workers have done their work: their cores are free, and what they had of memory.
            let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
            this.connection
                .execute_batch(&format!("SET threads = {cores}; SET memory_limit = '{END_MEMORY_MIB}MiB'"))?;
            fold_events(&this.connection)?;
            let phase = last(this)?;
            this.begin_transaction()?;
            set_phase(&this.connection, phase, reason)?;
            Run::end(&this.connection, this.run, outcome, (this.now_ns)())?;
            this.commit_transaction()?;
            this.checkpoint()?;
            Overview::read(&this.connection)
        })?;
        Ok(overview)
    }

    /// Ends a run that was about changing the plan, and closes the ledger; the phase stays. One that has changed nothing
    /// is not remembered either.
    pub(crate) fn end_change(self, has_changed: bool) -> Result<()> {
        if !has_changed {
            Run::forget(&self.connection, self.run)?;
            return self.connection.checkpoint();
        }
        let ended = Run::end(&self.connection, self.run, "complete", (self.now_ns)());
        if let Err(error) = ended.and_then(|()| self.connection.checkpoint()) {
            // What was changed was committed before: it would be wrong to call it a failure.
            tracing::warn!("what was changed is stored, but the ledger could not be tidied up: {error}");
        }
        Ok(())
    }

    /// Gives the ledger up after an error. What was committed stays, and the reason is noted with it if that is still
    /// possible: where it is not, the next run finds what a crash leaves behind.
    pub(crate) fn abandon(self) {
        let reason = self.poisoned.unwrap_or_default();
        let noted = set_phase(&self.connection, Phase::Suspended, Some(&reason))
            .and_then(|()| Run::end(&self.connection, self.run, "suspended", (self.now_ns)()));
        if let Err(error) = noted {
            tracing::debug!("the reason could not be noted in the ledger: {error}");
        }
    }

    /// Makes every further call fail, as after an error.
    pub(crate) fn poison(&mut self, reason: &str) {
        self.poisoned = Some(reason.to_owned());
    }
}

/// What can fail, and must not be used any more once it has.
///
/// DuckDB's COMMIT of a transaction in which something failed says Ok and stores nothing, so nothing may ever be committed
/// after an error.
pub(crate) trait Guarded {
    /// What is poisoned by an error.
    fn writer(&mut self) -> &mut Writer;

    /// Runs something that may fail. An error rolls the transaction back and makes every further call fail.
    fn guarded<T>(&mut self, action: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(earlier) = &self.writer().poisoned {
            return Err(LedgerError::Poisoned(earlier.clone()));
        }
        action(self).inspect_err(|error| {
            let writer = self.writer();
            writer.poison(&error.to_string());
            if writer.in_transaction {
                // It fails where the instance itself is broken; either way nothing of it is stored.
                let _ = writer.connection.execute_batch("ROLLBACK");
            }
        })
    }
}

impl Guarded for Writer {
    fn writer(&mut self) -> &mut Writer {
        self
    }
}
