//! When a file on the destination counts as the same as the one on the source.

/// What a listing says of a file, as far as comparing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Bytes; `None` where the store does not say.
    pub size: Option<i64>,
    /// Nanoseconds since 1970; `None` where the store does not say.
    pub modified_ns: Option<i64>,
}

/// The comparison policy: same size, and modification times that differ by no more than the tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Comparison {
    /// The largest difference of modification times, in nanoseconds, that still counts as the same time. Follows from
    /// the coarser of the two stores' time resolutions.
    pub time_tolerance_ns: u64,
}

impl Comparison {
    /// The policy for two stores with these time resolutions, in nanoseconds. Times of the finer store are cut off, or
    /// rounded, to the coarser one's steps, so that they may differ by less than one such step; two stores that both
    /// keep nanoseconds must agree exactly.
    pub fn for_resolutions(source_ns: u64, destination_ns: u64) -> Self {
        Comparison { time_tolerance_ns: source_ns.max(destination_ns).saturating_sub(1) }
    }

    /// Whether the destination has the file already. What is not known on either side never counts as the same.
    pub fn is_same(&self, source: FileFacts, destination: FileFacts) -> bool {
        let same_size = source.size.is_some() && source.size == destination.size;
        let same_time = match (source.modified_ns, destination.modified_ns) {
            (Some(source), Some(destination)) => source.abs_diff(destination) <= self.time_tolerance_ns,
            _ => false,
        };
        same_size && same_time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(size: i64, modified_ns: i64) -> FileFacts {
        FileFacts { size: Some(size), modified_ns: Some(modified_ns) }
    }

    #[test]
    fn times_may_differ_by_less_than_one_step_of_the_coarser_store() {
        let seconds = Comparison::for_resolutions(1, 1_000_000_000);
        assert!(seconds.is_same(facts(5, 7_999_999_999), facts(5, 7_000_000_000)));
        assert!(!seconds.is_same(facts(5, 8_000_000_000), facts(5, 7_000_000_000)));
        let exact = Comparison::for_resolutions(1, 1);
        assert!(exact.is_same(facts(5, 7), facts(5, 7)));
        assert!(!exact.is_same(facts(5, 7), facts(5, 8)));
        assert!(!exact.is_same(facts(5, 7), facts(6, 7)));
    }

    #[test]
    fn what_is_not_known_is_not_the_same() {
        let unknown = FileFacts { size: Some(5), modified_ns: None };
        assert!(!Comparison::for_resolutions(1, 1).is_same(unknown, unknown));
    }

    #[test]
    fn times_at_the_ends_of_the_range_do_not_overflow() {
        assert!(!Comparison::for_resolutions(1, 1).is_same(facts(1, i64::MIN), facts(1, i64::MAX)));
    }
}
