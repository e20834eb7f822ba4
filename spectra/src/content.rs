//! What is in a file: a stream of bytes that can be entered at any offset.
//!
//! Block `i`, eight bytes in little-endian order, is `scramble(key + (i + 1) × GAMMA)`: `SplitMix64` with a counter
//! instead of a state. Because scrambling can be undone, the first eight bytes give away the key, and so any file that
//! is such a stream can be recognized while it is written, and kept as its key; see [`ContentKey::beginning_with`].

use crate::mixing::{GAMMA, scramble, unscramble};

/// Length of a block in bytes.
pub(crate) const BLOCK_BYTES: usize = 8;

/// What a generated content is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ContentKey(pub(crate) u64);

impl ContentKey {
    /// The key of the only stream that begins with these bytes.
    pub(crate) fn beginning_with(first: [u8; BLOCK_BYTES]) -> Self {
        Self(unscramble(u64::from_le_bytes(first)).wrapping_sub(GAMMA))
    }

    fn block(self, number: u64) -> [u8; BLOCK_BYTES] {
        scramble(self.0.wrapping_add(number.wrapping_add(1).wrapping_mul(GAMMA))).to_le_bytes()
    }

    /// Writes the bytes from `offset` on over the whole of `out`.
    pub(crate) fn fill(self, offset: u64, out: &mut [u8]) {
        let mut number = offset / BLOCK_BYTES as u64;
        let mut rest = out;
        let into_block = usize::try_from(offset % BLOCK_BYTES as u64).expect("less than a block");
        if into_block > 0 {
            let block = self.block(number);
            let (head, tail) = rest.split_at_mut(rest.len().min(BLOCK_BYTES - into_block));
            head.copy_from_slice(&block[into_block..into_block + head.len()]);
            rest = tail;
            number += 1;
        }
        for piece in rest.chunks_mut(BLOCK_BYTES) {
            piece.copy_from_slice(&self.block(number)[..piece.len()]);
            number += 1;
        }
    }

    /// How many of `bytes`, counted from the first, are those of the stream from `offset` on.
    pub(crate) fn matching_length(self, offset: u64, bytes: &[u8]) -> usize {
        let mut expected = [0; 4096];
        let mut matched = 0;
        for piece in bytes.chunks(expected.len()) {
            let expected = &mut expected[..piece.len()];
            self.fill(offset + matched as u64, expected);
            if expected != piece {
                let differing = piece.iter().zip(expected.iter()).take_while(|(left, right)| left == right).count();
                return matched + differing;
            }
            matched += piece.len();
        }
        matched
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(key: ContentKey, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        key.fill(0, &mut bytes);
        bytes
    }

    proptest! {
        #[test]
        fn any_slice_is_that_of_the_whole(key: u64, offset in 0_usize..300, length in 0_usize..300) {
            let key = ContentKey(key);
            let mut slice = vec![0; length];
            key.fill(offset as u64, &mut slice);
            prop_assert_eq!(&slice[..], &whole(key, 600)[offset..offset + length]);
        }

        #[test]
        fn the_first_block_gives_the_key_away(key: u64) {
            let first = whole(ContentKey(key), BLOCK_BYTES).try_into().unwrap();
            prop_assert_eq!(ContentKey::beginning_with(first), ContentKey(key));
        }

        #[test]
        fn the_first_wrong_byte_is_found(key: u64, wrong in 0_usize..9000, offset in 0_u64..50) {
            let key = ContentKey(key);
            let mut bytes = vec![0; 9000];
            key.fill(offset, &mut bytes);
            prop_assert_eq!(key.matching_length(offset, &bytes), 9000);
            bytes[wrong] ^= 1;
            prop_assert_eq!(key.matching_length(offset, &bytes), wrong);
        }
    }

    #[test]
    fn an_offset_near_the_end_of_all_numbers_is_no_problem() {
        let mut bytes = [0; 20];
        ContentKey(5).fill(u64::MAX - 20, &mut bytes);
        assert_ne!(bytes, [0; 20]);
    }
}
