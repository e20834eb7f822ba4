//! `longhaul --scenario NAME` and `longhaul --list-scenarios`.

use std::io::{self, Write};

use clap::CommandFactory;
use clap::error::ErrorKind;
use longhaul_scenarios::Options;

use crate::Exit;
use crate::cli::Cli;

pub(crate) fn run(name: &str, keep: bool) -> anyhow::Result<Exit> {
    if longhaul_scenarios::find(name).is_none() {
        let known: Vec<&str> = longhaul_scenarios::all().iter().map(|scenario| scenario.name).collect();
        let message = format!("no scenario is called {name:?}: choose one of {}", known.join(", "));
        Cli::command().error(ErrorKind::InvalidValue, message).exit();
    }
    let verdict = longhaul_scenarios::run(name, &Options { keep }, &mut io::stdout().lock())?;
    Ok(if verdict.passed() { Exit::Done } else { Exit::CouldNot })
}

pub(crate) fn list() -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    for scenario in longhaul_scenarios::all() {
        writeln!(out, "{:<24}{}", scenario.name, scenario.description)?;
    }
    Ok(Exit::Done)
}
