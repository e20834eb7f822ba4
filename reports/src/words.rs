//! Numbers as people read them.

use chrono::DateTime;
use indicatif::{HumanBytes, HumanCount};

/// `1,234,567`.
pub(crate) fn count(number: i64) -> String {
    HumanCount(number.unsigned_abs()).to_string()
}

/// `12.34 GiB`.
pub(crate) fn bytes(number: i64) -> String {
    HumanBytes(number.unsigned_abs()).to_string()
}

/// `1 file`, `2 files`.
pub(crate) fn counted(number: i64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// `2026-01-31 12:34:56`, UTC.
pub(crate) fn time(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-01-31T12:34:56Z`.
pub(crate) fn time_for_programs(ns: i64) -> String {
    DateTime::from_timestamp_nanos(ns).format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// `3 d 4 h`, `1 h 05 min`, `2 min 03 s`, `4.5 s`.
pub(crate) fn duration(ns: i64) -> String {
    let seconds = ns.max(0) / 1_000_000_000;
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, _) => {
            let tenths = ns.max(0) / 100_000_000;
            format!("{}.{} s", tenths / 10, tenths % 10)
        }
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes:02} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
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
    fn durations_have_two_parts_at_most() {
        let second = 1_000_000_000;
        assert_eq!(duration(1_260_000_000), "1.2 s");
        assert_eq!(duration(63 * second), "1 min 03 s");
        assert_eq!(duration(3_900 * second), "1 h 05 min");
        assert_eq!(duration(90_000 * second), "1 d 1 h");
        assert_eq!(duration(-5), "0.0 s");
    }

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
