//! The ledger actor: the ledger's single writer. It takes [`LedgerRequest`]s and answers with [`LedgerReply`]s.
//!
//! Listings are recorded at once, answered, and committed when enough has come together or enough time has passed.
//! Results of copying are recorded only when they are durable on the destination: they wait for the next flush and are
//! committed behind it. The Copiers continue meanwhile; what they send then waits for the flush after that.
//!
//! Everything that the actors ask of the ledger once a run has begun is in this file.

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};
use longhaul_ledger::{LedgerError, RecordedListing, RunWriter};
use longhaul_model::{ErrorClass, Phase, Side};
use longhaul_storage::StoreError;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use crate::messages::{
    BackUp, Closed, CopyRecords, DeathNotice, Finish, Flush, Flushed, LedgerReply, LedgerRequest, Listed, Permitted,
    StoreGaveUp, VerifyRecords,
};
use crate::progress::Board;
use crate::traffic::Traffic;

/// The ledger, used until the first error and given up then.
#[derive(Debug)]
struct LedgerGuard {
    /// `None` once it is closed.
    writer: Option<RunWriter>,
    /// Why there is no writer any more, where it was an error.
    failure: Option<String>,
}

/// What is known of the destination's durability.
#[derive(Debug)]
struct Flushing {
    /// Who flushes the destination; `None` where results may be recorded without.
    flusher: Option<Recipient<Flush>>,
    /// What came since the last flush began.
    waiting: Vec<Permitted<LedgerRequest>>,
    /// What the flush that is under way is for.
    under_way: Vec<Permitted<LedgerRequest>>,
    is_under_way: bool,
    /// Why the destination is not to be trusted: nothing is recorded any more.
    failure: Option<StoreError>,
}

/// Owns the ledger while a migration runs.
#[derive(Debug)]
pub(crate) struct LedgerActor {
    /// After the first error it is not used any more, and everything that still comes is counted as dropped.
    ledger: LedgerGuard,
    replies: Recipient<LedgerReply>,
    death_notice: DeathNotice,
    board: Board,
    commit_interval: Duration,
    flushing: Flushing,
    /// Since when something waits to be committed.
    uncommitted_since: Option<Instant>,
    match_is_due: bool,
    made_folders_are_due: bool,
    finish: Option<Finish>,
    traffic: Traffic,
}

impl LedgerActor {
    /// Takes over the ledger. `flusher` flushes the destination before results of copying are recorded.
    pub(crate) fn new(
        writer: RunWriter,
        commit_interval: Duration,
        flusher: Option<Recipient<Flush>>,
        replies: Recipient<LedgerReply>,
        death_notice: DeathNotice,
        board: Board,
    ) -> Self {
        LedgerActor {
            ledger: LedgerGuard { writer: Some(writer), failure: None },
            replies,
            death_notice,
            board,
            commit_interval,
            flushing: Flushing {
                flusher,
                waiting: Vec::new(),
                under_way: Vec::new(),
                is_under_way: false,
                failure: None,
            },
            uncommitted_since: None,
            match_is_due: false,
            made_folders_are_due: false,
            finish: None,
            traffic: Traffic::default(),
        }
    }

    /// Does something with the ledger; `None` where that is not possible any more. The first error is reported.
    fn with<T>(&mut self, action: impl FnOnce(&mut RunWriter) -> Result<T, LedgerError>) -> Option<T> {
        match action(self.ledger.writer.as_mut()?) {
            Ok(value) => Some(value),
            Err(error) => {
                // Whoever started the run is told as well, and says it louder.
                tracing::info!("{error}");
                if let Some(writer) = self.ledger.writer.take() {
                    writer.abandon();
                }
                self.ledger.failure = Some(error.to_string());
                self.replies.do_send(LedgerReply::Failed(error));
                None
            }
        }
    }

    /// Asks the ledger and sends its answer on.
    fn answer(&mut self, ask: impl FnOnce(&mut RunWriter) -> Result<LedgerReply, LedgerError>) {
        if let Some(reply) = self.with(ask) {
            self.replies.do_send(reply);
        }
    }

    fn reply_recorded(&self, recorded: Vec<RecordedListing>) {
        if !recorded.is_empty() {
            self.replies.do_send(LedgerReply::ListingsRecorded(recorded));
        }
    }

