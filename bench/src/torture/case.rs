//! One case: a pair of trees is listed, killed and gone on with until it is complete, and the ledger is compared with
//! that of a run which nobody killed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::kill::{Kill, Killed, Means, wait_until_it_ends};
use super::ledger::{Digest, Ledger};
use super::random::Random;
use super::report::Moment;
use super::trees::Trees;
use crate::interrupt::{Interrupt, Interrupted};
use crate::measure::tail;

/// A run that takes longer hangs.
const RUN_LIMIT: Duration = Duration::from_secs(120);
/// Then it is left to complete.
const KILLS_MAX: u64 = 12;
/// The purpose of the random numbers here.
const KILLS: u64 = 2;
const LEDGER: &str = "ledger.duckdb";
const LOG: &str = "log";
const LISTED: &str = "longhaul::listing: ";
const LISTING_FILTER: &str = "warn,longhaul::listing=trace";

/// What came of a case.
#[derive(Debug, Default)]
pub(super) struct CaseOutcome {
    /// The kills that hit the program.
    pub(super) kills: Vec<(Means, Moment)>,
    /// Kills for which there was no program any more.
    pub(super) too_late: u64,
    /// Folders listed, of trees whose stores say so.
    pub(super) listings: u64,
    /// Those that had been listed before.
    pub(super) listed_again: u64,
    /// Files beside the ledger that nobody needs.
    pub(super) left_behind: u64,
    /// What was not as it must be.
    pub(super) failures: Vec<String>,
}

/// A pair of trees with the ledger of a run that nobody killed.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    longhaul: &'a Path,
    interrupt: &'a Interrupt,
    trees: &'a Trees,
    folder: PathBuf,
    took: Duration,
    code: Option<i32>,
    digest: Digest,
}

impl<'a> Reference<'a> {
    /// Lists the trees once, undisturbed.
    pub(super) fn make(
        longhaul: &'a Path,
        trees: &'a Trees,
        folder: PathBuf,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut reference =
            Self { longhaul, interrupt, trees, folder, took: Duration::ZERO, code: None, digest: Digest::new() };
        let started = Instant::now();
        let mut child = reference.start(&reference.folder, false)?;
        let status = wait_until_it_ends(&mut child, RUN_LIMIT, interrupt)?;
        reference.took = started.elapsed();
        let said = || format!("the run that nobody kills: {}", said(&reference.folder, status));
        ensure!(is_complete(status), said());
        reference.code = status.code();
        reference.digest = reference.ledger(&reference.folder.join(LEDGER)).digest()?;
        let wrong = Ledger::wrong_in_itself(&reference.digest);
        ensure!(wrong.is_empty(), "the ledger of the run that nobody kills: {}", wrong.join("; "));
        Ok(reference)
    }

    fn ledger<'b>(&'b self, file: &'b Path) -> Ledger<'b> {
        Ledger { longhaul: self.longhaul, file }
    }

    fn start(&self, folder: &Path, is_begun: bool) -> Result<Child> {
        let mut command = Command::new(self.longhaul);
        command.arg("discover");
        if is_begun {
            command.arg("--resume");
        } else {
            command.args(&self.trees.locations);
        }
        command
            .args(["--ledger", LEDGER])
            .current_dir(folder)
            .env("LONGHAUL_LOG", LISTING_FILTER)
            .env("NO_COLOR", "1")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.join(LOG))?)
            .spawn()
            .with_context(|| format!("cannot run {}", self.longhaul.display()))
    }

    /// Runs a case in a folder of its own. Only what keeps the case from being run at all is an error.
    pub(super) fn play(&self, folder: &Path, seed: u64, case: u64) -> Result<CaseOutcome> {
        fs::create_dir(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut playing = Playing {
            reference: self,
            ledger: folder.join(LEDGER),
            folder,
            outcome: CaseOutcome::default(),
            listed: HashSet::new(),
        };
        if let Err(error) = playing.go_on_to_the_end(&mut Random::new(seed, KILLS, case)) {
            if error.is::<Interrupted>() {
                return Err(error);
            }
            playing.outcome.failures.push(format!("{error:#}"));
        }
        Ok(playing.outcome)
    }
}

struct Playing<'a> {
    reference: &'a Reference<'a>,
    folder: &'a Path,
    ledger: PathBuf,
    outcome: CaseOutcome,
    listed: HashSet<String>,
}

