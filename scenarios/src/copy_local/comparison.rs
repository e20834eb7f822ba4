//! What must be at the destination afterwards, and whether it is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use longhaul_model::{BySide, CopyStatus, encode_name};

use super::Due;
use crate::interrupt::Interrupt;
use crate::shared::report::{Report, grouped};
use crate::shared::snapshot::{Entry, EntryFacts, Snapshot, compare_bytes};

/// What a file has in front of its name until it is whole.
const TEMPORARY: &[u8] = b".longhaul-";

/// What must be at the destination, by path.
#[derive(Debug)]
pub(super) struct Destination {
    entries: BTreeMap<Vec<u8>, DueEntry>,
}

#[derive(Debug)]
struct DueEntry {
    facts: EntryFacts,
    /// Whether it was there before, and nobody has a reason to touch it.
    is_untouched: bool,
    /// A folder in which something was made has another time than before.
    has_other_time: bool,
}

fn status_of(due: &Due, path: &[u8]) -> Option<CopyStatus> {
    due.status(&encode_name(path))
}

fn is_copied(due: &Due, path: &[u8]) -> bool {
    status_of(due, path) == Some(CopyStatus::Successful)
}

fn folder_of(path: &[u8]) -> &[u8] {
    match path.iter().rposition(|&byte| byte == b'/') {
        None | Some(0) => b"/",
        Some(slash) => &path[..slash],
    }
}

impl Destination {
    /// Works it out from what was there before, and from what has to become of each node of the source.
    pub(super) fn due(before: &BySide<Snapshot>, due: &Due) -> Destination {
        // Whether there is room and whether it may be written is tried at the root.
        let mut worked_in: BTreeSet<&[u8]> = [&b"/"[..]].into();
        let mut entries = BTreeMap::new();
        for (path, entry) in before.src.entries.iter().filter(|(path, _)| is_copied(due, path)) {
            worked_in.insert(folder_of(path));
            let facts = entry.facts.clone();
            entries.insert(path.clone(), DueEntry { facts, is_untouched: false, has_other_time: false });
        }
        for (path, entry) in &before.dst.entries {
            if is_copied(due, path) {
                continue;
            }
            let has_other_time = worked_in.contains(&path[..]);
            let due = DueEntry { facts: entry.facts.clone(), is_untouched: !has_other_time, has_other_time };
            entries.insert(path.clone(), due);
        }
        Destination { entries }
    }

    /// Compares it with what is there, and prints each check.
    pub(super) fn check(
        &self,
        report: &mut Report<'_>,
        before: &BySide<Snapshot>,
        after: &BySide<Snapshot>,
    ) -> Result<()> {
        let found = &after.dst;
        report.check_count("entries at the destination", self.entries.len() as u64, found.entries.len() as u64)?;
        let (mut missing, mut different, mut touched) = (Vec::new(), Vec::new(), Vec::new());
        for (path, due) in &self.entries {
            let shown = encode_name(path);
            let Some(entry) = found.get(path) else {
                missing.push(format!("{shown} ({})", due.facts));
                continue;
            };
            let mut facts = entry.facts.clone();
            if due.has_other_time {
                facts.modified_ns = due.facts.modified_ns;
            }
            if facts != due.facts {
                different.push(format!("{shown}: {} instead of {}", entry.facts, due.facts));
            }
            if due.is_untouched && before.dst.get(path).is_none_or(|before| !is_same_file(before, entry)) {
                touched.push(shown.into_owned());
            }
        }
        let others = found.entries.keys().filter(|path| !self.entries.contains_key(*path));
        let others: Vec<String> = others.map(|path| encode_name(path).into_owned()).collect();
        let untouched = self.entries.values().filter(|due| due.is_untouched).count() as u64;
        report.check_list("entries that are missing at the destination", &missing)?;
        report.check_list("entries that nobody put there", &others)?;
        report.check_list("entries with another kind, size, time, mode, target or contents", &different)?;
        let what = format!("of {} entries to be left alone, those touched", grouped(untouched));
        report.check_list(&what, &touched)?;
        let temporary: Vec<String> = found
            .entries
            .keys()
            .filter(|path| path.rsplit(|&byte| byte == b'/').next().is_some_and(|name| name.starts_with(TEMPORARY)))
            .map(|path| encode_name(path).into_owned())
            .collect();
        report.check_list("temporary files left", &temporary)?;
        check_names_of_one_file(report, before, found, &self.entries)?;
        check_holes(report, before, found)
    }
}

/// Nobody has written it, replaced it, or set anything of it. A folder may have been given its mode anew by ourselves.
fn is_same_file(before: &Entry, after: &Entry) -> bool {
    let is_folder = before.facts.kind == "folder";
    before.identity.inode == after.identity.inode
        && (is_folder || before.identity.changed_ns == after.identity.changed_ns)
}

