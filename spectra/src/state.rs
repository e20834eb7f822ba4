//! The state of a simulator, which all handles share: what was written into its worlds, its chaos, and its counters.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use crate::chaos::Chaos;
use crate::config::{Config, PRIMARY_WORLD};
use crate::error::SpectraError;
use crate::generator::Generator;
use crate::kept::KeptStore;

/// What all handles share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
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

impl Shared {
    /// Builds the worlds of a valid configuration, and opens what was written into them.
    pub(crate) fn open(config: Config) -> Result<Self, SpectraError> {
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
        Ok(Self { config, worlds, kept, chaos, recording: AtomicBool::new(false) })
    }

    /// From now on keeps in mind which folders are listed.
    pub(crate) fn record_listings(&self) {
        self.recording.store(true, Ordering::Relaxed);
    }

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
