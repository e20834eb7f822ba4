//! Names are bytes. This is their one printable form, lossless in both directions.
//!
//! A name that is valid UTF-8 and has nothing in it that could deceive a reader is its own printable form, so that
//! ordinary names can be searched for as they are. Otherwise:
//!
//! | in the name | printed as |
//! |---|---|
//! | `\` | `\\` |
//! | newline, carriage return, tab | `\n`, `\r`, `\t` |
//! | a byte that is not part of valid UTF-8 | `\x` and two hexadecimal digits |
//! | a space at the end | `\u{20}` |
//! | what a reader cannot see, or cannot tell from something else: another control character, an invisible or direction-changing one, another space than the usual one, a line separator, one of private use | `\u{…}` in hexadecimal |
//!
//! The ledger stores this form: equal names have equal forms and different names have different ones, so matching is
//! comparing texts. `/` cannot be in a name, and is what paths are joined with.

use std::borrow::Cow;

/// A text that is not the printable form of any name.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a printable name: {problem} at byte {position}")]
pub struct UnreadableName {
    text: String,
    problem: &'static str,
    position: usize,
}

/// The printable form of a name, or of a path, which is that of its names with slashes between them.
pub fn encode_name(name: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(name) {
        Ok(text) if !needs_escapes(text) => Cow::Borrowed(text),
        _ => {
            let mut out = String::with_capacity(name.len() + 16);
            escape_into(name, &mut out);
            Cow::Owned(out)
        }
    }
}

/// Appends the printable form of a name to `out`: [`encode_name`] without an allocation of its own.
pub(crate) fn encode_name_into(name: &[u8], out: &mut String) {
    match std::str::from_utf8(name) {
        Ok(text) if !needs_escapes(text) => out.push_str(text),
        _ => escape_into(name, out),
    }
}

