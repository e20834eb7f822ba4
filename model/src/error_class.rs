//! Classes of errors: what the engine does about one.

use std::fmt;

/// What kind of thing went wrong with a store, which decides what is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// A text that names no class of errors.
#[derive(Debug, thiserror::Error)]
#[error("no class of errors is called {0:?}")]
pub struct UnknownErrorClass(String);

impl ErrorClass {
    /// All classes, in the order of the ledger's enumeration.
    pub const ALL: [ErrorClass; 8] = [
        ErrorClass::Transient,
        ErrorClass::Throttled,
        ErrorClass::Denied,
        ErrorClass::Vanished,
        ErrorClass::BadName,
        ErrorClass::NoSpace,
        ErrorClass::Fatal,
        ErrorClass::Blocked,
    ];

    /// Whether the same call is worth making again.
    pub const fn is_retried(self) -> bool {
        matches!(self, ErrorClass::Transient | ErrorClass::Throttled)
    }

    /// Whether the run stops here instead of recording the node as failed.
    pub const fn suspends(self) -> bool {
        matches!(self, ErrorClass::NoSpace | ErrorClass::Fatal)
    }

    /// The word used in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorClass::Transient => "transient",
            ErrorClass::Throttled => "throttled",
            ErrorClass::Denied => "denied",
            ErrorClass::Vanished => "vanished",
            ErrorClass::BadName => "bad_name",
            ErrorClass::NoSpace => "no_space",
            ErrorClass::Fatal => "fatal",
            ErrorClass::Blocked => "blocked",
        }
    }
}

impl std::str::FromStr for ErrorClass {
    type Err = UnknownErrorClass;

    fn from_str(text: &str) -> Result<Self, UnknownErrorClass> {
        Self::ALL.into_iter().find(|class| class.as_str() == text).ok_or_else(|| UnknownErrorClass(text.to_owned()))
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
