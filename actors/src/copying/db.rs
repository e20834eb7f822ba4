//! The DB actor of a copy: the ledger's single writer, which records nothing that is not durable on the destination.
//!
//! What became of items comes in, waits for the next flush of the destination, and is committed behind that. Meanwhile
//! the Copiers go on; what they bring then waits for the flush after that.

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient, ResponseFuture};
use longhaul_ledger::{LedgerError, Recorder};
use longhaul_model::{ErrorClass, Phase, Side};
use longhaul_storage::StoreError;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::messages::{
    BeginMadeFolders, ExpectedPulled, MadeFolders, MadeFoldersPulled, PlanPulled, PullExpected, PullMadeFolders,
    PullPlan,
};
use super::work::RecordCopies;
use crate::flusher::{Flush, Flushed};
use crate::messages::{ActorDied, Closed, DeathNotice, Finish, LedgerFailed, RecordPace, StoreGaveUp, Which};
use crate::open_ledger::OpenLedger;
use crate::traffic::Traffic;

/// The DB actor's surroundings.
#[derive(Clone, Debug)]
pub struct CopyDbLinks {
    /// Who is told what was pulled of the plan.
    pub pulled: Recipient<PlanPulled>,
    /// Who is told what has to be at the destination.
    pub expected: Recipient<ExpectedPulled>,
    /// Who is told which folders were made.
    pub made_folders: Recipient<MadeFolders>,
    /// Who is told what was pulled of them.
    pub folders_pulled: Recipient<MadeFoldersPulled>,
    /// Who makes the destination durable; `None` where nobody has to.
    pub flusher: Option<Recipient<Flush>>,
    /// Who is told that the destination cannot be made durable.
    pub gave_up: Recipient<StoreGaveUp>,
    /// Who is told that the ledger cannot be written.
    pub failed: Recipient<LedgerFailed>,
    /// Who is told if the actor dies.
    pub died: Recipient<ActorDied>,
}

/// Owns the ledger while a plan is carried out.
#[derive(Debug)]
pub struct CopyDbActor {
    ledger: OpenLedger,
    death_notice: DeathNotice,
    links: CopyDbLinks,
    commit_interval: Duration,
    /// What came since the last flush began.
    waiting: Vec<RecordCopies>,
    waiting_since: Option<Instant>,
    /// What the flush that is under way is for.
    flushing: Vec<RecordCopies>,
    is_flushing: bool,
    /// Why the destination is not to be trusted: nothing is recorded any more.
    flush_failure: Option<StoreError>,
    made_folders_are_due: bool,
    finish: Option<(Finish, oneshot::Sender<Result<Closed, LedgerError>>)>,
    traffic: Traffic,
}

impl CopyDbActor {
    /// Takes over the ledger.
    pub fn new(recorder: Recorder, commit_interval: Duration, links: CopyDbLinks) -> Self {
        CopyDbActor {
            ledger: OpenLedger::new(recorder, links.failed.clone()),
            death_notice: DeathNotice::new(Which::Db, links.died.clone()),
            links,
            commit_interval,
            waiting: Vec::new(),
            waiting_since: None,
            flushing: Vec::new(),
            is_flushing: false,
            flush_failure: None,
            made_folders_are_due: false,
            finish: None,
            traffic: Traffic::default(),
        }
    }

    /// Makes what waits durable and records it, unless that is under way already.
    fn settle(&mut self, ctx: &mut Context<Self>) {
        if self.is_flushing {
            return;
        }
        self.waiting_since = None;
        self.flushing = std::mem::take(&mut self.waiting);
        match &self.links.flusher {
            Some(flusher) if self.flush_failure.is_none() && (!self.flushing.is_empty() || self.finish.is_some()) => {
                self.is_flushing = true;
                flusher.do_send(Flush);
            }
            _ => self.record_flushed(ctx),
        }
    }

    fn flushed(&mut self, result: Result<(), StoreError>, ctx: &mut Context<Self>) {
        self.is_flushing = false;
        if let Err(error) = result {
            // After this nobody knows what is on stable storage, whatever a later flush says.
            self.flush_failure = Some(error.clone());
            self.links.gave_up.do_send(gave_up(error));
        }
        self.record_flushed(ctx);
    }

