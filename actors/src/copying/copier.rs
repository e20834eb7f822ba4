//! The Copier: does one thing after the other that the plan says, and sends what becomes of it to the DB actor.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};
use longhaul_ledger::{
    CopyDurability, CopyOutcome, CopyResult, ExpectedBatch, MadeFolder, PartCopied, PlanBatch, PlanItem,
};
use longhaul_model::{BySide, ErrorClass, NodeId, NodeKind, Reason, Side, child_path, decode_name};
use longhaul_storage::{Folder, StoreError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::attributes::without_foreign_bits;
use super::context::{AtSide, Attempt, AttemptError, CopyContext, is_gone};
use super::parts::{Prepared, UNHASHED};
use super::transfer::{Folders, Names, Transfer};
use super::verification::Checking;
use super::verify_schedule::first_id;
use super::work::{CopyDone, CopyWork, Done, LargeFile, LargeItem, RecordCopies};
use crate::messages::{ActorDied, DeathNotice, StoreGaveUp, Which};
use crate::progress::Board;
use crate::retry::Pauses;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 20;

/// What was done is sent on after this time at the latest.
const SEND_AFTER: Duration = Duration::from_millis(100);

/// A Copier's surroundings. Everything it needs is given to it, so that it can be tried alone.
#[derive(Clone, Debug)]
pub struct CopierLinks {
    /// Where results go.
    pub records: Recipient<RecordCopies>,
    /// Who is told that work is done.
    pub done: Recipient<CopyDone>,
    /// Who is told that a store gave up.
    pub gave_up: Recipient<StoreGaveUp>,
    /// Who is told if the actor dies.
    pub died: Recipient<ActorDied>,
    /// Places for results that are under way to the DB actor or wait for a commit.
    pub places: Arc<Semaphore>,
    /// How many places there are.
    pub places_max: usize,
    /// Where it shows what it does.
    pub board: Board,
}

/// Copies what the plan says.
#[derive(Debug)]
pub struct Copier {
    number: usize,
    context: Arc<CopyContext>,
    links: CopierLinks,
    buffer: Vec<u8>,
    #[expect(dead_code, reason = "it speaks when it is dropped")]
    death_notice: DeathNotice,
}

impl Copier {
    /// The Copier with this number.
    pub fn new(number: usize, context: Arc<CopyContext>, links: CopierLinks) -> Self {
        let death_notice = DeathNotice::new(Which::Copier(number), links.died.clone());
        Copier { number, context, links, buffer: vec![0; BUFFER_BYTES], death_notice }
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
            record: RecordCopies::default(),
            sent_at: Instant::now(),
        };
        // One thing after the other: the next message is looked at when this one is done.
        ctx.wait(job.work(work).into_actor(self).map(|(done, buffer), this, _| {
            this.buffer = buffer;
            this.links.done.do_send(CopyDone { copier: this.number, done });
        }));
    }
}

/// One message's work.
struct Job {
    context: Arc<CopyContext>,
    links: CopierLinks,
    buffer: Vec<u8>,
    record: RecordCopies,
    sent_at: Instant,
}

/// The attempts at one thing.
struct Tries {
    attempts: u32,
    since: Instant,
    pauses: Pauses,
}

/// What an attempt that came to nothing leads to.
enum Next {
    Again,
    /// It is over: this is what became of it.
    Over(CopyOutcome),
    /// It stays pending.
    GiveBack,
}

impl Job {
    async fn work(mut self, work: CopyWork) -> (Done, Vec<u8>) {
        let done = match work {
            CopyWork::Items(batches) => self.items(batches).await,
            CopyWork::Prepare(large) => self.prepare(large).await,
            CopyWork::Part { file, part } => self.part(&file, part).await,
            CopyWork::Place { file, checksum } => self.place(&file, checksum).await,
            CopyWork::FinishFolders(folders) => self.finish_folders(folders).await,
            CopyWork::Verify(batches) => self.verify(batches).await,
        };
        self.send().await;
        (done, self.buffer)
    }

