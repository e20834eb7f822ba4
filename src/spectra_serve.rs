//! `longhaul spectra serve`: a simulator over HTTP.

use std::io::{self, Write};

use anyhow::Context;
use longhaul_spectra::http::Server;
use longhaul_spectra::{Config, Spectra};

use crate::cli::SpectraServeArguments;
use crate::{Exit, signals};

pub(crate) fn run(arguments: &SpectraServeArguments) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.config)?;
    let host = arguments.host.as_deref().unwrap_or(&config.api.host).to_owned();
    let port = arguments.port.unwrap_or(config.api.port);
    let simulator = Spectra::open(config)?;
    // Before anybody can know of it, so that no signal is missed.
    let signals = signals::listen()?;
    let server = Server::start(simulator.clone(), &host, port)
        .with_context(|| format!("cannot listen on {host} port {port}: choose another one with --host and --port"))?;
    let mut out = io::stdout().lock();
    writeln!(out, "listening on {}", server.url())?;
    for world in simulator.worlds() {
        writeln!(out, "  spectra+{}/{world}", server.url())?;
    }
    writeln!(out, "until it is interrupted")?;
    out.flush()?;
    signals.recv()?;
    drop(server);
    // What was written is to be there the next time, whatever happens to the machine.
    simulator.flush()?;
    Ok(Exit::Done)
}
