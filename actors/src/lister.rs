//! The Lister: lists one folder after the other, and sends what it finds to the DB actor.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};
use futures_util::StreamExt;
use longhaul_ledger::{FailedListing, Folder, ListedPage};
use longhaul_model::{ErrorClass, Page, Side, decode_name};
use longhaul_storage::{Store, StoreError};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::filter::Filter;
use crate::health::Health;
use crate::messages::{ActorDied, BatchDone, DeathNotice, ListFolders, Listed, RecordListings, StoreGaveUp, Which};
use crate::retry::RetryPolicy;
use crate::traffic::Traffic;

/// What was found is sent on when it has this many entries.
const SEND_ENTRIES: usize = 4_096;

/// What a page costs beside its entries, in entries: there may be a great many folders with nothing in them.
const PAGE_COST: usize = 8;

/// What was found is sent on after this time at the latest, so that a slow store's folders do not wait for each other.
const SEND_AFTER: Duration = Duration::from_millis(20);

/// A Lister's surroundings. Everything it needs is given to it, so that it can be tried alone.
#[derive(Clone, Debug)]
pub struct ListerLinks {
    /// Where listings go.
    pub records: Recipient<RecordListings>,
    /// Who is told that a batch is done.
    pub done: Recipient<BatchDone>,
    /// Who is told that a store gave up.
    pub gave_up: Recipient<StoreGaveUp>,
    /// Who is told if the actor dies.
    pub died: Recipient<ActorDied>,
    /// What all Listers of this side know of their store.
    pub health: Health,
    /// Places for entries that are under way to the DB actor, and how many there are.
    pub places: Arc<Semaphore>,
    /// How many places there are.
    pub places_max: usize,
    /// Set when the run is being stopped.
    pub stop: CancellationToken,
}

/// Lists folders of one side.
#[derive(Debug)]
pub struct Lister {
    side: Side,
    number: usize,
    store: Arc<dyn Store>,
    retry: RetryPolicy,
    filter: Option<Arc<Filter>>,
    links: ListerLinks,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    death_notice: DeathNotice,
}

impl Lister {
    /// The Lister with this number of this side.
    pub fn new(side: Side, number: usize, store: Arc<dyn Store>, retry: RetryPolicy, links: ListerLinks) -> Self {
        let death_notice = DeathNotice::new(Which::Lister(side, number), links.died.clone());
        Lister { side, number, store, retry, filter: None, links, death_notice }
    }

    /// Leaves out what `filter` says: it is recorded, and not descended into.
    #[must_use]
    pub fn with_filter(self, filter: Option<Arc<Filter>>) -> Self {
        Lister { filter, ..self }
    }
}

impl Actor for Lister {
    type Context = Context<Self>;
}

impl Handler<ListFolders> for Lister {
    type Result = ();

    fn handle(&mut self, ListFolders(folders): ListFolders, ctx: &mut Self::Context) {
        let batch = Batch {
            side: self.side,
            store: self.store.clone(),
            retry: self.retry,
            filter: self.filter.clone(),
            links: self.links.clone(),
            found: Vec::new(),
            found_entries: 0,
            sent_at: Instant::now(),
            given_back: 0,
            traffic: Traffic { received: folders.len() as u64, ..Traffic::default() },
        };
        let (side, lister) = (self.side, self.number);
        // One batch after the other: the next message is looked at when this one is done.
        ctx.wait(batch.list(folders).into_actor(self).map(move |(given_back, traffic), this, _| {
            this.links.done.do_send(BatchDone { side, lister, given_back, traffic });
        }));
    }
}

/// The folders of one message, being listed.
struct Batch {
    side: Side,
    store: Arc<dyn Store>,
    retry: RetryPolicy,
    filter: Option<Arc<Filter>>,
    links: ListerLinks,
    found: Vec<Listed>,
    found_entries: usize,
    sent_at: Instant,
    given_back: usize,
    traffic: Traffic,
}

impl Batch {
    /// Lists the folders. Returns how many were not, because the run is being stopped, and the count of all of them.
    async fn list(mut self, folders: Vec<Folder>) -> (usize, Traffic) {
        for folder in folders {
            if self.links.stop.is_cancelled() || !self.list_folder(folder).await {
                self.given_back += 1;
                self.traffic.answered += 1;
            }
        }
        self.send().await;
        self.traffic.close();
        (self.given_back, self.traffic)
    }