    /// What was flushed is recorded and committed; then comes what had to wait for that.
    fn record_flushed(&mut self, ctx: &mut Context<Self>) {
        let flushed = std::mem::take(&mut self.flushing);
        let count = flushed.iter().map(|record| record.results.len() as u64).sum::<u64>();
        let is_recorded = self.flush_failure.is_none()
            && self
                .ledger
                .with(|recorder| {
                    flushed.iter().try_for_each(|record| apply(recorder, record))?;
                    recorder.commit()
                })
                .is_some();
        *(if is_recorded { &mut self.traffic.answered } else { &mut self.traffic.dropped }) += count;
        // The permits come back.
        drop(flushed);
        if !self.waiting.is_empty() {
            if self.made_folders_are_due || self.finish.is_some() {
                self.settle(ctx);
            }
            return;
        }
        if std::mem::take(&mut self.made_folders_are_due)
            && let Some(ids) = self.ledger.with(Recorder::begin_made_folders)
        {
            self.links.made_folders.do_send(MadeFolders(ids));
        }
        if let Some((mut finish, answer)) = self.finish.take() {
            if let Some(error) = self.flush_failure.take().filter(|_| finish.phase != Phase::Suspended) {
                // Whatever came last is not durable, so that the run has not done its work.
                let reason = Some(gave_up(error).reason());
                finish = Finish { phase: Phase::Suspended, reason, outcome: "suspended" };
            }
            self.death_notice.not_needed();
            // Whoever asked is waiting, or nobody is.
            let _ = answer.send(self.ledger.close(&finish, self.traffic));
            ctx.stop();
        }
    }
}

fn gave_up(error: StoreError) -> StoreGaveUp {
    StoreGaveUp { side: Side::Destination, path: "/".to_owned(), error }
}

fn apply(recorder: &mut Recorder, record: &RecordCopies) -> Result<(), LedgerError> {
    for (id, part) in &record.parts {
        recorder.record_part(*id, part.part, part.facts, &part.value)?;
    }
    for id in &record.forget {
        recorder.forget_parts(*id)?;
    }
    for (id, remark) in &record.remarks {
        recorder.record_remark(Side::Source, *id, remark)?;
    }
    recorder.record_copies(&record.results)?;
    if record.verified > 0 {
        recorder.record_verified(record.verified, record.bytes_read, &record.differences)?;
    }
    if let Some(below) = record.verified_below {
        recorder.set_verified_below(below);
    }
    Ok(())
}

impl Actor for CopyDbActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Half the interval, so that nothing waits for longer than one and a half of them.
        ctx.run_interval(self.commit_interval / 2, |this, ctx| {
            if this.is_flushing && this.links.flusher.as_ref().is_some_and(|flusher| !flusher.connected()) {
                // Whoever died does not answer, and the run has to come to its end.
                this.flushed(Err(StoreError::new(ErrorClass::Fatal, "the Flusher died")), ctx);
            }
            if this.waiting_since.is_some_and(|since| since.elapsed() >= this.commit_interval) {
                this.settle(ctx);
            }
        });
    }
}

impl Handler<RecordPace> for CopyDbActor {
    type Result = ();

    fn handle(&mut self, RecordPace(change): RecordPace, _: &mut Self::Context) {
        self.ledger.with(|recorder| recorder.record_pace(&change));
    }
}

impl Handler<RecordCopies> for CopyDbActor {
    type Result = ();

    fn handle(&mut self, record: RecordCopies, _: &mut Self::Context) {
        self.traffic.received += record.results.len() as u64;
        self.waiting_since.get_or_insert_with(Instant::now);
        self.waiting.push(record);
    }
}

impl Handler<Flushed> for CopyDbActor {
    type Result = ();

    fn handle(&mut self, Flushed(result): Flushed, ctx: &mut Self::Context) {
        self.flushed(result, ctx);
    }
}

impl Handler<PullPlan> for CopyDbActor {
    type Result = ();

    fn handle(&mut self, PullPlan { ids }: PullPlan, _: &mut Self::Context) {
        if let Some(batches) = self.ledger.with(|recorder| recorder.pull_plan(&ids)) {
            self.links.pulled.do_send(PlanPulled { ids, batches });
        }
    }
}

impl Handler<PullExpected> for CopyDbActor {
    type Result = ();

    fn handle(&mut self, PullExpected { ids }: PullExpected, _: &mut Self::Context) {
        if let Some(batches) = self.ledger.with(|recorder| recorder.pull_expected(&ids)) {
            self.links.expected.do_send(ExpectedPulled { ids, batches });
        }
    }
}

impl Handler<BeginMadeFolders> for CopyDbActor {
    type Result = ();

    fn handle(&mut self, _: BeginMadeFolders, ctx: &mut Self::Context) {
        self.made_folders_are_due = true;
        self.settle(ctx);
    }
}

impl Handler<PullMadeFolders> for CopyDbActor {
    type Result = ();

    fn handle(&mut self, PullMadeFolders { ids }: PullMadeFolders, _: &mut Self::Context) {
        if let Some(folders) = self.ledger.with(|recorder| recorder.pull_made_folders(&ids)) {
            self.links.folders_pulled.do_send(MadeFoldersPulled(folders));
        }
    }
}

impl Handler<Finish> for CopyDbActor {
    type Result = ResponseFuture<Result<Closed, LedgerError>>;

    fn handle(&mut self, finish: Finish, ctx: &mut Self::Context) -> Self::Result {
        let (answer, closed) = oneshot::channel();
        self.finish = Some((finish, answer));
        self.settle(ctx);
        Box::pin(async move { closed.await.unwrap_or_else(|_| Ok(Closed::default())) })
    }
}

#[cfg(test)]
mod tests;
