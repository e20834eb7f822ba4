//! The Coordinator of a copy, or of a verification: gives out what is to be done, knows what is in flight, decides when
//! it is over, and takes an interrupt through to the checkpoint. It does no I/O and never blocks.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use actix::{
    Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, MailboxError, Message, Recipient, WrapFuture,
};
use longhaul_ledger::{LedgerError, MadeFolder};
use longhaul_model::{Phase, Side};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::messages::{
    BeginMadeFolders, ExpectedPulled, MadeFolders, MadeFoldersPulled, PlanPulled, PullExpected, PullMadeFolders,
    PullPlan,
};
use super::schedule::CopySchedule;
use super::verify_schedule::VerifySchedule;
use super::work::{CopyDone, CopyWork, Done, RecordCopies};
use crate::ending::{Ended, Ending, Outcome};
use crate::messages::{ActorDied, Closed, Finish, Interrupt, LedgerFailed, StoreGaveUp, Which};
use crate::progress::Board;
use crate::traffic::{RunTraffic, Traffic};

/// Messages that a Copier may have: one that it works on, and one so that it never waits for the next.
pub(super) const WORK_PER_COPIER: usize = 2;

/// Folders whose attributes are set by one message.
const FOLDERS_PER_WORK: usize = 256;

/// Ids of folders in one pull.
const PULL_FOLDER_IDS: i64 = 65_536;

/// The Coordinator's surroundings.
#[derive(Debug)]
pub struct CopyCoordinatorLinks {
    /// Who does the work.
    pub copiers: Vec<Recipient<CopyWork>>,
    /// Who pulls the plan from the ledger.
    pub pulls: Recipient<PullPlan>,
    /// Who pulls from it what has to be at the destination.
    pub expected_pulls: Recipient<PullExpected>,
    /// Who records up to where that has been verified.
    pub records: Recipient<RecordCopies>,
    /// Who finds the folders that were made.
    pub made_folders: Recipient<BeginMadeFolders>,
    /// Who pulls them.
    pub folder_pulls: Recipient<PullMadeFolders>,
    /// Who closes the ledger.
    pub finish: Recipient<Finish>,
    /// Tells the Copiers to stop.
    pub stop: CancellationToken,
    /// Where it shows what it does.
    pub board: Board,
    /// Who waits for the end.
    pub outcome: oneshot::Sender<Outcome>,
}

/// What a run is about.
#[derive(Debug)]
pub enum Agenda {
    /// The plan is to be carried out.
    Plan(CopySchedule),
    /// The destination is to be verified.
    Verification(VerifySchedule),
}

/// The state machine of a copy, or of a verification.
#[derive(Debug)]
pub struct CopyCoordinator {
    agenda: Agenda,
    folders: FolderStage,
    /// Messages that each Copier has not reported as done.
    work: Vec<usize>,
    copiers: Vec<Recipient<CopyWork>>,
    pulls: Recipient<PullPlan>,
    expected_pulls: Recipient<PullExpected>,
    records: Recipient<RecordCopies>,
    made_folders: Recipient<BeginMadeFolders>,
    folder_pulls: Recipient<PullMadeFolders>,
    finish: Recipient<Finish>,
    board: Board,
    ending: Ending,
    given_back: usize,
    /// That what was done last could not be made durable, told after the end was decided on.
    gave_up_last: Option<Ended>,
    traffic: Traffic,
}

/// How far setting the attributes of folders has come, which comes last.
#[derive(Debug)]
enum FolderStage {
    /// There are items to be copied yet.
    Copying,
    /// It was asked which folders there are.
    Asked,
    /// These are still to be pulled, and those to be given out.
    Setting { ids: Range<i64>, is_pulling: bool, waiting: VecDeque<Vec<MadeFolder>> },
}

impl CopyCoordinator {
    /// The Coordinator of a run with this agenda.
    pub fn new(agenda: Agenda, grace: Duration, links: CopyCoordinatorLinks) -> Self {
        let CopyCoordinatorLinks {
            copiers,
            pulls,
            expected_pulls,
            records,
            made_folders,
            folder_pulls,
            finish,
            stop,
            board,
            outcome,
        } = links;
        CopyCoordinator {
            agenda,
            folders: FolderStage::Copying,
            work: vec![0; copiers.len()],
            copiers,
            pulls,
            expected_pulls,
            records,
            made_folders,
            folder_pulls,
            finish,
            board,
            ending: Ending::new(stop, grace, outcome),
            given_back: 0,
            gave_up_last: None,
            traffic: Traffic::default(),
        }
    }

