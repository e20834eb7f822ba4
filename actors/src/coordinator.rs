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

use crate::ending::{Ended, Ending, Outcome};
use crate::messages::{
    ActorDied, BatchDone, Closed, Finish, FoldersPulled, Interrupt, LedgerFailed, ListFolders, Listed,
    ListingsRecorded, PullFolders, RecordListings, StoreGaveUp, Which,
};
use crate::progress::Board;
use crate::schedule::Schedule;
use crate::traffic::{RunTraffic, Traffic};

/// Folders in one message to a Lister, where listing one takes microseconds.
pub(crate) const BATCH_FOLDERS_MAX: usize = 64;

/// Messages that a Lister may have: one that it works on, and one so that it never waits for the next.
const BATCHES_PER_LISTER: usize = 2;

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
    board: Board,
    ending: Ending,
    given_back: usize,
    /// Folders that were given out or failed here; answered are those that were recorded or given back.
    traffic: Traffic,
    /// Folders that the Listers have reported on, and how many they were given.
    listers_traffic: BySide<Traffic>,
    given_to_listers: BySide<u64>,
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
            board,
            ending: Ending::new(stop, grace, outcome),
            given_back: 0,
            traffic: Traffic::default(),
            listers_traffic: BySide::default(),
            given_to_listers: BySide::default(),
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
        if self.ending.is_finishing() {
            return;
        }
        if self.ending.is_stopping() {
            if self.all_batches_are_done() {
                self.finish_stopping(ctx);
            }
            return;
        }
        for side in Side::BOTH {
            self.pull(side);
            self.fail_blocked(side);
            self.give_out(side);
            self.board.scheduled(side, self.schedule.in_flight(side), self.schedule.waiting(side));
        }
        if self.schedule.is_over() && self.all_batches_are_done() {
            self.finish(Ended::Done, ctx);
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
            self.traffic.received += listed.len() as u64;
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
                self.traffic.received += folders.len() as u64;
                self.given_to_listers[side] += folders.len() as u64;
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
        if self.ending.stop_for(why) {
            self.wind_up(ctx);
        }
    }

    fn wind_up(&mut self, ctx: &mut Context<Self>) {
        ctx.notify_later(GraceOver, self.ending.grace);
        self.go_on(ctx);
    }

    fn finish_stopping(&mut self, ctx: &mut Context<Self>) {
        if let Some(why) = self.ending.take_reason() {
            self.finish(why, ctx);
        }
    }

    /// Closes the ledger behind everything that was sent to it, and tells how it ended.
    fn finish(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        let Some(finish) = self.ending.finish(&ended, Phase::Review) else { return };
        let closed = self.finish.send(finish).into_actor(self);
        ctx.spawn(closed.map(move |closed, _, ctx| {
            // The answer overtakes what the DB actor sent before it: that is in the mailbox, and comes first.
            ctx.address().do_send(LedgerClosed { ended, closed });
        }));
    }

    /// The counts of all actors in the end. What somebody was given and has not reported on is dropped.
    fn traffic_of_all(&self, db: Traffic) -> RunTraffic {
        let mut coordinator = self.traffic;
        coordinator.close();
        let listers = BySide::from_fn(|side| {
            let mut traffic = self.listers_traffic[side];
            traffic.received = self.given_to_listers[side];
            traffic.close();
            traffic
        });
        RunTraffic { coordinator, listers, db }
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
        self.traffic.answered += listings.len() as u64;
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

    fn handle(&mut self, BatchDone { side, lister, given_back, traffic }: BatchDone, ctx: &mut Self::Context) {
        self.batches[side][lister] -= 1;
        self.given_back += given_back;
        self.traffic.answered += given_back as u64;
        self.listers_traffic[side].add(traffic);
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
        if self.ending.ledger_failed(error) {
            self.wind_up(ctx);
        }
    }
}

impl Handler<ActorDied> for Coordinator {
    type Result = ();

    fn handle(&mut self, ActorDied(which): ActorDied, ctx: &mut Self::Context) {
        // When the run is over the others end, too, and the ledger's fate comes with the answer to Finish.
        if self.ending.is_finishing() {
            return;
        }
        tracing::error!(?which, "an actor died");
        if let Which::Lister(side, number) = which {
            // Its batches never come to an end.
            self.batches[side][number] = 0;
        }
        self.stop_for(Ended::Broken(format!("the {which} died")), ctx);
        self.go_on(ctx);
    }
}

impl Handler<Interrupt> for Coordinator {
    type Result = ();

    fn handle(&mut self, _: Interrupt, ctx: &mut Self::Context) {
        self.stop_for(Ended::Interrupted, ctx);
    }
}

/// Coordinator → itself: the ledger is closed, and everything that the DB actor had to say has been heard.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct LedgerClosed {
    ended: Ended,
    closed: Result<Result<Closed, LedgerError>, MailboxError>,
}

impl Handler<LedgerClosed> for Coordinator {
    type Result = ();

    fn handle(&mut self, LedgerClosed { ended, closed }: LedgerClosed, ctx: &mut Self::Context) {
        let (ended, closed) = self.ending.settle(ended, closed);
        let traffic = self.traffic_of_all(closed.traffic);
        let (given_back, still_running) = (self.given_back, self.running());
        self.ending.tell(Outcome { ended, closed, given_back, still_running, traffic });
        ctx.stop();
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
