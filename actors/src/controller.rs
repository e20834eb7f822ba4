//! The front door: start a migration, look at it, stop it, wait for it.

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix::Recipient;
use crossbeam_channel::{Receiver, bounded};
use longhaul_ledger::{
    BegunCopy, CopySettings, FilterRule, FilterSettings, LedgerError, Log, Marked, Migration, MigrationSpec, Opened,
    Reader, Recorder, Retry, Settings, system_now_ns,
};
use longhaul_model::{BySide, CompareBy, Comparison, Phase, Side};
use longhaul_naming::RuleSet;
use longhaul_storage::{Location, OpenError, OpenOptions, Store, open_pair};
use parking_lot::Mutex;

use crate::config::{CopyChoices, CopyConfig, MigrationConfig, ResumeConfig, Tuning, VerifyConfig};
use crate::copying::{CopyRun, Task};
use crate::destination::{lost_on_the_way, refuse_unfit_destination, remove_given_up, reopen_folders};
use crate::ending::{Ended, Outcome};
use crate::engine::{Engine, Placement};
use crate::filter::{Filter, FilterError};
use crate::messages::{Closed, Interrupt};
use crate::progress::{Progress, ProgressReader};
use crate::retry::RetryPolicy;
use crate::schedule::Schedule;
use crate::traffic::RunTraffic;

/// Why a migration cannot be started. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The stores.
    #[error(transparent)]
    Stores(#[from] OpenError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger would be listed along with the files.
    #[error("the ledger {ledger} is inside {location}, which is to be listed: choose another place with --ledger")]
    LedgerInside {
        /// The ledger.
        ledger: String,
        /// The source or the destination.
        location: String,
    },
    /// Somebody asked for something else than what the migration began with.
    #[error("the {what} cannot be changed: the ledger has {recorded}, given was {given}; leave it out")]
    Different {
        /// What is different.
        what: String,
        /// What was given now.
        given: String,
        /// What the migration began with.
        recorded: String,
    },
    /// A link is where a folder was, and leads away from what was listed.
    #[error("the {side} {recorded} leads to {now} now, which is not what was listed: put back what was there")]
    Elsewhere {
        /// Which of the two.
        side: Side,
        /// Where it was.
        recorded: String,
        /// Where one comes to now.
        now: String,
    },
    /// The filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// There is no plan yet.
    #[error("discovery is not complete: go on with it first, with discover --resume")]
    NotDiscovered,
    /// There is nothing to verify yet.
    #[error("copying is not complete: copy first, or go on with it, with copy --resume")]
    NotCopied,
    /// The copy was begun before.
    #[error("copying has begun already: go on with it with --resume")]
    CopyBegun,
    /// The destination cannot be written.
    #[error("the destination {location} cannot be written: {reason}")]
    Destination {
        /// Where it is.
        location: String,
        /// What it said.
        reason: String,
    },
    /// The destination has no room for all of it.
    #[error("the plan takes {needed} bytes and the destination has {free} free: make room, or go on with --force")]
    NoRoom {
        /// Bytes of the files that are to be copied.
        needed: u64,
        /// Bytes that the destination says it has.
        free: u64,
    },
    /// The destination would refuse names, or take some for one another.
    #[error(
        "the destination would refuse or fold {count} of the names ({rules} rules), such as {such_as}: see them with \
         longhaul lint, have others with longhaul lint --accept, exclude them, or go on without them with --force"
    )]
    Names {
        /// How many.
        count: u64,
        /// By which rules.
        rules: RuleSet,
        /// The first few of them, with what they are at odds with.
        such_as: String,
    },
    /// The system gave no thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl StartError {
    /// Whether another process has the ledger open.
    pub fn is_in_use(&self) -> bool {
        matches!(self, StartError::Ledger(LedgerError::InUse { .. }))
    }
}

/// A migration that is under way. Dropping it does not stop it.
#[derive(Debug)]
pub struct Controller {
    coordinator: Recipient<Interrupt>,
    ended: Receiver<Outcome>,
    latest: Arc<Mutex<Progress>>,
    thread: JoinHandle<()>,
}

impl Controller {
    /// How far it has come.
    pub fn progress(&self) -> Progress {
        *self.latest.lock()
    }