    async fn items(&mut self, batches: Vec<PlanBatch>) -> Done {
        let (mut made, mut lost, mut given_back) = (Vec::new(), Vec::new(), 0);
        for batch in batches {
            let mut opened = OpenFolders::new(&batch.path, batch.path_on_destination());
            for item in &batch.items {
                let became = self.one_item(&mut opened, &batch.path, item).await;
                let is_over = became.as_ref().is_some_and(|(outcome, _)| !matches!(outcome, CopyOutcome::Copied(_)));
                if is_over && self.context.may_be_begun(item.id) {
                    self.tidy_up(&opened.paths.dst, item.id).await;
                }
                self.context.attempted.remove(item.id);
                let Some((outcome, attempts)) = became else {
                    given_back += 1;
                    continue;
                };
                if item.kind == NodeKind::Folder {
                    match outcome {
                        CopyOutcome::Copied(_) | CopyOutcome::AlreadyThere => made.push(item.id),
                        _ => lost.push(item.id),
                    }
                }
                self.record(item, batch.depth, outcome, attempts).await;
            }
        }
        Done::Items { made, lost, given_back }
    }

    /// What becomes of an item, and after how many attempts; `None` where it stays pending.
    async fn one_item(
        &mut self,
        opened: &mut OpenFolders,
        folder: &str,
        item: &PlanItem,
    ) -> Option<(CopyOutcome, u32)> {
        if let Some(outcome) = &opened.failed {
            return Some((outcome.clone(), 0));
        }
        let names = names_of(item);
        let mut tries = self.tries(item.id);
        loop {
            let attempt = match opened.open(&self.context).await {
                Ok(folders) => {
                    let transfer = Transfer::new(&self.context, folders, item, borrowed(&names));
                    transfer.attempt(&mut self.buffer).await
                }
                Err(trouble) => Err(trouble),
            };
            let trouble = match attempt {
                Ok(outcome) => {
                    self.answered();
                    return Some((outcome, tries.attempts));
                }
                Err(trouble) => trouble,
            };
            match self.after(trouble, &mut tries, || child_path(folder, &item.name)).await {
                Next::Again => {
                    opened.close();
                    self.context.attempted.insert(item.id);
                }
                Next::GiveBack => return None,
                Next::Over(outcome) => {
                    if opened.folders.is_none() {
                        opened.failed = Some(outcome.clone());
                    }
                    return Some((outcome, tries.attempts));
                }
            }
        }
    }

    async fn prepare(&mut self, large: Arc<LargeItem>) -> Done {
        let id = large.item.id;
        let mut opened = OpenFolders::new(&large.folder, large.folder_on_destination());
        let names = names_of(&large.item);
        let mut tries = self.tries(id);
        loop {
            let attempt = match opened.open(&self.context).await {
                Ok(folders) => {
                    let transfer = Transfer::new(&self.context, folders, &large.item, borrowed(&names));
                    transfer.prepare(&large, &mut self.buffer).await
                }
                Err(trouble) => Err(trouble),
            };
            match attempt {
                Ok(Prepared::File(file)) => {
                    if file.done.is_empty() && !(large.item.parts.is_empty() && large.attempt == 1) {
                        self.record.forget.push(id);
                    }
                    return Done::Prepared(Arc::new(file));
                }
                Ok(Prepared::Outcome(outcome)) => return self.large_is_over(&large, outcome, tries.attempts).await,
                Err(trouble) => match self.after(trouble, &mut tries, || path_of(&large)).await {
                    Next::Again => opened.close(),
                    Next::GiveBack => return Done::LargeGivenBack(id),
                    Next::Over(outcome) => return self.large_is_over(&large, outcome, tries.attempts).await,
                },
            }
        }
    }

    async fn part(&mut self, file: &Arc<LargeFile>, part: u32) -> Done {
        let large = &file.large;
        let id = large.item.id;
        let mut opened = OpenFolders::new(&large.folder, large.folder_on_destination());
        let names = names_of(&large.item);
        let mut tries = self.tries(id);
        loop {
            let attempt = match opened.open(&self.context).await {
                Ok(folders) => {
                    let transfer = Transfer::new(&self.context, folders, &large.item, borrowed(&names));
                    transfer.copy_part(file, part, &mut self.buffer).await
                }
                Err(trouble) => Err(trouble),
            };
            match attempt {
                Ok(value) => {
                    self.answered();
                    let range = file.range(part);
                    self.links.board.copied(0, range.end - range.start);
                    let is_recorded = file.done.iter().any(|done| done.part == part && done.value == value);
                    if !is_recorded && self.tells_whether_it_is_there(value) {
                        self.record.parts.push((id, PartCopied { part, facts: file.facts, value }));
                    }
                    return Done::Part { id, part, value: (value != UNHASHED).then_some(value) };
                }
                Err(trouble) => match self.after_large(trouble, &mut tries, file).await {
                    None => opened.close(),
                    Some(done) => return done,
                },
            }
        }
    }

