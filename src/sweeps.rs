//! The commands that list again what was listed before: `longhaul retry`, `longhaul refresh`.

use longhaul_actors::{RefreshConfig, refresh as begin_refresh, retry as begin_retry};
use longhaul_ledger::{Log, Reader};

use crate::cli::{Cli, RefreshArguments, RetryArguments};
use crate::foreground::{PhaseCommand, run_phase};
use crate::{Exit, copy, discover, ledger_probe};

pub(crate) fn retry(cli: &Cli, arguments: &RetryArguments) -> anyhow::Result<Exit> {
    let RetryArguments { options, limits, json } = arguments;
    ledger_probe::require(&cli.ledger)?;
    let lists = Reader::open(&cli.ledger)?.marked()?.folders > 0;
    // An interrupted sweep is a discovery, or a copy, like any other.
    let command = PhaseCommand {
        name: if lists { "discover" } else { "copy" },
        done: "nothing is marked",
        json: *json,
        backup_every: limits.backup_every,
    };
    let was_approved = is_approved(cli);
    let exit = run_phase(cli, &command, || Ok(begin_retry(&copy::config(cli.ledger.clone(), options, *limits))?))?;
    say_revoked(cli, was_approved)?;
    Ok(exit)
}

pub(crate) fn refresh(cli: &Cli, arguments: &RefreshArguments) -> anyhow::Result<Exit> {
    let RefreshArguments { under, limits, json } = arguments;
    ledger_probe::require(&cli.ledger)?;
    let command =
        PhaseCommand { name: "discover", done: "everything is known", json: *json, backup_every: limits.backup_every };
    let was_approved = is_approved(cli);
    let exit = run_phase(cli, &command, || {
        let (ledger, under, tuning) = (cli.ledger.clone(), under.clone(), discover::tuning(*limits));
        Ok(begin_refresh(&RefreshConfig { ledger, log: Log::Probed, under, tuning })?)
    })?;
    say_revoked(cli, was_approved)?;
    Ok(exit)
}

/// Whether the plan is approved. A ledger that cannot be read is what the run says when it begins.
fn is_approved(cli: &Cli) -> bool {
    Reader::open(&cli.ledger).and_then(|reader| reader.approval()).is_ok_and(|approval| approval.is_some())
}

/// Says that the plan has to be approved again, where it was approved before.
fn say_revoked(cli: &Cli, was_approved: bool) -> anyhow::Result<()> {
    let reader = Reader::open(&cli.ledger)?;
    if was_approved && reader.approval()?.is_none() && !reader.migration()?.current_phase().is_copied() {
        tell!(
            "longhaul: the approval is revoked, since the plan may have changed: look at it with longhaul plan, and \
             approve it with longhaul approve"
        );
    }
    Ok(())
}
