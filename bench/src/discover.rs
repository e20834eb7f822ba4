//! `longhaul-bench discover`: the cases of traversal, and what each figure must be.

use std::thread;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::interrupt::Interrupt;
use crate::longhaul::{Longhaul, Nodes, ledger_bytes, printed_nodes_per_second};
use crate::measure::{Contender, Runner, Tool, Turn, median};
use crate::peers::{find, rclone_dry_run, rclone_size, rsync_dry_run};
use crate::report::{Bound, CaseReport, Report, Target};
use crate::scratch;
use crate::setting::Setting;
use crate::trees::{Shape, Tree};

/// 2 000 names of ten bytes and more: five times `PATH_MAX`.
const CHAIN_FOLDERS: u64 = 2_000;
/// Sizes of the `scaling` case, as multiples of `--files`.
const SCALING_FACTORS: [u64; 3] = [1, 5, 10];
/// As many as the other trees have by default.
const SCALING_FILES_PER_FOLDER: u64 = 20;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Files in the tree of `one-side` and `pair`, and the smallest of `scaling`
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    files: u64,
    /// Folders that they are spread over
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..))]
    folders: u64,
    /// Files in the one folder of `wide` and `wide-one-side`; 0 leaves these cases out
    #[arg(long, value_name = "N", default_value_t = 300_000)]
    wide: u64,
    /// Timed runs of each command, after one to warm up
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// These cases only [default: all but `scaling`]
    #[arg(long, value_name = "CASE", num_args = 1.., value_enum)]
    only: Vec<Case>,
    /// Leave the trees where they are
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    pub(crate) setting: Setting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Case {
    /// A tree against an empty destination
    OneSide,
    /// A tree against an identical one
    Pair,
    /// One folder with very many files against an identical one
    Wide,
    /// One folder with very many files against an empty destination
    WideOneSide,
    /// Nothing against nothing
    Empty,
    /// 2 000 folders one within another, against an identical chain
    Chain,
    /// A simulated store, without any file system
    Ephemeral,
    /// One side at 1, 5 and 10 times `--files`; runs only when named
    Scaling,
}

impl Options {
    fn cases(&self) -> Vec<Case> {
        let asked = |case: &Case| match case {
            Case::Scaling => self.only.contains(case),
            Case::Wide | Case::WideOneSide if self.wide == 0 => false,
            _ => self.only.is_empty() || self.only.contains(case),
        };
        Case::value_variants().iter().copied().filter(asked).collect()
    }
}

/// Makes the trees, runs all that was asked for, removes the trees.
pub(crate) fn run(options: &Options, interrupt: &Interrupt) -> Result<Report> {
    let longhaul = Longhaul::find(options.setting.longhaul.as_deref())?;
    let mut scratch = scratch::folder(options.setting.scratch.as_deref())?;
    scratch.disable_cleanup(options.keep);
    eprintln!("trees and ledgers in {}", scratch.path().display());

    let session = Session {
        runner: Runner {
            scratch: scratch.path().to_path_buf(),
            rounds: options.rounds as usize,
            run_limit: options.setting.run_limit(),
            settles: false,
            interrupt,
        },
        longhaul,
        keep: options.keep,
    };
    let cases = session.run_cases(options)?;
    Ok(Report {
        longhaul: session.longhaul.program().display().to_string(),
        scratch: scratch.path().display().to_string(),
        on_disk: scratch::is_on_disk(scratch.path())?,
        cores: thread::available_parallelism().map_or(1, usize::from),
        rounds: options.rounds as usize,
        targets_across_cases: scaling_targets(&cases),
        cases,
    })
}

/// What all cases share.
#[derive(Debug)]
struct Session<'a> {
    runner: Runner<'a>,
    longhaul: Longhaul,
    keep: bool,
}

