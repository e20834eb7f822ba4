//! Which names are one and the same to a destination.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;

use crate::rule_set::{Case, RuleSet};

impl RuleSet {
    /// Whether it takes names that differ for one another at all.
    pub fn folds(self) -> bool {
        let rules = self.rules();
        rules.case != Case::Kept || rules.normalises
    }

    /// A text that two names have in common exactly if the destination takes one for the other. Bytes that are not valid
    /// UTF-8 stay as they are.
    pub fn fold(self, name: &[u8]) -> Vec<u8> {
        if !self.folds() {
            return name.to_vec();
        }
        if name.is_ascii() {
            return if self.rules().case == Case::Kept { name.to_vec() } else { name.to_ascii_lowercase() };
        }
        let mut folded = Vec::with_capacity(name.len() + 8);
        for chunk in name.utf8_chunks() {
            self.fold_text(chunk.valid(), &mut folded);
            folded.extend_from_slice(chunk.invalid());
        }
        folded
    }

    fn fold_text(self, text: &str, into: &mut Vec<u8>) {
        let rules = self.rules();
        let text: String = match (rules.case, rules.normalises) {
            (Case::Kept, false) => text.to_owned(),
            (Case::Kept, true) => text.nfc().collect(),
            (Case::Simple, false) => text.chars().map(simple_fold).collect(),
            (Case::Simple, true) => text.nfc().map(simple_fold).nfc().collect(),
            (Case::Full, false) => text.chars().default_case_fold().collect(),
            // As in definition D145 of the Unicode Standard, section 3.13.
            (Case::Full, true) => text.nfd().default_case_fold().nfc().collect(),
        };
        into.extend_from_slice(text.as_bytes());
    }
}

fn simple_fold(character: char) -> char {
    unicode_case_mapping::case_folded(character).and_then(|folded| char::from_u32(folded.get())).unwrap_or(character)
}

/// Whether two names that are not the same bytes are the same text in different Unicode forms (NFC and NFD, say), and do
/// not differ in case. Names that are not valid UTF-8 are not.
pub fn is_same_normalised(one: &[u8], other: &[u8]) -> bool {
    match (std::str::from_utf8(one), std::str::from_utf8(other)) {
        (Ok(one), Ok(other)) => one.nfc().eq(other.nfc()),
        _ => false,
    }
}

/// A hash of a text that is the same on every machine and in every version: the first 64 bits of its BLAKE3.
pub(crate) fn short_hash(text: &[u8]) -> u64 {
    let hash = blake3::hash(text);
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("it has 32 bytes"))
}