    /// The same for others, who need not have the controller.
    pub fn progress_reader(&self) -> ProgressReader {
        ProgressReader(self.latest.clone())
    }

    /// Asks it to stop at the next safe point. [`Controller::wait`] tells when it has.
    pub fn shutdown(&self) {
        self.coordinator.do_send(Interrupt);
    }

    /// Waits for its end.
    pub fn wait(self) -> Outcome {
        let outcome = self.ended.recv().unwrap_or_else(|_| broken());
        // Threads that are stuck in a store are not waited for.
        if outcome.still_running == 0 {
            // If it panicked, that was after the outcome, and it has said so itself.
            let _ = self.thread.join();
        }
        outcome
    }

    /// Waits for its end for so long; gives it, or the controller back.
    pub fn wait_for(self, time: Duration) -> Result<Outcome, Controller> {
        let deadline = Instant::now() + time;
        match self.ended.recv_deadline(deadline) {
            Ok(outcome) => Ok(outcome),
            Err(crossbeam_channel::RecvTimeoutError::Timeout) => Err(self),
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => Ok(broken()),
        }
    }
}

fn broken() -> Outcome {
    Outcome {
        ended: Ended::Broken("the engine ended without a word".to_owned()),
        closed: Closed::default(),
        given_back: 0,
        still_running: 0,
        traffic: RunTraffic::default(),
    }
}

/// Starts a migration: opens the stores, makes the ledger, and lists both trees in the background.
pub fn start(config: &MigrationConfig) -> Result<Controller, StartError> {
    refuse_existing_ledger(config)?;
    Filter::new(&filter_settings(config))?;
    let stores = open_pair(&config.locations, config.open)?;
    start_with_stores(config, stores)
}

/// As [`start`], with stores that are open already; `config.locations` is not looked at.
pub fn start_with_stores(
    config: &MigrationConfig,
    stores: BySide<(Location, Arc<dyn Store>)>,
) -> Result<Controller, StartError> {
    let BySide { src: (source, source_store), dst: (destination, destination_store) } = stores;
    for location in [&source, &destination] {
        refuse_ledger_inside(&config.ledger, location)?;
    }
    let filter = filter_settings(config);
    Filter::new(&filter)?;
    let comparison = comparison(&source_store, &destination_store, config.compare);
    let spec = MigrationSpec {
        source: source.to_string(),
        destination: destination.to_string(),
        settings: Settings {
            comparison,
            on_conflict: config.on_conflict.unwrap_or_default(),
            one_file_system: config.open.one_file_system,
            symlinks_kept: destination_store.keeps().symlinks,
            names: destination_store.capabilities().names,
            copying: config.copying,
            filter,
        },
    };
    let tuning = config.tuning.clone();
    let mut recorder = longhaul_ledger::create(&config.ledger, &spec, "discover", &tuning.resources, system_now_ns)?;
    let schedule = Schedule::new(tuning.schedule_limits(), recorder.begin_traversal()?);
    tracing::info!(source = spec.source, destination = spec.destination, ledger = %config.ledger.display(), "traversing");
    launch_traversal(BySide { src: source_store, dst: destination_store }, recorder, schedule, tuning)
}

/// How files of two stores are compared, where nothing else is asked for by what both can tell.
fn comparison(source: &Arc<dyn Store>, destination: &Arc<dyn Store>, asked_for: Option<CompareBy>) -> Comparison {
    let (of_source, of_destination) = (source.capabilities(), destination.capabilities());
    let by_time = CompareBy::default();
    let usual = if destination.keeps().modified { by_time } else { CompareBy::Size };
    if asked_for.is_none() && usual != by_time {
        tracing::warn!(
            destination = destination.location(),
            "modification times are not kept there: files of the same size are taken for the same"
        );
    }
    Comparison::for_resolutions(of_source.time_resolution_ns, of_destination.time_resolution_ns)
        .by(asked_for.unwrap_or(usual))
        .by_looking(!(of_source.lists_times && of_destination.lists_times))
}

fn filter_settings(config: &MigrationConfig) -> FilterSettings {
    if config.filter.is_empty() {
        return FilterSettings::default();
    }
    FilterSettings { rules: config.filter.clone(), at_ns: system_now_ns() }
}

