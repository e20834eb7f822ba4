//! The steps in which a store keeps modification times, told from what it has kept of one.

/// The time that a store is asked to keep, in nanoseconds since 1970. Every digit tells: the seconds are odd, and none of
/// the fractions rounds to one that is coarser. It is after 1980, which is when the times of FAT begin.
pub(crate) const PROBED_NS: i64 = 1_000_000_001_123_456_789;

/// The steps that there are, in nanoseconds, the coarsest first.
const STEPS_NS: [i64; 9] =
    [2_000_000_000, 1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100];

/// The steps of a store that has kept this of [`PROBED_NS`], in nanoseconds; `None` if it is some other time: then
/// somebody else has set it, or the store cannot keep a time of that year.
pub(crate) fn of_kept(kept_ns: i64) -> Option<u64> {
    let step_ns = STEPS_NS.into_iter().find(|step_ns| kept_ns % step_ns == 0).unwrap_or(1);
    ((kept_ns - PROBED_NS).abs() < step_ns).then_some(step_ns.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_from_what_is_cut_off_or_rounded() {
        assert_eq!(of_kept(PROBED_NS), Some(1));
        for step_ns in STEPS_NS {
            let cut_off = PROBED_NS - PROBED_NS % step_ns;
            let rounded = (PROBED_NS + step_ns / 2) / step_ns * step_ns;
            assert_eq!(of_kept(cut_off), Some(step_ns.unsigned_abs()), "{cut_off}");
            assert_eq!(of_kept(rounded), Some(step_ns.unsigned_abs()), "{rounded}");
        }
    }

    #[test]
    fn another_time_says_nothing() {
        assert_eq!(of_kept(0), None);
        assert_eq!(of_kept(PROBED_NS + 1), None);
        assert_eq!(of_kept(1_700_000_000_000_000_000), None);
    }
}
