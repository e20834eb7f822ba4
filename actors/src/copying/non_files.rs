//! The way of a folder and of a symbolic link, from the plan item to the outcome.

use futures_util::StreamExt;
use longhaul_ledger::{CopiedFile, CopyOutcome};
use longhaul_model::{NodeKind, Side};
use longhaul_storage::{Attributes, Facts, Placed, Replace, Target};

use super::context::{AtSide, Attempt, AttemptError};
use super::keep_both::{no_name_left, other_names};
use super::placement::{Contents, Placement, decide_placement};
use super::reasons::{Refusal, reason_of};
use super::transfer::{Transfer, path_in};

impl Transfer<'_> {
    /// Creates one folder. Its attributes are set when everything is in it.
    pub(super) async fn create_folder(&self) -> Attempt<CopyOutcome> {
        let Transfer { context, folders, names, .. } = *self;
        // Check the source, if it has folders of their own and not only keys with a prefix.
        if context.stores.src.capabilities().has_folders {
            match folders.source.look(names.src).await.at_side(Side::Source)? {
                None => return Ok(CopyOutcome::Vanished(reason_of(Refusal::Gone))),
                Some(found) if found.kind != NodeKind::Folder => {
                    return Ok(CopyOutcome::Vanished(reason_of(Refusal::KindChanged(found.kind))));
                }
                Some(_) => {}
            }
        }
        let comes_with_contents = !context.stores.dst.capabilities().has_folders;
        let created = if context.copying.empty_folders && comes_with_contents && self.is_empty_folder().await? {
            folders.destination.create_empty_folder(names.dst, context.durability).await
        } else {
            folders.destination.create_folder(names.dst, context.durability).await
        };
        if created.at_side(Side::Destination)? == Placed::Done {
            return Ok(CopyOutcome::Copied(CopiedFile::default()));
        }
        match self.look(names.dst).await? {
            // Nothing tells whether it is ours. If it is, its attributes are still to be set.
            Some(found) if found.kind == NodeKind::Folder && self.may_be_begun() => {
                Ok(CopyOutcome::Copied(CopiedFile::default()))
            }
            Some(found) if found.kind == NodeKind::Folder => Ok(CopyOutcome::AlreadyThere),
            Some(found) => {
                let reason = Refusal::OtherKind { source: NodeKind::Folder, destination: found.kind };
                Ok(CopyOutcome::Conflict(reason_of(reason)))
            }
            None => Err(AttemptError::Changed("the destination changed while the folder was created".to_owned())),
        }
    }

    /// Whether the source's folder is empty.
    async fn is_empty_folder(&self) -> Attempt<bool> {
        let path = path_in(self.folders.source_path, self.names.src);
        let mut pages = self.context.stores.src.clone().list(&path);
        while let Some(page) = pages.next().await {
            if !page.at_side(Side::Source)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Creates one symbolic link.
    pub(super) async fn make_link(&self) -> Attempt<CopyOutcome> {
        let Transfer { context, folders, names, .. } = *self;
        if !context.keeps(Side::Destination).symlinks {
            return Ok(CopyOutcome::Skipped(reason_of(Refusal::NoSymlinks)));
        }

        // Read the source.
        let Some(facts) = folders.source.look(names.src).await.at_side(Side::Source)? else {
            return Ok(CopyOutcome::Vanished(reason_of(Refusal::Gone)));
        };
        let points_to = folders.source.read_link(names.src).await.at_side(Side::Source)?;
        if self.may_be_begun() {
            self.remove_temporary_file().await?;
        }

        // Look at the destination, and decide where the link goes.
        let mut situation = self.situation(NodeKind::Symlink, &facts, self.look(names.dst).await?);
        if situation.needs_contents() {
            let is_same = folders.destination.read_link(names.dst).await.at_side(Side::Destination)? == points_to;
            situation.contents = if is_same { Contents::Same(None) } else { Contents::Different };
        }
        let placement = decide_placement(&situation);
        if let Some(outcome) = self.outcome_without_writing(placement, &facts) {
            return Ok(outcome);
        }
        if placement == Placement::KeepBoth {
            return self.make_link_under_other_name(&points_to, &facts).await;
        }

        // Create it, with its attributes, in one step. A link cannot be replaced on the condition that it has not
        // changed.
        let replace = if placement.replaces().is_allowed() { Replace::Any } else { Replace::Nothing };
        match self.create_link(self.target(replace), &points_to, &facts).await? {
            Placed::Done => Ok(self.copied(&facts, None, None)),
            Placed::Taken => Err(AttemptError::Changed("the link's name was taken a moment before".to_owned())),
        }
    }

    async fn create_link(&self, target: Target<'_>, points_to: &[u8], facts: &Facts) -> Attempt<Placed> {
        let context = self.context;
        let owner = facts.owner.filter(|_| context.preserves_owner());
        let attributes = Attributes { modified_ns: facts.modified_ns, owner, ..Attributes::default() };
        let destination = self.folders.destination;
        destination.create_link(target, points_to, &attributes, context.durability).await.at_side(Side::Destination)
    }

    /// Creates a link under the first other name that is free, unless an earlier run has created it there.
    async fn make_link_under_other_name(&self, points_to: &[u8], facts: &Facts) -> Attempt<CopyOutcome> {
        for name in other_names(self.names.dst) {
            let is_there = match self.look(&name).await? {
                None => {
                    let target = Target { name: &name, ..self.target(Replace::Nothing) };
                    self.create_link(target, points_to, facts).await? == Placed::Done
                }
                Some(found) if found.kind == NodeKind::Symlink && self.may_be_begun() => {
                    self.folders.destination.read_link(&name).await.at_side(Side::Destination)? == points_to
                }
                Some(_) => false,
            };
            if is_there {
                return Ok(self.copied(facts, None, Some(&name)));
            }
        }
        Err(no_name_left())
    }
}
