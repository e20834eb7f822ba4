//! The chaos section: limits, latencies and faults.

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::ranges::{check, check_as, size};
use crate::fault::{FaultClass, OperationFilter};
use crate::path::NodePath;

/// What goes wrong, and how slow it is. Without any of its parts nothing does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChaosConfig {
    /// Switches the whole section off without taking it out. On by default, so that a section with something in it
    /// does something.
    pub enabled: bool,
    /// How much may be asked for.
    pub rate_limits: RateLimits,
    /// What a caller is told who asked for too much.
    pub backoff: BackoffConfig,
    /// How long operations take.
    pub latency: LatencyConfig,
    /// How often an answer gets lost.
    pub packet_loss: PacketLossConfig,
    /// Faults of certain operations and paths. The first rule that applies to a call decides.
    pub faults: Vec<FaultRule>,
}

impl Default for ChaosConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            rate_limits: RateLimits::default(),
            backoff: BackoffConfig::default(),
            latency: LatencyConfig::default(),
            packet_loss: PacketLossConfig::default(),
            faults: Vec::new(),
        }
    }
}

/// How much may be asked for, of the whole simulator. What has no limit is not limited.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// Waiting times told to callers are rounded up to a multiple of this; 0 for no rounding.
    pub poll_interval_ms: u64,
    /// For all operations together.
    pub global: Option<RateConfig>,
    /// For single operations.
    pub operations: OperationLimits,
    /// For bytes read and written together.
    pub bandwidth: Option<BandwidthConfig>,
}

/// Limits of single operations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OperationLimits {
    /// Pages of listings.
    pub list_children: Option<RateConfig>,
    /// Folders created.
    pub create_folder: Option<RateConfig>,
    /// Files written.
    pub upload_file: Option<RateConfig>,
    /// Reads of contents.
    pub get_file_data: Option<RateConfig>,
    /// Looks at nodes.
    pub get_node: Option<RateConfig>,
    /// Renames.
    pub rename_node: Option<RateConfig>,
    /// Removals.
    pub remove_node: Option<RateConfig>,
    /// Times set.
    pub set_modified: Option<RateConfig>,
}

/// A token bucket for calls.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateConfig {
    /// Calls that become possible each second.
    pub calls_per_second: f64,
    /// Calls that are possible at once after a pause.
    #[serde(default = "one")]
    pub burst: u32,
}

const fn one() -> u32 {
    1
}

/// A token bucket for bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BandwidthConfig {
    /// Bytes that become possible each second.
    pub bytes_per_second: u64,
    /// Bytes that are possible at once after a pause. One call may take more, and the next ones then wait longer.
    pub burst_bytes: u64,
}

/// What a caller is told who asked for too much: at least
/// `base_retry_after_ms × exponential_factor^n`, after `n` refusals of the same operation on the same path in a row,
/// but not more than a minute unless the limit itself says so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackoffConfig {
    /// Waiting time after the first refusal; 0 to be told only when the limit allows the call.
    pub base_retry_after_ms: u64,
    /// Factor of each further refusal.
    pub exponential_factor: f64,
}

impl Default for BackoffConfig {
    fn default() -> Self {
        Self { base_retry_after_ms: 0, exponential_factor: 2.0 }
    }
}

/// How long operations take. Told to the caller; the simulator does not sleep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LatencyConfig {
    /// Of each page of a listing.
    pub list_children_ms: u64,
    /// Of creating a folder.
    pub create_folder_ms: u64,
    /// Of writing a file.
    pub upload_file_ms: u64,
    /// Of reading contents.
    pub get_file_data_ms: u64,
    /// Of looking at a node.
    pub get_node_ms: u64,
    /// At most this much is added to listings and to all other operations that have a latency: a fixed amount for
    /// each operation and path.
    pub jitter_ms: u64,
}

/// How often an answer gets lost: a transient fault, drawn anew for each attempt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PacketLossConfig {
    /// Probability of losing the answer of a call.
    pub probability: f64,
    /// When the caller is told to try again; 0 for nothing being said.
    pub retry_after_ms: u64,
}

