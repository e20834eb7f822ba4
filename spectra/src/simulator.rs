//! The simulator: all worlds of one configuration, what was written into them, and the chaos they share.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::chaos::Chaos;
use crate::config::{ChaosConfig, Config};
use crate::error::SpectraError;
use crate::fault::Fault;
use crate::generator::Generator;
use crate::kept::KeptStore;
use crate::world::World;

/// Name of the world that has everything.
pub const PRIMARY_WORLD: &str = "primary";

/// A simulator. A handle: clones share everything.
#[derive(Clone, Debug)]
pub struct Spectra {
    shared: Arc<Shared>,
}

/// What all handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    config: Config,
    /// `primary` first, then the others by name. A world's place is its number in the database.
    pub(crate) worlds: Vec<WorldState>,
    pub(crate) kept: KeptStore,
    pub(crate) chaos: Chaos,
    recording: AtomicBool,
}

/// One world.
#[derive(Debug)]
pub(crate) struct WorldState {
    pub(crate) name: String,
    pub(crate) generator: Generator,
    listings: Apart<AtomicU64>,
    recorded: Mutex<HashMap<Vec<u8>, u64>>,
}

/// Something that is written often, and must not share a cache line with what every listing reads.
#[derive(Debug)]
#[repr(align(128))]
struct Apart<T>(T);

impl Spectra {
    /// Opens a simulator. In persistent mode this opens or creates the database, which one process at a time can do.
    pub fn open(config: Config) -> Result<Self, SpectraError> {
        config.validate()?;
        let state = |name: &str, generator| WorldState {
            name: name.to_owned(),
            generator,
            listings: Apart(AtomicU64::new(0)),
            recorded: Mutex::default(),
        };
        let mut worlds = vec![state(PRIMARY_WORLD, Generator::new(&config, None))];
        for (name, probability) in &config.secondary_tables {
            worlds.push(state(name, Generator::new(&config, Some((name, *probability)))));
        }
        let kept = KeptStore::open(&config)?;
        let chaos = Chaos::new(config.seed.seed, config.chaos.clone());
        let recording = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { config, worlds, kept, chaos, recording }) })
    }

    /// One of the worlds. For an unknown name the error lists those there are.
    pub fn world(&self, name: &str) -> Result<World, SpectraError> {
        match self.shared.worlds.iter().position(|world| world.name == name) {
            Some(index) => Ok(World::new(Arc::clone(&self.shared), index)),
            None => Err(SpectraError::UnknownWorld { name: name.to_owned(), known: self.worlds() }),
        }
    }

    /// Names of all worlds, `primary` first.
    pub fn worlds(&self) -> Vec<String> {
        self.shared.worlds.iter().map(|world| world.name.clone()).collect()
    }

    /// What the simulator was opened with. Its chaos section may have been replaced since.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Puts another chaos in force from the next call on: repairs faults, lifts limits. Attempts are counted anew.
    pub fn set_chaos(&self, chaos: ChaosConfig) -> Result<(), SpectraError> {
        self.shared.config.validate_chaos(&chaos)?;
        self.shared.chaos.set(chaos);
        Ok(())
    }

    /// Forgets what was written, in all worlds.
    pub fn reset(&self) -> Result<(), Fault> {
        for index in 0..self.shared.worlds.len() {
            World::new(Arc::clone(&self.shared), index).forget_what_was_written()?;
        }
        Ok(())
    }

    /// From now on keeps in mind which folders are listed; see [`World::times_listed`].
    pub fn record_listings(&self) {
        self.shared.recording.store(true, Ordering::Relaxed);
    }

    /// Waits until all that was written would survive a power cut. The end of the process, however sudden, is survived
    /// without. Nothing to do in ephemeral mode.
    pub fn flush(&self) -> Result<(), Fault> {
        self.shared.kept.flush()
    }
}

impl Shared {
    /// Counts the listing of a folder: once, however many pages it has.
    pub(crate) fn count_listing(&self, world: usize, path: &[u8]) {
        let state = &self.worlds[world];
        state.listings.0.fetch_add(1, Ordering::Relaxed);
        if self.recording.load(Ordering::Relaxed) {
            *state.recorded.lock().entry(path.to_vec()).or_insert(0) += 1;
        }
    }
}

impl WorldState {
    pub(crate) fn listings(&self) -> u64 {
        self.listings.0.load(Ordering::Relaxed)
    }

    pub(crate) fn times_listed(&self, path: &[u8]) -> u64 {
        self.recorded.lock().get(path).copied().unwrap_or(0)
    }

    pub(crate) fn recorded_listings(&self) -> Vec<(Vec<u8>, u64)> {
        let mut recorded: Vec<_> = self.recorded.lock().iter().map(|(path, times)| (path.clone(), *times)).collect();
        recorded.sort_unstable();
        recorded
    }
}
