//! Traversal: both trees are listed, by Listers of each side.

mod frontier;
#[cfg(test)]
pub(crate) mod made_up;
mod schedule;

use longhaul_ledger::FailedListing;
use longhaul_model::{BySide, ErrorClass, Phase, Side};

pub use self::schedule::{Schedule, ScheduleLimits};
use super::{BATCHES_PER_WORKER, Settled, Work};
use crate::messages::{ActorName, LedgerReply, LedgerRequest, ListFolders, Listed, ListingReport};
use crate::progress::Board;
use crate::traffic::Traffic;

/// Folders in one batch, where listing one takes microseconds.
pub(crate) const BATCH_FOLDERS_MAX: usize = 64;

/// How the folders of one side are shared among its Listers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shares {
    /// How many Listers there are.
    pub(crate) listers: usize,
    /// Folders of one batch at most. They are listed one after the other, so where listing is slow they should be few.
    pub(crate) batch_folders_max: usize,
}

impl Shares {
    /// Among this many Listers.
    pub(crate) fn new(listers: usize, listing_is_slow: bool) -> Self {
        Shares { listers, batch_folders_max: if listing_is_slow { 1 } else { BATCH_FOLDERS_MAX } }
    }
}

/// Lists both trees.
#[derive(Debug)]
pub(crate) struct Traversal {
    schedule: Schedule,
    shares: BySide<Shares>,
    /// Folders that the Listers were given, and those that they have reported on.
    listers: BySide<Traffic>,
}

impl Traversal {
    /// The traversal that begins with what `schedule` has.
    pub(crate) fn new(schedule: Schedule, shares: BySide<Shares>) -> Self {
        Traversal { schedule, shares, listers: BySide::default() }
    }

    /// Destination folders whose counterparts could not be listed cannot be matched: they fail as well.
    fn fail_blocked(&mut self) -> Option<LedgerRequest> {
        let mut listed = Vec::new();
        while let Some(folder) = self.schedule.take_blocked() {
            let message = "its counterpart on the source could not be listed".to_owned();
            listed.push(Listed::Failed(FailedListing { folder, class: ErrorClass::Blocked, message, attempts: 0 }));
        }
        (!listed.is_empty()).then_some(LedgerRequest::Listings { side: Side::Destination, listed })
    }
}

fn side_of(worker: ActorName) -> Side {
    match worker {
        ActorName::Lister(side, _) => side,
        ActorName::Ledger | ActorName::Flusher | ActorName::Copier(_) => unreachable!("the {worker} lists nothing"),
    }
}

impl Work for Traversal {
    type Batch = ListFolders;
    type Report = ListingReport;

    const NEXT_PHASE: Phase = Phase::Review;

    fn next_request(&mut self) -> Option<LedgerRequest> {
        for side in Side::BOTH {
            if let Some(ids) = self.schedule.next_pull(side) {
                return Some(LedgerRequest::PullFolders { side, ids });
            }
        }
        self.fail_blocked()
    }

    fn reply(&mut self, reply: LedgerReply) {
        match reply {
            LedgerReply::ListingsRecorded(listings) => {
                for listing in listings {
                    self.schedule.recorded(listing);
                }
            }
            LedgerReply::FoldersPulled { side, ids, folders } => self.schedule.pulled(side, &ids, folders),
            LedgerReply::PlanPulled { .. }
            | LedgerReply::ExpectedPulled { .. }
            | LedgerReply::MadeFolders(_)
            | LedgerReply::MadeFoldersPulled(_)
            | LedgerReply::NotDurable(_)
            | LedgerReply::Failed(_)
            | LedgerReply::Closed(_) => unreachable!("a discovery did not request this: {reply:?}"),
        }
    }

    fn next_batch(&mut self, worker: ActorName) -> Option<ListFolders> {
        let side = side_of(worker);
        let Shares { listers, batch_folders_max } = self.shares[side];
        // Small enough that the others get their share of what waits.
        let share = self.schedule.waiting(side) / (BATCHES_PER_WORKER * listers);
        let folders = self.schedule.give_out(side, share.clamp(1, batch_folders_max));
        self.listers[side].received += folders.len() as u64;
        (!folders.is_empty()).then_some(ListFolders(folders))
    }

    fn size(batch: &ListFolders) -> u64 {
        batch.0.len() as u64
    }

    fn done(&mut self, worker: ActorName, ListingReport { given_back, traffic }: ListingReport) -> Settled {
        self.listers[side_of(worker)].answered += traffic.answered;
        // Folders that were listed are answered when they are recorded.
        Settled { answered: given_back as u64, given_back, record: None }
    }

    fn is_over(&self) -> bool {
        self.schedule.is_over()
    }

    fn show(&self, board: &Board) {
        for side in Side::BOTH {
            board.scheduled(side, self.schedule.in_flight(side), self.schedule.waiting(side));
        }
    }

    fn workers_traffic(&self) -> BySide<Traffic> {
        let mut listers = self.listers;
        // What a Lister was given and has not reported on is dropped.
        for side in Side::BOTH {
            listers[side].close();
        }
        listers
    }
}