impl Session<'_> {
    fn run_cases(&self, options: &Options) -> Result<Vec<CaseReport>> {
        let asked = options.cases();
        let has = |case: Case| asked.contains(&case);
        let spread = Shape::Spread { files: options.files, folders: options.folders };
        let wide = Shape::Spread { files: options.wide, folders: 1 };
        let mut reports = Vec::new();
        // Cases of the same tree one after the other, so that it is made once and the scratch folder holds one pair.
        if has(Case::OneSide) || has(Case::Pair) {
            let source = self.make_tree("spread", spread)?;
            if has(Case::OneSide) {
                reports.push(self.one_side("one-side", &source)?);
            }
            if has(Case::Pair) {
                reports.push(self.pair("pair", &source, spread, false)?);
            }
        }
        if has(Case::Wide) || has(Case::WideOneSide) {
            let source = self.make_tree("wide", wide)?;
            if has(Case::Wide) {
                reports.push(self.pair("wide", &source, wide, true)?);
            }
            if has(Case::WideOneSide) {
                reports.push(self.one_side("wide-one-side", &source)?);
            }
        }
        for (case, name, shape, limit_s) in [
            (Case::Empty, "empty", Shape::Empty, 0.2),
            (Case::Chain, "chain", Shape::Chain { folders: CHAIN_FOLDERS }, 2.0),
        ] {
            if has(case) {
                reports.push(self.within(name, shape, limit_s)?);
            }
        }
        if has(Case::Ephemeral) {
            reports.push(self.ephemeral()?);
        }
        if has(Case::Scaling) {
            for factor in SCALING_FACTORS {
                reports.push(self.scaling(factor, options.files * factor)?);
            }
        }
        Ok(reports)
    }

    /// A tree against an empty destination.
    fn one_side(&self, name: &str, source: &Tree) -> Result<CaseReport> {
        let destination = self.make_tree(&format!("{name}-destination"), Shape::Empty)?;
        let contenders = [
            self.longhaul.discover(Tool::Longhaul, source.root(), destination.root()),
            find(source.root()),
            rclone_size(source.root()),
        ];
        let mut report = self.compare(name, &contenders, nodes_of(source, &destination))?;
        report.targets =
            vec![over(&report, Tool::Find, "longhaul / find", 1.2, 0.8), report.memory_target(), ledger(&report)];
        Ok(report)
    }

    /// A tree against an identical one.
    fn pair(&self, name: &str, source: &Tree, shape: Shape, with_find: bool) -> Result<CaseReport> {
        let destination = self.make_tree(&format!("{name}-destination"), shape)?;
        let mut contenders = self.pair_contenders(source, &destination);
        if with_find {
            contenders.push(find(source.root()));
        }
        let mut report = self.compare(name, &contenders, nodes_of(source, &destination))?;
        let rclone = report.summary(Tool::Rclone).and_then(|rclone| rclone.times_longhaul);
        report.targets = vec![
            over(&report, Tool::Rsync, "longhaul / rsync -an", 0.9, 0.6),
            Target::new("rclone --dry-run / longhaul", "×", rclone, Bound::AtLeast(3.0)),
            report.memory_target(),
            ledger(&report),
        ];
        Ok(report)
    }

    /// An unusual tree against an identical one, within a time.
    fn within(&self, name: &str, shape: Shape, limit_s: f64) -> Result<CaseReport> {
        let source = self.make_tree(name, shape)?;
        let destination = self.make_tree(&format!("{name}-destination"), shape)?;
        let mut contenders = self.pair_contenders(&source, &destination);
        contenders.push(find(source.root()));
        let mut report = self.compare(name, &contenders, nodes_of(&source, &destination))?;
        // Bytes a node say nothing here: an empty ledger has its size too.
        report.ledger_bytes_per_node = None;
        let wall_s = report.summary(Tool::Longhaul).map(|longhaul| longhaul.wall_median_s);
        report.targets = vec![Target::new("wall", "s", wall_s, Bound::AtMost(limit_s)), report.memory_target()];
        Ok(report)
    }

    fn ephemeral(&self) -> Result<CaseReport> {
        eprintln!("ephemeral");
        let mut rates = Vec::new();
        let measured = self.runner.compare(&[self.longhaul.ephemeral()], |_, turn, folder| {
            if turn != Turn::WarmUp {
                rates.extend(printed_nodes_per_second(folder));
            }
            Ok(())
        })?;
        let mut report = CaseReport::new("ephemeral", None, measured);
        report.nodes_per_second = median(rates);
        if report.nodes_per_second.is_none() {
            report.warn("no line with nodes/s in what longhaul printed".to_owned());
        }
        let rate = Target::new("rate", "nodes/s", report.nodes_per_second, Bound::AtLeast(250_000.0));
        report.targets = vec![rate.with_aim(Bound::AtLeast(400_000.0)), report.memory_target()];
        Ok(report)
    }

    /// One size of the one-side tree; the targets are between sizes, see [`scaling_targets`].
    fn scaling(&self, factor: u64, files: u64) -> Result<CaseReport> {
        let name = scaling_name(factor);
        let shape = Shape::Spread { files, folders: (files / SCALING_FILES_PER_FOLDER).max(1) };
        let source = self.make_tree(&name, shape)?;
        let destination = self.make_tree(&format!("{name}-destination"), Shape::Empty)?;
        // `find` beside it shows whether the machine itself became slower from one size to the next.
        let contenders =
            [self.longhaul.discover(Tool::Longhaul, source.root(), destination.root()), find(source.root())];
        let mut report = self.compare(&name, &contenders, nodes_of(&source, &destination))?;
        report.targets = vec![report.memory_target(), ledger(&report)];
        Ok(report)
    }

    fn compare(&self, name: &str, contenders: &[Contender], nodes: Nodes) -> Result<CaseReport> {
        eprintln!("{name}: {} nodes on both sides together", nodes.both());
        let mut bytes_per_node = Vec::new();
        let mut warnings = Vec::new();
        let measured = self.runner.compare(contenders, |tool, turn, folder| {
            if tool != Tool::Longhaul {
                return Ok(());
            }
            if turn == Turn::WarmUp {
                warnings = self.longhaul.check_status(folder, nodes)?;
                return Ok(());
            }
            let bytes = ledger_bytes(folder).map_err(|error| format!("longhaul left no ledger: {error}"))?;
            #[expect(clippy::cast_precision_loss, reason = "no ledger has 2^52 bytes")]
            bytes_per_node.push(bytes as f64 / nodes.both() as f64);
            Ok(())
        })?;
        let mut report = CaseReport::new(name, Some(nodes), measured);
        report.ledger_bytes_per_node = median(bytes_per_node);
        for warning in warnings {
            report.warn(warning);
        }
        Ok(report)
    }

    fn pair_contenders(&self, source: &Tree, destination: &Tree) -> Vec<Contender> {
        vec![
            self.longhaul.discover(Tool::Longhaul, source.root(), destination.root()),
            rsync_dry_run(source.root(), destination.root()),
            rclone_dry_run(source.root(), destination.root()),
        ]
    }

    fn make_tree(&self, name: &str, shape: Shape) -> Result<Tree> {
        eprintln!("making {name}: {} nodes", shape.nodes());
        let root = self.runner.scratch.join(name);
        Tree::make(root, shape, self.keep, self.runner.interrupt)
    }
}

