//! The printable form of names.
//!
//! - Bytes become a printable form and the same bytes again; a path is the same as its names with slashes between them.
//! - The printable form, and what `harmless` makes of any text, has nothing in it that a reader cannot see or that changes what
//!   is seen around it, as Unicode's own tables say.
//! - A text that is accepted as a printable form never panics, and its bytes have a form that reads as the same bytes.

use std::sync::LazyLock;

use longhaul_model::{child_path, decode_name, encode_name, harmless, is_at_or_below, shown_path};
use regex::Regex;

/// Control, format, private and separating characters, and what is not shown at all; but neither the usual space nor the
/// format characters that are visible.
static DECEPTIVE: LazyLock<Regex> = LazyLock::new(|| {
    let classes = r"[[\p{Cc}\p{Cf}\p{Co}\p{Z}\p{Default_Ignorable_Code_Point}]--[ \p{Prepended_Concatenation_Mark}]]";
    Regex::new(classes).expect("it is a pattern")
});

pub fn check(data: &[u8]) {
    let printable = encode_name(data);
    assert_eq!(decode_name(&printable).expect("it is printable"), data);
    assert!(!DECEPTIVE.is_match(&printable), "{printable:?}");
    assert!(!printable.split('/').any(|name| name.ends_with(' ')), "{printable:?}");
    assert_eq!(harmless(&printable), printable);
    let names: Vec<_> = data.split(|byte| *byte == b'/').map(encode_name).collect();
    assert_eq!(names.join("/"), printable);
    let path = child_path("/", &printable);
    assert!(is_at_or_below(&path, "/") && is_at_or_below(&path, &path));
    assert!(shown_path(&path).chars().count() <= path.chars().count().min(240));

    let text = String::from_utf8_lossy(data);
    let shown = harmless(&text);
    assert!(!shown.split('\n').any(|line| DECEPTIVE.is_match(line)), "{shown:?}");
    assert_eq!(harmless(&shown), shown);
    if let Ok(bytes) = decode_name(&text) {
        assert_eq!(decode_name(&encode_name(&bytes)).as_deref(), Ok(&bytes[..]));
    }
}
