//! Plays a case of editing: commands that edit a ledger are killed and run again until they complete.
//!
//! After each kill the ledger must be as before the command or as after it, and after each command as after the same
//! commands without kills.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::commands::{BACKUP, Edit};
use super::kill::{Kill, Means};
use super::ledger::Digest;
use super::outcome::{CaseOutcome, Moment};
use super::program::{LEDGER, LOG, Program, is_complete, log_of, said};
use super::random::Random;
use super::trees::Trees;
use crate::interrupt::Interrupted;

/// Commands in a case.
const EDITS: usize = 10;

/// Commands to draw at most: the program refuses some of them.
const DRAWN_MAX: usize = 200;

/// Kills of one command at most. Then it is left to complete.
const KILLS_MAX: u64 = 4;

/// The purpose of the random numbers here.
const KILLS: u64 = 6;

/// The exit code of a refused command, for example because there is nothing to change.
const REFUSED: i32 = 1;

/// Commands, and the ledgers that they lead to without kills.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    program: Program<'a>,
    discovered: State,
    steps: Vec<Step>,
    /// Of the whole ledger after all commands.
    digest: Digest,
    /// What is wrong without any kill.
    pub(super) wrong: Vec<String>,
}

/// A ledger between two commands.
#[derive(Debug)]
struct State {
    file: PathBuf,
    /// Of what editing changes.
    digest: Digest,
}

/// A command, and what came of it without kills.
#[derive(Debug)]
struct Step {
    edit: Edit,
    took: Duration,
    code: Option<i32>,
    after: State,
}

impl<'a> Reference<'a> {
    /// Discovers the trees, and draws and runs commands, without kills.
    pub(super) fn make(program: Program<'a>, trees: &Trees, folder: &Path, mut random: Random) -> Result<Self> {
        fs::create_dir(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut arguments = trees.arguments(false);
        arguments.extend(["--on-conflict", "ask"]);
        let status = program.run(folder, &arguments, LEDGER)?;
        ensure!(is_complete(status), "discovery: {}", said(folder, status));
        let ledger = folder.join(LEDGER);
        let discovered = State::keep(program, &ledger, folder.join("discovered.duckdb"))?;
        let whole = program.ledger(&ledger).digest()?;
        let wrong = program.ledger(&ledger).wrong_in_itself(&whole)?;
        let mut steps = Vec::new();
        for _ in 0..DRAWN_MAX {
            if steps.len() == EDITS {
                let digest = program.ledger(&ledger).digest()?;
                return Ok(Self { program, discovered, steps, digest, wrong });
            }
            let Some(edit) = Edit::draw(&mut random, program.ledger(&ledger))? else { continue };
            let started = Instant::now();
            let status = program.run(folder, &edit.arguments(), LEDGER)?;
            let took = started.elapsed();
            if status.code() == Some(REFUSED) {
                continue;
            }
            ensure!(is_complete(status), "{edit:?}: {}", said(folder, status));
            let after = State::keep(program, &ledger, folder.join(format!("after-{}.duckdb", steps.len())))?;
            steps.push(Step { edit, took, code: status.code(), after });
        }
        bail!("the program refuses nearly every command: {}", said(folder, program.run(folder, &["status"], LEDGER)?))
    }

    /// Runs and kills the commands in a folder of their own.
    pub(super) fn play(&self, folder: &Path, seed: u64, case: u64) -> Result<CaseOutcome> {
        fs::create_dir(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let ledger = folder.join(LEDGER);
        fs::copy(&self.discovered.file, &ledger).with_context(|| format!("cannot copy {}", ledger.display()))?;
        let mut playing = Playing { program: self.program, folder, ledger, outcome: CaseOutcome::default() };
        if let Err(error) = playing.run_all(self, &mut Random::new(seed, KILLS, case)) {
            if error.is::<Interrupted>() {
                return Err(error);
            }
            playing.outcome.failures.push(format!("{error:#}"));
        }
        Ok(playing.outcome)
    }
}

impl State {
    /// Copies the ledger as it is.
    fn keep(program: Program<'_>, ledger: &Path, file: PathBuf) -> Result<Self> {
        fs::copy(ledger, &file).with_context(|| format!("cannot copy {}", ledger.display()))?;
        let digest = program.ledger(&file).digest_of_copy()?;
        Ok(Self { file, digest })
    }
}

struct Playing<'a> {
    program: Program<'a>,
    folder: &'a Path,
    ledger: PathBuf,
    outcome: CaseOutcome,
}

impl Playing<'_> {
    fn run_all(&mut self, reference: &Reference<'_>, random: &mut Random) -> Result<()> {
        let mut before = &reference.discovered;
        for (number, step) in reference.steps.iter().enumerate() {
            self.run(step, before, random).with_context(|| format!("command {number}, {:?}", step.edit))?;
            before = &step.after;
        }
        let digest = self.program.ledger(&self.ledger).digest()?;
        if digest != reference.digest {
            self.add_differences(&digest, &before.file, &reference.digest)?;
        }
        for entry in fs::read_dir(self.folder)? {
            let name = entry?.file_name();
            self.outcome.left_behind += u64::from(name != LEDGER && name != LOG && name != BACKUP);
        }
        Ok(())
    }

