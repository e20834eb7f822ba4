//! One record: what is kept of one path, and its form in the database.

use crate::content::ContentKey;
use crate::generator::Origin;

/// What is kept of one path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// A generated node that is not there any more.
    Removed,
    /// A folder.
    Folder {
        /// Time in nanoseconds since 1970.
        modified_ns: i64,
        /// The generated folder whose children it has; `None` for a folder that was created.
        origin: Option<Origin>,
    },
    /// A file.
    File {
        /// Length in bytes.
        size: u64,
        /// Time in nanoseconds since 1970.
        modified_ns: i64,
        /// What is in it.
        content: Content,
    },
}

/// Where the contents of a file come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A generated stream.
    Stream(ContentKey),
    /// Chunks in the database under this number.
    Stored(u64),
}

const REMOVED: u8 = 0;
const CREATED_FOLDER: u8 = 1;
const GENERATED_FOLDER: u8 = 2;
const STREAM_FILE: u8 = 3;
const STORED_FILE: u8 = 4;

impl Record {
    /// A tag and little-endian numbers.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(25);
        match self {
            Self::Removed => bytes.push(REMOVED),
            Self::Folder { modified_ns, origin: None } => {
                bytes.push(CREATED_FOLDER);
                bytes.extend_from_slice(&modified_ns.to_le_bytes());
            }
            Self::Folder { modified_ns, origin: Some(origin) } => {
                bytes.push(GENERATED_FOLDER);
                bytes.extend_from_slice(&modified_ns.to_le_bytes());
                bytes.extend_from_slice(&origin.key.to_le_bytes());
                bytes.extend_from_slice(&origin.depth.to_le_bytes());
            }
            Self::File { size, modified_ns, content } => {
                let (tag, number) = match content {
                    Content::Stream(key) => (STREAM_FILE, key.0),
                    Content::Stored(number) => (STORED_FILE, number),
                };
                bytes.push(tag);
                bytes.extend_from_slice(&modified_ns.to_le_bytes());
                bytes.extend_from_slice(&size.to_le_bytes());
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        bytes
    }

    /// The inverse; `None` for what [`Record::to_bytes`] cannot have made.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        let mut fields = Fields { rest };
        let record = match tag {
            REMOVED => Self::Removed,
            CREATED_FOLDER => Self::Folder { modified_ns: i64::from_le_bytes(fields.take()?), origin: None },
            GENERATED_FOLDER => Self::Folder {
                modified_ns: i64::from_le_bytes(fields.take()?),
                origin: Some(Origin {
                    key: u64::from_le_bytes(fields.take()?),
                    depth: u32::from_le_bytes(fields.take()?),
                }),
            },
            STREAM_FILE | STORED_FILE => {
                let modified_ns = i64::from_le_bytes(fields.take()?);
                let size = u64::from_le_bytes(fields.take()?);
                let number = u64::from_le_bytes(fields.take()?);
                let content =
                    if tag == STREAM_FILE { Content::Stream(ContentKey(number)) } else { Content::Stored(number) };
                Self::File { size, modified_ns, content }
            }
            _ => return None,
        };
        fields.rest.is_empty().then_some(record)
    }
}

struct Fields<'a> {
    rest: &'a [u8],
}

impl Fields<'_> {
    fn take<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        let (field, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_stored() {
        for record in [
            Record::Removed,
            Record::Folder { modified_ns: -7, origin: None },
            Record::Folder { modified_ns: 7, origin: Some(Origin { key: u64::MAX, depth: 3 }) },
            Record::File { size: 1 << 50, modified_ns: i64::MIN, content: Content::Stream(ContentKey(9)) },
            Record::File { size: 0, modified_ns: i64::MAX, content: Content::Stored(10) },
        ] {
            let bytes = record.to_bytes();
            assert_eq!(Record::from_bytes(&bytes), Some(record));
            assert_eq!(Record::from_bytes(&[&bytes[..], b"x"].concat()), None);
        }
        assert_eq!(Record::from_bytes(b""), None);
        assert_eq!(Record::from_bytes(&[9]), None);
        assert_eq!(Record::from_bytes(&[STREAM_FILE, 1, 2]), None);
    }
}
