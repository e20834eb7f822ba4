//! The named end-to-end runs: what each of them sets up, runs, and must show.
//!
//! A scenario uses the engine as any user of the library would, or the program that it is part of where that is to be
//! interrupted, in a scratch folder of its own. Then it compares the ledger with what is in the trees, which it finds
//! out by itself: neither the stores nor the engine nor the ledger take part in that. Every check is printed with what
//! was expected and what was found.
//!
//! A run that was interrupted or killed leaves its scratch folder, and a later one goes on in it: what was complete is
//! not done again, and in the end everything is checked as usual.

mod interrupt;
mod shared;

// The scenarios, simplest first.
mod traversal_ephemeral;
mod traversal_local;
mod traversal_normal;
mod traversal_resumption;
mod traversal_retry_sweep;

mod copy_local;
mod copy_normal;
mod copy_resumption;
mod copy_retry;

mod dual_tree;
mod exclusion_sweep;

mod autoscaler_throttle;
mod slow_store;
mod stores;

use std::io::Write;
use std::path::Path;

use anyhow::{Result, bail};

pub use interrupt::Interrupt;

use interrupt::Interrupted;
use shared::notes::Part;
use shared::report::Report;
use shared::scratch::{Scratch, Unfinished};
use shared::stage::Stage;

/// A named run.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it shows, in a line.
    pub description: &'static str,
    /// What it can use instead of what it starts by itself.
    pub takes: Takes,
    play: fn(&mut Stage<'_>) -> Result<()>,
}

/// What a scenario can use instead of what it starts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The simulator of a server.
    SpectraUrl,
    /// A place in a store, where nothing is yet.
    StoreUrl,
}

impl Takes {
    /// What is said on the command line for it.
    fn flag(self) -> &'static str {
        match self {
            Takes::Nothing => "nothing",
            Takes::SpectraUrl => "--spectra-url",
            Takes::StoreUrl => "--store-url",
        }
    }
}

/// Choices of whoever runs a scenario.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Leave the scratch folder where it is, whatever comes of the run. After a failure it is kept anyway.
    pub keep: bool,
    /// Go on with the newest run that was interrupted or killed.
    pub resume: bool,
    /// How it is asked to stop, at a point from which it can be gone on with.
    pub interrupt: Interrupt,
    /// The server whose simulator is used instead of one of this process, such as `http://127.0.0.1:8086`.
    pub spectra_url: Option<String>,
    /// A place in a store, where nothing is yet, that is used instead of a server that is started.
    pub store_url: Option<String>,
}

impl Options {
    /// Refuses what a scenario has no use for.
    fn check(&self, scenario: &Scenario) -> Result<()> {
        let given = [(Takes::SpectraUrl, &self.spectra_url), (Takes::StoreUrl, &self.store_url)];
        let useless = given.into_iter().find(|(takes, url)| url.is_some() && *takes != scenario.takes);
        let Some((takes, _)) = useless else { return Ok(()) };
        let able = all().iter().filter(|other| other.takes == takes).map(|other| other.name);
        bail!("{} has no use for {}: {} have", scenario.name, takes.flag(), able.collect::<Vec<_>>().join(", "))
    }
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every check held.
    Passed,
    /// The first check that did not hold, or why the run did not come that far.
    Failed(String),
    /// Somebody asked for the end, and the run can be gone on with: how far it came.
    Interrupted(String),
}

impl Verdict {
    /// Whether every check held.
    pub fn passed(&self) -> bool {
        *self == Verdict::Passed
    }
}

