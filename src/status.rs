//! `longhaul status`.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use longhaul_ledger::LedgerError;

use crate::cli::StatusArguments;
use crate::progress::{copying, rate, side};
use crate::report::Report;
use crate::status_socket::{self, Live};
use crate::{Exit, ledger_probe};

/// How often `--watch` looks.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

pub(crate) fn run(ledger: &Path, arguments: &StatusArguments) -> anyhow::Result<Exit> {
    while let Some(live) = status_socket::ask(ledger) {
        print_live(&live, arguments.json)?;
        if !arguments.watch {
            return Ok(Exit::Done);
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
    ledger_probe::require(ledger)?;
    let report = match Report::read(ledger) {
        // A run that began after it was asked, or is about to end.
        Err(error @ LedgerError::InUse { .. }) => match status_socket::ask(ledger) {
            Some(live) => {
                print_live(&live, arguments.json)?;
                return Ok(Exit::Done);
            }
            None => return Err(error.into()),
        },
        report => report?,
    };
    report.print_as(arguments.json, &mut io::stdout().lock())?;
    Ok(Exit::Done)
}

fn print_live(live: &Live, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, live)?;
        return writeln!(out);
    }
    let progress = &live.progress;
    writeln!(out, "running for {} in process {}: {}", live.running_for(), live.pid, rate(progress.nodes_per_s))?;
    if let Some(copy) = &progress.copy {
        return writeln!(out, "  {}", copying(progress, copy));
    }
    writeln!(out, "  source       {}", side(&progress.sides.src))?;
    writeln!(out, "  destination  {}", side(&progress.sides.dst))
}
