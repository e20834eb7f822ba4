//! Numbers that look random, and are the same for the same seed on every machine.

/// `SplitMix64`.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Takes one out of them, each as likely as any other; nothing where there is none.
    pub(crate) fn take<T>(&mut self, among: &mut Vec<T>) -> Option<T> {
        let count = among.len() as u64;
        let index = self.next().checked_rem(count)?;
        Some(among.swap_remove(usize::try_from(index).expect("below the number of elements")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_taken_once_and_in_the_same_order_for_the_same_seed() {
        let all = || {
            let (mut random, mut among) = (Random(7), vec![1, 2, 3, 4, 5]);
            let taken: Vec<i32> = std::iter::from_fn(|| random.take(&mut among)).collect();
            taken
        };
        let mut sorted = all();
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 2, 3, 4, 5]);
        assert_eq!(all(), all());
    }
}
