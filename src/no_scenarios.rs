//! `longhaul --scenario NAME` and `longhaul --list-scenarios` in a build without the feature `scenarios`: refused.

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::Exit;
use crate::cli::{Cli, ScenarioArguments};

const REMEDY: &str = "build Longhaul with --features scenarios";

pub(crate) fn run(arguments: &ScenarioArguments, _keep: bool) -> anyhow::Result<Exit> {
    refuse(&format!("cannot run scenario {:?}: this build has no scenarios; {REMEDY}", arguments.scenario))
}

pub(crate) fn list() -> anyhow::Result<Exit> {
    refuse(&format!("this build has no scenarios; {REMEDY}"))
}

/// As any other wrong usage.
fn refuse(message: &str) -> ! {
    Cli::command().error(ErrorKind::InvalidValue, message).exit()
}