    /// Whether what was recorded of a part tells afterwards whether it is there: where nothing was hashed it does not, if
    /// nobody saw to it that the part is durable.
    fn tells_whether_it_is_there(&self, value: [u8; 32]) -> bool {
        value != UNHASHED || self.context.copying.durability != CopyDurability::None
    }

    async fn place(&mut self, file: &Arc<LargeFile>, checksum: Option<[u8; 32]>) -> Done {
        let large = &file.large;
        let mut opened = OpenFolders::new(&large.folder, large.folder_on_destination());
        let names = names_of(&large.item);
        let mut tries = self.tries(large.item.id);
        loop {
            let attempt = match opened.open(&self.context).await {
                Ok(folders) => {
                    let transfer = Transfer::new(&self.context, folders, &large.item, borrowed(&names));
                    transfer.place(file, checksum, &mut self.buffer).await
                }
                Err(trouble) => Err(trouble),
            };
            match attempt {
                Ok(outcome) => return self.large_is_over(large, outcome, tries.attempts).await,
                Err(trouble) => {
                    // It may have its name all the same.
                    self.context.attempted.insert(large.item.id);
                    match self.after_large(trouble, &mut tries, file).await {
                        None => opened.close(),
                        Some(done) => return done,
                    }
                }
            }
        }
    }

    /// As [`Job::after`], for a file that was prepared: where it changed it is begun again as a whole. `None` means
    /// that the same thing is tried once more.
    async fn after_large(&mut self, trouble: AttemptError, tries: &mut Tries, file: &Arc<LargeFile>) -> Option<Done> {
        let large = &file.large;
        if let AttemptError::Changed(message) = &trouble
            && large.attempt < self.context.retry.attempts_max
        {
            tracing::debug!(path = path_of(large), attempt = large.attempt, "begun again: {message}");
            return Some(Done::Changed(large.item.id));
        }
        if matches!(trouble, AttemptError::Changed(_)) {
            tries.attempts = large.attempt;
        }
        match self.after(trouble, tries, || path_of(large)).await {
            Next::Again => None,
            Next::GiveBack => Some(Done::LargeGivenBack(large.item.id)),
            Next::Over(outcome) => Some(self.large_is_over(large, outcome, tries.attempts).await),
        }
    }

    /// Records what became of a large file, unless another part of it has: several may fail at a time.
    async fn large_is_over(&mut self, large: &Arc<LargeItem>, outcome: CopyOutcome, attempts: u32) -> Done {
        let id = large.item.id;
        if large.is_recorded.swap(true, Relaxed) {
            return Done::Large(id);
        }
        self.context.attempted.remove(id);
        if !matches!(outcome, CopyOutcome::Copied(_)) {
            let folder = decode_name(large.folder_on_destination()).expect("the ledger gives out printable paths");
            self.tidy_up(&folder, id).await;
        }
        self.record.forget.push(id);
        self.record(&large.item, large.depth, outcome, attempts.max(large.attempt)).await;
        Done::Large(id)
    }

    /// Removes what an attempt, or an earlier run, may have left of something that is not copied, as far as that goes.
    /// The folder may be gone from the source.
    async fn tidy_up(&self, folder: &[u8], id: NodeId) {
        let temporary = self.context.temporary_name(id);
        let mut tries = self.tries(id);
        loop {
            let removed = match self.context.stores.dst.clone().folder(folder).await {
                Ok(folder) => folder.remove_draft(&temporary).await,
                Err(error) => Err(error),
            };
            let Err(error) = removed else { return };
            let is_again = error.class.is_retried() && tries.attempts < self.context.retry.attempts_max;
            if !is_again || self.context.stop.is_cancelled() {
                tracing::debug!(%id, "its temporary file stays, if there is one: {error}");
                return;
            }
            tokio::time::sleep(tries.pauses.next().unwrap_or(self.context.retry.pause_max)).await;
            tries.attempts += 1;
        }
    }

