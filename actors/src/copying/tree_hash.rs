//! BLAKE3 of a file whose parts were hashed separately, by the Copiers that copied them.
//!
//! The hash is a tree: a part whose length is a power of two and that begins at a multiple of it is a subtree, with a
//! chaining value of its own, from which together the hash of the whole follows.

use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use blake3::{CHUNK_LEN, Hasher};

/// A hasher for the part that begins at `offset`.
pub(crate) fn hasher_at(offset: u64) -> Hasher {
    let mut hasher = Hasher::new();
    hasher.set_input_offset(offset);
    hasher
}

/// The chaining value of the bytes that a hasher of [`hasher_at`] has hashed.
pub(crate) fn part_value(hasher: &Hasher) -> ChainingValue {
    hasher.finalize_non_root()
}

/// The hash of a file from the chaining values of its parts: two or more, all of the same length except the last.
pub(crate) fn whole(values: &[ChainingValue]) -> [u8; 32] {
    let (left, right) = values.split_at(left_length(values.len()));
    *merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash).as_bytes()
}

fn subtree(values: &[ChainingValue]) -> ChainingValue {
    if let [value] = values {
        return *value;
    }
    let (left, right) = values.split_at(left_length(values.len()));
    merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
}

/// How many parts the left subtree has: the largest power of two that is less than `count`.
fn left_length(count: usize) -> usize {
    assert!(count >= 2, "a file of one part is hashed without parts");
    count.next_power_of_two() / 2
}

/// The length of parts, if files of this size or more are copied in parts: each of them has at least two.
pub(crate) fn part_bytes(large_from: u64) -> u64 {
    const PART_BYTES_MAX: u64 = 16 << 20;
    let quarter = (large_from / 4).max(1);
    (1 << quarter.ilog2()).clamp(CHUNK_LEN as u64, PART_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn parts_are_powers_of_two_and_never_the_whole_of_a_large_file() {
        for large_from in [2048, 4096, 5000, 1 << 20, 64 << 20, 1 << 40] {
            let part = part_bytes(large_from);
            assert!(part.is_power_of_two() && part >= CHUNK_LEN as u64 && part < large_from, "{large_from}");
        }
        assert_eq!(part_bytes(64 << 20), 16 << 20);
    }

    proptest! {
        #[test]
        fn hashed_in_parts_or_as_a_whole_it_is_the_same(
            length in 1025_usize..40_000,
            part_chunks in prop::sample::select(vec![1_usize, 2, 4, 8]),
        ) {
            let part = part_chunks * CHUNK_LEN;
            prop_assume!(length > part);
            let bytes: Vec<u8> = (0..=250).cycle().take(length).collect();
            let values: Vec<_> = bytes
                .chunks(part)
                .enumerate()
                .map(|(number, chunk)| {
                    let mut hasher = hasher_at((number * part) as u64);
                    hasher.update(chunk);
                    part_value(&hasher)
                })
                .collect();
            prop_assert_eq!(whole(&values), *blake3::hash(&bytes).as_bytes());
        }
    }
}