    /// Lists one folder, trying again where that makes sense. Returns `false` where it was left pending.
    async fn list_folder(&mut self, folder: Folder) -> bool {
        let mut pauses = self.retry.pauses(folder.id);
        let mut attempts = 1;
        // A very large folder may well have an error now and then: only those without a page between them count.
        let mut attempts_in_a_row = 1;
        let mut since = Instant::now();
        let path = decode_name(&folder.path).expect("the ledger gives out printable paths");
        let mut pages = self.store.clone().list(&path);
        // A page is kept back until it is known whether it is the last one.
        let mut kept_back: Option<Page> = None;
        let mut any_page = false;
        loop {
            match pages.next().await {
                Some(Ok(page)) => {
                    any_page = true;
                    attempts_in_a_row = 1;
                    since = Instant::now();
                    self.links.health.answered();
                    if let Some(earlier) = kept_back.replace(page) {
                        self.found_page(&folder, earlier, false, attempts).await;
                    }
                }
                None => {
                    self.links.health.answered();
                    self.found_page(&folder, kept_back.unwrap_or_default(), true, attempts).await;
                    return true;
                }
                Some(Err(error)) if error.class.suspends() => return self.give_up(folder, error),
                Some(Err(error)) if error.class == ErrorClass::Denied && !any_page && folder.path == "/" => {
                    return self.give_up(folder, error);
                }
                Some(Err(error)) if error.class.is_retried() => {
                    // To be asked for patience is no failure, however often that happens, where the pace sees to it.
                    let is_patient = error.class == ErrorClass::Throttled && self.store.capabilities().has_a_pace;
                    if !is_patient
                        && attempts_in_a_row >= self.retry.attempts_max
                        && !self.links.health.store_is_away(&self.store, since).await
                    {
                        self.failed(folder, kept_back, error, attempts).await;
                        return true;
                    }
                    if let Some(away) = self.links.health.away_for()
                        && self.links.health.store_is_away(&self.store, since).await
                    {
                        let message = format!("{error}, and nothing else for {} s", away.as_secs());
                        return self.give_up(folder, StoreError::new(error.class, message));
                    }
                    let pause = error.retry_after.or_else(|| pauses.next()).unwrap_or(self.retry.pause_max);
                    tracing::debug!(
                        side = %self.side, path = folder.path, attempt = attempts, class = %error.class,
                        pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX), "{error}"
                    );
                    // What others wait for should not wait for this folder.
                    self.send().await;
                    tokio::select! {
                        // The stop first: where both have come, chance must not decide.
                        biased;
                        // Its pages, if any, are dropped when it is listed again.
                        () = self.links.stop.cancelled() => return false,
                        () = tokio::time::sleep(pause) => {}
                    }
                    attempts += u32::from(!is_patient);
                    attempts_in_a_row += u32::from(!is_patient);
                    if !any_page {
                        pages = self.store.clone().list(&path);
                    }
                }
                Some(Err(error)) => {
                    self.links.health.answered();
                    if error.class == ErrorClass::Denied && self.root_is_denied().await {
                        let message = format!("{error}, and so is the root");
                        return self.give_up(folder, StoreError::new(error.class, message));
                    }
                    self.failed(folder, kept_back, error, attempts).await;
                    return true;
                }
            }
        }
    }

    /// Whether the store refuses everything, and not just a folder: one that is denied while the root can be listed has
    /// a problem of its own. Where the root is denied as well, the credentials are, and every other folder would be.
    async fn root_is_denied(&self) -> bool {
        let root = self.store.clone().list(b"/").next().await;
        matches!(root, Some(Err(error)) if error.class == ErrorClass::Denied)
    }

    /// Going on makes no sense. The folder stays pending; returns `false`, which says that.
    fn give_up(&self, folder: Folder, error: StoreError) -> bool {
        // Whoever started the run gets to know it as well, and says it louder.
        tracing::info!(side = %self.side, path = folder.path, class = %error.class, "{error}");
        self.links.gave_up.do_send(StoreGaveUp { side: self.side, path: folder.path, error });
        false
    }

    async fn found_page(&mut self, folder: &Folder, mut page: Page, is_last: bool, attempts: u32) {
        if let Some(filter) = &self.filter {
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
        tracing::debug!(side = %self.side, path = folder.path, class = %error.class, attempts, "not listed: {error}");
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
        let places = std::mem::take(&mut self.found_entries).min(self.links.places_max);
        let places = u32::try_from(places).expect("places are fewer than 2^32");
        // The semaphore is never closed: only then could this fail.
        let permit = self.links.places.clone().acquire_many_owned(places).await.ok();
        let listed = std::mem::take(&mut self.found);
        self.links.records.do_send(RecordListings { side: self.side, listed, permit });
    }
}

#[cfg(test)]
mod tests;
