//! `longhaul copy`.

use longhaul_actors::{self as actors, CopyChoices, CopyConfig, CopyDurability, Resumed, Tuning, copy};
use longhaul_ledger::Log;

use crate::attend::{PhaseCommand, run_phase};
use crate::cli::{Cli, CopyArguments, CopyOptions, Durability, LimitArguments, Preserve, Switch};
use crate::discover::tuning;
use crate::{Exit, soundness};

pub(crate) fn run(cli: &Cli, arguments: &CopyArguments) -> anyhow::Result<Exit> {
    let CopyArguments { resume, options, limits, json } = arguments;
    let command = PhaseCommand { name: "copy", done: "everything is copied", json: *json };
    run_phase(cli, &command, || begin_run(cli, *resume, options, *limits))
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
