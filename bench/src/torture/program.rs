//! Runs the program in the folder of a case.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use super::kill::{Kill, Killed, wait_until_it_ends};
use super::ledger::Ledger;
use crate::interrupt::Interrupt;
use crate::measure::tail;

/// A run that takes longer hangs.
const RUN_LIMIT: Duration = Duration::from_mins(2);

/// The name of the ledger in the folder of a case.
pub(super) const LEDGER: &str = "ledger.duckdb";

/// The name of the file with what the last command said.
pub(super) const LOG: &str = "log";

/// How a line of the log begins that names a listed folder.
pub(super) const LISTED: &str = "longhaul::listing: ";

/// How a line of the log begins that names a written file or part.
pub(super) const WRITTEN: &str = "longhaul::copying: ";

const LOG_FILTER: &str = "warn,longhaul::listing=trace,longhaul::copying=trace";

/// The program that is killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Program<'a> {
    pub(super) longhaul: &'a Path,
    pub(super) interrupt: &'a Interrupt,
}

impl Program<'_> {
    /// Starts a command in a folder. `ledger` is the name of its ledger there.
    pub(super) fn start(self, folder: &Path, arguments: &[&str], ledger: &str) -> Result<Child> {
        Command::new(self.longhaul)
            .args(arguments)
            .args(["--ledger", ledger])
            .current_dir(folder)
            .env("LONGHAUL_LOG", LOG_FILTER)
            .env("NO_COLOR", "1")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join(LOG))?)
            .spawn()
            .with_context(|| format!("cannot run {}", self.longhaul.display()))
    }

    /// Waits for the end of a command.
    pub(super) fn wait(self, mut child: Child) -> Result<ExitStatus> {
        wait_until_it_ends(&mut child, RUN_LIMIT, self.interrupt)
    }

    /// Starts a command and waits for its end.
    pub(super) fn run(self, folder: &Path, arguments: &[&str], ledger: &str) -> Result<ExitStatus> {
        self.wait(self.start(folder, arguments, ledger)?)
    }

    /// Kills a command.
    pub(super) fn kill(self, mut child: Child, kill: Kill) -> Result<Killed> {
        kill.deliver(&mut child, RUN_LIMIT, self.interrupt)
    }
}

impl<'a> Program<'a> {
    /// Returns the ledger in this file.
    pub(super) fn ledger<'b>(self, file: &'b Path) -> Ledger<'b>
    where
        'a: 'b,
    {
        Ledger { longhaul: self.longhaul, file }
    }
}

/// Returns the path of a ledger's write-ahead log.
pub(super) fn log_of(ledger: &Path) -> PathBuf {
    let mut log = ledger.as_os_str().to_owned();
    log.push(".wal");
    log.into()
}

/// Whether the program came to its end: with or without nodes that failed.
pub(super) fn is_complete(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 3))
}

/// How a command ended and what it said last.
pub(super) fn said(folder: &Path, status: ExitStatus) -> String {
    const SHOWN_BYTES_MAX: u64 = 1 << 16;
    const SHOWN_LINES_MAX: usize = 5;
    let text = tail(&folder.join(LOG), SHOWN_BYTES_MAX).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(LISTED) && !line.contains(WRITTEN)).collect();
    format!("{status}: {}", lines[lines.len().saturating_sub(SHOWN_LINES_MAX)..].join("; "))
}
