//! The ledger in the hands of a DB actor: used until the first error, and given up then.

use actix::Recipient;
use longhaul_ledger::{LedgerError, Recorder};

use crate::messages::{Closed, Finish, LedgerFailed};
use crate::traffic::Traffic;

/// A ledger that is being written.
#[derive(Debug)]
pub(crate) struct OpenLedger {
    /// `None` once it is closed.
    recorder: Option<Recorder>,
    failed: Recipient<LedgerFailed>,
    /// Why there is no recorder any more, where it was an error.
    reason: Option<String>,
}

impl OpenLedger {
    /// Takes over the ledger. `failed` is told of the first error.
    pub(crate) fn new(recorder: Recorder, failed: Recipient<LedgerFailed>) -> Self {
        OpenLedger { recorder: Some(recorder), failed, reason: None }
    }

    /// Does something with it; `None` where that cannot be done any more.
    pub(crate) fn with<T>(&mut self, action: impl FnOnce(&mut Recorder) -> Result<T, LedgerError>) -> Option<T> {
        match action(self.recorder.as_mut()?) {
            Ok(value) => Some(value),
            Err(error) => {
                // Whoever started the run gets to know it as well, and says it louder.
                tracing::info!("{error}");
                if let Some(recorder) = self.recorder.take() {
                    recorder.abandon();
                }
                self.reason = Some(error.to_string());
                self.failed.do_send(LedgerFailed(error));
                None
            }
        }
    }

    /// Ends the run and closes the ledger.
    pub(crate) fn close(&mut self, finish: &Finish, traffic: Traffic) -> Result<Closed, LedgerError> {
        let failed = self.reason.take();
        let overview = match self.recorder.take() {
            Some(recorder) => Some(recorder.end(finish.phase, finish.reason.as_deref(), finish.outcome)?),
            None => None,
        };
        Ok(Closed { traffic, dropped: traffic.dropped, failed, overview })
    }
}
