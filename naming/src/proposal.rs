//! Names that a destination takes, in the place of those that it does not.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use crate::Place;
use crate::fold::short_hash;
use crate::rule_set::{RuleSet, Unit};

/// How many names are tried in the place of one. From the fourth on they are drawn by a hash of the name, so that all
/// names of a large folder can become the same and there are still enough.
pub const ATTEMPTS_MAX: u32 = 10;

/// The first attempts are told apart by a number that a person would have chosen.
const NUMBERED_MAX: u32 = 3;

/// An extension is what is behind the last dot, and no longer than this, in bytes with the dot.
const EXTENSION_BYTES_MAX: usize = 16;

/// With less room than this for a name, in the units of the path, nothing would be left of it that says anything.
const ROOM_MIN: usize = 16;

/// What takes the place of a character that must not be there.
const STAND_IN: char = '_';

impl RuleSet {
    /// A name that is at odds with nothing, made of `name`, which stays as it is if it is that already and `attempt` is 0.
    /// The first attempt takes as little away as can be, the later ones tell it apart from others that became the same. It
    /// keeps the extension.
    ///
    /// `room` is how long it may be at the most because of the folders above it, in the units of [`RuleSet::path_max`].
    /// `None` where that is too little to say anything, or there are no more attempts.
    pub fn candidate(self, name: &[u8], place: Place, room: Option<usize>, attempt: u32) -> Option<Vec<u8>> {
        if attempt >= ATTEMPTS_MAX || room.is_some_and(|room| room < ROOM_MIN) {
            return None;
        }
        let mark = match attempt {
            0 => String::new(),
            _ if attempt < NUMBERED_MAX => format!("-{}", attempt + 1),
            _ => format!("-{:08x}", short_hash(&[name, &attempt.to_le_bytes()].concat()) >> 32),
        };
        let clean = self.clean(name, place);
        let (stem, extension) = split_extension(&clean);
        self.cut(stem, &mark, extension, place, room).or_else(|| self.cut(&clean, &mark, "", place, room))
    }

    /// `stem`, `mark` and `extension` together, with as much of the stem as there is room for. `None` where nothing would
    /// be left of it.
    fn cut(self, stem: &str, mark: &str, extension: &str, place: Place, room: Option<usize>) -> Option<Vec<u8>> {
        let mut stem = stem;
        while !stem.is_empty() {
            let mut candidate = format!("{stem}{mark}{extension}");
            // Where it was cut, something may be at its end now that must not be there.
            if self.reserves(&candidate, place) || candidate.ends_with(self.ends()) {
                candidate = self.unreserved(&format!("{}{mark}{extension}", stem.trim_end_matches(self.ends())), place);
            }
            if self.fits(&candidate, room) {
                debug_assert!(self.check(candidate.as_bytes(), place).is_empty(), "{candidate:?}");
                return Some(candidate.into_bytes());
            }
            // Character by character: only names that are too long come here, and few of them are much too long.
            let (last, _) = stem.char_indices().next_back()?;
            stem = &stem[..last];
        }
        None
    }

    fn fits(self, name: &str, room: Option<usize>) -> bool {
        let rules = self.rules();
        let within = |unit: Unit, max| unit.length_of(name.as_bytes()) <= max;
        rules.name_max.is_none_or(|length| within(length.unit, length.max))
            && room.is_none_or(|room| within(rules.path_max.map_or(Unit::Bytes, |length| length.unit), room))
    }

    /// The name as text, without anything that must not be in it, whatever its length.
    fn clean(self, name: &[u8], place: Place) -> String {
        let mut text = as_text(name);
        if self == RuleSet::PosixPortable {
            // What is left of an accented letter is the letter.
            text = text.nfkd().filter(|&character| !is_combining_mark(character)).collect();
        }
        let mut text: String = text.chars().map(|c| if self.forbids(c) { STAND_IN } else { c }).collect();
        if self == RuleSet::Onedrive {
            replace_ignoring_case(&mut text, "_vti_", "-vti-");
        }
        let text = text.trim_end_matches(self.ends());
        let rest = text.trim_start_matches(self.beginnings());
        // Leading characters that mean something are shown to have been there.
        let shows_beginning = self == RuleSet::PosixPortable && rest.len() < text.len();
        let text = if shows_beginning { format!("{STAND_IN}{rest}") } else { rest.to_owned() };
        self.unreserved(&text, place)
    }

    /// A name that is not reserved.
    fn unreserved(self, name: &str, place: Place) -> String {
        if !self.reserves(name, place) {
            return name.to_owned();
        }
        let name = format!("{STAND_IN}{name}");
        let trimmed = name.trim_end_matches(self.ends());
        trimmed.to_owned()
    }
}

/// Bytes that are not valid UTF-8 are mostly Latin-1 of long ago.
fn as_text(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len() + 8);
    for chunk in name.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|&byte| if byte < 0xa0 { STAND_IN } else { char::from(byte) }));
    }
    text
}

/// What is before the extension, and the extension with its dot.
fn split_extension(name: &str) -> (&str, &str) {
    let dot = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX);
    name.split_at(dot.unwrap_or(name.len()))
}

/// Replaces an ASCII text by another one of the same length, wherever it is.
fn replace_ignoring_case(text: &mut String, from: &str, to: &str) {
    while let Some(start) = text.to_ascii_lowercase().find(from) {
        text.replace_range(start..start + from.len(), to);
    }
}
