//! Runs commands in turn and takes what the kernel counted for each.
//!
//! Three limits of what the kernel counts: CPU and memory are those of the process and of the descendants it waited
//! for, and of several processes (rsync has three) the memory is that of the largest one. A child's peak starts at what
//! this program occupied when it was started (the kernel carries it over an `exec`), some 5 MB: smaller figures cannot
//! be told apart.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::Serialize;
use wait4::Wait4;

use crate::interrupt::Interrupt;

/// What a command's standard output is called in the folder it ran in.
pub(crate) const STDOUT_FILE: &str = "stdout";
/// What a command's standard error is called in the folder it ran in.
pub(crate) const STDERR_FILE: &str = "stderr";

/// Who runs, and how where there is more than one way: once in each comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tool {
    /// What the others are compared with.
    Longhaul,
    LonghaulWithoutChecksum,
    LonghaulMigrate,
    LonghaulDiscover,
    Find,
    Cp,
    Rsync,
    Rclone,
    #[serde(rename = "rclone-4")]
    Rclone4,
    #[serde(rename = "rclone-16")]
    Rclone16,
    RcloneFastList,
}

impl Tool {
    /// The program as a person would type it.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Longhaul | Self::LonghaulWithoutChecksum | Self::LonghaulMigrate | Self::LonghaulDiscover => {
                "longhaul"
            }
            Self::Find => "find",
            Self::Cp => "cp",
            Self::Rsync => "rsync",
            Self::Rclone | Self::Rclone4 | Self::Rclone16 | Self::RcloneFastList => "rclone",
        }
    }

    /// What it is called in a table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LonghaulWithoutChecksum => "longhaul, no checksum",
            Self::LonghaulMigrate => "longhaul migrate",
            Self::LonghaulDiscover => "longhaul discover",
            Self::Rclone4 => "rclone, 4 transfers",
            Self::Rclone16 => "rclone, 16 transfers",
            Self::RcloneFastList => "rclone, fast list",
            Self::Longhaul | Self::Find | Self::Cp | Self::Rsync | Self::Rclone => self.program(),
        }
    }

    pub(crate) fn is_longhaul(self) -> bool {
        self.program() == "longhaul"
    }
}

/// What is compared: commands that run one after the other, and are timed together. They run in a fresh folder, so a
/// relative path in their arguments is new each time.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) tool: Tool,
    pub(crate) steps: Vec<Step>,
    /// Whether somebody reads what it prints; otherwise that goes to `/dev/null`.
    pub(crate) capture_stdout: bool,
}

/// One command.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

impl Step {
    pub(crate) fn new<const N: usize>(program: impl Into<OsString>, arguments: [&OsStr; N]) -> Self {
        Self { program: program.into(), arguments: arguments.map(OsStr::to_os_string).into() }
    }

    /// As a person would type it, for the report.
    fn to_line(&self) -> String {
        // A binary that was built somewhere is called by its name.
        let program = Path::new(&self.program).file_name().unwrap_or(&self.program);
        let words = std::iter::once(program).chain(self.arguments.iter().map(OsString::as_os_str));
        words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
    }
}

impl Contender {
    /// A single command.
    pub(crate) fn single(tool: Tool, step: Step) -> Self {
        Self { tool, steps: vec![step], capture_stdout: false }
    }

    /// The commands as a person would type them, for the report.
    fn to_line(&self) -> String {
        self.steps.iter().map(Step::to_line).collect::<Vec<_>>().join(" && ")
    }
}

/// What one run took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) wall_s: f64,
    /// User and system.
    pub(crate) cpu_s: f64,
    /// The largest resident set of any one process.
    pub(crate) memory_bytes: u64,
}

/// How a contender fared over all rounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Finished,
    NotInstalled,
    /// With the end of what it printed to standard error.
    Failed(String),
}

/// A contender's runs.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) tool: Tool,
    pub(crate) command: String,
    pub(crate) outcome: Outcome,
    /// Without the warm-up; those before the failure if it failed.
    pub(crate) runs: Vec<Run>,
}

/// Which run of a contender this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Not timed: fills the caches.
    WarmUp,
    /// Timed; the first is 0.
    Round(usize),
}

/// Where and how often to run.
#[derive(Debug)]
pub(crate) struct Runner<'a> {
    pub(crate) scratch: PathBuf,
    pub(crate) rounds: usize,
    /// A run that takes longer is killed, and has failed.
    pub(crate) run_limit: Duration,
    /// Whether all that was written before a run has to be on the disk when that begins.
    pub(crate) settles: bool,
    pub(crate) interrupt: &'a Interrupt,
}

