//! A world of the simulator, embedded in this process.

mod folder;

use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use longhaul_model::{ErrorClass, NodeKind, Page, encode_name};
use longhaul_naming::RuleSet;
use longhaul_spectra::{
    Fault, FaultClass, LatencyConfig, ListingPage, RateLimits, Reply, Spectra, SpectraError, World,
};
use tokio::time::Instant;

use crate::error::StoreError;
use crate::folder::{Answer, Folder, Keeps};
use crate::location::Location;
use crate::store::{Capabilities, PageStream, Store};
use folder::SpectraFolder;

/// Entries of one page.
const PAGE_ENTRIES_MAX: usize = 8_192;

/// A world of the simulator.
#[derive(Debug)]
pub struct SpectraStore {
    simulator: Spectra,
    world: World,
    location: Location,
    started: Instant,
    /// With a latency it is waiting that a call consists of, as with any store that is far away.
    waits: bool,
    /// With a limit or a latency.
    has_a_pace: bool,
}

impl SpectraStore {
    /// A world of an open simulator. `location` is what the store is called.
    pub fn open(simulator: &Spectra, world: &str, location: Location) -> Result<Self, SpectraError> {
        let chaos = &simulator.config().chaos;
        let waits = chaos.enabled && chaos.latency != LatencyConfig::default();
        let has_a_pace = waits || chaos.enabled && chaos.rate_limits != RateLimits::default();
        let world = simulator.world(world)?;
        Ok(SpectraStore { simulator: simulator.clone(), world, location, started: Instant::now(), waits, has_a_pace })
    }
}

/// What a reply says, after as long as it says.
async fn awaited<T>(reply: Reply<T>) -> Result<T, Fault> {
    if !reply.latency.is_zero() {
        tokio::time::sleep(reply.latency).await;
    }
    reply.result
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
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Capabilities {
            blocks_thread: !self.waits,
            time_resolution_ns: 1,
            listings_at_once: if self.waits { 32 } else { cores.clamp(1, 8) },
            // It takes any name; longer ones than these are of no use to anybody.
            names: RuleSet::Linux,
            has_a_pace: self.has_a_pace,
            ..Capabilities::default()
        }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        let path = path.to_owned();
        stream::unfold((self, path, Position::Start), |(store, path, position)| async move {
            let after = match &position {
                Position::Start => None,
                Position::After(name) => Some(name.as_slice()),
                Position::End => return None,
            };
            let reply = store.world.list(&path, after, PAGE_ENTRIES_MAX, store.started.elapsed());
            Some(match awaited(reply).await {
                Ok(page) => {
                    // Whoever asks for this target learns which folders were listed, and when.
                    if after.is_none() {
                        tracing::trace!(target: "longhaul::listing", world = %store.world.name(), path = %encode_name(&path));
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

    fn keeps(&self) -> Keeps {
        Keeps { modified: true, ..Keeps::default() }
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        Box::pin(async move { Ok(Box::new(SpectraFolder::open(self, path).await?) as _) })
    }

    /// Only a power cut needs it: what was written survives the end of the process by itself.
    fn flush(&self) -> Answer<'_, ()> {
        Box::pin(std::future::ready(self.simulator.flush().map_err(StoreError::from)))
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

#[cfg(test)]
mod tests;
