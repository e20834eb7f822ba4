//! One case: a pair of trees is listed, or migrated, killed and gone on with until that is complete, and the ledger and
//! the destination are compared with those of a run which nobody killed.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use super::kill::{Kill, Killed, Means};
use super::ledger::{Digest, Standing};
use super::outcome::{CaseOutcome, Moment};
use super::program::{LEDGER, LISTED, LOG, Program, WRITTEN, is_complete, log_of, said};
use super::random::Random;
use super::trees::Trees;
use crate::interrupt::Interrupted;

/// Then it is left to complete.
const KILLS_MAX: u64 = 12;
/// The purpose of the random numbers here.
const KILLS: u64 = 2;
/// Of a listing of what a migration has come to.
const LEDGER_AFTERWARDS: &str = "afterwards.duckdb";
/// Who is told to stop begins with nothing new after this time.
const NOTICE: Duration = Duration::from_millis(200);

/// A pair of trees with the ledger of a run that nobody killed.
#[derive(Debug)]
pub(super) struct Reference<'a> {
    program: Program<'a>,
    trees: &'a Trees,
    folder: PathBuf,
    took: Duration,
    code: Option<i32>,
    digest: Digest,
    /// Of a listing of what it came to, where that is not looked at by itself.
    afterwards: Digest,
    /// What was not as it must be without any kill.
    pub(super) wrong: Vec<String>,
}

impl<'a> Reference<'a> {
    /// Lists, or migrates, the trees once, undisturbed.
    pub(super) fn make(program: Program<'a>, trees: &'a Trees, folder: PathBuf) -> Result<Self> {
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        trees.plant(&folder)?;
        let (took, code, digest, afterwards) = (Duration::ZERO, None, Digest::new(), Digest::new());
        let wrong = Vec::new();
        let mut reference = Self { program, trees, folder, took, code, digest, afterwards, wrong };
        let started = Instant::now();
        let status = program.wait(reference.start(&reference.folder, false)?)?;
        reference.took = started.elapsed();
        let said = || format!("the run that nobody kills: {}", said(&reference.folder, status));
        ensure!(is_complete(status), said());
        reference.code = status.code();
        let file = reference.folder.join(LEDGER);
        let ledger = program.ledger(&file);
        reference.digest = ledger.digest()?;
        reference.wrong = ledger.wrong_in_itself(&reference.digest)?;
        reference.wrong.extend(trees.wrong_with(&reference.folder, None)?);
        reference.afterwards = reference.list_afterwards(&reference.folder)?;
        Ok(reference)
    }

    fn start(&self, folder: &Path, is_begun: bool) -> Result<Child> {
        self.program.start(folder, &self.trees.arguments(is_begun), LEDGER)
    }

    /// Lists a destination that cannot be looked at otherwise.
    fn list_afterwards(&self, folder: &Path) -> Result<Digest> {
        let Some([source, destination]) = self.trees.worlds() else { return Ok(Digest::new()) };
        let status = self.program.run(folder, &["discover", source, destination], LEDGER_AFTERWARDS)?;
        ensure!(is_complete(status), "listing the destination afterwards: {}", said(folder, status));
        self.program.ledger(&folder.join(LEDGER_AFTERWARDS)).digest()
    }

