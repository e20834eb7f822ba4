//! The Coordinator: the state machine of a run, whatever its work is. It asks the ledger for what the work needs next,
//! assigns batches to workers, knows what is in flight, decides when the run is over, and takes an interrupt through to
//! the checkpoint. It does no I/O and never blocks.

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Recipient};

use crate::ending::{Ended, Ending, Outcome};
use crate::messages::{
    ActorDied, ActorName, Closed, Interrupt, LedgerReply, LedgerRequest, Permitted, StoreGaveUp, WorkDone,
};
use crate::progress::Board;
use crate::traffic::{RunTraffic, Traffic};
use crate::work::{BATCHES_PER_WORKER, Settled, Work};

/// Workers that do the same, and how to reach each of them.
pub(crate) type Team<W> = Vec<(ActorName, Recipient<<W as Work>::Batch>)>;

/// The Coordinator's surroundings.
#[derive(Debug)]
pub(crate) struct CoordinatorLinks<W: Work> {
    /// The workers.
    pub(crate) teams: Vec<Team<W>>,
    /// Takes requests to the ledger.
    pub(crate) ledger: Recipient<Permitted<LedgerRequest>>,
    /// Where it shows what it does.
    pub(crate) board: Board,
}

/// The state machine of a run.
#[derive(Debug)]
pub(crate) struct Coordinator<W: Work> {
    work: W,
    teams: Vec<Vec<Seat<W>>>,
    ledger: Recipient<Permitted<LedgerRequest>>,
    board: Board,
    ending: Ending,
    given_back: usize,
    traffic: Traffic,
}

/// A worker, as the Coordinator knows it.
#[derive(Debug)]
struct Seat<W: Work> {
    worker: ActorName,
    address: Recipient<W::Batch>,
    /// Batches that it has not reported as finished.
    batches: usize,
}

impl<W: Work> Coordinator<W> {
    /// The Coordinator of this work.
    pub(crate) fn new(work: W, ending: Ending, links: CoordinatorLinks<W>) -> Self {
        let CoordinatorLinks { teams, ledger, board } = links;
        let seat = |(worker, address)| Seat { worker, address, batches: 0 };
        let teams = teams.into_iter().map(|team| team.into_iter().map(seat).collect()).collect();
        Coordinator { work, teams, ledger, board, ending, given_back: 0, traffic: Traffic::default() }
    }

    /// Sends and assigns what can be, and notices the end.
    fn dispatch(&mut self, ctx: &mut Context<Self>) {
        if self.ending.is_finishing() {
            return;
        }
        if self.ending.is_stopping() {
            if self.running() == 0 {
                self.finish_stopping(ctx);
            }
            return;
        }
        while let Some(request) = self.work.next_request() {
            self.traffic.received += request.listings();
            self.ledger.do_send(request.into());
        }
        self.assign();
        self.work.show(&self.board);
        if self.work.is_over() && self.running() == 0 {
            self.finish(Ended::Done, ctx);
        }
    }

    fn assign(&mut self) {
        for team in &mut self.teams {
            // First one batch for each worker, then the second.
            'team: for batches_max in 1..=BATCHES_PER_WORKER {
                for seat in team.iter_mut().filter(|seat| seat.batches < batches_max) {
                    let Some(batch) = self.work.next_batch(seat.worker) else { break 'team };
                    seat.batches += 1;
                    self.traffic.received += W::size(&batch);
                    seat.address.do_send(batch);
                }
            }
        }
    }

    /// Workers that have something to do.
    fn running(&self) -> usize {
        self.teams.iter().flatten().filter(|seat| seat.batches > 0).count()
    }

    fn seat(&mut self, worker: ActorName) -> Option<&mut Seat<W>> {
        self.teams.iter_mut().flatten().find(|seat| seat.worker == worker)
    }

    /// Assigns nothing any more. What is in flight comes to an end, or the grace period does.
    fn stop_for(&mut self, why: Ended, ctx: &mut Context<Self>) {
        if self.ending.stop_for(why) {
            self.wind_up(ctx);
        }
    }

    fn wind_up(&mut self, ctx: &mut Context<Self>) {
        // What has not come to an end by then is not waited for.
        ctx.run_later(self.ending.grace, Self::finish_stopping);
        self.dispatch(ctx);
    }

