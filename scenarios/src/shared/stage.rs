//! What a scenario is given: a place to work in, somebody to tell, and what is there already.

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::notes::Part;
use super::report::Report;
use super::scratch::Scratch;
use crate::interrupt::Interrupt;

/// The stage.
pub(crate) struct Stage<'a> {
    pub(crate) scratch: Scratch,
    /// Where it says what it does and what it found.
    pub(crate) report: Report<'a>,
    /// Whether it is to stop.
    pub(crate) interrupt: Interrupt,
    /// The server whose simulator is to be used.
    pub(crate) spectra_url: Option<String>,
    /// The place in a store that is to be used.
    pub(crate) store_url: Option<String>,
}

impl Stage<'_> {
    /// What the set-up found out, where an earlier run has completed it. Where there is nothing, the folder to work in
    /// is empty.
    pub(crate) fn is_set_up<Found: DeserializeOwned>(&mut self) -> Result<Option<Found>> {
        if self.scratch.notes().part == Part::SetUp {
            return Ok(None);
        }
        let found = serde_json::from_value(self.scratch.notes().found.clone());
        let found = found.context("the notes of the set-up cannot be read")?;
        self.report.line("complete")?;
        Ok(Some(found))
    }

    /// For a scenario that cannot be gone on with: whatever an earlier run has left goes.
    pub(crate) fn start_over(&mut self) -> Result<()> {
        if self.scratch.notes().part != Part::SetUp {
            self.report.line("begun anew: it cannot be gone on with")?;
            self.scratch.start_over()?;
        }
        Ok(())
    }

    /// A run that is gone on with stays with its simulator, whether or not it is named again.
    pub(crate) fn expect_spectra_url(&mut self, of_set_up: Option<&str>) -> Result<()> {
        let asked_for = self.spectra_url.as_deref();
        ensure!(
            asked_for.is_none() || asked_for == of_set_up,
            "it was begun with the simulator {}: go on with that",
            of_set_up.unwrap_or("of this program, and without --spectra-url")
        );
        self.spectra_url = of_set_up.map(str::to_owned);
        Ok(())
    }

    /// The set-up is complete, and has found out what is needed later. From now on it is not repeated.
    pub(crate) fn begin_run(&mut self, found: &impl Serialize) -> Result<()> {
        self.scratch.note_found(serde_json::to_value(found)?);
        self.begin(Part::Run)
    }

    pub(crate) fn begin_verification(&mut self) -> Result<()> {
        self.begin(Part::Verification)
    }

    fn begin(&mut self, part: Part) -> Result<()> {
        self.scratch.note_part(part)?;
        self.report.phase(part.as_str())
    }
}
