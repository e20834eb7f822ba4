//! Verification: the destination is checked against the ledger, by Copiers.

mod schedule;

use longhaul_ledger::VerifyRemaining;
use longhaul_model::{Phase, Side};

use self::schedule::VerifySchedule;
use super::{Settled, Work};
use crate::copying::{CopyReport, CopyWork};
use crate::messages::{ActorName, LedgerReply, LedgerRequest};
use crate::progress::Board;

/// Verifies the destination.
#[derive(Debug)]
pub(crate) struct Verification {
    schedule: VerifySchedule,
}

impl Verification {
    /// The verification of what remains.
    pub(crate) fn new(remaining: &VerifyRemaining) -> Self {
        Verification { schedule: VerifySchedule::new(remaining) }
    }
}

impl Work for Verification {
    type Batch = CopyWork;
    type Report = CopyReport;

    const NEXT_PHASE: Phase = Phase::Complete;

    fn next_request(&mut self) -> Option<LedgerRequest> {
        self.schedule.next_pull().map(LedgerRequest::PullExpected)
    }

    fn reply(&mut self, reply: LedgerReply) {
        match reply {
            LedgerReply::ExpectedPulled { ids, batches } => self.schedule.pulled(&ids, batches),
            LedgerReply::ListingsRecorded(_)
            | LedgerReply::FoldersPulled { .. }
            | LedgerReply::PlanPulled { .. }
            | LedgerReply::MadeFolders(_)
            | LedgerReply::MadeFoldersPulled(_)
            | LedgerReply::NotDurable(_)
            | LedgerReply::Failed(_)
            | LedgerReply::Closed(_) => unreachable!("a verification did not request this: {reply:?}"),
        }
    }

    fn next_batch(&mut self, _: ActorName) -> Option<CopyWork> {
        let batches = self.schedule.give_out();
        (!batches.is_empty()).then_some(CopyWork::Verify(batches))
    }

    fn size(_: &CopyWork) -> u64 {
        1
    }

    fn done(&mut self, _: ActorName, report: CopyReport) -> Settled {
        match report {
            CopyReport::Verified(verified) => {
                // The results were sent to the ledger actor before this.
                let record = Some(LedgerRequest::VerifiedBelow(self.schedule.done(&verified)));
                Settled { answered: 1, given_back: 0, record }
            }
            CopyReport::Items { .. }
            | CopyReport::Prepared(_)
            | CopyReport::Part { .. }
            | CopyReport::PartFailed { .. }
            | CopyReport::Changed(_)
            | CopyReport::Large(_)
            | CopyReport::LargeGivenBack(_)
            | CopyReport::Folders => unreachable!("nothing is copied while it is verified: {report:?}"),
        }
    }

    fn is_over(&self) -> bool {
        self.schedule.is_over()
    }

    fn show(&self, board: &Board) {
        board.scheduled(Side::Source, self.schedule.in_flight(), self.schedule.waiting());
    }
}
