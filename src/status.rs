//! `longhaul status`.

use std::io;
use std::path::Path;

use crate::Exit;
use crate::cli::StatusArguments;
use crate::report::Report;

pub(crate) fn run(ledger: &Path, arguments: &StatusArguments) -> anyhow::Result<Exit> {
    let report = Report::read(ledger)?;
    let mut out = io::stdout().lock();
    if arguments.json {
        report.print_json(&mut out)?;
    } else {
        report.print(&mut out)?;
    }
    Ok(Exit::Done)
}
