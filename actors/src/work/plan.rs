//! Plan: what was approved is copied, and then folders that were created get their attributes, by Copiers.

mod schedule;

use std::collections::VecDeque;
use std::ops::Range;

use longhaul_ledger::MadeFolder;
use longhaul_model::{Phase, Side};

pub(crate) use self::schedule::CopySchedule;
use super::{BATCHES_PER_WORKER, Settled, Work};
use crate::copying::{CopyReport, CopyWork};
use crate::messages::{ActorName, LedgerReply, LedgerRequest};
use crate::progress::Board;

/// Folders whose attributes are set by one message.
const FOLDERS_PER_BATCH: usize = 256;

/// Ids of folders in one pull.
const PULL_FOLDER_IDS: i64 = 65_536;

/// Carries out the plan.
#[derive(Debug)]
pub(crate) struct Plan {
    schedule: CopySchedule,
    stage: Stage,
    copiers: usize,
}

/// How far the plan is carried out.
#[derive(Debug)]
enum Stage {
    /// There are items to be copied yet.
    Copying,
    /// The ledger was asked which folders were created.
    Asked,
    /// Setting the attributes of folders: of these ids, the folders are still to be pulled; those wait in memory.
    Folders { ids: Range<i64>, is_pulling: bool, waiting: VecDeque<Vec<MadeFolder>> },
}

impl Plan {
    /// The plan that `schedule` has, for this many Copiers.
    pub(crate) fn new(schedule: CopySchedule, copiers: usize) -> Self {
        Plan { schedule, stage: Stage::Copying, copiers }
    }
}

impl Work for Plan {
    type Batch = CopyWork;
    type Report = CopyReport;

    const NEXT_PHASE: Phase = Phase::Verifying;

    fn next_request(&mut self) -> Option<LedgerRequest> {
        match &mut self.stage {
            // Everything is copied: what is left are the attributes of folders.
            Stage::Copying if self.schedule.is_over() => {
                self.stage = Stage::Asked;
                Some(LedgerRequest::BeginMadeFolders)
            }
            Stage::Copying => self.schedule.next_pull().map(LedgerRequest::PullPlan),
            Stage::Asked => None,
            Stage::Folders { ids, is_pulling, waiting } => {
                if *is_pulling || ids.is_empty() || waiting.len() >= BATCHES_PER_WORKER * self.copiers {
                    return None;
                }
                let end = ids.end.min(ids.start + PULL_FOLDER_IDS);
                let pull = ids.start..end;
                (ids.start, *is_pulling) = (end, true);
                Some(LedgerRequest::PullMadeFolders(pull))
            }
        }
    }

    fn reply(&mut self, reply: LedgerReply) {
        match (reply, &mut self.stage) {
            (LedgerReply::PlanPulled { ids, batches }, Stage::Copying) => self.schedule.pulled(&ids, batches),
            (LedgerReply::MadeFolders(ids), Stage::Asked) => {
                self.stage = Stage::Folders { ids, is_pulling: false, waiting: VecDeque::new() };
            }
            (LedgerReply::MadeFoldersPulled(folders), Stage::Folders { is_pulling, waiting, .. }) => {
                *is_pulling = false;
                waiting.extend(folders.chunks(FOLDERS_PER_BATCH).map(<[_]>::to_vec));
            }
            (
                reply @ (LedgerReply::ListingsRecorded(_)
                | LedgerReply::FoldersPulled { .. }
                | LedgerReply::PlanPulled { .. }
                | LedgerReply::ExpectedPulled { .. }
                | LedgerReply::MadeFolders(_)
                | LedgerReply::MadeFoldersPulled(_)
                | LedgerReply::NotDurable(_)
                | LedgerReply::Failed(_)
                | LedgerReply::Closed(_)),
                Stage::Copying | Stage::Asked | Stage::Folders { .. },
            ) => unreachable!("a copy did not request this: {reply:?}"),
        }
    }

    fn next_batch(&mut self, _: ActorName) -> Option<CopyWork> {
        match &mut self.stage {
            Stage::Copying => self.schedule.give_out(),
            Stage::Asked => None,
            Stage::Folders { waiting, .. } => waiting.pop_front().map(CopyWork::FinishFolders),
        }
    }

    fn size(_: &CopyWork) -> u64 {
        1
    }

    fn done(&mut self, _: ActorName, report: CopyReport) -> Settled {
        let given_back = report.given_back();
        match report {
            CopyReport::Folders => {}
            CopyReport::Items { .. }
            | CopyReport::Prepared(_)
            | CopyReport::Part { .. }
            | CopyReport::PartFailed { .. }
            | CopyReport::Changed(_)
            | CopyReport::Large(_)
            | CopyReport::LargeGivenBack(_)
            | CopyReport::Verified(_) => self.schedule.done(report),
        }
        Settled { answered: 1, given_back, record: None }
    }

    fn is_over(&self) -> bool {
        match &self.stage {
            Stage::Copying | Stage::Asked => false,
            Stage::Folders { ids, is_pulling, waiting } => ids.is_empty() && !is_pulling && waiting.is_empty(),
        }
    }

    fn show(&self, board: &Board) {
        board.scheduled(Side::Source, self.schedule.in_flight(), self.schedule.waiting());
    }
}
