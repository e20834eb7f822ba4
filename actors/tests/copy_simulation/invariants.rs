//! What must hold while files are copied, as functions of a ledger's rows, of what the disks have at that instant, and
//! of what is expected in the end. Each returns what is wrong.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_ledger::Counters;
use longhaul_model::{ConflictPolicy, Side, decode_name};

use super::calls::Left;
use super::disk::{Contents, Disk, Entry, child, name_of, parent};
use super::expected::Expected;
use super::image::StatusRow;
use super::ledger::{CopiedRow, CopyImage};
use super::world::{World, round};

pub(crate) type Wrong = Vec<String>;

/// All that the copy status of a node may be.
const STATUSES: [&str; 7] = ["already_existed", "conflict", "skipped", "successful", "failed", "vanished", "pending"];

/// One look at a migration.
#[derive(Clone, Debug)]
pub(crate) struct Look<'a> {
    pub(crate) ledger: &'a CopyImage,
    pub(crate) world: &'a World,
    pub(crate) expected: &'a Expected,
    /// The destination as it was before the migration.
    pub(crate) destination_before: &'a Disk,
    /// What the names of files begin with that are not whole.
    pub(crate) temporary_prefix: Vec<u8>,
    pub(crate) on_conflict: ConflictPolicy,
}

/// Whether a folder has failed only because its time and permissions could not be set in the end.
fn is_unfinished(copy: &str, reason: Option<&str>) -> bool {
    copy == "failed" && reason.is_some_and(|reason| reason.contains("its time and permissions could not be set"))
}

