//! What a ledger has of copying and of verification, beside what it has of discovery.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use longhaul_model::Side;

use super::image::{Image, ImageReader, StatusRow};

/// A ledger's rows.
#[derive(Clone, Debug)]
pub(crate) struct CopyImage {
    pub(crate) image: Image,
    /// Of the source, by id.
    pub(crate) statuses: BTreeMap<i64, StatusRow>,
    pub(crate) more: More,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct More {
    /// `src_id` and action.
    pub(crate) plan: Vec<(i64, String)>,
    pub(crate) copied: Vec<CopiedRow>,
    /// `src_id`, part and value.
    pub(crate) parts: Vec<(i64, i32, Vec<u8>)>,
    /// `src_id` and message.
    pub(crate) differences: Vec<(i64, String)>,
    pub(crate) marks: BTreeMap<String, i64>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct CopiedRow {
    pub(crate) id: i64,
    /// On the destination, where it is another one.
    pub(crate) name: Option<String>,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
    pub(crate) checksum: Option<Vec<u8>>,
}

impl More {
    pub(crate) fn read(reader: &ImageReader) -> duckdb::Result<Self> {
        Ok(More {
            plan: reader.rows(
                "SELECT src_id, action::VARCHAR
                 FROM plan
                 ORDER BY ALL",
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?,
            copied: reader.rows(
                "SELECT src_id, name, size, modified_ns, checksum
                 FROM copied
                 ORDER BY ALL",
                |row| {
                    let (id, name, size) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    Ok(CopiedRow { id, name, size, modified_ns: row.get(3)?, checksum: row.get(4)? })
                },
            )?,
            parts: reader.rows(
                "SELECT src_id, part, value
                 FROM parts
                 ORDER BY ALL",
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )?,
            differences: reader.rows(
                "SELECT src_id, message
                 FROM differences
                 ORDER BY ALL",
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?,
            marks: reader
                .rows(
                    "SELECT name, value
                     FROM stats
                     WHERE name <> 'created_ns'",
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?
                .into_iter()
                .collect(),
        })
    }
}

impl CopyImage {
    pub(crate) fn new((image, more): (Image, More)) -> Self {
        let statuses = image.statuses(Side::Source);
        CopyImage { image, statuses, more }
    }

    pub(crate) fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.image.fingerprint().hash(&mut hasher);
        self.more.hash(&mut hasher);
        hasher.finish()
    }

    /// The source nodes whose copy status is this one.
    pub(crate) fn with_status(&self, copy_status: &str) -> impl Iterator<Item = (i64, &StatusRow)> {
        let is_it = move |status: &StatusRow| status.copy.as_deref() == Some(copy_status);
        self.statuses.iter().filter(move |(_, status)| is_it(status)).map(|(id, status)| (*id, status))
    }

    pub(crate) fn mark(&self, name: &str) -> i64 {
        self.more.marks.get(name).copied().unwrap_or(0)
    }
}
