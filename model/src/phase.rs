//! The phases of a migration.

use strum::{Display, EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::UnknownWord;

/// Where a migration stands. One row of the ledger, changed in the same transaction as what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::phase)]
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

impl Phase {
    /// All phases, in the order of the ledger's enumeration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word used in the ledger and on the command line.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Whether both trees have been listed by this phase. A suspended migration is asked by the phase it was suspended in.
    pub const fn is_after_discovery(self) -> bool {
        match self {
            Self::Created | Self::Traversing => false,
            Self::Review | Self::Copying | Self::Verifying | Self::Complete | Self::Suspended => true,
        }
    }

    /// Whether the plan has been carried out by this phase. A suspended migration is asked as above.
    pub const fn is_copied(self) -> bool {
        match self {
            Self::Created | Self::Traversing | Self::Review | Self::Copying | Self::Suspended => false,
            Self::Verifying | Self::Complete => true,
        }
    }

    /// Whether the migration may go from this phase to `next`. A running phase may also begin again as itself: that is
    /// what a crash looks like to the next run.
    pub fn may_become(self, next: Phase) -> bool {
        use Phase::{Complete, Copying, Created, Review, Suspended, Traversing, Verifying};
        match self {
            Created => next == Traversing,
            Traversing => matches!(next, Traversing | Review | Verifying | Complete | Suspended),
            Review => matches!(next, Traversing | Copying),
            Copying => matches!(next, Copying | Verifying | Review | Suspended),
            Verifying => matches!(next, Verifying | Complete | Review | Suspended),
            Complete => matches!(next, Verifying | Review),
            Suspended => matches!(next, Traversing | Copying | Verifying | Review),
        }
    }
}
