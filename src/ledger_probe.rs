//! Looking whether a ledger can be opened before it is, in a process of its own: replaying a damaged log may abort.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};
use longhaul_ledger::{
    Probed, Rescued, cut_log, folder_of, has_log, probe, rescue, system_now_ns, try_log, unreadable_tables,
};
use longhaul_model::human;
use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};

use crate::cli::ProbeArguments;
use crate::{Exit, hints};

/// The hidden command that the other process runs.
pub(crate) const PROBE_COMMAND: &str = "probe-ledger";

/// Exit code of the other process: the ledger is damaged.
const DAMAGED: i32 = 9;

/// Signals that a process ends itself with, when something inside it is wrong. Any other one came from outside.
const ABORTS: [i32; 5] = [SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGFPE];

/// Probes that are tried before it is given up.
const PROBES_MAX: u32 = 3;

/// What a probe that must not take this process with it has found.
enum Soundness {
    /// It can be opened, or says by itself why not.
    Sound,
    /// It is damaged, in this way.
    Damaged(String),
}

/// What the other process does, and exits with.
pub(crate) fn run_probe(ledger: &Path, arguments: &ProbeArguments) -> anyhow::Result<Exit> {
    // Nobody is left to hear of it, and the ledger would be in use for as long as it takes.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    if let Some(new) = &arguments.rescue_to {
        serde_json::to_writer(io::stdout(), &rescue(ledger, new, system_now_ns())?)?;
    } else if arguments.tables {
        serde_json::to_writer(io::stdout(), &unreadable_tables(ledger)?)?;
    } else if let Probed::Damaged(reason) = probe(ledger) {
        tell!("{}", reason.lines().next().unwrap_or_default());
        std::process::exit(DAMAGED);
    }
    Ok(Exit::Done)
}

/// Refuses a ledger with a damaged log, and says what can be done. One without a log is not probed: opening it tells.
pub(crate) fn require(ledger: &Path) -> anyhow::Result<()> {
    if has_log(ledger)
        && let Soundness::Damaged(reason) = look(ledger)?
    {
        let shown = ledger.display();
        bail!("ledger {shown} cannot be opened with its log ({reason}): {}", hints::repair(ledger));
    }
    Ok(())
}

/// A log that was set aside.
pub(crate) struct Repaired {
    /// Where it is now.
    pub(crate) aside: PathBuf,
    /// What was wrong.
    pub(crate) reason: String,
    /// The bytes of it that cannot be replayed.
    pub(crate) lost_bytes: u64,
}

/// What was found by looking at a ledger, and done about it.
pub(crate) enum Mended {
    /// It can be opened with its log.
    Sound,
    /// Its log was damaged.
    Log(Repaired),
    /// It is damaged itself, in this way, and is as it was.
    Damaged(String),
}

/// Cuts a damaged log off, and says so. A ledger that is damaged itself is refused.
pub(crate) fn mend_log(ledger: &Path) -> anyhow::Result<()> {
    match mend(ledger)? {
        Mended::Sound => Ok(()),
        Mended::Log(repaired) => {
            repaired.tell(ledger);
            Ok(())
        }
        Mended::Damaged(reason) => {
            bail!("ledger {} is damaged ({reason}): {}", ledger.display(), hints::rescue(ledger))
        }
    }
}

/// Cuts a damaged log off where it cannot be replayed any more.
pub(crate) fn mend(ledger: &Path) -> anyhow::Result<Mended> {
    if !has_log(ledger) {
        return Ok(match look(ledger)? {
            Soundness::Damaged(reason) if ledger.exists() => Mended::Damaged(reason),
            Soundness::Damaged(_) | Soundness::Sound => Mended::Sound,
        });
    }
    let Soundness::Damaged(reason) = look(ledger)? else { return Ok(Mended::Sound) };
    let log_bytes = longhaul_ledger::log_of(ledger).metadata().map_or(0, |log| log.len());
    let folder = tempfile::Builder::new().prefix(".longhaul-repair-").tempdir_in(folder_of(ledger));
    let folder = folder.context("a folder beside the ledger, to try its log in")?;
    let trial = folder.path().join("ledger.duckdb");
    let is_sound = |kept_bytes: u64| -> anyhow::Result<Soundness> {
        try_log(ledger, &trial, kept_bytes)?;
        look(&trial)
    };
    if let Soundness::Damaged(reason) = is_sound(0)? {
        return Ok(Mended::Damaged(reason));
    }
    let (mut kept_bytes, mut too_many) = (0, log_bytes);
    while too_many - kept_bytes > 1 {
        let middle = kept_bytes.midpoint(too_many);
        match is_sound(middle)? {
            Soundness::Sound => kept_bytes = middle,
            Soundness::Damaged(_) => too_many = middle,
        }
    }
    let aside = cut_log(ledger, kept_bytes)?;
    Ok(Mended::Log(Repaired { aside, reason, lost_bytes: log_bytes - kept_bytes }))
}

