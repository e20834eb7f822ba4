//! A Copier alone, between two folders of this machine, with everything going wrong that can.

mod cases;
mod changes;
mod crashes;
mod errors;
mod scene;
mod scripted;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use actix::Addr;
use longhaul_ledger::{CopiedFile, CopyRemaining, MadeFolder};
use longhaul_storage::{Durability, LocalStore, Store};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::attempts::RetryPolicy;
use crate::copying::{Attempted, HardLinks};
use crate::health::Health;
use crate::messages::{ActorDied, Permitted, StoreGaveUp, WorkDone};
use crate::pace::Bandwidth;
use crate::progress::Board;
use crate::work::CopySchedule;
use crate::worker::LedgerQueue;
use longhaul_model::VerifyLevel;
use scene::{Entry, PREFIX, Scene, Tree};
use scripted::{Call, Judge, Script, ScriptedStore, Verdict};

const RETRY: RetryPolicy = RetryPolicy {
    attempts_max: 3,
    pause_first: Duration::from_millis(100),
    pause_max: Duration::from_secs(10),
    jitter_seed: 1,
};

const PLACES: usize = 1_000;

/// So small that even a small file takes several reads.
const SMALL_BUFFER_BYTES: usize = 400;

/// What a Copier said.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few of them")]
enum Heard {
    Records(CopyRecords),
    Done(WorkDone<CopyReport>),
    GaveUp(StoreGaveUp),
    Died(ActorDied),
}

/// Everybody that a Copier talks to.
struct Neighbours {
    heard: mpsc::UnboundedSender<Heard>,
    stop: CancellationToken,
}

impl Neighbours {
    fn tell(&self, heard: Heard) {
        // At the end nobody listens any more.
        let _ = self.heard.send(heard);
    }
}

impl Actor for Neighbours {
    type Context = Context<Self>;
}

impl Handler<Permitted<LedgerRequest>> for Neighbours {
    type Result = ();

    fn handle(&mut self, request: Permitted<LedgerRequest>, _: &mut Self::Context) {
        match request.message {
            LedgerRequest::Copies(records) => self.tell(Heard::Records(records)),
            request => panic!("a Copier copies: {request:?}"),
        }
    }
}

impl Handler<WorkDone<CopyReport>> for Neighbours {
    type Result = ();

    fn handle(&mut self, message: WorkDone<CopyReport>, _: &mut Self::Context) {
        self.tell(Heard::Done(message));
    }
}

impl Handler<StoreGaveUp> for Neighbours {
    type Result = ();

    fn handle(&mut self, message: StoreGaveUp, _: &mut Self::Context) {
        self.stop.cancel();
        self.tell(Heard::GaveUp(message));
    }
}

impl Handler<ActorDied> for Neighbours {
    type Result = ();

    fn handle(&mut self, message: ActorDied, _: &mut Self::Context) {
        self.tell(Heard::Died(message));
    }
}

/// How a plan is carried out.
struct How {
    judge: Judge,
    /// Whether an earlier run may have begun with everything.
    is_begun: bool,
    /// All on this thread. Where there are several, each call lets the others go first.
    copiers: usize,
    stop: CancellationToken,
}

impl Default for How {
    fn default() -> Self {
        let judge = Box::new(|_: usize, _: &Call| Verdict::Go);
        How { judge, is_begun: false, copiers: 1, stop: CancellationToken::new() }
    }
}

/// What came of carrying out a plan.
#[derive(Debug, Default)]
struct Run {
    results: Vec<CopyResult>,
    /// What the ledger has of parts in the end.
    parts: Vec<(NodeId, PartCopied)>,
    unfinished: Vec<UnfinishedFolder>,
    gave_up: Vec<StoreGaveUp>,
    given_back: usize,
    calls: Vec<Call>,
    /// So many of the calls were made before the attributes of folders were set.
    calls_copying: usize,
    is_over: bool,
    is_killed: bool,
}

