//! `longhaul discover SRC DST`.

use std::io;
use std::path::Path;
use std::time::Duration;

use longhaul_actors::{MigrationConfig, ResumeConfig, Resumed, Tuning, resume, start};
use longhaul_ledger::{CopySettings, Log};
use longhaul_model::BySide;
use longhaul_storage::OpenOptions;

use crate::attend::{Attended, attend, begin};
use crate::cli::{Cli, DiscoverArguments, LimitArguments};
use crate::report::Report;
use crate::{Exit, signals, soundness};

pub(crate) fn run(cli: &Cli, arguments: &DiscoverArguments) -> anyhow::Result<Exit> {
    let signals = signals::listen()?;
    let controller = match begin(&cli.ledger, || begin_run(&cli.ledger, arguments, None))? {
        Resumed::Running(controller) => controller,
        Resumed::NothingToDo(phase) => {
            eprintln!("longhaul: nothing to do: discovery is complete, the migration is in phase {phase}");
            let report = Report::read(&cli.ledger)?;
            report.print_as(arguments.json, &mut io::stdout().lock())?;
            return Ok(exit_of(&report));
        }
    };
    let Attended { report, interrupted, .. } = attend(&cli.ledger, cli.quiet, &signals, controller)?;
    report.print_as(arguments.json, &mut io::stdout().lock())?;
    if let Some(signal) = interrupted {
        eprintln!(
            "longhaul: interrupted, {} folders are still to be listed; go on with: longhaul discover --resume --ledger {}",
            report.folders_pending(),
            cli.ledger.display()
        );
        return Ok(Exit::Interrupted(signal));
    }
    Ok(exit_of(&report))
}

/// How a run ends whose discovery is complete.
pub(crate) fn exit_of(report: &Report) -> Exit {
    if report.has_failures() { Exit::SomeFailed } else { Exit::Done }
}

/// What limits come to.
pub(crate) fn tuning(limits: LimitArguments) -> Tuning {
    Tuning {
        grace: Duration::from_secs(limits.grace),
        give_up_after: Some(Duration::from_secs(limits.give_up_after)),
        ..Tuning::default()
    }
}

/// Begins to list, or goes on with it. `copying` is how files will be copied, where that is chosen already.
pub(crate) fn begin_run(
    ledger: &Path,
    arguments: &DiscoverArguments,
    copying: Option<CopySettings>,
) -> anyhow::Result<Resumed> {
    let tuning = Tuning { workers: arguments.workers.map(usize::from), ..tuning(arguments.limits) };
    let ledger = ledger.to_owned();
    let one_file_system = arguments.one_file_system;
    let compare = arguments.policies.compare.map(Into::into);
    let on_conflict = arguments.policies.on_conflict.map(Into::into);
    match (arguments.resume, &arguments.source, &arguments.destination) {
        (false, Some(source), Some(destination)) => {
            let locations = BySide { src: source.clone(), dst: destination.clone() };
            let open = OpenOptions { create_destination: arguments.create_destination, one_file_system };
            let config = MigrationConfig { locations, ledger, open, compare, on_conflict, copying, tuning };
            Ok(Resumed::Running(start(&config)?))
        }
        (_, source, destination) => {
            if let Some(repaired) = soundness::repair(&ledger)? {
                repaired.tell(&ledger);
            }
            let locations = BySide { src: source.clone(), dst: destination.clone() };
            let log = Log::Probed;
            Ok(resume(&ResumeConfig { ledger, log, locations, one_file_system, compare, on_conflict, tuning })?)
        }
    }
}
