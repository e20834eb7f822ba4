//! How many children a folder has: the range that shrinks with depth, and the buckets that favour small folders.

use crate::mixing::{between, mix, unit};

/// Numbers of children at one depth, ready to be drawn from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FanOut {
    /// Each with the upper end of its share of the unit interval; the last one's is at least 1.
    buckets: Vec<Bucket>,
}

#[derive(Clone, Debug, PartialEq)]
struct Bucket {
    share_end: f64,
    least: u32,
    most: u32,
}

impl FanOut {
    /// The fan-outs of depth 0, 1, … below `max_depth`, the depth of the folder whose children are counted.
    ///
    /// The effective maximum is `most × decay_factor^depth` rounded down, but never less than `least`. With a
    /// `backoff_factor` other than 1, a bucket [0, 10), [10, 100), [100, 1000) … is chosen with weight
    /// `backoff_factor^i` among those that overlap `[least, effective maximum]`, and then a number of that overlap,
    /// uniformly. With 1 the number is uniform over the whole range.
    pub(crate) fn by_depth(least: u32, most: u32, decay_factor: f64, backoff_factor: f64, max_depth: u32) -> Vec<Self> {
        let mut shrunk = f64::from(most);
        let mut fan_outs = Vec::new();
        for _ in 0..max_depth {
            fan_outs.push(Self::new(least, whole(shrunk).max(least), backoff_factor));
            // Multiplied step by step: `powi` may round differently between platforms.
            shrunk *= decay_factor;
        }
        fan_outs
    }

    #[expect(clippy::float_cmp, reason = "1 means that there are no buckets; anything near 1 has them")]
    fn new(least: u32, most: u32, backoff_factor: f64) -> Self {
        let mut buckets = Vec::new();
        if backoff_factor == 1.0 {
            buckets.push(Bucket { share_end: 1.0, least, most });
        } else {
            let (mut start, mut end, mut weight, mut total) = (0_u64, 10_u64, 1.0, 0.0);
            while start <= u64::from(most) {
                if end > u64::from(least) {
                    total += weight;
                    let within = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).clamp(least, most);
                    buckets.push(Bucket { share_end: total, least: within(start), most: within(end - 1) });
                }
                (start, end, weight) = (end, end * 10, weight * backoff_factor);
            }
            for bucket in &mut buckets {
                bucket.share_end /= total;
            }
        }
        Self { buckets }
    }

    /// The number of children of the folder whose stream starts at `key`.
    #[expect(clippy::cast_possible_truncation, reason = "the bucket's limits are 32 bits wide")]
    pub(crate) fn draw(&self, key: u64) -> u32 {
        let bucket = match self.buckets.as_slice() {
            [only] => only,
            several => {
                let position = unit(mix(key, 1));
                let found = several.iter().find(|bucket| position < bucket.share_end);
                found.unwrap_or(&several[several.len() - 1])
            }
        };
        between(mix(key, 2), u64::from(bucket.least), u64::from(bucket.most)) as u32
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the number is not negative, and not above a u32 it was made from"
)]
fn whole(number: f64) -> u32 {
    number as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draws(fan_out: &FanOut) -> Vec<u32> {
        (0..20_000).map(|number| fan_out.draw(mix(99, number))).collect()
    }

    #[test]
    fn without_a_backoff_factor_all_numbers_of_the_range_come_alike() {
        let fan_out = &FanOut::by_depth(4, 8, 1.0, 1.0, 1)[0];
        let drawn = draws(fan_out);
        for number in 4..=8 {
            let share = drawn.iter().filter(|&&count| count == number).count();
            assert!((3700..4300).contains(&share), "{number}: {share}");
        }
        assert!(drawn.iter().all(|count| (4..=8).contains(count)));
    }

    #[test]
    fn the_maximum_shrinks_with_depth_but_not_below_the_minimum() {
        let by_depth = FanOut::by_depth(5, 40, 0.5, 1.0, 6);
        let highest: Vec<u32> = by_depth.iter().map(|fan_out| draws(fan_out).into_iter().max().unwrap()).collect();
        assert_eq!(highest, [40, 20, 10, 5, 5, 5]);
    }

    #[test]
    fn a_bucket_is_chosen_by_its_weight() {
        let drawn = draws(&FanOut::by_depth(0, 5000, 1.0, 0.5, 1)[0]);
        let share = |from: u32, to: u32| drawn.iter().filter(|&&count| (from..to).contains(&count)).count();
        // Weights 1, 1/2, 1/4, 1/8: of 20 000 draws 10 667, 5 333, 2 667, 1 333.
        assert!((10_300..11_000).contains(&share(0, 10)));
        assert!((5_050..5_620).contains(&share(10, 100)));
        assert!((2_450..2_890).contains(&share(100, 1000)));
        assert!((1_150..1_520).contains(&share(1000, 5001)));
    }

    #[test]
    fn buckets_outside_of_the_range_are_never_chosen() {
        let drawn = draws(&FanOut::by_depth(12, 45, 1.0, 0.2, 1)[0]);
        assert!(drawn.iter().all(|count| (12..=45).contains(count)));
        assert!(drawn.contains(&12) && drawn.contains(&45));
    }

    #[test]
    fn a_range_that_starts_in_a_late_bucket_has_that_one_only() {
        let fan_out = &FanOut::by_depth(100, 200, 1.0, 0.01, 1)[0];
        assert_eq!(fan_out.buckets.len(), 1);
        assert!(draws(fan_out).iter().all(|count| (100..=200).contains(count)));
    }
}
