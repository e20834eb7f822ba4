//! Carrying out a plan and verifying what comes of it with the engine, as any user of the library would.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use longhaul_actors::{CopyConfig, Outcome, Resumed, StartError, Tuning, VerifyConfig, copy, retry, verify};
use longhaul_ledger::{Approving, CopySettings, Log, Reader};
use longhaul_model::{Phase, VerifyLevel};

use super::last_word::LastWord;
use super::migration::{attend, ending};
use super::report::{Report, grouped};
use crate::interrupt::Interrupt;

/// How long threads of the run before may take to let go of a store, and how often that is looked at.
const IN_USE_WAIT: Duration = Duration::from_secs(5);
const LOOK_INTERVAL: Duration = Duration::from_millis(10);

/// A copy and a verification that have ended, each with the engine's last word; `None` where it was complete before.
#[derive(Debug)]
pub(crate) struct Moved {
    copied: Option<Outcome>,
    verified: Option<Outcome>,
    took: Duration,
}

impl Moved {
    /// Copies what the plan in a ledger says and verifies all of it, or goes on with that.
    pub(crate) fn by_plan(
        ledger: &Path,
        settings: CopySettings,
        level: VerifyLevel,
        interrupt: &Interrupt,
    ) -> Result<Moved> {
        let started = Instant::now();
        let mut phase = phase(ledger)?;
        let is_begun = phase == Phase::Verifying && is_verification_begun(ledger)?;
        let mut moved = Moved { copied: None, verified: None, took: Duration::ZERO };
        if matches!(phase, Phase::Review | Phase::Copying) {
            let config = config(ledger, settings, phase == Phase::Copying);
            moved.copied = run(|| copy(&config), interrupt)?;
            phase = self::phase(ledger)?;
        }
        if phase == Phase::Verifying {
            let config = VerifyConfig {
                ledger: ledger.to_owned(),
                log: Log::Unknown,
                resume: is_begun,
                level,
                stores: None,
                tuning: Tuning::default(),
            };
            moved.verified = run(|| verify(&config), interrupt)?;
        }
        moved.took = started.elapsed();
        Ok(moved)
    }

    /// Prints what it took.
    pub(crate) fn print(&self, report: &mut Report<'_>, ledger: &Path) -> Result<()> {
        let totals = Reader::open(ledger)?.overview()?.totals.src;
        let [nodes, bytes] = [totals.copied, totals.copied_bytes].map(|number| grouped(number.unsigned_abs()));
        let seconds = self.took.as_secs_f64();
        report.line(&format!("{nodes} nodes with {bytes} bytes copied, and all verified, in {seconds:.2} s"))
    }

    /// The engine's last word on the copy.
    pub(crate) fn word_on_copy(&self) -> LastWord {
        LastWord::new("copy", self.copied.as_ref())
    }

    /// The engine's last word on the verification.
    pub(crate) fn word_on_verification(&self) -> LastWord {
        LastWord::new("verification", self.verified.as_ref())
    }

    /// It came to its end, and lost nothing on the way.
    pub(crate) fn verify(&self, report: &mut Report<'_>) -> Result<()> {
        self.word_on_copy().check(report)?;
        self.word_on_verification().check(report)
    }
}

/// Lists again, or copies again, what is marked for retry. What is listed may be gone on with like any discovery.
pub(crate) fn retry_marked(ledger: &Path, interrupt: &Interrupt) -> Result<Outcome> {
    let config = config(ledger, CopySettings::default(), false);
    let outcome = run(|| retry(&config), interrupt)?;
    outcome.context("a sweep that has begun has an end")
}

fn config(ledger: &Path, settings: CopySettings, resume: bool) -> CopyConfig {
    CopyConfig {
        approving: Approving::NowWithConflicts,
        ledger: ledger.to_owned(),
        log: Log::Unknown,
        resume,
        choices: settings.into(),
        force: false,
        ignore_names: false,
        stores: None,
        tuning: Tuning::default(),
    }
}

/// Whether a verification was cut short. Where a copy was what came last there is none to be gone on with: it would go on
/// as closely and from where an earlier one had looked, or at sizes alone.
fn is_verification_begun(ledger: &Path) -> Result<bool> {
    let runs = Reader::open(ledger)?.overview()?.runs;
    Ok(runs.last().is_some_and(|run| run.command.starts_with("verify")))
}

fn phase(ledger: &Path) -> Result<Phase> {
    Ok(Reader::open(ledger)?.migration()?.current_phase())
}

fn run(start: impl Fn() -> Result<Resumed, StartError>, interrupt: &Interrupt) -> Result<Option<Outcome>> {
    let deadline = Instant::now() + IN_USE_WAIT;
    let resumed = loop {
        match start() {
            // A simulator that is kept on disk is let go of a moment after the last word of whoever had it.
            Err(error) if error.to_string().contains("is in use") && Instant::now() < deadline => {
                std::thread::sleep(LOOK_INTERVAL);
            }
            started => break started?,
        }
    };
    let Resumed::Running(controller) = resumed else { bail!("the ledger says that nothing is to be done") };
    let outcome = attend(controller, interrupt, |outcome| {
        let totals = outcome.closed.totals().src;
        let [copied, pending] = [totals.copied, totals.copy_pending()].map(|number| grouped(number.unsigned_abs()));
        format!("{copied} nodes are copied and {pending} are still to be")
    })?;
    ensure!(outcome.closed.failed.is_none(), "{}", ending(&outcome));
    Ok(Some(outcome))
}