impl Look<'_> {
    /// What holds at any instant, whatever happened before.
    pub(crate) fn always(&self) -> Wrong {
        let found = [
            self.statuses_change_once(),
            self.statuses_are_those_expected(),
            self.copied_rows_are_of_what_was_copied(),
            self.what_was_copied_is_there(),
            self.counters_are_what_there_is(),
            self.nothing_else_is_touched(),
            self.nothing_else_is_there(),
            self.intruders_are_left_alone(),
        ];
        found.into_iter().flatten().collect()
    }

    pub(crate) fn is_temporary(&self, path: &[u8]) -> bool {
        name_of(path).starts_with(&self.temporary_prefix)
    }

    /// A copy status that is not pending is the last one, but for a folder that was made and could not be finished.
    fn statuses_change_once(&self) -> Wrong {
        let mut settled: BTreeMap<i64, &str> = BTreeMap::new();
        let mut wrong = Wrong::new();
        for event in &self.ledger.image.sides.src.events {
            let Some(copy) = &event.copy else { continue };
            if let Some(before) = settled.insert(event.node_id, copy)
                && !(before == "successful" && is_unfinished(copy, event.error.as_deref()))
            {
                wrong.push(format!("{event:?} comes after {before}"));
            }
        }
        wrong
    }

    /// Of what nobody changed on the source, what has been decided is what will be true in the end.
    fn statuses_are_those_expected(&self) -> Wrong {
        let mut wrong = Wrong::new();
        for (id, status) in &self.ledger.statuses {
            let Some(expected) = self.expected.get(&status.path) else {
                if status.path != "/" {
                    wrong.push(format!("{id} {status:?} is not in the tree"));
                }
                continue;
            };
            // A folder that could not be finished has been made.
            let copy = status
                .copy
                .as_deref()
                .map(|copy| if is_unfinished(copy, status.error.as_deref()) { "successful" } else { copy });
            if copy != Some("pending") && copy != Some(expected.status) && !self.world.is_touched(&expected.path) {
                wrong.push(format!("{id} {status:?} should be {}", expected.status));
            }
            let needs_reason = matches!(status.copy.as_deref(), Some("failed" | "skipped" | "conflict" | "vanished"));
            if needs_reason && status.error.is_none() {
                wrong.push(format!("{id} {status:?} has no reason"));
            }
        }
        wrong
    }

    fn copied_rows_are_of_what_was_copied(&self) -> Wrong {
        let of_rows: Vec<i64> = self.ledger.more.copied.iter().map(|row| row.id).collect();
        let folders: BTreeSet<i64> = self.ledger.image.sides.src.folders.iter().map(|folder| folder.id).collect();
        let of_statuses: Vec<i64> =
            self.ledger.with_status("successful").map(|(id, _)| id).filter(|id| !folders.contains(id)).collect();
        if of_rows == of_statuses {
            return Wrong::new();
        }
        vec![format!("{of_statuses:?} are successful, and there are rows of {of_rows:?}")]
    }

    /// Whatever is recorded as copied is at the destination, whole, as it once was on the source.
    fn what_was_copied_is_there(&self) -> Wrong {
        let rows: BTreeMap<i64, &CopiedRow> = self.ledger.more.copied.iter().map(|row| (row.id, row)).collect();
        let mut wrong = Wrong::new();
        for (id, status) in self.ledger.with_status("successful") {
            let path = path_of(&status.path, rows.get(&id).copied());
            let is_right = match (self.world.disks.dst.entry(&path), rows.get(&id)) {
                (Some(Entry::Folder { .. }), None) => true,
                (Some(Entry::File(_)), Some(row)) => self.is_whole(&status.path, &path, row),
                (Some(Entry::Symlink { points_to, modified_ns }), Some(row)) => {
                    self.is_right_link(&status.path, points_to, *modified_ns, row)
                }
                _ => false,
            };
            if !is_right {
                let entry = self.world.disks.dst.entry(&path);
                let size = self.world.disks.dst.file(&path).map(|contents| (contents.size(), contents.modified_ns));
                wrong.push(format!("{id} {status:?} with {:?} is {entry:?} of {size:?}", rows.get(&id)));
            }
        }
        wrong
    }

    fn is_whole(&self, printable: &str, path: &[u8], row: &CopiedRow) -> bool {
        let source = decode_name(printable).expect("paths are printable");
        let contents = self.world.disks.dst.file(path).expect("it is a file");
        let mut versions = self.world.versions.get(&source).into_iter().flatten();
        let is_of_row =
            |version: &&Contents| Some(version.size()) == row.size && Some(version.modified_ns) == row.modified_ns;
        let Some(version) = versions.find(is_of_row) else { return false };
        let checksum_is_right = row
            .checksum
            .as_ref()
            .is_none_or(|checksum| checksum.as_slice() == blake3::hash(&version.bytes).as_bytes().as_slice());
        contents.bytes == version.bytes && checksum_is_right && self.is_time(contents.modified_ns, version.modified_ns)
    }

    fn is_right_link(&self, printable: &str, points_to: &[u8], modified_ns: i64, row: &CopiedRow) -> bool {
        let source = decode_name(printable).expect("paths are printable");
        match self.world.disks.src.entry(&source) {
            _ if self.world.is_touched(&source) => true,
            Some(Entry::Symlink { points_to: due, modified_ns: time }) => {
                due == points_to && Some(*time) == row.modified_ns && self.is_time(modified_ns, *time)
            }
            _ => false,
        }
    }

    /// Whether the destination has the time of the source, as far as it keeps times.
    pub(crate) fn is_time(&self, found_ns: i64, due_ns: i64) -> bool {
        let nature = self.world.natures.dst;
        !nature.keeps.modified || found_ns == round(due_ns, nature.resolution_ns)
    }

    /// The counters of the last commit are what is counted one by one.
    fn counters_are_what_there_is(&self) -> Wrong {
        let image = &self.ledger.image;
        let mut wrong = Wrong::new();
        let mut counted: BTreeMap<i32, [i64; 14]> = BTreeMap::new();
        for node in &image.sides.src.nodes {
            let Some(copy) = self.ledger.statuses.get(&node.id).and_then(|status| status.copy.as_deref()) else {
                continue;
            };
            let place = STATUSES.iter().position(|status| *status == copy).expect("it is one of them");
            let level = counted.entry(node.depth).or_default();
            level[place] += 1;
            level[place + 7] += if node.kind == "file" { node.size.unwrap_or(0) } else { 0 };
        }
        let written: BTreeMap<i32, [i64; 14]> =
            image.counters.levels(Side::Source).map(|(depth, counters)| (depth, by_status(&counters))).collect();
        if written != counted {
            wrong.push(format!("the counters are {written:?}, and there is {counted:?}"));
        }
        if let Some(recounted) = image.recounted.as_ref().filter(|recounted| **recounted != image.counters) {
            wrong.push(format!("counters {:?} are recounted as {recounted:?}", image.counters));
        }
        wrong
    }

    /// What was at the destination before is there, but for what was to be replaced, which is one or the other.
    fn nothing_else_is_touched(&self) -> Wrong {
        let replaceable: BTreeSet<&[u8]> =
            self.expected.values().filter(|node| node.may_replace).map(|node| node.path.as_slice()).collect();
        let (before, now) = (self.destination_before, &self.world.disks.dst);
        let mut wrong = Wrong::new();
        for (path, entry) in before.entries() {
            let is_the_same = match entry {
                Entry::Folder { .. } => now.is_folder(path),
                Entry::File(_) => now.file(path) == before.file(path),
                Entry::Symlink { .. } | Entry::Other { .. } => now.entry(path) == Some(entry),
            };
            // What is newer now may replace what it might not when the plan was made.
            let may_replace_later = matches!(self.on_conflict, ConflictPolicy::Newer | ConflictPolicy::Overwrite);
            let is_replaced = || {
                (replaceable.contains(path.as_slice()) || (may_replace_later && self.world.is_touched(path)))
                    && match (now.entry(path), now.file(path)) {
                        _ if self.is_empty_since_the_power_cut(path) => true,
                        (_, Some(contents)) => self.was_on_source(path, &contents.bytes),
                        (Some(Entry::Symlink { .. }), _) => true,
                        _ => false,
                    }
            };
            if !is_the_same && !is_replaced() {
                wrong.push(format!("{} was {entry:?}, and is {:?}", shown(path), now.entry(path)));
            }
        }
        wrong
    }

    pub(crate) fn is_empty_since_the_power_cut(&self, path: &[u8]) -> bool {
        self.world.emptied.contains_key(path)
            && self.world.disks.dst.file(path).is_some_and(|contents| contents.bytes.is_empty())
    }

    fn was_on_source(&self, path: &[u8], bytes: &[u8]) -> bool {
        self.world.versions.get(path).into_iter().flatten().any(|version| version.bytes.as_slice() == bytes)
    }

    /// Whatever came to the destination is what the source has, or had, or is on its way.
    fn nothing_else_is_there(&self) -> Wrong {
        let mut planned: BTreeMap<Vec<u8>, Vec<&[u8]>> = BTreeMap::new();
        for node in self.expected.values() {
            planned.entry(node.path.clone()).or_default().push(&node.path);
            for number in (1..9).filter(|_| node.may_go_beside) {
                planned.entry(beside(&node.path, number)).or_default().push(&node.path);
            }
        }
        let now = &self.world.disks.dst;
        let new = now.entries().filter(|(path, _)| self.destination_before.entry(path).is_none());
        let is_due = |path: &Vec<u8>| match (planned.get(path), now.file(path)) {
            _ if self.is_temporary(path) || self.world.intruders.contains_key(path) => true,
            _ if self.is_empty_since_the_power_cut(path) => true,
            (None, _) => false,
            (Some(sources), Some(contents)) => sources.iter().any(|source| self.was_on_source(source, &contents.bytes)),
            (Some(_), None) => true,
        };
        new.filter(|(path, _)| !is_due(path)).map(|(path, entry)| format!("{} is {entry:?}", shown(path))).collect()
    }

    /// What somebody put on the destination while it was copied is there, unless the policy was to replace it.
    fn intruders_are_left_alone(&self) -> Wrong {
        let mut wrong = Wrong::new();
        for (path, intruder) in &self.world.intruders {
            let found = self.world.disks.dst.file(path).map(|contents| &contents.bytes);
            let may_be_replaced_by = |version: &&Contents| match self.on_conflict {
                ConflictPolicy::Overwrite => true,
                ConflictPolicy::Newer => version.modified_ns > intruder.modified_ns,
                ConflictPolicy::Skip | ConflictPolicy::KeepBoth | ConflictPolicy::Ask => false,
            };
            let mut versions = self.world.versions.get(path).into_iter().flatten().filter(may_be_replaced_by);
            let is_there = found == Some(&intruder.bytes) || versions.any(|version| found == Some(&version.bytes));
            if !is_there {
                wrong.push(format!("{} was put there by somebody else, and is gone", shown(path)));
            }
        }
        wrong
    }
}

