//! The Copier: does one thing after the other that the plan says, and sends the results to the ledger actor.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use longhaul_ledger::{
    CopyDurability, CopyOutcome, CopyResult, ExpectedBatch, MadeFolder, PartCopied, PlanBatch, PlanItem,
    UnfinishedFolder,
};
use longhaul_model::{BySide, ErrorClass, NodeId, NodeKind, Reason, Side, child_path, decode_name};
use longhaul_storage::StoreError;
use tokio::time::Instant;

use super::attributes::without_foreign_bits;
use super::context::{AtSide, Attempt, AttemptError, CopyContext, is_gone};
use super::folders::OpenFolders;
use super::parts::{Prepared, UNHASHED};
use super::transfer::{Names, Transfer};
use super::verification::Checking;
use super::work::{CopyReport, CopyWork, LargeFile, LargeItem, first_id};
use crate::attempts::{AfterFailure, Attempts, Probe, WatchedStore, wait};
use crate::messages::{ActorName, CopyRecords, DeathNotice, LedgerRequest, VerifyRecords};
use crate::worker::WorkerLinks;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// What was done is sent on after this time at the latest.
const SEND_AFTER: Duration = Duration::from_millis(100);

/// Copies what the plan says, and verifies what was copied.
#[derive(Debug)]
pub(crate) struct Copier {
    name: ActorName,
    context: Arc<CopyContext>,
    links: WorkerLinks<CopyReport>,
    buffer: Vec<u8>,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    death_notice: DeathNotice,
}

impl Copier {
    /// The Copier with this name.
    pub(crate) fn new(
        name: ActorName,
        context: Arc<CopyContext>,
        links: WorkerLinks<CopyReport>,
        death_notice: DeathNotice,
    ) -> Self {
        Copier { name, context, links, buffer: vec![0; BUFFER_BYTES], death_notice }
    }
}

impl Actor for Copier {
    type Context = Context<Self>;
}

impl Handler<CopyWork> for Copier {
    type Result = ();

    fn handle(&mut self, work: CopyWork, ctx: &mut Self::Context) {
        let job = Job {
            context: self.context.clone(),
            links: self.links.clone(),
            buffer: std::mem::take(&mut self.buffer),
            copied: CopyRecords::default(),
            verified: VerifyRecords::default(),
            sent_at: Instant::now(),
        };
        // One thing after the other: the next message is looked at when this one is done.
        ctx.wait(job.work(work).into_actor(self).map(|(report, buffer), this, _| {
            this.buffer = buffer;
            this.links.done(this.name, report);
        }));
    }
}

/// One message's work.
struct Job {
    context: Arc<CopyContext>,
    links: WorkerLinks<CopyReport>,
    buffer: Vec<u8>,
    copied: CopyRecords,
    verified: VerifyRecords,
    sent_at: Instant,
}

/// What the attempts at one thing came to.
enum Attempted<T> {
    Done(T),
    /// The source changed: the whole file starts over.
    Changed,
    /// It failed for good, with this result.
    GivenUp(CopyOutcome),
    /// It stays pending.
    GivenBack,
}

/// An item that is being attempted.
#[derive(Clone, Copy)]
struct Subject<'a> {
    item: &'a PlanItem,
    /// The printable path on the source of the folder that it is in.
    folder: &'a str,
    /// Of a file that was prepared: which attempt at the whole file this is. It starts over where it changed.
    file_attempt: Option<u32>,
}

impl<'a> Subject<'a> {
    fn of_large(large: &'a LargeItem) -> Self {
        Subject { item: &large.item, folder: &large.folder, file_attempt: Some(large.attempt) }
    }

    fn path(&self) -> String {
        child_path(self.folder, &self.item.name)
    }
}