/// The bytes of the name whose printable form is `text`; also of a whole path, since `/` stands for itself.
pub fn decode_name(text: &str) -> Result<Vec<u8>, UnreadableName> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..start]);
        let unreadable =
            |problem| UnreadableName { text: text.to_owned(), problem, position: text.len() - rest.len() + start };
        let escape = &rest[start + 1..];
        let taken = match escape.as_bytes().first() {
            Some(b'\\') => push_one(&mut bytes, b'\\'),
            Some(b'n') => push_one(&mut bytes, b'\n'),
            Some(b'r') => push_one(&mut bytes, b'\r'),
            Some(b't') => push_one(&mut bytes, b'\t'),
            Some(b'x') => {
                let digits = escape.get(1..3).ok_or_else(|| unreadable("\\x without two digits"))?;
                bytes.push(hexadecimal(digits).ok_or_else(|| unreadable("\\x without two digits"))?);
                3
            }
            Some(b'u') => {
                let (digits, _) = escape[1..]
                    .strip_prefix('{')
                    .and_then(|digits| digits.split_once('}'))
                    .ok_or_else(|| unreadable("\\u without {…}"))?;
                let character = u32::from_str_radix(digits, 16)
                    .ok()
                    .and_then(char::from_u32)
                    .ok_or_else(|| unreadable("\\u{…} that is no character"))?;
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                digits.len() + 3
            }
            _ => return Err(unreadable("unknown escape")),
        };
        rest = &escape[taken..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The path of the child `name` of the folder at `parent`; both printable or both bytes as text is needed.
pub fn child_path(parent: &str, name: &str) -> String {
    let mut path = String::with_capacity(parent.len() + 1 + name.len());
    if parent != "/" {
        path.push_str(parent);
    }
    path.push('/');
    path.push_str(name);
    path
}

/// Whether a printable path is that of `folder`, or of something below it.
pub fn is_at_or_below(path: &str, folder: &str) -> bool {
    folder == "/" || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Characters of a path from which on a sentence shows its two ends only.
pub const SHOWN_PATH_CHARACTERS_MAX: usize = 240;

/// Characters of such a path that a sentence shows at each of its ends.
pub const SHOWN_END_CHARACTERS: usize = 100;

/// What a sentence shows of a printable path: there are paths of kilobytes, and a reason may be given for a great many nodes.
pub fn shown_path(path: &str) -> Cow<'_, str> {
    let count = path.chars().count();
    if count <= SHOWN_PATH_CHARACTERS_MAX {
        return Cow::Borrowed(path);
    }
    let beginning: String = path.chars().take(SHOWN_END_CHARACTERS).collect();
    let end: String = path.chars().skip(count - SHOWN_END_CHARACTERS).collect();
    Cow::Owned(format!("{beginning}…{end}"))
}

fn push_one(bytes: &mut Vec<u8>, byte: u8) -> usize {
    bytes.push(byte);
    1
}

fn hexadecimal(digits: &str) -> Option<u8> {
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// A text as it can be shown in a terminal: what [`encode_name`] would escape of it, but for backslashes and line ends.
pub fn harmless(text: &str) -> Cow<'_, str> {
    let is_harmful = |character: char| character != '\n' && is_deceptive(character);
    if !text.contains(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_harmful(character) {
            push_escaped(character, &mut out);
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

fn needs_escapes(text: &str) -> bool {
    // ASCII is nearly everything: decide it byte by byte, and look at characters only where there are others.
    let mut ascii = true;
    let mut last = 0;
    for byte in text.bytes() {
        if byte < 0x20 || byte == 0x7f || byte == b'\\' || (byte == b'/' && last == b' ') {
            return true;
        }
        ascii &= byte < 0x80;
        last = byte;
    }
    last == b' ' || !ascii && text.chars().any(is_deceptive)
}

/// Characters that a reader cannot see, or takes for others, or that change what is seen around them.
///
/// The list is fixed and not taken from a table of Unicode's: with the next version of that a name would have another
/// printable form than a ledger has of it.
fn is_deceptive(character: char) -> bool {
    character.is_control() || is_ignorable(character) || is_other_space(character) || is_blank_or_private(character)
}

/// Unicode 16.0, `Default_Ignorable_Code_Point`: nothing is shown of them.
fn is_ignorable(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Unicode 16.0, `White_Space` without the usual space and control characters.
fn is_other_space(character: char) -> bool {
    matches!(character,
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}'..='\u{2029}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// The blank Braille pattern, annotations and placeholders, controls of Kaithi and of hieroglyphs; what every program shows as
/// it likes, and what is no character.
fn is_blank_or_private(character: char) -> bool {
    matches!(character,
        '\u{2800}' | '\u{fff9}'..='\u{fffc}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..='\u{10ffff}')
        || u32::from(character) & 0xfffe == 0xfffe
}

fn push_escaped(character: char, out: &mut String) {
    use std::fmt::Write;
    write!(out, "\\u{{{:x}}}", u32::from(character)).expect("writing to a String cannot fail");
}

/// A path has several names with slashes between them.
fn escape_into(path: &[u8], out: &mut String) {
    for (number, name) in path.split(|byte| *byte == b'/').enumerate() {
        if number > 0 {
            out.push('/');
        }
        escape_name_into(name, out);
    }
}

fn escape_name_into(name: &[u8], out: &mut String) {
    use std::fmt::Write;
    let (name, ends_with_space) = name.strip_suffix(b" ").map_or((name, false), |rest| (rest, true));
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                other if is_deceptive(other) => push_escaped(other, out),
                other => out.push(other),
            }
        }
        for byte in chunk.invalid() {
            write!(out, "\\x{byte:02x}").expect("writing to a String cannot fail");
        }
    }
    if ends_with_space {
        push_escaped(' ', out);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_long_path_is_shown_by_its_ends() {
        assert_eq!(shown_path("/a/b"), "/a/b");
        let long = format!("/first/{}/last", "ü".repeat(300));
        let shown = shown_path(&long);
        assert!(shown.starts_with("/first/") && shown.ends_with("/last") && shown.contains('…'), "{shown}");
        assert_eq!(shown.chars().count(), 201);
    }

    #[test]
    fn ordinary_names_are_their_own_printable_form() {
        for name in ["a.txt", "100% sure", "it's", "Übung 3", "文件", "a\"b", " leading", "emoji 🎉"] {
            assert_eq!(encode_name(name.as_bytes()), name);
        }
    }

    #[test]
    fn deceptive_names_are_shown_for_what_they_are() {
        assert_eq!(encode_name(b"a\nb"), r"a\nb");
        assert_eq!(encode_name(br"a\nb"), r"a\\nb");
        assert_eq!(encode_name(b"caf\xe9"), r"caf\xe9");
        assert_eq!(encode_name("exe\u{202e}txt.".as_bytes()), r"exe\u{202e}txt.");
        assert_eq!(encode_name(b"\x1b[2J"), r"\u{1b}[2J");
        assert_eq!(encode_name(b"t  "), r"t \u{20}");
        assert_eq!(encode_name(b" "), r"\u{20}");
        assert_eq!(encode_name(b"/a /b c/ "), r"/a\u{20}/b c/\u{20}");
        let unseen = "\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180b}\u{2800}\u{3164}\u{fe00}\u{fe0f}\u{ffa0}\u{fffc}\u{110bd}\
            \u{13430}\u{1bca0}\u{1d173}\u{e0100}\u{e000}\u{fdd0}\u{1fffe}\u{a0}\u{1680}\u{2003}\u{205f}\u{3000}";
        for character in unseen.chars() {
            assert_eq!(encode_name(character.to_string().as_bytes()), format!("\\u{{{:x}}}", u32::from(character)));
        }
    }

    #[test]
    fn a_text_is_harmless_in_a_terminal_and_otherwise_as_it_was() {
        assert_eq!(harmless("ordinary \\ text\nin two lines, ü 文"), "ordinary \\ text\nin two lines, ü 文");
        assert_eq!(harmless("\u{1b}[2J\r\u{202e}"), r"\u{1b}[2J\u{d}\u{202e}");
    }

    #[test]
    fn what_no_name_prints_as_is_refused() {
        for text in [r"a\", r"\q", r"\x4", r"\xzz", r"\x+1", r"\u{}", r"\u{d800}", r"\u41", r"\u{41"] {
            assert!(decode_name(text).is_err(), "{text}");
        }
        assert_eq!(decode_name(r"ab\q").unwrap_err().position, 2);
    }

    proptest! {
        #[test]
        fn any_bytes_survive_the_way_there_and_back(name in prop::collection::vec(any::<u8>(), 0..64)) {
            let text = encode_name(&name);
            prop_assert!(!text.chars().any(is_deceptive));
            prop_assert_eq!(decode_name(&text).unwrap(), name);
        }

        #[test]
        fn any_text_survives_the_way_there_and_back(name in "\\PC*|[\\\\nrtxu{}0-9a-f]*") {
            let text = encode_name(name.as_bytes()).into_owned();
            prop_assert_eq!(decode_name(&text).unwrap(), name.as_bytes());
        }
    }
}
