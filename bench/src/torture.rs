//! `longhaul-bench torture`: kills the program at random moments, goes on, and compares what comes out with what comes
//! out of an undisturbed run. What is killed is a discovery, a whole migration, or the commands that edit a ledger.
//!
//! Trees and kills follow from the seed and the number of the case, so that a case can be played again. At what point
//! of its work the program is hit is then the same only roughly: that depends on the machine.

// The trees of a case, and what has to come out.
mod local;
mod planted;
mod random;
mod trees;
mod walk;

// Playing a case: of a run, or of commands that edit a ledger.
mod case;
mod commands;
mod editing;
mod kill;
mod ledger;
mod program;

// The results.
mod outcome;
mod report;

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::interrupt::{Interrupt, Interrupted};
use crate::longhaul::Longhaul;
use crate::scratch;
use outcome::CaseOutcome;
use program::Program;
use random::Random;
use report::Report;
use trees::Trees;

/// Cases with the same trees, because making those and listing them undisturbed takes time as well.
const CASES_PER_TREES: u64 = 4;

/// The purpose of the random numbers that commands which edit a ledger are drawn with.
const COMMANDS: u64 = 5;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// What is killed
    #[arg(long, value_enum, default_value_t = Wanted::Both)]
    what: Wanted,
    /// Kills that have to hit the program
    #[arg(long, value_name = "N", default_value_t = 200)]
    kills: u64,
    /// Another number gives other trees and other kills
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Play this case alone; of discovery, unless --what says otherwise
    #[arg(long, value_name = "N", conflicts_with = "kills")]
    case: Option<u64>,
    /// Small trees only
    #[arg(long)]
    small: bool,
    /// Begin no case after this time, except for the first one
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Cases at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Where trees and ledgers are made [default: /dev/shm, else the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
    /// Print JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// The binary to kill [default: built now from this workspace]
    #[arg(long, value_name = "PATH")]
    longhaul: Option<PathBuf>,
    /// Leave the folders of failed cases, and their trees, where they are
    #[arg(long)]
    keep: bool,
}

/// What is killed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Wanted {
    /// `discover`
    Discover,
    /// `migrate`
    Migrate,
    /// `discover` and `migrate` in turn
    #[default]
    Both,
    /// The commands that edit a ledger between discovery and copy
    Edit,
}

/// What a case is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Discover,
    Migrate,
    Edit,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Discover => "discover",
            Self::Migrate => "migrate",
            Self::Edit => "edit",
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The program.
    pub longhaul: PathBuf,
    /// What is killed.
    pub what: Wanted,
    /// Kills that have to hit it.
    pub kills: u64,
    /// Another number gives other trees and other kills.
    pub seed: u64,
    /// Only this case, whatever number of kills that comes to.
    pub case: Option<u64>,
    /// Trees that are listed quickly.
    pub is_small: bool,
    /// No case is begun after this time, except for the first one.
    pub time: Option<Duration>,
    /// Cases at a time.
    pub jobs: u32,
    /// An existing folder for trees and ledgers.
    pub scratch: PathBuf,
    /// Whether what a failed case leaves stays there.
    pub keep: bool,
}

/// Does what was typed.
pub(crate) fn run_options(options: &Options, interrupt: &Interrupt) -> Result<Report> {
    let longhaul = Longhaul::find(options.longhaul.as_deref())?;
    let mut folder = scratch::folder(options.scratch.as_deref())?;
    folder.disable_cleanup(options.keep);
    let plan = Plan {
        longhaul: longhaul.program().to_path_buf(),
        what: options.what,
        kills: options.kills,
        seed: options.seed,
        case: options.case,
        is_small: options.small,
        time: options.seconds.map(Duration::from_secs),
        jobs: options.jobs,
        scratch: folder.path().to_path_buf(),
        keep: options.keep,
    };
    run(&plan, interrupt)
}

/// Kills the program until it was hit often enough. Failed cases are in the report; an error means that cases could
/// not be played.
pub fn run(plan: &Plan, interrupt: &Interrupt) -> Result<Report> {
    let report = Report::new(&plan.longhaul, plan.seed);
    let session = Session {
        plan,
        interrupt,
        started: Instant::now(),
        next_trees: AtomicU64::new(plan.case.map_or(0, |case| case / CASES_PER_TREES)),
        is_broken: AtomicBool::new(false),
        report: Mutex::new(report),
    };
    let jobs = if plan.case.is_some() { 1 } else { plan.jobs };
    let errors: Vec<anyhow::Error> = thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(|| session.work())).collect();
        threads.into_iter().filter_map(|thread| thread.join().expect("a job does not panic").err()).collect()
    });
    if let Some(error) = errors.into_iter().next() {
        return Err(error);
    }
    let mut report = session.report.into_inner().expect("no job has panicked");
    report.seconds = session.started.elapsed().as_secs_f64();
    Ok(report)
}