    /// Gives out what can be given out, and notices the end.
    fn go_on(&mut self, ctx: &mut Context<Self>) {
        if self.ending.is_finishing() {
            return;
        }
        if self.ending.is_stopping() {
            if self.running() == 0 {
                self.finish_stopping(ctx);
            }
            return;
        }
        self.pull();
        self.give_out();
        let (in_flight, waiting, is_over) = match &self.agenda {
            Agenda::Plan(schedule) => (schedule.in_flight(), schedule.waiting(), schedule.is_over()),
            Agenda::Verification(schedule) => (schedule.in_flight(), schedule.waiting(), schedule.is_over()),
        };
        self.board.scheduled(Side::Source, in_flight, waiting);
        if is_over {
            match self.agenda {
                Agenda::Plan(_) => self.go_on_with_folders(ctx),
                Agenda::Verification(_) => self.finish(Ended::Done, ctx),
            }
        }
    }

    fn pull(&mut self) {
        match &mut self.agenda {
            Agenda::Plan(schedule) => {
                if let Some(ids) = schedule.next_pull() {
                    self.pulls.do_send(PullPlan { ids });
                }
                self.pull_folders();
            }
            Agenda::Verification(schedule) => {
                if let Some(ids) = schedule.next_pull() {
                    self.expected_pulls.do_send(PullExpected { ids });
                }
            }
        }
    }

    fn give_out(&mut self) {
        // First one message for everybody, then the second.
        for work_max in 1..=WORK_PER_COPIER {
            for copier in 0..self.copiers.len() {
                if self.work[copier] >= work_max {
                    continue;
                }
                let Some(work) = self.next_work() else { return };
                self.work[copier] += 1;
                self.traffic.received += 1;
                self.copiers[copier].do_send(work);
            }
        }
    }

    fn next_work(&mut self) -> Option<CopyWork> {
        match (&mut self.agenda, &mut self.folders) {
            (Agenda::Verification(schedule), _) => {
                let batches = schedule.give_out();
                (!batches.is_empty()).then_some(CopyWork::Verify(batches))
            }
            (Agenda::Plan(schedule), FolderStage::Copying) => schedule.give_out(),
            (_, FolderStage::Asked) => None,
            (_, FolderStage::Setting { waiting, .. }) => waiting.pop_front().map(CopyWork::FinishFolders),
        }
    }

    fn pull_folders(&mut self) {
        if let FolderStage::Setting { ids, is_pulling, waiting } = &mut self.folders
            && !*is_pulling
            && !ids.is_empty()
            && waiting.len() < 2 * self.copiers.len()
        {
            let end = ids.end.min(ids.start + PULL_FOLDER_IDS);
            self.folder_pulls.do_send(PullMadeFolders { ids: ids.start..end });
            ids.start = end;
            *is_pulling = true;
        }
    }

    /// Everything is copied: what is left are the attributes of folders.
    fn go_on_with_folders(&mut self, ctx: &mut Context<Self>) {
        match &self.folders {
            FolderStage::Copying => {
                self.folders = FolderStage::Asked;
                self.made_folders.do_send(BeginMadeFolders);
            }
            FolderStage::Asked => {}
            FolderStage::Setting { ids, is_pulling, waiting } => {
                if ids.is_empty() && !is_pulling && waiting.is_empty() && self.running() == 0 {
                    self.finish(Ended::Done, ctx);
                }
            }
        }
    }

    fn running(&self) -> usize {
        self.work.iter().filter(|&&work| work > 0).count()
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
        let done = match self.agenda {
            Agenda::Plan(_) => Phase::Verifying,
            Agenda::Verification(_) => Phase::Complete,
        };
        let Some(finish) = self.ending.finish(&ended, done) else { return };
        let closed = self.finish.send(finish).into_actor(self);
        ctx.spawn(closed.map(move |closed, _, ctx| {
            // The answer overtakes what the DB actor sent before it: that is in the mailbox, and comes first.
            ctx.address().do_send(LedgerClosed { ended, closed });
        }));
    }
}

impl Actor for CopyCoordinator {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.go_on(ctx);
    }
}

impl Handler<PlanPulled> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, PlanPulled { ids, batches }: PlanPulled, ctx: &mut Self::Context) {
        if let Agenda::Plan(schedule) = &mut self.agenda {
            schedule.pulled(&ids, batches);
        }
        self.go_on(ctx);
    }
}