/// What became of the wish to go on with a migration.
#[derive(Debug)]
pub enum Resumed {
    /// It goes on.
    Running(Controller),
    /// It had come to its end before, in this phase.
    NothingToDo(Phase),
    /// What was marked for retry is to be done, along with other things that nobody has approved: that comes first.
    ToApprove(Marked),
}

/// Goes on with a migration that was interrupted, suspended or killed. Where it is, and with what choices, is in its
/// ledger.
pub fn resume(config: &ResumeConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let opened = Opened::open(&config.ledger, config.log, &tuning.resources)?;
    let Migration { spec, phase, .. } = opened.migration().clone();
    refuse_differences(config, &spec)?;
    if opened.is_discovered() {
        return Ok(Resumed::NothingToDo(phase));
    }
    Filter::new(&spec.settings.filter)?;
    let stores = open_recorded_pair(&spec)?;
    let mut recorder = opened.begin("discover --resume", system_now_ns)?;
    let limits = tuning.schedule_limits();
    let schedule = match phase {
        Phase::Created => Schedule::new(limits, recorder.begin_traversal()?),
        _ => Schedule::going_on(limits, recorder.go_on_traversal()?),
    };
    tracing::info!(source = spec.source, destination = spec.destination, was = %phase, "traversing again");
    launch_traversal(stores, recorder, schedule, tuning).map(Resumed::Running)
}

fn open_recorded_pair(spec: &MigrationSpec) -> Result<BySide<Arc<dyn Store>>, StartError> {
    let location = |text: &str| {
        Location::from_recorded(text).map_err(|error| LedgerError::Inconsistent(format!("location {text}: {error}")))
    };
    let locations = BySide { src: location(&spec.source)?, dst: location(&spec.destination)? };
    let options = OpenOptions { create_destination: false, one_file_system: spec.settings.one_file_system };
    let opened = open_pair(&locations, options)?;
    for side in Side::BOTH {
        let (recorded, now) = (&locations[side], &opened[side].0);
        if now != recorded {
            let (recorded, now) = (recorded.to_string(), now.to_string());
            return Err(StartError::Elsewhere { side, recorded, now });
        }
    }
    let BySide { src: (_, src), dst: (_, dst) } = opened;
    Ok(BySide { src, dst })
}

/// The choices of a migration are made when it begins.
fn refuse_differences(config: &ResumeConfig, spec: &MigrationSpec) -> Result<(), StartError> {
    for (side, recorded) in [(Side::Source, &spec.source), (Side::Destination, &spec.destination)] {
        let Some(given) = &config.locations[side] else { continue };
        let given = given.canonical().unwrap_or_else(|_| given.clone()).to_string();
        if given != *recorded {
            return Err(StartError::Different { what: side.to_string(), given, recorded: recorded.clone() });
        }
    }
    let settings = &spec.settings;
    if let Some(given) = config.compare.filter(|&given| given != settings.comparison.by) {
        return Err(different("comparison", given.as_str(), settings.comparison.by.as_str()));
    }
    if let Some(given) = config.on_conflict.filter(|&given| given != settings.on_conflict) {
        return Err(different("conflict policy", given.as_str(), settings.on_conflict.as_str()));
    }
    if config.one_file_system && !spec.settings.one_file_system {
        return Err(different("mount points", "--one-file-system", "without it"));
    }
    // The same file may have been moved, or be given by another path.
    let texts = |rules: &[FilterRule]| rules.iter().map(|rule| rule.text.clone()).collect::<Vec<_>>();
    let (given, recorded) = (texts(&config.filter), texts(&settings.filter.rules));
    if !given.is_empty() && given != recorded {
        let in_words = |rules: &[String]| match rules {
            [] => "none".to_owned(),
            rules => rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", "),
        };
        return Err(different("filter", &in_words(&given), &in_words(&recorded)));
    }
    Ok(())
}

fn different(what: &str, given: &str, recorded: &str) -> StartError {
    StartError::Different { what: what.to_owned(), given: given.to_owned(), recorded: recorded.to_owned() }
}

fn launch_traversal(
    stores: BySide<Arc<dyn Store>>,
    recorder: Recorder,
    schedule: Schedule,
    tuning: Tuning,
) -> Result<Controller, StartError> {
    launch(move |latest| Engine::start(&stores, recorder, schedule, &tuning, latest, Placement::Threads))
}