impl Run {
    /// The words that the ledger will have, by id.
    fn outcomes(&self) -> BTreeMap<NodeId, &'static str> {
        self.results.iter().map(|result| (result.id, word(&result.outcome))).collect()
    }

    fn take(&mut self, record: CopyRecords) {
        self.parts.extend(record.parts);
        self.parts.retain(|(id, _)| !record.forget.contains(id));
        self.unfinished.extend(record.unfinished);
        self.results.extend(record.results);
    }
}

fn word(outcome: &CopyOutcome) -> &'static str {
    match outcome {
        CopyOutcome::Copied(_) => "copied",
        CopyOutcome::AlreadyThere => "already there",
        CopyOutcome::Skipped(_) => "skipped",
        CopyOutcome::Conflict(_) => "conflict",
        CopyOutcome::Vanished(_) => "vanished",
        CopyOutcome::Failed { .. } => "failed",
    }
}

/// Carries out a plan, as the Coordinator does. The clock is to be paused.
async fn carry_out(scene: &Scene, how: How) -> Run {
    let script = Script::new(how.judge, how.copiers > 1);
    let stop = how.stop;
    let (sender, mut heard) = mpsc::unbounded_channel();
    let neighbours = Neighbours { heard: sender, stop: stop.clone() }.start();
    let stores = BySide::from_fn(|side| {
        let store = LocalStore::open(&scene.root(side), false).unwrap();
        ScriptedStore::new(side, script.clone(), store) as Arc<dyn Store>
    });
    let context = Arc::new(CopyContext {
        stores,
        settings: scene.settings.clone(),
        copying: scene.copying,
        durability: Durability::Later,
        temporary_prefix: PREFIX.to_owned(),
        begun_below: if how.is_begun { 1_000 } else { 0 },
        level: VerifyLevel::default(),
        retry: RETRY,
        health: BySide::from_fn(|_| Health::new(None)),
        links: HardLinks::default(),
        attempted: Attempted::default(),
        bandwidth: Bandwidth::new(None),
        board: Board::default(),
        stop: stop.clone(),
    });
    let copiers: Vec<_> = (0..how.copiers)
        .map(|number| {
            let name = ActorName::Copier(number);
            let death_notice = DeathNotice::new(name, neighbours.clone().recipient());
            let mut copier = Copier::new(name, context.clone(), links(&neighbours), death_notice);
            copier.buffer = vec![0; SMALL_BUFFER_BYTES];
            copier.start()
        })
        .collect();

    let remaining = CopyRemaining { ids: 1..1_000, ..CopyRemaining::default() };
    let mut schedule = CopySchedule::new(&remaining, Some(scene.copying.large_from));
    let ids = schedule.next_pull().unwrap();
    schedule.pulled(&ids, scene.batches.clone());
    let mut run = Run::default();
    let mut idle: BTreeSet<usize> = (0..how.copiers).collect();
    loop {
        while !stop.is_cancelled()
            && let Some(&copier) = idle.first()
            && let Some(work) = schedule.give_out()
        {
            idle.remove(&copier);
            copiers[copier].do_send(work);
        }
        if idle.len() == how.copiers {
            break;
        }
        match heard.recv().await.unwrap() {
            Heard::Records(record) => run.take(record),
            Heard::GaveUp(gave_up) => run.gave_up.push(gave_up),
            Heard::Done(WorkDone { worker, report }) => {
                let ActorName::Copier(copier) = worker else { panic!("{worker} is no Copier") };
                idle.insert(copier);
                run.given_back += report.given_back();
                schedule.done(report);
            }
            Heard::Died(died) => panic!("{died:?}"),
        }
    }
    run.is_over = schedule.is_over();
    run.calls_copying = script.calls().len();
    if run.is_over && !stop.is_cancelled() {
        let outcomes = run.outcomes();
        let made = |(path, item): (PathBuf, &PlanItem)| {
            let is_made = item.kind == NodeKind::Folder && outcomes.get(&item.id) == Some(&"copied");
            is_made.then(|| {
                let path = format!("/{}", path.display());
                MadeFolder { id: item.id, path, destination_path: None }
            })
        };
        copiers[0].do_send(CopyWork::FinishFolders(scene.items().filter_map(made).collect()));
        loop {
            match heard.recv().await.unwrap() {
                Heard::Records(record) => run.take(record),
                Heard::GaveUp(gave_up) => run.gave_up.push(gave_up),
                Heard::Done(_) => break,
                Heard::Died(died) => panic!("{died:?}"),
            }
        }
    }
    run.is_killed = script.is_killed();
    run.calls = script.calls();
    run
}

