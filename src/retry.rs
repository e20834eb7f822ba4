//! `longhaul retry`.

use longhaul_actors::{Resumed, retry};
use longhaul_ledger::Reader;

use crate::attend::{PhaseCommand, run_phase};
use crate::cli::{Cli, RetryArguments};
use crate::{Exit, copy, soundness};

pub(crate) fn run(cli: &Cli, arguments: &RetryArguments) -> anyhow::Result<Exit> {
    let RetryArguments { options, limits, json } = arguments;
    soundness::require(&cli.ledger)?;
    let lists = Reader::open(&cli.ledger)?.marked()?.folders > 0;
    // An interrupted sweep is a discovery, or a copy, like any other.
    let command =
        PhaseCommand { name: if lists { "discover" } else { "copy" }, done: "nothing is marked", json: *json };
    run_phase(cli, &command, || Ok(Resumed::Running(retry(&copy::config(cli.ledger.clone(), options, *limits))?)))
}
