//! Opening the two stores of a migration, and what is wrong with the pair before anything has begun.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};
use longhaul_model::{BySide, ErrorClass, Side};
use longhaul_spectra::{Config, ConfigError, Spectra, SpectraError};
use parking_lot::Mutex;

use crate::error::StoreError;
use crate::local::LocalStore;
use crate::location::{Location, Overlap, Protocol, RemoteUrl};
use crate::remote::RemoteStore;
#[cfg(feature = "sftp")]
use crate::sftp::SftpStore;
use crate::spectra::SpectraStore;
use crate::store::Store;

/// How often a store that does not answer is asked, and for how long it may ask for patience.
const ATTEMPTS: usize = 5;
const PAUSE_MAX: Duration = Duration::from_mins(1);

/// Choices on how to open a pair.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenOptions {
    /// Make the destination folder if it is not there.
    pub create_destination: bool,
    /// Record mount points below a local root, and do not cross them.
    pub one_file_system: bool,
}

/// Why a pair cannot be opened. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is nothing at the place.
    #[error("the {side} {location} does not exist")]
    Missing {
        /// Which of the two.
        side: Side,
        /// Where it should be.
        location: Location,
    },
    /// There is something, but not a folder.
    #[error("the {side} {location} is not a folder: give a folder")]
    NotAFolder {
        /// Which of the two.
        side: Side,
        /// Where it is.
        location: Location,
    },
    /// It may not be read.
    #[error("the {side} {location} cannot be read ({reason}): check its permissions")]
    Unreadable {
        /// Which of the two.
        side: Side,
        /// Where it is.
        location: Location,
        /// What the store said.
        reason: String,
    },
    /// What is behind a network, and the reason why it cannot be used.
    #[error("the {side} {location} cannot be used: {reason}")]
    Unusable {
        /// Which of the two.
        side: Side,
        /// Where it is.
        location: Location,
        /// What the server, or the way there, said.
        reason: String,
    },
    /// The destination was to be made, and could not be.
    #[error("the destination {} cannot be made: {error}", path.display())]
    CannotCreate {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Source and destination have something in common.
    #[error("{}: give two places that have nothing in common", describe(*.overlap, .source_location, .destination_location))]
    Overlap {
        /// The source.
        source_location: Location,
        /// The destination.
        destination_location: Location,
        /// How the source lies to the destination.
        overlap: Overlap,
    },
    /// The simulator's configuration is not acceptable.
    #[error(transparent)]
    SpectraConfig(#[from] ConfigError),
    /// The simulator cannot be opened, or has no such world.
    #[error(transparent)]
    Spectra(#[from] SpectraError),
}

fn describe(overlap: Overlap, source: &Location, destination: &Location) -> String {
    match overlap {
        Overlap::Same => format!("source and destination are the same place, {source}"),
        Overlap::Inside => format!("the source {source} is inside the destination {destination}"),
        Overlap::Around => format!("the destination {destination} is inside the source {source}"),
    }
}

/// Opens source and destination. Gives the stores with their canonical locations, which mean the same from any working
/// folder. Two worlds of one simulator are opened in one simulator. A store behind a network that has not answered within
/// `give_up_after` is given up, if that is set.
#[allow(clippy::type_complexity, reason = "a pair of pairs is what it is")]
pub fn open_pair(
    locations: &BySide<Location>,
    options: OpenOptions,
    give_up_after: Option<Duration>,
) -> Result<BySide<(Location, Arc<dyn Store>)>, OpenError> {
    let src = canonical(Side::Source, &locations.src)?;
    if options.create_destination {
        create_destination(&src, &locations.dst, give_up_after)?;
    }
    let dst = canonical(Side::Destination, &locations.dst)?;
    refuse_overlap(&src, &dst)?;
    let mut simulator = None;
    Ok(BySide {
        src: open(Side::Source, src, options, give_up_after, &mut simulator)?,
        dst: open(Side::Destination, dst, options, give_up_after, &mut simulator)?,
    })
}

fn refuse_overlap(source: &Location, destination: &Location) -> Result<(), OpenError> {
    match source.overlap(destination) {
        None => Ok(()),
        Some(overlap) => Err(OpenError::Overlap {
            source_location: source.clone(),
            destination_location: destination.clone(),
            overlap,
        }),
    }
}

fn canonical(side: Side, location: &Location) -> Result<Location, OpenError> {
    let error = match location.canonical() {
        Ok(canonical) => return Ok(canonical),
        Err(error) => error,
    };
    // A configuration file that is missing is the simulator's own error, and is worded there.
    if let Location::Spectra { config, .. } = location {
        Config::load(config)?;
    }
    let location = location.clone();
    Err(match error.kind() {
        ErrorKind::NotFound => OpenError::Missing { side, location },
        ErrorKind::NotADirectory => OpenError::NotAFolder { side, location },
        _ => OpenError::Unreadable { side, location, reason: error.to_string() },
    })
}

fn create_destination(
    source: &Location,
    destination: &Location,
    give_up_after: Option<Duration>,
) -> Result<(), OpenError> {
    let path = match destination {
        Location::Local(path) => path,
        Location::Remote(url) => return create_remote_destination(source, url, give_up_after),
        Location::Spectra { .. } | Location::ServedSpectra(_) => return Ok(()),
    };
    if path.exists() {
        return Ok(());
    }
    // Where it would be has to be known before it is made: a folder made inside the source would be a change to it.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
    let nearest: &Path = absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(&absolute);
    let rest = absolute.strip_prefix(nearest).unwrap_or(Path::new(""));
    if let Ok(nearest) = nearest.canonicalize() {
        refuse_overlap(source, &Location::Local(nearest.join(rest)))?;
    }
    std::fs::create_dir_all(path).map_err(|error| OpenError::CannotCreate { path: path.clone(), error })
}

fn create_remote_destination(
    source: &Location,
    url: &RemoteUrl,
    give_up_after: Option<Duration>,
) -> Result<(), OpenError> {
    let location = Location::Remote(url.clone());
    refuse_overlap(source, &location)?;
    let url = url.clone();
    let made = patiently(give_up_after, move || match url.protocol {
        #[cfg(feature = "sftp")]
        Protocol::Sftp => SftpStore::create_root(&url),
        _ => RemoteStore::create_root(&url),
    });
    let side = Side::Destination;
    made.map_err(|error| OpenError::Unusable { side, location, reason: error.message })
}

fn open(
    side: Side,
    location: Location,
    options: OpenOptions,
    give_up_after: Option<Duration>,
    simulator: &mut Option<(PathBuf, Spectra)>,
) -> Result<(Location, Arc<dyn Store>), OpenError> {
    match &location {
        Location::Local(path) => {
            match path.metadata() {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(OpenError::NotAFolder { side, location }),
                Err(error) => return Err(OpenError::Unreadable { side, location, reason: error.to_string() }),
            }
            let store = LocalStore::open(path, options.one_file_system).map_err(|error| OpenError::Unreadable {
                side,
                location: location.clone(),
                reason: error.message,
            })?;
            Ok((location, Arc::new(store)))
        }
        Location::Spectra { world, config } => {
            let opened = match simulator {
                Some((of, opened)) if of == config => opened.clone(),
                _ => Spectra::open(Config::load(config)?)?,
            };
            *simulator = Some((config.clone(), opened.clone()));
            let store = SpectraStore::open(&opened, world, location.clone())?;
            Ok((location, Arc::new(store)))
        }
        Location::ServedSpectra(served) => {
            let served = served.clone();
            match patiently(give_up_after, move || SpectraStore::of_server(&served)) {
                Ok(store) => Ok((location, Arc::new(store))),
                Err(error) => Err(OpenError::Unusable { side, location, reason: error.message }),
            }
        }
        Location::Remote(url) => {
            let makes_roots = url.protocol.spec().makes_roots;
            let url = url.clone();
            match patiently(give_up_after, move || open_remote(&url, side)) {
                Ok(store) => Ok((location, store)),
                Err(error) if error.class == ErrorClass::Vanished && makes_roots => {
                    Err(OpenError::Missing { side, location })
                }
                Err(error) => Err(OpenError::Unusable { side, location, reason: error.message }),
            }
        }
    }
}

/// How many threads wait for a store behind a network to be opened.
static WAITING: Mutex<usize> = Mutex::new(0);

/// Does something if this process waits for a store behind a network to be opened: nothing has begun then, and nothing
/// begins before it is done.
pub fn while_opening(action: impl FnOnce()) {
    if *WAITING.lock() > 0 {
        action();
    }
}

struct Waiting;

impl Waiting {
    fn begin() -> Waiting {
        *WAITING.lock() += 1;
        Waiting
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        *WAITING.lock() -= 1;
    }
}

/// The name of a thread in which a store is opened. What breaks in it is an error of that store.
pub const OPENING_THREAD: &str = "opening";

/// Tries again what may go better the next time, and gives up where nothing has come of it within a time. The engine, which
/// does so with everything else, is not there yet.
///
/// It happens in a thread of its own, which is left alone when it is given up: a client may wait for minutes by itself. So a
/// client that breaks over what a server says is an error as well.
fn patiently<T: Send + 'static>(
    give_up_after: Option<Duration>,
    attempt: impl FnMut() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let pauses = ExponentialBuilder::default().with_min_delay(Duration::from_millis(200)).with_max_times(ATTEMPTS - 1);
    let (sender, opened) = mpsc::sync_channel(1);
    let _waiting = Waiting::begin();
    let last_error = Arc::new(Mutex::new(None));
    let noted = last_error.clone();
    let opening = move || {
        let opened = attempt
            .retry(pauses.with_jitter())
            .when(|error| error.class.is_retried())
            .notify(|error, _| {
                *noted.lock() = Some(error.message.clone());
                std::thread::sleep(error.retry_after.unwrap_or_default().min(PAUSE_MAX));
            })
            .call();
        // Nobody may wait for it any more.
        let _ = sender.send(opened);
    };
    std::thread::Builder::new()
        .name(OPENING_THREAD.to_owned())
        .spawn(opening)
        .map_err(|error| StoreError::new(ErrorClass::Fatal, format!("no thread can be started: {error}")))?;
    let waited = match give_up_after {
        Some(limit) => opened.recv_timeout(limit),
        None => opened.recv().map_err(|_| RecvTimeoutError::Disconnected),
    };
    waited.unwrap_or_else(|error| {
        let message = match (error, give_up_after) {
            (RecvTimeoutError::Timeout, Some(limit)) => match last_error.lock().take() {
                Some(last) => format!("{last}; nothing else has come for {} s", limit.as_secs()),
                None => format!("it has not answered for {} s", limit.as_secs()),
            },
            (RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected, _) => "its client broke".to_owned(),
        };
        Err(StoreError::new(ErrorClass::Fatal, message))
    })
}

fn open_remote(url: &RemoteUrl, side: Side) -> Result<Arc<dyn Store>, StoreError> {
    Ok(match url.protocol {
        #[cfg(feature = "sftp")]
        Protocol::Sftp => Arc::new(SftpStore::open(url)?),
        _ => Arc::new(RemoteStore::open(url, side == Side::Source)?),
    })
}
