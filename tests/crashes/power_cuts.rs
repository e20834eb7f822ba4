//! A power cut leaves on the disk what was flushed, and of what was written after that any sectors, in any order. The files
//! of a ledger are put together like that from what a command did to them until the cut; the trees are as they were then.
//!
//! What is assumed of the file system is what those with a journal keep to: changes of names and lengths happen in their order,
//! and are on the disk with the next flush of anything. Each eighth operation is cut at; `LONGHAUL_POWER_CUTS=all` cuts at each one,
//! three times.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use crate::{Scene, TRIED, err, is_done, is_thorough, place, run};

/// Operations that one command does not need.
const OPERATIONS_MAX: usize = 1_000;

/// Bytes that are on the disk together or not at all.
const SECTOR: usize = 512;

/// What was done to a file.
struct Operation {
    what: u8,
    name: String,
    other: String,
    offset: usize,
    bytes: Vec<u8>,
}

/// Reads what the library has recorded.
fn recorded(path: &Path) -> Vec<Operation> {
    let record = std::fs::read(path).unwrap_or_default();
    let mut rest = record.as_slice();
    let mut operations = Vec::new();
    while let Some((what, behind)) = rest.split_first() {
        let mut parts = behind.splitn(3, |byte| *byte == 0);
        let text = |part: Option<&[u8]>| String::from_utf8(part.expect("it is there").to_vec()).expect("it is UTF-8");
        let (name, other) = (text(parts.next()), text(parts.next()));
        let behind = parts.next().expect("numbers follow");
        let number = |at: usize| {
            let bytes = behind[at..at + 8].try_into().expect("eight bytes");
            usize::try_from(u64::from_ne_bytes(bytes)).expect("it fits")
        };
        let (offset, length) = (number(0), number(8));
        let bytes = if *what == b'W' { behind[16..16 + length].to_vec() } else { Vec::new() };
        rest = &behind[16 + bytes.len()..];
        operations.push(Operation { what: *what, name, other, offset, bytes });
    }
    operations
}

/// Numbers that follow from a seed (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % count as u64).expect("it is below a count")
    }
}

type Files = BTreeMap<String, Vec<u8>>;

/// The files of a ledger in a folder.
fn files(folder: &Path) -> Files {
    let entries = std::fs::read_dir(folder).expect("the scratch folder is there").map(|entry| entry.expect("an entry"));
    let entries = entries.filter(|entry| entry.file_type().expect("a type").is_file());
    let named = entries.map(|entry| (entry.file_name().into_string().expect("UTF-8"), entry.path()));
    named
        .filter(|(name, _)| is_of_ledger(name))
        .map(|(name, path)| (name, std::fs::read(path).expect("a file")))
        .collect()
}

fn is_of_ledger(name: &str) -> bool {
    name.starts_with("ledger.duckdb") && !name.contains(".sock")
}

/// What is on the disk after a cut behind these operations.
fn after_cut(before: &Files, operations: &[Operation], dice: &mut Dice) -> Files {
    let flushes = |operation: &Operation| matches!(operation.what, b'S' | b'D');
    let last_flush = operations.iter().rposition(flushes).map_or(0, |at| at + 1);
    // From here on no change of a name or a length has happened.
    let changes_end = last_flush + dice.below(operations.len() - last_flush + 1);
    // Contents belong to files, and these keep them under another name.
    let mut contents: Vec<Vec<u8>> = before.values().cloned().collect();
    let mut names: BTreeMap<String, usize> = before.keys().cloned().zip(0..).collect();
    let mut lost_from: HashMap<usize, usize> = HashMap::new();
    let (mut seen, mut on_disk) = (names.clone(), names.clone());
    for (at, Operation { what, name, other, offset, bytes }) in operations.iter().enumerate() {
        let happens = at < changes_end;
        match what {
            b'W' => {
                let file = seen[name];
                let is_flushed = operations[at..].iter().any(|later| later.what == b'S' && later.name == *name);
                for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                    let start = offset + number * SECTOR;
                    let is_lost = lost_from.get(&file).is_some_and(|from| start >= *from);
                    if is_lost || !(is_flushed || dice.below(2) == 0) {
                        continue;
                    }
                    let file = &mut contents[file];
                    file.resize(file.len().max(start + sector.len()), 0);
                    file[start..start + sector.len()].copy_from_slice(sector);
                }
            }
            b'T' => {
                let file = *seen.entry(name.clone()).or_insert_with(|| {
                    contents.push(Vec::new());
                    contents.len() - 1
                });
                if happens {
                    contents[file].resize(*offset, 0);
                } else {
                    let from = lost_from.entry(file).or_insert(*offset);
                    *from = (*from).min(*offset);
                }
            }
            b'R' | b'L' => {
                let file = if *what == b'R' { seen.remove(name) } else { seen.get(name).copied() };
                seen.insert(other.clone(), file.expect("it was there"));
            }
            b'U' => {
                seen.remove(name);
            }
            _ => {}
        }
        if happens {
            on_disk.clone_from(&seen);
        }
    }
    names.clone_from(&on_disk);
    names
        .into_iter()
        .filter(|(name, _)| is_of_ledger(name))
        .map(|(name, file)| (name, contents[file].clone()))
        .collect()
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_that_was_committed() {
    let (step, times) = if is_thorough("LONGHAUL_POWER_CUTS") { (1, 3) } else { (8, 1) };
    let place = place();
    for (tried, first) in TRIED.iter().zip((1..=step).cycle()) {
        let scene = Scene::new(place.path(), tried);
        let before = files(&scene.saved);
        let record = place.path().join("record");
        let mut cuts = 0;
        for number in (first..OPERATIONS_MAX).step_by(step) {
            let mut was_cut = false;
            for time in 0..times {
                let _ = std::fs::remove_file(&record);
                let output = scene.crash(tried, number, [("CRASH_RECORD", record.as_os_str())]);
                let what = format!("{:?}, power cut {time} at operation {number}", tried.command);
                if output.status.signal().is_none() {
                    assert!(is_done(&output), "{what}: {}", err(&output));
                    break;
                }
                let mut dice = Dice((number * 3 + time) as u64 + 1);
                let after = after_cut(&before, &recorded(&record), &mut dice);
                for name in files(&scene.folder).keys() {
                    std::fs::remove_file(scene.folder.join(name)).expect("it can be removed");
                }
                for (name, contents) in after {
                    std::fs::write(scene.folder.join(name), contents).expect("it can be written");
                }
                (cuts, was_cut) = (cuts + 1, true);
                // Commands other than those with `--resume` say that the log is damaged, and how it is repaired.
                if scene.folder.join("ledger.duckdb").exists() {
                    let output = run(&scene.folder, &["repair"]);
                    assert!(is_done(&output), "{what}: {}", err(&output));
                }
                scene.check(tried, &what);
            }
            if !was_cut {
                break;
            }
        }
        println!("{:?}: {cuts} power cuts", tried.command);
        assert!(cuts > 1, "{:?} writes its ledger", tried.command);
    }
}
