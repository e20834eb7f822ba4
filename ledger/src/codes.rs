//! Words of the ledger's enumerations, read back.

use longhaul_model::{CopyChange, CopyStatus, NodeKind, PlanAction, Reason, TraversalStatus, VerifyLevel};

use crate::error::{LedgerError, Result};

fn called<T: Copy>(all: &[T], word: &str, what: &str, as_str: impl Fn(T) -> &'static str) -> Result<T> {
    let found = all.iter().copied().find(|&one| as_str(one) == word);
    found.ok_or_else(|| LedgerError::Inconsistent(format!("{word:?} is no {what}")))
}

/// The copy status with this word.
pub(crate) fn copy_status(word: &str) -> Result<CopyStatus> {
    called(&CopyStatus::ALL, word, "copy status", CopyStatus::as_str)
}

/// The change of a copy status with this word.
pub(crate) fn copy_change(word: &str) -> Result<CopyChange> {
    called(&CopyChange::ALL, word, "change of a copy status", CopyChange::as_str)
}

/// The traversal status with this word.
pub(crate) fn traversal_status(word: &str) -> Result<TraversalStatus> {
    called(&TraversalStatus::ALL, word, "traversal status", TraversalStatus::as_str)
}

/// The kind of node with this word.
pub(crate) fn node_kind(word: &str) -> Result<NodeKind> {
    called(&NodeKind::ALL, word, "kind of node", NodeKind::as_str)
}

/// The action of the plan with this word.
pub(crate) fn plan_action(word: &str) -> Result<PlanAction> {
    called(&PlanAction::ALL, word, "action", PlanAction::as_str)
}

/// The level of verification at this place of [`VerifyLevel::ALL`].
pub(crate) fn verify_level(place: i64) -> VerifyLevel {
    usize::try_from(place).ok().and_then(|place| VerifyLevel::ALL.get(place).copied()).unwrap_or_default()
}

/// The sentence of a reason in its stored form.
pub(crate) fn sentence(stored: &str) -> Result<String> {
    let reason = Reason::from_stored(stored).map_err(|error| LedgerError::Inconsistent(error.to_string()))?;
    Ok(reason.to_string())
}
