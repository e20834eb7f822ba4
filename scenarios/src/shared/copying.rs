//! Carrying out a plan and verifying what comes of it with the engine, as any user of the library would.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use longhaul_actors::{CopyConfig, CopyDurability, Outcome, Resumed, StartError, Tuning, VerifyConfig, copy, verify};
use longhaul_ledger::{Approving, CopySettings, Log, Reader};
use longhaul_model::{Phase, VerifyLevel};

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
        let is_begun = phase == Phase::Verifying;
        let mut moved = Moved { copied: None, verified: None, took: Duration::ZERO };
        if matches!(phase, Phase::Review | Phase::Copying) {
            let config = CopyConfig {
                approving: Approving::NowWithConflicts,
                ledger: ledger.to_owned(),
                log: Log::Unknown,
                resume: phase == Phase::Copying,
                choices: settings.into(),
                durability: CopyDurability::default(),
                force: false,
                ignore_names: false,
                tuning: Tuning::default(),
            };
            moved.copied = run(|| copy(&config), interrupt)?;
            phase = self::phase(ledger)?;
        }
        if phase == Phase::Verifying {
            let config = VerifyConfig {
                ledger: ledger.to_owned(),
                log: Log::Unknown,
                resume: is_begun,
                level,
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

    /// The engine's last words: it came to its end, and lost nothing on the way.
    pub(crate) fn verify(&self, report: &mut Report<'_>) -> Result<()> {
        for (what, outcome) in [("copy", &self.copied), ("verification", &self.verified)] {
            let Some(outcome) = outcome else {
                report.line(&format!("the {what} was complete before this was gone on with"))?;
                continue;
            };
            report.check_text(&format!("end of the {what}"), "done", &ending(outcome))?;
            report.check_count(&format!("results of the {what} that were not recorded"), 0, outcome.closed.dropped)?;
            report.check_count(&format!("nodes given back by the {what}"), 0, outcome.given_back as u64)?;
            report.check_count(&format!("workers of the {what} still running"), 0, outcome.still_running as u64)?;
        }
        Ok(())
    }
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
