//! Statuses and the changes they may go through. Any change that is not in these two functions is a bug.

use strum::{Display, EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::UnknownWord;

/// How far the discovery of a node has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::traversal_status)]
pub enum TraversalStatus {
    /// A folder that has to be listed.
    Pending,
    /// Listed; anything but a folder is so from the start.
    Successful,
    /// Could not be listed.
    Failed,
    /// Destination only: the source has nothing of this kind and name here. Recorded, not descended into.
    NotOnSrc,
}

/// What became, or becomes, of a source node in the copy phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::copy_status)]
pub enum CopyStatus {
    /// Has to be brought to the destination.
    Pending,
    /// Was brought to the destination by this migration.
    Successful,
    /// Was there before.
    AlreadyExisted,
    /// Could not be copied.
    Failed,
    /// Never to be copied: a kind that is not carried over, or the policy says so.
    Skipped,
    /// A decision is needed: another kind under the same name, or the policy says ask.
    Conflict,
    /// Excluded by somebody.
    ExcludedExplicit,
    /// Below a folder that was excluded.
    ExcludedInherited,
    /// Gone from the source when its turn came.
    Vanished,
}

/// What can happen to a traversal status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TraversalChange {
    /// The folder was listed to its end.
    Listed,
    /// The folder could not be listed, and is not tried again.
    OutOfAttempts,
    /// It is to be listed again: somebody marked it for retry, or a sweep comes by.
    MarkedForRetry,
    /// Destination only: what it was matched with is gone from the source.
    CounterpartGone,
}

/// What can happen to a copy status.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Display,
    EnumCount,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::copy_change)]
pub enum CopyChange {
    /// A folder on both sides, or a file that is the same by the comparison policy.
    FoundOnDestination,
    /// A kind that is not carried over, or the destination's is kept by policy.
    NotCarriedOver,
    /// Same name, other kind; or the policy says ask.
    Conflicting,
    /// Gone from the source.
    Gone,
    /// Copied.
    Copied,
    /// Could not be copied, and is not tried again.
    OutOfAttempts,
    /// The folder it belongs in could not be made.
    ParentFailed,
    /// Excluded by somebody.
    Excluded,
    /// A folder above it was excluded.
    AncestorExcluded,
    /// Included again.
    Included,
    /// Somebody marked it for retry.
    MarkedForRetry,
    /// A person decided a conflict, or changed or took back that decision.
    Decided,
    /// A sweep, or the recovery of a listing that was cut off, found the node or its counterpart to be different; or a folder
    /// that was made could not be finished.
    FoundDifferent,
}

/// A change of status that the design does not know: a bug in whoever asked for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a node that is {from} cannot become another status because of {change}")]
pub struct ForbiddenTransition {
    /// The status it has.
    pub from: &'static str,
    /// What was said to have happened.
    pub change: String,
}

impl CopyChange {
    /// All changes.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word for it, in SQL.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

impl TraversalStatus {
    /// All statuses, in the order of the ledger's enumeration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word used in the ledger.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Whether the folder was listed, or could not be.
    pub const fn is_dealt_with(self) -> bool {
        match self {
            Self::Successful | Self::Failed => true,
            Self::Pending | Self::NotOnSrc => false,
        }
    }

    /// Whether a folder with this status always carries a reason that a person can read.
    pub const fn carries_reason(self) -> bool {
        match self {
            Self::Failed => true,
            Self::Pending | Self::Successful | Self::NotOnSrc => false,
        }
    }

    /// Whether a folder with this status has still to be listed.
    pub const fn is_to_be_listed(self) -> bool {
        match self {
            Self::Pending => true,
            Self::Successful | Self::Failed | Self::NotOnSrc => false,
        }
    }

    /// The status that follows from `change` to a folder that a sweep lists again, whatever its status was.
    pub fn after_retry(self, change: TraversalChange) -> Result<Self, ForbiddenTransition> {
        let pending = if self == Self::Pending { self } else { self.after(TraversalChange::MarkedForRetry)? };
        pending.after(change)
    }

