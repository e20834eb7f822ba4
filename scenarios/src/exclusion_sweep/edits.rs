//! Excluding, including and approving, and what each of these must come to.

use anyhow::Result;
use longhaul_ledger::{Changed, LedgerError, Selection};
use longhaul_model::{CopyStatus, Side};
use serde::{Deserialize, Serialize};

use super::picks::Picks;
use super::rules::{excluded, is_excluded, is_pending, reason_for};
use crate::interrupt::Interrupt;
use crate::shared::ledger_snapshot::LedgerSnapshot;
use crate::shared::report::Report;
use crate::shared::trial::Trial;

/// All edits.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Edits {
    edits: Vec<Edit>,
    pub(super) approved: Approved,
}

/// One edit, and the ledger after it.
#[derive(Debug, Serialize, Deserialize)]
struct Edit {
    what: String,
    /// What the ledger said of it: nodes with another status, bytes of the files among them, nodes with another reason only.
    said: (i64, i64, i64),
    /// Whether it said that an approval was revoked.
    revoked: bool,
    after: LedgerSnapshot,
}

/// What was approved.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Approved {
    pub(super) hash: String,
    nodes: i64,
    bytes: i64,
    conflicts: i64,
    /// The hash of the plan that was approved with nothing excluded.
    hash_of_all: String,
}

/// The edits: what is done, to which of the two folders, and which of them are excluded then.
const EDITS: [(What, Which, &[Which]); 6] = [
    (What::Exclude, Which::Outer, &[Which::Outer]),
    (What::Include, Which::Outer, &[]),
    (What::Exclude, Which::Inner, &[Which::Inner]),
    (What::Exclude, Which::Outer, &[Which::Inner, Which::Outer]),
    (What::Include, Which::Outer, &[Which::Inner]),
    // What is excluded already stays so for the same reason.
    (What::ExcludeAgain, Which::Inner, &[Which::Inner]),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Exclude,
    Include,
    ExcludeAgain,
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Outer,
    Inner,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            What::Exclude => "exclude",
            What::Include => "include",
            What::ExcludeAgain => "exclude once more",
        }
    }
}

impl Which {
    fn path(self, picks: &Picks) -> &str {
        match self {
            Which::Outer => &picks.outer,
            Which::Inner => &picks.inner,
        }
    }
}

impl Edits {
    /// The ledger after the last edit.
    pub(super) fn last(&self) -> &LedgerSnapshot {
        &self.edits.last().expect("there are some").after
    }
}

/// Makes the edits in a ledger in which there are none.
pub(super) fn make(trial: &Trial, picks: &Picks, interrupt: &Interrupt) -> Result<Edits> {
    let hash_of_all = trial.edit()?.approve(true)?.hash;
    let mut edits = Vec::new();
    for (what, which, _) in EDITS {
        interrupt.check()?;
        let path = which.path(picks);
        let selection = Selection::Paths(vec![path.to_owned()]);
        let changed = match what {
            What::Exclude => trial.edit()?.exclude(&selection, &reason_for(path))?,
            What::Include => trial.edit()?.include(&selection)?,
            What::ExcludeAgain => match trial.edit()?.exclude(&selection, "another reason") {
                Err(LedgerError::NothingToChange(_)) => Changed::default(),
                changed => changed?,
            },
        };
        edits.push(Edit {
            what: format!("{} {path}", what.as_str()),
            said: (changed.nodes, changed.bytes, changed.reasons),
            revoked: changed.revoked,
            after: trial.snapshot()?,
        });
    }
    let approval = trial.edit()?.approve(true)?;
    let (nodes, bytes, conflicts) = (approval.nodes, approval.bytes, approval.conflicts);
    Ok(Edits { edits, approved: Approved { hash: approval.hash, nodes, bytes, conflicts, hash_of_all } })
}

/// Each edit has changed what follows from it, and said so.
pub(super) fn check(report: &mut Report<'_>, discovered: &LedgerSnapshot, edits: &Edits, picks: &Picks) -> Result<()> {
    let mut before = discovered.rows.src.clone();
    for (number, ((.., folders), edit)) in EDITS.iter().zip(&edits.edits).enumerate() {
        report.line(&format!("{}:", edit.what))?;
        let folders: Vec<&str> = folders.iter().map(|which| which.path(picks)).collect();
        let due = excluded(&discovered.rows.src, &folders);
        let (mut nodes, mut bytes, mut reasons) = (0, 0, 0);
        for (was, is) in before.iter().zip(&due) {
            let is_changed = was.node.copy != is.node.copy;
            nodes += i64::from(is_changed);
            bytes += if is_changed { is.node.size.unwrap_or(0) } else { 0 };
            reasons += i64::from(!is_changed && was.error != is.error);
        }
        let said = |said: (i64, i64, i64)| format!("{} nodes, {} bytes, {} other reasons", said.0, said.1, said.2);
        report.check_text("said to be changed", &said((nodes, bytes, reasons)), &said(edit.said))?;
        let is_in_approved = number == 0;
        report.check_text("an approval is revoked", &is_in_approved.to_string(), &edit.revoked.to_string())?;
        let count = due.iter().filter(|row| is_excluded(row)).count() as u64;
        report.check_count("nodes excluded, by the counters", count, edit.after.excluded)?;
        edit.after.check_rows(report, Side::Source, "as they have to be", &due)?;
        edit.after.check_rows(report, Side::Destination, "as before", &discovered.rows.dst)?;
        edit.after.check_sound(report)?;
        before = due;
    }
    report.line("approved:")?;
    let pending = before.iter().filter(|row| is_pending(row));
    let bytes: i64 = pending.clone().filter_map(|row| row.node.size).sum();
    let Approved { hash, nodes, bytes: approved_bytes, conflicts, hash_of_all } = &edits.approved;
    report.check_count("nodes to be copied", pending.count() as u64, nodes.unsigned_abs())?;
    report.check_count("bytes to be copied", bytes.unsigned_abs(), approved_bytes.unsigned_abs())?;
    report.check_count("open conflicts", discovered.count(CopyStatus::Conflict), conflicts.unsigned_abs())?;
    let is_other = hash != hash_of_all;
    report.check("its hash", is_other, "another one than with nothing excluded", hash)
}
