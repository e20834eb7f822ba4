//! A run from outside: look at it, stop it, wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::Recipient;
use crossbeam_channel::{Receiver, bounded};
use longhaul_ledger::{Existing, LedgerError};
use parking_lot::Mutex;

use crate::ending::{Ended, Outcome};
use crate::engine::Engine;
use crate::messages::{BackUp, Closed, Interrupt};
use crate::progress::{Progress, ProgressReader};
use crate::traffic::RunTraffic;

/// A migration that is under way. Dropping it does not stop it.
#[derive(Debug)]
pub struct Controller {
    coordinator: Recipient<Interrupt>,
    ledger: Recipient<BackUp>,
    ended: Receiver<Outcome>,
    latest: Arc<Mutex<Progress>>,
    thread: JoinHandle<()>,
}

/// Asks a run for backups of its ledger; others have it who need not have the controller.
#[derive(Clone, Debug)]
pub struct Backups(Recipient<BackUp>);

impl Backups {
    /// Backs the ledger up as it is now, and waits for that. Returns the bytes of the backup; an error as well where the run
    /// ends before.
    pub fn make(&self, to: PathBuf, existing: Existing) -> Result<u64, LedgerError> {
        let waiting = tokio::runtime::Builder::new_current_thread().build();
        let waiting =
            waiting.map_err(|error| LedgerError::NotWritable { path: to.clone(), reason: error.to_string() })?;
        let answer = waiting.block_on(self.0.send(BackUp { to: to.clone(), existing }));
        let ended =
            || LedgerError::NotWritable { path: to, reason: "the run ended before the backup was made".to_owned() };
        answer.unwrap_or_else(|_| Err(ended()))
    }
}

impl Controller {
    /// How far it has come.
    pub fn progress(&self) -> Progress {
        *self.latest.lock()
    }

    /// The same for others, who need not have the controller.
    pub fn progress_reader(&self) -> ProgressReader {
        ProgressReader(self.latest.clone())
    }

    /// Whom to ask for a backup of its ledger.
    pub fn backups(&self) -> Backups {
        Backups(self.ledger.clone())
    }

    /// Asks it to stop at the next safe point. [`Controller::wait`] tells when it has.
    pub fn shutdown(&self) {
        self.coordinator.do_send(Interrupt);
    }

    /// Waits for its end.
    pub fn wait(self) -> Outcome {
        let outcome = self.ended.recv().unwrap_or_else(|_| broken());
        // Threads that are stuck in a store are not waited for.
        if outcome.still_running == 0 {
            // If it panicked, that was after the outcome, and it has said so itself.
            let _ = self.thread.join();
        }
        outcome
    }

    /// Waits for its end for so long; gives it, or the controller back.
    pub fn wait_for(self, time: Duration) -> Result<Outcome, Controller> {
        let deadline = Instant::now() + time;
        match self.ended.recv_deadline(deadline) {
            Ok(outcome) => Ok(outcome),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Err(self),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => Ok(broken()),
        }
    }
}

fn broken() -> Outcome {
    Outcome {
        ended: Ended::Broken("the engine ended without a word".to_owned()),
        closed: Closed::default(),
        given_back: 0,
        still_running: 0,
        traffic: RunTraffic::default(),
    }
}

/// Runs an engine in a thread of its own.
pub(crate) fn launch(
    start: impl FnOnce(Arc<Mutex<Progress>>) -> Engine + Send + 'static,
) -> std::io::Result<Controller> {
    let latest = Arc::new(Mutex::new(Progress::default()));
    let (ended_sender, ended) = bounded(1);
    let (started_sender, started) = bounded(1);
    let thread = std::thread::Builder::new().name("longhaul-engine".to_owned()).spawn({
        let latest = latest.clone();
        move || {
            actix::System::new().block_on(async move {
                let engine = start(latest);
                // The two channels have room for the one message that each of them carries.
                let _ = started_sender.send((engine.coordinator.clone(), engine.ledger.clone()));
                let outcome = engine.join().await.unwrap_or_else(|_| broken());
                tracing::info!(
                    ended = ?outcome.ended,
                    recorded = outcome.closed.traffic.answered,
                    dropped = outcome.traffic.dropped(),
                    given_back = outcome.given_back,
                    traffic = ?outcome.traffic,
                    "the run ended"
                );
                let _ = ended_sender.send(outcome);
            });
        }
    })?;
    let (coordinator, ledger) =
        started.recv().map_err(|_| std::io::Error::other("the engine's thread ended at once"))?;
    Ok(Controller { coordinator, ledger, ended, latest, thread })
}
