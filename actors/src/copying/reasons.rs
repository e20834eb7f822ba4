//! Why an item is not copied, and the reason that the ledger stores for it.

use longhaul_model::{ConflictPolicy, NodeKind, Reason, ReasonCode};

/// Why an item is not copied although no store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Refusal {
    /// The destination has an entry of another kind under this name.
    OtherKind { source: NodeKind, destination: NodeKind },
    /// The destination has an entry of the same kind that differs.
    Differs {
        kind: NodeKind,
        /// It was not there when the plan was made.
        is_new: bool,
        policy: ConflictPolicy,
    },
    /// The destination has an empty file that may be left of an interrupted copy.
    PossibleRemnant { policy: ConflictPolicy },
    /// The destination does not support symbolic links.
    NoSymlinks,
    /// The source does not have the item any more.
    Gone,
    /// The source has an entry of another kind under this name now.
    KindChanged(NodeKind),
}

/// The reason as the ledger stores it.
pub(super) fn reason_of(refusal: Refusal) -> Reason {
    match refusal {
        Refusal::OtherKind { source, destination } => Reason::new(ReasonCode::KindsDiffer, [source, destination]),
        Refusal::Differs { kind, is_new, policy } => {
            let code = match (is_new, policy == ConflictPolicy::Newer) {
                (false, false) => ReasonCode::DifferentEntry,
                (false, true) => ReasonCode::DifferentEntryNotOlder,
                (true, false) => ReasonCode::NewEntry,
                (true, true) => ReasonCode::NewEntryNotOlder,
            };
            Reason::new(code, [kind.as_str(), policy.as_str()])
        }
        Refusal::PossibleRemnant { policy } => Reason::new(ReasonCode::PossibleRemnant, [policy.as_str()]),
        Refusal::NoSymlinks => Reason::plain(ReasonCode::NoSymlinks),
        Refusal::Gone => Reason::plain(ReasonCode::Gone),
        Refusal::KindChanged(kind) => Reason::new(ReasonCode::OtherKindNow, [kind]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_name_the_entry_and_the_policy() {
        for (reason, expected) in [
            (
                Refusal::OtherKind { source: NodeKind::File, destination: NodeKind::Folder },
                "the source has a file of this name, the destination a folder",
            ),
            (
                Refusal::Differs { kind: NodeKind::File, is_new: false, policy: ConflictPolicy::Ask },
                "the destination has a different file (on conflict: ask)",
            ),
            (
                Refusal::Differs { kind: NodeKind::Symlink, is_new: true, policy: ConflictPolicy::Newer },
                "the destination has a different symlink that is not older, created since the plan was made (on \
                 conflict: newer)",
            ),
        ] {
            assert_eq!(reason_of(reason).to_string(), expected);
        }
    }
}
