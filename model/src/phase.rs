//! The phases of a migration.

use std::fmt;

/// Where a migration stands. One row of the ledger, changed in the same transaction as what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The ledger exists; nothing has been listed.
    Created,
    /// Both trees are being listed.
    Traversing,
    /// Discovery is over; a person may look at what was found.
    Review,
    /// The plan is being carried out.
    Copying,
    /// The result is being checked.
    Verifying,
    /// All done.
    Complete,
    /// Stopped in a running phase, by an interrupt or because going on makes no sense; can be resumed.
    Suspended,
}

/// A text that names no phase.
#[derive(Debug, thiserror::Error)]
#[error("no phase is called {0:?}")]
pub struct UnknownPhase(String);

impl Phase {
    /// All phases, in the order of the ledger's enumeration.
    pub const ALL: [Phase; 7] = [
        Phase::Created,
        Phase::Traversing,
        Phase::Review,
        Phase::Copying,
        Phase::Verifying,
        Phase::Complete,
        Phase::Suspended,
    ];

    /// The word used in the ledger and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Created => "created",
            Phase::Traversing => "traversing",
            Phase::Review => "review",
            Phase::Copying => "copying",
            Phase::Verifying => "verifying",
            Phase::Complete => "complete",
            Phase::Suspended => "suspended",
        }
    }

    /// Whether the migration may go from this phase to `next`. A running phase may also begin again as itself: that is
    /// what a crash looks like to the next run.
    pub fn may_become(self, next: Phase) -> bool {
        use Phase::{Complete, Copying, Created, Review, Suspended, Traversing, Verifying};
        match self {
            Created => next == Traversing,
            Traversing => matches!(next, Traversing | Review | Suspended),
            Review => matches!(next, Traversing | Copying),
            Copying => matches!(next, Copying | Verifying | Review | Suspended),
            Verifying => matches!(next, Verifying | Complete | Review | Suspended),
            Complete => matches!(next, Verifying | Review),
            Suspended => matches!(next, Traversing | Copying | Verifying | Review),
        }
    }
}

impl std::str::FromStr for Phase {
    type Err = UnknownPhase;

    fn from_str(text: &str) -> Result<Self, UnknownPhase> {
        Self::ALL.into_iter().find(|phase| phase.as_str() == text).ok_or_else(|| UnknownPhase(text.to_owned()))
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
