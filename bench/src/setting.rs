//! What all commands that measure can be told: where, with which binary, and how to say it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct Setting {
    /// Where trees and ledgers are made; on a disk, whoever does not flush what it wrote is followed by `sync`
    /// [default: /dev/shm, else the folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub(crate) scratch: Option<PathBuf>,
    /// Print JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
    /// The binary to measure [default: built now from this workspace]
    #[arg(long, value_name = "PATH")]
    pub(crate) longhaul: Option<PathBuf>,
    /// A command that takes longer is killed, and has failed
    #[arg(long, value_name = "N", default_value_t = 600)]
    run_limit_seconds: u64,
}

impl Setting {
    pub(crate) fn run_limit(&self) -> Duration {
        Duration::from_secs(self.run_limit_seconds)
    }
}
