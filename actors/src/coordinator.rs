//! The Coordinator: the state machine of a run. It gives out folders, knows what is in flight, decides when a
//! traversal is over, and takes an interrupt through to the checkpoint. It does no I/O and never blocks.

use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, MailboxError, Message, Recipient, WrapFuture,
};
use longhaul_ledger::{FailedListing, LedgerError};
use longhaul_model::{BySide, ErrorClass, Phase, Side};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::messages::{
    ActorDied, BatchDone, Closed, Finish, FoldersPulled, Interrupt, LedgerFailed, ListFolders, Listed,
    ListingsRecorded, PullFolders, RecordListings, StoreGaveUp, Which,
};
use crate::progress::Board;
use crate::schedule::Schedule;

/// Folders in one message to a Lister, where listing one takes microseconds.
pub(crate) const BATCH_FOLDERS_MAX: usize = 64;

/// Messages that a Lister may have: one that it works on, and one so that it never waits for the next.
const BATCHES_PER_LISTER: usize = 2;

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything is done.
    Done,
    /// Somebody asked it to stop.
    Interrupted,
    /// A store gave up: going on made no sense.
    StoreGaveUp {
        /// Which one.
        side: Side,
        /// On which folder, and with what.
        reason: String,
    },
    /// The ledger cannot be written. What was committed before is safe.
    LedgerFailed(LedgerError),
    /// An actor died: a bug. What was committed before is safe.
    Broken(String),
}

/// What a run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// How it ended.
    pub ended: Ended,
    /// The DB actor's last word.
    pub closed: Closed,
    /// Folders that were given out and are pending again.
    pub given_back: usize,
    /// Listers that did not come to an end within the grace period.
    pub still_running: usize,
}

/// The Coordinator's surroundings.
#[derive(Debug)]
pub struct CoordinatorLinks {
    /// The Listers of each side.
    pub listers: BySide<Vec<Recipient<ListFolders>>>,
    /// Where the Coordinator's own failures are recorded.
    pub records: Recipient<RecordListings>,
    /// Who pulls folders from the ledger.
    pub pulls: Recipient<PullFolders>,
    /// Who closes the ledger.
    pub finish: Recipient<Finish>,
    /// Tells the Listers to stop.
    pub stop: CancellationToken,
    /// Where it shows what it does.
    pub board: Board,
    /// Who waits for the end.
    pub outcome: oneshot::Sender<Outcome>,
}

/// The state machine of a run.
#[derive(Debug)]
pub struct Coordinator {
    schedule: Schedule,
    /// Messages that each Lister has not reported as done.
    batches: BySide<Vec<usize>>,
    batch_folders_max: BySide<usize>,
    records: Recipient<RecordListings>,
    pulls: Recipient<PullFolders>,
    finish: Recipient<Finish>,
    listers: BySide<Vec<Recipient<ListFolders>>>,
    stop: CancellationToken,
    board: Board,
    outcome: Option<oneshot::Sender<Outcome>>,
    grace: Duration,
    /// Why no more folders are given out; `None` while they are.
    stopping: Option<Ended>,
    given_back: usize,
    is_finishing: bool,
    /// That the ledger failed, told after the end was decided on.
    ledger_failed: Option<LedgerError>,
}

impl Coordinator {
    /// The Coordinator of a traversal that begins with what `schedule` has.
    pub fn new(schedule: Schedule, grace: Duration, links: CoordinatorLinks) -> Self {
        let CoordinatorLinks { listers, records, pulls, finish, stop, board, outcome } = links;
        Coordinator {
            schedule,
            batches: BySide { src: vec![0; listers.src.len()], dst: vec![0; listers.dst.len()] },
            batch_folders_max: BySide { src: BATCH_FOLDERS_MAX, dst: BATCH_FOLDERS_MAX },
            records,
            pulls,
            finish,
            listers,
            stop,
            board,
            outcome: Some(outcome),
            grace,
            stopping: None,
            given_back: 0,
            is_finishing: false,
            ledger_failed: None,
        }
    }

