//! Two trees: a source, and a destination that has some of it already.

use longhaul_model::{BySide, NodeKind, Side};

use super::changes::random_bytes;
use super::dice::Dice;
use super::disk::{Disk, Entry, child};
use super::world::{Nature, round};

/// Files from this size on are large, or from twice as much.
pub(crate) const LARGE_FROM: u64 = 2_048;

const NAMES: &[&[u8]] = &[
    b"a",
    b"b",
    b"notes.txt",
    b"Notes.txt",
    b"notes (source).txt",
    b"data.bin",
    b"caf\xc3\xa9",
    b"caf\xe9",
    b"new\nline",
    b"100%",
    b".hidden",
    b"two words",
];

const SIZES: &[usize] = &[0, 0, 1, 100, 700, 1_024, 1_500, 2_047, 2_048, 2_049, 4_096, 5_000, 9_000, 20_000];

/// Makes both.
pub(crate) fn random_trees(dice: &mut Dice, natures: &BySide<Nature>) -> BySide<Disk> {
    let nodes_max = dice.pick(&[6, 12, 12, 25, 25, 60]);
    let mut source = Disk::new();
    let mut left = nodes_max;
    grow(dice, &mut source, b"/", dice_depth(nodes_max), &mut left);
    give_second_names(dice, &mut source);
    let mut destination = Disk::new();
    let share = dice.pick(&[0, 0, 30, 60, 90]);
    let mut old = Destination { dice, nature: natures.dst, share, source: &source };
    old.fill(&mut destination, b"/");
    BySide { src: source, dst: destination }
}

fn dice_depth(nodes_max: usize) -> u32 {
    if nodes_max > 12 { 4 } else { 3 }
}

fn random_time(dice: &mut Dice) -> i64 {
    let second = i64::try_from(dice.between(1_500_000_000, 1_600_000_000)).expect("it is small");
    let fraction = i64::try_from(dice.between(0, 999_999_999)).expect("it is small");
    second * 1_000_000_000 + fraction
}

fn grow(dice: &mut Dice, disk: &mut Disk, folder: &[u8], depth_left: u32, left: &mut usize) {
    for _ in 0..dice.count(usize::from(folder == b"/"), 7) {
        let path = child(folder, dice.pick(NAMES));
        if *left == 0 || disk.entry(&path).is_some() {
            continue;
        }
        *left -= 1;
        let modified_ns = random_time(dice);
        match dice.between(0, 19) {
            0..=5 if depth_left > 0 => {
                disk.put(&path, Entry::Folder { modified_ns });
                grow(dice, disk, &path, depth_left - 1, left);
                disk.set_folder_time(&path, modified_ns);
            }
            6..=7 => disk.put(&path, Entry::Symlink { points_to: dice.pick(NAMES).to_vec(), modified_ns }),
            8 => disk.put(&path, Entry::Other { modified_ns }),
            _ => {
                let size = dice.pick(SIZES);
                disk.put_file(&path, random_bytes(dice, size), modified_ns);
            }
        }
    }
}

/// Some files have other names as well.
fn give_second_names(dice: &mut Dice, disk: &mut Disk) {
    let files: Vec<Entry> =
        disk.entries().map(|(_, entry)| entry).filter(|it| matches!(it, Entry::File(_))).cloned().collect();
    let folders: Vec<Vec<u8>> = disk
        .entries()
        .filter(|(_, entry)| matches!(entry, Entry::Folder { .. }))
        .map(|(path, _)| path.clone())
        .chain([b"/".to_vec()])
        .collect();
    if files.is_empty() || dice.chance(60) {
        return;
    }
    for _ in 0..dice.count(1, 4) {
        let folder = dice.pick(&folders);
        let path = child(&folder, &[b"twin of ".as_slice(), dice.pick(NAMES)].concat());
        if disk.entry(&path).is_none() {
            let time = disk.facts(&folder).and_then(|facts| facts.modified_ns).unwrap_or(0);
            disk.put(&path, dice.pick(&files));
            disk.set_folder_time(&folder, time);
        }
    }
}

/// What the destination has before the migration begins.
struct Destination<'a> {
    dice: &'a mut Dice,
    nature: Nature,
    /// In percent, how much of the source it has.
    share: u64,
    source: &'a Disk,
}

impl Destination<'_> {
    fn fill(&mut self, disk: &mut Disk, folder: &[u8]) {
        let source = self.source;
        for (_, path, entry) in source.children(folder) {
            if !self.dice.chance(self.share) {
                continue;
            }
            if self.dice.chance(8) {
                self.put_other_kind(disk, path, entry);
                continue;
            }
            match entry {
                Entry::Folder { .. } => {
                    disk.put(path, Entry::Folder { modified_ns: random_time(self.dice) });
                    self.fill(disk, path);
                }
                Entry::File(number) => {
                    let contents = source.contents(*number).expect("it has a name");
                    let (bytes, time) = (contents.bytes.to_vec(), contents.modified_ns);
                    self.put_file(disk, path, bytes, time);
                }
                Entry::Symlink { points_to, modified_ns } if self.nature.keeps.symlinks => {
                    let (mut points_to, mut time) = (points_to.clone(), *modified_ns);
                    if self.dice.chance(30) {
                        points_to = b"something else".to_vec();
                    }
                    if self.dice.chance(30) {
                        time = self.other_time(time);
                    }
                    disk.put(path, Entry::Symlink { points_to, modified_ns: self.rounded(time) });
                }
                Entry::Symlink { .. } | Entry::Other { .. } => {}
            }
        }
        if self.dice.chance(30) {
            let path = child(folder, self.dice.pick(&[&b"only here"[..], b"notes (source).txt", b"a (source)"]));
            if source.entry(&path).is_none() {
                let bytes = random_bytes(self.dice, 50);
                disk.put_file(&path, bytes, self.rounded(1_550_000_000_000_000_000));
            }
        }
    }

    fn put_file(&mut self, disk: &mut Disk, path: &[u8], mut bytes: Vec<u8>, mut time: i64) {
        match self.dice.between(0, 9) {
            // Nothing but its contents tells it from the source's.
            0 => bytes = random_bytes(self.dice, bytes.len()),
            1 => bytes.push(7),
            2..=3 => time = self.other_time(time),
            4..=5 => {
                bytes = random_bytes(self.dice, bytes.len() / 2 + 1);
                time = self.other_time(time);
            }
            _ => {}
        }
        disk.put_file(path, bytes, self.rounded(time));
    }

    fn put_other_kind(&mut self, disk: &mut Disk, path: &[u8], entry: &Entry) {
        let time = random_time(self.dice);
        let modified_ns = self.rounded(time);
        if entry.kind() == NodeKind::Folder {
            return disk.put_file(path, b"in the way of a folder".to_vec(), modified_ns);
        }
        disk.put(path, Entry::Folder { modified_ns });
        disk.put_file(&child(path, b"in the way"), b"of something".to_vec(), modified_ns);
    }

    fn other_time(&mut self, time: i64) -> i64 {
        const DAY_NS: i64 = 86_400_000_000_000;
        if self.dice.chance(50) { time - DAY_NS } else { time + DAY_NS }
    }

    fn rounded(&self, time: i64) -> i64 {
        round(time, self.nature.resolution_ns)
    }
}

/// The sides' disks, as a migration begins with them.
pub(crate) fn folders(disks: &BySide<Disk>, side: Side) -> Vec<Vec<u8>> {
    let folders = disks[side].entries().filter(|(_, entry)| matches!(entry, Entry::Folder { .. }));
    folders.map(|(path, _)| path.clone()).collect()
}
