//! What all commands that run an engine have in common: they wait for a ledger that somebody is letting go of, show
//! progress, pass signals on, and say how it ended.

use std::io;
use std::time::{Duration, Instant};

use anyhow::bail;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use longhaul_actors::{Controller, Ended, Outcome, Resumed, StartError};

use crate::backup::RegularBackups;
use crate::cli::Cli;
use crate::progress::ProgressLine;
use crate::report::Report;
use crate::signals::{Attending, Signals};
use crate::{Exit, hints, signals, status_socket};

/// How often the progress line and the signals are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// After what time it is said that a run has not begun yet.
const NOTED_WAIT: Duration = Duration::from_secs(3);

/// How long a ledger is waited for that somebody holds who does not answer.
const IN_USE_WAIT: Duration = Duration::from_secs(2);

/// Begins something with a ledger. One that is in use by a run is refused, and it is said since when; whoever holds it
/// and is no run that answers is just coming or going, and is waited for a moment.
pub(crate) fn begin<T>(cli: &Cli, signals: &Signals, begin: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let ledger = &cli.ledger;
    signals.begin();
    let _note = (!cli.quiet).then(note_a_long_wait);
    let deadline = Instant::now() + IN_USE_WAIT;
    loop {
        let error = match begin() {
            Err(error) if error.downcast_ref::<StartError>().is_some_and(StartError::is_in_use) => error,
            settled => return settled,
        };
        if let Some(live) = status_socket::ask(ledger) {
            let since = format!("process {} has been at it for {}", live.pid, live.running_for());
            return Err(error.context(since));
        }
        if Instant::now() >= deadline {
            return Err(error);
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// Says that something takes long, unless what is returned is dropped before.
fn note_a_long_wait() -> Sender<()> {
    let (begun, waiting) = bounded::<()>(0);
    // Without a thread it is not said.
    let _ = std::thread::Builder::new().name("waiting".to_owned()).spawn(move || {
        if waiting.recv_timeout(NOTED_WAIT) == Err(RecvTimeoutError::Timeout) {
            tell!("longhaul: waiting for the stores to answer");
        }
    });
    begun
}

/// How a run came to its end.
#[derive(Debug)]
pub(crate) struct Attended {
    /// How the migration stands now.
    pub(crate) report: Report,
    /// The signal that interrupted it.
    pub(crate) interrupted: Option<i32>,
    /// A signal that came when there was nothing left to be interrupted.
    pub(crate) came_late: Option<i32>,
}

/// Shows progress, answers others who ask for it, and passes signals on, until the run ends. Whatever keeps it from
/// going on is an error, which says how `command` goes on when that is mended.
pub(crate) fn attend(
    cli: &Cli,
    command: &str,
    signals: &Signals,
    controller: Controller,
    backup_every: Option<Duration>,
) -> anyhow::Result<Attended> {
    let ledger = &cli.ledger;
    let attending = signals.attend();
    // Without it `status` cannot tell how far the run has come, which is no reason not to run.
    let answering = status_socket::answer(ledger, controller.progress_reader(), controller.backups())
        .inspect_err(|error| tracing::warn!("no status for other processes: {error}"));
    let backups = backup_every.map(|interval| RegularBackups::new(ledger, interval, controller.backups()));
    let (outcome, signal) = wait(controller, &attending, cli.quiet, backups);
    drop(answering);
    let shown = ledger.display();
    let resume = hints::resume(command, ledger);
    let (interrupted, came_late) = match outcome.ended {
        Ended::Done => (None, signal),
        Ended::Interrupted => (Some(signal.unwrap_or(signal_hook::consts::SIGINT)), None),
        Ended::StoreGaveUp { reason, .. } => bail!("suspended: {reason}; when that is mended, {resume}"),
        Ended::LedgerFailed(error) => {
            let error = hints::with_hint(error);
            bail!("suspended: {error}; what was committed before is safe in {shown}; when that is mended, {resume}")
        }
        Ended::Broken(what) => bail!("{what}; what was committed before is safe in {shown}; {resume}"),
    };
    let report = match outcome.closed.overview {
        Some(overview) => Report::new(ledger, overview),
        None => Report::read(ledger)?,
    };
    Ok(Attended { report, interrupted, came_late })
}

/// What a command that runs one phase says of it.
pub(crate) struct PhaseCommand<'a> {
    /// The command.
    pub(crate) name: &'a str,
    /// What is done when there is nothing to do.
    pub(crate) done: &'a str,
    /// Whether the report is printed as JSON.
    pub(crate) json: bool,
    /// How often the ledger is backed up meanwhile, if it is.
    pub(crate) backup_every: Option<Duration>,
}

/// Runs one phase from its beginning to its report.
pub(crate) fn run_phase(
    cli: &Cli,
    command: &PhaseCommand<'_>,
    begin_run: impl Fn() -> anyhow::Result<Resumed>,
) -> anyhow::Result<Exit> {
    let signals = signals::listen()?;
    let (report, interrupted) = match begin(cli, &signals, begin_run)? {
        Resumed::Running(controller) => {
            let attended = attend(cli, command.name, &signals, controller, command.backup_every)?;
            (attended.report, attended.interrupted)
        }
        Resumed::NothingToDo(phase) => {
            tell!("longhaul: nothing to do: {}, the migration is in phase {phase}", command.done);
            (Report::read(&cli.ledger)?, None)
        }
        Resumed::ToApprove(marked) => {
            tell!(
                "longhaul: nothing was copied: what was marked ({}) is to be done, and other things besides, or conflicts are \
                 open; the plan has to be approved, with longhaul approve, and then carried out, with longhaul copy",
                marked.copies
            );
            let report = Report::read(&cli.ledger)?;
            report.print_as(command.json, &mut io::stdout().lock())?;
            return Ok(Exit::SomeFailed);
        }
    };
    report.print_as(command.json, &mut io::stdout().lock())?;
    if let Some(signal) = interrupted {
        tell!("longhaul: interrupted, {}; {}", report.stage(), hints::resume(command.name, &cli.ledger));
        return Ok(Exit::Interrupted(signal));
    }
    Ok(report.exit())
}

fn wait(
    mut controller: Controller,
    signals: &Attending<'_>,
    quiet: bool,
    mut backups: Option<RegularBackups>,
) -> (Outcome, Option<i32>) {
    let line = ProgressLine::start(quiet);
    let mut received = None;
    let outcome = loop {
        // First of all: it may have come while the run was being begun.
        if let Some(signal) = signals.received() {
            received = Some(signal);
            controller.shutdown();
            line.stopping();
        }
        if let Some(backups) = &mut backups {
            backups.look();
        }
        match controller.wait_for(LOOK_INTERVAL) {
            Ok(outcome) => break outcome,
            Err(still_running) => controller = still_running,
        }
        line.show(&controller.progress());
    };
    line.end();
    (outcome, received.or_else(|| signals.received()))
}
