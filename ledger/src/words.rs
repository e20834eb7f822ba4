//! The enumerations of the ledger that are no business of the engine's, with the words that it stores for them.

use longhaul_model::CopyStatus;

use crate::error::{LedgerError, Result};

/// Why folders are listed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SweepKind {
    /// They were marked for retry.
    Retry,
    /// To see what has changed since.
    Refresh,
}

impl SweepKind {
    /// All of them, in the order of the ledger's enumeration.
    pub(crate) const ALL: [SweepKind; 2] = [SweepKind::Retry, SweepKind::Refresh];

    /// The word used in the ledger.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            SweepKind::Retry => "retry",
            SweepKind::Refresh => "refresh",
        }
    }
}

/// What a sweep has found to be different about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It has another size or time than it had.
    Changed,
    /// It is not there any more.
    Gone,
    /// It was gone, and is there again.
    Back,
}

impl Finding {
    /// All of them, in the order of the ledger's enumeration.
    pub(crate) const ALL: [Finding; 3] = [Finding::Changed, Finding::Gone, Finding::Back];

    /// Whether the node is on its side, where the sweep has found it to be different.
    pub(crate) const fn is_there(self) -> bool {
        match self {
            Finding::Changed | Finding::Back => true,
            Finding::Gone => false,
        }
    }

    /// The word used in the ledger.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Finding::Changed => "changed",
            Finding::Gone => "gone",
            Finding::Back => "back",
        }
    }
}

/// Who excluded a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExclusionOrigin {
    /// A filter, when the node was found.
    Filter,
    /// A person.
    Person,
}

impl ExclusionOrigin {
    /// All of them, in the order of the ledger's enumeration.
    pub(crate) const ALL: [ExclusionOrigin; 2] = [ExclusionOrigin::Filter, ExclusionOrigin::Person];

    /// The word used in the ledger.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            ExclusionOrigin::Filter => "filter",
            ExclusionOrigin::Person => "person",
        }
    }
}

/// What kind of problem it is. In the order in which somebody wants to hear of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// It could not be copied.
    Failed,
    /// A folder whose contents could not be listed: what is in it is not known, and not copied.
    NotListed,
    /// Verification found it to be other than it should be.
    Different,
    /// A person has to decide.
    Conflict,
    /// It was gone from the source when its turn came.
    Vanished,
    /// Somebody excluded it.
    ExcludedExplicit,
    /// Not to be copied: a kind that is not carried over, or the policy says so.
    Skipped,
    /// Below a folder that was excluded.
    ExcludedInherited,
}

impl ProblemKind {
    /// All of them, the worst first.
    pub const ALL: [ProblemKind; 8] = [
        Self::Failed,
        Self::NotListed,
        Self::Different,
        Self::Conflict,
        Self::Vanished,
        Self::ExcludedExplicit,
        Self::Skipped,
        Self::ExcludedInherited,
    ];

    /// The word for it; that of the copy status, where it is one.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::NotListed => "not_listed",
            Self::Different => "different",
            Self::Conflict => "conflict",
            Self::Vanished => "vanished",
            Self::ExcludedExplicit => "excluded_explicit",
            Self::Skipped => "skipped",
            Self::ExcludedInherited => "excluded_inherited",
        }
    }

    /// What kind of problem a copy status is, if it is one.
    pub const fn of(status: CopyStatus) -> Option<ProblemKind> {
        match status {
            CopyStatus::Failed => Some(Self::Failed),
            CopyStatus::Conflict => Some(Self::Conflict),
            CopyStatus::Vanished => Some(Self::Vanished),
            CopyStatus::ExcludedExplicit => Some(Self::ExcludedExplicit),
            CopyStatus::ExcludedInherited => Some(Self::ExcludedInherited),
            CopyStatus::Skipped => Some(Self::Skipped),
            CopyStatus::Pending | CopyStatus::Successful | CopyStatus::AlreadyExisted => None,
        }
    }

    /// What is called `word`.
    pub(crate) fn called(word: &str) -> Result<Self> {
        let unknown = || LedgerError::Inconsistent(format!("no problem is called {word}"));
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(unknown)
    }
}