impl Job {
    async fn work(mut self, work: CopyWork) -> (CopyReport, Vec<u8>) {
        let report = match work {
            CopyWork::Items(batches) => self.items(batches).await,
            CopyWork::Prepare(large) => self.prepare(&large).await,
            CopyWork::Part { file, part } => self.part(&file, part).await,
            CopyWork::Place { file, checksum } => self.place(&file, checksum).await,
            CopyWork::Fail { large, outcome, attempts } => self.large_is_over(&large, outcome, attempts).await,
            CopyWork::FinishFolders(folders) => self.finish_folders(folders).await,
            CopyWork::Verify(batches) => self.verify(batches).await,
        };
        self.send().await;
        (report, self.buffer)
    }

    async fn items(&mut self, batches: Vec<PlanBatch>) -> CopyReport {
        let (mut made, mut lost, mut given_back) = (Vec::new(), Vec::new(), 0);
        for batch in batches {
            let mut opened = OpenFolders::new(&batch.path, batch.path_on_destination());
            for item in &batch.items {
                let result = self.one_item(&mut opened, &batch.path, item).await;
                let is_over = result.as_ref().is_some_and(|(outcome, _)| !matches!(outcome, CopyOutcome::Copied(_)));
                if is_over && self.context.may_be_begun(item.id) {
                    self.tidy_up(&opened.paths.dst, item.id).await;
                }
                self.context.attempted.remove(item.id);
                let Some((outcome, attempts)) = result else {
                    given_back += 1;
                    continue;
                };
                if item.kind == NodeKind::Folder {
                    match outcome {
                        CopyOutcome::Copied(_) | CopyOutcome::AlreadyThere => made.push(item.id),
                        CopyOutcome::Skipped(_)
                        | CopyOutcome::Conflict(_)
                        | CopyOutcome::Vanished(_)
                        | CopyOutcome::Failed { .. } => lost.push(item.id),
                    }
                }
                self.record(item, batch.depth, outcome, attempts).await;
            }
        }
        CopyReport::Items { made, lost, given_back }
    }

    /// The result of an item, and after how many attempts; `None` where it stays pending.
    async fn one_item(
        &mut self,
        opened: &mut OpenFolders,
        folder: &str,
        item: &PlanItem,
    ) -> Option<(CopyOutcome, u32)> {
        if let Some(outcome) = &opened.failed {
            return Some((outcome.clone(), 0));
        }
        let mut attempts = self.context.retry.first_attempt(item.id);
        let subject = Subject { item, folder, file_attempt: None };
        let mut is_again = false;
        let attempted = self
            .attempt(subject, opened, &mut attempts, async |transfer, buffer| {
                if std::mem::replace(&mut is_again, true) {
                    transfer.context.attempted.insert(item.id);
                }
                transfer.attempt(buffer).await
            })
            .await;
        match attempted {
            Attempted::Done(outcome) => {
                self.answered();
                Some((outcome, attempts.made()))
            }
            Attempted::GivenUp(outcome) => {
                if !opened.are_open() {
                    opened.failed = Some(outcome.clone());
                }
                Some((outcome, attempts.made()))
            }
            Attempted::Changed | Attempted::GivenBack => None,
        }
    }

    async fn prepare(&mut self, large: &LargeItem) -> CopyReport {
        let mut opened = OpenFolders::of_large(large);
        let mut attempts = self.context.retry.first_attempt(large.item.id);
        let subject = Subject { file_attempt: None, ..Subject::of_large(large) };
        let prepared = self
            .attempt(subject, &mut opened, &mut attempts, async |transfer, buffer| {
                transfer.prepare(large, buffer).await
            })
            .await;
        match prepared {
            Attempted::Done(Prepared::File(file)) => {
                if file.done.is_empty() && !(large.item.parts.is_empty() && large.attempt == 1) {
                    self.copied.forget.push(large.item.id);
                }
                CopyReport::Prepared(file)
            }
            Attempted::Done(Prepared::Outcome(outcome)) | Attempted::GivenUp(outcome) => {
                self.large_is_over(large, outcome, attempts.made()).await
            }
            Attempted::Changed | Attempted::GivenBack => CopyReport::LargeGivenBack(large.item.id),
        }
    }