/// Runs an engine in a thread of its own.
fn launch(start: impl FnOnce(Arc<Mutex<Progress>>) -> Engine + Send + 'static) -> Result<Controller, StartError> {
    let latest = Arc::new(Mutex::new(Progress::default()));
    let (ended_sender, ended) = bounded(1);
    let (started_sender, started) = bounded(1);
    let thread = std::thread::Builder::new().name("longhaul-engine".to_owned()).spawn({
        let latest = latest.clone();
        move || {
            actix::System::new().block_on(async move {
                let engine = start(latest);
                // The two channels have room for the one message that each of them carries.
                let _ = started_sender.send(engine.coordinator.clone());
                let outcome = engine.join().await.unwrap_or_else(|_| broken());
                tracing::info!(
                    ended = ?outcome.ended,
                    recorded = outcome.closed.traffic.answered,
                    dropped = outcome.traffic.dropped(),
                    given_back = outcome.given_back,
                    traffic = ?outcome.traffic,
                    "the run ended"
                );
                let _ = ended_sender.send(outcome);
            });
        }
    })?;
    let coordinator = started.recv().map_err(|_| std::io::Error::other("the engine's thread ended at once"))?;
    Ok(Controller { coordinator, ended, latest, thread })
}

/// Begins to copy what the plan says, or goes on with it.
pub fn copy(config: &CopyConfig) -> Result<Resumed, StartError> {
    copy_with(config, open_recorded_pair)
}

/// As [`copy`], with stores that are open already: those that the ledger names.
pub fn copy_with_stores(config: &CopyConfig, stores: BySide<Arc<dyn Store>>) -> Result<Resumed, StartError> {
    copy_with(config, |_| Ok(stores))
}

fn copy_with(
    config: &CopyConfig,
    open: impl FnOnce(&MigrationSpec) -> Result<BySide<Arc<dyn Store>>, StartError>,
) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let opened = Opened::open(&config.ledger, config.log, &tuning.resources)?;
    let migration = opened.migration().clone();
    match migration.current_phase() {
        Phase::Created | Phase::Traversing => return Err(StartError::NotDiscovered),
        phase @ (Phase::Verifying | Phase::Complete) => return Ok(Resumed::NothingToDo(phase)),
        Phase::Copying if !config.resume => return Err(StartError::CopyBegun),
        _ => {}
    }
    let settings = settle_copy_settings(&migration, config.choices)?;
    opened.require_approval(config.approving)?;
    if !(config.resume || config.ignore_names) {
        refuse_names(&opened)?;
    }
    let stores = open(&migration.spec)?;
    // A large file that was begun has some of its room already.
    let needed = opened.totals()?.src.copy_pending_bytes() - opened.begun_bytes()?;
    let retry = RetryPolicy::from(&tuning);
    let time_step_ns =
        block_on(refuse_unfit_destination(&stores.dst, &migration.spec, retry, needed.max(0), config.force))?;
    // What was measured when copying began stays.
    let settings = settings.completed_by(CopySettings { time_step_ns, ..settings });
    let mut recorder = opened.begin(if config.resume { "copy --resume" } else { "copy" }, system_now_ns)?;
    let approval = recorder.note_approval()?;
    let (settings, remaining) = recorder.begin_copying(&settings)?;
    let begun = BegunCopy { approval, settings, remaining };
    if !config.resume {
        // What was interrupted has not given its folders their permissions yet.
        block_on(reopen_folders(&stores.dst, &begun.remaining));
    }
    launch_copy(stores, recorder, migration.spec.settings, begun, tuning).map(Resumed::Running)
}

fn launch_copy(
    stores: BySide<Arc<dyn Store>>,
    recorder: Recorder,
    settings: Settings,
    begun: BegunCopy,
    tuning: Tuning,
) -> Result<Controller, StartError> {
    let BegunCopy { approval, settings: copying, remaining } = begun;
    tracing::info!(nodes = remaining.nodes, bytes = remaining.bytes, plan = approval.hash, "copying");
    for what in lost_on_the_way(&stores, &copying) {
        tracing::warn!(nodes = remaining.nodes, "the destination does not keep {what}: they are not carried over");
    }
    block_on(remove_given_up(&stores.dst, &remaining));
    let task = Task::Copy { remaining, durability: copying.durability };
    let run = CopyRun { stores, recorder, settings, copying, task };
    launch(move |latest| Engine::start_copy(run, &tuning, latest, Placement::Threads))
}

