//! The Lister: lists one folder after the other, and sends what it finds to the ledger actor.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use futures_util::StreamExt;
use longhaul_ledger::{FailedListing, Folder, ListedPage};
use longhaul_model::{Page, Side, decode_name};
use longhaul_storage::{Store, StoreError};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::WorkerLinks;
use crate::attempts::{AfterFailure, Probe, RetryPolicy, WatchedStore, wait};
use crate::filter::Filter;
use crate::health::Health;
use crate::messages::{ActorName, DeathNotice, LedgerRequest, ListFolders, Listed, ListingReport};
use crate::traffic::Traffic;

/// What was found is sent on when it has this many entries.
const SEND_ENTRIES: usize = 4_096;

/// What a page costs beside its entries, in entries: there may be a great many folders with nothing in them.
const PAGE_COST: usize = 8;

/// What was found is sent on after this time at the latest, so that a slow store's folders do not wait for each other.
const SEND_AFTER: Duration = Duration::from_millis(20);

/// What all Listers of one side have in common.
#[derive(Clone, Debug)]
pub(crate) struct ListContext {
    /// Which side.
    pub(crate) side: Side,
    /// Where folders are listed.
    pub(crate) store: Arc<dyn Store>,
    /// When and how often a listing that failed is retried.
    pub(crate) retry: RetryPolicy,
    /// Whether the store answers at all.
    pub(crate) health: Health,
    /// What is excluded: it is recorded, and not descended into.
    pub(crate) filter: Option<Arc<Filter>>,
    /// Set when the run is being stopped.
    pub(crate) stop: CancellationToken,
}

/// Lists folders of one side.
#[derive(Debug)]
pub(crate) struct Lister {
    name: ActorName,
    context: ListContext,
    links: WorkerLinks<ListingReport>,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    death_notice: DeathNotice,
}

impl Lister {
    /// The Lister with this name.
    pub(crate) fn new(
        name: ActorName,
        context: ListContext,
        links: WorkerLinks<ListingReport>,
        death_notice: DeathNotice,
    ) -> Self {
        Lister { name, context, links, death_notice }
    }
}

impl Actor for Lister {
    type Context = Context<Self>;
}

impl Handler<ListFolders> for Lister {
    type Result = ();

    fn handle(&mut self, ListFolders(folders): ListFolders, ctx: &mut Self::Context) {
        let batch = Batch {
            context: self.context.clone(),
            links: self.links.clone(),
            found: Vec::new(),
            found_entries: 0,
            sent_at: Instant::now(),
            given_back: 0,
            traffic: Traffic { received: folders.len() as u64, ..Traffic::default() },
        };
        // One batch after the other: the next message is looked at when this one is done.
        ctx.wait(batch.list(folders).into_actor(self).map(|report, this, _| this.links.done(this.name, report)));
    }
}

/// The folders of one message, being listed.
struct Batch {
    context: ListContext,
    links: WorkerLinks<ListingReport>,
    found: Vec<Listed>,
    found_entries: usize,
    sent_at: Instant,
    given_back: usize,
    traffic: Traffic,
}

impl Batch {
    async fn list(mut self, folders: Vec<Folder>) -> ListingReport {
        for folder in folders {
            if self.context.stop.is_cancelled() || !self.list_folder(folder).await {
                self.given_back += 1;
                self.traffic.answered += 1;
            }
        }
        self.send().await;
        self.traffic.close();
        ListingReport { given_back: self.given_back, traffic: self.traffic }
    }

    /// Lists one folder, retrying where that makes sense. Returns `false` where it was left pending.
    async fn list_folder(&mut self, folder: Folder) -> bool {
        let mut attempts = self.context.retry.first_attempt(folder.id);
        let path = decode_name(&folder.path).expect("the ledger gives out printable paths");
        let mut pages = self.context.store.clone().list(&path);
        // A page is kept back until it is known whether it is the last one.
        let mut kept_back: Option<Page> = None;
        let mut any_page = false;
        loop {
            let error = match pages.next().await {
                Some(Ok(page)) => {
                    any_page = true;
                    attempts.progressed();
                    self.context.health.answered();
                    if let Some(earlier) = kept_back.replace(page) {
                        self.found_page(&folder, earlier, false, attempts.made()).await;
                    }
                    continue;
                }
                None => {
                    self.context.health.answered();
                    self.found_page(&folder, kept_back.unwrap_or_default(), true, attempts.made()).await;
                    return true;
                }
                Some(Err(error)) => error,
            };
            let probe = if folder.path == "/" && !any_page { Probe::IsRoot } else { Probe::Root };
            let store = WatchedStore { store: &self.context.store, health: &self.context.health };
            match attempts.after(Some(store), error, probe, || folder.path.clone()).await {
                AfterFailure::Retry(pause) => {
                    // What others wait for should not wait for this folder.
                    self.send().await;
                    // Its pages, if any, are dropped when it is listed again.
                    if !wait(pause, &self.context.stop).await {
                        return false;
                    }
                    if !any_page {
                        pages = self.context.store.clone().list(&path);
                    }
                }
                AfterFailure::GiveUp(error) => {
                    self.failed(folder, kept_back, error, attempts.made()).await;
                    return true;
                }
                AfterFailure::Suspend(error) => {
                    self.links.suspend(self.context.side, folder.path, error);
                    return false;
                }
            }
        }
    }

    async fn found_page(&mut self, folder: &Folder, mut page: Page, is_last: bool, attempts: u32) {
        if let Some(filter) = &self.context.filter {
            filter.apply(&folder.path, folder.depth, &mut page);
        }
        self.found_entries += page.len() + PAGE_COST;
        self.traffic.answered += u64::from(is_last);
        self.found.push(Listed::Page(ListedPage { folder: folder.clone(), page, is_last, attempts }));
        self.send_if_due().await;
    }

    /// What of it was found before is kept.
    async fn failed(&mut self, folder: Folder, found: Option<Page>, error: StoreError, attempts: u32) {
        if let Some(page) = found {
            self.found_page(&folder, page, false, attempts).await;
        }
        tracing::debug!(side = %self.context.side, path = folder.path, class = %error.class, attempts, "not listed: {error}");
        self.found_entries += PAGE_COST;
        self.traffic.answered += 1;
        let StoreError { class, message, .. } = error;
        self.found.push(Listed::Failed(FailedListing { folder, class, message, attempts }));
        self.send_if_due().await;
    }

    async fn send_if_due(&mut self) {
        if self.found_entries >= SEND_ENTRIES || self.sent_at.elapsed() >= SEND_AFTER {
            self.send().await;
        }
    }

    /// Sends what was found, when there is room for it.
    async fn send(&mut self) {
        self.sent_at = Instant::now();
        if self.found.is_empty() {
            return;
        }
        let (places, listed) = (std::mem::take(&mut self.found_entries), std::mem::take(&mut self.found));
        self.links.ledger.send(LedgerRequest::Listings { side: self.context.side, listed }, places).await;
    }
}

#[cfg(test)]
mod tests;
