//! A migration between two worlds of a simulator whose faults come and go, in a folder of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use longhaul_ledger::{CopySettings, Editor, LedgerError, Log, Reader, system_now_ns};
use longhaul_model::{BySide, Phase, Side, VerifyLevel};
use longhaul_spectra::{Config, FaultClass, FaultRule, Operation, OperationFilter, Spectra};
use longhaul_storage::Location;
use serde::{Deserialize, Serialize};

use super::contents::Contents;
use super::copying::{self, Moved};
use super::last_word::LastWord;
use super::ledger_snapshot::LedgerSnapshot;
use super::migration::{LEDGER, Run};
use super::program::{Heard, Program};
use super::report::Report;
use super::scratch::names_in;
use super::simulator;
use super::trace::{LOG_FILTER, Trace, world_of};
use crate::interrupt::Interrupt;

/// The configuration that is in force, and the one without the faults that come and go.
const CONFIG: &str = "spectra.json";
const CALM: &str = "calm.json";

/// What the program has logged while it swept.
const SWEEP_LOG: &str = "sweep.log";

/// How long a child that has outlived its scenario may take to come to its end, and how much longer it may have the ledger
/// than the simulator; and how often that is looked at.
const CHILD_WAIT: Duration = Duration::from_mins(1);
const LEDGER_WAIT: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// The migration.
#[derive(Debug)]
pub(crate) struct Trial {
    pub(crate) folder: PathBuf,
    pub(crate) ledger: PathBuf,
    interrupt: Interrupt,
}

/// A sweep that the program has made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Swept {
    /// How the program ended; `None` where it had come to its end before this was gone on with.
    pub(crate) ending: Option<String>,
    /// What it said to people.
    pub(crate) said: Option<String>,
    /// What the simulator did, in order. Where the sweep was gone on with, some of it may be missing or be there twice.
    pub(crate) traces: Vec<Trace>,
    pub(crate) is_gone_on: bool,
}

impl Swept {
    /// The program came to its end, and nothing is left to be said.
    pub(crate) fn check_end(&self, report: &mut Report<'_>) -> Result<()> {
        let Some(ending) = &self.ending else {
            return report.line("the sweep was complete before this was gone on with");
        };
        let due = "exit code 0";
        report.check_text("end of the sweep", due, ending)?;
        match &self.said {
            Some(said) if ending != due => report.line(&format!("        {said}")),
            _ => Ok(()),
        }
    }
}

/// What is to be done to go on with a sweep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Retry,
    List,
    Copy,
    Nothing,
}

impl Next {
    /// What the ledger says.
    pub(crate) fn of(ledger: &Path) -> Result<Next> {
        let reader = open_when_free(ledger)?;
        let marked = reader.marked()?;
        if marked.folders + marked.copies > 0 {
            return Ok(Next::Retry);
        }
        Ok(match reader.migration()?.current_phase() {
            Phase::Traversing => Next::List,
            Phase::Copying => Next::Copy,
            _ => Next::Nothing,
        })
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Next::Retry => &["retry", "--ledger", LEDGER],
            Next::List => &["discover", "--resume", "--ledger", LEDGER],
            Next::Copy => &["copy", "--resume", "--ledger", LEDGER],
            Next::Nothing => &[],
        }
    }
}

impl Trial {
    /// That in a folder, which is made with [`Trial::make`] before anything else is done.
    pub(crate) fn in_folder(folder: &Path, interrupt: &Interrupt) -> Trial {
        Trial { folder: folder.to_owned(), ledger: folder.join(LEDGER), interrupt: interrupt.clone() }
    }

    /// Makes the configuration and what the simulator keeps: half of a database could not be gone on with.
    pub(crate) fn make(&self, config: Config) -> Result<()> {
        let folder = &self.folder;
        fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        simulator::write(config, &folder.join(CALM), folder)?;
        self.set_faults(Vec::new())?;
        drop(self.simulator()?);
        Ok(())
    }

    /// From now on these faults are in force, before those of the configuration itself.
    pub(crate) fn set_faults(&self, faults: Vec<FaultRule>) -> Result<()> {
        let mut config = Config::load(&self.folder.join(CALM))?;
        config.chaos.faults.splice(0..0, faults);
        simulator::write(config, &self.config(), &self.folder)
    }

    fn config(&self) -> PathBuf {
        self.folder.join(CONFIG)
    }

    /// The simulator, which nobody else can open for as long as this is there.
    pub(crate) fn simulator(&self) -> Result<Spectra> {
        simulator::open_after_engine(&self.config(), &self.folder)
    }

    /// One that knows nothing of what was written.
    pub(crate) fn pristine(&self) -> Result<Spectra> {
        simulator::pristine(&self.config())
    }

    /// What is in the two worlds now.
    pub(crate) fn contents(&self) -> Result<BySide<Contents>> {
        Contents::of(&self.simulator()?)
    }

    /// What the ledger shows now.
    pub(crate) fn snapshot(&self) -> Result<LedgerSnapshot> {
        LedgerSnapshot::of(&self.ledger)
    }

