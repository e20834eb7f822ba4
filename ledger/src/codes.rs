//! Codes that the ledger stores, read back.

use longhaul_model::{CopyChange, CopyStatus, NodeKind, PlanAction, Reason, TraversalStatus, VerifyLevel};

use crate::error::{LedgerError, Result};

/// The copy status with this word.
pub(crate) fn copy_status(word: &str) -> Result<CopyStatus> {
    Ok(word.parse()?)
}

/// The change of a copy status with this word.
pub(crate) fn copy_change(word: &str) -> Result<CopyChange> {
    Ok(word.parse()?)
}

/// The traversal status with this word.
pub(crate) fn traversal_status(word: &str) -> Result<TraversalStatus> {
    Ok(word.parse()?)
}

/// The kind of node with this word.
pub(crate) fn node_kind(word: &str) -> Result<NodeKind> {
    Ok(word.parse()?)
}

/// The action of the plan with this word.
pub(crate) fn plan_action(word: &str) -> Result<PlanAction> {
    Ok(word.parse()?)
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