impl Handler<ExpectedPulled> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, ExpectedPulled { ids, batches }: ExpectedPulled, ctx: &mut Self::Context) {
        if let Agenda::Verification(schedule) = &mut self.agenda {
            schedule.pulled(&ids, batches);
        }
        self.go_on(ctx);
    }
}

impl Handler<CopyDone> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, CopyDone { copier, done }: CopyDone, ctx: &mut Self::Context) {
        self.work[copier] -= 1;
        self.traffic.answered += 1;
        self.given_back += match &done {
            Done::Items { given_back, .. } => *given_back,
            Done::LargeGivenBack(_) => 1,
            _ => 0,
        };
        match (&mut self.agenda, done) {
            (_, Done::Folders) => {}
            (Agenda::Verification(schedule), Done::Verified(verified)) => {
                // Their results went to the DB actor before this.
                let below = Some(schedule.done(&verified));
                self.records.do_send(RecordCopies { verified_below: below, ..RecordCopies::default() });
            }
            (Agenda::Plan(schedule), done) => schedule.done(done),
            (Agenda::Verification(_), done) => unreachable!("nothing is copied while it is verified: {done:?}"),
        }
        self.go_on(ctx);
    }
}

impl Handler<MadeFolders> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, MadeFolders(ids): MadeFolders, ctx: &mut Self::Context) {
        self.folders = FolderStage::Setting { ids, is_pulling: false, waiting: VecDeque::new() };
        self.go_on(ctx);
    }
}

impl Handler<MadeFoldersPulled> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, MadeFoldersPulled(folders): MadeFoldersPulled, ctx: &mut Self::Context) {
        if let FolderStage::Setting { is_pulling, waiting, .. } = &mut self.folders {
            *is_pulling = false;
            let mut folders = folders.into_iter().peekable();
            while folders.peek().is_some() {
                waiting.push_back(folders.by_ref().take(FOLDERS_PER_WORK).collect());
            }
        }
        self.go_on(ctx);
    }
}

impl Handler<StoreGaveUp> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, gave_up: StoreGaveUp, ctx: &mut Self::Context) {
        let ended = Ended::StoreGaveUp { side: gave_up.side, reason: gave_up.reason() };
        if self.ending.is_finishing() {
            self.gave_up_last = Some(ended);
        } else {
            self.stop_for(ended, ctx);
        }
    }
}

impl Handler<LedgerFailed> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, LedgerFailed(error): LedgerFailed, ctx: &mut Self::Context) {
        if self.ending.ledger_failed(error) {
            self.wind_up(ctx);
        }
    }
}

impl Handler<ActorDied> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, ActorDied(which): ActorDied, ctx: &mut Self::Context) {
        // When the run is over the others end, too, and the ledger's fate comes with the answer to Finish.
        if self.ending.is_finishing() {
            return;
        }
        tracing::error!(?which, "an actor died");
        if let Which::Copier(number) = which {
            // Its work never comes to an end.
            self.work[number] = 0;
        }
        self.stop_for(Ended::Broken(format!("the {which} died")), ctx);
        self.go_on(ctx);
    }
}

impl Handler<Interrupt> for CopyCoordinator {
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

impl Handler<LedgerClosed> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, LedgerClosed { ended, closed }: LedgerClosed, ctx: &mut Self::Context) {
        let (ended, closed) = match (self.ending.settle(ended, closed), self.gave_up_last.take()) {
            ((Ended::Done, closed), Some(gave_up)) => (gave_up, closed),
            (settled, _) => settled,
        };
        let left_out = self.board.special_bits_left_out();
        if left_out > 0 {
            tracing::warn!(
                nodes = left_out,
                "set-user and set-group bits are not kept, as the owner is not (--preserve owner)"
            );
        }
        let mut coordinator = self.traffic;
        coordinator.close();
        let traffic = RunTraffic { coordinator, db: closed.traffic, ..RunTraffic::default() };
        let (given_back, still_running) = (self.given_back, self.running());
        self.ending.tell(Outcome { ended, closed, given_back, still_running, traffic });
        ctx.stop();
    }
}

/// Coordinator → itself: what has not come to an end by now is not waited for.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct GraceOver;

impl Handler<GraceOver> for CopyCoordinator {
    type Result = ();

    fn handle(&mut self, _: GraceOver, ctx: &mut Self::Context) {
        self.finish_stopping(ctx);
    }
}

#[cfg(test)]
mod tests;
