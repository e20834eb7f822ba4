//! What the program logs of each file, and each part of a large one, that it has written.

/// What the program is told to log.
pub(super) const LOG_FILTER: &str = "warn,longhaul::copying=trace";

const MARK: &str = " TRACE longhaul::copying: ";

/// Something that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// A file, and it has its name. The path is in its printable form.
    File(String),
    /// A part of a large file.
    Part(u32),
}

impl Written {
    /// Reads a line of the log; nothing where it is about something else.
    pub(super) fn parse(line: &str) -> Option<Written> {
        let (_, rest) = line.split_once(MARK)?;
        if let Some(path) = rest.strip_prefix("file path=") {
            return Some(Written::File(path.to_owned()));
        }
        let (part, _) = rest.strip_prefix("part part=")?.split_once(" path=")?;
        Some(Written::Part(part.parse().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_from_its_line_and_nothing_from_others() {
        let at = "2026-01-31T23:59:59.500000Z TRACE longhaul::copying:";
        let parse = |rest: &str| Written::parse(&format!("{at} {rest}"));
        assert_eq!(parse("file path=/a folder/with path=x"), Some(Written::File("/a folder/with path=x".to_owned())));
        assert_eq!(parse("part part=7 path=/large"), Some(Written::Part(7)));
        assert_eq!(parse("part part=x path=/large"), None);
        assert_eq!(Written::parse("longhaul: interrupted while copying"), None);
    }
}