    /// The status that follows from `change`.
    pub fn after(self, change: TraversalChange) -> Result<Self, ForbiddenTransition> {
        match (self, change) {
            (Self::Pending, TraversalChange::Listed) => Ok(Self::Successful),
            (Self::Pending, TraversalChange::OutOfAttempts) => Ok(Self::Failed),
            (Self::Failed | Self::Successful, TraversalChange::MarkedForRetry) => Ok(Self::Pending),
            (Self::Pending | Self::Successful | Self::Failed, TraversalChange::CounterpartGone) => Ok(Self::NotOnSrc),
            (from, change) => Err(ForbiddenTransition { from: from.as_str(), change: format!("{change:?}") }),
        }
    }
}

impl CopyStatus {
    /// All statuses, in the order of the ledger's enumeration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word used in the ledger.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// Whether a node with this status always carries a reason that a person can read.
    pub const fn carries_reason(self) -> bool {
        match self {
            Self::Failed
            | Self::Skipped
            | Self::Conflict
            | Self::ExcludedExplicit
            | Self::ExcludedInherited
            | Self::Vanished => true,
            Self::Pending | Self::Successful | Self::AlreadyExisted => false,
        }
    }

    /// Whether the node is on the destination: copied by this migration, or there before it.
    pub const fn is_on_destination(self) -> bool {
        match self {
            Self::Successful | Self::AlreadyExisted => true,
            Self::Pending
            | Self::Failed
            | Self::Skipped
            | Self::Conflict
            | Self::ExcludedExplicit
            | Self::ExcludedInherited
            | Self::Vanished => false,
        }
    }

    /// Whether the node was excluded, by itself or with a folder above it.
    pub const fn is_excluded(self) -> bool {
        match self {
            Self::ExcludedExplicit | Self::ExcludedInherited => true,
            Self::Pending
            | Self::Successful
            | Self::AlreadyExisted
            | Self::Failed
            | Self::Skipped
            | Self::Conflict
            | Self::Vanished => false,
        }
    }

    /// Whether an exclusion decides about the node: it is pending, or excluded already. Any other status stays when the
    /// node is excluded or included.
    pub const fn may_be_excluded(self) -> bool {
        match self {
            Self::Pending | Self::ExcludedExplicit | Self::ExcludedInherited => true,
            Self::Successful
            | Self::AlreadyExisted
            | Self::Failed
            | Self::Skipped
            | Self::Conflict
            | Self::Vanished => false,
        }
    }

    /// Whether a retry copies the node again: its copy failed, or came upon a conflict.
    pub const fn may_be_retried(self) -> bool {
        match self {
            Self::Failed | Self::Conflict => true,
            Self::Pending
            | Self::Successful
            | Self::AlreadyExisted
            | Self::Skipped
            | Self::ExcludedExplicit
            | Self::ExcludedInherited
            | Self::Vanished => false,
        }
    }

    /// Whether the node is not on the destination although nothing failed and nobody has excluded it: something was in its
    /// place, or it was gone.
    pub const fn is_left_undone(self) -> bool {
        match self {
            Self::Skipped | Self::Conflict | Self::Vanished => true,
            Self::Pending
            | Self::Successful
            | Self::AlreadyExisted
            | Self::Failed
            | Self::ExcludedExplicit
            | Self::ExcludedInherited => false,
        }
    }

    /// Whether the node is not copied until a person decides otherwise: it is skipped, or in conflict. Such a folder is
    /// not created on the destination.
    pub const fn awaits_decision(self) -> bool {
        match self {
            Self::Skipped | Self::Conflict => true,
            Self::Pending
            | Self::Successful
            | Self::AlreadyExisted
            | Self::Failed
            | Self::ExcludedExplicit
            | Self::ExcludedInherited
            | Self::Vanished => false,
        }
    }

    /// Whether the node may still be copied under its name: it is pending, or its copy failed and can be retried.
    pub const fn is_outstanding(self) -> bool {
        match self {
            Self::Pending | Self::Failed => true,
            Self::Successful
            | Self::AlreadyExisted
            | Self::Skipped
            | Self::Conflict
            | Self::ExcludedExplicit
            | Self::ExcludedInherited
            | Self::Vanished => false,
        }
    }

    /// Whether a copy that has begun is not continued: the node was excluded, or is gone from the source.
    pub const fn is_given_up(self) -> bool {
        match self {
            Self::ExcludedExplicit | Self::ExcludedInherited | Self::Vanished => true,
            Self::Pending | Self::Successful | Self::AlreadyExisted | Self::Failed | Self::Skipped | Self::Conflict => {
                false
            }
        }
    }

    /// The status that follows when a node is considered again: unless it is pending it is reopened by `reopened_by`,
    /// and then `then` happens to it, if anything does.
    pub fn after_reopening(
        self,
        reopened_by: CopyChange,
        then: Option<CopyChange>,
    ) -> Result<Self, ForbiddenTransition> {
        let reopened = if self == Self::Pending { self } else { self.after(reopened_by)? };
        match then {
            Some(change) => reopened.after(change),
            None => Ok(reopened),
        }
    }

