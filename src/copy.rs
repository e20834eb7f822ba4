//! `longhaul copy`.

use std::path::PathBuf;

use longhaul_actors::{self as actors, CopyChoices, CopyConfig, CopyDurability, Resumed, Tuning, copy};
use longhaul_ledger::{Approving, Log};

use crate::attend::{PhaseCommand, run_phase};
use crate::cli::{Cli, CopyArguments, CopyOptions, Durability, LimitArguments, Preserve, Switch};
use crate::discover::tuning;
use crate::{Exit, soundness};

pub(crate) fn run(cli: &Cli, arguments: &CopyArguments) -> anyhow::Result<Exit> {
    let CopyArguments { resume, approve, leave_conflicts, options, limits, json } = arguments;
    let approving = match (approve, leave_conflicts) {
        (false, _) => Approving::Before,
        (true, false) => Approving::Now,
        (true, true) => Approving::NowWithConflicts,
    };
    let command = PhaseCommand { name: "copy", done: "everything is copied", json: *json };
    let config = || CopyConfig { approving, ..config(cli.ledger.clone(), options, *limits) };
    run_phase(cli, &command, || begin_run(*resume, config()))
}

/// Begins to copy, or goes on with it.
pub(crate) fn begin_run(resume: bool, config: CopyConfig) -> anyhow::Result<Resumed> {
    let ledger = &config.ledger;
    if resume && let Some(repaired) = soundness::repair(ledger)? {
        repaired.tell(ledger);
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
        choices: choices(options),
        force: options.force,
        ignore_names: options.force,
        tuning: Tuning { copiers: options.copiers.map(usize::from), ..tuning(limits) },
    }
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
        durability: options.durability.map(|durability| match durability {
            Durability::Batch => CopyDurability::Batch,
            Durability::File => CopyDurability::File,
            Durability::None => CopyDurability::None,
        }),
        verify_level: None,
        empty_folders: options.keep_empty_folders.then_some(true),
    }
}
