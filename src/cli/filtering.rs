//! What can be typed of filters.

use std::path::PathBuf;

use clap::Args;

/// What is left out of the source.
#[derive(Clone, Debug, Args)]
pub(crate) struct FilterArguments {
    /// Leave out what the lines of a file say: as in a .gitignore, or `where: CONDITION` with the conditions of `find`.
    /// May be given several times; the last line that fits decides
    #[arg(help_heading = "Filters", long, value_name = "FILE")]
    pub(crate) filter_from: Vec<PathBuf>,

    /// Leave out what one such line says, behind those of all files. May be given several times
    #[arg(help_heading = "Filters", long = "filter", value_name = "RULE")]
    pub(crate) filter: Vec<String>,

    /// Leave out larger files
    #[arg(help_heading = "Filters", long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,

    /// Leave out smaller files
    #[arg(help_heading = "Filters", long, value_name = "SIZE")]
    pub(crate) min_size: Option<String>,

    /// Leave out files that were modified before: 2020-01-31, or 30d for so long ago
    #[arg(help_heading = "Filters", long, value_name = "WHEN")]
    pub(crate) max_age: Option<String>,

    /// Leave out files that were modified after that
    #[arg(help_heading = "Filters", long, value_name = "WHEN")]
    pub(crate) min_age: Option<String>,

    /// Leave out what is deeper; what is in the root has 1
    #[arg(help_heading = "Filters", long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_depth: Option<u32>,
}
