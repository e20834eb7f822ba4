//! `longhaul spectra tree`: the independent count of a simulated tree.

use std::io::{self, Write};

use longhaul_model::human::count;
use longhaul_spectra::{Config, DepthCounts, Spectra};

use crate::Exit;
use crate::cli::SpectraTreeArguments;

pub(crate) fn run(arguments: &SpectraTreeArguments) -> anyhow::Result<Exit> {
    let config = Config::load(&arguments.config)?;
    let counts = Spectra::open(config)?.world(&arguments.world)?.count()?;
    let mut out = io::stdout().lock();
    writeln!(out, "{:>5}{:>14}{:>14}{:>18}", "depth", "folders", "files", "bytes")?;
    let mut print = |depth: &str, counts: &DepthCounts| {
        let [folders, files, bytes] = [counts.folders, counts.files, counts.bytes].map(count);
        writeln!(out, "{depth:>5}{folders:>14}{files:>14}{bytes:>18}")
    };
    for (depth, counts) in counts.by_depth.iter().enumerate() {
        print(&depth.to_string(), counts)?;
    }
    print("all", &counts.total)?;
    Ok(Exit::Done)
}