    /// Runs a command until it completes.
    fn run(&mut self, step: &Step, before: &State, random: &mut Random) -> Result<()> {
        let mut is_changed = before.digest == step.after.digest;
        for _ in 0..random.between(1, KILLS_MAX) {
            let kill = Kill::draw_sigkill(random, step.took);
            let child = self.program.start(self.folder, &step.edit.arguments(), LEDGER)?;
            let killed = self.program.kill(child, kill)?;
            if killed.signals == 0 || !kill.means.may_lead_to(killed.status) {
                self.outcome.too_late += 1;
                return self.check_complete(step, killed.status, is_changed);
            }
            let has_log = log_of(&self.ledger).exists();
            self.open()?;
            let was_changed = is_changed;
            is_changed = self.is_changed(step, before)?;
            ensure!(is_changed || !was_changed, "a kill took back what was committed before");
            let moment = match (was_changed, is_changed, has_log) {
                (true, ..) => Moment::NothingToChange,
                (_, false, _) => Moment::BeforeTheChange,
                (_, true, true) => Moment::BeforeTheCheckpoint,
                (_, true, false) => Moment::AfterTheCheckpoint,
            };
            self.outcome.kills.push((Means::Kill, moment));
        }
        let status = self.program.run(self.folder, &step.edit.arguments(), LEDGER)?;
        self.check_complete(step, status, is_changed)
    }

    /// Opens the ledger after a kill. Torn blocks are restored: that is all that may be written to it.
    fn open(&mut self) -> Result<()> {
        let modified = |file: &Path| Ok::<_, anyhow::Error>(fs::metadata(file)?.modified()?);
        let was = modified(&self.ledger)?;
        let status = self.program.run(self.folder, &["status"], LEDGER)?;
        if !status.success() {
            self.outcome.lost += 1;
            bail!("the ledger is lost: status: {}", said(self.folder, status));
        }
        self.outcome.restored += u64::from(modified(&self.ledger)? != was);
        Ok(())
    }

    /// Whether the ledger is as after a command. Otherwise it has to be as before it.
    fn is_changed(&mut self, step: &Step, before: &State) -> Result<bool> {
        let digest = self.program.ledger(&self.ledger).digest_of_copy()?;
        if digest != step.after.digest && digest != before.digest {
            self.add_differences(&digest, &step.after.file, &step.after.digest)?;
            bail!("a kill led to a ledger that is neither as before the command nor as after it");
        }
        Ok(digest == step.after.digest)
    }

    /// Checks a command that completed. It may have been refused if an earlier attempt had committed its change.
    fn check_complete(&mut self, step: &Step, status: ExitStatus, was_changed: bool) -> Result<()> {
        let is_refused = was_changed && !step.edit.is_backup() && status.code() == Some(REFUSED);
        ensure!(status.code() == step.code || is_refused, "{}", said(self.folder, status));
        let digest = self.program.ledger(&self.ledger).digest_of_copy()?;
        if digest != step.after.digest {
            self.add_differences(&digest, &step.after.file, &step.after.digest)?;
            bail!("the ledger is not as without kills");
        }
        if step.edit.is_backup() {
            let backup = self.program.ledger(&self.folder.join(BACKUP)).digest_of_copy().context("the backup")?;
            ensure!(backup == digest, "the backup is not as the ledger");
        }
        Ok(())
    }

    fn add_differences(&mut self, digest: &Digest, reference: &Path, due: &Digest) -> Result<()> {
        self.outcome.differing += 1;
        let ledger = self.program.ledger(&self.ledger);
        let differences = ledger.differences(digest, self.program.ledger(reference), due)?;
        self.outcome.failures.extend(differences);
        Ok(())
    }
}