impl Playing<'_> {
    fn go_on_to_the_end(&mut self, random: &mut Random) -> Result<()> {
        let took = self.reference.took;
        let mut spent = Duration::ZERO;
        for _ in 0..KILLS_MAX {
            // What is done already is not done again, so that a run which goes on takes less.
            let kill = Kill::draw(random, took.saturating_sub(spent).max(took / 5));
            let started = Instant::now();
            let mut child = self.reference.start(self.folder, self.ledger.exists())?;
            let killed = kill.deliver(&mut child, RUN_LIMIT, self.reference.interrupt).context("a killed run")?;
            spent += started.elapsed();
            self.read_log()?;
            if killed.signals == 0 {
                self.outcome.too_late += 1;
            }
            if self.judge(kill.means, &killed)? {
                return self.compare(killed.status);
            }
        }
        let mut child = self.reference.start(self.folder, self.ledger.exists())?;
        let status = wait_until_it_ends(&mut child, RUN_LIMIT, self.reference.interrupt).context("the last run")?;
        self.read_log()?;
        ensure!(is_complete(status), "the last run: {}", said(self.folder, status));
        self.compare(status)
    }

    /// Notes what a kill hit. Says whether the migration is complete.
    fn judge(&mut self, means: Means, killed: &Killed) -> Result<bool> {
        let status = killed.status;
        let is_there = self.ledger.exists();
        if is_complete(status) {
            ensure!(is_there, "the program ended with {status} and left no ledger");
            if killed.signals > 0 {
                self.outcome.kills.push((means, Moment::AlreadyComplete));
            }
            return Ok(true);
        }
        if killed.signals == 0 || !means.may_lead_to(status) {
            bail!("after {} of {}: {}", killed.signals, means.name(), said(self.folder, status));
        }
        if !is_there {
            ensure!(!means.must_be_suspended(status), "interrupted, and there is no ledger: {status}");
            self.outcome.kills.push((means, Moment::BeforeTheLedger));
            return Ok(false);
        }
        let phase = self.reference.ledger(&self.ledger).phase().with_context(|| format!("after {}", means.name()))?;
        if means.must_be_suspended(status) {
            let has_log = self.folder.join(format!("{LEDGER}.wal")).exists();
            ensure!(phase == "suspended", "interrupted with {status}, and in phase {phase}");
            ensure!(!has_log, "interrupted with {status}, and the log is still there");
        }
        let moment = match phase.as_str() {
            "created" => Moment::StartingUp,
            "review" => Moment::ShuttingDown,
            _ if killed.signals > 1 => Moment::ShuttingDown,
            "traversing" | "suspended" => Moment::Traversing,
            other => bail!("after {}: phase {other}", means.name()),
        };
        self.outcome.kills.push((means, moment));
        Ok(false)
    }

    fn compare(&mut self, status: ExitStatus) -> Result<()> {
        let reference = self.reference;
        if status.code() != reference.code {
            let due = reference.code.unwrap_or_default();
            self.outcome.failures.push(format!("ended with {status} instead of exit code {due}"));
        }
        let ledger = reference.ledger(&self.ledger);
        let digest = ledger.digest()?;
        self.outcome.failures.extend(Ledger::wrong_in_itself(&digest));
        let reference_file = reference.folder.join(LEDGER);
        let due = reference.ledger(&reference_file);
        self.outcome.failures.extend(ledger.differences(&digest, due, &reference.digest)?);
        for entry in fs::read_dir(self.folder)? {
            let name = entry?.file_name();
            self.outcome.left_behind += u64::from(name != LEDGER && name != LOG);
        }
        Ok(())
    }

    /// Counts what the store of the last run says that it listed; a line cut off by a kill is none. And nothing here
    /// damages a ledger: a run that takes it for damaged throws work away.
    fn read_log(&mut self) -> Result<()> {
        let mut log = BufReader::new(File::open(self.folder.join(LOG))?);
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            if let Some((_, listed)) = line.split_once(LISTED) {
                self.outcome.listings += 1;
                self.outcome.listed_again += u64::from(!self.listed.insert(listed.to_owned()));
            } else if line.contains("was damaged") {
                self.outcome.failures.push(line.trim_end().to_owned());
            }
            line.clear();
        }
        Ok(())
    }
}

/// Whether the program came to its end: with or without folders that cannot be listed.
fn is_complete(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 3))
}

/// How a run ended and what it said last.
fn said(folder: &Path, status: ExitStatus) -> String {
    const SHOWN_BYTES_MAX: u64 = 1 << 16;
    const SHOWN_LINES_MAX: usize = 5;
    let text = tail(&folder.join(LOG), SHOWN_BYTES_MAX).unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.contains(LISTED)).collect();
    format!("{status}: {}", lines[lines.len().saturating_sub(SHOWN_LINES_MAX)..].join("; "))
}