/// What happens without kills, which cases are compared with.
enum Reference<'a> {
    Run(case::Reference<'a>),
    Edits(editing::Reference<'a>),
}

impl<'a> Reference<'a> {
    fn make(what: What, program: Program<'a>, trees: &'a Trees, folder: PathBuf, random: Random) -> Result<Self> {
        Ok(match what {
            What::Discover | What::Migrate => Self::Run(case::Reference::make(program, trees, folder)?),
            What::Edit => Self::Edits(editing::Reference::make(program, trees, &folder, random)?),
        })
    }

    fn wrong(&self) -> &[String] {
        match self {
            Self::Run(run) => &run.wrong,
            Self::Edits(edits) => &edits.wrong,
        }
    }

    fn play(&self, folder: &Path, seed: u64, case: u64) -> Result<CaseOutcome> {
        match self {
            Self::Run(run) => run.play(folder, seed, case),
            Self::Edits(edits) => edits.play(folder, seed, case),
        }
    }
}

/// What all jobs share.
struct Session<'a> {
    plan: &'a Plan,
    interrupt: &'a Interrupt,
    started: Instant,
    next_trees: AtomicU64,
    /// Set when a job has come to an error, so that the others end too.
    is_broken: AtomicBool,
    report: Mutex<Report>,
}

impl Session<'_> {
    fn work(&self) -> Result<()> {
        while !self.is_enough() {
            let turn = self.next_trees.fetch_add(1, Ordering::Relaxed);
            let (what, number) = match self.plan.what {
                Wanted::Migrate => (What::Migrate, turn),
                Wanted::Edit => (What::Edit, turn),
                Wanted::Both if self.plan.case.is_none() && turn % 2 == 1 => (What::Migrate, turn / 2),
                Wanted::Both if self.plan.case.is_none() => (What::Discover, turn / 2),
                Wanted::Both | Wanted::Discover => (What::Discover, turn),
            };
            if let Err(error) = self.play_all_of(what, number) {
                self.is_broken.store(true, Ordering::Relaxed);
                return Err(error);
            }
            if self.plan.case.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn is_enough(&self) -> bool {
        self.is_broken.load(Ordering::Relaxed)
            || self.plan.time.is_some_and(|time| self.started.elapsed() >= time && !self.lock().is_empty())
            || (self.plan.case.is_none() && self.lock().kills() >= self.plan.kills)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Report> {
        self.report.lock().expect("no job has panicked")
    }

    /// All cases with these trees.
    fn play_all_of(&self, what: What, number: u64) -> Result<()> {
        let Plan { longhaul, seed, is_small, scratch, keep, .. } = self.plan;
        let folder = scratch.join(format!("{}-{number}", what.name()));
        fs::create_dir(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let trees = Trees::make(&folder, what, *seed, number, *is_small)?;
        let program = Program { longhaul, interrupt: self.interrupt };
        let commands = Random::new(*seed, COMMANDS, number);
        let reference = match Reference::make(what, program, &trees, folder.join("reference"), commands) {
            Ok(reference) => reference,
            // What never works is not tried for ever.
            Err(error) if error.is::<Interrupted>() || self.lock().is_empty() => {
                return Err(error.context(format!("trees {number} of {}, {}", what.name(), trees.describe())));
            }
            Err(error) => {
                let (case, replay) = (self.cases_of(number).start, self.replay(what, self.cases_of(number).start));
                self.lock().add_undisturbed(case, trees.describe(), replay, vec![format!("{error:#}")]);
                return fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()));
            }
        };
        self.lock().trees += 1;
        let mut any_failed = !reference.wrong().is_empty();
        if any_failed {
            let (case, wrong) = (self.cases_of(number).start, reference.wrong().to_vec());
            self.lock().add_undisturbed(case, trees.describe(), self.replay(what, case), wrong);
        }
        for case in self.cases_of(number) {
            if self.is_enough() {
                break;
            }
            let replay = self.replay(what, case);
            any_failed |= self.play(case, replay, &reference, &trees, &folder.join(format!("case-{case}")))?;
        }
        if any_failed && *keep {
            eprintln!("kept {}", folder.display());
            return Ok(());
        }
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))
    }

    fn cases_of(&self, trees: u64) -> Range<u64> {
        match self.plan.case {
            Some(case) => case..case + 1,
            None => trees * CASES_PER_TREES..(trees + 1) * CASES_PER_TREES,
        }
    }

    /// Plays a case. Says whether it failed.
    fn play(&self, case: u64, replay: String, reference: &Reference<'_>, trees: &Trees, folder: &Path) -> Result<bool> {
        let outcome = reference.play(folder, self.plan.seed, case)?;
        let has_failed = !outcome.failures.is_empty();
        if !has_failed {
            fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        self.lock().add(case, trees.describe(), replay, outcome);
        Ok(has_failed)
    }

    fn replay(&self, what: What, case: u64) -> String {
        let (what, seed) = (what.name(), self.plan.seed);
        let small = if self.plan.is_small { " --small" } else { "" };
        format!("cargo run --release -p longhaul-bench -- torture --what {what} --seed {seed} --case {case}{small}")
    }
}
