//! The range of every number in a configuration, in one table, which errors are worded from.

use super::ConfigError;

/// Field, least and most, both allowed. A star stands for any one name or index.
const RANGES: &[(&str, f64, f64)] = &[
    ("seed.max_depth", 0.0, 255.0),
    ("seed.min_folders", 0.0, 10_000_000.0),
    ("seed.max_folders", 0.0, 10_000_000.0),
    ("seed.min_files", 0.0, 10_000_000.0),
    ("seed.max_files", 0.0, 10_000_000.0),
    ("seed.folder_backoff_factor", 0.01, 100.0),
    ("seed.folder_depth_decay_factor", 0.0, 1.0),
    ("seed.file_backoff_factor", 0.01, 100.0),
    ("seed.file_depth_decay_factor", 0.0, 1.0),
    ("seed.min_file_size", 0.0, SIZE_MAX),
    ("seed.max_file_size", 0.0, SIZE_MAX),
    ("seed.stale_probability", 0.0, 1.0),
    ("api.port", 0.0, 65_535.0),
    ("secondary_tables.*", 0.0, 1.0),
    ("chaos.rate_limits.poll_interval_ms", 0.0, MS_MAX),
    ("chaos.rate_limits.global.calls_per_second", 0.001, RATE_MAX),
    ("chaos.rate_limits.global.burst", 1.0, 4_294_967_295.0),
    ("chaos.rate_limits.operations.*.calls_per_second", 0.001, RATE_MAX),
    ("chaos.rate_limits.operations.*.burst", 1.0, 4_294_967_295.0),
    ("chaos.rate_limits.bandwidth.bytes_per_second", 1.0, SIZE_MAX),
    ("chaos.rate_limits.bandwidth.burst_bytes", 1.0, SIZE_MAX),
    ("chaos.backoff.base_retry_after_ms", 0.0, MS_MAX),
    ("chaos.backoff.exponential_factor", 1.0, 100.0),
    ("chaos.latency.*", 0.0, MS_MAX),
    ("chaos.packet_loss.probability", 0.0, 1.0),
    ("chaos.packet_loss.retry_after_ms", 0.0, MS_MAX),
    ("chaos.faults.*.probability", 0.0, 1.0),
    ("chaos.faults.*.first_attempts", 1.0, 4_294_967_295.0),
    ("chaos.faults.*.retry_after_ms", 0.0, MS_MAX),
];

/// 1 PiB.
const SIZE_MAX: f64 = 1_125_899_906_842_624.0;
/// A day.
const MS_MAX: f64 = 86_400_000.0;
const RATE_MAX: f64 = 1_000_000_000.0;

/// Checks the value of a field of the table.
pub(super) fn check(field: &str, value: impl Into<f64>) -> Result<(), ConfigError> {
    check_as(field, field, value)
}

/// Checks the value of a field whose path has a star in the table.
pub(super) fn check_as(entry: &str, field: &str, value: impl Into<f64>) -> Result<(), ConfigError> {
    let (_, least, most) =
        RANGES.iter().find(|(name, ..)| *name == entry).unwrap_or_else(|| panic!("no range for {entry}"));
    let value = value.into();
    // Not a number is in no range.
    if (*least..=*most).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange {
        field: field.to_owned(),
        value: value.to_string(),
        allowed: format!("{least} to {most}"),
    })
}

/// What is allowed in a field, where it is a number of this table.
pub(super) fn allowed_in(field: &str) -> Option<String> {
    // Any 64-bit number, which the parser checks; an f64 could not word the end of the range.
    if ["seed.seed", "seed.file_binary_seed"].contains(&field) {
        return Some(format!("0 to {}", u64::MAX));
    }
    let matches = |entry: &str| {
        let (mut wanted, mut given) = (entry.split('.'), field.split('.'));
        loop {
            match (wanted.next(), given.next()) {
                (None, None) => return true,
                (Some(wanted), Some(given)) if wanted == "*" || wanted == given => {}
                _ => return false,
            }
        }
    };
    RANGES.iter().find(|(entry, ..)| matches(entry)).map(|(_, least, most)| format!("{least} to {most}"))
}

/// A number of bytes or milliseconds, to be compared with a range.
#[expect(clippy::cast_precision_loss, reason = "near the limits, which are powers of two or small, it is exact enough")]
pub(super) fn size(bytes: u64) -> f64 {
    bytes as f64
}
