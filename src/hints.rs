//! What can be done on the command line about an error of a library.
//!
//! Libraries say what happened, to what and why. They do not know who calls them, and so they name no command and no
//! option; that is here, by kind of error, in one place. Each function names every variant, so that a new one has to be
//! thought about. An error and its hint are one sentence: `ledger x exists already: continue …`.

use std::error::Error;
use std::fmt::Write;
use std::path::Path;

use longhaul_actors::StartError;
use longhaul_ledger::{LedgerError, is_damage};
use longhaul_model::Side;
use longhaul_reports::ReportError;
use longhaul_storage::OpenError;

/// An error and all that caused it, with what to do about it, in one line.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut text = format!("{error:#}");
    if let Some(hint) = error.chain().find_map(hint) {
        let _ = write!(text, ": {hint}");
    }
    text
}

/// The same of an error that is part of a longer sentence.
pub(crate) fn with_hint(error: LedgerError) -> String {
    explain(&error.into())
}

/// How an interrupted or suspended run of `command` is resumed.
pub(crate) fn resume(command: &str, ledger: &Path) -> String {
    format!("go on with: longhaul {command} --resume --ledger {}", ledger.display())
}

/// How a ledger with a damaged log is mended.
pub(crate) fn repair(ledger: &Path) -> String {
    format!("`longhaul repair --ledger {}` cuts the log off where the damage begins", ledger.display())
}

/// How a ledger that is damaged itself is mended.
pub(crate) fn rescue(ledger: &Path) -> String {
    format!("`longhaul repair --ledger {}` moves its settings and review choices into a new ledger", ledger.display())
}

/// How `migrate` goes on after what it would have asked about.
pub(crate) fn without_asking(ledger: &Path) -> String {
    format!("copy the rest with: longhaul migrate --resume --yes --ledger {}", ledger.display())
}

fn hint(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<StartError>() {
        about_start(error)
    } else if let Some(error) = error.downcast_ref::<LedgerError>() {
        about_ledger(error)
    } else if let Some(error) = error.downcast_ref::<OpenError>() {
        about_stores(error)
    } else if let Some(error) = error.downcast_ref::<ReportError>() {
        about_report(error)
    } else {
        None
    }
}

fn about_start(error: &StartError) -> Option<String> {
    let hint = match error {
        StartError::Stores(error) => return about_stores(error),
        StartError::Ledger(error) => return about_ledger(error),
        StartError::LedgerInside { .. } => "choose another place with --ledger",
        StartError::CopyBegun => "go on with it with --resume",
        StartError::NoRoom { .. } => "make room, or go on with --force",
        StartError::Names { .. } => {
            "see them with longhaul lint, have others with longhaul lint --accept, exclude them, or go on without them \
             with --force"
        }
        StartError::Thread(_) => "allow more open files and processes (ulimit -n, ulimit -u)",
        StartError::Different { .. } => "leave the option out to go on as it began",
        StartError::Elsewhere { .. } | StartError::Filter(_) | StartError::Destination { .. } => return None,
    };
    Some(hint.to_owned())
}

fn about_ledger(error: &LedgerError) -> Option<String> {
    let hint = match error {
        LedgerError::Missing(path) => {
            return Some(format!("start a migration with `longhaul discover SRC DST --ledger {}`", path.display()));
        }
        LedgerError::Exists(_) => "continue its migration with --resume, or choose another file with --ledger",
        LedgerError::NotALedger { .. } | LedgerError::OtherMigration { .. } => "choose another file with --ledger",
        LedgerError::NotWritable { .. } => "check the folder and its permissions, or choose another file with --ledger",
        LedgerError::NotReadable { .. } => "check its permissions, or choose another file with --ledger",
        LedgerError::NotDiscovered => "go on with it first, with discover --resume",
        LedgerError::NotCopied => "copy first, or continue the copy with copy --resume",
        LedgerError::NotApproved => {
            "look at it with longhaul plan, and approve it with longhaul approve, or with copy --approve"
        }
        LedgerError::OtherPlan => "look at it with longhaul plan, and approve it again",
        LedgerError::Marked(_) => "go on with longhaul retry, or take the marks away with longhaul unmark",
        LedgerError::OpenConflicts(_) => {
            "decide them with longhaul decide, or leave them as they are with --leave-conflicts"
        }
        LedgerError::Damaged { path, .. } => return Some(rescue(path)),
        LedgerError::Database(reason) | LedgerError::Query(reason) if is_damage(reason) => "run longhaul repair",
        LedgerError::TooNew { .. }
        | LedgerError::InUse { .. }
        | LedgerError::DiskFull(_)
        | LedgerError::Poisoned(_)
        | LedgerError::Database(_)
        | LedgerError::Query(_)
        | LedgerError::IsRoot
        | LedgerError::NoSuchPath { .. }
        | LedgerError::NotAFolder(_)
        | LedgerError::NotExcluded { .. }
        | LedgerError::NotListed { .. }
        | LedgerError::CannotOverwrite { .. }
        | LedgerError::CannotBeKept { .. }
        | LedgerError::NothingToChange(_)
        | LedgerError::Inconsistent(_) => return None,
    };
    Some(hint.to_owned())
}

fn about_stores(error: &OpenError) -> Option<String> {
    let hint = match error {
        OpenError::Missing { side: Side::Source, .. } => "check the path",
        OpenError::Missing { side: Side::Destination, .. } => {
            "check the path, or have it made with --create-destination"
        }
        OpenError::NotAFolder { .. }
        | OpenError::Unreadable { .. }
        | OpenError::Unusable { .. }
        | OpenError::CannotCreate { .. }
        | OpenError::Overlap { .. }
        | OpenError::SpectraConfig(_)
        | OpenError::Spectra(_) => return None,
    };
    Some(hint.to_owned())
}

fn about_report(error: &ReportError) -> Option<String> {
    match error {
        ReportError::Exists { .. } => Some("choose another folder, or replace it with --force".to_owned()),
        ReportError::Ledger(error) => about_ledger(error),
        ReportError::NotWritten { .. } | ReportError::NotMade { .. } | ReportError::Stopped => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn an_error_and_its_hint_are_one_sentence() {
        let error = anyhow::Error::from(StartError::Ledger(LedgerError::Exists("a".into()))).context("at it");
        assert_eq!(
            explain(&error),
            "at it: ledger a exists already: continue its migration with --resume, or choose another file with --ledger"
        );
        assert_eq!(explain(&anyhow!("no hint")), "no hint");
    }
}
