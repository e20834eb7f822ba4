//! What a verification must find, computed from both disks and the ledger, and what somebody does to the destination so
//! that there is something to be found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use longhaul_model::{Comparison, FileFacts, VerifyLevel, decode_name};

use super::dice::Dice;
use super::disk::{Disk, Entry};
use super::invariants::{Wrong, path_of};
use super::ledger::{CopiedRow, CopyImage};
use super::world::{World, round};

/// The source ids of everything that is not what it should be, as far as this level can tell.
pub(crate) fn differences(
    ledger: &CopyImage,
    world: &World,
    comparison: &Comparison,
    level: VerifyLevel,
) -> BTreeSet<i64> {
    let rows: BTreeMap<i64, &CopiedRow> = ledger.more.copied.iter().map(|row| (row.id, row)).collect();
    let mut different = BTreeSet::new();
    for node in &ledger.image.sides.src.nodes {
        let Some(status) = ledger.statuses.get(&node.id).filter(|_| node.parent_id.is_some()) else { continue };
        let is_copied = status.copy.as_deref() == Some("successful");
        if !is_copied && status.copy.as_deref() != Some("already_existed") {
            continue;
        }
        let row = rows.get(&node.id).copied();
        let (size, modified_ns) = match row {
            Some(row) => (row.size.or(node.size), row.modified_ns.or(node.modified_ns)),
            None => (node.size, node.modified_ns),
        };
        let due = Due {
            source: decode_name(&status.path).expect("paths are printable"),
            destination: path_of(&status.path, row),
            is_copied,
            facts: FileFacts { size, modified_ns },
            checksum: row.and_then(|row| row.checksum.as_deref()),
        };
        if !due.is_there(world, comparison, &node.kind, level) {
            different.insert(node.id);
        }
    }
    different
}

/// What has to be at the destination.
struct Due<'a> {
    source: Vec<u8>,
    destination: Vec<u8>,
    is_copied: bool,
    facts: FileFacts,
    checksum: Option<&'a [u8]>,
}

impl Due<'_> {
    fn is_there(&self, world: &World, comparison: &Comparison, kind: &str, level: VerifyLevel) -> bool {
        let BySides { src, dst } = BySides::of(world);
        match (kind, dst.entry(&self.destination)) {
            ("folder", Some(Entry::Folder { .. })) => true,
            ("symlink", Some(Entry::Symlink { points_to, modified_ns })) => {
                let found = FileFacts { size: i64::try_from(points_to.len()).ok(), modified_ns: Some(*modified_ns) };
                let points_there = match src.entry(&self.source) {
                    Some(Entry::Symlink { points_to: due, .. }) => due == points_to,
                    // Without the folder that it is in nobody looks for it.
                    _ => !src.is_folder(super::disk::parent(&self.source)),
                };
                (!self.is_copied || self.has_facts(world, found)) && (level == VerifyLevel::Size || points_there)
            }
            ("file", Some(Entry::File(_))) => self.is_file(world, comparison, level),
            _ => false,
        }
    }

    fn is_file(&self, world: &World, comparison: &Comparison, level: VerifyLevel) -> bool {
        let BySides { src, dst } = BySides::of(world);
        let contents = dst.file(&self.destination).expect("it is a file");
        let found = FileFacts { size: Some(contents.size()), modified_ns: Some(contents.modified_ns) };
        let looks_right = if self.is_copied {
            self.has_facts(world, found)
        } else {
            comparison.is_same(self.facts, found) || comparison.needs_reading(self.facts, found)
        };
        let is_what_was_copied =
            self.checksum.is_none_or(|checksum| checksum == blake3::hash(&contents.bytes).as_bytes().as_slice());
        let is_what_the_source_has = src.file(&self.source).is_some_and(|due| {
            let is_unchanged = (Some(due.size()), Some(due.modified_ns)) == (self.facts.size, self.facts.modified_ns);
            due.bytes == contents.bytes && (is_unchanged || !self.is_copied)
        });
        // A name that was made as a link to another one has no checksum of its own: it is compared with the source.
        let reads_source =
            level == VerifyLevel::Full || level == VerifyLevel::Checksum && self.is_copied && self.checksum.is_none();
        looks_right
            && (level < VerifyLevel::Checksum || is_what_was_copied)
            && (!reads_source || is_what_the_source_has)
    }

    /// Whether a copy has the size and the time that it was given.
    fn has_facts(&self, world: &World, found: FileFacts) -> bool {
        let nature = world.natures.dst;
        let due_ns = self.facts.modified_ns.map(|time| round(time, nature.resolution_ns));
        self.facts.size == found.size && (!nature.keeps.modified || due_ns == found.modified_ns)
    }
}