/// What was committed when a run began was not done again, and nothing was done twice.
pub(crate) fn nothing_is_done_twice(before: &CopyImage, left: &Left) -> Wrong {
    let mut wrong = Wrong::new();
    let rows: BTreeMap<i64, &CopiedRow> = before.more.copied.iter().map(|row| (row.id, row)).collect();
    for (id, status) in before.with_status("successful") {
        let path = path_of(&status.path, rows.get(&id).copied());
        if left.times_placed(&path) > 0 {
            wrong.push(format!("{id} {status:?} was copied again"));
        }
    }
    for path in left.placed.iter().collect::<BTreeSet<_>>() {
        if left.times_placed(path) > 1 {
            wrong.push(format!("{} was placed {} times", shown(path), left.times_placed(path)));
        }
    }
    wrong
}

/// A copy status that was committed when a run began is what it ends with, but for a folder that could not be finished.
pub(crate) fn what_is_settled_stays(before: &CopyImage, after: &CopyImage) -> Wrong {
    let settled = before.statuses.iter().filter(|(_, status)| status.copy.as_deref() != Some("pending"));
    let is_gone = |(id, status): &(&i64, &StatusRow)| {
        let now = after.statuses.get(id);
        let unfinished = now.is_some_and(|now| is_unfinished(now.copy.as_deref().unwrap_or(""), now.error.as_deref()));
        now.map(|now| &now.copy) != Some(&status.copy) && !(status.copy.as_deref() == Some("successful") && unfinished)
    };
    let changed = settled.filter(is_gone);
    changed.map(|(id, was)| format!("{id} was {was:?}, and is {:?}", after.statuses.get(id))).collect()
}

