//! The configuration: what a simulated tree is to be like, as people write it in JSON.

mod chaos;
mod error;
mod location;
mod ranges;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use chaos::{
    BackoffConfig, BandwidthConfig, ChaosConfig, FaultRule, LatencyConfig, PacketLossConfig, RateConfig, RateLimits,
};
pub use error::ConfigError;

use ranges::check;

/// Name of the world that has everything.
pub const PRIMARY_WORLD: &str = "primary";

/// Most worlds besides `primary`: their number is one byte in the keys of the database.
const SECONDARY_WORLDS_MAX: usize = 200;

/// A whole configuration. Everything has a default, so `{}` is one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether what is written outlives the process.
    pub mode: Mode,
    /// The shape of the tree.
    pub seed: SeedConfig,
    /// Where the HTTP interface listens.
    pub api: ApiConfig,
    /// Worlds besides `primary`: name and probability, from 0 to 1, that a node exists where its parent does.
    pub secondary_tables: BTreeMap<String, f64>,
    /// What goes wrong.
    pub chaos: ChaosConfig,
}

/// Whether what is written into worlds outlives the process. The generated tree needs no keeping in either mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Writes are kept in the database at `seed.db_path`.
    #[default]
    Persistent,
    /// Writes are kept in memory.
    Ephemeral,
}

/// The shape of the tree, its files, and where writes are kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SeedConfig {
    /// Depth of the deepest nodes; the root has depth 0. Folders at this depth are empty.
    pub max_depth: u32,
    /// Fewest folders in a folder.
    pub min_folders: u32,
    /// Most folders in the root; see `folder_depth_decay_factor`.
    pub max_folders: u32,
    /// Fewest files in a folder.
    pub min_files: u32,
    /// Most files in the root; see `file_depth_decay_factor`.
    pub max_files: u32,
    /// Another number gives another tree.
    pub seed: u64,
    /// The database of persistent mode; relative to the working directory.
    pub db_path: PathBuf,
    /// Weight of each next bucket [0, 10), [10, 100), [100, 1000) … of numbers of folders, in proportion to the one
    /// before; with 1 there are no buckets, and all numbers come alike.
    pub folder_backoff_factor: f64,
    /// What `max_folders` is multiplied with at each further depth; it never falls below `min_folders`.
    pub folder_depth_decay_factor: f64,
    /// As `folder_backoff_factor`, for files.
    pub file_backoff_factor: f64,
    /// As `folder_depth_decay_factor`, for files.
    pub file_depth_decay_factor: f64,
    /// Another number gives other contents in the same tree.
    pub file_binary_seed: u64,
    /// Whether secondary worlds draw their own numbers of children, and so have nodes that `primary` lacks.
    pub diverging_tree_mode: bool,
    /// Smallest size of a file in bytes; sizes are spread evenly over orders of magnitude.
    pub min_file_size: u64,
    /// Largest size of a file in bytes.
    pub max_file_size: u64,
    /// Probability that a file of a secondary world is an older version: earlier time, other contents, and where
    /// sizes vary half of the time another size.
    pub stale_probability: f64,
}

impl Default for SeedConfig {
    fn default() -> Self {
        Self {
            max_depth: 4,
            min_folders: 1,
            max_folders: 5,
            min_files: 1,
            max_files: 10,
            seed: 0,
            db_path: PathBuf::from("spectra.redb"),
            folder_backoff_factor: 1.0,
            folder_depth_decay_factor: 1.0,
            file_backoff_factor: 1.0,
            file_depth_decay_factor: 1.0,
            file_binary_seed: 0,
            diverging_tree_mode: false,
            min_file_size: 1024,
            max_file_size: 1024,
            stale_probability: 0.0,
        }
    }
}

/// Where the HTTP interface listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Name or address to listen on.
    pub host: String,
    /// Port to listen on; 0 for any that is free.
    pub port: u16,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: 8086 }
    }
}