    /// Runs a case in a folder of its own. Only what keeps the case from being run at all is an error.
    pub(super) fn play(&self, folder: &Path, seed: u64, case: u64) -> Result<CaseOutcome> {
        fs::create_dir(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        self.trees.plant(folder)?;
        let mut playing = Playing {
            reference: self,
            ledger: folder.join(LEDGER),
            folder,
            outcome: CaseOutcome::default(),
            listed: HashSet::new(),
            written: HashSet::new(),
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
    written: HashSet<String>,
}

impl Playing<'_> {
    fn go_on_to_the_end(&mut self, random: &mut Random) -> Result<()> {
        let took = self.reference.took;
        let mut spent = Duration::ZERO;
        for _ in 0..KILLS_MAX {
            // What is done already is not done again, so that a run which goes on takes less.
            let kill = Kill::draw(random, took.saturating_sub(spent).max(took / 5));
            let started = Instant::now();
            let child = self.reference.start(self.folder, self.ledger.exists())?;
            let killed = self.reference.program.kill(child, kill).context("a killed run")?;
            spent += started.elapsed();
            self.read_log()?;
            if killed.signals == 0 {
                self.outcome.too_late += 1;
            }
            if self.judge(kill.means, &killed)? {
                return self.compare(killed.status);
            }
        }
        let child = self.reference.start(self.folder, self.ledger.exists())?;
        let status = self.reference.program.wait(child).context("the last run")?;
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
            self.check_that_it_was_heard(means, killed)?;
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
        let ledger = self.reference.program.ledger(&self.ledger);
        let standing = ledger.standing().inspect_err(|_| self.outcome.lost += 1);
        let Standing { phase, within } = standing.with_context(|| format!("after {}", means.name()))?;
        if means.must_be_suspended(status) {
            let has_log = log_of(&self.ledger).exists();
            // Between two phases of a migration there is nothing to be suspended.
            let is_between = self.reference.trees.is_migrated() && matches!(phase.as_str(), "review" | "verifying");
            ensure!(phase == "suspended" || is_between, "interrupted with {status}, and in phase {phase}");
            // A run that was killed before has no end, and the one that is interrupted may not have begun yet.
            ensure!(
                ledger.has_ended(killed.pid)?,
                "interrupted with {status}, and the ledger does not say how the run ended"
            );
            ensure!(!has_log, "interrupted with {status}, and the log is still there");
        }
        let is_migrated = self.reference.trees.is_migrated();
        let moment = match within.as_str() {
            "created" => Moment::StartingUp,
            "review" if is_migrated => Moment::BetweenPhases,
            "review" => Moment::ShuttingDown,
            "complete" if is_migrated => Moment::ShuttingDown,
            _ if killed.signals > 1 => Moment::ShuttingDown,
            "traversing" => Moment::Traversing,
            "copying" if is_migrated => Moment::Copying,
            "verifying" if is_migrated => Moment::Verifying,
            other => bail!("after {}: phase {other}", means.name()),
        };
        self.outcome.kills.push((means, moment));
        if within == "copying"
            && let Some(brought) = self.reference.trees.brought(self.folder)?
        {
            let known = ledger.copied()?;
            self.outcome.at_the_destination += brought;
            self.outcome.unknown += brought.saturating_sub(known);
            if known > brought {
                let failures = &mut self.outcome.failures;
                failures.push(format!("after {}: {known} recorded as copied, {brought} there", means.name()));
            }
        }
        Ok(false)
    }

    /// Whoever asks for an end and is not answered with one was too late, or has not been heard.
    fn check_that_it_was_heard(&mut self, means: Means, killed: &Killed) -> Result<()> {
        // A single phase may well be over before anybody looks.
        if killed.signals == 0 || !means.is_a_request() || !self.reference.trees.is_migrated() {
            return Ok(());
        }
        let due_ns = killed.at.duration_since(UNIX_EPOCH)?.saturating_add(NOTICE).as_nanos();
        let runs = self.reference.program.ledger(&self.ledger).runs_since(due_ns)?;
        if runs > 0 {
            self.outcome.failures.push(format!("{} was passed over: {runs} more phases began", means.name()));
        }
        Ok(())
    }

    fn compare(&mut self, status: ExitStatus) -> Result<()> {
        let reference = self.reference;
        if status.code() != reference.code {
            let due = reference.code.unwrap_or_default();
            self.outcome.failures.push(format!("ended with {status} instead of exit code {due}"));
        }
        let ledger = reference.program.ledger(&self.ledger);
        let digest = ledger.digest()?;
        let reference_file = reference.folder.join(LEDGER);
        let due = reference.program.ledger(&reference_file);
        let differences = ledger.differences(&digest, due, &reference.digest)?;
        self.outcome.differing += u64::from(!differences.is_empty());
        self.outcome.failures.extend(differences);
        for entry in fs::read_dir(self.folder)? {
            let name = entry?.file_name();
            let is_known = name == LEDGER || name == LOG || reference.trees.is_part_of_it(&name);
            self.outcome.left_behind += u64::from(!is_known);
        }
        let wrong = reference.trees.wrong_with(self.folder, Some(&reference.folder))?;
        self.outcome.failures.extend(wrong);
        let afterwards = reference.list_afterwards(self.folder)?;
        if afterwards != reference.afterwards {
            let (file, due) = (self.folder.join(LEDGER_AFTERWARDS), reference.folder.join(LEDGER_AFTERWARDS));
            let due = reference.program.ledger(&due);
            let differences = reference.program.ledger(&file).differences(&afterwards, due, &reference.afterwards)?;
            let differences = differences.into_iter().map(|difference| format!("listed afterwards: {difference}"));
            self.outcome.failures.extend(differences);
        }
        Ok(())
    }

    /// Counts what the stores of the last run say that they listed and wrote; a line cut off by a kill is none. And nothing
    /// here damages a ledger: a run that takes it for damaged throws work away.
    fn read_log(&mut self) -> Result<()> {
        let mut log = BufReader::new(File::open(self.folder.join(LOG))?);
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            if let Some((_, listed)) = line.split_once(LISTED) {
                self.outcome.listings += 1;
                self.outcome.listed_again += u64::from(!self.listed.insert(listed.to_owned()));
            } else if let Some((_, written)) = line.split_once(WRITTEN) {
                self.outcome.written += 1;
                self.outcome.written_again += u64::from(!self.written.insert(written.to_owned()));
            } else if line.contains("was damaged") {
                self.outcome.failures.push(line.trim_end().to_owned());
            }
            line.clear();
        }
        Ok(())
    }
}
