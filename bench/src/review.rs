//! `longhaul-bench review`: pages and exclusions in a ledger of two million nodes, of which the simulated destination has
//! few, or many.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::interrupt::Interrupt;
use crate::longhaul::Longhaul;
use crate::measure::{Contender, Runner, Step, Tool};
use crate::report::{Bound, CaseReport, Report, Target};
use crate::scratch;
use crate::setting::Setting;

/// How likely the destination is to have what the source has, where it has the folder.
const SHAPES: [(&str, f64); 2] = [("few", 0.4), ("many", 0.88)];

/// A page has to be there so long after a ledger has been opened.
const PAGE_LIMIT_S: f64 = 0.2;
/// Half of all nodes have to be excluded in this time, with opening.
const EXCLUSION_LIMIT_S: f64 = 3.0;

/// What is asked of `longhaul find`.
const CONDITIONS: [&[&str]; 11] = [
    &[],
    &["copy = pending"],
    &["copy = already_existed"],
    &["copy = failed"],
    &["action = copy"],
    &["side = dst and traversal = not_on_src"],
    &["under /folder_2"],
    &["name ~ \"*1*2*\""],
    &["path ~ \"*9*\""],
    &["path ~ \"*/f*1*/*2*\""],
    &["has problem"],
];
const SORTS: [&str; 7] = ["path", "name", "size", "modified", "depth", "id", "status"];

/// What is asked of `longhaul tree`.
const TREES: [&[&str]; 4] =
    [&["/"], &["/folder_2"], &["/", "--depth", "3"], &["/", "--depth", "9", "--offset", "50000"]];

/// What is excluded.
const EXCLUSIONS: [&[&str]; 3] = [
    &["/folder_2", "/folder_3", "/folder_4"],
    &["--where", "depth > 5 and name ~ \"*[1357]?.*\""],
    &["--where", "name ~ \"*1*\""],
];

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Timed runs of each command, after one to warm up
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(flatten)]
    pub(crate) setting: Setting,
}

/// Makes the ledgers, asks all there is to ask, removes them.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<Report> {
    let longhaul = Longhaul::find(options.setting.longhaul.as_deref())?;
    let scratch = scratch::folder(options.setting.scratch.as_deref())?;
    let runner = Runner {
        scratch: scratch.path().to_path_buf(),
        rounds: options.rounds as usize,
        run_limit: options.setting.run_limit(),
        settles: false,
        interrupt,
    };
    let mut cases = Vec::new();
    for (shape, probability) in SHAPES {
        eprintln!("making a ledger: {shape} of the nodes on both sides");
        let ledger = make_ledger(&longhaul, scratch.path(), shape, probability)?;
        Reviewing { runner: &runner, longhaul: &longhaul, shape, ledger: &ledger }.run_cases(&mut cases)?;
        fs::remove_file(&ledger)?;
    }
    Ok(Report {
        longhaul: longhaul.program().display().to_string(),
        scratch: scratch.path().display().to_string(),
        on_disk: scratch::is_on_disk(scratch.path())?,
        cores: thread::available_parallelism().map_or(1, usize::from),
        rounds: options.rounds as usize,
        targets_across_cases: Vec::new(),
        cases,
    })
}

/// Two million nodes in 55 thousand folders, seven levels deep.
fn make_ledger(longhaul: &Longhaul, scratch: &Path, shape: &str, probability: f64) -> Result<PathBuf> {
    let config = scratch.join(format!("{shape}.json"));
    let settings = serde_json::json!({
        "mode": "ephemeral",
        "seed": {
            "max_depth": 6, "min_folders": 5, "max_folders": 7, "min_files": 200, "max_files": 222, "seed": 7,
            "file_binary_seed": 0, "diverging_tree_mode": true,
        },
        "api": { "host": "127.0.0.1", "port": 8086 },
        "secondary_tables": { "s1": probability },
    });
    fs::write(&config, settings.to_string())?;
    let ledger = scratch.join(format!("{shape}.duckdb"));
    let world = |world: &str| format!("spectra:{world}?config={}", config.display());
    let status = Command::new(longhaul.program())
        .args(["discover", &world("primary"), &world("s1"), "--ledger"])
        .arg(&ledger)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run longhaul discover")?;
    if !status.success() {
        bail!("longhaul discover: {status}");
    }
    Ok(ledger)
}

/// One ledger, of which things are asked.
struct Reviewing<'a> {
    runner: &'a Runner<'a>,
    longhaul: &'a Longhaul,
    shape: &'a str,
    ledger: &'a Path,
}

impl Reviewing<'_> {
    fn run_cases(&self, cases: &mut Vec<CaseReport>) -> Result<()> {
        let opening = self.measure("opening", vec![self.asking("query", &["SELECT 1"])])?;
        let opening_s = wall_s(&opening).unwrap_or(0.0);
        cases.push(opening);
        let mut page = |name: &str, step: Step| -> Result<()> {
            let mut case = self.measure(name, vec![step])?;
            let page_s = wall_s(&case).map(|wall_s| wall_s - opening_s);
            case.targets = vec![Target::new("page, after opening", "s", page_s, Bound::AtMost(PAGE_LIMIT_S))];
            cases.push(case);
            Ok(())
        };
        for condition in CONDITIONS {
            for sort in SORTS {
                let arguments = [condition, &["--sort", sort]].concat();
                page(&format!("find {}", arguments.join(" ")), self.asking("find", &arguments))?;
            }
        }
        for arguments in TREES {
            page(&format!("tree {}", arguments.join(" ")), self.asking("tree", arguments))?;
        }
        for arguments in EXCLUSIONS {
            // Of a copy, because it changes the ledger. To copy it takes a hundredth of the time.
            let copy = Step::new("cp", [self.ledger.as_os_str(), OsStr::new("copy.duckdb")]);
            let mut exclude = Step::new(self.longhaul.program(), [OsStr::new("exclude")]);
            exclude.arguments.extend(arguments.iter().map(Into::into));
            exclude.arguments.extend(["--reason", "measured", "--ledger", "copy.duckdb"].map(Into::into));
            let mut case = self.measure(&format!("exclude {}", arguments.join(" ")), vec![copy, exclude])?;
            let limit = Bound::AtMost(EXCLUSION_LIMIT_S);
            case.targets = vec![Target::new("wall", "s", wall_s(&case), limit)];
            cases.push(case);
        }
        Ok(())
    }

    fn asking(&self, command: &str, arguments: &[&str]) -> Step {
        let mut step = Step::new(self.longhaul.program(), [OsStr::new(command)]);
        step.arguments.extend(arguments.iter().map(Into::into));
        step.arguments.extend([OsStr::new("--ledger"), self.ledger.as_os_str()].map(Into::into));
        step
    }

    fn measure(&self, name: &str, steps: Vec<Step>) -> Result<CaseReport> {
        let contender = Contender { tool: Tool::Longhaul, steps, capture_stdout: false };
        let measured = self.runner.compare(&[contender], |_, _, _| Ok(()))?;
        Ok(CaseReport::new(&format!("{}: {name}", self.shape), None, measured))
    }
}

fn wall_s(case: &CaseReport) -> Option<f64> {
    case.summary(Tool::Longhaul).map(|longhaul| longhaul.wall_median_s)
}
