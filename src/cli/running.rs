//! How a run is carried out: its limits, the policies that the plan follows from, and how files are copied.

use std::time::Duration;

use clap::Args;
use longhaul_ledger::CopyChoices;
use longhaul_model::{CompareBy, ConflictPolicy};

/// What a run keeps to, whatever it is about.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct LimitArguments {
    /// How long work in flight may take to come to an end after an interrupt, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) grace: u64,

    /// Suspend the run when a store has answered with nothing but transient errors for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    pub(crate) give_up_after: u64,

    /// Ask a store behind a network for no more than so many things of a kind at a time; otherwise it is found out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) max_concurrency: Option<u16>,

    /// Ask a store behind a network for no more than so many things of a kind a second
    #[arg(long, value_name = "N", value_parser = parse_rate)]
    pub(crate) max_rate: Option<f64>,

    /// Read no more than so many MiB of files a second, of all together
    #[arg(long, value_name = "MIB", value_parser = parse_rate)]
    pub(crate) bandwidth: Option<f64>,

    /// Back up the ledger every so many minutes while the run lasts, as LEDGER.backup
    #[arg(long, value_name = "MINUTES", value_parser = parse_minutes)]
    pub(crate) backup_every: Option<Duration>,
}

fn parse_minutes(text: &str) -> Result<Duration, String> {
    let minutes = parse_rate(text)?;
    Duration::try_from_secs_f64(minutes * 60.0).map_err(|error| error.to_string())
}

fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        _ => Err("give a number above 0, such as 50 or 0.5".to_owned()),
    }
}

/// What the plan follows from.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct PolicyArguments {
    /// When a file on the destination counts as the same [default: size+mtime]
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(crate) compare: Option<CompareBy>,

    /// What is done about a file that is there and not the same [default: newer]
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) on_conflict: Option<ConflictPolicy>,
}

/// How files are copied.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopyOptions {
    /// Workers that copy at a time [default: what the stores like]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) copiers: Option<u16>,

    #[command(flatten)]
    pub(crate) choices: CopyChoices,

    /// Begin although the destination has less room than the plan takes, or would refuse names
    #[arg(long)]
    pub(crate) force: bool,
}
