//! The Lister: lists one folder after the other, and sends what it finds to the DB actor.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};
use backon::{BackoffBuilder, ExponentialBuilder};
use futures_util::StreamExt;
use longhaul_ledger::{FailedListing, Folder, ListedPage};
use longhaul_model::{Page, Side, decode_name};
use longhaul_storage::{Store, StoreError};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::messages::{ActorDied, BatchDone, DeathNotice, ListFolders, Listed, RecordListings, StoreGaveUp, Which};

/// What was found is sent on when it has this many entries.
const SEND_ENTRIES: usize = 4_096;

/// What a page costs beside its entries, in entries: there may be a great many folders with nothing in them.
const PAGE_COST: usize = 8;

/// What was found is sent on after this time at the latest, so that a slow store's folders do not wait for each other.
const SEND_AFTER: Duration = Duration::from_millis(20);

/// When and how often a listing is tried again.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Attempts in all, at least one.
    pub attempts_max: u32,
    /// The first pause; each one after it is twice as long.
    pub pause_first: Duration,
    /// The longest pause.
    pub pause_max: Duration,
    /// Seed of the pauses' jitter.
    pub jitter_seed: u64,
}

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
    links: ListerLinks,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    death_notice: DeathNotice,
}

impl Lister {
    /// The Lister with this number of this side.
    pub fn new(side: Side, number: usize, store: Arc<dyn Store>, retry: RetryPolicy, links: ListerLinks) -> Self {
        let death_notice = DeathNotice::new(Which::Lister(side, number), links.died.clone());
        Lister { side, number, store, retry, links, death_notice }
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
            links: self.links.clone(),
            found: Vec::new(),
            found_entries: 0,
            sent_at: Instant::now(),
        };
        let (side, lister) = (self.side, self.number);
        // One batch after the other: the next message is looked at when this one is done.
        ctx.wait(batch.list(folders).into_actor(self).map(move |given_back, this, _| {
            this.links.done.do_send(BatchDone { side, lister, given_back });
        }));
    }
}

/// The folders of one message, being listed.
struct Batch {
    side: Side,
    store: Arc<dyn Store>,
    retry: RetryPolicy,
    links: ListerLinks,
    found: Vec<Listed>,
    found_entries: usize,
    sent_at: Instant,
}

impl Batch {
    /// Lists the folders. Returns how many were not, because the run is being stopped.
    async fn list(mut self, folders: Vec<Folder>) -> usize {
        let mut given_back = 0;
        for folder in folders {
            if self.links.stop.is_cancelled() || !self.list_folder(folder).await {
                given_back += 1;
            }
        }
        self.send().await;
        given_back
    }

    /// Lists one folder, trying again where that makes sense. Returns `false` where it was left pending.
    async fn list_folder(&mut self, folder: Folder) -> bool {
        let mut pauses = self.pauses(&folder);
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
                Some(Err(error)) if error.class.suspends() => {
                    tracing::warn!(side = %self.side, path = folder.path, class = %error.class, "{error}");
                    let path = folder.path;
                    self.links.gave_up.do_send(StoreGaveUp { side: self.side, path, error });
                    return false;
                }
                Some(Err(error)) if error.class.is_retried() => {
                    if attempts_in_a_row >= self.retry.attempts_max && !self.store_is_away(since).await {
                        self.failed(folder, kept_back, error, attempts).await;
                        return true;
                    }
                    if let Some(away) = self.links.health.away_for() {
                        let message = format!("{error}, and nothing else for {} s", away.as_secs());
                        let error = StoreError::new(error.class, message);
                        self.links.gave_up.do_send(StoreGaveUp { side: self.side, path: folder.path, error });
                        return false;
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
                    attempts += 1;
                    attempts_in_a_row += 1;
                    if !any_page {
                        pages = self.store.clone().list(&path);
                    }
                }
                Some(Err(error)) => {
                    self.links.health.answered();
                    self.failed(folder, kept_back, error, attempts).await;
                    return true;
                }
            }
        }
    }

    /// Whether it is the store that does not answer, and not just a folder that has failed since `since`: nobody else
    /// had an answer in the meantime, and the root gives none now.
    async fn store_is_away(&self, since: Instant) -> bool {
        let health = &self.links.health;
        if health.is_folder_s_own(since) {
            return false;
        }
        let root = self.store.clone().list(b"/").next().await;
        let is_away = matches!(root, Some(Err(error)) if error.class.is_retried());
        if !is_away {
            health.answered();
        }
        is_away
    }

    async fn found_page(&mut self, folder: &Folder, page: Page, is_last: bool, attempts: u32) {
        self.found_entries += page.len() + PAGE_COST;
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

    fn pauses(&self, folder: &Folder) -> impl Iterator<Item = Duration> + use<> {
        let pause_max = self.retry.pause_max;
        ExponentialBuilder::default()
            .with_min_delay(self.retry.pause_first)
            // Jitter adds up to as much again.
            .with_max_delay(self.retry.pause_max / 2)
            .with_max_times(self.retry.attempts_max as usize)
            .with_jitter()
            .with_jitter_seed(self.retry.jitter_seed ^ folder.id.0.unsigned_abs())
            .build()
            .map(move |pause| pause.min(pause_max))
    }
}

#[cfg(test)]
mod tests;