impl Runner<'_> {
    /// Warms up each contender, then runs all of them in turn in each round, so that noise of the machine hits all
    /// alike. `inspect` sees the folder of each run that succeeded, before it is removed; its error fails the
    /// contender. Who has failed runs no more.
    pub(crate) fn compare(
        &self,
        contenders: &[Contender],
        mut inspect: impl FnMut(Tool, Turn, &Path) -> Result<(), String>,
    ) -> Result<Vec<Measured>> {
        let mut measured: Vec<Measured> = contenders.iter().map(Measured::before).collect();
        let turns = std::iter::once(Turn::WarmUp).chain((0..self.rounds).map(Turn::Round));
        for turn in turns {
            // Another one begins each round: nobody always runs after the same neighbour.
            let first = match turn {
                Turn::WarmUp => 0,
                Turn::Round(round) => round,
            };
            for step in 0..contenders.len() {
                let index = (first + step) % contenders.len();
                if measured[index].outcome == Outcome::Finished {
                    self.take_turn(&contenders[index], turn, &mut measured[index], &mut inspect)?;
                }
            }
        }
        Ok(measured)
    }

    fn take_turn(
        &self,
        contender: &Contender,
        turn: Turn,
        measured: &mut Measured,
        inspect: &mut impl FnMut(Tool, Turn, &Path) -> Result<(), String>,
    ) -> Result<()> {
        self.interrupt.check()?;
        let folder = self.scratch.join("run");
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        if self.settles {
            rustix::fs::syncfs(File::open(&folder)?).context("cannot flush what was written before")?;
        }
        let ended = self.run(contender, &folder);
        // An interrupt from the keyboard reaches the command too: that it failed then says nothing.
        self.interrupt.check()?;
        match ended.with_context(|| format!("cannot run {}", contender.to_line()))? {
            Ended::NotInstalled => measured.outcome = Outcome::NotInstalled,
            Ended::Badly(reason) => measured.fail(reason, turn),
            Ended::Well(run) => {
                if let Err(reason) = inspect(contender.tool, turn, &folder) {
                    measured.fail(reason, turn);
                } else if turn != Turn::WarmUp {
                    measured.runs.push(run);
                }
            }
        }
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }

    fn run(&self, contender: &Contender, folder: &Path) -> Result<Ended> {
        let started = Instant::now();
        let deadline = started + self.run_limit;
        let mut cpu_s = 0.0;
        let mut memory_bytes = 0;
        for step in &contender.steps {
            match self.run_step(step, contender.capture_stdout, folder, deadline)? {
                Ended::Well(run) => {
                    cpu_s += run.cpu_s;
                    memory_bytes = run.memory_bytes.max(memory_bytes);
                }
                ended => return Ok(ended),
            }
        }
        Ok(Ended::Well(Run { wall_s: started.elapsed().as_secs_f64(), cpu_s, memory_bytes }))
    }

    fn run_step(&self, step: &Step, capture_stdout: bool, folder: &Path, deadline: Instant) -> Result<Ended> {
        let stdout = if capture_stdout { File::create(folder.join(STDOUT_FILE))?.into() } else { Stdio::null() };
        let stderr_path = folder.join(STDERR_FILE);
        let mut command = Command::new(&step.program);
        command
            .args(&step.arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(File::create(&stderr_path)?);

        let started = Instant::now();
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ended::NotInstalled),
            Err(error) => return Err(error.into()),
        };
        let pid = Pid::from_child(&child);
        let (used, killed) = thread::scope(|scope| {
            let (finished, wait_finished) = mpsc::channel();
            let watch = scope.spawn(move || self.kill_when_late(pid, deadline, &wait_finished));
            let used = child.wait4().map(|used| (used, started.elapsed()));
            drop(finished);
            (used, watch.join().expect("the watch does not panic"))
        });
        let (used, wall) = used?;

        if killed {
            return Ok(Ended::Badly(format!("stopped after {} s", self.run_limit.as_secs())));
        }
        if !used.status.success() {
            return Ok(Ended::Badly(describe_failure(used.status, &stderr_path)));
        }
        Ok(Ended::Well(Run {
            wall_s: wall.as_secs_f64(),
            cpu_s: (used.rusage.utime + used.rusage.stime).as_secs_f64(),
            memory_bytes: used.rusage.maxrss,
        }))
    }

    /// Returns whether it had to kill. Until the command ends it wakes ten times a second, which costs nothing that can
    /// be measured.
    fn kill_when_late(&self, pid: Pid, deadline: Instant, finished: &mpsc::Receiver<()>) -> bool {
        // By descriptor, not by number: the number may belong to another process once the command has been waited for.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return false;
        };
        while finished.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
            if Instant::now() >= deadline || self.interrupt.is_asked() {
                return pidfd_send_signal(&process, Signal::KILL).is_ok();
            }
        }
        false
    }
}

impl Measured {
    fn before(contender: &Contender) -> Self {
        Self { tool: contender.tool, command: contender.to_line(), outcome: Outcome::Finished, runs: Vec::new() }
    }

    fn fail(&mut self, reason: String, turn: Turn) {
        let turn = match turn {
            Turn::WarmUp => "in the warm-up".to_owned(),
            Turn::Round(round) => format!("in round {}", round + 1),
        };
        // Of a peer one line is enough: it is Longhaul that has to be explained.
        let shown = if self.tool.is_longhaul() { &reason } else { reason.lines().next().unwrap_or_default() };
        eprintln!("  {} failed {turn}: {shown}", self.tool.name());
        self.outcome = Outcome::Failed(reason);
    }
}

