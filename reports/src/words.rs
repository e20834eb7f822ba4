//! Times and lists as people read them, beside the numbers, sizes and durations of `model`.

use std::time::Duration;

use chrono::DateTime;
use longhaul_model::human;

pub(crate) use longhaul_model::human::{bytes, count, counted};

/// `2026-01-31 12:34:56`, UTC.
pub(crate) fn time(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-01-31T12:34:56Z`.
pub(crate) fn time_for_programs(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `2 min 03 s`, of a number of nanoseconds.
pub(crate) fn duration(ns: i64) -> String {
    human::duration(Duration::from_nanos(ns.max(0).unsigned_abs()))
}

/// The parts of a sentence, joined by commas and a last `and`.
pub(crate) fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [one, other] => format!("{one} and {other}"),
        [first @ .., last] => format!("{}, and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc() {
        assert_eq!(time(1_600_000_000_123_456_789), "2020-09-13 12:26:40");
        assert_eq!(time_for_programs(0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn lists_end_with_and() {
        let parts = |parts: &[&str]| listed(&parts.iter().map(|&part| part.to_owned()).collect::<Vec<_>>());
        assert_eq!(parts(&[]), "");
        assert_eq!(parts(&["a"]), "a");
        assert_eq!(parts(&["a", "b"]), "a and b");
        assert_eq!(parts(&["a", "b", "c"]), "a, b, and c");
    }
}
