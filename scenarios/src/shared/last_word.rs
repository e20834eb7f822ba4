//! The engine's last word on what it was to do, as it can be written down.

use anyhow::Result;
use longhaul_actors::Outcome;
use serde::{Deserialize, Serialize};

use super::migration::ending;
use super::report::Report;

/// The last word.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct LastWord {
    /// What it was to do.
    what: String,
    /// `None` where that was complete before this run of the scenario.
    said: Option<Said>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Said {
    ending: String,
    dropped: u64,
    given_back: u64,
    still_running: u64,
}

impl LastWord {
    pub(crate) fn new(what: &str, outcome: Option<&Outcome>) -> LastWord {
        let said = outcome.map(|outcome| Said {
            ending: ending(outcome),
            dropped: outcome.closed.dropped,
            given_back: outcome.given_back as u64,
            still_running: outcome.still_running as u64,
        });
        LastWord { what: what.to_owned(), said }
    }

    /// It came to its end, and lost nothing on the way.
    pub(crate) fn check(&self, report: &mut Report<'_>) -> Result<()> {
        let what = &self.what;
        let Some(said) = &self.said else {
            return report.line(&format!("the {what} was complete before this was gone on with"));
        };
        report.check_text(&format!("end of the {what}"), "done", &said.ending)?;
        report.check_count(&format!("results of the {what} that were not recorded"), 0, said.dropped)?;
        report.check_count(&format!("nodes given back by the {what}"), 0, said.given_back)?;
        report.check_count(&format!("workers of the {what} still running"), 0, said.still_running)
    }
}
