//! `longhaul-bench stores`: listing and copying to and from other people's servers on this machine, beside rclone. The
//! servers take their share of the cores, the same for everybody.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::{Args, ValueEnum};
use longhaul_servers::{Kind, Server};

use crate::amount::Amount;
use crate::interrupt::Interrupt;
use crate::longhaul::Longhaul;
use crate::measure::{Contender, Runner, Step, Tool};
use crate::report::{Bound, CaseReport, Report, Target};
use crate::scratch;
use crate::setting::Setting;
use crate::trees::{Shape, Tree};

/// What is listed, and what is copied.
const LISTED: (u64, u64) = (100_000, 1_000);
const COPIED: (u64, u64) = (10_000, 100);
const FILE_BYTES: u64 = 1 << 10;

/// In the folder of a run, which is new each time.
const DESTINATION: &str = "destination";

/// How many times faster than rclone it has to be, and should be.
const TIMES_LEAST: f64 = 1.0;
const TIMES_AIM: f64 = 2.0;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// These servers only [default: all]
    #[arg(long = "server", value_name = "SERVER", num_args = 1.., value_enum)]
    servers: Vec<Which>,
    /// These cases only [default: all]
    #[arg(long = "case", value_name = "CASE", num_args = 1.., value_enum)]
    cases: Vec<Case>,
    /// Times as many files
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// Timed runs of each command, after one to warm up
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    #[command(flatten)]
    pub(crate) setting: Setting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// S3, by rclone
    S3Rclone,
    /// S3, by moto
    S3Moto,
    /// `WebDAV`, by wsgidav
    WebdavWsgidav,
    /// `WebDAV`, by Apache
    WebdavApache,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// 100 000 objects of 1 KiB in 1 000 folders
    List,
    /// 10 000 files of 1 KiB in 100 folders, from this machine
    To,
    /// The same, to this machine
    From,
}

impl Which {
    fn name(self) -> &'static str {
        match self {
            Self::S3Rclone => "s3 (rclone)",
            Self::S3Moto => "s3 (moto)",
            Self::WebdavWsgidav => "webdav (wsgidav)",
            Self::WebdavApache => "webdav (apache)",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::S3Rclone => Kind::Rclone,
            Self::S3Moto => Kind::Moto,
            Self::WebdavWsgidav => Kind::Wsgidav,
            Self::WebdavApache => Kind::Apache,
        }
    }
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::To => "copy to",
            Self::From => "copy from",
        }
    }

    fn shape(self, scale: f64) -> Shape {
        let (files, folders) = if self == Self::List { LISTED } else { COPIED };
        Shape::Filled { files: scaled(files, scale), folders: scaled(folders, scale), bytes: FILE_BYTES }
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "some 100 000"
)]
fn scaled(number: u64, scale: f64) -> u64 {
    (number as f64 * scale).round().max(1.0) as u64
}

/// Starts each server in turn, runs all that was asked for, and stops it.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<Report> {
    ensure!(options.scale > 0.0 && options.scale <= 100.0, "--scale is a factor from 0 to 100");
    let longhaul = Longhaul::find(options.setting.longhaul.as_deref())?;
    let scratch = scratch::folder(options.setting.scratch.as_deref())?;
    let runner = Runner {
        scratch: scratch.path().to_path_buf(),
        rounds: options.rounds as usize,
        run_limit: options.setting.run_limit(),
        settles: false,
        interrupt,
    };
    let is_asked = |which: &&Which| options.servers.is_empty() || options.servers.contains(which);
    let mut cases = Vec::new();
    for which in Which::value_variants().iter().filter(is_asked) {
        let server = which.kind().start().map_err(|why| anyhow!("{} cannot be started: {why}", which.name()))?;
        let bench = Bench { runner: &runner, longhaul: &longhaul, which: *which, server: &server };
        for case in Case::value_variants() {
            if options.cases.is_empty() || options.cases.contains(case) {
                cases.push(bench.run_case(*case, options.scale)?);
            }
        }
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

/// One server.
struct Bench<'a> {
    runner: &'a Runner<'a>,
    longhaul: &'a Longhaul,
    which: Which,
    server: &'a Server,
}

