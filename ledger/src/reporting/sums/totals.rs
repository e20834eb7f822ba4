//! What sums are: amounts, and what they are amounts of.

use longhaul_model::CopyStatus;

use super::over_time::Throughput;
use crate::words::ProblemKind;

/// Some nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Amount {
    /// How many they are.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        self.nodes += other.nodes;
        self.bytes += other.bytes;
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Amount>>(amounts: I) -> Amount {
        amounts.fold(Amount::default(), |mut sum, amount| {
            sum += amount;
            sum
        })
    }
}

/// The outcomes that sums tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Moved,
    ThereAlready,
    Waiting,
    NotMoved,
}

impl Outcome {
    /// All of them, in the order of the fields of [`Outcomes`].
    pub(super) const ALL: [Outcome; 4] = [Outcome::Moved, Outcome::ThereAlready, Outcome::Waiting, Outcome::NotMoved];

    /// What a copy status comes to.
    pub(super) const fn of(status: CopyStatus) -> Outcome {
        match status {
            CopyStatus::Successful => Outcome::Moved,
            CopyStatus::AlreadyExisted => Outcome::ThereAlready,
            CopyStatus::Pending => Outcome::Waiting,
            CopyStatus::Failed
            | CopyStatus::Skipped
            | CopyStatus::Conflict
            | CopyStatus::ExcludedExplicit
            | CopyStatus::ExcludedInherited
            | CopyStatus::Vanished => Outcome::NotMoved,
        }
    }
}

/// What became of some nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Outcomes {
    /// Brought to the destination by this migration.
    pub moved: Amount,
    /// There before.
    pub there_already: Amount,
    /// Still to be brought there.
    pub waiting: Amount,
    /// Not brought there, for one reason or another.
    pub not_moved: Amount,
}

impl Outcomes {
    /// All of them.
    pub fn total(&self) -> Amount {
        [self.moved, self.there_already, self.waiting, self.not_moved].into_iter().sum()
    }
}

/// Source nodes of one copy status.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StatusTotal {
    /// Which.
    pub status: CopyStatus,
    /// Folders among them; for the one that existed already, the root counts too.
    pub folders: i64,
    /// Files among them.
    pub files: i64,
    /// Symbolic links among them.
    pub symlinks: i64,
    /// Sockets, devices, FIFOs, mount points among them.
    pub others: i64,
    /// Bytes of the files.
    pub bytes: i64,
}

impl StatusTotal {
    /// All of them.
    pub fn amount(&self) -> Amount {
        Amount { nodes: self.folders + self.files + self.symlinks + self.others, bytes: self.bytes }
    }
}

/// The files of one folder at the top, of one class of sizes, or of one type.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// The folder's printable path, `/` for files that are in none; or the extension in small letters, empty for none.
    pub name: String,
    /// What became of them.
    pub outcomes: Outcomes,
}

/// All files, in parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Parts {
    /// The largest parts, by bytes.
    pub largest: Vec<Part>,
    /// How many more there are.
    pub others: i64,
    /// What those come to.
    pub others_outcomes: Outcomes,
}

/// The files of one class of sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SizeClass {
    /// From how many bytes; `None`: the store did not say.
    pub from_bytes: Option<i64>,
    /// Up to fewer than so many; `None`: without end.
    pub below_bytes: Option<i64>,
    /// What became of them.
    pub outcomes: Outcomes,
}

/// Problems of one kind with the same reason.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ReasonTotal {
    /// What kind they are.
    pub status: ProblemKind,
    /// The class of the error, where there was one.
    pub class: Option<String>,
    /// The reason, empty where none was given; `None` for all that are too rare to be told apart.
    pub reason: Option<String>,
    /// Nodes with it.
    pub nodes: i64,
    /// Bytes of the files among them.
    pub bytes: i64,
}

/// What all nodes come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sums {
    /// The source's, in the order of the enumeration; only what there is.
    pub statuses: Vec<StatusTotal>,
    /// Nodes that only the destination has.
    pub only_on_destination: Amount,
    /// The source's files, by folder at the top.
    pub folders: Parts,
    /// The source's files, by size, the smallest first; only classes that have any.
    pub sizes: Vec<SizeClass>,
    /// The source's files, by extension.
    pub types: Parts,
    /// Problems by kind, the worst first, then by nodes.
    pub reasons: Vec<ReasonTotal>,
    /// What was copied when.
    pub throughput: Throughput,
}
