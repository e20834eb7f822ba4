//! The named end-to-end runs: what each of them sets up, runs, and must show.
//!
//! A scenario uses the engine as any user of the library would, or the program that it is part of where that is to be
//! interrupted, in a scratch folder of its own. Then it compares the ledger with what is in the trees, which it finds
//! out by itself: neither the stores nor the engine nor the ledger take part in that. Every check is printed with what
//! was expected and what was found.

mod shared;

// The scenarios, simplest first.
mod traversal_ephemeral;
mod traversal_local;
mod traversal_normal;
mod traversal_resumption;

use std::io::Write;

use anyhow::{Result, bail};

use shared::report::{Report, Stage};
use shared::scratch::Scratch;

/// A named run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in a line.
    pub description: &'static str,
    play: fn(&mut Stage<'_>) -> Result<()>,
}

/// Choices of whoever runs a scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Leave the scratch folder where it is, whatever comes of the run. After a failure it is kept anyway.
    pub keep: bool,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check held.
    Passed,
    /// The first check that did not hold, or why the run did not come that far.
    Failed(String),
}

impl Verdict {
    /// Whether every check held.
    pub fn passed(&self) -> bool {
        *self == Verdict::Passed
    }
}

/// All scenarios.
pub fn all() -> &'static [Scenario] {
    &[
        Scenario {
            name: "traversal-normal",
            description: "lists two simulated trees that are kept on disk, the destination a part of the source",
            play: traversal_normal::play,
        },
        Scenario {
            name: "traversal-ephemeral",
            description: "lists two large simulated trees that exist nowhere, each with nodes the other lacks",
            play: traversal_ephemeral::play,
        },
        Scenario {
            name: "traversal-local",
            description: "lists two folders of this machine with everything that makes real trees difficult",
            play: traversal_local::play,
        },
        Scenario {
            name: "traversal-resumption",
            description: "interrupts this program, and kills it, while it lists; it goes on and loses nothing",
            play: traversal_resumption::play,
        },
    ]
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    all().iter().find(|scenario| scenario.name == name)
}

/// Runs a scenario, and prints its phases, checks and verdict to `out`.
///
/// An error means that there is no such scenario or that `out` cannot be written; whatever else goes wrong is a
/// verdict.
pub fn run(name: &str, options: &Options, out: &mut dyn Write) -> Result<Verdict> {
    let Some(scenario) = find(name) else {
        let known: Vec<&str> = all().iter().map(|scenario| scenario.name).collect();
        bail!("no scenario is called {name:?}: choose one of {}", known.join(", "));
    };
    play_in_scratch(scenario, *options, out)
}

fn play_in_scratch(scenario: &Scenario, options: Options, out: &mut dyn Write) -> Result<Verdict> {
    let mut report = Report::new(out);
    report.title(scenario.name, scenario.description)?;
    report.phase("set-up")?;
    let scratch = match Scratch::new() {
        Ok(scratch) => scratch,
        Err(error) => return conclude(report, Some(format!("{error:#}"))),
    };
    let mut stage = Stage { scratch: scratch.path().to_owned(), report };
    let played = (scenario.play)(&mut stage);
    let mut report = stage.report;
    // A check that failed tells more than what could not be done after it.
    let reason = report.first_failed().map(str::to_owned).or_else(|| played.err().map(|error| format!("{error:#}")));
    report.line(&scratch.close(options.keep || reason.is_some()))?;
    conclude(report, reason)
}

fn conclude(mut report: Report<'_>, failed_because: Option<String>) -> Result<Verdict> {
    match failed_because {
        None => {
            report.verdict("SCENARIO PASSED")?;
            Ok(Verdict::Passed)
        }
        Some(reason) => {
            report.verdict(&format!("SCENARIO FAILED: {reason}"))?;
            Ok(Verdict::Failed(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario_that(play: fn(&mut Stage<'_>) -> Result<()>) -> Scenario {
        Scenario { name: "test", description: "a test", play }
    }

    fn play(scenario: &Scenario, keep: bool) -> (Verdict, String) {
        let mut out = Vec::new();
        let verdict = play_in_scratch(scenario, Options { keep }, &mut out).unwrap();
        (verdict, String::from_utf8(out).unwrap())
    }

    /// Where a run says that it left its folder; the folder is removed.
    fn kept(out: &str) -> Option<std::path::PathBuf> {
        let folder = std::path::PathBuf::from(out.lines().find_map(|line| line.strip_prefix("  kept "))?);
        std::fs::remove_dir_all(&folder).unwrap();
        Some(folder)
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = run("traversal", &Options::default(), &mut Vec::new()).unwrap_err().to_string();
        assert!(all().iter().all(|scenario| error.contains(scenario.name)), "{error}");
    }

    #[test]
    fn a_passed_run_leaves_its_folder_only_if_told_to() {
        let passing = scenario_that(|_| Ok(()));
        let (verdict, out) = play(&passing, false);
        assert_eq!((verdict, kept(&out)), (Verdict::Passed, None));
        assert!(out.ends_with("SCENARIO PASSED\n"), "{out}");
        let (verdict, out) = play(&passing, true);
        assert_eq!((verdict, kept(&out).is_some()), (Verdict::Passed, true));
    }

    #[test]
    fn a_failed_run_keeps_its_folder_and_ends_with_the_reason() {
        let failing = scenario_that(|stage| {
            stage.report.check_count("nodes", 1, 2)?;
            stage.report.check_count("folders", 3, 4)?;
            bail!("something else, later")
        });
        let (verdict, out) = play(&failing, false);
        assert_eq!(verdict, Verdict::Failed("nodes: expected 1, found 2".to_owned()));
        assert!(kept(&out).is_some());
        assert!(out.ends_with("SCENARIO FAILED: nodes: expected 1, found 2\n"), "{out}");

        let (verdict, out) = play(&scenario_that(|_| bail!("no store")), false);
        assert_eq!(verdict, Verdict::Failed("no store".to_owned()));
        assert!(kept(&out).is_some());
    }
}