    async fn finish_folders(&mut self, folders: Vec<MadeFolder>) -> Done {
        for folder in folders {
            let id = folder.id;
            let mut tries = self.tries(id);
            loop {
                let trouble = match self.finish_folder(&folder).await {
                    Ok(()) => break,
                    Err(trouble) => trouble,
                };
                match self.after(trouble, &mut tries, || folder.path.clone()).await {
                    Next::Again => {}
                    // Set again by the next run.
                    Next::GiveBack => return Done::Folders,
                    Next::Over(CopyOutcome::Failed { message, .. }) => {
                        let remark = format!("its time and permissions could not be set: {message}");
                        self.record.remarks.push((id, remark));
                        break;
                    }
                    // It is gone from the source: there is nothing to be set.
                    Next::Over(_) => break,
                }
            }
        }
        Done::Folders
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

    async fn verify(&mut self, batches: Vec<ExpectedBatch>) -> Done {
        let mut verified = Vec::with_capacity(batches.len());
        for batch in batches {
            let mut checking = Checking::new(&batch, self.context.level);
            let mut tries = self.tries(batch.folder);
            loop {
                let before = checking.progress();
                let Err(trouble) = checking.run(&self.context, &mut self.buffer).await else { break };
                if checking.progress() > before {
                    tries = self.tries(batch.folder);
                }
                match self.after(trouble, &mut tries, || batch.path.clone()).await {
                    Next::Again => {}
                    Next::GiveBack => return Done::Verified(verified),
                    Next::Over(outcome) => {
                        let message = match outcome {
                            CopyOutcome::Failed { message, .. } => message,
                            CopyOutcome::Vanished(reason) => reason.to_string(),
                            outcome => unreachable!("trouble does not lead to {outcome:?}"),
                        };
                        checking.give_up(&message);
                        tries = self.tries(batch.folder);
                    }
                }
            }
            let checked = checking.into_checked();
            self.answered();
            self.links.board.copied(batch.nodes.len() as u64, checked.bytes_read);
            self.record.verified += batch.nodes.len() as u64;
            self.record.bytes_read += checked.bytes_read;
            self.record.differences.extend(checked.differences);
            verified.push(first_id(&batch));
        }
        Done::Verified(verified)
    }

    fn tries(&self, id: NodeId) -> Tries {
        Tries { attempts: 1, since: Instant::now(), pauses: self.context.retry.pauses(id) }
    }

    fn answered(&self) {
        for side in Side::BOTH {
            self.context.health[side].answered();
        }
    }

    /// What an attempt that came to nothing leads to. Waits before it says that it should be made again.
    async fn after(&mut self, trouble: AttemptError, tries: &mut Tries, path: impl Fn() -> String) -> Next {
        let retry = &self.context.retry;
        let (side, error) = match trouble {
            AttemptError::Stopped => return Next::GiveBack,
            AttemptError::Changed(message) => (None, StoreError::new(ErrorClass::Transient, message)),
            AttemptError::Store(side, error) => (Some(side), error),
        };
        let (is_refused, error) = match self.probe(side, &error).await {
            // Whether it is the entry's own trouble or the store's cannot be told: both are asked again.
            Err(lost) if lost.class.is_retried() => (false, lost),
            probed => (probed.is_err(), error),
        };
        if error.class.suspends() || is_refused {
            // Whoever started the run gets to know it as well, and says it louder.
            tracing::info!(path = path(), class = %error.class, "{error}");
            self.give_up(side, path(), error);
            return Next::GiveBack;
        }
        if !error.class.is_retried() {
            return Next::Over(outcome_of(side, error));
        }
        // To be asked for patience is no failure, however often that happens, where the pace sees to it.
        let is_patient = error.class == ErrorClass::Throttled
            && side.is_some_and(|side| self.context.stores[side].capabilities().has_a_pace);
        if tries.attempts >= retry.attempts_max && !is_patient {
            let Some(side) = side else { return Next::Over(outcome_of(None, error)) };
            let (health, store) = (&self.context.health[side], &self.context.stores[side]);
            if !health.store_is_away(store, tries.since).await {
                return Next::Over(outcome_of(Some(side), error));
            }
        }
        if let Some(side) = side
            && let (health, store) = (&self.context.health[side], &self.context.stores[side])
            && let Some(away) = health.away_for()
            // One that had nothing to answer for so long, as what was asked took long, is not away for that.
            && health.store_is_away(store, tries.since).await
        {
            let message = format!("{error}, and nothing else for {} s", away.as_secs());
            self.give_up(Some(side), path(), StoreError::new(error.class, message));
            return Next::GiveBack;
        }
        let pause = error.retry_after.or_else(|| tries.pauses.next()).unwrap_or(retry.pause_max);
        tracing::debug!(path = path(), attempt = tries.attempts, class = %error.class, "{error}");
        // What others wait for should not wait for this.
        self.send().await;
        tokio::select! {
            // The stop first: where both have come, chance must not decide.
            biased;
            () = self.context.stop.cancelled() => return Next::GiveBack,
            () = tokio::time::sleep(pause) => {}
        }
        tries.attempts += u32::from(!is_patient);
        Next::Again
    }

    /// Asks the store as a whole, where an error may mean that it refuses us, and not just one entry.
    async fn probe(&self, side: Option<Side>, error: &StoreError) -> Result<(), StoreError> {
        let Some(side) = side.filter(|_| !error.class.is_retried() && !error.class.suspends()) else { return Ok(()) };
        self.context.stores[side].clone().answers().await
    }

    fn give_up(&self, side: Option<Side>, path: String, error: StoreError) {
        let side = side.unwrap_or(Side::Source);
        self.links.gave_up.do_send(StoreGaveUp { side, path, error });
        // Whatever comes next would only end in the same way. After the message: nobody must hear that something was
        // given back before they hear why.
        self.context.stop.cancel();
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
        self.links.board.copied(1, if matches!(outcome, CopyOutcome::Copied(_)) { bytes } else { 0 });
        let (id, kind, size) = (item.id, item.kind, item.facts.size);
        self.record.results.push(CopyResult { id, depth, kind, size, outcome, attempts });
        if self.sent_at.elapsed() >= SEND_AFTER {
            self.send().await;
        }
    }

    /// Sends what was done, when there is room for it.
    async fn send(&mut self) {
        self.sent_at = Instant::now();
        let places = self.record.len().min(self.links.places_max);
        if places == 0 {
            return;
        }
        let places = u32::try_from(places).expect("places are fewer than 2^32");
        // The semaphore is never closed: only then could this fail.
        let permit = self.links.places.clone().acquire_many_owned(places).await.ok();
        let record = std::mem::take(&mut self.record);
        self.links.records.do_send(RecordCopies { permit, ..record });
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

fn path_of(large: &LargeItem) -> String {
    child_path(&large.folder, &large.item.name)
}

fn outcome_of(side: Option<Side>, error: StoreError) -> CopyOutcome {
    match side {
        Some(side) if is_gone(side, &error) => CopyOutcome::Vanished(Reason::message(&error.message)),
        Some(side) => CopyOutcome::Failed { class: error.class, message: format!("on the {side}: {}", error.message) },
        None => CopyOutcome::Failed { class: error.class, message: error.message },
    }
}

/// The two folders of a batch: opened when they are first needed, and again after trouble.
struct OpenFolders {
    paths: BySide<Vec<u8>>,
    folders: Option<BySide<Box<dyn Folder>>>,
    /// They cannot be opened: this becomes of everything in them.
    failed: Option<CopyOutcome>,
}

impl OpenFolders {
    fn new(on_source: &str, on_destination: &str) -> Self {
        let paths = BySide { src: on_source, dst: on_destination };
        let paths = BySide::from_fn(|side| decode_name(paths[side]).expect("the ledger gives out printable paths"));
        OpenFolders { paths, folders: None, failed: None }
    }

    /// Has them opened again: those of a file server that was restarted are of no use any more.
    fn close(&mut self) {
        self.folders = None;
    }

    async fn open(&mut self, context: &CopyContext) -> Attempt<Folders<'_>> {
        if self.folders.is_none() {
            let src = context.stores.src.clone().folder(&self.paths.src).await.at_side(Side::Source)?;
            let dst = context.stores.dst.clone().folder(&self.paths.dst).await.at_side(Side::Destination)?;
            self.folders = Some(BySide { src, dst });
        }
        let folders = self.folders.as_ref().expect("opened above");
        let (source, destination) = (folders.src.as_ref(), folders.dst.as_ref());
        Ok(Folders { source, destination, path: &self.paths.dst, source_path: &self.paths.src })
    }
}

#[cfg(test)]
mod tests;