    fn finish_stopping(&mut self, ctx: &mut Context<Self>) {
        if let Some(why) = self.ending.take_reason() {
            self.finish(why, ctx);
        }
    }

    /// Closes the ledger behind everything that was sent to it.
    fn finish(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        let Some(finish) = self.ending.finish(ended, W::NEXT_PHASE) else { return };
        if self.ending.ledger_is_gone() || !self.ledger.connected() {
            self.tell(None, ctx);
        } else {
            self.ledger.do_send(LedgerRequest::Finish(finish).into());
        }
    }

    /// Reports how the run ended, and ends. `closed` is the ledger actor's last reply; `None` where it died.
    fn tell(&mut self, closed: Option<Result<Closed, longhaul_ledger::LedgerError>>, ctx: &mut Context<Self>) {
        let (ended, closed) = self.ending.settle(closed);
        let left_out = self.board.special_bits_left_out();
        if left_out > 0 {
            tracing::warn!(nodes = left_out, "set-user and set-group bits are not kept, as the owner is not");
        }
        let mut coordinator = self.traffic;
        coordinator.close();
        let traffic = RunTraffic { coordinator, listers: self.work.workers_traffic(), ledger: closed.traffic };
        let (given_back, still_running) = (self.given_back, self.running());
        self.ending.tell(Outcome { ended, closed, given_back, still_running, traffic });
        ctx.stop();
    }
}

impl<W: Work> Actor for Coordinator<W> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.dispatch(ctx);
    }
}

impl<W: Work> Handler<LedgerReply> for Coordinator<W> {
    type Result = ();

    fn handle(&mut self, reply: LedgerReply, ctx: &mut Self::Context) {
        match reply {
            LedgerReply::Closed(closed) => return self.tell(Some(closed), ctx),
            LedgerReply::Failed(error) => {
                if self.ending.ledger_failed(error) {
                    self.wind_up(ctx);
                }
                return;
            }
            LedgerReply::NotDurable(gave_up) => return self.handle(gave_up, ctx),
            LedgerReply::ListingsRecorded(listings) => {
                self.traffic.answered += listings.len() as u64;
                self.work.reply(LedgerReply::ListingsRecorded(listings));
            }
            LedgerReply::FoldersPulled { .. }
            | LedgerReply::PlanPulled { .. }
            | LedgerReply::ExpectedPulled { .. }
            | LedgerReply::MadeFolders(_)
            | LedgerReply::MadeFoldersPulled(_) => self.work.reply(reply),
        }
        self.dispatch(ctx);
    }
}

impl<W: Work> Handler<WorkDone<W::Report>> for Coordinator<W> {
    type Result = ();

    fn handle(&mut self, WorkDone { worker, report }: WorkDone<W::Report>, ctx: &mut Self::Context) {
        if let Some(seat) = self.seat(worker) {
            seat.batches -= 1;
        }
        let Settled { answered, given_back, record } = self.work.done(worker, report);
        self.traffic.answered += answered;
        self.given_back += given_back;
        if let Some(record) = record {
            self.ledger.do_send(record.into());
        }
        self.dispatch(ctx);
    }
}

impl<W: Work> Handler<StoreGaveUp> for Coordinator<W> {
    type Result = ();

    fn handle(&mut self, gave_up: StoreGaveUp, ctx: &mut Self::Context) {
        if self.ending.store_gave_up(gave_up) {
            self.wind_up(ctx);
        }
    }
}

impl<W: Work> Handler<ActorDied> for Coordinator<W> {
    type Result = ();

    fn handle(&mut self, ActorDied(actor): ActorDied, ctx: &mut Self::Context) {
        if actor == ActorName::Ledger {
            self.ending.ledger_died();
        }
        if self.ending.is_finishing() {
            // The other actors end when the run does.
            if actor == ActorName::Ledger {
                self.tell(None, ctx);
            }
            return;
        }
        tracing::error!(?actor, "an actor died");
        if let Some(seat) = self.seat(actor) {
            // Its batches never come to an end.
            seat.batches = 0;
        }
        self.stop_for(Ended::Broken(format!("the {actor} died")), ctx);
        self.dispatch(ctx);
    }
}

impl<W: Work> Handler<Interrupt> for Coordinator<W> {
    type Result = ();

    fn handle(&mut self, _: Interrupt, ctx: &mut Self::Context) {
        self.stop_for(Ended::Interrupted, ctx);
    }
}

#[cfg(test)]
mod tests;