/// The path on the destination of what has this printable path on the source.
pub(crate) fn path_of(printable: &str, row: Option<&CopiedRow>) -> Vec<u8> {
    let path = decode_name(printable).expect("paths are printable");
    match row.and_then(|row| row.name.as_ref()) {
        Some(name) => child(parent(&path), &decode_name(name).expect("names are printable")),
        None => path,
    }
}

/// `a.b` becomes `a (source).b`, `a (source 2).b`, …
fn beside(path: &[u8], number: u32) -> Vec<u8> {
    let name = name_of(path);
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0).unwrap_or(name.len());
    let mark = if number == 1 { " (source)".to_owned() } else { format!(" (source {number})") };
    child(parent(path), &[&name[..dot], mark.as_bytes(), &name[dot..]].concat())
}

fn by_status(counters: &Counters) -> [i64; 14] {
    [
        counters.already_existed,
        counters.conflicts,
        counters.skipped,
        counters.copied,
        counters.copy_failed,
        counters.vanished,
        counters.copy_pending(),
        counters.already_existed_bytes,
        counters.conflict_bytes,
        counters.skipped_bytes,
        counters.copied_bytes,
        counters.copy_failed_bytes,
        counters.vanished_bytes,
        counters.copy_pending_bytes(),
    ]
}

pub(crate) fn shown(path: &[u8]) -> String {
    longhaul_model::encode_name(path).into_owned()
}
