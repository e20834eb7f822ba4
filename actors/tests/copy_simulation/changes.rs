//! What somebody does to the source, and to the destination, while it is being copied.

use super::dice::Dice;
use super::disk::{Disk, Entry, child, is_within};
use super::world::World;

/// Something that somebody does to the source, unless it says otherwise.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Other bytes, so many, in the same file.
    Rewrite(Vec<u8>, usize),
    /// Another file in its place.
    Replace(Vec<u8>, usize),
    Remove(Vec<u8>),
    /// Something of another kind in its place.
    BecomeFolder(Vec<u8>),
    BecomeLink(Vec<u8>),
    /// Something that no listing has.
    Add(Vec<u8>),
    /// On the destination: a file that has the name which something from the source is to get.
    Intrude(Vec<u8>),
}

impl Change {
    pub(crate) fn random(dice: &mut Dice, source: &Disk) -> Option<Self> {
        let (path, entry) = {
            let all: Vec<_> = source.entries().collect();
            if all.is_empty() {
                return None;
            }
            let (path, entry) = all[dice.count(0, all.len() - 1)];
            (path.clone(), entry)
        };
        let size = dice.pick(&[0, 1, 700, 3_000, 9_000]);
        if dice.chance(20) {
            return Some(Change::Intrude(path));
        }
        Some(match (entry, dice.between(0, 9)) {
            (Entry::File(_), 0..=3) => Change::Rewrite(path, size),
            (Entry::File(_), 4..=6) => Change::Replace(path, size),
            (_, 7) => Change::BecomeFolder(path),
            (_, 8) => Change::BecomeLink(path),
            (Entry::Folder { .. }, 0..=3) => Change::Add(child(&path, b"added")),
            _ => Change::Remove(path),
        })
    }

    pub(crate) fn make(&self, world: &mut World) {
        let path = self.path();
        if let Change::Intrude(_) = self {
            return intrude(world, path);
        }
        let now = world.disks.src.now();
        let bytes = |dice: &mut Dice, size| random_bytes(dice, size);
        let dice = &mut world.dice;
        let source = &mut world.disks.src;
        if !source.is_folder(super::disk::parent(path)) {
            return;
        }
        match self {
            Change::Rewrite(_, size) => {
                let Some(Entry::File(number)) = source.entry(path).cloned() else { return };
                let contents = source.contents_mut(number);
                (contents.bytes, contents.modified_ns) = (bytes(dice, *size).into(), now);
                world.touched.extend(source.names_of(number));
            }
            Change::Replace(_, size) => source.put_file(path, bytes(dice, *size), now),
            Change::Remove(_) => drop(source.remove(path)),
            Change::BecomeFolder(_) => source.put(path, Entry::Folder { modified_ns: now }),
            Change::BecomeLink(_) => {
                source.put(path, Entry::Symlink { points_to: b"elsewhere".to_vec(), modified_ns: now });
            }
            Change::Add(_) => source.put_file(path, bytes(dice, 10), now),
            Change::Intrude(_) => unreachable!("it was done above"),
        }
        world.touched.insert(path.to_vec());
        world.note_versions();
    }

    fn path(&self) -> &[u8] {
        match self {
            Change::Rewrite(path, _)
            | Change::Replace(path, _)
            | Change::Remove(path)
            | Change::BecomeFolder(path)
            | Change::BecomeLink(path)
            | Change::Add(path)
            | Change::Intrude(path) => path,
        }
    }
}

/// Whoever does it sees to it that it survives.
fn intrude(world: &mut World, path: &[u8]) {
    let destination = &mut world.disks.dst;
    if destination.entry(path).is_some() || !destination.is_folder(super::disk::parent(path)) {
        return;
    }
    let (bytes, now) = (random_bytes(&mut world.dice, 33), destination.now());
    destination.put_file(path, bytes, now);
    let contents = destination.file(path).expect("it was put there").clone();
    world.durable.take_over(destination, path);
    world.intruders.insert(path.to_vec(), contents);
    world.touched.insert(path.to_vec());
}

impl World {
    /// Whether somebody changed this while it was copied, or what it is in.
    pub(crate) fn is_touched(&self, path: &[u8]) -> bool {
        self.touched.iter().any(|touched| is_within(path, touched))
    }
}

/// Bytes that are the same nowhere.
pub(crate) fn random_bytes(dice: &mut Dice, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&dice.draw().to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}