fn links(neighbours: &Addr<Neighbours>) -> WorkerLinks<CopyReport> {
    WorkerLinks {
        ledger: LedgerQueue::new(neighbours.clone().recipient(), PLACES),
        done: neighbours.clone().recipient(),
        gave_up: neighbours.clone().recipient(),
    }
}

/// What must hold whatever happened: nothing is at the destination but what was there before, and what was copied as a
/// whole. `before` is the destination as it was.
fn check(scene: &Scene, before: &Tree, run: &Run) -> Result<(), String> {
    check_with(scene, &scene.tree(Side::Source), before, run)
}

/// As [`check`], with the source as it was when it was read.
fn check_with(scene: &Scene, source: &Tree, before: &Tree, run: &Run) -> Result<(), String> {
    let (mut expected, mut after) = (before.clone(), scene.tree(Side::Destination));
    let mut made = BTreeSet::new();
    for (path, item) in scene.items() {
        let results: Vec<_> = run.results.iter().filter(|result| result.id == item.id).collect();
        if results.len() > 1 {
            return Err(format!("{path:?} has several results: {results:?}"));
        }
        let Some(CopyResult { outcome: CopyOutcome::Copied(copied), .. }) = results.first() else { continue };
        let original = source.get(&path).ok_or_else(|| format!("{path:?} is not there, and was copied"))?;
        if item.kind == NodeKind::File {
            check_facts(scene, copied, original).map_err(|problem| format!("{path:?} {problem}: {copied:?}"))?;
        }
        let path_there = path.with_file_name(copied.name.as_ref().unwrap_or(&item.name));
        expected.insert(path_there.clone(), original.clone());
        made.insert(path_there);
    }
    let is_finished = run.is_over && run.gave_up.is_empty() && run.unfinished.is_empty();
    for tree in [&mut expected, &mut after] {
        for (path, entry) in tree {
            entry.twin_of = None;
            // A folder's time changes with what is put into it; those that we made have theirs in the end.
            if entry.kind == NodeKind::Folder && !(is_finished && made.contains(path)) {
                (entry.modified_ns, entry.mode) = (0, 0);
            }
        }
    }
    // What is given back of a large file is gone on with.
    if run.given_back > 0 {
        after.retain(|path, _| !is_temporary(path));
    }
    if after == expected { Ok(()) } else { Err(format!("at the destination is\n{after:#?}\nand not\n{expected:#?}")) }
}

/// What is recorded of a file must be what it was.
fn check_facts(scene: &Scene, copied: &CopiedFile, original: &Entry) -> Result<(), &'static str> {
    let size = Some(i64::try_from(original.bytes.len()).unwrap());
    if (copied.size, copied.modified_ns) != (size, Some(original.modified_ns)) {
        return Err("is recorded with another size or time");
    }
    match copied.checksum {
        Some(checksum) if checksum == *blake3::hash(&original.bytes).as_bytes() => Ok(()),
        Some(_) => Err("is recorded with another checksum"),
        // Another name of a file takes no reading.
        None if scene.copying.checksum && copied.identity.is_none() => Err("has no checksum"),
        None => Ok(()),
    }
}

/// Which names are names of the same file.
fn twins(tree: &Tree) -> BTreeMap<&Path, &Path> {
    tree.iter().filter_map(|(path, entry)| Some((path.as_path(), entry.twin_of.as_deref()?))).collect()
}

fn is_temporary(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX))
}

/// The judge that has one call fail, by its number.
fn fail_at(number: usize, error: StoreError) -> Judge {
    Box::new(move |call, _| if call == number { Verdict::Fail(error.clone()) } else { Verdict::Go })
}