#[derive(Debug)]
enum Ended {
    NotInstalled,
    Badly(String),
    Well(Run),
}

fn describe_failure(status: ExitStatus, stderr_path: &Path) -> String {
    const STDERR_SHOWN_BYTES_MAX: u64 = 4096;
    match tail(stderr_path, STDERR_SHOWN_BYTES_MAX) {
        Ok(text) if text.trim().is_empty() => status.to_string(),
        Ok(text) => format!("{status}\n{}", text.trim_end()),
        Err(error) => format!("{status} (its standard error cannot be read: {error})"),
    }
}

/// The end of a file, as text.
pub(crate) fn tail(path: &Path, bytes_max: u64) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes_max)))?;
    let mut bytes = Vec::new();
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The middle value; of an even number the mean of the middle two. `None` of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 0 => Some(f64::midpoint(values[middle - 1], values[middle])),
        _ => Some(values[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(tool: Tool, script: &str) -> Contender {
        let step = Step::new("sh", ["-c".as_ref(), script.as_ref()]);
        Contender { tool, steps: vec![step], capture_stdout: true }
    }

    fn runner<'a>(scratch: &Path, interrupt: &'a Interrupt) -> Runner<'a> {
        let run_limit = Duration::from_mins(1);
        Runner { scratch: scratch.to_path_buf(), rounds: 3, run_limit, settles: false, interrupt }
    }

    #[test]
    fn the_median_is_the_middle_value_or_the_mean_of_two() {
        assert_eq!(median([]), None);
        assert_eq!(median([4.0]), Some(4.0));
        assert_eq!(median([9.0, 1.0, 3.0]), Some(3.0));
        assert_eq!(median([9.0, 1.0, 3.0, 5.0]), Some(4.0));
    }

    #[test]
    fn every_contender_runs_once_to_warm_up_and_once_a_round() {
        let scratch = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::default();
        let contenders = [shell(Tool::Longhaul, "echo hello"), shell(Tool::Find, "true")];
        let mut turns = Vec::new();
        let measured = runner(scratch.path(), &interrupt)
            .compare(&contenders, |tool, turn, folder| {
                if tool == Tool::Longhaul {
                    assert_eq!(fs::read_to_string(folder.join(STDOUT_FILE)).unwrap(), "hello\n");
                    turns.push(turn);
                }
                Ok(())
            })
            .unwrap();
        assert_eq!(turns, [Turn::WarmUp, Turn::Round(0), Turn::Round(1), Turn::Round(2)]);
        for tool in measured {
            assert_eq!((tool.outcome, tool.runs.len()), (Outcome::Finished, 3));
            assert!(tool.runs.iter().all(|run| run.wall_s > 0.0 && run.memory_bytes > 0));
        }
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_fails_or_is_missing_is_said_and_the_others_go_on() {
        let scratch = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::default();
        let missing = Contender::single(Tool::Rclone, Step::new("no-such-program-here", []));
        let contenders = [shell(Tool::Longhaul, "true"), shell(Tool::Rsync, "echo too long >&2; exit 23"), missing];
        let measured = runner(scratch.path(), &interrupt).compare(&contenders, |_, _, _| Ok(())).unwrap();
        let outcomes: Vec<_> = measured.iter().map(|tool| tool.outcome.clone()).collect();
        let failed = Outcome::Failed("exit status: 23\ntoo long".to_owned());
        assert_eq!(outcomes, [Outcome::Finished, failed, Outcome::NotInstalled]);
        assert_eq!(measured[0].runs.len(), 3);
    }

    #[test]
    fn commands_that_belong_together_run_one_after_the_other_and_the_first_that_fails_is_the_last() {
        let scratch = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::default();
        let sleep = |script: &str| Step::new("sh", ["-c".as_ref(), script.as_ref()]);
        let well = Contender { steps: vec![sleep("touch made"), sleep("test -e made")], ..shell(Tool::Cp, "") };
        let badly = Contender { steps: vec![sleep("exit 1"), sleep("exit 2")], ..shell(Tool::Rsync, "") };
        let measured = runner(scratch.path(), &interrupt).compare(&[well, badly], |_, _, _| Ok(())).unwrap();
        assert_eq!(measured[0].outcome, Outcome::Finished);
        assert_eq!(measured[0].command, "sh -c touch made && sh -c test -e made");
        assert_eq!(measured[1].outcome, Outcome::Failed("exit status: 1".to_owned()));
    }

    #[test]
    fn a_command_that_takes_too_long_is_killed() {
        let scratch = tempfile::tempdir().unwrap();
        let interrupt = Interrupt::default();
        let runner = Runner { run_limit: Duration::ZERO, ..runner(scratch.path(), &interrupt) };
        let measured = runner.compare(&[shell(Tool::Longhaul, "exec sleep 600")], |_, _, _| Ok(())).unwrap();
        assert_eq!(measured[0].outcome, Outcome::Failed("stopped after 0 s".to_owned()));
    }
}
