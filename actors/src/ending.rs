//! How a run ends: what the Coordinator decides about that, whatever its work is.

use std::time::Duration;

use longhaul_ledger::LedgerError;
use longhaul_model::{Phase, Side};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::messages::{Closed, Finish, StoreGaveUp};
use crate::traffic::RunTraffic;

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// Everything is done.
    Done,
    /// It was asked to stop.
    Interrupted,
    /// A store could not be used any more.
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
    /// How the ledger was closed.
    pub closed: Closed,
    /// What was assigned and is pending again.
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
    /// Why nothing is assigned any more; `None` while work is.
    stopping: Option<Ended>,
    /// How the run ended, from when the ledger is being closed.
    ended: Option<Ended>,
    /// Whether the ledger actor has died.
    ledger_is_gone: bool,
    /// The ledger failed after the end was decided on.
    ledger_failed: Option<LedgerError>,
    /// The destination could not be flushed after the end was decided on.
    gave_up_last: Option<StoreGaveUp>,
}

impl Ending {
    pub(crate) fn new(stop: CancellationToken, grace: Duration, outcome: oneshot::Sender<Outcome>) -> Self {
        Ending {
            stop,
            grace,
            outcome: Some(outcome),
            stopping: None,
            ended: None,
            ledger_is_gone: false,
            ledger_failed: None,
            gave_up_last: None,
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_some()
    }

    /// Whether the ledger is being closed: what is recorded from now on is the next run's beginning.
    pub(crate) fn is_finishing(&self) -> bool {
        self.ended.is_some()
    }

    /// Assigns nothing any more. Returns whether this is the first reason to stop.
    pub(crate) fn stop_for(&mut self, why: Ended) -> bool {
        if self.stopping.is_some() || self.is_finishing() {
            return false;
        }
        self.stop.cancel();
        self.stopping = Some(why);
        true
    }

    /// A store gave up. Returns whether it is the first reason to stop.
    pub(crate) fn store_gave_up(&mut self, gave_up: StoreGaveUp) -> bool {
        if self.is_finishing() {
            self.gave_up_last = Some(gave_up);
            return false;
        }
        self.stop_for(Ended::from(gave_up))
    }

    /// The ledger failed, which is why nothing more is recorded, whatever else was going to be the reason. Returns
    /// whether it is the first one.
    pub(crate) fn ledger_failed(&mut self, error: LedgerError) -> bool {
        if self.is_finishing() {
            self.ledger_failed = Some(error);
        } else if self.stopping.is_some() {
            self.stopping = Some(Ended::LedgerFailed(error));
        } else {
            return self.stop_for(Ended::LedgerFailed(error));
        }
        false
    }

    /// The ledger actor died: it answers nothing any more.
    pub(crate) fn ledger_died(&mut self) {
        self.ledger_is_gone = true;
    }

    /// Whether the ledger actor has died.
    pub(crate) fn ledger_is_gone(&self) -> bool {
        self.ledger_is_gone
    }

    /// What is in flight has come to an end, or is not waited for any longer: why the run stops, if it does.
    pub(crate) fn take_reason(&mut self) -> Option<Ended> {
        self.stopping.take()
    }

    /// The last request to the ledger actor; `None` if it was sent already. `done` is the phase after a run that did its
    /// work.
    pub(crate) fn finish(&mut self, ended: Ended, done: Phase) -> Option<Finish> {
        if self.is_finishing() {
            return None;
        }
        let (phase, reason, outcome) = match &ended {
            Ended::Done => (done, None, "complete"),
            Ended::Interrupted => (Phase::Suspended, Some("interrupted".to_owned()), "interrupted"),
            Ended::StoreGaveUp { reason, .. } => (Phase::Suspended, Some(reason.clone()), "suspended"),
            Ended::LedgerFailed(error) => (Phase::Suspended, Some(error.to_string()), "suspended"),
            Ended::Broken(what) => (Phase::Suspended, Some(what.clone()), "broken"),
        };
        self.ended = Some(ended);
        Some(Finish { phase, reason, outcome: outcome.to_owned() })
    }

    /// How the run ended, all things considered. `closed` is the ledger actor's answer; `None` where it died.
    pub(crate) fn settle(&mut self, closed: Option<Result<Closed, LedgerError>>) -> (Ended, Closed) {
        let ended = self.ended.take().expect("the ledger is closed only when the end is decided on");
        match closed {
            // It may have failed after the end was decided on. The error itself is better than what is left of it.
            Some(Ok(closed)) => match (self.ledger_failed.take(), &closed.failed) {
                (Some(error), _) => (Ended::LedgerFailed(error), closed),
                (None, Some(reason)) if !matches!(ended, Ended::LedgerFailed(_)) => {
                    (Ended::LedgerFailed(LedgerError::Poisoned(reason.clone())), closed)
                }
                (None, _) => (self.all_things_considered(ended), closed),
            },
            Some(Err(error)) => (Ended::LedgerFailed(error), Closed::default()),
            None => (Ended::Broken("the ledger actor died".to_owned()), Closed::default()),
        }
    }

    /// A run has not done its work if what came last is not durable.
    fn all_things_considered(&mut self, ended: Ended) -> Ended {
        match (ended, self.gave_up_last.take()) {
            (Ended::Done, Some(gave_up)) => Ended::from(gave_up),
            (
                ended @ (Ended::Done
                | Ended::Interrupted
                | Ended::StoreGaveUp { .. }
                | Ended::LedgerFailed(_)
                | Ended::Broken(_)),
                _,
            ) => ended,
        }
    }

    /// Reports the outcome.
    pub(crate) fn tell(&mut self, outcome: Outcome) {
        if let Some(waiting) = self.outcome.take() {
            // It does not matter if nobody waits any more.
            let _ = waiting.send(outcome);
        }
    }
}

impl From<StoreGaveUp> for Ended {
    fn from(gave_up: StoreGaveUp) -> Self {
        Ended::StoreGaveUp { side: gave_up.side, reason: gave_up.reason() }
    }
}
