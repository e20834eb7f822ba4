//! Locations as people type them.
//!
//! The input is a few texts, one a line. `$` in them becomes a secret.
//!
//! - A secret in front of the `@` of a URL, or behind one within an option, is never printed: neither by the location, nor by
//!   the error that refuses it.
//! - A location that parses is printed in one line without deceptive characters, and reads back as the same location.
//! - Two locations overlap in the same way from either side.

use longhaul_model::harmless;
use longhaul_storage::Location;
use longhaul_storage::fuzzing::Overlap;

const SECRET: &str = "Tr0ub4dor-and-3";

/// With `$` where the pieces of an input come: the user, the secret, and the rest.
const WITH_CREDENTIALS: [&str; 12] = [
    "s3://{a}:$@{b}",
    "s3://{a}$@{b}",
    "webdav+https://{a}:$@{b}",
    "webdav+http://{a}$@{b}",
    "sftp://{a}:$@{b}",
    "sftp://{a};password=$@{b}",
    "spectra+http://{a}:$@{b}",
    "nfs://{a}:$@{b}",
    "s3://{b}?endpoint=http://{a}:$@host",
    "s3://bucket/?endpoint=http://{a}:$%40{b}",
    "s3://bucket/?region={a}&token=$",
    "gcs://bucket/{b}?endpoint=h%3a//{a}%253a$%2540host",
];

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (first, second, third) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let locations = [first, second].map(parsed);
    if let [Some(one), Some(other)] = &locations {
        let reversed = other.overlap(one).map(|overlap| match overlap {
            Overlap::Same => Overlap::Same,
            Overlap::Inside => Overlap::Around,
            Overlap::Around => Overlap::Inside,
        });
        assert_eq!(one.overlap(other), reversed, "{one} and {other}");
    }
    let _ = parsed(third);
    // What ends the part of a URL that a secret is in.
    let user: String = first.chars().filter(|c| !matches!(c, '/' | '?' | '#' | '\\' | '&' | '@')).collect();
    for pattern in WITH_CREDENTIALS {
        let text = pattern.replace("{a}", &user).replace("{b}", second).replace('$', SECRET);
        let shown = match Location::parse(&text) {
            Ok(location) => format!("{location} {location:?}"),
            Err(error) => error.to_string(),
        };
        // The rest of a URL may have anything in it.
        assert!(second.contains('$') || !shown.contains(SECRET), "{text:?} is shown as {shown:?}");
    }
}

/// A location, if it is one.
fn parsed(text: &str) -> Option<Location> {
    let location = Location::parse(text).map_err(|error| error.to_string()).ok()?;
    let printed = location.to_string();
    assert!(!printed.contains('\n') && harmless(&printed) == printed, "{text:?} is printed as {printed:?}");
    // A path is absolute when it is recorded.
    if !matches!(&location, Location::Local(path) if path.is_relative()) {
        assert_eq!(Location::from_recorded(&printed).as_ref(), Ok(&location), "{text:?} is printed as {printed:?}");
    }
    Some(location)
}
