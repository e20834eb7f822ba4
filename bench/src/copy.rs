//! `longhaul-bench copy`: the cases of copying, and what each figure must be.

use std::path::Path;
use std::thread;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::amount::Amount;
use crate::interrupt::Interrupt;
use crate::longhaul::{Longhaul, Nodes, ledger_bytes};
use crate::measure::{Contender, Runner, Tool, median};
use crate::peers::{cp, flushed, rclone_copy, rsync_copy};
use crate::report::{Bound, CaseReport, Report, Target};
use crate::scratch;
use crate::setting::Setting;
use crate::trees::{Shape, Tree};

/// In the folder of a run, which is new each time.
const DESTINATION: &str = "destination";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// These cases only [default: all]
    #[arg(long = "case", value_name = "CASE", num_args = 1.., value_enum)]
    cases: Vec<Case>,
    /// Times as much in each tree
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0)]
    scale: f64,
    /// Timed runs of each command, after one to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Leave the trees where they are
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    pub(crate) setting: Setting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// 100 000 files of 1 KiB in 1 000 folders
    Small,
    /// 20 000 files of 64 KiB
    Medium,
    /// 4 files of 1 GiB, with and without checksums
    Large,
    /// Odd names, links, empty and tiny folders, a deep chain
    Nasty,
    /// A destination that has everything already
    Nothing,
}

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Medium => "medium",
            Self::Large => "large",
            Self::Nasty => "nasty",
            Self::Nothing => "nothing",
        }
    }

    fn shape(self, scale: f64) -> Shape {
        match self {
            Self::Small | Self::Nothing => {
                Shape::Filled { files: scaled(100_000, scale), folders: scaled(1_000, scale), bytes: 1 << 10 }
            }
            Self::Medium => Shape::Filled { files: scaled(20_000, scale), folders: scaled(200, scale), bytes: 1 << 16 },
            Self::Large => Shape::Filled { files: 4, folders: 1, bytes: scaled(1 << 30, scale) },
            Self::Nasty => Shape::Nasty { folders: scaled(15_000, scale) },
        }
    }
}

fn scaled(number: u64, scale: f64) -> u64 {
    #[expect(clippy::cast_precision_loss, reason = "2^30 at most")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and far from 2^64")]
    let scaled = (number as f64 * scale).round() as u64;
    scaled.max(1)
}

/// Makes the trees, runs all that was asked for, removes the trees.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<Report> {
    ensure!(options.scale > 0.0 && options.scale <= 1_000.0, "--scale is a factor from 0 to 1000");
    let longhaul = Longhaul::find(options.setting.longhaul.as_deref())?;
    let mut scratch = scratch::folder(options.setting.scratch.as_deref())?;
    scratch.disable_cleanup(options.keep);
    let on_disk = scratch::is_on_disk(scratch.path())?;
    let place = if on_disk { "on disk" } else { "in memory" };
    eprintln!("trees and ledgers {place} in {}", scratch.path().display());
    let session = Session {
        runner: Runner {
            scratch: scratch.path().to_path_buf(),
            rounds: options.rounds as usize,
            run_limit: options.setting.run_limit(),
            settles: on_disk,
            interrupt,
        },
        longhaul,
        on_disk,
        keep: options.keep,
    };
    let asked = |case: &&Case| options.cases.is_empty() || options.cases.contains(case);
    let cases = Case::value_variants().iter().filter(asked);
    let cases = cases.map(|case| session.run_case(*case, options.scale)).collect::<Result<_>>()?;
    Ok(Report {
        longhaul: session.longhaul.program().display().to_string(),
        scratch: scratch.path().display().to_string(),
        on_disk,
        cores: thread::available_parallelism().map_or(1, usize::from),
        rounds: options.rounds as usize,
        cases,
        targets_across_cases: Vec::new(),
    })
}

/// What all cases share.
#[derive(Debug)]
struct Session<'a> {
    runner: Runner<'a>,
    longhaul: Longhaul,
    on_disk: bool,
    keep: bool,
}

