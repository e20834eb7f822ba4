//! How a run is carried out: its limits, the policies that the plan follows from, and how files are copied.

use clap::{Args, ValueEnum};
use longhaul_model::{CompareBy, ConflictPolicy};

/// When a run is not waited for any longer.
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
    pub(crate) compare: Option<Compare>,

    /// What is done about a file that is there and not the same [default: newer]
    #[arg(long, value_enum, value_name = "POLICY")]
    pub(crate) on_conflict: Option<OnConflict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compare {
    /// Same size and same modification time
    #[value(name = "size+mtime")]
    SizeAndTime,
    /// Same size
    Size,
    /// Same modification time
    Mtime,
    /// Same contents: both are read when their turn comes to be copied
    Checksum,
    /// There is one
    Exists,
}

impl From<Compare> for CompareBy {
    fn from(compare: Compare) -> Self {
        match compare {
            Compare::SizeAndTime => CompareBy::SizeAndTime,
            Compare::Size => CompareBy::Size,
            Compare::Mtime => CompareBy::Time,
            Compare::Checksum => CompareBy::Checksum,
            Compare::Exists => CompareBy::Exists,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnConflict {
    /// Overwrite it where the source's is newer, leave it otherwise
    Newer,
    /// Leave it
    Skip,
    /// Overwrite it
    Overwrite,
    /// Copy the source's under another name beside it
    KeepBoth,
    /// Leave it, as a conflict for a person to decide
    Ask,
}

impl From<OnConflict> for ConflictPolicy {
    fn from(policy: OnConflict) -> Self {
        match policy {
            OnConflict::Newer => ConflictPolicy::Newer,
            OnConflict::Skip => ConflictPolicy::Skip,
            OnConflict::Overwrite => ConflictPolicy::Overwrite,
            OnConflict::KeepBoth => ConflictPolicy::KeepBoth,
            OnConflict::Ask => ConflictPolicy::Ask,
        }
    }
}

/// How files are copied.
#[derive(Clone, Debug, Args)]
pub(crate) struct CopyOptions {
    /// Workers that copy at a time [default: what the stores like]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub(crate) copiers: Option<u16>,

    /// When what was copied is made to survive a power cut [default: batch]
    #[arg(long, value_enum)]
    pub(crate) durability: Option<Durability>,

    /// Take a checksum (BLAKE3) of each file while it is copied [default: on]
    #[arg(long, value_enum)]
    pub(crate) checksum: Option<Switch>,

    /// What else to carry over, beside contents, times and permissions
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    pub(crate) preserve: Vec<Preserve>,

    /// Keep folders with nothing in them also where folders come with what is in them, as in a bucket: by an object
    /// whose key ends with a slash
    #[arg(long)]
    pub(crate) keep_empty_folders: bool,

    /// Copy files from this size on in parts, in MiB [default: 64]
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u64).range(1..=1 << 30))]
    pub(crate) large_from: Option<u64>,

    /// Begin although the destination has less room than the plan takes, or would refuse names
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Durability {
    /// The destination as a whole, each time before results are recorded
    Batch,
    /// Each file by itself
    File,
    /// When the system likes
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Preserve {
    /// User and group
    Owner,
    /// Extended attributes, access control lists among them
    Xattrs,
    /// Several names of one file
    HardLinks,
    /// Holes in files
    Sparse,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Everything is there, of the right kind, size and time
    Size,
    /// And what was copied, read back, has the checksum that was taken of the source
    Checksum,
    /// And both sides, read, have the same contents; what was there before as well
    Full,
}
