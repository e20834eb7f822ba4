//! `longhaul verify`.

use longhaul_actors::{Resumed, Tuning, VerifyConfig, verify};
use longhaul_ledger::Log;
use longhaul_model::VerifyLevel;

use crate::cli::{Cli, LimitArguments, VerifyArguments};
use crate::discover::tuning;
use crate::foreground::{PhaseCommand, run_phase};
use crate::{Exit, ledger_probe};

pub(crate) fn run(cli: &Cli, arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    let VerifyArguments { level, resume, copiers, limits, json } = *arguments;
    let command =
        PhaseCommand { name: "verify", done: "everything is verified", json, backup_every: limits.backup_every };
    run_phase(cli, &command, || begin_run(cli, resume, level, copiers, limits))
}

/// Begins to verify, or goes on with it.
pub(crate) fn begin_run(
    cli: &Cli,
    resume: bool,
    level: VerifyLevel,
    copiers: Option<u16>,
    limits: LimitArguments,
) -> anyhow::Result<Resumed> {
    let ledger = cli.ledger.clone();
    if resume {
        ledger_probe::mend_log(&ledger)?;
    }
    Ok(verify(&VerifyConfig {
        ledger,
        log: if resume { Log::Probed } else { Log::Unknown },
        resume,
        level,
        stores: None,
        tuning: Tuning { copiers: copiers.map(usize::from), ..tuning(limits) },
    })?)
}
