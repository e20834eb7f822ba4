//! `longhaul --scenario NAME`, with and without `--resume`, and `longhaul --list-scenarios`.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use clap::CommandFactory;
use clap::error::ErrorKind;
use longhaul_scenarios::{Interrupt, Options, Verdict};
use signal_hook::consts::SIGINT;

use crate::cli::{Cli, ScenarioArguments};
use crate::{Exit, signals};

pub(crate) fn run(arguments: &ScenarioArguments, keep: bool) -> anyhow::Result<Exit> {
    let name = arguments.scenario.as_str();
    if longhaul_scenarios::find(name).is_none() {
        let known: Vec<&str> = longhaul_scenarios::all().iter().map(|scenario| scenario.name).collect();
        let message = format!("no scenario is called {name:?}: choose one of {}", known.join(", "));
        Cli::command().error(ErrorKind::InvalidValue, message).exit();
    }
    let interrupt = Interrupt::default();
    let signal = pass_on(&interrupt)?;
    let spectra_url = arguments.spectra_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    let store_url = arguments.store_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
    let options = Options { keep, resume: arguments.resume, interrupt, spectra_url, store_url };
    Ok(match longhaul_scenarios::run(name, &options, &mut io::stdout().lock())? {
        Verdict::Passed => Exit::Done,
        Verdict::Failed(_) => Exit::CouldNot,
        Verdict::Interrupted(_) => Exit::Interrupted(signal.get().copied().unwrap_or(SIGINT)),
    })
}

/// From now on the first SIGINT or SIGTERM interrupts the scenario. Which one it was will be found in what is returned.
fn pass_on(interrupt: &Interrupt) -> io::Result<Arc<OnceLock<i32>>> {
    let signals = signals::listen()?;
    let received = Arc::new(OnceLock::new());
    let (interrupt, first) = (interrupt.clone(), received.clone());
    std::thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        first.get_or_init(|| signals.wait());
        interrupt.ask();
    })?;
    Ok(received)
}

pub(crate) fn list() -> anyhow::Result<Exit> {
    let mut out = io::stdout().lock();
    for scenario in longhaul_scenarios::all() {
        writeln!(out, "{:<24}{}", scenario.name, scenario.description)?;
    }
    Ok(Exit::Done)
}