struct BySides<'a> {
    src: &'a Disk,
    dst: &'a Disk,
}

impl<'a> BySides<'a> {
    fn of(world: &'a World) -> Self {
        BySides { src: &world.disks.src, dst: &world.disks.dst }
    }
}

/// Does something to the destination. Returns whether a look at the listing shows it, for what is not a folder.
pub(crate) fn damage(dice: &mut Dice, disk: &mut Disk, path: &[u8]) -> Option<bool> {
    let entry = disk.entry(path).cloned()?;
    let time = disk.facts(path)?.modified_ns?;
    let size = disk.file(path).map_or(0, |contents| contents.bytes.len());
    match (entry, dice.between(0, 6)) {
        (Entry::File(number), 0..=2) if size > 0 => {
            let place = dice.count(0, size - 1);
            Arc::make_mut(&mut disk.contents_mut(number).bytes)[place] ^= 1;
            return Some(false);
        }
        (Entry::File(number), 3) => Arc::make_mut(&mut disk.contents_mut(number).bytes).push(1),
        (Entry::Symlink { mut points_to, modified_ns }, 0..=3) => {
            points_to.reverse();
            let is_seen = false;
            disk.put(path, Entry::Symlink { points_to, modified_ns });
            return Some(is_seen);
        }
        (Entry::File(_) | Entry::Symlink { .. }, 4) => disk.put(path, Entry::Folder { modified_ns: time }),
        _ => drop(disk.remove(path)),
    }
    Some(true)
}

/// What a verification that has come to its end says.
pub(crate) fn when_verified(ledger: &CopyImage, due: &BTreeSet<i64>) -> Wrong {
    let mut wrong = Wrong::new();
    let found: Vec<i64> = ledger.more.differences.iter().map(|(id, _)| *id).collect();
    if found != due.iter().copied().collect::<Vec<_>>() {
        let what = ledger.more.differences.iter().map(|(id, message)| {
            let path = ledger.statuses.get(id).map_or("", |status| status.path.as_str());
            format!("{id} {path}: {message}")
        });
        wrong.push(format!("it should find {due:?}, and found {:?}", what.collect::<Vec<_>>()));
    }
    // The root is nobody's child, and is not looked for.
    let nodes = ledger.with_status("successful").count() + ledger.with_status("already_existed").count() - 1;
    let numbers = [("verified_nodes", nodes), ("verified_differences", due.len())];
    for (name, number) in numbers {
        if usize::try_from(ledger.mark(name)) != Ok(number) {
            wrong.push(format!("{name} is {}, and should be {number}", ledger.mark(name)));
        }
    }
    wrong
}

/// Everything that has to be at the destination, by source id.
pub(crate) fn paths_to_damage(ledger: &CopyImage) -> Vec<(i64, Vec<u8>)> {
    let rows: BTreeMap<i64, &CopiedRow> = ledger.more.copied.iter().map(|row| (row.id, row)).collect();
    let there = ledger.with_status("successful").chain(ledger.with_status("already_existed"));
    there
        .filter(|(_, status)| status.path != "/")
        .map(|(id, status)| (id, path_of(&status.path, rows.get(&id).copied())))
        .collect()
}