impl Bench<'_> {
    fn run_case(&self, case: Case, scale: f64) -> Result<CaseReport> {
        let name = format!("{}: {}", self.which.name(), case.name());
        eprintln!("{name}");
        let tree = Tree::make(self.runner.scratch.join("tree"), case.shape(scale), false, self.runner.interrupt)?;
        let amount = Amount::of(tree.root()).context("cannot look at the tree")?;
        let place = case.name().replace(' ', "-");
        if case != Case::To {
            self.put(tree.root(), &place)?;
        }
        let contenders = match case {
            Case::List => self.listings(&place),
            Case::To => self.copies(&Place::local(tree.root()), &self.new_place()),
            Case::From => self.copies(&self.place(&place), &Place::local(Path::new(DESTINATION))),
        };
        let measured = self.runner.compare(&contenders, |_, _, folder| match case {
            Case::From => amount.check(&folder.join(DESTINATION)),
            // What is in a listing, and what a server has, is looked at by the tests.
            Case::List | Case::To => Ok(()),
        })?;
        let mut report = CaseReport::new(&name, None, measured);
        report.targets = targets(&report);
        Ok(report)
    }

    /// Brings a tree to the server: past it onto its disk, where it has one.
    fn put(&self, tree: &Path, place: &str) -> Result<()> {
        if let Some(files) = self.server.files() {
            let copied = Command::new("cp").arg("-r").arg(tree).arg(files.join(place)).status();
            ensure!(copied.context("cannot run cp")?.success(), "cp has failed");
            // Everybody may read it: Apache is somebody else.
            let opened = Command::new("chmod").args(["-R", "a+rX"]).arg(files).status();
            ensure!(opened.context("cannot run chmod")?.success(), "chmod has failed");
            return Ok(());
        }
        let script = self.longhaul_copy(&Place::local(tree), &self.place(place));
        let mut command = Command::new("sh");
        command.args(["-c", &script]).current_dir(&self.runner.scratch);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if !command.status().context("cannot run sh")?.success() {
            bail!("the tree cannot be brought to {}", self.which.name());
        }
        fs::remove_file(self.runner.scratch.join("ledger.duckdb"))?;
        Ok(())
    }

    fn listings(&self, place: &str) -> Vec<Contender> {
        let Place { longhaul: url, rclone: remote } = self.place(place);
        let longhaul =
            format!("mkdir empty && {} discover {url} empty --ledger ledger.duckdb", self.longhaul_program());
        let mut contenders =
            vec![shell(Tool::Longhaul, &longhaul), shell(Tool::Rclone, &format!("{} size {remote}", rclone()))];
        if self.is_s3() {
            contenders.push(shell(Tool::RcloneFastList, &format!("{} size --fast-list {remote}", rclone())));
        }
        contenders
    }

    fn copies(&self, from: &Place, to: &Place) -> Vec<Contender> {
        let rclone = |transfers| format!("{} copy --transfers {transfers} {} {}", rclone(), from.rclone, to.rclone);
        vec![
            shell(Tool::Longhaul, &self.longhaul_copy(from, to)),
            shell(Tool::Rclone4, &rclone(4)),
            shell(Tool::Rclone16, &rclone(16)),
        ]
    }

    fn longhaul_copy(&self, from: &Place, to: &Place) -> String {
        let (program, from, to) = (self.longhaul_program(), &from.longhaul, &to.longhaul);
        format!(
            "{program} discover {from} {to} --create-destination --ledger ledger.duckdb && \
             {program} copy --approve --ledger ledger.duckdb"
        )
    }

    /// With what it needs to know in its environment.
    fn longhaul_program(&self) -> String {
        let program = format!("'{}'", self.longhaul.program().display());
        let environment = self.server.environment.iter().map(|(name, value)| format!("{name}='{value}'"));
        environment.chain([program]).collect::<Vec<_>>().join(" ")
    }

    fn is_s3(&self) -> bool {
        matches!(self.which, Which::S3Rclone | Which::S3Moto)
    }

    /// Another one in each run: nothing is there yet.
    fn new_place(&self) -> Place {
        let Place { longhaul, rclone } = self.place("new-");
        Place { longhaul: format!("{longhaul}$$"), rclone: format!("{rclone}$$") }
    }

    fn place(&self, name: &str) -> Place {
        let longhaul = format!("'{}/{name}'", self.server.root);
        Place { longhaul, rclone: format!("'{}'", self.server.rclone_place(name)) }
    }
}

/// A place as each of the two writes it, quoted for a shell.
struct Place {
    longhaul: String,
    rclone: String,
}

impl Place {
    fn local(path: &Path) -> Place {
        let quoted = format!("'{}'", path.display());
        Place { longhaul: quoted.clone(), rclone: quoted }
    }
}

/// The newest rclone there is, without a configuration.
fn rclone() -> String {
    let program = longhaul_servers::program("rclone").unwrap_or_else(|_| "rclone".into());
    format!("'{}' --config ''", program.display())
}

fn shell(tool: Tool, script: &str) -> Contender {
    Contender::single(tool, Step::new("sh", ["-c".as_ref(), script.as_ref()]))
}

fn targets(report: &CaseReport) -> Vec<Target> {
    let times = |tool: Tool| report.longhaul_over(tool).map(f64::recip);
    let beside = |tool: Tool, figure| {
        Target::new(figure, "×", times(tool), Bound::AtLeast(TIMES_LEAST)).with_aim(Bound::AtLeast(TIMES_AIM))
    };
    let peers = [
        (Tool::Rclone, "rclone / longhaul"),
        (Tool::RcloneFastList, "rclone, fast list / longhaul"),
        (Tool::Rclone4, "rclone, 4 transfers / longhaul"),
        (Tool::Rclone16, "rclone, 16 transfers / longhaul"),
    ];
    let there = peers.into_iter().filter(|(tool, _)| report.summary(*tool).is_some());
    let mut targets: Vec<Target> = there.map(|(tool, figure)| beside(tool, figure)).collect();
    targets.push(report.memory_target());
    targets
}
