//! What can be wrong with a configuration: one line each, with what to do about it.

use std::path::PathBuf;

/// Why a configuration is not acceptable.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no such file.
    #[error("configuration {} does not exist: check the path, or write one (see configs/spectra.json)", file.display())]
    Missing {
        /// The file.
        file: PathBuf,
    },
    /// The file cannot be read.
    #[error("configuration {} cannot be read: {source}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Something is wrong with what is in the file.
    #[error("configuration {}: {problem}", file.display())]
    InFile {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        problem: Box<ConfigError>,
    },
    /// The text is no JSON.
    #[error("not JSON at line {line}, column {column}: {reason}")]
    NotJson {
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
        /// What was expected there.
        reason: String,
    },
    /// A field that there is not, or one given twice or not at all, or a value of another type.
    #[error("{} (line {line}, column {column})", describe_field(field, reason, allowed.as_deref()))]
    Field {
        /// Path of the field, or of the object it is in.
        field: String,
        /// What is wrong with it.
        reason: String,
        /// The range, where it is a number.
        allowed: Option<String>,
        /// Line from 1.
        line: usize,
        /// Column from 1.
        column: usize,
    },
    /// A number that is too small or too large.
    #[error("{field} is {value}: give a number from {allowed}")]
    OutOfRange {
        /// Path of the field.
        field: String,
        /// Its value.
        value: String,
        /// The range, both ends allowed.
        allowed: String,
    },
    /// A minimum above its maximum.
    #[error("{least_field} is {least}, above {most_field}, which is {most}: lower the one or raise the other")]
    WrongOrder {
        /// Path of the minimum.
        least_field: String,
        /// Its value.
        least: String,
        /// Path of the maximum.
        most_field: String,
        /// Its value.
        most: String,
    },
    /// A text that must not be empty.
    #[error("{field} is empty: give it a value, or leave it out for the default")]
    Empty {
        /// Path of the field.
        field: String,
    },
    /// `primary` among the secondary worlds.
    #[error("secondary_tables.primary: `primary` is always there and has everything; give the world another name")]
    PrimaryAsSecondary,
    /// A world whose name would not fit into a location.
    #[error("secondary_tables has a world named `{name}`: use letters, digits, `_` and `-` only, at least one of them")]
    WorldName {
        /// The name.
        name: String,
    },
    /// More worlds than there can be.
    #[error("secondary_tables has {count} worlds: {most} are the most")]
    TooManyWorlds {
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
    /// A fault in a world that there is not.
    #[error("{field} is `{world}`, which is neither `primary` nor in secondary_tables")]
    FaultWorld {
        /// Path of the field.
        field: String,
        /// The world.
        world: String,
    },
    /// A path of a fault that can never match.
    #[error(
        "{field} is `{path}`: give a path such as `/folder_1/file_2.txt`, or `/folder_1/**` for a folder and all below"
    )]
    FaultPath {
        /// Path of the field.
        field: String,
        /// The path in it.
        path: String,
    },
}

fn describe_field(field: &str, reason: &str, allowed: Option<&str>) -> String {
    let mut text = String::new();
    if !field.is_empty() {
        text.push_str(field);
        text.push_str(": ");
    }
    text.push_str(reason);
    if let Some(allowed) = allowed {
        text.push_str(": give a number from ");
        text.push_str(allowed);
    }
    text
}