    /// Gives out no more than so many folders of a side in one message. The folders of a message are listed one after
    /// the other, so where listing is slow they should be few.
    #[must_use]
    pub fn with_batches(mut self, folders_max: BySide<usize>) -> Self {
        self.batch_folders_max = folders_max;
        self
    }

    /// Gives out what can be given out, and notices the end.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.is_finishing {
            // What is recorded while the ledger is being closed is the next run's beginning.
            return;
        }
        if self.stopping.is_none() {
            for side in Side::BOTH {
                self.pull(side);
                self.fail_blocked(side);
                self.give_out(side);
                self.board.scheduled(side, self.schedule.in_flight(side), self.schedule.waiting(side));
            }
            if self.schedule.is_over() && self.all_batches_are_done() {
                self.finish(Ended::Done, ctx);
            }
        } else if self.all_batches_are_done() {
            self.finish_stopping(ctx);
        }
    }

    fn pull(&mut self, side: Side) {
        if let Some(ids) = self.schedule.next_pull(side) {
            self.pulls.do_send(PullFolders { side, ids });
        }
    }

    fn fail_blocked(&mut self, side: Side) {
        if side == Side::Source {
            return;
        }
        let mut listed = Vec::new();
        while let Some(folder) = self.schedule.take_blocked() {
            let message = "its counterpart on the source could not be listed".to_owned();
            listed.push(Listed::Failed(FailedListing { folder, class: ErrorClass::Blocked, message, attempts: 0 }));
        }
        if !listed.is_empty() {
            self.records.do_send(RecordListings { side, listed, permit: None });
        }
    }

    fn give_out(&mut self, side: Side) {
        // First one message for everybody, then the second.
        for batches_max in 1..=BATCHES_PER_LISTER {
            for lister in 0..self.listers[side].len() {
                if self.batches[side][lister] >= batches_max {
                    continue;
                }
                // Small enough that the others get their share of what waits.
                let share = self.schedule.waiting(side) / (BATCHES_PER_LISTER * self.listers[side].len());
                let folders = self.schedule.give_out(side, share.clamp(1, self.batch_folders_max[side]));
                if folders.is_empty() {
                    return;
                }
                self.batches[side][lister] += 1;
                self.listers[side][lister].do_send(ListFolders(folders));
            }
        }
    }

    fn all_batches_are_done(&self) -> bool {
        self.running() == 0
    }

    fn running(&self) -> usize {
        self.batches.src.iter().chain(&self.batches.dst).filter(|&&batches| batches > 0).count()
    }

    /// Gives nothing out any more. What is in flight comes to an end, or the grace period does.
    fn stop_for(&mut self, why: Ended, ctx: &mut Context<Self>) {
        if self.stopping.is_some() || self.is_finishing {
            return;
        }
        self.stop.cancel();
        self.stopping = Some(why);
        ctx.notify_later(GraceOver, self.grace);
        self.go_on(ctx);
    }

    fn finish_stopping(&mut self, ctx: &mut Context<Self>) {
        if let Some(why) = self.stopping.take() {
            self.finish(why, ctx);
        }
    }

    /// Closes the ledger behind everything that was sent to it, and tells how it ended.
    fn finish(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        if std::mem::replace(&mut self.is_finishing, true) {
            return;
        }
        let (phase, reason, outcome) = match &ended {
            Ended::Done => (Phase::Review, None, "complete"),
            Ended::Interrupted => (Phase::Suspended, Some("interrupted".to_owned()), "interrupted"),
            Ended::StoreGaveUp { reason, .. } => (Phase::Suspended, Some(reason.clone()), "suspended"),
            Ended::LedgerFailed(error) => (Phase::Suspended, Some(error.to_string()), "suspended"),
            Ended::Broken(what) => (Phase::Suspended, Some(what.clone()), "broken"),
        };
        let closed = self.finish.send(Finish { phase, reason, outcome }).into_actor(self);
        ctx.spawn(closed.map(move |closed, this, ctx| {
            this.tell(ended, closed);
            ctx.stop();
        }));
    }

    fn tell(&mut self, ended: Ended, closed: Result<Result<Closed, LedgerError>, MailboxError>) {
        let (ended, closed) = match closed {
            // It may have failed after the end was decided on. What it told is better than what is left of it.
            Ok(Ok(closed)) => match (self.ledger_failed.take(), &closed.failed) {
                (Some(error), _) => (Ended::LedgerFailed(error), closed),
                (None, Some(reason)) if !matches!(ended, Ended::LedgerFailed(_)) => {
                    (Ended::LedgerFailed(LedgerError::Poisoned(reason.clone())), closed)
                }
                (None, _) => (ended, closed),
            },
            Ok(Err(error)) => (Ended::LedgerFailed(error), Closed::default()),
            Err(error) => (Ended::Broken(format!("the DB actor died: {error}")), Closed::default()),
        };
        let (given_back, still_running) = (self.given_back, self.running());
        if let Some(outcome) = self.outcome.take() {
            // Nobody may be waiting any more, which is their affair.
            let _ = outcome.send(Outcome { ended, closed, given_back, still_running });
        }
    }
}

