//! The front door: start a migration, look at it, stop it, wait for it.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::Addr;
use crossbeam_channel::{Receiver, bounded};
use longhaul_ledger::{LedgerError, MigrationSpec, Reader, Settings, system_now_ns};
use longhaul_model::{BySide, Comparison};
use longhaul_storage::{Location, OpenError, Store, open_pair};
use parking_lot::Mutex;

use crate::config::MigrationConfig;
use crate::coordinator::{Coordinator, Ended, Outcome};
use crate::engine::{Engine, Placement};
use crate::messages::{Closed, Interrupt};
use crate::progress::Progress;

/// Why a migration cannot be started. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The stores.
    #[error(transparent)]
    Stores(#[from] OpenError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger would be listed along with the files.
    #[error("the ledger {ledger} is inside {location}, which is to be listed: choose another place with --ledger")]
    LedgerInside {
        /// The ledger.
        ledger: String,
        /// The source or the destination.
        location: String,
    },
    /// The system gave no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A migration that is under way. Dropping it does not stop it.
#[derive(Debug)]
pub struct Controller {
    coordinator: Addr<Coordinator>,
    ended: Receiver<Outcome>,
    latest: Arc<Mutex<Progress>>,
    thread: JoinHandle<()>,
}

impl Controller {
    /// How far it has come.
    pub fn progress(&self) -> Progress {
        *self.latest.lock()
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
    }
}

/// Starts a migration: opens the stores, makes the ledger, and lists both trees in the background.
pub fn start(config: &MigrationConfig) -> Result<Controller, StartError> {
    refuse_existing_ledger(config)?;
    let stores = open_pair(&config.locations, config.open)?;
    start_with_stores(config, stores)
}

/// As [`start`], with stores that are open already; `config.locations` is not looked at.
pub fn start_with_stores(
    config: &MigrationConfig,
    stores: BySide<(Location, Arc<dyn Store>)>,
) -> Result<Controller, StartError> {
    let BySide { src: (source, source_store), dst: (destination, destination_store) } = stores;
    for location in [&source, &destination] {
        refuse_ledger_inside(&config.ledger, location)?;
    }
    let comparison = Comparison::for_resolutions(
        source_store.capabilities().time_resolution_ns,
        destination_store.capabilities().time_resolution_ns,
    );
    let spec = MigrationSpec {
        source: source.to_string(),
        destination: destination.to_string(),
        settings: Settings { comparison, one_file_system: config.open.one_file_system },
    };
    let tuning = config.tuning.clone();
    let mut recorder = longhaul_ledger::create(&config.ledger, &spec, "discover", &tuning.resources, system_now_ns)?;
    let roots = recorder.begin_traversal()?;
    let stores = BySide { src: source_store, dst: destination_store };

    let latest = Arc::new(Mutex::new(Progress::default()));
    let (ended_sender, ended) = bounded(1);
    let (started_sender, started) = bounded(1);
    let thread = std::thread::Builder::new().name("longhaul-engine".to_owned()).spawn({
        let latest = latest.clone();
        move || {
            actix::System::new().block_on(async move {
                let engine = Engine::start(&stores, recorder, roots, &tuning, latest, Placement::Threads);
                // The two channels have room for the one message that each of them carries.
                let _ = started_sender.send(engine.coordinator.clone());
                let outcome = engine.join().await.unwrap_or_else(|_| broken());
                let _ = ended_sender.send(outcome);
            });
        }
    })?;
    let coordinator = started.recv().map_err(|_| std::io::Error::other("the engine's thread ended at once"))?;
    Ok(Controller { coordinator, ended, latest, thread })
}

/// Starts a migration and waits for its end.
pub fn run(config: &MigrationConfig) -> Result<Outcome, StartError> {
    Ok(start(config)?.wait())
}

/// An existing ledger is never overwritten or silently continued; says whose it is.
fn refuse_existing_ledger(config: &MigrationConfig) -> Result<(), StartError> {
    let path = &config.ledger;
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let spec = Reader::open(path)?.migration()?.spec;
    // A location that cannot be made canonical is not the one in the ledger.
    let canonical = |location: &Location| location.canonical().map(|canonical| canonical.to_string()).ok();
    let is_same = canonical(&config.locations.src).as_ref() == Some(&spec.source)
        && canonical(&config.locations.dst).as_ref() == Some(&spec.destination);
    Err(StartError::Ledger(if is_same {
        LedgerError::Exists(path.clone())
    } else {
        LedgerError::OtherMigration {
            path: path.clone(),
            source_location: spec.source,
            destination_location: spec.destination,
        }
    }))
}

fn refuse_ledger_inside(ledger: &Path, location: &Location) -> Result<(), StartError> {
    let Location::Local(root) = location else { return Ok(()) };
    let folder = match ledger.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) if folder.starts_with(root) => {
            Err(StartError::LedgerInside { ledger: ledger.display().to_string(), location: location.to_string() })
        }
        // If it does not exist, making the ledger will say so.
        _ => Ok(()),
    }
}