/// How files are copied is chosen once: what was chosen before, with what is chosen now where nothing was. Anything else
/// is refused.
pub fn settle_copy_settings(migration: &Migration, choices: CopyChoices) -> Result<CopySettings, StartError> {
    let recorded = migration.chosen_copy_settings();
    let settings = choices.on_top_of(recorded.unwrap_or_default());
    match recorded {
        Some(recorded) if recorded.completed_by(settings) != settings => {
            let (given, recorded) = differences(&settings, &recorded);
            Err(different("way of copying", &given, &recorded))
        }
        _ => Ok(settings),
    }
}

/// What is different between two ways of copying, in words: `checksum: false` and `checksum: true`.
fn differences(given: &CopySettings, recorded: &CopySettings) -> (String, String) {
    let fields = |settings| match serde_json::to_value(settings) {
        Ok(serde_json::Value::Object(fields)) => fields,
        _ => unreachable!("settings are plain data with names"),
    };
    let (given, recorded) = (fields(given), fields(recorded));
    let in_words = |these: &serde_json::Map<String, _>, others: &serde_json::Map<String, serde_json::Value>| {
        let different = these.iter().filter(|(name, value)| others.get(*name) != Some(value));
        different.map(|(name, value)| format!("{}: {value}", name.replace('_', " "))).collect::<Vec<_>>().join(", ")
    };
    (in_words(&given, &recorded), in_words(&recorded, &given))
}

/// Begins a sweep over what is marked for retry: lists folders again, or copies again what could not be copied. Where
/// nobody has approved what else there is to do, it is only made pending again.
pub fn retry(config: &CopyConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let opened = Opened::open(&config.ledger, config.log, &tuning.resources)?;
    let migration = opened.migration().clone();
    let marked = match migration.current_phase() {
        Phase::Created | Phase::Traversing => return Err(StartError::NotDiscovered),
        _ => opened.require_marks()?,
    };
    let mut settings = settle_copy_settings(&migration, config.choices)?;
    Filter::new(&migration.spec.settings.filter)?;
    let stores = open_recorded_pair(&migration.spec)?;
    if marked.folders == 0 {
        // Only what can be written to at all; how much of it there is room for shows.
        let retry = RetryPolicy::from(&tuning);
        let time_step_ns = block_on(refuse_unfit_destination(&stores.dst, &migration.spec, retry, 0, true))?;
        settings = settings.completed_by(CopySettings { time_step_ns, ..settings });
    }
    // Nothing is refused from here on: what follows has changed the ledger.
    let mut recorder = opened.begin("retry", system_now_ns)?;
    let begun = recorder.begin_retry(&settings)?;
    tracing::info!(folders = marked.folders, copies = marked.copies, "retrying");
    match begun {
        Retry::Listing(_) => {
            let schedule = Schedule::going_on(tuning.schedule_limits(), recorder.go_on_traversal()?);
            launch_traversal(stores, recorder, schedule, tuning).map(Resumed::Running)
        }
        Retry::Copying(_, begun) => {
            block_on(reopen_folders(&stores.dst, &begun.remaining));
            launch_copy(stores, recorder, migration.spec.settings, begun, tuning).map(Resumed::Running)
        }
        Retry::ToApprove(marked) => {
            recorder.end_change(true)?;
            Ok(Resumed::ToApprove(marked))
        }
    }
}

/// Begins a delta pass: lists the source folder at the printable path `under` again, or the root, with everything below
/// it and what is there on the destination, to see what has changed. The plan is then about the difference.
pub fn refresh(ledger: &Path, log: Log, tuning: Tuning, under: Option<&str>) -> Result<Controller, StartError> {
    let opened = Opened::open(ledger, log, &tuning.resources)?;
    if !opened.is_discovered() {
        return Err(StartError::NotDiscovered);
    }
    let folder = opened.source_folder(under)?;
    Filter::new(&opened.migration().spec.settings.filter)?;
    let stores = open_recorded_pair(&opened.migration().spec)?;
    let mut recorder = opened.begin("refresh", system_now_ns)?;
    let folders = recorder.begin_refresh(folder)?;
    tracing::info!(folders, "refreshing");
    let schedule = Schedule::going_on(tuning.schedule_limits(), recorder.go_on_traversal()?);
    launch_traversal(stores, recorder, schedule, tuning)
}

