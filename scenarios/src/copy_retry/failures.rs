//! What cannot be copied at first: picked at random, the same for the same seed; and what follows from it.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use longhaul_model::{BySide, CopyStatus, NodeKind, Side};
use longhaul_spectra::{FaultRule, Operation};
use serde::{Deserialize, Serialize};

use crate::shared::copied::Due;
use crate::shared::ledger_snapshot::Row;
use crate::shared::node::Node;
use crate::shared::random::Random;
use crate::shared::report::Report;
use crate::shared::tree::Tree;
use crate::shared::trial::{denied, is_within};

const SALT: u64 = 0x5345_0003;

const FILES: usize = 3;
const FOLDERS: usize = 2;
/// Nodes that a folder has to have below it to be picked.
const BELOW_MIN: usize = 5;

/// What cannot be copied: printable paths, none of them in a folder that is among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failures {
    /// Files that cannot be read on the source.
    unreadable: Vec<String>,
    /// Files that cannot be written on the destination.
    unwritable: Vec<String>,
    /// Folders that cannot be made on the destination.
    not_made: Vec<String>,
}

impl Failures {
    pub(super) fn of(trees: &BySide<&dyn Tree>, seed: u64) -> Result<Failures> {
        let due = Due::of(trees)?;
        let random = &mut Random(seed ^ SALT);
        let copied: Vec<&Node> = due.nodes.values().filter(|node| node.copy == Some(CopyStatus::Successful)).collect();
        let of_kind = |kind| copied.iter().filter(move |node| node.kind == kind);
        let below = |folder: &str| copied.iter().filter(|node| is_within(&node.path, folder)).count() - 1;
        let mut folders: Vec<&str> = of_kind(NodeKind::Folder).map(|node| node.path.as_str()).collect();
        folders.retain(|folder| below(folder) >= BELOW_MIN);
        let none = "the worlds have too little to be copied: take another seed";
        let mut failures = Failures::default();
        for _ in 0..FOLDERS {
            let taken = random.take(&mut folders).context(none)?;
            folders.retain(|other| !is_within(other, taken) && !is_within(taken, other));
            failures.not_made.push(taken.to_owned());
        }
        let mut files: Vec<&str> = of_kind(NodeKind::File)
            // Of an empty one nothing is read.
            .filter(|node| node.size > Some(0))
            .map(|node| node.path.as_str())
            .filter(|path| !failures.not_made.iter().any(|folder| is_within(path, folder)))
            .collect();
        for _ in 0..FILES {
            failures.unreadable.push(random.take(&mut files).context(none)?.to_owned());
            failures.unwritable.push(random.take(&mut files).context(none)?.to_owned());
        }
        Ok(failures)
    }

    pub(super) fn print(&self, report: &mut Report<'_>) -> Result<()> {
        report.line(&format!("cannot be read at first: {}", self.unreadable.join(", ")))?;
        report.line(&format!("cannot be written at first: {}", self.unwritable.join(", ")))?;
        report.line(&format!("cannot be made at first: {}", self.not_made.join(", ")))
    }

    /// Each of them, with where and at what it fails.
    fn all(&self) -> impl Iterator<Item = (&str, Side, Operation)> {
        let sorts = [
            (&self.unreadable, Side::Source, Operation::GetFileData),
            (&self.unwritable, Side::Destination, Operation::UploadFile),
            (&self.not_made, Side::Destination, Operation::CreateFolder),
        ];
        sorts
            .into_iter()
            .flat_map(|(paths, side, operation)| paths.iter().map(move |path| (path.as_str(), side, operation)))
    }

    /// The faults that bring it about.
    pub(super) fn rules(&self) -> Vec<FaultRule> {
        self.all().map(|(path, side, operation)| denied(side, operation, path)).collect()
    }

    /// The rows when all was copied that could be, given those from before; without the reasons.
    pub(super) fn applied_to(&self, rows: &[Row]) -> Vec<Row> {
        let copied = |row: &Row| {
            let mut row = row.clone();
            if row.node.copy == Some(CopyStatus::Pending) {
                let fails = self.words_for(&row.node.path).is_some();
                row.node.copy = Some(if fails { CopyStatus::Failed } else { CopyStatus::Successful });
            }
            row
        };
        rows.iter().map(copied).collect()
    }

    /// Words that must be in the reason for what cannot be copied.
    fn words_for(&self, path: &str) -> Option<Vec<String>> {
        if let Some((path, side, operation)) = self.all().find(|(failing, ..)| *failing == path) {
            return Some(vec![format!("on the {side}"), operation.name().to_owned(), path.to_owned()]);
        }
        let folder = self.not_made.iter().find(|folder| is_within(path, folder))?;
        Some(vec![format!("the folder {folder} could not be made")])
    }

    /// Failed nodes that do not say what they have to.
    pub(super) fn without_reason(&self, rows: &[Row]) -> Vec<String> {
        let failed = rows.iter().filter(|row| row.node.copy == Some(CopyStatus::Failed));
        let wrong = failed.filter(|row| {
            let said = row.error.as_deref().unwrap_or_default();
            !self.words_for(&row.node.path).is_some_and(|words| words.iter().all(|word| said.contains(word)))
        });
        wrong.map(ToString::to_string).collect()
    }

    /// What has to be among the problems: what failed by itself.
    pub(super) fn problems(&self) -> BTreeSet<String> {
        self.all().map(|(path, ..)| format!("src:{path} denied")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::copy_retry::CONFIG;
    use crate::shared::simulator;

    #[test]
    fn nothing_that_fails_is_in_something_else_that_does_and_what_is_in_a_folder_fails_with_it() {
        let simulator = simulator::pristine_of(CONFIG.load().unwrap()).unwrap();
        let trees = simulator::trees(&simulator).unwrap();
        let trees: BySide<&dyn Tree> = BySide { src: &trees.src, dst: &trees.dst };
        let failures = Failures::of(&trees, 3).unwrap();
        assert_eq!(failures, Failures::of(&trees, 3).unwrap());
        let all: Vec<&str> = failures.all().map(|(path, ..)| path).collect();
        assert_eq!(all.len(), 2 * FILES + FOLDERS);
        for path in &all {
            assert_eq!(all.iter().filter(|other| is_within(path, other)).count(), 1, "{path}");
        }
        let folder = &failures.not_made[0];
        let words = failures.words_for(&format!("{folder}/below/it")).unwrap();
        assert_eq!(words, [format!("the folder {folder} could not be made")]);
        assert_eq!(failures.words_for(&format!("{folder} beside it")), None);
    }
}