static ALL: [Scenario; 17] = [
    Scenario {
        name: "traversal-normal",
        description: "lists two simulated trees that are kept on disk, the destination a part of the source",
        takes: Takes::SpectraUrl,
        play: traversal_normal::play,
    },
    Scenario {
        name: "traversal-ephemeral",
        description: "lists two large simulated trees that exist nowhere, each with nodes the other lacks",
        takes: Takes::Nothing,
        play: traversal_ephemeral::play,
    },
    Scenario {
        name: "traversal-local",
        description: "lists two folders of this machine with everything that makes real trees difficult",
        takes: Takes::Nothing,
        play: traversal_local::play,
    },
    Scenario {
        name: "traversal-resumption",
        description: "interrupts this program, and kills it, while it lists; it goes on and loses nothing",
        takes: Takes::Nothing,
        play: traversal_resumption::play,
    },
    Scenario {
        name: "traversal-retry-sweep",
        description: "lists a folder of a simulated tree again, and some that could not be listed, and no other",
        takes: Takes::Nothing,
        play: traversal_retry_sweep::play,
    },
    Scenario {
        name: "copy-normal",
        description: "brings a simulated tree that is kept on disk to another one, and reads it back",
        takes: Takes::SpectraUrl,
        play: copy_normal::play,
    },
    Scenario {
        name: "copy-local",
        description: "brings a folder of this machine with everything that makes real trees difficult to another one",
        takes: Takes::Nothing,
        play: copy_local::play,
    },
    Scenario {
        name: "copy-resumption",
        description: "interrupts this program, and kills it, while it copies; it goes on and copies nothing twice",
        takes: Takes::Nothing,
        play: copy_resumption::play,
    },
    Scenario {
        name: "copy-retry",
        description: "copies what could not be read, written or made at first, and nothing that was copied before",
        takes: Takes::Nothing,
        play: copy_retry::play,
    },
    Scenario {
        name: "exclusion-sweep",
        description: "excludes folders of a simulated tree and includes them again, and copies what is left",
        takes: Takes::Nothing,
        play: exclusion_sweep::play,
    },
    Scenario {
        name: "dual-tree",
        description: "looks at each node of two small trees at every stage, from failures until all is copied",
        takes: Takes::Nothing,
        play: dual_tree::play,
    },
    Scenario {
        name: "autoscaler-throttle",
        description: "lists a simulated tree as fast as its store lets it, before and after a limit is lifted",
        takes: Takes::Nothing,
        play: autoscaler_throttle::play,
    },
    Scenario {
        name: "slow-store",
        description: "finds out how much a store that is far away has to be asked for at a time",
        takes: Takes::Nothing,
        play: slow_store::play,
    },
    Scenario {
        name: "traversal-s3",
        description: "lists a bucket, with more keys than fit a page and some that cannot be paths",
        takes: Takes::StoreUrl,
        play: stores::traversal_s3,
    },
    Scenario {
        name: "copy-s3",
        description: "brings a folder of this machine to a bucket and back",
        takes: Takes::StoreUrl,
        play: stores::copy_s3,
    },
    Scenario {
        name: "copy-sftp",
        description: "brings a folder of this machine to an SFTP server and back",
        takes: Takes::StoreUrl,
        play: stores::copy_sftp,
    },
    Scenario {
        name: "copy-webdav",
        description: "brings a folder of this machine to a WebDAV server and back",
        takes: Takes::StoreUrl,
        play: stores::copy_webdav,
    },
];

/// All scenarios.
pub fn all() -> &'static [Scenario] {
    &ALL
}

/// The scenario of that name.
pub fn find(name: &str) -> Option<&'static Scenario> {
    all().iter().find(|scenario| scenario.name == name)
}

/// Runs a scenario, or goes on with it, and prints its phases, checks and verdict to `out`.
///
/// An error means that there is no such scenario, that there is nothing to go on with, or that `out` cannot be written;
/// whatever else goes wrong is a verdict.
pub fn run(name: &str, options: &Options, out: &mut dyn Write) -> Result<Verdict> {
    let Some(scenario) = find(name) else {
        let known: Vec<&str> = all().iter().map(|scenario| scenario.name).collect();
        bail!("no scenario is called {name:?}: choose one of {}", known.join(", "));
    };
    options.check(scenario)?;
    play_in_scratch(scenario, options, &std::env::temp_dir(), out)
}

fn play_in_scratch(scenario: &Scenario, options: &Options, scratches: &Path, out: &mut dyn Write) -> Result<Verdict> {
    let unfinished = if options.resume { Some(find_unfinished(scenario, scratches)?) } else { None };
    let mut report = Report::new(out);
    report.title(scenario.name, scenario.description)?;
    let scratch = match unfinished {
        Some(scratch) => {
            let part = scratch.notes().part.as_str();
            report.line(&format!("going on in {}, which came to the {part}", scratch.folder().display()))?;
            scratch
        }
        None => match Scratch::new_in(scratches, scenario.name) {
            Ok(scratch) => scratch,
            Err(error) => return conclude(scenario, report, Verdict::Failed(format!("{error:#}"))),
        },
    };
    let mut stage = Stage {
        scratch,
        report,
        interrupt: options.interrupt.clone(),
        spectra_url: options.spectra_url.clone(),
        store_url: options.store_url.clone(),
    };
    let played = play_on(scenario, &mut stage, options.resume);
    let Stage { scratch, mut report, .. } = stage;
    report.heed(&Interrupt::default());
    if let Some(interrupted) = played.as_ref().err().and_then(|error| error.downcast_ref::<Interrupted>()) {
        let how_far = how_far(interrupted, scratch.notes().part);
        report.line(&scratch.leave())?;
        return conclude(scenario, report, Verdict::Interrupted(how_far));
    }
    // A check that failed tells more than what could not be done after it.
    let reason = report.first_failed().map(str::to_owned).or_else(|| played.err().map(|error| format!("{error:#}")));
    report.line(&scratch.close(options.keep || reason.is_some()))?;
    conclude(scenario, report, reason.map_or(Verdict::Passed, Verdict::Failed))
}

