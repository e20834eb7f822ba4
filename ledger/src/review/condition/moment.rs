//! Moments: points in time as people write them, which are as wide as what was written is coarse. That width is why they
//! are read here; the calendar is `chrono`'s.

use std::fmt;
use std::ops::Range;

use chrono::{DateTime, NaiveDate, NaiveDateTime};

const SECOND_NS: i64 = 1_000_000_000;

/// A point in time: a whole day where a day was written, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// Begins so many nanoseconds after 1970, UTC.
    At { start_ns: i64, precision: Precision },
    /// So many units before now.
    Ago { amount: u32, unit: Unit },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Precision {
    Day,
    Minute,
    Second,
    Nanosecond,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    /// 365 days.
    Year,
}

impl Precision {
    const fn length_ns(self) -> i64 {
        match self {
            Precision::Day => 86_400 * SECOND_NS,
            Precision::Minute => 60 * SECOND_NS,
            Precision::Second => SECOND_NS,
            Precision::Nanosecond => 1,
        }
    }
}

impl Unit {
    pub(super) const ALL: [Unit; 6] = [Unit::Second, Unit::Minute, Unit::Hour, Unit::Day, Unit::Week, Unit::Year];

    const fn as_char(self) -> char {
        match self {
            Unit::Second => 's',
            Unit::Minute => 'm',
            Unit::Hour => 'h',
            Unit::Day => 'd',
            Unit::Week => 'w',
            Unit::Year => 'y',
        }
    }

    const fn seconds(self) -> i64 {
        match self {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3_600,
            Unit::Day => 86_400,
            Unit::Week => 7 * 86_400,
            Unit::Year => 365 * 86_400,
        }
    }
}

impl Moment {
    /// Reads a day, a time, or how long ago. `None` where it is none of that, or beyond what nanoseconds can say: the years
    /// 1678 to 2261.
    pub(super) fn parse(text: &str) -> Option<Moment> {
        parse_ago(text).or_else(|| parse_time(text))
    }

    /// From when to when it is, in nanoseconds since 1970: the end is no more part of it.
    pub(super) fn range(self, now_ns: i64) -> Range<i64> {
        let (start, length) = match self {
            Moment::At { start_ns, precision } => (start_ns, precision.length_ns()),
            Moment::Ago { amount, unit } => {
                let ago = i64::from(amount).saturating_mul(unit.seconds()).saturating_mul(SECOND_NS);
                (now_ns.saturating_sub(ago), 1)
            }
        };
        start..start.saturating_add(length)
    }
}

/// A time as people read it, in UTC: `2020-01-31T18:00:00Z`, with a fraction where there is one. Conditions take it.
pub(crate) fn time_text(ns: i64) -> String {
    let time = DateTime::from_timestamp_nanos(ns);
    let format = if ns % SECOND_NS == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.9fZ" };
    time.format(format).to_string()
}

fn parse_ago(text: &str) -> Option<Moment> {
    let text = text.strip_suffix("ago").map_or(text, str::trim_end);
    let (amount, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let unit = Unit::ALL.into_iter().find(|known| unit.chars().eq([known.as_char()]))?;
    if !amount.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Moment::Ago { amount: amount.parse().ok()?, unit })
}

fn parse_time(text: &str) -> Option<Moment> {
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text).replacen([' ', 't'], "T", 1);
    let moment = |time: NaiveDateTime, precision| {
        let start_ns = time.and_utc().timestamp_nanos_opt()?;
        Some(Moment::At { start_ns, precision })
    };
    if let Ok(day) = NaiveDate::parse_from_str(&text, "%Y-%m-%d") {
        return moment(day.and_hms_opt(0, 0, 0)?, Precision::Day);
    }
    if let Ok(time) = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M") {
        return moment(time, Precision::Minute);
    }
    let time = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    moment(time, if text.contains('.') { Precision::Nanosecond } else { Precision::Second })
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Moment::Ago { amount, unit } => write!(f, "{amount}{} ago", unit.as_char()),
            Moment::At { start_ns, precision } => {
                let format = match precision {
                    Precision::Day => "%Y-%m-%d",
                    Precision::Minute => "%Y-%m-%dT%H:%M",
                    Precision::Second => "%Y-%m-%dT%H:%M:%S",
                    Precision::Nanosecond => "%Y-%m-%dT%H:%M:%S%.9f",
                };
                write!(f, "{}", DateTime::from_timestamp_nanos(*start_ns).format(format))
            }
        }
    }
}
