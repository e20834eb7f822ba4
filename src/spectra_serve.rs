//! `longhaul spectra serve`: a simulator over HTTP.

use std::io::{self, Write};
use std::iter;

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
    announce(&server.url(), &simulator)?;
    signals.wait();
    drop(server);
    // What was written is to be there the next time, whatever happens to the machine.
    simulator.flush()?;
    Ok(Exit::Done)
}

/// Says where it listens, in one piece: who waits for that may read no further and close the pipe, and is served all the
/// same.
fn announce(url: &str, simulator: &Spectra) -> io::Result<()> {
    let first = format!("listening on {url}");
    let worlds = simulator.worlds().into_iter().map(|world| format!("  spectra+{url}/{world}"));
    let lines: Vec<String> = iter::once(first).chain(worlds).collect();
    let mut out = io::stdout().lock();
    let text = lines.join("\n") + "\nuntil it is interrupted\n";
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => said,
    }
}
