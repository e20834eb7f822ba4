//! The two sides of a migration, and a pair of values for them.

use std::fmt;
use std::ops::{Index, IndexMut};

/// One of the two trees of a migration. The source is never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Side {
    /// The source: where the files are.
    #[serde(rename = "src")]
    #[cfg_attr(feature = "cli", value(name = "src"))]
    Source,
    /// The destination: where they have to be.
    #[serde(rename = "dst")]
    #[cfg_attr(feature = "cli", value(name = "dst"))]
    Destination,
}

impl Side {
    /// Both sides, the source first.
    pub const BOTH: [Side; 2] = [Side::Source, Side::Destination];

    /// The prefix of this side's tables and columns in the ledger: `src` or `dst`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Side::Source => "src",
            Side::Destination => "dst",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Source => "source",
            Side::Destination => "destination",
        })
    }
}

/// A value for each side, indexed by [`Side`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BySide<T> {
    /// The source's.
    pub src: T,
    /// The destination's.
    pub dst: T,
}

impl<T> BySide<T> {
    /// Makes both values with the same function.
    pub fn from_fn(mut make: impl FnMut(Side) -> T) -> Self {
        BySide { src: make(Side::Source), dst: make(Side::Destination) }
    }
}

impl<T> Index<Side> for BySide<T> {
    type Output = T;

    fn index(&self, side: Side) -> &T {
        match side {
            Side::Source => &self.src,
            Side::Destination => &self.dst,
        }
    }
}

impl<T> IndexMut<Side> for BySide<T> {
    fn index_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Source => &mut self.src,
            Side::Destination => &mut self.dst,
        }
    }
}
