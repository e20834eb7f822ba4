//! Two worlds of the simulator: for the engine as stores, for the scenario as trees.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use longhaul_model::{BySide, NodeKind};
use longhaul_spectra::{Config, Spectra, World};
use longhaul_storage::{Location, SpectraStore, Store};

use super::tree::{Child, Listing, Tree};

/// Entries of a folder that are asked for at a time.
const PAGE_ENTRIES: usize = 4_096;

/// A configuration that comes with the program.
pub(crate) struct Shipped {
    /// Its name in the folder `configs`.
    pub(crate) name: &'static str,
    /// Its text, for where that folder is not.
    pub(crate) text: &'static str,
}

impl Shipped {
    /// The file: in `configs` below the working folder, or else written into `scratch`.
    pub(crate) fn file(&self, scratch: &Path) -> Result<PathBuf> {
        if let Ok(found) = self.in_working_folder().canonicalize() {
            return Ok(found);
        }
        let written = scratch.join(self.name);
        std::fs::write(&written, self.text).with_context(|| format!("cannot write {}", written.display()))?;
        Ok(written)
    }

    /// Whether it has to be written into the scratch folder.
    pub(crate) fn is_written_out(&self) -> bool {
        !self.in_working_folder().exists()
    }

    fn in_working_folder(&self) -> PathBuf {
        Path::new("configs").join(self.name)
    }
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
    config.seed.db_path = scratch.join("spectra.redb");
    Ok(Spectra::open(config)?)
}