impl Session<'_> {
    /// Its tree is gone before the next one's is made: all of them together are more than memory may hold.
    fn run_case(&self, case: Case, scale: f64) -> Result<CaseReport> {
        let shape = case.shape(scale);
        let source = self.make_tree(case.name(), shape)?;
        let (there, contenders, destination_nodes) = if case == Case::Nothing {
            let there = self.make_tree("nothing-destination", shape)?;
            let contenders = self.with_nothing_to_do(source.root(), there.root());
            let nodes = there.nodes();
            (Some(there), contenders, nodes)
        } else {
            (None, self.with_all_to_do(case, source.root()), 1)
        };
        let amount = Amount::of(source.root()).context("cannot look at the source")?;
        let mut bytes_per_node = Vec::new();
        let nodes = Nodes { source: source.nodes(), destination: destination_nodes };
        eprintln!("{}: {} files, {} bytes", case.name(), amount.files, amount.bytes);
        let measured = self.runner.compare(&contenders, |tool, _, folder| {
            if tool == Tool::Longhaul {
                let bytes = ledger_bytes(folder).map_err(|error| format!("longhaul left no ledger: {error}"))?;
                #[expect(clippy::cast_precision_loss, reason = "no ledger has 2^52 bytes")]
                bytes_per_node.push(bytes as f64 / nodes.both() as f64);
            }
            match &there {
                Some(there) => amount.check(there.root()),
                None => amount.check(&folder.join(DESTINATION)),
            }
        })?;
        let mut report = CaseReport::new(case.name(), Some(nodes), measured);
        report.ledger_bytes_per_node = median(bytes_per_node);
        report.targets = self.targets(case, &report);
        Ok(report)
    }

    /// Copies of everything, each to where nothing is yet.
    fn with_all_to_do(&self, case: Case, source: &Path) -> Vec<Contender> {
        let destination = Path::new(DESTINATION);
        let mut contenders = vec![self.longhaul.discover_and_copy(Tool::Longhaul, source, destination)];
        if case == Case::Large {
            let tool = Tool::LonghaulWithoutChecksum;
            contenders.push(self.longhaul.discover_and_copy(tool, source, destination));
        }
        contenders.push(self.longhaul.migrate(source, destination));
        for peer in [
            cp(source, destination),
            rsync_copy(source, destination),
            rclone_copy(Tool::Rclone4, source, destination),
            rclone_copy(Tool::Rclone16, source, destination),
        ] {
            // Longhaul has flushed what it says that it copied; the others leave that to whoever calls them.
            contenders.push(if self.on_disk { flushed(peer, destination) } else { peer });
        }
        contenders
    }

    fn with_nothing_to_do(&self, source: &Path, destination: &Path) -> Vec<Contender> {
        vec![
            self.longhaul.discover_and_copy(Tool::Longhaul, source, destination),
            self.longhaul.discover(Tool::LonghaulDiscover, source, destination),
            self.longhaul.migrate(source, destination),
            rsync_copy(source, destination),
            rclone_copy(Tool::Rclone4, source, destination),
            rclone_copy(Tool::Rclone16, source, destination),
        ]
    }

    fn targets(&self, case: Case, report: &CaseReport) -> Vec<Target> {
        let over = |tool: Tool| report.longhaul_over(tool);
        let rate = |tool: Tool| Some(report.summary(Tool::Cp)?.wall_median_s / report.summary(tool)?.wall_median_s);
        let mut targets = match case {
            Case::Small => {
                let of_cp = over(Tool::Cp);
                let beside_cp = if self.on_disk {
                    Target::new("longhaul / cp -a and sync", "×", of_cp, Bound::AtMost(1.0))
                } else {
                    let target = Target::new("longhaul / cp -a", "×", of_cp, Bound::AtMost(0.85));
                    target.with_aim(Bound::AtMost(0.65))
                };
                let times = |tool| over(tool).map(f64::recip);
                vec![
                    beside_cp,
                    Target::new("rclone, 4 transfers / longhaul", "×", times(Tool::Rclone4), Bound::AtLeast(5.0)),
                    Target::new("rclone, 16 transfers / longhaul", "×", times(Tool::Rclone16), Bound::AtLeast(5.0)),
                ]
            }
            Case::Large => vec![
                Target::new("rate / cp -a's", "×", rate(Tool::Longhaul), Bound::AtLeast(0.9)),
                Target::new(
                    "rate without checksum / cp -a's",
                    "×",
                    rate(Tool::LonghaulWithoutChecksum),
                    Bound::AtLeast(0.98),
                ),
            ],
            Case::Nothing => {
                vec![Target::new("longhaul / discovery", "×", over(Tool::LonghaulDiscover), Bound::AtMost(1.1))]
            }
            Case::Medium | Case::Nasty => Vec::new(),
        };
        targets.push(report.memory_target());
        targets
    }

    fn make_tree(&self, name: &str, shape: Shape) -> Result<Tree> {
        eprintln!("making {name}: {} nodes", shape.nodes());
        let root = self.runner.scratch.join(name);
        Tree::make(root, shape, self.keep, self.runner.interrupt)
    }
}
