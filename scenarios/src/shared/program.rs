//! This program, run once more as a child that can be stopped.

use std::io::{BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::interrupt::Interrupt;

/// Lines of what the program said that are kept for an error message.
const SAID_LINES_MAX: usize = 20;

/// Bytes of the log that are read at a time, and that it may be ahead of whoever reads it: as few as the system allows.
const LOG_BYTES: usize = 4096;

/// How long the log is not read after a signal: some of the times that the program takes to notice one. It cannot go on
/// meanwhile; a machine on which it takes longer just lets it do a little more.
const NOTICE_TIME: Duration = Duration::from_millis(250);

/// The program, and the folder that it runs in.
#[derive(Debug)]
pub(crate) struct Program {
    file: PathBuf,
    folder: PathBuf,
    log_filter: &'static str,
    interrupt: Interrupt,
    environment: Vec<(&'static str, String)>,
}

/// What is made of a line that the program logged.
#[derive(Debug)]
pub(crate) enum Heard {
    /// It was meant for people, and is kept for them.
    ForPeople,
    /// It was understood.
    Understood,
    /// It was understood, and now the program is to get this signal.
    Stop(Signal),
}

/// A run of the program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    status: ExitStatus,
    said: Vec<String>,
}

impl Program {
    /// The program that this process is, told to log what passes a filter. Once somebody asks for the end, it is killed.
    pub(crate) fn this(folder: &Path, log_filter: &'static str, interrupt: &Interrupt) -> Result<Program> {
        let file = std::env::current_exe().context("this program does not know where it is")?;
        Ok(Program {
            file,
            folder: folder.to_owned(),
            log_filter,
            interrupt: interrupt.clone(),
            environment: Vec::new(),
        })
    }

    /// The same with more in its environment.
    pub(crate) fn with_environment(self, environment: &[(&'static str, String)]) -> Program {
        Program { environment: environment.to_vec(), ..self }
    }

    /// Runs it, and shows every line that it logs to `hear`. It waits where that takes long: it cannot be further than
    /// a few lines ahead.
    pub(crate) fn run(&self, arguments: &[&str], mut hear: impl FnMut(&str) -> Result<Heard>) -> Result<Ended> {
        let mut child = Command::new(&self.file)
            .args(arguments)
            .current_dir(&self.folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .env("LONGHAUL_LOG", self.log_filter)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C is for us: what it would do to the program would look like a failure of it.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot run {}", self.file.display()))?;
        let read = read_log(&mut child, &self.interrupt, &mut hear);
        if read.is_err() {
            // Nobody would wait for it any more.
            let _ = child.kill();
        }
        let status = child.wait()?;
        Ok(Ended { status, said: read? })
    }
}

/// Reads what the program logs until it ends, and stops it when the time has come. Gives what it said to people.
fn read_log(
    child: &mut Child,
    interrupt: &Interrupt,
    hear: &mut dyn FnMut(&str) -> Result<Heard>,
) -> Result<Vec<String>> {
    let pid = Pid::from_child(child);
    let log = child.stderr.take().context("its standard error is not a pipe")?;
    keep_short(&log)?;
    let mut said = Vec::new();
    for line in BufReader::with_capacity(LOG_BYTES / 4, log).lines() {
        let line = line?;
        interrupt.check()?;
        match hear(&line)? {
            Heard::ForPeople if said.len() < SAID_LINES_MAX => said.push(line),
            Heard::ForPeople | Heard::Understood => {}
            Heard::Stop(signal) => {
                kill_process(pid, signal).context("the signal cannot be sent")?;
                std::thread::sleep(NOTICE_TIME);
            }
        }
    }
    Ok(said)
}

#[cfg(target_os = "linux")]
fn keep_short(log: &ChildStderr) -> Result<()> {
    rustix::pipe::fcntl_setpipe_size(log, LOG_BYTES).context("its standard error cannot be made short")?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
fn keep_short(_log: &ChildStderr) -> Result<()> {
    Ok(())
}

impl Ended {
    /// How it ended, in two words.
    pub(crate) fn ending(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => self.status.to_string(),
        }
    }

    /// The exit code as a shell gives it: 128 and its number for a signal.
    pub(crate) fn shell_code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// What it said to people.
    pub(crate) fn said(&self) -> String {
        format!("{}: {}", self.ending(), self.said.join("; "))
    }
}
