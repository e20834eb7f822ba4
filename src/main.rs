//! The command line of Longhaul: what was typed, turned into one call of the library, and its result into text and an
//! exit code.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

/// Says a line on standard error. A standard error that cannot be written changes nothing.
macro_rules! tell {
    ($($line:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($line)*);
    }};
}

// What was typed, and what is said of what happens.
mod cli;
mod hints;
mod logging;
mod signals;

// A run in the foreground, from its beginning to its report.
mod filter;
mod foreground;
mod ledger_probe;
mod progress;
mod report;
mod status_socket;

// One file a command, in the order of a migration's life: what there is, and what is planned.
mod discover;
mod plan;

// Reviewing the plan.
mod editing;
mod find;
mod lint;
mod tree;

// Carrying it out.
mod copy;
mod migrate;
mod sweeps;
mod verify;

// What came of it.
mod backup;
mod query;
mod repair;
mod report_command;
mod rows;
mod status;

// The simulator, and runs that show that all of it works.
#[cfg(feature = "scenarios")]
mod scenario;
#[cfg(not(feature = "scenarios"))]
#[path = "no_scenarios.rs"]
mod scenario;
mod spectra_serve;
mod spectra_tree;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use longhaul_model::harmless;

use crate::cli::{Cli, Command, SpectraCommand};

fn main() -> ExitCode {
    let cli = cli::parse().unwrap_or_else(|error| error.exit());
    match run(&cli).and_then(|code| Ok(io::stdout().flush().map(|()| code)?)) {
        Ok(code) => code.into(),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // What was typed, and what others say, is part of it.
            tell!("longhaul: {}", harmless(&hints::explain(&error)));
            Exit::CouldNot.into()
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<Exit> {
    logging::start(cli.verbosity());
    // A file that may not grow any more (`ulimit -f`) is an error of what writes it, and not the end of the program.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    if let Some(name) = &cli.scenario {
        return scenario::run(name, cli.keep);
    }
    match &cli.command {
        Some(Command::Discover(arguments)) => discover::run(cli, arguments),
        Some(Command::Plan(arguments)) => plan::run(&cli.ledger, arguments),
        Some(Command::Lint(arguments)) => lint::run(&cli.ledger, arguments),
        Some(Command::Exclude(arguments)) => editing::exclude(&cli.ledger, arguments),
        Some(Command::Include(arguments)) => editing::include(&cli.ledger, arguments),
        Some(Command::Decide(arguments)) => editing::decide(&cli.ledger, arguments),
        Some(Command::Approve(arguments)) => editing::approve(&cli.ledger, arguments),
        Some(Command::MarkRetry(arguments)) => editing::mark_retry(&cli.ledger, arguments),
        Some(Command::Unmark(arguments)) => editing::unmark(&cli.ledger, arguments),
        Some(Command::Retry(arguments)) => sweeps::retry(cli, arguments),
        Some(Command::Refresh(arguments)) => sweeps::refresh(cli, arguments),
        Some(Command::Find(arguments)) => find::run(&cli.ledger, arguments),
        Some(Command::Tree(arguments)) => tree::run(&cli.ledger, arguments),
        Some(Command::Copy(arguments)) => copy::run(cli, arguments),
        Some(Command::Verify(arguments)) => verify::run(cli, arguments),
        Some(Command::Migrate(arguments)) => migrate::run(cli, arguments),
        Some(Command::Status(arguments)) => status::run(&cli.ledger, arguments),
        Some(Command::Query(arguments)) => query::run(&cli.ledger, arguments),
        Some(Command::Report(arguments)) => report_command::run(&cli.ledger, arguments),
        Some(Command::Backup(arguments)) => backup::run(&cli.ledger, arguments),
        Some(Command::Repair) => repair::run(&cli.ledger),
        Some(Command::ProbeLedger(arguments)) => ledger_probe::run_probe(&cli.ledger, arguments),
        Some(Command::Spectra(SpectraCommand::Tree(arguments))) => spectra_tree::run(arguments),
        Some(Command::Spectra(SpectraCommand::Serve(arguments))) => spectra_serve::run(arguments),
        // Without a command there is `--list-scenarios`, or nothing at all, which clap has refused.
        None => scenario::list(),
    }
}

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// All done.
    Done,
    /// Could not do it.
    CouldNot,
    /// Done, but some nodes failed.
    SomeFailed,
    /// Interrupted by this signal, and in a state that can be gone on from.
    Interrupted(i32),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => ExitCode::SUCCESS,
            Exit::CouldNot => ExitCode::from(1),
            Exit::SomeFailed => ExitCode::from(3),
            Exit::Interrupted(signal) => ExitCode::from(u8::try_from(128 + signal).unwrap_or(130)),
        }
    }
}

/// Whoever read our output has had enough of it: that is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
            // Those who write CSV or JSON have errors of their own, which say the same.
            || cause.to_string() == io::Error::from(rustix::io::Errno::PIPE).to_string()
    })
}
