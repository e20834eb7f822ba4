//! `longhaul copy`.

use std::path::PathBuf;

use longhaul_actors::{CopyConfig, Resumed, Tuning, copy};
use longhaul_ledger::{Approving, Log};

use crate::cli::{Cli, CopyArguments, CopyOptions, LimitArguments};
use crate::discover::tuning;
use crate::foreground::{PhaseCommand, run_phase};
use crate::{Exit, ledger_probe};

pub(crate) fn run(cli: &Cli, arguments: &CopyArguments) -> anyhow::Result<Exit> {
    let CopyArguments { resume, approve, leave_conflicts, options, limits, json } = arguments;
    let approving = match (approve, leave_conflicts) {
        (false, _) => Approving::Before,
        (true, false) => Approving::Now,
        (true, true) => Approving::NowWithConflicts,
    };
    let command = PhaseCommand {
        name: "copy",
        done: "the plan has been carried out",
        json: *json,
        backup_every: limits.backup_every,
    };
    let config = || CopyConfig { approving, ..config(cli.ledger.clone(), options, *limits) };
    run_phase(cli, &command, || begin_run(*resume, config()))
}

/// Begins to copy, or goes on with it.
pub(crate) fn begin_run(resume: bool, config: CopyConfig) -> anyhow::Result<Resumed> {
    let ledger = &config.ledger;
    if resume {
        ledger_probe::mend_log(ledger)?;
    }
    let log = if resume { Log::Probed } else { Log::Unknown };
    Ok(copy(&CopyConfig { log, resume, ..config })?)
}

/// What was typed of how it is copied, for a copy that begins with what was approved.
pub(crate) fn config(ledger: PathBuf, options: &CopyOptions, limits: LimitArguments) -> CopyConfig {
    CopyConfig {
        ledger,
        log: Log::Unknown,
        resume: false,
        approving: Approving::Before,
        choices: options.choices.clone(),
        force: options.force,
        ignore_names: options.force,
        stores: None,
        tuning: Tuning { copiers: options.copiers.map(usize::from), ..tuning(limits) },
    }
}
