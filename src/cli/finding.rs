//! What can be typed behind `find` and `tree`.

use clap::Args;
use longhaul_ledger::FindSort;
use longhaul_model::{CopyStatus, NodeKind, Side, TraversalStatus};

use super::{Format, one_of};

#[derive(Debug, Args)]
pub(crate) struct FindArguments {
    /// Which nodes, for example: 'kind = file and size > 10M and not under "/archive"' [default: all]
    pub(crate) conditions: Vec<String>,

    /// Those with such a name, for example '*.tmp'
    #[arg(long, value_name = "GLOB")]
    pub(crate) name: Option<String>,

    /// Those at this path, and below it
    #[arg(long, value_name = "PATH")]
    pub(crate) under: Option<String>,

    /// Those of this kind
    #[arg(long, value_name = "KIND", value_parser = one_of(&NodeKind::ALL))]
    pub(crate) kind: Option<NodeKind>,

    /// Those with this copy status
    #[arg(long, value_name = "STATUS", value_parser = one_of(&CopyStatus::ALL))]
    pub(crate) copy: Option<CopyStatus>,

    /// Those with this traversal status
    #[arg(long, value_name = "STATUS", value_parser = one_of(&TraversalStatus::ALL))]
    pub(crate) traversal: Option<TraversalStatus>,

    /// Those that could not be listed or copied, or that verification found different
    #[arg(long)]
    pub(crate) problem: bool,

    /// Of which side [default: what the conditions say, or else src]
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(crate) side: Option<Side>,

    /// In which order
    #[arg(long, value_enum, value_name = "BY", default_value_t = FindSort::Path)]
    pub(crate) sort: FindSort,

    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,

    /// Show no more than so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(..=longhaul_ledger::PAGE_ROWS_MAX))]
    pub(crate) limit: u64,

    /// Leave out the first so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: u64,

    /// Go on behind this node, as the page before it said
    #[arg(long, value_name = "ID")]
    pub(crate) after: Option<i64>,

    /// How to print them
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct TreeArguments {
    /// What to begin with
    #[arg(default_value = "/")]
    pub(crate) path: String,

    /// So many levels below it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) depth: u32,

    /// Show no more than so many rows
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(..=longhaul_ledger::PAGE_ROWS_MAX))]
    pub(crate) limit: u64,

    /// Leave out the first so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) offset: u64,

    /// How to print it: all numbers are in CSV and JSON only
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub(crate) format: Format,
}