/// Files that were copied, by the file of the source that they are names of.
fn copied_by_inode(source: &Snapshot, is_copied: impl Fn(&[u8]) -> bool) -> BTreeMap<u64, Vec<&Vec<u8>>> {
    let mut groups: BTreeMap<u64, Vec<&Vec<u8>>> = BTreeMap::new();
    for (path, entry) in source.entries.iter().filter(|(path, entry)| entry.facts.kind == "file" && is_copied(path)) {
        groups.entry(entry.identity.inode).or_default().push(path);
    }
    groups
}

/// How many files are to be copied as another name of one that is.
pub(super) fn linked(source: &Snapshot, due: &Due) -> u64 {
    copied_by_inode(source, |path| is_copied(due, path)).values().map(|names| names.len() as u64 - 1).sum()
}

/// Names of one file are names of one file again, and of no other.
fn check_names_of_one_file(
    report: &mut Report<'_>,
    before: &BySide<Snapshot>,
    found: &Snapshot,
    entries: &BTreeMap<Vec<u8>, DueEntry>,
) -> Result<()> {
    let is_copied = |path: &[u8]| entries.get(path).is_some_and(|due| !due.is_untouched && !due.has_other_time);
    let groups = copied_by_inode(&before.src, is_copied);
    let inode = |path: &Vec<u8>| found.get(path).map(|entry| entry.identity.inode);
    let inodes: BTreeSet<_> = groups.values().flatten().map(|path| inode(path)).collect();
    report.check_count("files copied, each with all its names", groups.len() as u64, inodes.len() as u64)?;
    let several = groups.values().filter(|names| names.len() > 1);
    let torn = several.clone().filter(|names| names.iter().any(|name| inode(name) != inode(names[0])));
    let torn: Vec<String> = torn.map(|names| encode_name(names[0]).into_owned()).collect();
    report.check_list(&format!("of {} files with several names, those torn apart", several.count()), &torn)
}

/// What took no room on the source takes none at the destination.
fn check_holes(report: &mut Report<'_>, before: &BySide<Snapshot>, found: &Snapshot) -> Result<()> {
    // What a file system rounds up and keeps beside the bytes.
    const ROOM: u64 = 1 << 20;
    let sparse = before.src.entries.iter().filter(|(path, entry)| {
        let size = entry.facts.size.unsigned_abs();
        entry.facts.kind == "file" && path.starts_with(b"/holes/") && entry.identity.allocated + ROOM < size
    });
    let filled = sparse.clone().filter_map(|(path, entry)| {
        let (here, there) = (entry.identity.allocated, found.get(path)?.identity.allocated);
        (there > here + ROOM).then(|| format!("{}: {there} bytes instead of {here}", encode_name(path)))
    });
    report.check_list(
        &format!("of {} files with holes, those filled up", sparse.clone().count()),
        &filled.collect::<Vec<_>>(),
    )
}

/// Reads every file that must be the same on both sides.
pub(super) fn check_bytes(
    report: &mut Report<'_>,
    folders: &BySide<PathBuf>,
    before: &BySide<Snapshot>,
    due: &Due,
    interrupt: &Interrupt,
) -> Result<()> {
    let (mut files, mut bytes, mut different) = (0, 0, Vec::new());
    let copied = before.src.entries.iter().filter(|(path, entry)| entry.facts.kind == "file" && is_copied(due, path));
    for (path, _) in copied {
        files += 1;
        match compare_bytes([&folders.src, &folders.dst], path, interrupt) {
            Ok(Ok(length)) => bytes += length,
            Ok(Err(at)) => different.push(format!("{}: at byte {at}", encode_name(path))),
            Err(error) => different.push(format!("{error:#}")),
        }
    }
    let what = format!("of {} files copied, those with other bytes on the two sides", grouped(files));
    report.check_list(&what, &different)?;
    report.line(&format!("        {} bytes compared", grouped(bytes)))
}

/// Nothing of the source was touched.
pub(super) fn check_source(report: &mut Report<'_>, before: &Snapshot, after: &Snapshot) -> Result<()> {
    let paths: BTreeSet<&Vec<u8>> = before.entries.keys().chain(after.entries.keys()).collect();
    let is_same = |path: &Vec<u8>| match (before.get(path), after.get(path)) {
        (Some(one), Some(other)) => one.facts == other.facts && one.identity.inode == other.identity.inode,
        _ => false,
    };
    let changed: Vec<String> =
        paths.iter().filter(|path| !is_same(path)).map(|path| encode_name(path).into_owned()).collect();
    report.check_list(&format!("of {} entries of the source, those changed", grouped(paths.len() as u64)), &changed)
}

/// A run that copies nothing touches nothing, but for the root's time.
pub(super) fn check_unchanged(report: &mut Report<'_>, before: &Snapshot, after: &Snapshot) -> Result<()> {
    let paths: BTreeSet<&Vec<u8>> = before.entries.keys().chain(after.entries.keys()).collect();
    let changed = paths.iter().filter(|path| path[..] != b"/"[..] && before.get(path) != after.get(path));
    let changed: Vec<String> = changed.map(|path| encode_name(path).into_owned()).collect();
    report.check_list("entries of the destination that it changed", &changed)
}

#[cfg(test)]
mod tests;
