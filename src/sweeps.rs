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
    let command =
        PhaseCommand { name: if lists { "discover" } else { "copy" }, done: "nothing is marked", json: *json };
    run_phase(cli, &command, || Ok(begin_retry(&copy::config(cli.ledger.clone(), options, *limits))?))
}

pub(crate) fn refresh(cli: &Cli, arguments: &RefreshArguments) -> anyhow::Result<Exit> {
    let RefreshArguments { under, limits, json } = arguments;
    ledger_probe::require(&cli.ledger)?;
    let command = PhaseCommand { name: "discover", done: "everything is known", json: *json };
    run_phase(cli, &command, || {
        let (ledger, under, tuning) = (cli.ledger.clone(), under.clone(), discover::tuning(*limits));
        Ok(begin_refresh(&RefreshConfig { ledger, log: Log::Probed, under, tuning })?)
    })
}
