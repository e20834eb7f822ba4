//! Classes of calls to a store.

use strum::{Display, EnumCount, IntoStaticStr, VariantArray};

/// A class of calls to a store, which has a concurrency and a rate of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Display, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum CallClass {
    /// Listings.
    List,
    /// Reading files.
    Read,
    /// Writing files.
    Write,
    /// Everything else.
    Meta,
}

impl CallClass {
    /// All classes, in the order of the ledger's enumeration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word used in the ledger.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}
