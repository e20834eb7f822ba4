//! A world of the simulator, embedded in this process or of a server.

mod access;
mod folder;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use longhaul_model::{ErrorClass, NodeKind, Page, encode_name};
use longhaul_naming::RuleSet;
use longhaul_spectra::http::Client;
use longhaul_spectra::{Fault, FaultClass, LatencyConfig, ListingPage, RateLimits, Spectra, SpectraError};

use crate::capabilities::{Capabilities, Keeps};
use crate::error::StoreError;
use crate::folder::{Answer, Folder};
use crate::location::{Location, ServedWorld};
use crate::network::{Broken, wait_for};
use crate::store::{PageStream, Store};
use access::Access;
use folder::SpectraFolder;

/// Entries of one page.
const PAGE_ENTRIES_MAX: usize = 8_192;

/// Calls that are made of a server at a time at most: how many of them are is left to the pace.
const CALLS_AT_ONCE: usize = 64;

/// Calls that wait at a time in this process.
const WAITS_AT_ONCE: usize = 32;

/// A world of the simulator.
#[derive(Debug)]
pub struct SpectraStore {
    access: Access,
    location: Location,
    capabilities: Capabilities,
}

/// What it can do. `waits` says that a call consists of waiting, as with any store that is far away.
fn capabilities(waits: bool, has_a_pace: bool, listings_at_once: usize) -> Capabilities {
    Capabilities {
        blocks_thread: !waits,
        time_resolution_ns: 1,
        listings_at_once,
        // It takes any name; longer ones than these are of no use to anybody.
        names: RuleSet::Linux,
        has_a_pace,
        keeps: Keeps { modified: true, ..Keeps::default() },
        ..Capabilities::default()
    }
}

impl SpectraStore {
    /// A world of an open simulator. `location` is what the store is called.
    pub fn open(simulator: &Spectra, world: &str, location: Location) -> Result<Self, SpectraError> {
        let chaos = &simulator.config().chaos;
        let waits = chaos.enabled && chaos.latency != LatencyConfig::default();
        let has_a_pace = waits || chaos.enabled && chaos.rate_limits != RateLimits::default();
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let listings_at_once = if waits { WAITS_AT_ONCE } else { cores.clamp(1, 8) };
        let access = Access::embedded(simulator, simulator.world(world)?);
        Ok(SpectraStore { access, location, capabilities: capabilities(waits, has_a_pace, listings_at_once) })
    }

    /// A world of a server, which is asked whether it has that. Blocks the thread until it has answered.
    pub fn of_server(served: &ServedWorld) -> Result<Self, StoreError> {
        let client = Client::new(&served.server, &served.world)?;
        let asked = client.clone();
        let worlds = wait_for(async move { asked.worlds().await })?;
        if !worlds.contains(&served.world) {
            let message = format!("the server has no such world: it has {}", worlds.join(", "));
            return Err(StoreError::new(ErrorClass::Fatal, message));
        }
        let location = Location::ServedSpectra(served.clone());
        let capabilities = capabilities(true, true, CALLS_AT_ONCE);
        Ok(SpectraStore { access: Access::Served(client), location, capabilities })
    }
}

/// Where a listing goes on.
enum Position {
    Start,
    After(Vec<u8>),
    End,
}

impl Store for SpectraStore {
    fn location(&self) -> String {
        self.location.to_string()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        let path = path.to_owned();
        stream::unfold((self, path, Position::Start), |(store, path, position)| async move {
            let after = match &position {
                Position::Start => None,
                Position::After(name) => Some(name.as_slice()),
                Position::End => return None,
            };
            Some(match store.access.list(&path, after, PAGE_ENTRIES_MAX).await {
                Ok(page) => {
                    // Whoever asks for this target learns which folders were listed, and when.
                    if after.is_none() {
                        tracing::trace!(target: "longhaul::listing", world = %store.access.world(), path = %encode_name(&path));
                    }
                    let found = to_page(&page);
                    let next = page.next.map_or(Position::End, Position::After);
                    (Ok(found), (store, path, next))
                }
                Err(fault) => (Err(fault.into()), (store, path, position)),
            })
        })
        .boxed()
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        Box::pin(async move { Ok(Box::new(SpectraFolder::open(self, path).await?) as _) })
    }

    /// Only a power cut needs it: what was written survives the end of the process by itself.
    fn flush(&self) -> Answer<'_, ()> {
        Box::pin(async move { self.access.flush().await.map_err(StoreError::from) })
    }
}

fn to_page(listed: &ListingPage) -> Page {
    let mut page = Page::with_capacity(listed.entries.len());
    for entry in listed.entries.iter() {
        let (kind, size) = match entry.info.kind {
            longhaul_spectra::NodeKind::Folder => (NodeKind::Folder, None),
            longhaul_spectra::NodeKind::File => (NodeKind::File, i64::try_from(entry.info.size).ok()),
        };
        page.push(entry.name, kind, size, Some(entry.info.modified_ns));
    }
    page
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        let class = match fault.class {
            FaultClass::Transient => ErrorClass::Transient,
            FaultClass::Throttled => ErrorClass::Throttled,
            FaultClass::Vanished | FaultClass::WrongKind => ErrorClass::Vanished,
            FaultClass::BadName => ErrorClass::BadName,
            FaultClass::NoSpace => ErrorClass::NoSpace,
            FaultClass::Fatal => ErrorClass::Fatal,
            FaultClass::Denied | FaultClass::AlreadyExists | FaultClass::NotEmpty => ErrorClass::Denied,
        };
        StoreError { class, message: fault.message, retry_after: fault.retry_after }
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Self {
        Fault { class: FaultClass::Denied, retry_after: None, message: broken.to_string() }
    }
}

#[cfg(test)]
mod tests;