    fn record_listings(
        &mut self,
        side: Side,
        listed: Vec<Listed>,
        permit: Option<OwnedSemaphorePermit>,
        ctx: &mut Context<Self>,
    ) {
        let count = listed.len() as u64;
        self.traffic.received += count;
        let board = self.board.clone();
        let recorded = self.with(|writer| {
            let writer = writer.discovery()?;
            let mut recorded = Vec::with_capacity(listed.len());
            for listed in listed {
                match listed {
                    Listed::Page(page) => {
                        board.found(side, page.page.len(), page.is_last);
                        recorded.extend(writer.record_page(side, page)?);
                    }
                    Listed::Failed(failed) => {
                        board.failed(side);
                        recorded.extend(writer.record_failure(side, failed)?);
                    }
                }
            }
            Ok((recorded, writer.has_unmatched(), writer.should_commit()))
        });
        // There is room for more before anything is committed.
        drop(permit);
        let Some((recorded, has_unmatched, should_commit)) = recorded else {
            self.traffic.dropped += count;
            return;
        };
        self.traffic.answered += count;
        self.reply_recorded(recorded);
        self.uncommitted_since.get_or_insert_with(Instant::now);
        if should_commit {
            self.settle(ctx);
        } else if has_unmatched && !self.match_is_due {
            // Behind everything that is in the mailbox now: the more there is to do, the larger the joins.
            self.match_is_due = true;
            ctx.address().do_send(MatchRecorded);
        }
    }

    fn wait_for_flush(&mut self, request: Permitted<LedgerRequest>) {
        self.traffic.received += results_in(&request.message);
        self.uncommitted_since.get_or_insert_with(Instant::now);
        self.flushing.waiting.push(request);
    }

    /// Makes what waits durable and commits, unless that is under way already.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        let flushing = &mut self.flushing;
        if flushing.is_under_way {
            return;
        }
        self.uncommitted_since = None;
        flushing.under_way = std::mem::take(&mut flushing.waiting);
        match &flushing.flusher {
            Some(flusher)
                if flushing.failure.is_none() && (!flushing.under_way.is_empty() || self.finish.is_some()) =>
            {
                flushing.is_under_way = true;
                flusher.do_send(Flush);
            }
            _ => self.commit(ctx),
        }
    }

    fn flushed(&mut self, result: Result<(), StoreError>, ctx: &mut Context<Self>) {
        self.flushing.is_under_way = false;
        if let Err(error) = result {
            // After this nobody knows what is on disk, whatever a later flush says.
            self.flushing.failure = Some(error.clone());
            self.replies.do_send(LedgerReply::NotDurable(not_durable(error)));
        }
        self.commit(ctx);
    }

    /// Records what was flushed and commits; then does what had to wait for that.
    fn commit(&mut self, ctx: &mut Context<Self>) {
        let flushed = std::mem::take(&mut self.flushing.under_way);
        let count = flushed.iter().map(|request| results_in(&request.message)).sum::<u64>();
        let recorded = if self.flushing.failure.is_none() {
            self.with(|writer| {
                flushed.iter().try_for_each(|request| record_flushed(writer, &request.message))?;
                writer.commit()
            })
        } else {
            None
        };
        *(if recorded.is_some() { &mut self.traffic.answered } else { &mut self.traffic.dropped }) += count;
        // The permits come back.
        drop(flushed);
        self.reply_recorded(recorded.unwrap_or_default());
        if !self.flushing.waiting.is_empty() {
            if self.made_folders_are_due || self.finish.is_some() {
                self.settle(ctx);
            }
            return;
        }
        if std::mem::take(&mut self.made_folders_are_due) {
            self.answer(|writer| writer.copy()?.begin_made_folders().map(LedgerReply::MadeFolders));
        }
        if let Some(finish) = self.finish.take() {
            self.close(finish, ctx);
        }
    }

    /// Ends the run and closes the ledger.
    fn close(&mut self, mut finish: Finish, ctx: &mut Context<Self>) {
        if let Some(error) = self.flushing.failure.take().filter(|_| finish.phase != Phase::Suspended) {
            // The last results are not durable, so the run has not done its work.
            let reason = Some(not_durable(error).reason());
            finish = Finish { phase: Phase::Suspended, reason, outcome: "suspended".to_owned() };
        }
        let ended =
            self.ledger.writer.take().map(|writer| writer.end(finish.phase, finish.reason.as_deref(), &finish.outcome));
        let (traffic, failed) = (self.traffic, self.ledger.failure.take());
        let closed = ended.transpose().map(|overview| Closed { overview, traffic, dropped: traffic.dropped, failed });
        self.death_notice.not_needed();
        self.replies.do_send(LedgerReply::Closed(closed));
        ctx.stop();
    }
}

/// Results of items in a request: what the traffic counts.
fn results_in(request: &LedgerRequest) -> u64 {
    if let LedgerRequest::Copies(records) = request { records.results.len() as u64 } else { 0 }
}

fn not_durable(error: StoreError) -> StoreGaveUp {
    StoreGaveUp { side: Side::Destination, path: "/".to_owned(), error }
}

