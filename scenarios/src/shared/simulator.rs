//! Two worlds of the simulator: for the engine as stores, for the scenario as trees.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use longhaul_model::{BySide, NodeKind, Side};
use longhaul_spectra::{ChaosConfig, Config, Mode, Spectra, SpectraError, World};
use longhaul_storage::{Location, SpectraStore, Store};

use super::trace::world_of;
use super::tree::{Child, Listing, Tree};
use crate::interrupt::Interrupt;

/// Entries of a folder that are asked for at a time.
const PAGE_ENTRIES: usize = 4_096;

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

    /// The nodes that the simulator itself counts.
    pub(crate) fn count(&self) -> Result<u64> {
        Ok(self.0.count().map_err(|fault| anyhow!("the simulator cannot be counted: {}", fault.message))?.total.nodes())
    }
}

/// The two worlds that are source and destination, as trees.
pub(crate) fn trees(simulator: &Spectra) -> Result<BySide<WorldTree>> {
    let tree = |side| WorldTree::new(simulator, world_of(side));
    Ok(BySide { src: tree(Side::Source)?, dst: tree(Side::Destination)? })
}

impl Tree for WorldTree {
    fn list(&self, path: &[u8]) -> Result<Listing> {
        let mut children = Vec::new();
        let mut after: Option<Vec<u8>> = None;
        loop {
            let page = self
                .0
                .list(path, after.as_deref(), PAGE_ENTRIES, Duration::ZERO)
                .result
                .map_err(|fault| anyhow!("{} cannot be listed: {}", path.escape_ascii(), fault.message))?;
            for entry in page.entries.iter() {
                let (kind, size) = match entry.info.kind {
                    longhaul_spectra::NodeKind::Folder => (NodeKind::Folder, None),
                    longhaul_spectra::NodeKind::File => (NodeKind::File, Some(i64::try_from(entry.info.size)?)),
                };
                let modified_ns = Some(entry.info.modified_ns);
                children.push(Child { name: entry.name.to_vec(), kind, size, modified_ns, remark: &[] });
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(Listing::Children(children)),
            }
        }
    }
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
