//! Numbers, sizes and durations as people read and write them: the one place where they are printed and parsed.
//!
//! By hand, since none of the usual crates says it as it is said here. `humansize` gives whole bytes decimals, and `jiff`
//! prints `3mins 20secs`. Of what is typed, `bytesize` and `parse-size` take `10M` for 1000² bytes or `10MB` for 1024²,
//! and read it as floating point; to `jiff` a year is one of the calendar.

use std::fmt;
use std::time::Duration;

/// A number: `1,234,567`.
pub fn count(number: impl Into<i128>) -> String {
    let digits = number.into().unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 file`, `2 files`.
pub fn counted(number: impl Into<i128>, one: &str) -> String {
    let number = number.into();
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {one}{plural}", count(number))
}

/// A size: `12.34 GiB`, and whole bytes below 1 KiB.
pub fn bytes(number: impl Into<i128>) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let bytes = number.into().unsigned_abs();
    let mut size = 1;
    let mut unit = "B";
    for larger in UNITS {
        if bytes < size * 1024 {
            break;
        }
        (size, unit) = (size * 1024, larger);
    }
    if size == 1 {
        return format!("{bytes} B");
    }
    let hundredths = (bytes * 100 + size / 2) / size;
    format!("{}.{:02} {unit}", hundredths / 100, hundredths % 100)
}

/// Reads a size in bytes: `1500`, `10M` and `10MiB` (1024 each time), `10MB` (1000), `1.5G`. `None` where it is no size,
/// or more than a file can have.
pub fn parse_bytes(text: &str) -> Option<i64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.to_ascii_lowercase();
    let (letter, base) =
        match unit.strip_suffix("ib").map(|letter| (letter, 1024)).or_else(|| Some((unit.strip_suffix('b')?, 1000))) {
            Some(("", 1024)) => return None,
            Some(split) => split,
            None => (unit.as_str(), 1024),
        };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let factor = i128::from(base).pow(power);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    let whole: i128 = whole.parse::<i64>().ok()?.into();
    // More digits than this say nothing about bytes.
    let fraction = match fraction {
        None => 0,
        Some(part) if part.is_empty() || part.len() > 18 => return None,
        Some(part) => i128::from(part.parse::<i64>().ok()?) * factor / 10_i128.pow(u32::try_from(part.len()).ok()?),
    };
    i64::try_from(whole * factor + fraction).ok()
}

/// A duration, in its two largest units: `3 d 4 h`, `1 h 05 min`, `2 min 03 s`, `4.5 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds}.{} s", duration.subsec_millis() / 100),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes:02} min"),
        (days, hours, ..) => format!("{days} d {hours} h"),
    }
}

/// A number of units of time, as it is typed: `90s`, `30m`, `12h`, `30d`, `2w`, `1y`, where a year has 365 days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    amount: u32,
    unit: char,
}

impl Age {
    const UNITS: [(char, i64); 6] =
        [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 7 * 86_400), ('y', 365 * 86_400)];

    /// Reads it. `None` where it is no such thing.
    pub fn parse(text: &str) -> Option<Age> {
        let unit = text.chars().next_back().filter(|unit| Self::UNITS.iter().any(|(known, _)| known == unit))?;
        let amount = &text[..text.len() - unit.len_utf8()];
        if !amount.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        Some(Age { amount: amount.parse().ok()?, unit })
    }

    /// How long it is, in nanoseconds; as much as fits where it is longer than that.
    pub fn ns(self) -> i64 {
        let seconds = Self::UNITS.into_iter().find(|(unit, _)| *unit == self.unit).map_or(0, |(_, seconds)| seconds);
        i64::from(self.amount).saturating_mul(seconds).saturating_mul(1_000_000_000)
    }
}

impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, self.unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 1_000, 123_456, 1_234_567].map(count), ["0", "999", "1,000", "123,456", "1,234,567"]);
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!([counted(1, "file"), counted(2_000, "file")], ["1 file", "2,000 files"]);
    }

    #[test]
    fn sizes_have_two_decimals_from_1_kib_on() {
        assert_eq!(
            [0, 1_023, 1_024, 1_536, 10 << 20].map(bytes),
            ["0 B", "1023 B", "1.00 KiB", "1.50 KiB", "10.00 MiB"]
        );
        assert_eq!(bytes(65_710_954_906_i64), "61.20 GiB");
        assert_eq!(bytes(u64::MAX), "16.00 EiB");
    }

    #[test]
    fn sizes_have_units_of_1024_or_1000() {
        for (typed, expected) in [
            ("1500", 1_500),
            ("10k", 10_240),
            ("10KiB", 10_240),
            ("10kB", 10_000),
            ("1.5G", 3 << 29),
            ("2b", 2),
            ("8191.5P", 9_222_809_086_901_354_496),
        ] {
            assert_eq!(parse_bytes(typed), Some(expected), "{typed}");
        }
        for typed in ["", "M", "1.", "1..5", "10x", "10iB", "-1", "8192P", "1.1234567890123456789"] {
            assert_eq!(parse_bytes(typed), None, "{typed}");
        }
    }

    #[test]
    fn durations_have_two_parts_at_most() {
        assert_eq!(duration(Duration::from_millis(1_260)), "1.2 s");
        assert_eq!(duration(Duration::from_secs(63)), "1 min 03 s");
        assert_eq!(duration(Duration::from_mins(65)), "1 h 05 min");
        assert_eq!(duration(Duration::from_hours(25)), "1 d 1 h");
    }

    #[test]
    fn ages_are_read_and_printed_as_they_are_typed() {
        for (typed, seconds) in [("0s", 0), ("90s", 90), ("30m", 1_800), ("12h", 43_200), ("30d", 2_592_000)] {
            let age = Age::parse(typed).unwrap();
            assert_eq!((age.ns(), age.to_string().as_str()), (seconds * 1_000_000_000, typed));
        }
        assert_eq!(Age::parse("4000000000y").unwrap().ns(), i64::MAX);
        for typed in ["", "d", "30", "30 d", "+3d", "3ü", "5000000000d"] {
            assert!(Age::parse(typed).is_none(), "{typed}");
        }
    }
}
