//! Classes of errors: what the engine does about one.

use strum::{Display, EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::UnknownWord;

/// What kind of thing went wrong with a store, which decides what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::error_class)]
pub enum ErrorClass {
    /// May well work next time: tried again with exponential back-off and jitter.
    Transient,
    /// The store asks for patience: tried again after as long as it said.
    Throttled,
    /// Not allowed. Trying again cannot help.
    Denied,
    /// It was there when it was found, and is gone.
    Vanished,
    /// The store refuses this name or path.
    BadName,
    /// No room. Suspends the run: every node after this one would fail as well.
    NoSpace,
    /// Going on makes no sense. Suspends the run.
    Fatal,
    /// Not tried, because what it depends on failed.
    Blocked,
}

impl ErrorClass {
    /// All classes, in the order of the ledger's enumeration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// Whether the same call is worth making again.
    pub const fn is_retried(self) -> bool {
        match self {
            Self::Transient | Self::Throttled => true,
            Self::Denied | Self::Vanished | Self::BadName | Self::NoSpace | Self::Fatal | Self::Blocked => false,
        }
    }

    /// Whether the run stops here instead of recording the node as failed.
    pub const fn suspends(self) -> bool {
        match self {
            Self::NoSpace | Self::Fatal => true,
            Self::Transient | Self::Throttled | Self::Denied | Self::Vanished | Self::BadName | Self::Blocked => false,
        }
    }

    /// The word used in the ledger.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}
