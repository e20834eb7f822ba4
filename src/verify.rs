//! `longhaul verify`.

use std::io;

use longhaul_actors::{Resumed, Tuning, VerifyConfig, verify};
use longhaul_ledger::Log;
use longhaul_model::VerifyLevel;

use crate::attend::{Attended, attend, begin};
use crate::cli::{Cli, Level, LimitArguments, VerifyArguments};
use crate::discover::{exit_of, tuning};
use crate::report::Report;
use crate::{Exit, signals, soundness};

pub(crate) fn run(cli: &Cli, arguments: &VerifyArguments) -> anyhow::Result<Exit> {
    let signals = signals::listen()?;
    let VerifyArguments { level, resume, copiers, limits, .. } = *arguments;
    let controller = match begin(&cli.ledger, || begin_run(cli, resume, level, copiers, limits))? {
        Resumed::Running(controller) => controller,
        Resumed::NothingToDo(phase) => {
            eprintln!("longhaul: nothing to do: everything is verified, the migration is in phase {phase}");
            let report = Report::read(&cli.ledger)?;
            report.print_as(arguments.json, &mut io::stdout().lock())?;
            return Ok(exit_of(&report));
        }
    };
    let Attended { report, interrupted, .. } = attend(&cli.ledger, cli.quiet, &signals, controller)?;
    report.print_as(arguments.json, &mut io::stdout().lock())?;
    if let Some(signal) = interrupted {
        eprintln!(
            "longhaul: interrupted, {} nodes are verified; go on with: longhaul verify --resume --ledger {}",
            report.verified_nodes(),
            cli.ledger.display()
        );
        return Ok(Exit::Interrupted(signal));
    }
    Ok(exit_of(&report))
}

/// Begins to verify, or goes on with it.
pub(crate) fn begin_run(
    cli: &Cli,
    resume: bool,
    level: Level,
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
        level: match level {
            Level::Size => VerifyLevel::Size,
            Level::Checksum => VerifyLevel::Checksum,
            Level::Full => VerifyLevel::Full,
        },
        tuning: Tuning { copiers: copiers.map(usize::from), ..tuning(limits) },
    })?)
}