impl Actor for Coordinator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.go_on(ctx);
    }
}

impl Handler<ListingsRecorded> for Coordinator {
    type Result = ();

    fn handle(&mut self, ListingsRecorded(listings): ListingsRecorded, ctx: &mut Self::Context) {
        for listing in listings {
            self.schedule.recorded(listing);
        }
        self.go_on(ctx);
    }
}

impl Handler<FoldersPulled> for Coordinator {
    type Result = ();

    fn handle(&mut self, FoldersPulled { side, ids, folders }: FoldersPulled, ctx: &mut Self::Context) {
        self.schedule.pulled(side, &ids, folders);
        self.go_on(ctx);
    }
}

impl Handler<BatchDone> for Coordinator {
    type Result = ();

    fn handle(&mut self, BatchDone { side, lister, given_back }: BatchDone, ctx: &mut Self::Context) {
        self.batches[side][lister] -= 1;
        self.given_back += given_back;
        self.go_on(ctx);
    }
}

impl Handler<StoreGaveUp> for Coordinator {
    type Result = ();

    fn handle(&mut self, StoreGaveUp { side, path, error }: StoreGaveUp, ctx: &mut Self::Context) {
        self.stop_for(Ended::StoreGaveUp { side, reason: format!("{side} {path}: {error}") }, ctx);
    }
}

impl Handler<LedgerFailed> for Coordinator {
    type Result = ();

    fn handle(&mut self, LedgerFailed(error): LedgerFailed, ctx: &mut Self::Context) {
        // Whatever it was that was going to be the reason: this one is why nothing more is recorded.
        if self.is_finishing {
            self.ledger_failed = Some(error);
        } else if self.stopping.is_some() {
            self.stopping = Some(Ended::LedgerFailed(error));
        } else {
            self.stop_for(Ended::LedgerFailed(error), ctx);
        }
    }
}

impl Handler<ActorDied> for Coordinator {
    type Result = ();

    fn handle(&mut self, ActorDied(which): ActorDied, ctx: &mut Self::Context) {
        // When the run is over the others end, too, and the ledger's fate comes with the answer to Finish.
        if self.is_finishing {
            return;
        }
        tracing::error!(?which, "an actor died");
        let why = match which {
            Which::Db => "the DB actor died".to_owned(),
            Which::Lister(side, number) => {
                // Its batches never come to an end.
                self.batches[side][number] = 0;
                format!("Lister {number} of the {side} died")
            }
        };
        self.stop_for(Ended::Broken(why), ctx);
        self.go_on(ctx);
    }
}

impl Handler<Interrupt> for Coordinator {
    type Result = ();

    fn handle(&mut self, _: Interrupt, ctx: &mut Self::Context) {
        self.stop_for(Ended::Interrupted, ctx);
    }
}

/// Coordinator → itself: what has not come to an end by now is not waited for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct GraceOver;

impl Handler<GraceOver> for Coordinator {
    type Result = ();

    fn handle(&mut self, _: GraceOver, ctx: &mut Self::Context) {
        self.finish_stopping(ctx);
    }
}

#[cfg(test)]
mod tests;