    async fn part(&mut self, file: &LargeFile, part: u32) -> CopyReport {
        let large = &file.large;
        let id = large.item.id;
        let mut opened = OpenFolders::of_large(large);
        let mut attempts = self.context.retry.first_attempt(id);
        let copied = self
            .attempt(Subject::of_large(large), &mut opened, &mut attempts, async |transfer, buffer| {
                transfer.copy_part(file, part, buffer).await
            })
            .await;
        let value = match copied {
            Attempted::Done(value) => value,
            Attempted::Changed => return CopyReport::Changed(id),
            Attempted::GivenBack => return CopyReport::LargeGivenBack(id),
            Attempted::GivenUp(outcome) => {
                return CopyReport::PartFailed { id, outcome, attempts: attempts.made() };
            }
        };
        self.answered();
        let range = file.range(part);
        self.context.board.copied(0, range.end - range.start);
        let is_recorded = file.done.iter().any(|done| done.part == part && done.value == value);
        if !is_recorded && self.tells_whether_it_is_there(value) {
            self.copied.parts.push((id, PartCopied { part, facts: file.facts, value }));
        }
        CopyReport::Part { id, part, value: (value != UNHASHED).then_some(value) }
    }

    /// Whether what was recorded of a part tells afterwards whether it is complete: where nothing was hashed it does not,
    /// unless the part was flushed to disk.
    fn tells_whether_it_is_there(&self, value: [u8; 32]) -> bool {
        value != UNHASHED || self.context.copying.durability != CopyDurability::None
    }

    async fn place(&mut self, file: &LargeFile, checksum: Option<[u8; 32]>) -> CopyReport {
        let large = &file.large;
        let id = large.item.id;
        let mut opened = OpenFolders::of_large(large);
        let mut attempts = self.context.retry.first_attempt(id);
        let placed = self
            .attempt(Subject::of_large(large), &mut opened, &mut attempts, async |transfer, buffer| {
                let placed = transfer.place(file, checksum, buffer).await;
                if placed.is_err() {
                    // It may have its name all the same.
                    transfer.context.attempted.insert(id);
                }
                placed
            })
            .await;
        match placed {
            Attempted::Done(outcome) | Attempted::GivenUp(outcome) => {
                self.large_is_over(large, outcome, attempts.made()).await
            }
            Attempted::Changed => CopyReport::Changed(id),
            Attempted::GivenBack => CopyReport::LargeGivenBack(id),
        }
    }

    /// Records the result of a large file of which nothing else is in flight.
    async fn large_is_over(&mut self, large: &LargeItem, outcome: CopyOutcome, attempts: u32) -> CopyReport {
        let id = large.item.id;
        self.context.attempted.remove(id);
        if !matches!(outcome, CopyOutcome::Copied(_)) {
            let folder = decode_name(large.folder_on_destination()).expect("the ledger gives out printable paths");
            self.tidy_up(&folder, id).await;
        }
        self.copied.forget.push(id);
        self.record(&large.item, large.depth, outcome, attempts.max(large.attempt)).await;
        CopyReport::Large(id)
    }

    /// Removes what an attempt, or an earlier run, may have left of something that is not copied, as far as possible.
    /// The folder may be gone from the source.
    async fn tidy_up(&self, folder: &[u8], id: NodeId) {
        let temporary = self.context.temporary_name(id);
        let removed = self.context.retry.retry(id, &self.context.stop, async || {
            self.context.stores.dst.clone().folder(folder).await?.remove_draft(&temporary).await
        });
        if let Err(error) = removed.await {
            tracing::debug!(%id, "its temporary file stays, if there is one: {error}");
        }
    }

    async fn finish_folders(&mut self, folders: Vec<MadeFolder>) -> CopyReport {
        for folder in folders {
            let mut attempts = self.context.retry.first_attempt(folder.id);
            while let Err(trouble) = self.finish_folder(&folder).await {
                match self.after(trouble, &mut attempts, || folder.path.clone()).await {
                    None => {}
                    Some(Attempted::GivenUp(CopyOutcome::Failed { class, message })) => {
                        let message = format!("its time and permissions could not be set: {message}");
                        let attempts = attempts.made();
                        self.copied.unfinished.push(UnfinishedFolder { id: folder.id, class, message, attempts });
                        break;
                    }
                    // It is gone from the source: there is nothing to be set.
                    Some(Attempted::GivenUp(_)) => break,
                    // Set again by the next run.
                    Some(Attempted::Done(()) | Attempted::Changed | Attempted::GivenBack) => {
                        return CopyReport::Folders;
                    }
                }
            }
        }
        CopyReport::Folders
    }

