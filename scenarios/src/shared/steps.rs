//! A run that consists of several steps: those that are complete are not done again when it is gone on with.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::stage::Stage;

/// The folder in the scratch folder where it is written down what the steps have found.
pub(crate) const STEPS: &str = "steps";

impl Stage<'_> {
    /// What a step has found: does it, and writes that down; or reads it where an earlier run has completed the step. What
    /// is cut short is done again, and has to see by itself how far it came.
    pub(crate) fn step<Found: Serialize + DeserializeOwned>(
        &mut self,
        name: &str,
        work: impl FnOnce(&mut Self) -> Result<Found>,
    ) -> Result<Found> {
        let folder = self.scratch.path().join(STEPS);
        let file = folder.join(format!("{name}.json"));
        if file.exists() {
            self.report.line(&format!("{name}: complete"))?;
            return read(&file);
        }
        self.report.line(name)?;
        let found = work(self)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        write(&file, &found)?;
        Ok(found)
    }
}

fn read<Found: DeserializeOwned>(file: &Path) -> Result<Found> {
    let text = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("{} is not what a step has found", file.display()))
}

/// All of it at once, or nothing.
fn write(file: &Path, found: &impl Serialize) -> Result<()> {
    let new = file.with_extension("new");
    let written = serde_json::to_vec(found).map_err(std::io::Error::from).and_then(|text| {
        fs::write(&new, text)?;
        fs::rename(&new, file)
    });
    written.with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;
    use crate::interrupt::Interrupt;
    use crate::shared::report::Report;
    use crate::shared::scratch::Scratch;

    #[test]
    fn a_step_is_done_until_it_is_complete_and_then_not_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut out = Vec::new();
        let scratch = Scratch::new_in(folder.path(), "test").unwrap();
        let mut stage = Stage {
            scratch,
            report: Report::new(&mut out),
            interrupt: Interrupt::default(),
            spectra_url: None,
            store_url: None,
        };
        let cut_short: Result<u64> = stage.step("one", |_| bail!("cut short"));
        assert_eq!(cut_short.unwrap_err().to_string(), "cut short");
        assert_eq!(stage.step("one", |_| Ok(1)).unwrap(), 1);
        assert_eq!(stage.step("one", |_| Ok(2)).unwrap(), 1);
        assert_eq!(stage.step("two", |_| Ok(2)).unwrap(), 2);
        drop(stage);
        assert_eq!(String::from_utf8(out).unwrap(), "  one\n  one\n  one: complete\n  two\n");
    }
}
