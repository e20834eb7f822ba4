//! Worlds of a simulator that is served over HTTP, looked at behind the engine's back.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use longhaul_model::BySide;
use longhaul_spectra::http::Client;
use longhaul_spectra::{Config, Fault, ListingPage, NodeInfo, PRIMARY_WORLD};
use longhaul_storage::{Location, ServedWorld};
use tokio::runtime::Runtime;

use super::simulated_world::{PAGE_ENTRIES, SimulatedWorld};

/// A server.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    url: String,
    runtime: Arc<Runtime>,
}

impl Served {
    /// The server at a URL. Nothing is asked yet.
    pub(crate) fn at(url: &str) -> Result<Served> {
        // What is no URL of a server is said by whoever knows what is one.
        ServedWorld::new(url, PRIMARY_WORLD)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Served { url: url.to_owned(), runtime: Arc::new(runtime) })
    }

    pub(crate) fn world(&self, world: &str) -> Result<ServedTree> {
        let client = Client::new(&self.url, world)?.undisturbed();
        Ok(ServedTree { client, runtime: self.runtime.clone() })
    }

    /// Where the engine finds the worlds.
    pub(crate) fn locations(&self, worlds: BySide<&str>) -> Result<BySide<Location>> {
        let location = |world| -> Result<Location> { Ok(Location::ServedSpectra(ServedWorld::new(&self.url, world)?)) };
        Ok(BySide { src: location(worlds.src)?, dst: location(worlds.dst)? })
    }

    /// Its configuration.
    pub(crate) fn config(&self) -> Result<Config> {
        let tree = self.world(PRIMARY_WORLD)?;
        tree.ask(tree.client.config())
    }

    /// Forgets what was written into its worlds.
    pub(crate) fn reset(&self) -> Result<()> {
        let tree = self.world(PRIMARY_WORLD)?;
        tree.ask(tree.client.reset())
    }
}

/// A world of it as a tree: no faults, limits or latency, and listings are not counted.
#[derive(Debug)]
pub(crate) struct ServedTree {
    client: Client,
    runtime: Arc<Runtime>,
}

impl ServedTree {
    fn ask<T>(&self, call: impl Future<Output = Result<T, Fault>>) -> Result<T> {
        let answer = self.runtime.block_on(call).map_err(|fault| anyhow!("{}", fault.message));
        answer.with_context(|| format!("the simulator at {} was asked", self.client.url()))
    }
}

impl SimulatedWorld for ServedTree {
    fn name(&self) -> &str {
        self.client.world()
    }

    fn page(&self, path: &[u8], after: Option<&[u8]>) -> Result<ListingPage> {
        self.ask(self.client.list(path, after, PAGE_ENTRIES))
    }

    fn bytes(&self, path: &[u8], length: usize) -> Result<Vec<u8>> {
        Ok(self.ask(self.client.read(path, 0, length))?.into())
    }

    fn root(&self) -> Result<NodeInfo> {
        self.ask(self.client.stat(b"/"))
    }

    fn count(&self) -> Result<u64> {
        self.ask(self.client.count())
    }

    fn listings(&self) -> Result<u64> {
        self.ask(self.client.listings())
    }
}
