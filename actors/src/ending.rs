//! How a run comes to its end: what a Coordinator decides about that, whatever its work is.

use std::time::Duration;

use actix::MailboxError;
use longhaul_ledger::LedgerError;
use longhaul_model::{Phase, Side};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::messages::{Closed, Finish};
use crate::traffic::RunTraffic;

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
        /// On which entry, and with what.
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
    /// What was given out and is pending again.
    pub given_back: usize,
    /// Workers that did not come to an end within the grace period.
    pub still_running: usize,
    /// What each actor received, answered and dropped.
    pub traffic: RunTraffic,
}

/// Where a run is on its way to the end.
#[derive(Debug)]
pub(crate) struct Ending {
    stop: CancellationToken,
    /// How long what is in flight may take after a stop.
    pub(crate) grace: Duration,
    outcome: Option<oneshot::Sender<Outcome>>,
    /// Why nothing is given out any more; `None` while it is.
    stopping: Option<Ended>,
    is_finishing: bool,
    /// That the ledger failed, told after the end was decided on.
    ledger_failed: Option<LedgerError>,
}

impl Ending {
    pub(crate) fn new(stop: CancellationToken, grace: Duration, outcome: oneshot::Sender<Outcome>) -> Self {
        Ending { stop, grace, outcome: Some(outcome), stopping: None, is_finishing: false, ledger_failed: None }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Whether the ledger is being closed: what is recorded from now on is the next run's beginning.
    pub(crate) fn is_finishing(&self) -> bool {
        self.is_finishing
    }

    /// Gives nothing out any more. Returns whether this is the first reason to stop.
    pub(crate) fn stop_for(&mut self, why: Ended) -> bool {
        if self.stopping.is_some() || self.is_finishing {
            return false;
        }
        self.stop.cancel();
        self.stopping = Some(why);
        true
    }

    /// That the ledger failed, which is why nothing more is recorded, whatever else was going to be the reason. Returns
    /// whether it is the first one.
    pub(crate) fn ledger_failed(&mut self, error: LedgerError) -> bool {
        if self.is_finishing {
            self.ledger_failed = Some(error);
        } else if self.stopping.is_some() {
            self.stopping = Some(Ended::LedgerFailed(error));
        } else {
            return self.stop_for(Ended::LedgerFailed(error));
        }
        false
    }

    /// What is in flight has come to an end, or is not waited for any longer: why the run stops, if it does.
    pub(crate) fn take_reason(&mut self) -> Option<Ended> {
        self.stopping.take()
    }

    /// The last message to the DB actor; `None` if it was sent already. `done` is the phase of a run that did its work.
    pub(crate) fn finish(&mut self, ended: &Ended, done: Phase) -> Option<Finish> {
        if std::mem::replace(&mut self.is_finishing, true) {
            return None;
        }
        let (phase, reason, outcome) = match ended {
            Ended::Done => (done, None, "complete"),
            Ended::Interrupted => (Phase::Suspended, Some("interrupted".to_owned()), "interrupted"),
            Ended::StoreGaveUp { reason, .. } => (Phase::Suspended, Some(reason.clone()), "suspended"),
            Ended::LedgerFailed(error) => (Phase::Suspended, Some(error.to_string()), "suspended"),
            Ended::Broken(what) => (Phase::Suspended, Some(what.clone()), "broken"),
        };
        Some(Finish { phase, reason, outcome })
    }

    /// How the run ended, all things considered.
    pub(crate) fn settle(
        &mut self,
        ended: Ended,
        closed: Result<Result<Closed, LedgerError>, MailboxError>,
    ) -> (Ended, Closed) {
        match closed {
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
        }
    }

    /// Tells whoever waits.
    pub(crate) fn tell(&mut self, outcome: Outcome) {
        if let Some(waiting) = self.outcome.take() {
            // Nobody may be waiting any more, which is their affair.
            let _ = waiting.send(outcome);
        }
    }
}
