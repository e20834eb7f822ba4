//! The simulator: all worlds of one configuration, what was written into them, and the chaos they share.

use std::sync::Arc;

use crate::config::{ChaosConfig, Config};
use crate::error::SpectraError;
use crate::fault::Fault;
use crate::state::Shared;
use crate::world::World;

/// A simulator. A handle: clones share everything.
#[derive(Clone, Debug)]
pub struct Spectra {
    shared: Arc<Shared>,
}

impl Spectra {
    /// Opens a simulator. In persistent mode this opens or creates the database, which one process at a time can do.
    pub fn open(config: Config) -> Result<Self, SpectraError> {
        config.validate()?;
        Ok(Self { shared: Arc::new(Shared::open(config)?) })
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
        self.shared.record_listings();
    }

    /// Waits until all that was written would survive a power cut. The end of the process, however sudden, is survived
    /// without. Nothing to do in ephemeral mode.
    pub fn flush(&self) -> Result<(), Fault> {
        self.shared.kept.flush()
    }
}
