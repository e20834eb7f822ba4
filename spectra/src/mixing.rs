//! The arithmetic that every pseudo-random choice is made with.
//!
//! It is written out here, and not taken from a crate, because a tree must be the same for ever: crates that make
//! random numbers change their streams between versions. For the same reason nothing uses logarithms, powers or
//! other functions whose last bit depends on the platform; additions and multiplications of `f64` do not.

/// The odd constant of `SplitMix64` (2^64 divided by the golden ratio).
pub(crate) const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

const FIRST_FACTOR: u64 = 0xBF58_476D_1CE4_E5B9;
const SECOND_FACTOR: u64 = 0x94D0_49BB_1331_11EB;

/// The finalizer of `SplitMix64` (Steele, Lea, Flood 2014; constants of Stafford's variant 13): a bijection on 64 bits.
pub(crate) const fn scramble(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(FIRST_FACTOR);
    let value = (value ^ (value >> 27)).wrapping_mul(SECOND_FACTOR);
    value ^ (value >> 31)
}

/// The inverse of [`scramble`].
pub(crate) const fn unscramble(value: u64) -> u64 {
    let value = undo_shift(value, 31).wrapping_mul(inverse_of(SECOND_FACTOR));
    let value = undo_shift(value, 27).wrapping_mul(inverse_of(FIRST_FACTOR));
    undo_shift(value, 30)
}

/// Solves `result = x ^ (x >> shift)` for `x`, for shifts of at least 22 bits.
const fn undo_shift(result: u64, shift: u32) -> u64 {
    result ^ (result >> shift) ^ (result >> (2 * shift))
}

/// The inverse of an odd factor modulo 2^64, by Newton's iteration: each step doubles the number of correct bits.
const fn inverse_of(factor: u64) -> u64 {
    let mut inverse = factor;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(factor.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
}

/// A new key from a key and what it is for: a child's number, a purpose, another key.
pub(crate) const fn mix(key: u64, with: u64) -> u64 {
    scramble(key ^ with.wrapping_add(1).wrapping_mul(GAMMA))
}

/// A new key from a key and bytes.
pub(crate) fn mix_bytes(key: u64, bytes: &[u8]) -> u64 {
    let mut mixed = key ^ (bytes.len() as u64).wrapping_mul(GAMMA);
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        mixed =
            scramble(mixed ^ u64::from_le_bytes(word.try_into().expect("a chunk of eight bytes"))).wrapping_add(GAMMA);
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    scramble(mixed ^ u64::from_le_bytes(last)).wrapping_add(GAMMA)
}

/// A number of at least 0 and less than 1, from the upper 53 bits of a draw.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit an f64 exactly, and so does 2^53")]
pub(crate) fn unit(draw: u64) -> f64 {
    (draw >> 11) as f64 / (1_u64 << 53) as f64
}

/// A whole number from `least` to `most`, both included.
pub(crate) fn between(draw: u64, least: u64, most: u64) -> u64 {
    debug_assert!(least <= most);
    let choices = u128::from(most - least) + 1;
    least + ((u128::from(draw) * choices) >> 64) as u64
}

/// A probability, ready to be compared with a draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    Never,
    Below(u64),
    Always,
}

impl Chance {
    /// A probability from 0 to 1; what lies outside counts as the nearest of the two.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "the product lies between 0 and 2^64, and the conversion saturates"
    )]
    pub(crate) fn new(probability: f64) -> Self {
        if probability >= 1.0 {
            Self::Always
        } else if probability > 0.0 {
            Self::Below((probability * (u64::MAX as f64)) as u64)
        } else {
            Self::Never
        }
    }

    /// Whether it happens, given a uniform draw.
    pub(crate) const fn happens(self, draw: u64) -> bool {
        match self {
            Self::Never => false,
            Self::Below(threshold) => draw < threshold,
            Self::Always => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrambling_is_that_of_splitmix64() {
        // The first outputs of SplitMix64 with seed 0, as published with the reference implementation.
        assert_eq!(scramble(GAMMA), 0xE220_A839_7B1D_CDAF);
        assert_eq!(scramble(GAMMA.wrapping_mul(2)), 0x6E78_9E6A_A1B9_65F4);
        assert_eq!(scramble(GAMMA.wrapping_mul(3)), 0x06C4_5D18_8009_454F);
    }

    #[test]
    fn unscrambling_undoes_scrambling() {
        for number in 0..1000_u64 {
            let value = mix(number, 7);
            assert_eq!(unscramble(scramble(value)), value);
            assert_eq!(scramble(unscramble(value)), value);
        }
    }

    #[test]
    fn bytes_that_differ_only_by_trailing_zeros_give_different_keys() {
        assert_ne!(mix_bytes(1, b"a"), mix_bytes(1, b"a\0"));
        assert_ne!(mix_bytes(1, b""), mix_bytes(1, b"\0"));
        assert_ne!(mix_bytes(1, b"12345678"), mix_bytes(1, b"12345678\0"));
    }

    #[test]
    fn a_number_between_two_limits_reaches_both_and_never_leaves() {
        assert_eq!(between(0, 3, 9), 3);
        assert_eq!(between(u64::MAX, 3, 9), 9);
        assert_eq!(between(u64::MAX, 0, u64::MAX), u64::MAX);
        assert_eq!(between(12345, 5, 5), 5);
    }

    #[test]
    fn a_chance_happens_about_as_often_as_it_says() {
        let chance = Chance::new(0.3);
        let hits = (0..100_000).filter(|&number| chance.happens(mix(number, 1))).count();
        assert!((29_000..31_000).contains(&hits), "{hits}");
        assert!(Chance::new(1.0).happens(u64::MAX));
        assert!(!Chance::new(0.0).happens(0));
    }
}
