//! What can be typed behind `find` and `tree`.

use clap::{Args, ValueEnum};
use longhaul_ledger::FindSort;
use longhaul_model::{CopyStatus, NodeKind, Side, TraversalStatus};

use super::Format;

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
    #[arg(long, value_name = "KIND", value_parser = |text: &str| parse(text, &NodeKind::ALL, NodeKind::as_str))]
    pub(crate) kind: Option<NodeKind>,

    /// Those with this copy status
    #[arg(long, value_name = "STATUS", value_parser = |text: &str| parse(text, &CopyStatus::ALL, CopyStatus::as_str))]
    pub(crate) copy: Option<CopyStatus>,

    /// Those with this traversal status
    #[arg(
        long,
        value_name = "STATUS",
        value_parser = |text: &str| parse(text, &TraversalStatus::ALL, TraversalStatus::as_str)
    )]
    pub(crate) traversal: Option<TraversalStatus>,

    /// Those that could not be listed or copied, or that verification found different
    #[arg(long)]
    pub(crate) problem: bool,

    /// Of which side [default: what the conditions say, or else src]
    #[arg(long, value_enum, value_name = "SIDE")]
    pub(crate) side: Option<OneSide>,

    /// In which order
    #[arg(long, value_enum, value_name = "BY", default_value_t = Sort::Path)]
    pub(crate) sort: Sort,

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OneSide {
    /// The source
    Src,
    /// The destination
    Dst,
}

impl From<OneSide> for Side {
    fn from(side: OneSide) -> Self {
        match side {
            OneSide::Src => Side::Source,
            OneSide::Dst => Side::Destination,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Byte by byte, as the name
    Path,
    Name,
    /// What has none first
    Size,
    /// What has none first
    Modified,
    Depth,
    /// In which order they were found
    Id,
    /// By copy status, then by traversal status
    Status,
}

impl From<Sort> for FindSort {
    fn from(sort: Sort) -> Self {
        match sort {
            Sort::Path => FindSort::Path,
            Sort::Name => FindSort::Name,
            Sort::Size => FindSort::Size,
            Sort::Modified => FindSort::Modified,
            Sort::Depth => FindSort::Depth,
            Sort::Id => FindSort::Id,
            Sort::Status => FindSort::Status,
        }
    }
}

fn parse<T: Copy>(text: &str, known: &[T], as_str: fn(T) -> &'static str) -> Result<T, String> {
    known.iter().copied().find(|one| as_str(*one) == text).ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|one| as_str(*one)).collect();
        format!("choose one of {}", known.join(", "))
    })
}
