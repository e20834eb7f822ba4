//! `longhaul verify`.

use longhaul_actors::{Resumed, Tuning, VerifyConfig, verify};
use longhaul_ledger::Log;
use longhaul_model::VerifyLevel;

use crate::attend::{PhaseCommand, run_phase};
use crate::cli::{Cli, Level, LimitArguments, VerifyArguments};
use crate::discover::tuning;
use crate::{Exit, soundness};

pub(crate) fn run(cli: &Cli, arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    let VerifyArguments { level, resume, copiers, limits, json } = *arguments;
    let level = level.into();
    let command = PhaseCommand { name: "verify", done: "everything is verified", json };
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
    if resume && let Some(repaired) = soundness::repair(&ledger)? {
        repaired.tell(&ledger);
    }
    Ok(verify(&VerifyConfig {
        ledger,
        log: if resume { Log::Probed } else { Log::Unknown },
        resume,
        level,
        tuning: Tuning { copiers: copiers.map(usize::from), ..tuning(limits) },
    })?)
}

impl From<Level> for VerifyLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Size => VerifyLevel::Size,
            Level::Checksum => VerifyLevel::Checksum,
            Level::Full => VerifyLevel::Full,
        }
    }
}