/// A fault of certain operations and paths.
///
/// With `first_attempts`, or for the classes `denied`, `vanished` and `bad_name`, which are about the node, chance
/// decides once for each path; for the others it decides anew for each attempt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Which operations fail.
    #[serde(default)]
    pub operation: OperationFilter,
    /// In which world; in all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub world: Option<String>,
    /// On which path: exactly this one, or with `/**` at its end that folder and all below it; on all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// How they fail.
    pub error: FaultClass,
    /// How probably, from 0 to 1.
    #[serde(default = "certain")]
    pub probability: f64,
    /// Only the first so many attempts of an operation on a path fail, counted from when the rule was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_attempts: Option<u32>,
    /// When the caller is told to try again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl FaultRule {
    /// A rule by which everything fails with `error`; narrow it by setting the other fields.
    pub fn new(error: FaultClass) -> Self {
        Self {
            operation: OperationFilter::Any,
            world: None,
            path: None,
            error,
            probability: 1.0,
            first_attempts: None,
            retry_after_ms: None,
        }
    }
}

const fn certain() -> f64 {
    1.0
}

impl OperationLimits {
    /// Each with its name, in a fixed order: that of [`Operation::ALL`](crate::Operation::ALL).
    pub(crate) fn in_order(&self) -> [Option<RateConfig>; 8] {
        [
            self.list_children,
            self.create_folder,
            self.upload_file,
            self.get_file_data,
            self.get_node,
            self.rename_node,
            self.remove_node,
            self.set_modified,
        ]
    }
}

impl ChaosConfig {
    /// Checks every value, given which worlds there are.
    pub(super) fn validate(&self, is_world: &dyn Fn(&str) -> bool) -> Result<(), ConfigError> {
        let limits = &self.rate_limits;
        check("chaos.rate_limits.poll_interval_ms", size(limits.poll_interval_ms))?;
        if let Some(rate) = limits.global {
            check("chaos.rate_limits.global.calls_per_second", rate.calls_per_second)?;
            check("chaos.rate_limits.global.burst", rate.burst)?;
        }
        for (operation, rate) in crate::Operation::ALL.into_iter().zip(limits.operations.in_order()) {
            let Some(rate) = rate else { continue };
            let of = |field: &str| format!("chaos.rate_limits.operations.{}.{field}", operation.name());
            let entry = "chaos.rate_limits.operations.*.calls_per_second";
            check_as(entry, &of("calls_per_second"), rate.calls_per_second)?;
            check_as("chaos.rate_limits.operations.*.burst", &of("burst"), rate.burst)?;
        }
        if let Some(bandwidth) = limits.bandwidth {
            check("chaos.rate_limits.bandwidth.bytes_per_second", size(bandwidth.bytes_per_second))?;
            check("chaos.rate_limits.bandwidth.burst_bytes", size(bandwidth.burst_bytes))?;
        }
        check("chaos.backoff.base_retry_after_ms", size(self.backoff.base_retry_after_ms))?;
        check("chaos.backoff.exponential_factor", self.backoff.exponential_factor)?;
        for (field, value) in [
            ("list_children_ms", self.latency.list_children_ms),
            ("create_folder_ms", self.latency.create_folder_ms),
            ("upload_file_ms", self.latency.upload_file_ms),
            ("get_file_data_ms", self.latency.get_file_data_ms),
            ("get_node_ms", self.latency.get_node_ms),
            ("jitter_ms", self.latency.jitter_ms),
        ] {
            check_as("chaos.latency.*", &format!("chaos.latency.{field}"), size(value))?;
        }
        check("chaos.packet_loss.probability", self.packet_loss.probability)?;
        check("chaos.packet_loss.retry_after_ms", size(self.packet_loss.retry_after_ms))?;
        for (index, rule) in self.faults.iter().enumerate() {
            rule.validate(&format!("chaos.faults.{index}"), is_world)?;
        }
        Ok(())
    }
}

impl FaultRule {
    fn validate(&self, at: &str, is_world: &dyn Fn(&str) -> bool) -> Result<(), ConfigError> {
        check_as("chaos.faults.*.probability", &format!("{at}.probability"), self.probability)?;
        if let Some(attempts) = self.first_attempts {
            check_as("chaos.faults.*.first_attempts", &format!("{at}.first_attempts"), attempts)?;
        }
        if let Some(wait) = self.retry_after_ms {
            check_as("chaos.faults.*.retry_after_ms", &format!("{at}.retry_after_ms"), size(wait))?;
        }
        if let Some(world) = &self.world
            && !is_world(world)
        {
            return Err(ConfigError::FaultWorld { field: format!("{at}.world"), world: world.clone() });
        }
        if let Some(path) = &self.path {
            let fixed = path.strip_suffix("/**").unwrap_or(path);
            let acceptable = (fixed.is_empty() && path == "/**") || NodePath::parse(fixed.as_bytes()).is_ok();
            if !acceptable || fixed.contains('*') {
                return Err(ConfigError::FaultPath { field: format!("{at}.path"), path: path.clone() });
            }
        }
        Ok(())
    }
}
