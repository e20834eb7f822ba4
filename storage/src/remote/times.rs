//! Modification times of files in stores that only know when something was written: they are kept beside the file, in
//! the same form as rclone does, so that either reads what the other has written.

use opendal::Metadata;

/// The name of the time among what is kept beside a file.
const KEY: &str = "mtime";

const NS_PER_S: i64 = 1_000_000_000;

/// What to keep of a time: seconds since 1970 with nine digits behind the point.
pub(super) fn to_metadata(modified_ns: i64) -> (String, String) {
    let (seconds, ns) = (modified_ns.div_euclid(NS_PER_S), modified_ns.rem_euclid(NS_PER_S));
    // Before 1970 the fraction counts backwards as well.
    let text = match (seconds < 0, ns) {
        (true, 1..) if seconds == -1 => format!("-0.{:09}", NS_PER_S - ns),
        (true, 1..) => format!("{}.{:09}", seconds + 1, NS_PER_S - ns),
        _ => format!("{seconds}.{ns:09}"),
    };
    (KEY.to_owned(), text)
}

/// The time that was kept beside a file; `None` where none was, or not one that can be read.
pub(super) fn from_metadata(metadata: &Metadata) -> Option<i64> {
    parse(metadata.user_metadata()?.get(KEY)?)
}

/// When it was written, as the store says.
pub(super) fn written_ns(metadata: &Metadata) -> Option<i64> {
    let written = metadata.last_modified()?;
    i64::try_from(written.into_inner().as_nanosecond()).ok()
}

fn parse(text: &str) -> Option<i64> {
    if text.contains('T') {
        let written: opendal::raw::Timestamp = text.parse().ok()?;
        return i64::try_from(written.into_inner().as_nanosecond()).ok();
    }
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    let ns: i64 = fraction.parse().ok()?;
    seconds.parse::<i64>().ok()?.checked_mul(NS_PER_S)?.checked_add(ns).map(|ns| sign * ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_was_written() {
        for ns in [0, 1, 999_999_999, 1_700_000_000_123_456_789, -1, -1_000_000_000, -1_500_000_000, -2_000_000_001] {
            assert_eq!(parse(&to_metadata(ns).1), Some(ns), "{ns}");
        }
    }

    #[test]
    fn times_of_others_are_understood() {
        assert_eq!(parse("1354040105"), Some(1_354_040_105_000_000_000));
        assert_eq!(parse("1354040105.123"), Some(1_354_040_105_123_000_000));
        assert_eq!(parse("2012-11-27T18:15:05.5Z"), Some(1_354_040_105_500_000_000));
        for text in ["", "x", "1.x", ".5", "99999999999999999999"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