/// Records what had to wait for the flush of the destination.
fn record_flushed(writer: &mut RunWriter, request: &LedgerRequest) -> Result<(), LedgerError> {
    match request {
        LedgerRequest::Copies(CopyRecords { results, parts, forget, unfinished }) => {
            let writer = writer.copy()?;
            for (id, part) in parts {
                writer.record_part(*id, part.part, part.facts, &part.value)?;
            }
            for id in forget {
                writer.forget_parts(*id)?;
            }
            for folder in unfinished {
                writer.record_unfinished(folder)?;
            }
            writer.record_copies(results)
        }
        LedgerRequest::Verified(VerifyRecords { nodes, bytes_read, differences }) => {
            writer.verification()?.record_verified(*nodes, *bytes_read, differences)
        }
        LedgerRequest::VerifiedBelow(id) => {
            writer.verification()?.set_verified_below(*id);
            Ok(())
        }
        LedgerRequest::Listings { .. }
        | LedgerRequest::Pace(_)
        | LedgerRequest::PullFolders { .. }
        | LedgerRequest::PullPlan(_)
        | LedgerRequest::PullExpected(_)
        | LedgerRequest::BeginMadeFolders
        | LedgerRequest::PullMadeFolders(_)
        | LedgerRequest::Finish(_) => unreachable!("this waits for no flush: {request:?}"),
    }
}

impl Actor for LedgerActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Half the interval, so that nothing waits for longer than one and a half of them.
        ctx.run_interval(self.commit_interval / 2, |this, ctx| {
            let flusher = this.flushing.flusher.as_ref();
            if this.flushing.is_under_way && flusher.is_some_and(|flusher| !flusher.connected()) {
                // A dead Flusher does not answer, and the run has to come to its end.
                this.flushed(Err(StoreError::new(ErrorClass::Fatal, "the Flusher died")), ctx);
            }
            if this.uncommitted_since.is_some_and(|since| since.elapsed() >= this.commit_interval) {
                this.settle(ctx);
            }
        });
    }
}

impl Handler<Permitted<LedgerRequest>> for LedgerActor {
    type Result = ();

    fn handle(&mut self, request: Permitted<LedgerRequest>, ctx: &mut Self::Context) {
        let Permitted { message, permit } = request;
        match message {
            LedgerRequest::Copies(_) | LedgerRequest::Verified(_) | LedgerRequest::VerifiedBelow(_) => {
                self.wait_for_flush(Permitted { message, permit });
            }
            LedgerRequest::Listings { side, listed } => self.record_listings(side, listed, permit, ctx),
            LedgerRequest::Pace(change) => {
                self.with(|writer| writer.record_pace(&change));
            }
            LedgerRequest::PullFolders { side, ids } => self.answer(|writer| {
                let folders = writer.discovery()?.pull_folders(side, &ids)?;
                Ok(LedgerReply::FoldersPulled { side, ids, folders })
            }),
            LedgerRequest::PullPlan(ids) => self.answer(|writer| {
                let batches = writer.copy()?.pull_plan(&ids)?;
                Ok(LedgerReply::PlanPulled { ids, batches })
            }),
            LedgerRequest::PullExpected(ids) => self.answer(|writer| {
                let batches = writer.verification()?.pull_expected(&ids)?;
                Ok(LedgerReply::ExpectedPulled { ids, batches })
            }),
            LedgerRequest::PullMadeFolders(ids) => {
                self.answer(|writer| writer.copy()?.pull_made_folders(&ids).map(LedgerReply::MadeFoldersPulled));
            }
            LedgerRequest::BeginMadeFolders => {
                self.made_folders_are_due = true;
                self.settle(ctx);
            }
            LedgerRequest::Finish(finish) => {
                self.finish = Some(finish);
                self.settle(ctx);
            }
        }
    }
}

impl Handler<BackUp> for LedgerActor {
    type Result = Result<u64, LedgerError>;

    fn handle(&mut self, BackUp { to, existing }: BackUp, _: &mut Self::Context) -> Self::Result {
        let backed_up = self.with(|writer| writer.back_up(&to, existing));
        let (recorded, written) =
            backed_up.ok_or_else(|| LedgerError::Poisoned(self.ledger.failure.clone().unwrap_or_default()))?;
        self.reply_recorded(recorded);
        written
    }
}

impl Handler<Flushed> for LedgerActor {
    type Result = ();

    fn handle(&mut self, Flushed(result): Flushed, ctx: &mut Self::Context) {
        self.flushed(result, ctx);
    }
}

/// Ledger actor → itself: match what waits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct MatchRecorded;

impl Handler<MatchRecorded> for LedgerActor {
    type Result = ();

    fn handle(&mut self, _: MatchRecorded, _: &mut Self::Context) {
        self.match_is_due = false;
        let recorded = self.with(|writer| writer.discovery()?.match_recorded()).unwrap_or_default();
        self.reply_recorded(recorded);
    }
}

#[cfg(test)]
mod tests;
