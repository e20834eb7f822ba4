//! How thoroughly the destination is verified.

use strum::{Display, EnumCount, IntoStaticStr, VariantArray};

/// How thoroughly the destination is verified. A higher level includes those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumCount, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum VerifyLevel {
    /// Everything is there, of the right kind, size and time.
    #[default]
    Size,
    /// And what was copied, read back, has the checksum that was taken of the source.
    Checksum,
    /// And both sides, read, have the same contents; what was there before as well.
    Full,
}

impl VerifyLevel {
    /// All levels, the lowest first.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word used on the command line and in reports.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}