/// Begins to verify what is at the destination, or goes on with it.
pub fn verify(config: &VerifyConfig) -> Result<Resumed, StartError> {
    verify_with(config, open_recorded_pair)
}

/// As [`verify`], with stores that are open already: those that the ledger names.
pub fn verify_with_stores(config: &VerifyConfig, stores: BySide<Arc<dyn Store>>) -> Result<Resumed, StartError> {
    verify_with(config, |_| Ok(stores))
}

fn verify_with(
    config: &VerifyConfig,
    open: impl FnOnce(&MigrationSpec) -> Result<BySide<Arc<dyn Store>>, StartError>,
) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let opened = Opened::open(&config.ledger, config.log, &tuning.resources)?;
    let migration = opened.migration().clone();
    match migration.current_phase() {
        phase @ Phase::Complete if config.resume => return Ok(Resumed::NothingToDo(phase)),
        Phase::Verifying | Phase::Complete => {}
        _ => return Err(StartError::NotCopied),
    }
    let stores = open(&migration.spec)?;
    let mut recorder = opened.begin(if config.resume { "verify --resume" } else { "verify" }, system_now_ns)?;
    let (level, remaining) = recorder.begin_verifying(config.resume, config.level)?;
    tracing::info!(nodes = remaining.nodes, bytes = remaining.bytes, "verifying");
    let settings = migration.spec.settings;
    let copying = migration.copy_settings.unwrap_or_default();
    let task = Task::Verify { remaining, level };
    let run = CopyRun { stores, recorder, settings, copying, task };
    launch(move |latest| Engine::start_copy(run, &tuning, latest, Placement::Threads)).map(Resumed::Running)
}

/// Names that the destination would refuse or fold are said before the first byte is copied.
fn refuse_names(opened: &Opened) -> Result<(), StartError> {
    const SHOWN: u32 = 3;
    let linted = opened.lint(None, None)?;
    let count = linted.count()?;
    if count == 0 {
        return Ok(());
    }
    let first = linted.page(None, SHOWN)?;
    let shown: Vec<_> = first.iter().map(|found| format!("{} ({})", found.path, found.reason)).collect();
    Err(StartError::Names { count, rules: linted.rules(), such_as: shown.join(", ") })
}

/// Runs a future that may have to wait, on a thread without a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without threads or files can be made").block_on(future)
}

/// Starts a migration and waits for its end.
pub fn run(config: &MigrationConfig) -> Result<Outcome, StartError> {
    Ok(start(config)?.wait())
}

/// An existing ledger is never overwritten or silently continued; says whose it is.
fn refuse_existing_ledger(config: &MigrationConfig) -> Result<(), StartError> {
    let path = &config.ledger;
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let spec = Reader::open(path)?.migration()?.spec;
    // A location that cannot be made canonical is not the one in the ledger.
    let canonical = |location: &Location| location.canonical().map(|canonical| canonical.to_string()).ok();
    let is_same = canonical(&config.locations.src).as_ref() == Some(&spec.source)
        && canonical(&config.locations.dst).as_ref() == Some(&spec.destination);
    Err(StartError::Ledger(if is_same {
        LedgerError::Exists(path.clone())
    } else {
        LedgerError::OtherMigration {
            path: path.clone(),
            source_location: spec.source,
            destination_location: spec.destination,
        }
    }))
}

fn refuse_ledger_inside(ledger: &Path, location: &Location) -> Result<(), StartError> {
    let Location::Local(root) = location else { return Ok(()) };
    let folder = match ledger.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) if folder.starts_with(root) => {
            Err(StartError::LedgerInside { ledger: ledger.display().to_string(), location: location.to_string() })
        }
        // If it does not exist, making the ledger will say so.
        _ => Ok(()),
    }
}