    async fn finish_folder(&mut self, folder: &MadeFolder) -> Attempt<()> {
        self.context.check_stop()?;
        let mut opened = OpenFolders::new(&folder.path, folder.destination_path.as_ref().unwrap_or(&folder.path));
        let folders = opened.open(&self.context).await?;
        let facts = folders.source.facts().await.at_side(Side::Source)?;
        let attributes = self.context.attributes(folders.source, b"", &facts).await?;
        let (attributes, leaves_out) = without_foreign_bits(&attributes);
        folders.destination.set_attributes(&attributes, self.context.durability).await.at_side(Side::Destination)?;
        if leaves_out {
            self.context.board.left_out_special_bits();
        }
        Ok(())
    }

    async fn verify(&mut self, batches: Vec<ExpectedBatch>) -> CopyReport {
        let mut verified = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut checking = Checking::new(&batch, self.context.level);
            let mut attempts = self.context.retry.first_attempt(batch.folder);
            loop {
                let before = checking.progress();
                let Err(trouble) = checking.run(&self.context, &mut self.buffer).await else { break };
                if checking.progress() > before {
                    attempts = self.context.retry.first_attempt(batch.folder);
                }
                match self.after(trouble, &mut attempts, || batch.path.clone()).await {
                    None => {}
                    Some(Attempted::GivenUp(outcome)) => {
                        let message = match outcome {
                            CopyOutcome::Failed { message, .. } => message,
                            CopyOutcome::Vanished(reason) => reason.to_string(),
                            CopyOutcome::Copied(_)
                            | CopyOutcome::AlreadyThere
                            | CopyOutcome::Skipped(_)
                            | CopyOutcome::Conflict(_) => unreachable!("trouble does not lead to {outcome:?}"),
                        };
                        checking.give_up(&message);
                        attempts = self.context.retry.first_attempt(batch.folder);
                    }
                    Some(Attempted::Done(()) | Attempted::Changed | Attempted::GivenBack) => {
                        return CopyReport::Verified(verified);
                    }
                }
            }
            let checked = checking.into_checked();
            self.answered();
            self.context.board.copied(batch.nodes.len() as u64, checked.bytes_read);
            self.verified.nodes += batch.nodes.len() as u64;
            self.verified.bytes_read += checked.bytes_read;
            self.verified.differences.extend(checked.differences);
            verified.push(first_id(&batch));
        }
        CopyReport::Verified(verified)
    }

    fn answered(&self) {
        for side in Side::BOTH {
            self.context.health[side].answered();
        }
    }

    /// Attempts something with an item, in its two folders, until it succeeds or makes no sense any more.
    async fn attempt<T>(
        &mut self,
        subject: Subject<'_>,
        opened: &mut OpenFolders,
        attempts: &mut Attempts,
        mut once: impl AsyncFnMut(Transfer<'_>, &mut Vec<u8>) -> Attempt<T>,
    ) -> Attempted<T> {
        let names = names_of(subject.item);
        loop {
            let attempt = match opened.open(&self.context).await {
                Ok(folders) => {
                    let transfer = Transfer::new(&self.context, folders, subject.item, borrowed(&names));
                    once(transfer, &mut self.buffer).await
                }
                Err(trouble) => Err(trouble),
            };
            let trouble = match attempt {
                Ok(done) => return Attempted::Done(done),
                Err(trouble) => trouble,
            };
            if let (AttemptError::Changed(message), Some(attempt)) = (&trouble, subject.file_attempt) {
                if attempt < self.context.retry.attempts_max {
                    tracing::debug!(path = subject.path(), attempt, "starts over: {message}");
                    return Attempted::Changed;
                }
                attempts.count_as(attempt);
            }
            if let Some(over) = self.after(trouble, attempts, || subject.path()).await {
                return over;
            }
            opened.close();
        }
    }

    /// What a failed attempt leads to; `None` where it is to be retried. Waits before it says so.
    async fn after<T>(
        &mut self,
        trouble: AttemptError,
        attempts: &mut Attempts,
        path: impl Fn() -> String,
    ) -> Option<Attempted<T>> {
        let (side, error) = match trouble {
            AttemptError::Stopped => return Some(Attempted::GivenBack),
            AttemptError::Changed(message) => (None, StoreError::new(ErrorClass::Transient, message)),
            AttemptError::Store(side, error) => (Some(side), error),
        };
        let CopyContext { stores, health, .. } = &*self.context;
        let store = side.map(|side| WatchedStore { store: &stores[side], health: &health[side] });
        match attempts.after(store, error, Probe::Store, &path).await {
            AfterFailure::Retry(pause) => {
                // What others wait for should not wait for this.
                self.send().await;
                (!wait(pause, &self.context.stop).await).then_some(Attempted::GivenBack)
            }
            AfterFailure::GiveUp(error) => Some(Attempted::GivenUp(outcome_of(side, error))),
            AfterFailure::Suspend(error) => {
                self.links.suspend(side.unwrap_or(Side::Source), path(), error);
                // Whatever comes next would only end in the same way. After the message: that something is given back
                // must not arrive before the reason.
                self.context.stop.cancel();
                Some(Attempted::GivenBack)
            }
        }
    }

    async fn record(&mut self, item: &PlanItem, depth: i32, mut outcome: CopyOutcome, attempts: u32) {
        if let CopyOutcome::Copied(copied) = &mut outcome
            && copied.name.is_none()
        {
            copied.name.clone_from(&item.new_name);
        }
        if let CopyOutcome::Failed { class, message } = &outcome {
            tracing::debug!(name = item.name, %class, attempts, "not copied: {message}");
        }
        let bytes = item.facts.size.filter(|_| item.kind == NodeKind::File).map_or(0, i64::unsigned_abs);
        self.context.board.copied(1, if matches!(outcome, CopyOutcome::Copied(_)) { bytes } else { 0 });
        let (id, kind, size) = (item.id, item.kind, item.facts.size);
        self.copied.results.push(CopyResult { id, depth, kind, size, outcome, attempts });
        if self.sent_at.elapsed() >= SEND_AFTER {
            self.send().await;
        }
    }

    /// Sends what was done, when there is room for it.
    async fn send(&mut self) {
        self.sent_at = Instant::now();
        let places = self.copied.len();
        if places > 0 {
            let copied = std::mem::take(&mut self.copied);
            self.links.ledger.send(LedgerRequest::Copies(copied), places).await;
        }
        if self.verified.nodes > 0 {
            let verified = std::mem::take(&mut self.verified);
            let places = 1 + verified.differences.len();
            self.links.ledger.send(LedgerRequest::Verified(verified), places).await;
        }
    }
}

/// The names of an item, as bytes.
fn names_of(item: &PlanItem) -> BySide<Vec<u8>> {
    let names = BySide { src: item.name.as_str(), dst: item.name_on_destination() };
    BySide::from_fn(|side| decode_name(names[side]).expect("the ledger gives out printable names"))
}

fn borrowed(names: &BySide<Vec<u8>>) -> Names<'_> {
    BySide { src: &names.src, dst: &names.dst }
}

fn outcome_of(side: Option<Side>, error: StoreError) -> CopyOutcome {
    match side {
        Some(side) if is_gone(side, &error) => CopyOutcome::Vanished(Reason::message(&error.message)),
        Some(side) => CopyOutcome::Failed { class: error.class, message: format!("on the {side}: {}", error.message) },
        None => CopyOutcome::Failed { class: error.class, message: error.message },
    }
}

#[cfg(test)]
mod tests;
