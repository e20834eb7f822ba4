//! The result of one case.

use serde::Serialize;

use super::kill::Means;

/// What came of a case.
#[derive(Debug, Default)]
pub(super) struct CaseOutcome {
    /// The kills that hit the program.
    pub(super) kills: Vec<(Means, Moment)>,
    /// Kills for which there was no program any more.
    pub(super) too_late: u64,
    /// Folders listed, of trees whose stores say so.
    pub(super) listings: u64,
    /// Those that had been listed before.
    pub(super) listed_again: u64,
    /// Files, and parts of them, that the program says it wrote.
    pub(super) written: u64,
    /// Those that had been written before.
    pub(super) written_again: u64,
    /// Files that a local destination had after kills.
    pub(super) at_the_destination: u64,
    /// Those that the ledger did not know of.
    pub(super) unknown: u64,
    /// Files beside the ledger that nobody needs.
    pub(super) left_behind: u64,
    /// Ledgers that the program could not open after a kill.
    pub(super) lost: u64,
    /// Ledgers that were not as without kills.
    pub(super) differing: u64,
    /// Ledgers whose torn blocks the program restored from their copies.
    pub(super) restored: u64,
    /// What was not as it must be.
    pub(super) failures: Vec<String>,
}

/// Where in the life of the program a kill hit it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Moment {
    BeforeTheLedger,
    /// There is a ledger, and nothing was to be listed yet.
    StartingUp,
    Traversing,
    /// Between two phases of a migration.
    BetweenPhases,
    Copying,
    Verifying,
    /// Told to stop before, or done, but not gone.
    ShuttingDown,
    /// Too late to make a difference: the program ended as if nothing had been.
    AlreadyComplete,
    /// In a command that changes nothing: a backup, or an edit that an earlier attempt committed.
    NothingToChange,
    /// The edit was not committed.
    BeforeTheChange,
    /// The edit was committed, and was still in the log.
    BeforeTheCheckpoint,
    /// The edit was in the ledger's file.
    AfterTheCheckpoint,
}

impl Moment {
    pub(super) const ALL: [Self; 12] = [
        Self::BeforeTheLedger,
        Self::StartingUp,
        Self::Traversing,
        Self::BetweenPhases,
        Self::Copying,
        Self::Verifying,
        Self::ShuttingDown,
        Self::AlreadyComplete,
        Self::NothingToChange,
        Self::BeforeTheChange,
        Self::BeforeTheCheckpoint,
        Self::AfterTheCheckpoint,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BeforeTheLedger => "before the ledger",
            Self::StartingUp => "starting up",
            Self::Traversing => "discovery",
            Self::BetweenPhases => "between phases",
            Self::Copying => "copying",
            Self::Verifying => "verifying",
            Self::ShuttingDown => "shutting down",
            Self::AlreadyComplete => "already complete",
            Self::NothingToChange => "nothing to change",
            Self::BeforeTheChange => "before the change",
            Self::BeforeTheCheckpoint => "before the checkpoint",
            Self::AfterTheCheckpoint => "after the checkpoint",
        }
    }
}
