//! Decides where a file or symbolic link goes, from what the destination has under its name.
//!
//! Pure functions: everything that the decision depends on is in a [`Situation`]. The plan says what was meant. The
//! destination may have changed since, and an earlier run or attempt may have written the item, whole or in part,
//! without its result having been recorded.

use longhaul_model::{Comparison, ConflictPolicy, FileFacts, NodeKind, PlanAction, PolicyVerdict};
use longhaul_storage::Replace;

use super::reasons::Refusal;

/// Where an item goes, or why nothing is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Placement {
    /// The name is free: create the item.
    Free,
    /// Replace the existing entry, as long as it has these facts.
    Replace(FileFacts),
    /// Keep the existing entry, and create the item under another name.
    KeepBoth,
    /// The destination has the same item already, not copied by us.
    AlreadyThere,
    /// An earlier run or attempt copied the item. The checksum is known where contents were compared.
    CopiedEarlier(Option<Checksum>),
    /// Keep the existing entry until a person decides.
    Conflict(Refusal),
    /// Keep the existing entry and skip the item.
    Skip(Refusal),
}

impl Placement {
    /// The existing entry that may be replaced.
    pub(super) fn replaces(self) -> Replace {
        match self {
            Placement::Replace(facts) => Replace::Only(facts),
            Placement::Free
            | Placement::KeepBoth
            | Placement::AlreadyThere
            | Placement::CopiedEarlier(_)
            | Placement::Conflict(_)
            | Placement::Skip(_) => Replace::Nothing,
        }
    }
}

/// BLAKE3 of a file's contents.
pub(super) type Checksum = [u8; 32];

/// Everything that a placement depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Situation {
    pub(super) planned: Planned,
    pub(super) rules: Rules,
    /// The item on the source: a file or a symbolic link.
    pub(super) source: Entry,
    /// What has its name on the destination.
    pub(super) existing: Option<Entry>,
    pub(super) contents: Contents,
}

/// What was known of an item before the destination was looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) action: PlanAction,
    /// What had its name on the destination when the plan was made.
    pub(super) existing: Option<FileFacts>,
    /// An earlier run, or an earlier attempt of this one, may have begun with it.
    pub(super) may_be_begun: bool,
}

/// What the migration says about every item.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) comparison: Comparison,
    pub(super) on_conflict: ConflictPolicy,
    /// The destination preserves modification times.
    pub(super) preserves_times: bool,
}

/// An entry of one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) kind: NodeKind,
    pub(super) facts: FileFacts,
}

/// Whether both sides have the same contents. The contents of a symbolic link are its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    NotCompared,
    Same(Option<Checksum>),
    Different,
}

/// Decides where an item goes.
///
/// # Panics
///
/// If the situation [needs contents](Situation::needs_contents) and they were not compared.
pub(super) fn decide_placement(situation: &Situation) -> Placement {
    let Some(existing) = situation.existing else { return Placement::Free };
    let Some(clash) = situation.clash() else {
        // Policies are about files and about links: an entry of another kind is never replaced.
        return if situation.planned.keeps_both_whatever_exists() {
            Placement::KeepBoth
        } else {
            Placement::Conflict(Refusal::OtherKind { source: situation.source.kind, destination: existing.kind })
        };
    };
    // 1. Is it what the source has?
    match situation.contents {
        Contents::NotCompared => {
            assert!(!clash.needs_contents(), "contents are compared where they decide");
            if clash.counts_as_same() {
                return Placement::AlreadyThere;
            }
        }
        Contents::Same(checksum) if clash.may_be_our_copy() => return Placement::CopiedEarlier(checksum),
        Contents::Same(_) => return Placement::AlreadyThere,
        Contents::Different => {}
    }
    // 2. Is it a remnant of our own copy?
    if clash.is_our_remnant() {
        return Placement::Replace(clash.existing);
    }
    // 3. Does the plan say what to do with it? 4. Otherwise the conflict policy does.
    clash.as_planned().unwrap_or_else(|| clash.by_policy())
}

impl Situation {
    /// Whether the contents of both sides have to be compared before the placement can be decided.
    pub(super) fn needs_contents(&self) -> bool {
        self.clash().is_some_and(|clash| clash.needs_contents())
    }

    /// The clash of an item with an entry of its own kind.
    fn clash(&self) -> Option<Clash<'_>> {
        let existing = self.existing.filter(|existing| existing.kind == self.source.kind)?.facts;
        Some(Clash { situation: self, source: self.source.facts, existing })
    }
}

impl Planned {
    /// Whether a person decided to keep both although the plan saw no entry of the same kind.
    fn keeps_both_whatever_exists(&self) -> bool {
        self.action == PlanAction::KeepBoth && self.existing.is_none()
    }
}

/// An item whose name on the destination belongs to an entry of the same kind, and what can be said of that entry.
struct Clash<'a> {
    situation: &'a Situation,
    source: FileFacts,
    existing: FileFacts,
}

