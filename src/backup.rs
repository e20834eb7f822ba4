//! Backups of a ledger: `longhaul backup`, and those that a run makes by itself.

use std::io::{self, Write};
use std::path::{Path, PathBuf, absolute};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, TryRecvError, bounded};
use longhaul_actors::Backups;
use longhaul_ledger::{Existing, LedgerError, back_up};
use longhaul_model::human;

use crate::cli::BackupArguments;
use crate::query::refuse_taken;
use crate::{Exit, hints, ledger_probe, status_socket};

pub(crate) fn run(ledger: &Path, arguments: &BackupArguments) -> anyhow::Result<Exit> {
    let to = absolute(&arguments.to)?;
    refuse_taken(ledger, &arguments.to, arguments.force)?;
    let existing = if arguments.force { Existing::Replace } else { Existing::Keep };
    // A run that has it open is asked to do it.
    let written = if let Some(written) = status_socket::ask_for_backup(ledger, to.clone(), existing) {
        written
    } else {
        ledger_probe::require(ledger)?;
        back_up(ledger, &to, existing)
    };
    let bytes = written?;
    writeln!(
        io::stdout(),
        "backed up ledger {} to {}: {}",
        ledger.display(),
        arguments.to.display(),
        human::bytes(bytes)
    )?;
    Ok(Exit::Done)
}

/// The file that a run backs the ledger up to.
pub(crate) fn regular_backup_of(ledger: &Path) -> PathBuf {
    let mut to = ledger.as_os_str().to_owned();
    to.push(".backup");
    to.into()
}

/// The backups of a run, one after the other in the same file.
pub(crate) struct RegularBackups {
    to: PathBuf,
    interval: Duration,
    backups: Backups,
    next: Instant,
    under_way: Option<Receiver<Result<u64, LedgerError>>>,
}

impl RegularBackups {
    pub(crate) fn new(ledger: &Path, interval: Duration, backups: Backups) -> RegularBackups {
        let to = regular_backup_of(ledger);
        RegularBackups { to, interval, backups, next: Instant::now() + interval, under_way: None }
    }

    /// Begins one that is due, unless the one before has not ended. That one fails is no reason to end the run.
    pub(crate) fn look(&mut self) {
        match self.under_way.as_ref().map(Receiver::try_recv) {
            Some(Err(TryRecvError::Empty)) => return,
            Some(Ok(Ok(bytes))) => tracing::info!(bytes, "the ledger is backed up as {}", self.to.display()),
            Some(Ok(Err(error))) => {
                tracing::warn!(
                    "the ledger could not be backed up as {}: {}",
                    self.to.display(),
                    hints::with_hint(error)
                );
            }
            Some(Err(TryRecvError::Disconnected)) | None => {}
        }
        self.under_way = None;
        if Instant::now() >= self.next {
            self.next = Instant::now() + self.interval;
            let (done, written) = bounded(1);
            let (backups, to) = (self.backups.clone(), self.to.clone());
            // Without a thread there is none this time.
            let begun = std::thread::Builder::new().name("backup".to_owned()).spawn(move || {
                // The run may have ended.
                let _ = done.send(backups.make(to, Existing::Replace));
            });
            self.under_way = begun.is_ok().then_some(written);
        }
    }
}
