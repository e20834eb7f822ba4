//! Paths: `/` for the root, `/folder_1/file_2.txt` below it. Bytes, not text.

use crate::fault::{Fault, FaultClass};

/// Longest name in bytes, as on the usual file systems.
pub(crate) const NAME_BYTES_MAX: usize = 255;

/// A path that was checked. The root has no components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodePath<'a> {
    /// Without a slash at its end, so that the root is empty.
    bytes: &'a [u8],
}

impl<'a> NodePath<'a> {
    /// Checks a path. Names may have any bytes but `/` and NUL, are not `.` or `..`, and have 1 to 255 bytes.
    pub(crate) fn parse(path: &'a [u8]) -> Result<Self, Fault> {
        let refuse = |why: &str| Err(Fault::new(FaultClass::BadName, format!("path `{}` {why}", path.escape_ascii())));
        if path.first() != Some(&b'/') {
            return refuse("does not begin with a slash");
        }
        if path == b"/" {
            return Ok(Self { bytes: b"" });
        }
        for name in path[1..].split(|byte| *byte == b'/') {
            match name {
                b"" => return refuse("has an empty name in it"),
                b"." | b".." => return refuse("has `.` or `..` in it"),
                _ if name.contains(&0) => return refuse("has a NUL byte in it"),
                _ if name.len() > NAME_BYTES_MAX => return refuse("has a name of more than 255 bytes in it"),
                _ => {}
            }
        }
        Ok(Self { bytes: path })
    }

    /// The path without a slash at its end: empty for the root.
    pub(crate) const fn as_prefix(self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) const fn is_root(self) -> bool {
        self.bytes.is_empty()
    }

    /// Each name on the way from the root, along with the path of the folder it is in.
    pub(crate) fn components(self) -> impl Iterator<Item = (NodePath<'a>, &'a [u8])> {
        let mut start = 0;
        std::iter::from_fn(move || {
            if start >= self.bytes.len() {
                return None;
            }
            let rest = &self.bytes[start + 1..];
            let length = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
            let folder = NodePath { bytes: &self.bytes[..start] };
            start += 1 + length;
            Some((folder, &rest[..length]))
        })
    }

    /// The folder it is in and its name; `None` for the root.
    pub(crate) fn split_last(self) -> Option<(NodePath<'a>, &'a [u8])> {
        let slash = self.bytes.iter().rposition(|byte| *byte == b'/')?;
        Some((NodePath { bytes: &self.bytes[..slash] }, &self.bytes[slash + 1..]))
    }

    /// Whether this is `ancestor` itself or below it.
    pub(crate) fn is_within(self, ancestor: NodePath<'_>) -> bool {
        self.bytes.strip_prefix(ancestor.bytes).is_some_and(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
    }

    /// For messages: never ambiguous, whatever bytes it has.
    pub(crate) fn display(self) -> impl std::fmt::Display {
        let shown: &[u8] = if self.is_root() { b"/" } else { self.bytes };
        shown.escape_ascii()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_falls_into_its_names() {
        let path = NodePath::parse(b"/a/b c/d").unwrap();
        let parts: Vec<_> = path.components().map(|(folder, name)| (folder.as_prefix(), name)).collect();
        assert_eq!(parts, [(&b""[..], &b"a"[..]), (b"/a", b"b c"), (b"/a/b c", b"d")]);
        assert_eq!(path.split_last().unwrap().1, b"d");
        assert!(NodePath::parse(b"/").unwrap().split_last().is_none());
        assert_eq!(NodePath::parse(b"/").unwrap().components().count(), 0);
    }

    #[test]
    fn what_is_no_path_is_refused_as_a_bad_name() {
        let long = [b"/".as_slice(), &[b'x'; 256]].concat();
        for path in [&b""[..], b"a", b"//", b"/a/", b"/a//b", b"/.", b"/a/..", b"/a\0b", &long] {
            assert_eq!(NodePath::parse(path).unwrap_err().class, FaultClass::BadName, "{}", path.escape_ascii());
        }
    }

    #[test]
    fn a_neighbour_with_the_same_beginning_is_not_within() {
        let within = |path, ancestor| NodePath::parse(path).unwrap().is_within(NodePath::parse(ancestor).unwrap());
        assert!(within(b"/a/b", b"/a"));
        assert!(within(b"/a", b"/a"));
        assert!(within(b"/a", b"/"));
        assert!(!within(b"/ab", b"/a"));
        assert!(!within(b"/", b"/a"));
    }
}