impl Clash<'_> {
    fn is_file(&self) -> bool {
        self.situation.source.kind == NodeKind::File
    }

    /// It is the entry that the plan saw.
    fn is_the_planned_one(&self) -> bool {
        self.situation.planned.existing == Some(self.existing)
    }

    /// It was there before anything of this migration was copied, and is not adopted.
    fn is_foreign(&self) -> bool {
        self.is_the_planned_one() && !self.situation.rules.comparison.adopts
    }

    /// An earlier run or attempt may have written it, and finished it. Its contents tell.
    fn may_be_our_copy(&self) -> bool {
        let Situation { planned, rules, .. } = self.situation;
        let looks_like_our_copy = !self.is_file()
            || self.source.size == self.existing.size
                && (rules.comparison.is_same_time(self.source, self.existing) || !rules.preserves_times);
        planned.may_be_begun && looks_like_our_copy && !self.is_foreign()
    }

    /// A power cut left it of our copy, with whatever contents: often it is empty. Its time tells, because a file gets
    /// its time before its name: it is the source's time, at the destination's precision, and the entry that the plan
    /// saw, if any, had another one. Anybody else's file with this time is a copy of the source too, and has the same
    /// contents, which are compared first.
    ///
    /// Only if an earlier run may have written it: it has begun with the item, and was to replace what existed.
    fn is_our_remnant(&self) -> bool {
        let Situation { planned, rules, .. } = self.situation;
        let may_be_written = match planned.existing {
            None => true,
            Some(_) if rules.comparison.adopts => true,
            Some(before) => self.may_replace() && !rules.comparison.is_same_time(self.source, before),
        };
        self.is_file()
            && planned.may_be_begun
            && rules.preserves_times
            && may_be_written
            && rules.comparison.is_time_kept(self.source, self.existing)
    }

    /// A power cut may have left it of our copy without its time as well: an empty file where the plan saw nothing, for
    /// a source that is not empty and that an earlier run has begun with.
    ///
    /// Nothing tells it from an empty file that somebody else created since, for the sake of its name perhaps. So it is
    /// replaced only if the policy replaces other people's files. If the policy keeps them, it is a conflict, whatever
    /// is compared: it must count neither as copied nor as skipped on purpose.
    fn may_be_our_remnant(&self) -> bool {
        let planned = &self.situation.planned;
        self.is_file()
            && planned.may_be_begun
            && planned.existing.is_none()
            && self.existing.size == Some(0)
            && self.source.size != Some(0)
    }

    /// Whether the plan, or the policy that it leaves the item to, replaces existing files.
    fn may_replace(&self) -> bool {
        let Situation { planned, rules, .. } = self.situation;
        match planned.action {
            PlanAction::Overwrite => true,
            PlanAction::Compare => rules.on_conflict.decide(true) == PolicyVerdict::Replace,
            PlanAction::CreateFolder
            | PlanAction::Copy
            | PlanAction::KeepBoth
            | PlanAction::MakeLink
            | PlanAction::AlreadyExisted
            | PlanAction::Skip
            | PlanAction::Conflict
            | PlanAction::NotCopied
            | PlanAction::Exclude => false,
        }
    }

    /// Files are compared where contents are the comparison, or where the existing one may be our copy. Links are
    /// always compared, except for one that the plan replaces: that may be for its time alone.
    fn needs_contents(&self) -> bool {
        let Situation { planned, rules, .. } = self.situation;
        if self.is_file() {
            self.may_be_our_copy() || rules.comparison.needs_reading(self.source, self.existing)
        } else {
            !(self.is_foreign() && planned.action == PlanAction::MakeLink)
        }
    }

    /// It counts as the same file, judging by size and time, and is not what a power cut left of it.
    fn counts_as_same(&self) -> bool {
        self.is_file()
            && !self.is_our_remnant()
            && !self.may_be_our_remnant()
            && self.situation.rules.comparison.is_same(self.source, self.existing)
    }

    /// What the plan says, if it is about the entry that exists now.
    fn as_planned(&self) -> Option<Placement> {
        let planned = &self.situation.planned;
        if planned.keeps_both_whatever_exists() {
            return Some(Placement::KeepBoth);
        }
        if !self.is_the_planned_one() {
            return None;
        }
        match planned.action {
            PlanAction::Overwrite | PlanAction::MakeLink => Some(Placement::Replace(self.existing)),
            PlanAction::KeepBoth => Some(Placement::KeepBoth),
            PlanAction::CreateFolder
            | PlanAction::Copy
            | PlanAction::Compare
            | PlanAction::AlreadyExisted
            | PlanAction::Skip
            | PlanAction::Conflict
            | PlanAction::NotCopied
            | PlanAction::Exclude => None,
        }
    }

    /// What the conflict policy says: the entry is not the one that the plan saw, or the plan left the item to the
    /// policy.
    fn by_policy(&self) -> Placement {
        let Situation { planned, rules, source, .. } = self.situation;
        let policy = rules.on_conflict;
        let is_new = planned.existing.is_none();
        let differs = Refusal::Differs { kind: source.kind, is_new, policy };
        match policy.decide(rules.comparison.is_newer(self.source, self.existing)) {
            PolicyVerdict::Replace => Placement::Replace(self.existing),
            PolicyVerdict::KeepBoth => Placement::KeepBoth,
            PolicyVerdict::Leave | PolicyVerdict::Ask if self.may_be_our_remnant() => {
                Placement::Conflict(Refusal::PossibleRemnant { policy })
            }
            PolicyVerdict::Ask => Placement::Conflict(differs),
            PolicyVerdict::Leave => Placement::Skip(differs),
        }
    }
}

#[cfg(test)]
mod tests;
