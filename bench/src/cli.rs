//! What can be typed, and what comes of it.

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;

use crate::interrupt::{Interrupt, Interrupted};
use crate::{copy, discover, review, stores, torture};

/// Measures the Longhaul binary beside its peers and judges the figures against their targets, or kills it.
#[derive(Debug, Parser)]
#[command(name = "longhaul-bench")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Traversal: one side, pairs, one wide folder, an empty tree, a deep chain, the simulated store
    Discover(discover::Options),
    /// Copying: small, medium and large files, a nasty tree, and nothing to do
    Copy(copy::Options),
    /// Review: pages and exclusions in ledgers of two million nodes
    Review(review::Options),
    /// Stores of other people: listing, and copying to and from servers that are started
    Stores(stores::Options),
    /// Kills at random moments, each gone on with, and the same ledger in the end
    Torture(torture::Options),
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("interrupted");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(1)
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<ExitCode> {
    let interrupt = Interrupt::listen()?;
    let has_failed = match &cli.command {
        Command::Discover(options) => {
            let report = discover::run(options, &interrupt)?;
            print(&report, options.setting.json, || report.to_table())?;
            // A missed target is a result; a Longhaul that fails leaves nothing to compare.
            report.longhaul_failed()
        }
        Command::Copy(options) => {
            let report = copy::run(options, &interrupt)?;
            print(&report, options.setting.json, || report.to_table())?;
            report.longhaul_failed()
        }
        Command::Review(options) => {
            let report = review::run(options, &interrupt)?;
            print(&report, options.setting.json, || report.to_table())?;
            report.longhaul_failed()
        }
        Command::Stores(options) => {
            let report = stores::run(options, &interrupt)?;
            print(&report, options.setting.json, || report.to_table())?;
            report.longhaul_failed()
        }
        Command::Torture(options) => {
            let report = torture::run_options(options, &interrupt)?;
            print(&report, options.json, || report.to_table())?;
            report.has_failures()
        }
    };
    Ok(if has_failed { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn print(report: &impl Serialize, json: bool, to_table: impl Fn() -> String) -> anyhow::Result<()> {
    let text = if json { format!("{}\n", serde_json::to_string_pretty(report)?) } else { to_table() };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read it has seen enough, as with `| head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}
