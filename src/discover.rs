//! `longhaul discover SRC DST`.

use std::path::Path;
use std::time::Duration;

use longhaul_actors::{MigrationConfig, ResumeConfig, Resumed, Tuning, discover, resume};
use longhaul_ledger::{CopySettings, Log};
use longhaul_model::BySide;
use longhaul_storage::OpenOptions;

use crate::cli::{Cli, DiscoverArguments, LimitArguments, PolicyArguments};
use crate::foreground::{PhaseCommand, run_phase};
use crate::{Exit, filter, ledger_probe};

pub(crate) fn run(cli: &Cli, arguments: &DiscoverArguments) -> anyhow::Result<Exit> {
    let command = PhaseCommand {
        name: "discover",
        done: "discovery is complete",
        json: arguments.json,
        backup_every: arguments.limits.backup_every,
    };
    run_phase(cli, &command, || begin_run(&cli.ledger, arguments, None))
}

/// What limits come to.
pub(crate) fn tuning(limits: LimitArguments) -> Tuning {
    Tuning {
        grace: Duration::from_secs(limits.grace),
        give_up_after: Some(Duration::from_secs(limits.give_up_after)),
        max_concurrency: limits.max_concurrency.map(usize::from),
        max_rate: limits.max_rate,
        bandwidth: limits.bandwidth.map(|mib| mib * f64::from(1 << 20)),
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
    let PolicyArguments { compare, on_conflict } = arguments.policies;
    let filter = filter::rules(&arguments.filter)?;
    match (arguments.resume, &arguments.source, &arguments.destination) {
        (false, Some(source), Some(destination)) => {
            let locations = BySide { src: source.clone(), dst: destination.clone() };
            let open = OpenOptions { create_destination: arguments.create_destination, one_file_system };
            Ok(discover(&MigrationConfig {
                locations,
                stores: None,
                ledger,
                open,
                compare,
                on_conflict,
                adopt: arguments.adopt,
                copying,
                filter,
                tuning,
            })?)
        }
        (_, source, destination) => {
            ledger_probe::mend_log(&ledger)?;
            let locations = BySide { src: source.clone(), dst: destination.clone() };
            let log = Log::Probed;
            let config = ResumeConfig { ledger, log, locations, one_file_system, compare, on_conflict, filter, tuning };
            Ok(resume(&config)?)
        }
    }
}
