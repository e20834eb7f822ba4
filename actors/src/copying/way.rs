//! Where a file may go on the destination, by what has its name there now: what the plan has it replace, or keep, and what
//! an earlier run or a power cut has left of its copy.

use longhaul_ledger::CopyOutcome;
use longhaul_model::{ConflictPolicy, FileFacts, NodeKind, PlanAction, Reason, ReasonCode, Side};
use longhaul_storage::{Original, Replace};

use super::contents::same_contents;
use super::context::Attempt;
use super::transfer::{Transfer, compared};

/// Where a file may go, as far as is known.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// Nothing has its name.
    Free,
    /// A file with these facts has its name, and is to be replaced.
    Replace(FileFacts),
    /// Its name is taken: the first of these that is not.
    Beside,
    /// It does not go there: this is what became of it.
    Nowhere(CopyOutcome),
}

impl Way {
    /// What may be replaced on it.
    pub(super) fn replaces(&self) -> Replace {
        match self {
            Way::Replace(facts) => Replace::Only(*facts),
            Way::Free | Way::Beside | Way::Nowhere(_) => Replace::Nothing,
        }
    }
}

impl Transfer<'_> {
    /// Finds out where a file may go. `original` is the source's.
    pub(super) async fn find_way(&self, original: &dyn Original, buffer: &mut [u8]) -> Attempt<Way> {
        let Transfer { context, item, .. } = *self;
        let facts = &original.facts_at_opening();
        let Some(found) = self.look(self.names.dst).await? else { return Ok(Way::Free) };
        // Somebody has decided so, of what has its place and is of another kind, or was not there when the plan was made.
        let is_kept_beside = item.action == PlanAction::KeepBoth && item.in_its_place.is_none();
        if found.kind != NodeKind::File {
            if is_kept_beside {
                return Ok(Way::Beside);
            }
            let reason = Reason::new(ReasonCode::KindsDiffer, [NodeKind::File, found.kind]);
            return Ok(Way::Nowhere(CopyOutcome::Conflict(reason)));
        }
        let comparison = &context.settings.comparison;
        let (source, destination) = (compared(facts), compared(&found));
        // What an earlier run, or attempt, brought there without anybody's having heard of it is ours, and is told by its
        // contents.
        let may_be_ours = self.may_be_begun()
            && source.size == destination.size
            && (comparison.is_same_time(source, destination) || !context.keeps(Side::Destination).modified);
        let is_as_planned = item.in_its_place == Some(destination);
        let is_ours = self.is_left_of_ours(source, destination);
        let may_be_left_of_ours = self.may_be_left_of_ours(source, destination);
        if (may_be_ours && !is_as_planned) || comparison.needs_reading(source, destination) {
            let checksum = same_contents(context, self.folders.destination, self.names.dst, original, buffer).await?;
            if let Some(checksum) = checksum {
                return Ok(Way::Nowhere(if may_be_ours && !is_as_planned {
                    self.copied(facts, Some(checksum), None)
                } else {
                    CopyOutcome::AlreadyThere
                }));
            }
        } else if !is_ours && !may_be_left_of_ours && comparison.is_same(source, destination) {
            return Ok(Way::Nowhere(CopyOutcome::AlreadyThere));
        }
        if is_ours {
            return Ok(Way::Replace(destination));
        }
        if is_as_planned {
            match item.action {
                PlanAction::Overwrite => return Ok(Way::Replace(destination)),
                PlanAction::KeepBoth => return Ok(Way::Beside),
                _ => {}
            }
        }
        if is_kept_beside {
            return Ok(Way::Beside);
        }
        // It is not what it was when the plan was made, or the plan left it open: the policy is asked now.
        let is_new = item.in_its_place.is_none();
        let [other, not_older] = if is_new {
            [ReasonCode::NewFile, ReasonCode::NewFileNotOlder]
        } else {
            [ReasonCode::OtherFile, ReasonCode::OtherFileNotOlder]
        };
        Ok(match context.settings.on_conflict {
            ConflictPolicy::Overwrite => Way::Replace(destination),
            ConflictPolicy::Newer if comparison.is_newer(source, destination) => Way::Replace(destination),
            ConflictPolicy::KeepBoth => Way::Beside,
            // It is not left there as if all were well.
            policy if may_be_left_of_ours => {
                Way::Nowhere(CopyOutcome::Conflict(Reason::new(ReasonCode::EmptyFile, [policy.as_str()])))
            }
            policy @ ConflictPolicy::Ask => Way::Nowhere(CopyOutcome::Conflict(Reason::new(other, [policy.as_str()]))),
            policy @ (ConflictPolicy::Newer | ConflictPolicy::Skip) => {
                let code = if policy == ConflictPolicy::Newer { not_older } else { other };
                Way::Nowhere(CopyOutcome::Skipped(Reason::new(code, [policy.as_str()])))
            }
        })
    }

    /// Whether the file at the destination is what a power cut has left of a copy of ours, with whatever contents: often it
    /// is empty. Its time tells, which is given to a file before its name is: it is the source's to the last digit, as far as
    /// the destination keeps digits, and what was there when the plan was made, if anything was, had another one. Whoever
    /// else makes a file with this time copies the source, and has the same contents, which are looked at first.
    ///
    /// Only where an earlier run may have written it: it has begun with the item, and the item was to replace what was there.
    fn is_left_of_ours(&self, source: FileFacts, destination: FileFacts) -> bool {
        let Transfer { context, item, .. } = *self;
        let comparison = &context.settings.comparison;
        let is_to_replace = match item.action {
            PlanAction::Overwrite => true,
            PlanAction::Compare => {
                matches!(context.settings.on_conflict, ConflictPolicy::Overwrite | ConflictPolicy::Newer)
            }
            _ => false,
        };
        let may_be_written = match item.in_its_place {
            None => true,
            Some(before) => is_to_replace && !comparison.is_same_time(source, before),
        };
        self.may_be_begun()
            && context.keeps(Side::Destination).modified
            && may_be_written
            && comparison.is_time_kept(source, destination)
    }

    /// Whether the file at the destination may be what a power cut has left of a copy of ours that has lost its time as well,
    /// or never had one: an empty one, where nothing was when the plan was made, of something that is not empty and that an
    /// earlier run has begun with.
    ///
    /// Nothing tells it from an empty file that somebody else has made since, whose name may be all that they wanted. So it
    /// is not replaced but where the policy replaces what others made; and where the policy leaves what others made, it is
    /// left as a conflict, whatever is compared: nobody is to believe that it is there, or that it was meant to be left out.
    fn may_be_left_of_ours(&self, source: FileFacts, destination: FileFacts) -> bool {
        self.may_be_begun() && self.item.in_its_place.is_none() && destination.size == Some(0) && source.size != Some(0)
    }
}