impl Config {
    /// Reads and checks a configuration file. Every error names the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => ConfigError::Missing { file: path.to_owned() },
            _ => ConfigError::Unreadable { file: path.to_owned(), source: error },
        })?;
        Self::from_json(&text)
            .map_err(|problem| ConfigError::InFile { file: path.to_owned(), problem: Box::new(problem) })
    }

    /// Reads and checks a configuration.
    pub fn from_json(text: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(text).map_err(|error| parser_error(text, &error))?;
        config.validate()?;
        Ok(config)
    }

    /// Checks every value; the first that is not acceptable is the error.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let seed = &self.seed;
        check("seed.max_depth", seed.max_depth)?;
        check("seed.min_folders", seed.min_folders)?;
        check("seed.max_folders", seed.max_folders)?;
        check("seed.min_files", seed.min_files)?;
        check("seed.max_files", seed.max_files)?;
        check("seed.folder_backoff_factor", seed.folder_backoff_factor)?;
        check("seed.folder_depth_decay_factor", seed.folder_depth_decay_factor)?;
        check("seed.file_backoff_factor", seed.file_backoff_factor)?;
        check("seed.file_depth_decay_factor", seed.file_depth_decay_factor)?;
        check("seed.min_file_size", ranges::size(seed.min_file_size))?;
        check("seed.max_file_size", ranges::size(seed.max_file_size))?;
        check("seed.stale_probability", seed.stale_probability)?;
        in_order("seed.min_folders", &seed.min_folders, "seed.max_folders", &seed.max_folders)?;
        in_order("seed.min_files", &seed.min_files, "seed.max_files", &seed.max_files)?;
        in_order("seed.min_file_size", &seed.min_file_size, "seed.max_file_size", &seed.max_file_size)?;
        if self.mode == Mode::Persistent && seed.db_path.as_os_str().is_empty() {
            return Err(ConfigError::Empty { field: "seed.db_path".to_owned() });
        }
        if self.api.host.is_empty() {
            return Err(ConfigError::Empty { field: "api.host".to_owned() });
        }
        if self.secondary_tables.len() > SECONDARY_WORLDS_MAX {
            return Err(ConfigError::TooManyWorlds { count: self.secondary_tables.len(), most: SECONDARY_WORLDS_MAX });
        }
        for (name, probability) in &self.secondary_tables {
            if name == PRIMARY_WORLD {
                return Err(ConfigError::PrimaryAsSecondary);
            }
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
                return Err(ConfigError::WorldName { name: name.clone() });
            }
            ranges::check_as("secondary_tables.*", &format!("secondary_tables.{name}"), *probability)?;
        }
        self.validate_chaos(&self.chaos)
    }

    /// Checks a chaos section as if it were this configuration's.
    pub fn validate_chaos(&self, chaos: &ChaosConfig) -> Result<(), ConfigError> {
        chaos.validate(&|world| world == PRIMARY_WORLD || self.secondary_tables.contains_key(world))
    }
}

/// What the parser says, along with the field it says it of.
fn parser_error(text: &str, error: &serde_json::Error) -> ConfigError {
    let (line, column) = (error.line(), error.column());
    let whole = error.to_string();
    let reason = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(reason, _)| reason).to_owned();
    if !error.is_data() {
        return ConfigError::NotJson { line, column, reason };
    }
    let mut field = location::field_at(text, line, column);
    if reason.starts_with("unknown field") {
        // The place is that of the field's name, when the field before it has ended.
        field = location::field_at(text, line, column.saturating_sub(1));
    }
    let allowed = ranges::allowed_in(&field);
    ConfigError::Field { field, reason, allowed, line, column }
}

fn in_order<T: PartialOrd + std::fmt::Display>(
    least_field: &str,
    least: &T,
    most_field: &str,
    most: &T,
) -> Result<(), ConfigError> {
    if least <= most {
        return Ok(());
    }
    Err(ConfigError::WrongOrder {
        least_field: least_field.to_owned(),
        least: least.to_string(),
        most_field: most_field.to_owned(),
        most: most.to_string(),
    })
}
