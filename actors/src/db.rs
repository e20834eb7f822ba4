//! The DB actor: the ledger's single writer.

use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message, Recipient};
use longhaul_ledger::{LedgerError, RecordedListing, Recorder};
use tokio::time::Instant;

use crate::messages::{
    ActorDied, Closed, DeathNotice, Finish, FoldersPulled, LedgerFailed, Listed, ListingsRecorded, PullFolders,
    RecordListings, RecordPace, Which,
};
use crate::open_ledger::OpenLedger;
use crate::progress::Board;
use crate::traffic::Traffic;

/// The DB actor's surroundings.
#[derive(Clone, Debug)]
pub struct DbLinks {
    /// Who is told what was recorded.
    pub recorded: Recipient<ListingsRecorded>,
    /// Who is told what was pulled.
    pub pulled: Recipient<FoldersPulled>,
    /// Who is told that the ledger cannot be written.
    pub failed: Recipient<LedgerFailed>,
    /// Who is told if the actor dies.
    pub died: Recipient<ActorDied>,
    /// Where it shows what it has done.
    pub board: Board,
}

/// Owns the ledger while a migration runs. It answers when something is recorded, that is when ids have been given
/// out, and commits when enough has come together or enough time has passed.
#[derive(Debug)]
pub struct DbActor {
    /// After the first error nothing more is done with it, and everything that still comes is counted as dropped.
    ledger: OpenLedger,
    death_notice: DeathNotice,
    links: DbLinks,
    commit_interval: Duration,
    uncommitted_since: Option<Instant>,
    match_is_due: bool,
    traffic: Traffic,
}

impl DbActor {
    /// Takes over the ledger.
    pub fn new(recorder: Recorder, commit_interval: Duration, links: DbLinks) -> Self {
        DbActor {
            ledger: OpenLedger::new(recorder, links.failed.clone()),
            death_notice: DeathNotice::new(Which::Db, links.died.clone()),
            links,
            commit_interval,
            uncommitted_since: None,
            match_is_due: false,
            traffic: Traffic::default(),
        }
    }

    fn answer(&self, recorded: Vec<RecordedListing>) {
        if !recorded.is_empty() {
            self.links.recorded.do_send(ListingsRecorded(recorded));
        }
    }

    fn commit(&mut self) {
        let recorded = self.ledger.with(|recorder| {
            let recorded = recorder.match_recorded()?;
            recorder.commit()?;
            Ok(recorded)
        });
        self.uncommitted_since = None;
        self.answer(recorded.unwrap_or_default());
    }
}

impl Actor for DbActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Half the interval, so that nothing waits for longer than one and a half of them.
        ctx.run_interval(self.commit_interval / 2, |this, _| {
            if this.uncommitted_since.is_some_and(|since| since.elapsed() >= this.commit_interval) {
                this.commit();
            }
        });
    }
}

impl Handler<RecordPace> for DbActor {
    type Result = ();

    fn handle(&mut self, RecordPace(change): RecordPace, _: &mut Self::Context) {
        self.ledger.with(|recorder| recorder.record_pace(&change));
    }
}

impl Handler<RecordListings> for DbActor {
    type Result = ();

    fn handle(&mut self, message: RecordListings, ctx: &mut Self::Context) {
        let RecordListings { side, listed, permit } = message;
        let count = listed.len() as u64;
        self.traffic.received += count;
        let board = self.links.board.clone();
        let recorded = self.ledger.with(|recorder| {
            let mut recorded = Vec::with_capacity(listed.len());
            for listed in listed {
                match listed {
                    Listed::Page(page) => {
                        board.found(side, page.page.len(), page.is_last);
                        recorded.extend(recorder.record_page(side, page)?);
                    }
                    Listed::Failed(failed) => {
                        board.failed(side);
                        recorded.extend(recorder.record_failure(side, failed)?);
                    }
                }
            }
            Ok((recorded, recorder.has_unmatched(), recorder.should_commit()))
        });
        drop(permit);
        let Some((recorded, has_unmatched, should_commit)) = recorded else {
            self.traffic.dropped += count;
            return;
        };
        self.traffic.answered += count;
        self.answer(recorded);
        self.uncommitted_since.get_or_insert_with(Instant::now);
        if should_commit {
            self.commit();
        } else if has_unmatched && !self.match_is_due {
            // Behind everything that is in the mailbox now: the more there is to do, the larger the joins.
            self.match_is_due = true;
            ctx.address().do_send(MatchRecorded);
        }
    }
}

/// DB actor → itself: match what waits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct MatchRecorded;

impl Handler<MatchRecorded> for DbActor {
    type Result = ();

    fn handle(&mut self, _: MatchRecorded, _: &mut Self::Context) {
        self.match_is_due = false;
        let recorded = self.ledger.with(Recorder::match_recorded).unwrap_or_default();
        self.answer(recorded);
    }
}

impl Handler<PullFolders> for DbActor {
    type Result = ();

    fn handle(&mut self, PullFolders { side, ids }: PullFolders, _: &mut Self::Context) {
        if let Some(folders) = self.ledger.with(|recorder| recorder.pull_folders(side, &ids)) {
            self.links.pulled.do_send(FoldersPulled { side, ids, folders });
        }
    }
}

impl Handler<Finish> for DbActor {
    type Result = Result<Closed, LedgerError>;

    fn handle(&mut self, finish: Finish, ctx: &mut Self::Context) -> Self::Result {
        ctx.stop();
        self.death_notice.not_needed();
        let matched = self.ledger.with(Recorder::match_recorded);
        self.answer(matched.unwrap_or_default());
        self.ledger.close(&finish, self.traffic)
    }
}

#[cfg(test)]
mod tests;
