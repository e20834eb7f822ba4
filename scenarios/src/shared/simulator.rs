//! Two worlds of the simulator: for the engine as stores, for the scenario as trees.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use longhaul_model::{BySide, Side};
use longhaul_spectra::{ChaosConfig, Config, ListingPage, Mode, NodeInfo, Spectra, SpectraError, World};
use longhaul_storage::{Location, SpectraStore, Store};

use super::served::Served;
use super::simulated_world::{PAGE_ENTRIES, SimulatedWorld};
use super::trace::world_of;
use crate::interrupt::Interrupt;

/// How long the engine's threads may take to let go of a simulator, and how often that is looked at.
const IN_USE_WAIT: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A configuration that comes with the program.
pub(crate) struct Shipped {
    /// Its name in the folder `configs`.
    pub(crate) name: &'static str,
    /// Its text, for where that folder is not.
    pub(crate) text: &'static str,
}

impl Shipped {
    /// It is taken from `configs` below the working folder, or else is what the program came with.
    pub(crate) fn load(&self) -> Result<Config> {
        let in_working_folder = Path::new("configs").join(self.name);
        match in_working_folder.canonicalize() {
            Ok(found) => Ok(Config::load(&found)?),
            Err(_) => Config::from_json(self.text).with_context(|| format!("the {} of this program", self.name)),
        }
    }

    /// Writes it into `scratch`, with everything that the simulator keeps in there too. Gives the file, which whoever
    /// goes on finds again.
    pub(crate) fn write_into(&self, scratch: &Path) -> Result<PathBuf> {
        let file = self.file_in(scratch);
        write(self.load()?, &file, scratch)?;
        Ok(file)
    }

    /// Where it is in `scratch`.
    pub(crate) fn file_in(&self, scratch: &Path) -> PathBuf {
        scratch.join(self.name)
    }
}

/// Where the simulator of a scenario is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In this process, with what it keeps in `scratch`.
    Here { config: PathBuf, scratch: PathBuf },
    /// Of a server.
    There(Served),
}

impl Place {
    /// Where the engine finds the worlds, when it opens them by itself.
    pub(crate) fn locations(&self, worlds: BySide<&str>) -> Result<BySide<Location>> {
        match self {
            Place::Here { config, .. } => {
                let location = |side| Location::Spectra { world: worlds[side].to_owned(), config: config.clone() };
                Ok(BySide::from_fn(location))
            }
            Place::There(served) => served.locations(worlds),
        }
    }

    /// What is in the worlds now. In this process, nobody else can open the simulator for as long as these are there.
    pub(crate) fn worlds(&self, worlds: BySide<&str>) -> Result<BySide<Box<dyn SimulatedWorld>>> {
        match self {
            Place::Here { config, scratch } => boxed_worlds(&open_after_engine(config, scratch)?, worlds),
            Place::There(served) => {
                Ok(BySide { src: Box::new(served.world(worlds.src)?), dst: Box::new(served.world(worlds.dst)?) })
            }
        }
    }

    /// A simulator of the same configuration that knows nothing of what was written, and of no faults.
    pub(crate) fn pristine(&self) -> Result<Spectra> {
        match self {
            Place::Here { config, .. } => pristine(config),
            Place::There(served) => pristine_of(served.config()?),
        }
    }
}

/// Worlds of a simulator of this process.
pub(crate) fn boxed_worlds(simulator: &Spectra, worlds: BySide<&str>) -> Result<BySide<Box<dyn SimulatedWorld>>> {
    Ok(BySide {
        src: Box::new(WorldTree::new(simulator, worlds.src)?),
        dst: Box::new(WorldTree::new(simulator, worlds.dst)?),
    })
}

/// Writes a configuration, with everything that the simulator keeps in `scratch`.
pub(crate) fn write(mut config: Config, file: &Path, scratch: &Path) -> Result<()> {
    config.seed.db_path = database_in(scratch);
    std::fs::write(file, serde_json::to_vec_pretty(&config)?)
        .with_context(|| format!("cannot write {}", file.display()))
}

