//! What must hold when everything is copied, beside what holds at any instant.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_ledger::CopyDurability;
use longhaul_model::{Side, decode_name};

use super::disk::{Entry, parent};
use super::image::StatusRow;
use super::invariants::{Look, Wrong, path_of, shown};
use super::ledger::CopiedRow;

impl Look<'_> {
    /// What holds when everything is copied.
    pub(crate) fn when_copied(&self, keeps_names_together: bool, durability: CopyDurability) -> Wrong {
        let mut wrong = Wrong::new();
        wrong.extend(self.ledger.with_status("pending").map(|(id, status)| format!("{id} {status:?} is pending")));
        let drafts = self.world.disks.dst.entries().filter(|(path, _)| self.is_temporary(path));
        wrong.extend(drafts.map(|(path, _)| format!("{} was left over", shown(path))));
        wrong.extend(self.ledger.more.parts.iter().map(|part| format!("{part:?} was left over")));
        wrong.extend(self.folders_have_their_times());
        wrong.extend(self.nothing_of_ours_is_left_empty());
        if keeps_names_together {
            wrong.extend(self.names_of_one_file_are_names_of_one_file());
        }
        if durability == CopyDurability::Batch {
            let lost = self.world.disks.dst.differences(&self.world.durable);
            wrong.extend(lost.iter().map(|path| format!("{} would not survive a power cut", shown(path))));
        }
        wrong
    }

    /// What a power cut has left empty has its contents, or somebody has to look at it: nobody is told that all is well.
    fn nothing_of_ours_is_left_empty(&self) -> Wrong {
        let mut wrong = Wrong::new();
        let by_path: BTreeMap<Vec<u8>, &StatusRow> = self
            .ledger
            .statuses
            .values()
            .map(|status| (decode_name(&status.path).expect("paths are printable"), status))
            .collect();
        for (path, &keeps_time) in self.world.emptied.iter().filter(|(path, _)| self.is_empty_since_the_power_cut(path))
        {
            let (due, status) = (self.world.disks.src.file(path), by_path.get(path));
            let is_due = due.is_some_and(|due| !due.bytes.is_empty()) && !self.was_there_before(path);
            let may_stay = |copy: &str| match copy {
                "failed" | "vanished" => true,
                "conflict" => !keeps_time || self.world.is_touched(path),
                _ => false,
            };
            if is_due && !status.and_then(|status| status.copy.as_deref()).is_some_and(may_stay) {
                wrong.push(format!("{} was left empty by a power cut, and is still: {status:?}", shown(path)));
            }
        }
        wrong
    }

    fn was_there_before(&self, path: &[u8]) -> bool {
        self.destination_before.entry(path).is_some()
    }

    /// Of files that have several names on the source, those that were copied have one file on the destination.
    fn names_of_one_file_are_names_of_one_file(&self) -> Wrong {
        let rows: BTreeMap<i64, &CopiedRow> = self.ledger.more.copied.iter().map(|row| (row.id, row)).collect();
        let mut files: BTreeMap<u64, BTreeSet<Option<u64>>> = BTreeMap::new();
        for (id, status) in self.ledger.with_status("successful") {
            let source = decode_name(&status.path).expect("paths are printable");
            let destination = path_of(&status.path, rows.get(&id).copied());
            let number = |side: Side, path: &[u8]| match self.world.disks[side].entry(path) {
                Some(Entry::File(number)) => Some(*number),
                _ => None,
            };
            let is_new = self.destination_before.entry(&destination).is_none() && source == destination;
            if let Some(file) = number(Side::Source, &source).filter(|_| is_new && !self.world.is_touched(&source)) {
                files.entry(file).or_default().insert(number(Side::Destination, &destination));
            }
        }
        let several = files.iter().filter(|(_, copies)| copies.len() > 1);
        several.map(|(file, copies)| format!("{file} was copied to {copies:?}")).collect()
    }

    /// Folders that were made have the time of the source, unless something went wrong with that.
    fn folders_have_their_times(&self) -> Wrong {
        let remarked: BTreeSet<i64> = self
            .ledger
            .image
            .sides
            .src
            .events
            .iter()
            .filter(|event| event.traversal.is_none() && event.copy.is_none())
            .map(|event| event.node_id)
            .collect();
        let touched_in: BTreeSet<&[u8]> = self.world.touched.iter().map(|path| parent(path)).collect();
        let mut wrong = Wrong::new();
        for (id, status) in self.ledger.with_status("successful") {
            let path = decode_name(&status.path).expect("paths are printable");
            let [due, found] = Side::BOTH.map(|side| match self.world.disks[side].entry(&path) {
                Some(Entry::Folder { modified_ns }) => Some(*modified_ns),
                _ => None,
            });
            let (Some(due), Some(found)) = (due, found) else { continue };
            // One that is gone from the source when its time is looked for has no remark either.
            let is_faulty = self.world.faults.iter().any(|fault| fault.path.as_ref() == Some(&path));
            let is_changed = touched_in.contains(path.as_slice()) || self.world.is_touched(&path);
            if !self.is_time(found, due) && !remarked.contains(&id) && !is_faulty && !is_changed {
                wrong.push(format!("the folder {} has the time {found}, and should have {due}", status.path));
            }
        }
        wrong
    }
}