fn find_unfinished(scenario: &Scenario, scratches: &Path) -> Result<Scratch> {
    let nothing = format!("nothing to resume: no unfinished run of {}", scenario.name);
    match Scratch::find_unfinished(scratches, scenario.name)? {
        Unfinished::Found(scratch) => Ok(scratch),
        Unfinished::InUse(folder) => bail!("{nothing}, but one that is still running in {}", folder.display()),
        Unfinished::No => bail!(nothing),
    }
}

fn play_on(scenario: &Scenario, stage: &mut Stage<'_>, resume: bool) -> Result<()> {
    stage.report.heed(&stage.interrupt);
    stage.report.phase(Part::SetUp.as_str())?;
    // There may be half of a set-up.
    if resume && stage.scratch.notes().part == Part::SetUp {
        stage.scratch.start_over()?;
    }
    (scenario.play)(stage)
}

fn how_far(interrupted: &Interrupted, part: Part) -> String {
    let part = part.as_str();
    match &interrupted.so_far {
        Some(so_far) => format!("in the {part}, {so_far}"),
        None => format!("in the {part}"),
    }
}

fn conclude(scenario: &Scenario, mut report: Report<'_>, verdict: Verdict) -> Result<Verdict> {
    let text = match &verdict {
        Verdict::Passed => "SCENARIO PASSED".to_owned(),
        Verdict::Failed(reason) => format!("SCENARIO FAILED: {reason}"),
        Verdict::Interrupted(how_far) => {
            format!("SCENARIO INTERRUPTED {how_far}; go on with: longhaul --scenario {} --resume", scenario.name)
        }
    };
    report.verdict(&text)?;
    Ok(verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario_that(play: fn(&mut Stage<'_>) -> Result<()>) -> Scenario {
        Scenario { name: "test", description: "a test", takes: Takes::Nothing, play }
    }

    fn play(scenario: &Scenario, keep: bool) -> (Verdict, String) {
        let mut out = Vec::new();
        let options = Options { keep, ..Options::default() };
        let verdict = play_in_scratch(scenario, &options, &std::env::temp_dir(), &mut out).unwrap();
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
    #[test]
    fn an_interrupted_run_is_gone_on_with_once_and_its_set_up_is_not_repeated() {
        let scenario = scenario_that(|stage| {
            let set_up = stage.is_set_up::<String>()?;
            stage.report.check_text(
                "set-up",
                "none or complete",
                match set_up.as_deref() {
                    None | Some("found") => "none or complete",
                    Some(other) => other,
                },
            )?;
            stage.begin_run(&"found")?;
            if set_up.is_none() {
                stage.interrupt.ask();
            }
            stage.begin_verification()
        });
        let scratches = tempfile::tempdir().unwrap();
        let play = |resume| {
            let mut out = Vec::new();
            let options = Options { resume, ..Options::default() };
            let verdict = play_in_scratch(&scenario, &options, scratches.path(), &mut out);
            (verdict.map_err(|error| error.to_string()), String::from_utf8(out).unwrap())
        };
        let nothing = Err("nothing to resume: no unfinished run of test".to_owned());
        assert_eq!(play(true), (nothing.clone(), String::new()));
        let (verdict, out) = play(false);
        assert_eq!(verdict, Ok(Verdict::Interrupted("in the verification".to_owned())));
        let last = "SCENARIO INTERRUPTED in the verification; go on with: longhaul --scenario test --resume\n";
        assert!(out.ends_with(last), "{out}");
        let (verdict, out) = play(true);
        assert_eq!(verdict, Ok(Verdict::Passed), "{out}");
        assert_eq!(play(true), (nothing, String::new()));
        assert_eq!(std::fs::read_dir(scratches.path()).unwrap().count(), 0);
    }
}