fn database_in(scratch: &Path) -> PathBuf {
    scratch.join("spectra.redb")
}

/// A world of the simulator as a tree: no faults, limits or latency, and listings are not counted.
#[derive(Debug)]
pub(crate) struct WorldTree(World);

impl WorldTree {
    pub(crate) fn new(simulator: &Spectra, world: &str) -> Result<Self> {
        Ok(WorldTree(simulator.world(world)?.undisturbed()))
    }
}

impl SimulatedWorld for WorldTree {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn page(&self, path: &[u8], after: Option<&[u8]>) -> Result<ListingPage> {
        Ok(self.0.list(path, after, PAGE_ENTRIES, Duration::ZERO).result?)
    }

    fn bytes(&self, path: &[u8], length: usize) -> Result<Vec<u8>> {
        Ok(self.0.read(path, 0, length, Duration::ZERO).result?)
    }

    fn root(&self) -> Result<NodeInfo> {
        Ok(self.0.stat(b"/", Duration::ZERO).result?)
    }

    fn count(&self) -> Result<u64> {
        Ok(self.0.count()?.total.nodes())
    }

    fn listings(&self) -> Result<u64> {
        Ok(self.0.listings())
    }
}

/// The two worlds that are source and destination, as trees.
pub(crate) fn trees(simulator: &Spectra) -> Result<BySide<WorldTree>> {
    let tree = |side| WorldTree::new(simulator, world_of(side));
    Ok(BySide { src: tree(Side::Source)?, dst: tree(Side::Destination)? })
}

/// The worlds `src` and `dst` of a simulator as the engine sees them.
#[allow(clippy::type_complexity, reason = "what the engine takes")]
pub(crate) fn stores(
    simulator: &Spectra,
    worlds: BySide<&str>,
    config: &Path,
) -> Result<BySide<(Location, Arc<dyn Store>)>> {
    let store = |world: &str| -> Result<(Location, Arc<dyn Store>)> {
        let location = Location::Spectra { world: world.to_owned(), config: config.to_owned() };
        Ok((location.clone(), Arc::new(SpectraStore::open(simulator, world, location)?)))
    };
    Ok(BySide { src: store(worlds.src)?, dst: store(worlds.dst)? })
}

/// Opens the simulator of a configuration file, with what it keeps in `scratch`.
pub(crate) fn open(config: &Path, scratch: &Path) -> Result<Spectra> {
    let mut config = Config::load(config)?;
    config.seed.db_path = database_in(scratch);
    Ok(Spectra::open(config)?)
}

/// As [`open`], after a run of the engine that had opened it by itself: its threads let go of it a moment after the
/// engine's last word.
pub(crate) fn open_after_engine(config: &Path, scratch: &Path) -> Result<Spectra> {
    open_within(IN_USE_WAIT, config, scratch, &Interrupt::default())
}

/// As [`open`], when whoever has it open lets go of it within some time.
pub(crate) fn open_within(wait: Duration, config: &Path, scratch: &Path, interrupt: &Interrupt) -> Result<Spectra> {
    let deadline = Instant::now() + wait;
    loop {
        interrupt.check()?;
        match open(config, scratch) {
            Err(error) if is_in_use(&error) && Instant::now() < deadline => std::thread::sleep(LOOK_INTERVAL),
            opened => return opened,
        }
    }
}

/// A simulator of the same configuration that knows nothing of what was written, and of no faults.
pub(crate) fn pristine(config: &Path) -> Result<Spectra> {
    pristine_of(Config::load(config)?)
}

/// As [`pristine`], of a configuration that is not in a file.
pub(crate) fn pristine_of(mut config: Config) -> Result<Spectra> {
    config.mode = Mode::Ephemeral;
    config.chaos = ChaosConfig::default();
    Ok(Spectra::open(config)?)
}

fn is_in_use(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(SpectraError::InUse { .. }))
}
