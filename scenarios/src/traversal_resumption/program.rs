//! This program, run once more as a child that can be stopped.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};
use longhaul_model::Side;
use rustix::process::{Pid, Signal, kill_process};

use super::listings::{LOG_FILTER, Listing, TimeOfDay, world_of};
use crate::interrupt::Interrupt;

/// Lines of what the program said that are kept for an error message.
const SAID_LINES_MAX: usize = 20;

/// The program, and the folder that it runs in.
#[derive(Debug)]
pub(super) struct Program {
    file: PathBuf,
    folder: PathBuf,
    interrupt: Interrupt,
}

/// A signal to the program once it has listed so many folders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) signal: Signal,
    pub(super) after_listings: usize,
}

/// A run of the program that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    status: ExitStatus,
    /// The folders that were listed, in order.
    pub(super) listings: Vec<Listing>,
    /// When the signal was sent.
    pub(super) stopped_at: Option<TimeOfDay>,
    said: Vec<String>,
}

impl Program {
    /// The program that this process is. Once somebody asks for the end, it is killed.
    pub(super) fn this(folder: &Path, interrupt: &Interrupt) -> Result<Program> {
        let file = std::env::current_exe().context("this program does not know where it is")?;
        Ok(Program { file, folder: folder.to_owned(), interrupt: interrupt.clone() })
    }

    /// Lists both worlds of a simulator into a new ledger.
    pub(super) fn discover(&self, config: &str, ledger: &str, more: &[&str], stop: Option<Stop>) -> Result<Ended> {
        let location = |side| format!("spectra:{}?config={config}", world_of(side));
        let (source, destination) = (location(Side::Source), location(Side::Destination));
        let arguments = [&["discover", &source, &destination, "--ledger", ledger], more].concat();
        self.run(&arguments, stop)
    }

    /// Goes on with a ledger.
    pub(super) fn resume(&self, ledger: &str) -> Result<Ended> {
        self.run(&["discover", "--resume", "--ledger", ledger], None)
    }

    fn run(&self, arguments: &[&str], stop: Option<Stop>) -> Result<Ended> {
        let mut child = Command::new(&self.file)
            .args(arguments)
            .current_dir(&self.folder)
            .env("LONGHAUL_LOG", LOG_FILTER)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for us: what it would do to the program would look like a failure of it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", self.file.display()))?;
        let read = read_log(&mut child, stop, &self.interrupt);
        if read.is_err() {
            // Nobody would wait for it any more.
            let _ = child.kill();
        }
        let status = child.wait()?;
        let (listings, stopped_at, said) = read?;
        Ok(Ended { status, listings, stopped_at, said })
    }
}

/// Reads what the program logs until it ends, and stops it when the time has come.
fn read_log(
    child: &mut Child,
    stop: Option<Stop>,
    interrupt: &Interrupt,
) -> Result<(Vec<Listing>, Option<TimeOfDay>, Vec<String>)> {
    let pid = Pid::from_child(child);
    let log = child.stderr.take().context("its standard error is not a pipe")?;
    let (mut listings, mut stopped_at, mut said) = (Vec::new(), None, Vec::new());
    for line in BufReader::new(log).lines() {
        let line = line?;
        interrupt.check()?;
        match Listing::parse(&line) {
            Some(listing) => listings.push(listing),
            None if said.len() < SAID_LINES_MAX => said.push(line),
            None => {}
        }
        if let Some(stop) = stop
            && stopped_at.is_none()
            && listings.len() >= stop.after_listings
        {
            stopped_at = Some(TimeOfDay::now());
            kill_process(pid, stop.signal).context("the signal cannot be sent")?;
        }
    }
    Ok((listings, stopped_at, said))
}

impl Ended {
    /// How it ended, in two words.
    pub(super) fn ending(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => self.status.to_string(),
        }
    }

    /// What it said to people.
    pub(super) fn said(&self) -> String {
        format!("{}: {}", self.ending(), self.said.join("; "))
    }
}
