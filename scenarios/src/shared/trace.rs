//! What the program logs of each folder that the simulator listed, and of each file that was written into it.

use longhaul_model::Side;
use serde::{Deserialize, Serialize};

/// What the program is told to log.
pub(crate) const LOG_FILTER: &str = "warn,longhaul::listing=trace,longhaul::copying=trace";

const MARKS: [(&str, What); 2] =
    [(" TRACE longhaul::listing: world=", What::Listed), (" TRACE longhaul::copying: world=", What::Written)];

/// The world of a side.
pub(crate) fn world_of(side: Side) -> &'static str {
    match side {
        Side::Source => "primary",
        Side::Destination => "s1",
    }
}

/// Something that the simulator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trace {
    pub(crate) what: What,
    pub(crate) side: Side,
    /// In its printable form.
    pub(crate) path: String,
}

/// What it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A folder was listed.
    Listed,
    /// A file was written, and has its name.
    Written,
}

impl Trace {
    /// Reads a line of the log; nothing where it is about something else.
    pub(crate) fn parse(line: &str) -> Option<Trace> {
        let (what, rest) = MARKS.iter().find_map(|(mark, what)| Some((*what, line.split_once(mark)?.1)))?;
        let (world, path) = rest.split_once(" path=")?;
        let side = Side::BOTH.into_iter().find(|side| world_of(*side) == world)?;
        Some(Trace { what, side, path: path.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_simulator_did_is_read_from_its_line_and_nothing_from_others() {
        let parse = |rest: &str| Trace::parse(&format!("2026-01-31T23:59:59.500000Z TRACE longhaul::{rest}"));
        let trace = |what, side, path: &str| Some(Trace { what, side, path: path.to_owned() });
        assert_eq!(
            parse("listing: world=s1 path=/a folder/with path=x"),
            trace(What::Listed, Side::Destination, "/a folder/with path=x")
        );
        assert_eq!(parse("copying: world=primary path=/a"), trace(What::Written, Side::Source, "/a"));
        for other in ["copying: file path=/a", "listing: world=s2 path=/a", "other: world=s1 path=/a"] {
            assert_eq!(parse(other), None);
        }
    }
}