/// Returns the tables of a ledger that cannot be read in full. Reads the whole ledger. `None` if DuckDB aborted over it.
pub(crate) fn find_unreadable_tables(ledger: &Path) -> anyhow::Result<Option<Vec<String>>> {
    ask(ledger, &[OsStr::new("--tables")])
}

/// Creates a new ledger at `new` with the review choices of a damaged one. `None` if none of it can be read.
pub(crate) fn rescue_to(ledger: &Path, new: &Path) -> anyhow::Result<Option<Rescued>> {
    Ok(ask(ledger, &[OsStr::new("--rescue-to"), new.as_os_str()])?.flatten())
}

/// Lets another process find out something; `None` where that ended without an answer.
fn ask<T: DeserializeOwned>(ledger: &Path, question: &[&OsStr]) -> anyhow::Result<Option<T>> {
    for _ in 0..PROBES_MAX {
        let output = run_other(ledger, question)?;
        if was_ended_from_outside(&output) {
            continue;
        }
        if !output.status.success() && !output.status.signal().is_some_and(|signal| ABORTS.contains(&signal)) {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{}", said.trim().trim_start_matches("longhaul: "));
        }
        return Ok(serde_json::from_slice(&output.stdout).ok());
    }
    bail!("looking at ledger {} was cut short {PROBES_MAX} times: try again", ledger.display())
}

impl Repaired {
    /// Says what was done and what that cost, on standard error.
    pub(crate) fn tell(&self, ledger: &Path) {
        tell!(
            "longhaul: the log of ledger {} was damaged ({}): set aside as {}; what its last {} had is lost, and what \
             that was of work is done again",
            ledger.display(),
            self.reason,
            self.aside.display(),
            human::bytes(self.lost_bytes)
        );
    }
}

/// Probes in another process. One that was ended from outside says nothing, and is followed by another one.
fn look(ledger: &Path) -> anyhow::Result<Soundness> {
    for _ in 0..PROBES_MAX {
        if let Some(soundness) = look_once(ledger)? {
            return Ok(soundness);
        }
    }
    bail!("looking at ledger {} was cut short {PROBES_MAX} times: try again", ledger.display())
}

/// `None` where the other process was ended from outside.
fn look_once(ledger: &Path) -> anyhow::Result<Option<Soundness>> {
    let output = run_other(ledger, &[])?;
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Ok(Some(match output.status.code() {
        Some(0) => Soundness::Sound,
        Some(DAMAGED) => Soundness::Damaged(said),
        None if was_ended_from_outside(&output) => return Ok(None),
        // Aborted inside of DuckDB; what it had to say is in its last line, if anywhere.
        _ => Soundness::Damaged(said.lines().last().map_or_else(|| output.status.to_string(), str::to_owned)),
    }))
}

/// Runs this program once more, and waits for it.
fn run_other(ledger: &Path, question: &[&OsStr]) -> anyhow::Result<Output> {
    let program = std::env::current_exe().context("this program's own file")?;
    let mut command = Command::new(program);
    command.args([PROBE_COMMAND, "--ledger"]).arg(ledger).args(question).stdin(Stdio::null());
    // Ctrl-C is for us, and says nothing about the ledger.
    command.process_group(0).output().context("probing the ledger")
}

fn was_ended_from_outside(output: &Output) -> bool {
    output.status.signal().is_some_and(|signal| !ABORTS.contains(&signal))
}
