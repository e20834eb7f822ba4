//! How closely the destination is looked at.

/// How closely the destination is looked at when it is verified. A higher one includes those below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyLevel {
    /// The destination is listed: everything is there, of the right kind, size and time.
    #[default]
    Size,
    /// And what was copied is read back and compared with its checksum.
    Checksum,
    /// And both sides are read, of what was there before as well.
    Full,
}

impl VerifyLevel {
    /// All levels, the lowest first.
    pub const ALL: [VerifyLevel; 3] = [VerifyLevel::Size, VerifyLevel::Checksum, VerifyLevel::Full];
}
