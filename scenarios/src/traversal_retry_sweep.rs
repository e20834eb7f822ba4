//! `traversal-retry-sweep`: after a traversal of two worlds of the simulator one folder is listed again, with all that is
//! below it, and nothing else is; and folders that could not be listed are, when they can be.
//!
//! The two parts have a simulator and a ledger of their own. The sweeps are made by this program as a child, because
//! what the simulator then did is in its log.

mod failed;
mod listed;
mod marked;
mod picks;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::shared::contents::Contents;
use crate::shared::scratch::names_in;
use crate::shared::simulator::{self, Shipped};
use crate::shared::stage::Stage;
use crate::shared::steps::STEPS;
use crate::shared::trial::{self, Trial};
use picks::Picks;

const CONFIG: Shipped = Shipped { name: "spectra.json", text: include_str!("../../configs/spectra.json") };

/// The folders of the two parts.
const MARKED: &str = "marked";
const FAILED: &str = "failed";

/// What is known when the worlds are made.
#[derive(Debug, Serialize, Deserialize)]
struct Found {
    seed: u64,
    picks: Picks,
}

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    let scratch = stage.scratch.path().to_owned();
    let trials = [MARKED, FAILED].map(|name| Trial::in_folder(&scratch.join(name), &stage.interrupt));
    let found = match stage.is_set_up::<Found>()? {
        Some(found) => found,
        None => set_up(&trials)?,
    };
    stage
        .report
        .line(&format!("simulator of {}; what is picked follows from its seed, {}", CONFIG.name, found.seed))?;
    found.picks.print(&mut stage.report)?;

    stage.begin_run(&found)?;
    let [of_marked, of_failed] = &trials;
    let marked = marked::run(stage, of_marked, &found.picks)?;
    let failed = failed::run(stage, of_failed, &found.picks)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    marked.check(report, of_marked, &found.picks)?;
    failed.check(report, of_failed, &found.picks)?;
    for trial in &trials {
        trial::check_what_is_left(report, trial, true)?;
    }
    report.check_text("files left by the run", &[FAILED, MARKED, STEPS].join(", "), &names_in(&scratch)?.join(", "))
}

fn set_up(trials: &[Trial]) -> Result<Found> {
    let config = CONFIG.load()?;
    let seed = config.seed.seed;
    for trial in trials {
        trial.make(config.clone())?;
    }
    let picks = Picks::of(&Contents::of(&simulator::pristine_of(config)?)?, seed)?;
    Ok(Found { seed, picks })
}
