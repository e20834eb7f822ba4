//! `longhaul discover SRC DST`.

use std::io;
use std::time::{Duration, Instant};

use anyhow::bail;
use crossbeam_channel::Receiver;
use longhaul_actors::{
    Controller, Ended, MigrationConfig, Outcome, ResumeConfig, Resumed, StartError, Tuning, resume, start,
};
use longhaul_ledger::Log;
use longhaul_model::BySide;
use longhaul_storage::OpenOptions;

use crate::Exit;
use crate::cli::{Cli, DiscoverArguments};
use crate::progress::ProgressLine;
use crate::report::Report;
use crate::{live, signals, soundness};

/// How often the progress line and the signals are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long a ledger is waited for that somebody holds who does not answer.
const IN_USE_WAIT: Duration = Duration::from_secs(2);

pub(crate) fn run(cli: &Cli, arguments: &DiscoverArguments) -> anyhow::Result<Exit> {
    let signals = signals::listen()?;
    let controller = match begin(cli, arguments)? {
        Resumed::Running(controller) => controller,
        Resumed::NothingToDo(phase) => {
            eprintln!("longhaul: nothing to do: discovery is complete, the migration is in phase {phase}");
            let report = Report::read(&cli.ledger)?;
            report.print_as(arguments.json, &mut io::stdout().lock())?;
            return Ok(exit_of(&report));
        }
    };
    // Without it `status` cannot tell how far the run has come, which is no reason not to run.
    let answering = live::answer(&cli.ledger, controller.progress_reader())
        .inspect_err(|error| tracing::warn!("no status for other processes: {error}"));
    let (outcome, signal) = attend(controller, &signals, cli.quiet);
    drop(answering);
    let exit = match outcome.ended {
        Ended::Done => None,
        Ended::Interrupted => Some(Exit::Interrupted(signal.unwrap_or(signal_hook::consts::SIGINT))),
        Ended::StoreGaveUp { reason, .. } => bail!("suspended: {reason}"),
        Ended::LedgerFailed(error) => {
            bail!("suspended: {error}; what was committed before is safe in {}", cli.ledger.display())
        }
        Ended::Broken(what) => bail!("{what}; what was committed before is safe in {}", cli.ledger.display()),
    };
    let report = match outcome.closed.overview {
        Some(overview) => Report::new(&cli.ledger, overview),
        None => Report::read(&cli.ledger)?,
    };
    report.print_as(arguments.json, &mut io::stdout().lock())?;
    if exit.is_some() {
        eprintln!(
            "longhaul: interrupted, {} folders are still to be listed; go on with: longhaul discover --resume --ledger {}",
            report.folders_pending(),
            cli.ledger.display()
        );
    }
    Ok(exit.unwrap_or(exit_of(&report)))
}

/// How a run ends whose discovery is complete.
fn exit_of(report: &Report) -> Exit {
    if report.has_failures() { Exit::SomeFailed } else { Exit::Done }
}

/// Starts the run, or goes on with it. A ledger that is in use by a run is refused, and it is said since when; whoever
/// holds it and is no run that answers is just coming or going, and is waited for a moment.
fn begin(cli: &Cli, arguments: &DiscoverArguments) -> anyhow::Result<Resumed> {
    let deadline = Instant::now() + IN_USE_WAIT;
    loop {
        let error = match begin_run(cli, arguments) {
            Err(error) if error.downcast_ref::<StartError>().is_some_and(StartError::is_in_use) => error,
            begun => return begun,
        };
        if let Some(live) = live::ask(&cli.ledger) {
            let since = format!("process {} has been at it for {:.0} s", live.pid, live.progress.elapsed_s);
            return Err(error.context(since));
        }
        if Instant::now() >= deadline {
            return Err(error);
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

fn begin_run(cli: &Cli, arguments: &DiscoverArguments) -> anyhow::Result<Resumed> {
    let tuning = Tuning {
        workers: arguments.workers.map(usize::from),
        grace: Duration::from_secs(arguments.grace),
        give_up_after: Some(Duration::from_secs(arguments.give_up_after)),
        ..Tuning::default()
    };
    let ledger = cli.ledger.clone();
    let one_file_system = arguments.one_file_system;
    match (arguments.resume, &arguments.source, &arguments.destination) {
        (false, Some(source), Some(destination)) => {
            let locations = BySide { src: source.clone(), dst: destination.clone() };
            let open = OpenOptions { create_destination: arguments.create_destination, one_file_system };
            Ok(Resumed::Running(start(&MigrationConfig { locations, ledger, open, tuning })?))
        }
        (_, source, destination) => {
            if let Some(repaired) = soundness::repair(&ledger)? {
                repaired.tell(&ledger);
            }
            let locations = BySide { src: source.clone(), dst: destination.clone() };
            Ok(resume(&ResumeConfig { ledger, log: Log::Probed, locations, one_file_system, tuning })?)
        }
    }
}

/// Shows progress and passes a signal on, until the migration ends. Returns the signal with how it ended.
fn attend(mut controller: Controller, signals: &Receiver<i32>, quiet: bool) -> (Outcome, Option<i32>) {
    let line = ProgressLine::start(quiet);
    let mut received = None;
    let outcome = loop {
        match controller.wait_for(LOOK_INTERVAL) {
            Ok(outcome) => break outcome,
            Err(still_running) => controller = still_running,
        }
        line.show(&controller.progress());
        if let Ok(signal) = signals.try_recv() {
            received = Some(signal);
            controller.shutdown();
            line.stopping();
        }
    };
    line.end();
    (outcome, received)
}
