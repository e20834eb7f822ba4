//! `longhaul report`. What a terminal says of a migration is in `report.rs`; this writes the report that one sends.

use std::io::{self, Write};
use std::path::Path;

use longhaul_ledger::reporting::ReportingResources;
use longhaul_ledger::system_now_ns;
use longhaul_reports::{ReportOptions, write_report};

use crate::cli::ReportArguments;
use crate::{Exit, soundness};

pub(crate) fn run(ledger: &Path, arguments: &ReportArguments) -> anyhow::Result<Exit> {
    soundness::require(ledger)?;
    let options =
        ReportOptions { force: arguments.force, now_ns: system_now_ns(), resources: ReportingResources::default() };
    let written = write_report(ledger, &arguments.out, &options)?;
    let mut out = io::stdout().lock();
    writeln!(out, "{}.", written.figures.conclusion.headline)?;
    for sentence in &written.figures.conclusion.sentences {
        writeln!(out, "{sentence}")?;
    }
    writeln!(out)?;
    for file in &written.files {
        writeln!(out, "{}", file.display())?;
    }
    Ok(Exit::Done)
}
