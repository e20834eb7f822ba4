//! What a run writes down about itself, for the one that goes on with it.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

const FILE: &str = "state.json";
const NEW_FILE: &str = "state.json.new";

/// Of this format. Notes of another one are not gone on from.
const VERSION: u32 = 1;

/// The parts of a run, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Part {
    /// Making what is to be run on.
    SetUp,
    /// The program or the engine at work.
    Run,
    /// Looking at what came of it.
    Verification,
    /// There is a verdict.
    Over,
}

impl Part {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Part::SetUp => "set-up",
            Part::Run => "run",
            Part::Verification => "verification",
            Part::Over => "end",
        }
    }
}

/// The notes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Notes {
    version: u32,
    /// The scenario's name.
    pub(crate) scenario: String,
    /// The part that was begun last. Those before it are complete.
    pub(crate) part: Part,
    /// What the set-up found out and the parts after it need; each scenario knows what that is.
    pub(crate) found: serde_json::Value,
}

impl Notes {
    pub(crate) fn new(scenario: &str) -> Notes {
        let scenario = scenario.to_owned();
        Notes { version: VERSION, scenario, part: Part::SetUp, found: serde_json::Value::Null }
    }

    pub(crate) fn read(folder: &Path) -> Result<Notes> {
        let file = folder.join(FILE);
        let text = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let notes: Notes =
            serde_json::from_slice(&text).with_context(|| format!("{} is no state of a scenario", file.display()))?;
        ensure!(notes.version == VERSION, "{} is of version {}", file.display(), notes.version);
        Ok(notes)
    }

    /// When the notes in a folder were last written.
    pub(crate) fn written_at(folder: &Path) -> std::io::Result<SystemTime> {
        fs::metadata(folder.join(FILE))?.modified()
    }

    /// Takes the place of the notes that are there, all at once.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let new = folder.join(NEW_FILE);
        let written = serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::from)
            .and_then(|text| fs::write(&new, text))
            // The system's own times go in steps of milliseconds, and could not tell two runs apart.
            .and_then(|()| fs::File::options().append(true).open(&new)?.set_modified(SystemTime::now()))
            .and_then(|()| fs::rename(&new, folder.join(FILE)));
        written.with_context(|| format!("cannot write {}", new.display()))
    }
}
