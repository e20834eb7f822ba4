//! Numbers that follow from a seed, the same on every machine (`SplitMix64`).

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// Another sequence for each purpose and number, so that one can be repeated without those before it.
    pub(super) fn new(seed: u64, purpose: u64, number: u64) -> Self {
        let mut random = Self(seed);
        let mixed = random.next() ^ purpose.wrapping_mul(STEP);
        random = Self(mixed);
        let mixed = random.next() ^ number.wrapping_mul(STEP);
        Self(mixed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`, both possible.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        let span = u128::from(most - least) + 1;
        let offset = (u128::from(self.next()) * span) >> 64;
        least + u64::try_from(offset).expect("less than the span")
    }

    /// One of them.
    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let last = u64::try_from(from.len() - 1).expect("a slice is no longer");
        &from[usize::try_from(self.between(0, last)).expect("an index")]
    }

    /// From 0 to 1.
    pub(super) fn fraction(&mut self) -> f64 {
        f64::from(u32::try_from(self.next() >> 32).expect("32 bits")) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sequence_is_repeated_and_another_one_differs() {
        let first = |seed, purpose, number| Random::new(seed, purpose, number).next();
        assert_eq!(first(1, 2, 3), first(1, 2, 3));
        assert!(
            first(1, 2, 3) != first(1, 2, 4) && first(1, 2, 3) != first(1, 3, 3) && first(1, 2, 3) != first(2, 2, 3)
        );
        let mut random = Random::new(0, 0, 0);
        for _ in 0..1_000 {
            assert!((3..=5).contains(&random.between(3, 5)));
            assert!((0.0..=1.0).contains(&random.fraction()));
        }
    }
}
