//! This program, run once more as a child that lists, and that can be stopped while it does.

use std::path::Path;

use anyhow::Result;
use longhaul_model::Side;
use rustix::process::Signal;

use super::listings::{LOG_FILTER, Listing, TimeOfDay};
use crate::interrupt::Interrupt;
use crate::shared::program::{self, Heard};
use crate::shared::trace::world_of;

/// The program, and the folder that it runs in.
#[derive(Debug)]
pub(super) struct Program(program::Program);

/// A signal to the program once it has listed so many folders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) signal: Signal,
    pub(super) after_listings: usize,
}

/// A run of the program that has ended.
#[derive(Debug)]
pub(super) struct Ended {
    run: program::Ended,
    /// The folders that were listed, in order.
    pub(super) listings: Vec<Listing>,
    /// When the signal was sent.
    pub(super) stopped_at: Option<TimeOfDay>,
}

impl Program {
    /// The program that this process is. Once somebody asks for the end, it is killed.
    pub(super) fn this(folder: &Path, interrupt: &Interrupt) -> Result<Program> {
        Ok(Program(program::Program::this(folder, LOG_FILTER, interrupt)?))
    }

    /// Lists both worlds of a simulator into a new ledger.
    pub(super) fn discover(&self, config: &str, ledger: &str, more: &[&str], stop: Option<Stop>) -> Result<Ended> {
        let location = |side| format!("spectra:{}?config={config}", world_of(side));
        let (source, destination) = (location(Side::Source), location(Side::Destination));
        let arguments = [&["discover", &source, &destination, "--ledger", ledger], more].concat();
        self.run(&arguments, stop)
    }

    /// Goes on with a ledger.
    pub(super) fn resume(&self, ledger: &str) -> Result<Ended> {
        self.run(&["discover", "--resume", "--ledger", ledger], None)
    }

    fn run(&self, arguments: &[&str], stop: Option<Stop>) -> Result<Ended> {
        let (mut listings, mut stopped_at) = (Vec::new(), None);
        let run = self.0.run(arguments, |line| {
            let Some(listing) = Listing::parse(line) else { return Ok(Heard::ForPeople) };
            listings.push(listing);
            Ok(match stop {
                Some(stop) if stopped_at.is_none() && listings.len() >= stop.after_listings => {
                    stopped_at = Some(TimeOfDay::now());
                    Heard::Stop(stop.signal)
                }
                _ => Heard::Understood,
            })
        })?;
        Ok(Ended { run, listings, stopped_at })
    }
}

impl Ended {
    /// How it ended, in two words.
    pub(super) fn ending(&self) -> String {
        self.run.ending()
    }

    /// What it said to people.
    pub(super) fn said(&self) -> String {
        self.run.said()
    }
}
