//! A page of a folder's entries: the generated ones, with what is kept merged into them.

use super::World;
use super::node::Node;
use crate::fault::Fault;
use crate::generator::{Fan, Generator, Origin};
use crate::kept::Children;
use crate::listing::{Listing, NodeInfo, NodeKind};
use crate::names::{Rank, append_numbered};
use crate::path::NodePath;

/// Entries that memory is reserved for beforehand; a page may have more.
const RESERVED_ENTRIES_MAX: usize = 4096;

impl World {
    /// Adds up to `limit` entries behind `after`; gives the last one's name if there are more behind it.
    pub(super) fn list_page(
        &self,
        path: NodePath<'_>,
        after: Option<&[u8]>,
        limit: usize,
        entries: &mut Listing,
    ) -> Result<Option<Vec<u8>>, Fault> {
        let reader = self.reader();
        let origin = self.folder(&reader, path)?;
        let after = after.map(Rank::of);
        let mut generated = GeneratedChildren::new(&self.state().generator, origin, after);
        let mut kept = reader.children(path, after)?;
        entries.reserve(generated.remaining_most().min(limit).min(RESERVED_ENTRIES_MAX));
        let more = match &mut kept {
            None => generated.fill(limit, entries),
            Some(kept) => merge(&mut generated, kept, limit, entries)?,
        };
        Ok(more.then(|| entries.name(entries.len() - 1).to_vec()))
    }
}

/// Adds entries of both, in order; what is kept of a name wins. Says whether there are more.
fn merge(
    generated: &mut GeneratedChildren<'_>,
    kept: &mut Children<'_, '_>,
    limit: usize,
    entries: &mut Listing,
) -> Result<bool, Fault> {
    let mut next_generated = generated.next();
    loop {
        let numbered = next_generated.map(|child| Rank::Numbered(child.kind, child.number));
        let full = entries.len() == limit;
        // What is kept comes first, unless the generated child does.
        let next_kept = kept.peek()?.filter(|(rank, _)| numbered.is_none_or(|numbered| *rank <= numbered));
        if let Some((rank, record)) = next_kept {
            let node = Node::from_record(record);
            if node.is_some() && full {
                return Ok(true);
            }
            if let Some(node) = node {
                entries.push(node.info(), |names| rank.append_name(names));
            }
            let overrides = numbered == Some(rank);
            kept.advance()?;
            if overrides {
                next_generated = generated.next();
            }
        } else if let Some(child) = next_generated {
            if full {
                return Ok(true);
            }
            generated.push(child, entries);
            next_generated = generated.next();
        } else {
            return Ok(false);
        }
    }
}

#[derive(Clone, Copy)]
struct GeneratedChild {
    kind: NodeKind,
    number: u32,
    key: u64,
}

/// The generated children of a folder that exist, in the order of listings.
struct GeneratedChildren<'a> {
    generator: &'a Generator,
    /// Without one there are no children.
    origin: Option<Origin>,
    fan: Fan,
    /// The last numbers gone past.
    passed: Fan,
}

impl<'a> GeneratedChildren<'a> {
    fn new(generator: &'a Generator, origin: Option<Origin>, after: Option<Rank<'_>>) -> Self {
        let fan = origin.map_or(Fan { folders: 0, files: 0 }, |origin| generator.fan(origin));
        let passed = match after {
            None => Fan { folders: 0, files: 0 },
            Some(Rank::Numbered(NodeKind::Folder, number)) => Fan { folders: number.min(fan.folders), files: 0 },
            Some(Rank::Numbered(NodeKind::File, number)) => Fan { folders: fan.folders, files: number.min(fan.files) },
            Some(Rank::Other(_)) => fan,
        };
        Self { generator, origin, fan, passed }
    }

    fn remaining_most(&self) -> usize {
        (self.fan.folders - self.passed.folders) as usize + (self.fan.files - self.passed.files) as usize
    }

    fn next(&mut self) -> Option<GeneratedChild> {
        let origin = self.origin?;
        loop {
            let (kind, number) = if self.passed.folders < self.fan.folders {
                self.passed.folders += 1;
                (NodeKind::Folder, self.passed.folders)
            } else if self.passed.files < self.fan.files {
                self.passed.files += 1;
                (NodeKind::File, self.passed.files)
            } else {
                return None;
            };
            let key = Generator::child_key(origin, kind, number);
            if self.generator.exists(key) {
                return Some(GeneratedChild { kind, number, key });
            }
        }
    }

    fn push(&self, child: GeneratedChild, entries: &mut Listing) {
        let info: NodeInfo = self.generator.info(child.kind, child.key);
        entries.push(info, |names| append_numbered(names, child.kind, child.number));
    }

    /// Adds up to `limit` of them; says whether there are more.
    fn fill(&mut self, limit: usize, entries: &mut Listing) -> bool {
        while let Some(child) = self.next() {
            if entries.len() == limit {
                return true;
            }
            self.push(child, entries);
        }
        false
    }
}
