//! What the program logs of each folder that the simulator listed.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use longhaul_model::Side;

use crate::shared::trace::{Trace, What};

/// What the program is told to log.
pub(super) const LOG_FILTER: &str = "warn,longhaul::listing=trace";

const DAY_US: u64 = 24 * 60 * 60 * 1_000_000;

/// A folder that was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listing {
    pub(super) at: TimeOfDay,
    pub(super) side: Side,
    /// In its printable form.
    pub(super) path: String,
}

impl Listing {
    /// Reads a line of the log; nothing where it is about something else.
    pub(super) fn parse(line: &str) -> Option<Listing> {
        let Trace { what: What::Listed, side, path } = Trace::parse(line)? else { return None };
        let (time, _) = line.split_once(" TRACE ")?;
        Some(Listing { at: TimeOfDay::parse(time)?, side, path })
    }
}

/// Microseconds since midnight, UTC: all that is needed to tell moments of one run apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TimeOfDay(u64);

impl TimeOfDay {
    pub(super) fn now() -> TimeOfDay {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        TimeOfDay(u64::try_from(since_1970.as_micros() % u128::from(DAY_US)).expect("a day has fewer"))
    }

    /// Reads a time like `2026-01-31T23:59:59.123456Z`.
    fn parse(text: &str) -> Option<TimeOfDay> {
        let (_, time) = text.trim().strip_suffix('Z')?.split_once('T')?;
        let (whole, fraction) = time.split_once('.')?;
        let mut seconds = 0;
        for part in whole.split(':') {
            seconds = seconds * 60 + part.parse::<u64>().ok()?;
        }
        let micros: u64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
        Some(TimeOfDay(seconds * 1_000_000 + micros))
    }

    /// How long after `earlier` this is, less than a day.
    pub(super) fn since(self, earlier: TimeOfDay) -> Duration {
        Duration::from_micros((self.0 + DAY_US - earlier.0) % DAY_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_read_from_its_line_and_nothing_from_others() {
        let line = "2026-01-31T23:59:59.500000Z TRACE longhaul::listing: world=s1 path=/a folder/with path=x";
        let listing = Listing::parse(line).unwrap();
        assert_eq!((listing.side, listing.path.as_str()), (Side::Destination, "/a folder/with path=x"));
        let midnight = TimeOfDay::parse("2026-02-01T00:00:01.25Z").unwrap();
        assert_eq!(midnight.since(listing.at), Duration::from_millis(1_750));
        for other in ["", "longhaul: interrupted", "2026-01-31T23:59:59.5Z  INFO longhaul_actors: traversing"] {
            assert_eq!(Listing::parse(other), None);
        }
    }
}