fn nodes_of(source: &Tree, destination: &Tree) -> Nodes {
    Nodes { source: source.nodes(), destination: destination.nodes() }
}

fn over(report: &CaseReport, peer: Tool, figure: &'static str, limit: f64, aim: f64) -> Target {
    Target::new(figure, "×", report.longhaul_over(peer), Bound::AtMost(limit)).with_aim(Bound::AtMost(aim))
}

fn ledger(report: &CaseReport) -> Target {
    Target::new("ledger", "B/node", report.ledger_bytes_per_node, Bound::AtMost(40.0))
}

fn scaling_name(factor: u64) -> String {
    format!("scaling-{factor}x")
}

/// What must hold between the sizes of `scaling`; nothing if it did not run.
fn scaling_targets(cases: &[CaseReport]) -> Vec<Target> {
    let of = |factor| cases.iter().find(|case| case.name == scaling_name(factor));
    let (Some(once), Some(five_times), Some(ten_times)) = (of(1), of(5), of(10)) else {
        return Vec::new();
    };
    let memory_mb = |case: &CaseReport| case.summary(Tool::Longhaul).map(|longhaul| longhaul.memory_mb());
    let ratio = |larger: Option<f64>, smaller: Option<f64>| Some(larger? / smaller?);
    vec![
        Target::new(
            "memory, 5 times the size / once",
            "×",
            ratio(memory_mb(five_times), memory_mb(once)),
            Bound::AtMost(1.2),
        ),
        Target::new(
            "wall a node, 10 times the size / once",
            "×",
            ratio(ten_times.longhaul_ns_per_node(), once.longhaul_ns_per_node()),
            Bound::AtMost(1.15),
        ),
    ]
}
