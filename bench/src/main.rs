//! Side-by-side runs of Longhaul against what people use today.
//!
//! Knows the binary only: what is measured is what a user gets, start-up, ledger and exit included. So nothing of the
//! workspace is linked here, and a figure cannot be flattered by calling an inner function directly. Linux only, as
//! the peers' command lines are.

mod discover;
mod interrupt;
mod longhaul;
mod measure;
mod report;
mod trees;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::interrupt::{Interrupt, Interrupted};

/// Measures the Longhaul binary beside its peers and judges the figures against their targets.
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
}

fn main() -> ExitCode {
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
    let (report, json) = match &cli.command {
        Command::Discover(options) => (discover::run(options, &interrupt)?, options.json),
    };
    let text = if json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { report.to_table() };
    match io::stdout().write_all(text.as_bytes()) {
        // Whoever read it has seen enough, as with `| head`.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written?,
    }
    // A missed target is a result; a Longhaul that fails leaves nothing to compare.
    Ok(if report.longhaul_failed() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}
