//! What the copy phase does with a source node, and the policies that this follows from.

use strum::{Display, EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::UnknownWord;
use crate::node::NodeKind;
use crate::status::CopyChange;

/// What to do when the destination has a different file of the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(IntoStaticStr)]
#[strum(serialize_all = "kebab-case", const_into_str)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum ConflictPolicy {
    /// Overwrite it if the source's is newer, keep it otherwise.
    #[default]
    Newer,
    /// Keep it.
    Skip,
    /// Overwrite it.
    Overwrite,
    /// Copy the source's under another name beside it.
    KeepBoth,
    /// Keep it, as a conflict for a person to decide.
    Ask,
}

impl ConflictPolicy {
    /// The word used on the command line and in reasons.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}

/// What follows from a conflict policy for a file or link that is not the same as the one on the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyVerdict {
    /// The destination's is replaced.
    Replace,
    /// The source's is copied under another name.
    KeepBoth,
    /// The destination's stays, and the source's is not copied.
    Leave,
    /// A person decides.
    Ask,
}

impl ConflictPolicy {
    /// All policies.
    pub const ALL: [ConflictPolicy; 5] = [
        ConflictPolicy::Newer,
        ConflictPolicy::Skip,
        ConflictPolicy::Overwrite,
        ConflictPolicy::KeepBoth,
        ConflictPolicy::Ask,
    ];

    /// What follows from the policy, where `is_newer` says whether the source's is known to be newer.
    pub const fn decide(self, is_newer: bool) -> PolicyVerdict {
        match self {
            ConflictPolicy::Newer if is_newer => PolicyVerdict::Replace,
            ConflictPolicy::Newer | ConflictPolicy::Skip => PolicyVerdict::Leave,
            ConflictPolicy::Overwrite => PolicyVerdict::Replace,
            ConflictPolicy::KeepBoth => PolicyVerdict::KeepBoth,
            ConflictPolicy::Ask => PolicyVerdict::Ask,
        }
    }
}

impl PolicyVerdict {
    /// The action of the plan for a node of this kind.
    pub const fn action(self, kind: NodeKind) -> PlanAction {
        match (self, kind) {
            (PolicyVerdict::Replace, NodeKind::Symlink) => PlanAction::MakeLink,
            (PolicyVerdict::Replace, NodeKind::File | NodeKind::Folder | NodeKind::Other) => PlanAction::Overwrite,
            (PolicyVerdict::KeepBoth, _) => PlanAction::KeepBoth,
            (PolicyVerdict::Leave, _) => PlanAction::Skip,
            (PolicyVerdict::Ask, _) => PlanAction::Conflict,
        }
    }
}

/// What the copy phase does with a source node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::plan_action)]
pub enum PlanAction {
    /// A folder is made.
    CreateFolder,
    /// A file is copied to where nothing is.
    Copy,
    /// A file is copied in the place of another one.
    Overwrite,
    /// A file is copied under another name, beside the one that has its name.
    KeepBoth,
    /// Both files are read; where they differ, the conflict policy says what is done.
    Compare,
    /// A symbolic link is made, or made anew.
    MakeLink,
    /// Nothing: the destination has the same.
    AlreadyExisted,
    /// Nothing: what the destination has is left as it is.
    Skip,
    /// Nothing until somebody decides.
    Conflict,
    /// Nothing: it is of a kind that is not carried over.
    NotCopied,
    /// Nothing: somebody has excluded it, or a folder above it.
    Exclude,
}

impl PlanAction {
    /// All actions, in the order of the ledger's enumeration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// The word used in the ledger and on the command line.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }

    /// The action for a node of this kind whose name is free on the destination.
    pub const fn for_free_name(kind: NodeKind) -> PlanAction {
        match kind {
            NodeKind::Folder => PlanAction::CreateFolder,
            NodeKind::File => PlanAction::Copy,
            NodeKind::Symlink => PlanAction::MakeLink,
            NodeKind::Other => PlanAction::NotCopied,
        }
    }

    /// Whether there is anything to be done.
    pub const fn is_work(self) -> bool {
        self.settled_by().is_none()
    }

    /// What happens to the copy status of a pending node that gets this action; `None` where it stays pending, because
    /// there is work to be done.
    pub const fn settled_by(self) -> Option<CopyChange> {
        match self {
            PlanAction::CreateFolder
            | PlanAction::Copy
            | PlanAction::Overwrite
            | PlanAction::KeepBoth
            | PlanAction::Compare
            | PlanAction::MakeLink => None,
            PlanAction::AlreadyExisted => Some(CopyChange::FoundOnDestination),
            PlanAction::Skip | PlanAction::NotCopied => Some(CopyChange::NotCarriedOver),
            PlanAction::Conflict => Some(CopyChange::Conflicting),
            PlanAction::Exclude => Some(CopyChange::Excluded),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_newer_depends_on_the_times() {
        for (policy, if_newer, otherwise) in [
            (ConflictPolicy::Newer, PolicyVerdict::Replace, PolicyVerdict::Leave),
            (ConflictPolicy::Skip, PolicyVerdict::Leave, PolicyVerdict::Leave),
            (ConflictPolicy::Overwrite, PolicyVerdict::Replace, PolicyVerdict::Replace),
            (ConflictPolicy::KeepBoth, PolicyVerdict::KeepBoth, PolicyVerdict::KeepBoth),
            (ConflictPolicy::Ask, PolicyVerdict::Ask, PolicyVerdict::Ask),
        ] {
            assert_eq!((policy.decide(true), policy.decide(false)), (if_newer, otherwise), "{policy:?}");
        }
    }
}