    /// The ledger, open for a change.
    pub(crate) fn edit(&self) -> Result<Editor> {
        Ok(Editor::open(&self.ledger, Log::Unknown, system_now_ns)?)
    }

    /// Lists both worlds, or goes on with that.
    pub(crate) fn discover(&self) -> Result<LastWord> {
        let location = |side| Location::Spectra { world: world_of(side).to_owned(), config: self.config() };
        // Whoever had the simulator before has let go of it by then.
        drop(self.simulator()?);
        let run = if let Some(run) = Run::gone_on_with(&self.folder, &self.interrupt)? {
            run
        } else {
            let locations = BySide { src: location(Side::Source), dst: location(Side::Destination) };
            Run::of_places(&self.folder, locations, &self.interrupt)?
        };
        Ok(LastWord::new("discovery", run.outcome.as_ref()))
    }

    /// Copies what the plan says and verifies it, or goes on with that.
    pub(crate) fn copy_and_verify(&self) -> Result<Vec<LastWord>> {
        let settings = CopySettings::default();
        let moved = Moved::by_plan(&self.ledger, settings, VerifyLevel::Full, &self.interrupt)?;
        Ok(vec![moved.word_on_copy(), moved.word_on_verification()])
    }

    /// Verifies what was copied by a sweep, or goes on with that.
    pub(crate) fn verify(&self) -> Result<LastWord> {
        let settings = CopySettings::default();
        let moved = Moved::by_plan(&self.ledger, settings, VerifyLevel::Full, &self.interrupt)?;
        Ok(moved.word_on_verification())
    }

    /// Sweeps what is marked for retry in this process, or goes on with that.
    pub(crate) fn sweep_here(&self) -> Result<LastWord> {
        let outcome = match Next::of(&self.ledger)? {
            Next::Retry => Some(copying::retry_marked(&self.ledger, &self.interrupt)?),
            // It is a discovery like any other.
            Next::List => Run::gone_on_with(&self.folder, &self.interrupt)?.and_then(|run| run.outcome),
            Next::Copy | Next::Nothing => None,
        };
        Ok(LastWord::new("sweep", outcome.as_ref()))
    }

    /// Has the program sweep what is marked for retry, or go on with that, and listens to what the simulator does.
    pub(crate) fn sweep(&self) -> Result<Swept> {
        // A child that has outlived its scenario comes to its end by itself.
        drop(simulator::open_within(CHILD_WAIT, &self.config(), &self.folder, &self.interrupt)?);
        let next = Next::of(&self.ledger)?;
        let log = self.folder.join(SWEEP_LOG);
        let mut out = File::options().create(true).append(true).open(&log).context("the sweep cannot be logged")?;
        let ended = if next == Next::Nothing {
            None
        } else {
            let program = Program::this(&self.folder, LOG_FILTER, &self.interrupt)?;
            Some(program.run(next.arguments(), |line| {
                if Trace::parse(line).is_none() {
                    return Ok(Heard::ForPeople);
                }
                writeln!(out, "{line}")?;
                Ok(Heard::Understood)
            })?)
        };
        let lines = BufReader::new(File::open(&log)?).lines();
        let traces = lines.map(|line| Ok(Trace::parse(&line?))).collect::<Result<Vec<_>>>()?;
        Ok(Swept {
            ending: ended.as_ref().map(super::program::Ended::ending),
            said: ended.as_ref().map(super::program::Ended::said),
            traces: traces.into_iter().flatten().collect(),
            is_gone_on: next != Next::Retry,
        })
    }
}

fn open_when_free(ledger: &Path) -> Result<Reader> {
    let deadline = Instant::now() + LEDGER_WAIT;
    loop {
        match Reader::open(ledger) {
            Err(LedgerError::InUse { .. }) if Instant::now() < deadline => std::thread::sleep(LOOK_INTERVAL),
            opened => return Ok(opened?),
        }
    }
}

/// Nothing is left in its folder but the ledger, complete in one file, what the simulator keeps, and the program's log of
/// a sweep, where there was one.
pub(crate) fn check_what_is_left(report: &mut Report<'_>, trial: &Trial, swept: bool) -> Result<()> {
    let mut due = vec![CALM, LEDGER, CONFIG, "spectra.redb"];
    due.extend(swept.then_some(SWEEP_LOG));
    due.sort_unstable();
    report.check_text("files left by a migration", &due.join(", "), &names_in(&trial.folder)?.join(", "))
}

/// Everything that an operation does at a path of a side is denied.
pub(crate) fn denied(side: Side, operation: Operation, path: &str) -> FaultRule {
    FaultRule {
        operation: OperationFilter::Only(operation),
        world: Some(world_of(side).to_owned()),
        path: Some(path.to_owned()),
        ..FaultRule::new(FaultClass::Denied)
    }
}

/// Whether a path is that of a folder, or of something in it.
pub(crate) fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_compared() {
        assert!(is_within("/a", "/a") && is_within("/a/b", "/a"));
        assert!(!is_within("/ab", "/a") && !is_within("/", "/a") && !is_within("/b/a", "/a"));
    }
}
