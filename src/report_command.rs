//! `longhaul report`. What a terminal says of a migration is in `report.rs`; this writes the report that one sends.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use longhaul_ledger::reporting::ReportingResources;
use longhaul_ledger::system_now_ns;
use longhaul_reports::{ReportError, ReportOptions, write_report};

use crate::cli::ReportArguments;
use crate::{Exit, ledger_probe, signals};

pub(crate) fn run(ledger: &Path, arguments: &ReportArguments) -> anyhow::Result<Exit> {
    ledger_probe::require(ledger)?;
    let signals = signals::listen()?;
    let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicI32::new(0)));
    let options = ReportOptions {
        force: arguments.force,
        now_ns: system_now_ns(),
        resources: ReportingResources::default(),
        stop: stop.clone(),
    };
    std::thread::Builder::new().name("interrupt".to_owned()).spawn({
        let received = received.clone();
        move || {
            received.store(signals.wait(), Ordering::Relaxed);
            stop.store(true, Ordering::Release);
        }
    })?;
    let written = match write_report(ledger, &arguments.out, &options) {
        Err(ReportError::Stopped) => {
            tell!("longhaul: interrupted: {}", ReportError::Stopped);
            return Ok(Exit::Interrupted(received.load(Ordering::Relaxed)));
        }
        written => written?,
    };
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
