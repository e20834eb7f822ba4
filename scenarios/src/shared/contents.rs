//! All that is in a world of the simulator, bytes included: found out by reading it, without any store.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

use anyhow::{Result, anyhow};
use longhaul_model::{BySide, Side, encode_name};
use longhaul_spectra::{NodeKind, Spectra, World};
use serde::{Deserialize, Serialize};

use super::ledger_snapshot::differing;
use super::report::{Report, grouped};
use super::trace::world_of;

/// What there is, by printable path; the root has `/`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contents(pub(crate) BTreeMap<String, Content>);

/// A file or a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Content {
    /// `None` for a folder, otherwise a fingerprint of the bytes.
    bytes: Option<u64>,
    size: u64,
    modified_ns: i64,
}

impl Content {
    pub(crate) fn folder(modified_ns: i64) -> Content {
        Content { bytes: None, size: 0, modified_ns }
    }

    pub(crate) fn file(bytes: &[u8], modified_ns: i64) -> Content {
        Content { bytes: Some(fingerprint(bytes)), size: bytes.len() as u64, modified_ns }
    }

    pub(crate) fn is_folder(&self) -> bool {
        self.bytes.is_none()
    }
}

impl Contents {
    /// Those of the two worlds that are source and destination.
    pub(crate) fn of(simulator: &Spectra) -> Result<BySide<Contents>> {
        let of = |side| Contents::of_world(&simulator.world(world_of(side))?.undisturbed());
        Ok(BySide { src: of(Side::Source)?, dst: of(Side::Destination)? })
    }

    fn of_world(world: &World) -> Result<Contents> {
        let mut nodes = Vec::new();
        let walked = world.walk(|path, info| nodes.push((path.to_vec(), *info)));
        walked.map_err(|fault| anyhow!("{} cannot be walked: {}", world.name(), fault.message))?;
        let mut contents = Contents::default();
        for (path, info) in nodes {
            let bytes = match info.kind {
                NodeKind::Folder => None,
                NodeKind::File => Some(fingerprint(&read(world, &path, info.size)?)),
            };
            let content = Content { bytes, size: info.size, modified_ns: info.modified_ns };
            contents.0.insert(encode_name(&path).into_owned(), content);
        }
        Ok(contents)
    }

    /// The folders, without the root.
    pub(crate) fn folders(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(path, content)| content.is_folder() && *path != "/").map(|(path, _)| path.as_str())
    }

    /// What a destination is to be when these were brought to it from `source`.
    pub(crate) fn with_brought(&self, source: &Contents, is_brought: impl Fn(&str) -> bool) -> Contents {
        let mut due = self.clone();
        let brought = source.0.iter().filter(|(path, _)| is_brought(path));
        due.0.extend(brought.map(|(path, content)| (path.clone(), content.clone())));
        due
    }

    /// Prints the check that all of it is as it is to be, and nothing else is there.
    pub(crate) fn check(&self, report: &mut Report<'_>, what: &str, due: &Contents) -> Result<()> {
        let texts = |contents: &Contents| -> BTreeSet<String> {
            contents.0.iter().map(|(path, content)| format!("{path}: {content:?}")).collect()
        };
        let count = grouped(due.0.len() as u64);
        report.check_list(
            &format!("{what}: nodes that are not as the {count} due"),
            &differing(&texts(due), &texts(self)),
        )
    }
}

fn read(world: &World, path: &[u8], size: u64) -> Result<Vec<u8>> {
    // A byte more than there should be.
    let read = world.read(path, 0, usize::try_from(size)? + 1, Duration::ZERO).result;
    read.map_err(|fault| anyhow!("{} cannot be read: {}", path.escape_ascii(), fault.message))
}

fn fingerprint(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