    /// The status that follows from `change`.
    pub fn after(self, change: CopyChange) -> Result<Self, ForbiddenTransition> {
        match (self, change) {
            (Self::Pending, CopyChange::FoundOnDestination) => Ok(Self::AlreadyExisted),
            (Self::Pending, CopyChange::NotCarriedOver) => Ok(Self::Skipped),
            (Self::Pending, CopyChange::Conflicting) => Ok(Self::Conflict),
            (Self::Pending, CopyChange::Gone) => Ok(Self::Vanished),
            (Self::Pending, CopyChange::Copied) => Ok(Self::Successful),
            (Self::Pending, CopyChange::OutOfAttempts | CopyChange::ParentFailed) => Ok(Self::Failed),
            (Self::Pending, CopyChange::Excluded) => Ok(Self::ExcludedExplicit),
            (Self::Pending, CopyChange::AncestorExcluded) => Ok(Self::ExcludedInherited),
            (Self::ExcludedExplicit | Self::ExcludedInherited, CopyChange::Included)
            | (Self::Failed | Self::Conflict, CopyChange::MarkedForRetry)
            | (Self::Conflict | Self::Skipped, CopyChange::Decided)
            | (
                Self::Successful
                | Self::AlreadyExisted
                | Self::Failed
                | Self::Skipped
                | Self::Conflict
                | Self::ExcludedExplicit
                | Self::ExcludedInherited
                | Self::Vanished,
                CopyChange::FoundDifferent,
            ) => Ok(Self::Pending),
            (from, change) => Err(ForbiddenTransition { from: from.as_str(), change: format!("{change:?}") }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::{self, Write as _};

    use proptest::prelude::*;

    use super::*;

    const TRAVERSAL_CHANGES: [TraversalChange; 4] = [
        TraversalChange::Listed,
        TraversalChange::OutOfAttempts,
        TraversalChange::MarkedForRetry,
        TraversalChange::CounterpartGone,
    ];

    #[test]
    fn the_traversal_table_has_exactly_seven_rows() {
        let allowed: Vec<_> = TraversalStatus::ALL
            .into_iter()
            .flat_map(|from| TRAVERSAL_CHANGES.into_iter().filter_map(move |c| Some((from, c, from.after(c).ok()?))))
            .collect();
        assert_eq!(
            allowed,
            [
                (TraversalStatus::Pending, TraversalChange::Listed, TraversalStatus::Successful),
                (TraversalStatus::Pending, TraversalChange::OutOfAttempts, TraversalStatus::Failed),
                (TraversalStatus::Pending, TraversalChange::CounterpartGone, TraversalStatus::NotOnSrc),
                (TraversalStatus::Successful, TraversalChange::MarkedForRetry, TraversalStatus::Pending),
                (TraversalStatus::Successful, TraversalChange::CounterpartGone, TraversalStatus::NotOnSrc),
                (TraversalStatus::Failed, TraversalChange::MarkedForRetry, TraversalStatus::Pending),
                (TraversalStatus::Failed, TraversalChange::CounterpartGone, TraversalStatus::NotOnSrc),
            ]
        );
    }

    #[test]
    fn copied_existing_and_vanished_nodes_stay_so_until_a_sweep_finds_them_different() {
        for from in [CopyStatus::Successful, CopyStatus::AlreadyExisted, CopyStatus::Vanished] {
            assert_eq!(from.after(CopyChange::FoundDifferent), Ok(CopyStatus::Pending));
            for change in CopyChange::ALL.into_iter().filter(|&change| change != CopyChange::FoundDifferent) {
                assert!(from.after(change).is_err(), "{from} after {change:?}");
            }
        }
    }

    #[test]
    fn every_change_leads_from_some_status_to_another() {
        for change in CopyChange::ALL {
            assert!(CopyStatus::ALL.iter().any(|from| from.after(change).is_ok()), "{change:?} is allowed nowhere");
        }
        for change in TRAVERSAL_CHANGES {
            assert!(
                TraversalStatus::ALL.iter().any(|from| from.after(change).is_ok()),
                "{change:?} is allowed nowhere"
            );
        }
    }

    #[test]
    fn groups_of_statuses_agree_with_the_changes_that_they_are_about() {
        for status in CopyStatus::ALL {
            let allows = |change| status.after(change).is_ok();
            assert_eq!(status.may_be_retried(), allows(CopyChange::MarkedForRetry), "{status}");
            assert_eq!(status.awaits_decision(), allows(CopyChange::Decided), "{status}");
            assert_eq!(status.is_excluded(), allows(CopyChange::Included), "{status}");
            let excluded = status.after_reopening(CopyChange::Included, Some(CopyChange::Excluded));
            assert_eq!(status.may_be_excluded(), excluded.is_ok(), "{status}");
        }
    }

    #[test]
    fn a_settled_node_is_reopened_before_anything_else_happens_to_it() {
        let different = CopyChange::FoundDifferent;
        for from in CopyStatus::ALL {
            assert_eq!(from.after_reopening(different, None), Ok(CopyStatus::Pending));
            assert_eq!(from.after_reopening(different, Some(CopyChange::Gone)), Ok(CopyStatus::Vanished));
        }
        let included = CopyChange::Included;
        let excluded = Some(CopyChange::Excluded);
        assert_eq!(CopyStatus::ExcludedInherited.after_reopening(included, excluded), Ok(CopyStatus::ExcludedExplicit));
        assert!(CopyStatus::Successful.after_reopening(included, excluded).is_err());
    }

    /// A row for each change: what it makes of which statuses.
    fn table<C: Copy, S: Copy + PartialEq + fmt::Display>(
        changes: &[C],
        statuses: &[S],
        name: impl Fn(C) -> String,
        after: impl Fn(S, C) -> Option<S>,
    ) -> String {
        let mut text = "| change | from | to |\n|---|---|---|\n".to_owned();
        for &change in changes {
            for &to in statuses {
                let from = statuses.iter().filter(|&&from| after(from, change) == Some(to));
                let from: Vec<String> = from.map(|from| format!("`{from}`")).collect();
                if !from.is_empty() {
                    writeln!(text, "| {} | {} | `{to}` |", name(change), from.join(", ")).expect("a string takes all");
                }
            }
        }
        text
    }

    /// Set `UPDATE_DOCS=1` to write them.
    #[test]
    fn the_architecture_document_has_the_tables_of_statuses() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/architecture.md");
        let mut document = std::fs::read_to_string(path).expect("the document is there");
        let copy = table(
            &CopyChange::ALL,
            &CopyStatus::ALL,
            |change| format!("`{change}`"),
            |from, change| from.after(change).ok(),
        );
        let traversal = table(
            &TRAVERSAL_CHANGES,
            &TraversalStatus::ALL,
            |change| format!("{change:?}"),
            |from, change| from.after(change).ok(),
        );
        for (name, table) in [("copy", copy), ("traversal", traversal)] {
            let begin = format!("<!-- {name} statuses: generated by model/src/status.rs -->\n");
            let start = document.find(&begin).expect("the document has a place for it") + begin.len();
            let end = start + document[start..].find("<!-- end -->").expect("the place ends");
            if std::env::var_os("UPDATE_DOCS").is_some() {
                document.replace_range(start..end, &table);
                std::fs::write(path, &document).expect("the document can be written");
            } else {
                assert_eq!(&document[start..end], table, "set UPDATE_DOCS=1 to write it");
            }
        }
    }

    proptest! {
        /// Whatever happens in whatever order: a refused change leaves no trace, an allowed one leaves `pending`, or
        /// comes back to it from a status that a person (or a sweep) can undo.
        #[test]
        fn copy_statuses_only_move_between_pending_and_the_rest(
            changes in prop::collection::vec(prop::sample::select(&CopyChange::ALL[..]), 0..64),
        ) {
            let mut status = CopyStatus::Pending;
            for change in changes {
                match status.after(change) {
                    Err(error) => prop_assert_eq!(error.from, status.as_str()),
                    Ok(next) => {
                        prop_assert_ne!(next, status);
                        prop_assert!((status == CopyStatus::Pending) != (next == CopyStatus::Pending));
                        status = next;
                    }
                }
            }
        }

        /// A folder is listed at most once between two marks for retry.
        #[test]
        fn a_folder_is_listed_successfully_at_most_once_between_two_marks(
            changes in prop::collection::vec(prop::sample::select(&TRAVERSAL_CHANGES[..]), 0..64),
        ) {
            let mut status = TraversalStatus::Pending;
            let mut listed = 0;
            for change in changes {
                if let Ok(next) = status.after(change) {
                    listed = if next == TraversalStatus::Pending { 0 } else { listed };
                    listed += usize::from(next == TraversalStatus::Successful);
                    status = next;
                }
                prop_assert!(listed <= 1);
            }
        }
    }
}
