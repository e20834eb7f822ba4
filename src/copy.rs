//! `longhaul copy`.

use std::io;

use longhaul_actors::{self as actors, CopyChoices, CopyConfig, CopyDurability, Resumed, Tuning, copy};
use longhaul_ledger::Log;

use crate::attend::{Attended, attend, begin};
use crate::cli::{Cli, CopyArguments, CopyOptions, Durability, LimitArguments, Preserve, Switch};
use crate::discover::{exit_of, tuning};
use crate::report::Report;
use crate::{Exit, signals, soundness};

pub(crate) fn run(cli: &Cli, arguments: &CopyArguments) -> anyhow::Result<Exit> {
    let signals = signals::listen()?;
    let begun = begin(&cli.ledger, || begin_run(cli, arguments.resume, &arguments.options, arguments.limits))?;
    let controller = match begun {
        Resumed::Running(controller) => controller,
        Resumed::NothingToDo(phase) => {
            eprintln!("longhaul: nothing to do: everything is copied, the migration is in phase {phase}");
            let report = Report::read(&cli.ledger)?;
            report.print_as(arguments.json, &mut io::stdout().lock())?;
            return Ok(exit_of(&report));
        }
    };
    let Attended { report, interrupted, .. } = attend(&cli.ledger, cli.quiet, &signals, controller)?;
    report.print_as(arguments.json, &mut io::stdout().lock())?;
    if let Some(signal) = interrupted {
        eprintln!(
            "longhaul: interrupted, {} nodes are still to be copied; go on with: longhaul copy --resume --ledger {}",
            report.copy_pending(),
            cli.ledger.display()
        );
        return Ok(Exit::Interrupted(signal));
    }
    Ok(exit_of(&report))
}

/// Begins to copy, or goes on with it.
pub(crate) fn begin_run(
    cli: &Cli,
    resume: bool,
    options: &CopyOptions,
    limits: LimitArguments,
) -> anyhow::Result<Resumed> {
    let ledger = cli.ledger.clone();
    if resume && let Some(repaired) = soundness::repair(&ledger)? {
        repaired.tell(&ledger);
    }
    Ok(copy(&CopyConfig {
        ledger,
        log: if resume { Log::Probed } else { Log::Unknown },
        resume,
        choices: choices(options),
        durability: match options.durability {
            Durability::Batch => CopyDurability::Batch,
            Durability::File => CopyDurability::File,
            Durability::None => CopyDurability::None,
        },
        force: options.force,
        tuning: Tuning { copiers: options.copiers.map(usize::from), ..tuning(limits) },
    })?)
}

/// What was typed of how files are copied.
pub(crate) fn choices(options: &CopyOptions) -> CopyChoices {
    let preserves = |what| options.preserve.contains(&what);
    let preserve = actors::Preserve {
        owner: preserves(Preserve::Owner),
        extended: preserves(Preserve::Xattrs),
        hard_links: preserves(Preserve::HardLinks),
        holes: preserves(Preserve::Sparse),
    };
    CopyChoices {
        checksum: options.checksum.map(|switch| switch == Switch::On),
        preserve: (!options.preserve.is_empty()).then_some(preserve),
        large_from: options.large_from.map(|mib| mib << 20),
    }
}
