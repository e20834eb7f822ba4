//! The simulator by itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SpectraCommand {
    /// Count the nodes of a simulated tree, without an engine
    Tree(SpectraTreeArguments),
    /// Serve a simulator over HTTP until it is interrupted: its worlds are then spectra+http://HOST:PORT/WORLD
    Serve(SpectraServeArguments),
}

#[derive(Debug, Args)]
pub(crate) struct SpectraServeArguments {
    /// The simulator's configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// Name or address to listen on, instead of the configuration's. Everybody who can reach it may change the worlds
    #[arg(long)]
    pub(crate) host: Option<String>,

    /// Port to listen on, instead of the configuration's; 0 for any that is free
    #[arg(long)]
    pub(crate) port: Option<u16>,
}

#[derive(Debug, Args)]
pub(crate) struct SpectraTreeArguments {
    /// The simulator's configuration
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,

    /// Which of its worlds
    #[arg(long, default_value = "primary")]
    pub(crate) world: String,
}
