//! What can go wrong when a simulator is opened or asked for a world.

use std::path::PathBuf;

use crate::config::ConfigError;

/// Why a simulator could not be opened, or gave no world.
#[derive(Debug, thiserror::Error)]
pub enum SpectraError {
    /// The configuration is not acceptable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no world of that name.
    #[error("there is no world `{name}`: the configuration has {}; add it to `secondary_tables`", known.join(", "))]
    UnknownWorld {
        /// What was asked for.
        name: String,
        /// All there are.
        known: Vec<String>,
    },
    /// The database was made for another tree.
    #[error(
        "database {} was made with {field} {stored}, the configuration says {configured}: use the configuration it was \
         made with, or another `seed.db_path`",
        database.display()
    )]
    OtherTree {
        /// The database.
        database: PathBuf,
        /// The first field that differs.
        field: String,
        /// Its value when the database was made, as JSON.
        stored: String,
        /// Its value now, as JSON.
        configured: String,
    },
    /// Somebody else has the database open.
    #[error("database {} is in use: close the other simulator, or use another `seed.db_path`", database.display())]
    InUse {
        /// The database.
        database: PathBuf,
    },
    /// The database can be neither opened nor created, or holds something else.
    #[error("cannot open database {}: {reason}; check `seed.db_path`", database.display())]
    Database {
        /// The database.
        database: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
