//! One item of the plan: what is done about it, and what becomes of it.

use futures_util::StreamExt;
use longhaul_ledger::{CopiedFile, CopyOutcome};
use longhaul_model::{ConflictPolicy, NodeKind, PlanAction, Reason, ReasonCode, Side};
use longhaul_storage::{Attributes, Facts, Placed, Replace, Target};

use super::beside::{names_beside, no_name_left};
use super::context::{Attempt, On, Trouble};
use super::transfer::{Transfer, compared, path_in};

impl Transfer<'_> {
    /// Makes one attempt at an item that is not a large file.
    pub(super) async fn attempt(&self, buffer: &mut [u8]) -> Attempt<CopyOutcome> {
        self.context.check_stop()?;
        match self.item.action {
            PlanAction::CreateFolder => self.create_folder().await,
            PlanAction::MakeLink => self.make_link().await,
            PlanAction::KeepBoth if self.item.kind == NodeKind::Symlink => self.make_link().await,
            PlanAction::Copy | PlanAction::Overwrite | PlanAction::KeepBoth | PlanAction::Compare => {
                self.copy_file(buffer).await
            }
            PlanAction::AlreadyExisted
            | PlanAction::Skip
            | PlanAction::Conflict
            | PlanAction::NotCopied
            | PlanAction::Exclude => {
                unreachable!("the ledger gives out what is to be done")
            }
        }
    }

    async fn create_folder(&self) -> Attempt<CopyOutcome> {
        let Transfer { context, folders, names, .. } = *self;
        // Where folders come with what is in them, that is looked at.
        if context.stores.src.capabilities().has_folders {
            match folders.source.look(names.src).await.on(Side::Source)? {
                None => return Ok(is_gone()),
                Some(found) if found.kind != NodeKind::Folder => {
                    return Ok(CopyOutcome::Vanished(Reason::new(ReasonCode::OtherKindNow, [found.kind])));
                }
                Some(_) => {}
            }
        }
        let comes_with_contents = !context.stores.dst.capabilities().has_folders;
        let made = if context.copying.empty_folders && comes_with_contents && self.is_empty_folder().await? {
            folders.destination.create_empty_folder(names.dst, context.durability).await
        } else {
            folders.destination.create_folder(names.dst, context.durability).await
        };
        if made.on(Side::Destination)? == Placed::Done {
            return Ok(CopyOutcome::Copied(CopiedFile::default()));
        }
        match self.look(names.dst).await? {
            // It cannot be told whose it is; if it is ours it has yet to get its attributes.
            Some(found) if found.kind == NodeKind::Folder && self.may_be_begun() => {
                Ok(CopyOutcome::Copied(CopiedFile::default()))
            }
            Some(found) if found.kind == NodeKind::Folder => Ok(CopyOutcome::AlreadyThere),
            Some(found) => {
                Ok(CopyOutcome::Conflict(Reason::new(ReasonCode::KindsDiffer, [NodeKind::Folder, found.kind])))
            }
            None => Err(Trouble::Changed("the destination changed while the folder was made".to_owned())),
        }
    }

    /// Whether a folder of the source has nothing in it.
    async fn is_empty_folder(&self) -> Attempt<bool> {
        let path = path_in(self.folders.source_path, self.names.src);
        let mut pages = self.context.stores.src.clone().list(&path);
        while let Some(page) = pages.next().await {
            if !page.on(Side::Source)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn make_link(&self) -> Attempt<CopyOutcome> {
        let Transfer { context, folders, item, names, .. } = *self;
        if !context.keeps(Side::Destination).symlinks {
            return Ok(CopyOutcome::Skipped(Reason::plain(ReasonCode::NoSymlinks)));
        }
        let Some(facts) = folders.source.look(names.src).await.on(Side::Source)? else { return Ok(is_gone()) };
        let points_to = folders.source.read_link(names.src).await.on(Side::Source)?;
        if self.may_be_begun() {
            self.remove_draft().await?;
        }
        let replace = match self.look(names.dst).await? {
            None => Replace::Nothing,
            Some(found) if found.kind != NodeKind::Symlink && self.is_kept_beside(None) => {
                return self.make_link_beside(&points_to, &facts).await;
            }
            Some(found) if found.kind != NodeKind::Symlink => {
                let reason = Reason::new(ReasonCode::KindsDiffer, [NodeKind::Symlink, found.kind]);
                return Ok(CopyOutcome::Conflict(reason));
            }
            Some(found) => {
                let was_there = item.in_its_place == Some(compared(&found));
                let is_as_planned = was_there && item.action == PlanAction::MakeLink;
                // One that is to be replaced and differs in its time alone is replaced too: that gives it its time.
                if !is_as_planned && folders.destination.read_link(names.dst).await.on(Side::Destination)? == points_to
                {
                    return Ok(if self.may_be_begun() && !was_there {
                        self.copied(&facts, None, None)
                    } else {
                        CopyOutcome::AlreadyThere
                    });
                }
                let is_newer = context.settings.comparison.is_newer(compared(&facts), compared(&found));
                match context.settings.on_conflict {
                    _ if is_as_planned => Replace::Any,
                    _ if self.is_kept_beside(Some(&found)) => return self.make_link_beside(&points_to, &facts).await,
                    ConflictPolicy::Overwrite => Replace::Any,
                    ConflictPolicy::Newer if is_newer => Replace::Any,
                    ConflictPolicy::Ask => {
                        let policy = ConflictPolicy::Ask.as_str();
                        return Ok(CopyOutcome::Conflict(Reason::new(ReasonCode::OtherLink, [policy])));
                    }
                    ConflictPolicy::KeepBoth => return self.make_link_beside(&points_to, &facts).await,
                    policy @ (ConflictPolicy::Newer | ConflictPolicy::Skip) => {
                        return Ok(CopyOutcome::Skipped(Reason::new(ReasonCode::OtherLink, [policy.as_str()])));
                    }
                }
            }
        };
        match self.place_link(self.target(replace), &points_to, &facts).await? {
            Placed::Done => Ok(self.copied(&facts, None, None)),
            Placed::Taken => Err(Trouble::Changed("its name was taken a moment before".to_owned())),
        }
    }

    async fn place_link(&self, target: Target<'_>, points_to: &[u8], facts: &Facts) -> Attempt<Placed> {
        let context = self.context;
        let owner = facts.owner.filter(|_| context.carries_owner());
        let attributes = Attributes { modified_ns: facts.modified_ns, owner, ..Attributes::default() };
        let destination = self.folders.destination;
        destination.create_link(target, points_to, &attributes, context.durability).await.on(Side::Destination)
    }

    /// Whether the plan says that a link is kept beside what has its place: the link that had it when the plan was made, or
    /// what is of another kind or was not there then.
    fn is_kept_beside(&self, found: Option<&Facts>) -> bool {
        let item = self.item;
        let is_as_planned = item.in_its_place.is_none() || item.in_its_place == found.map(compared);
        item.action == PlanAction::KeepBoth && is_as_planned
    }

    /// Makes a link under the first name beside its own that is free, unless an earlier run has made it there.
    async fn make_link_beside(&self, points_to: &[u8], facts: &Facts) -> Attempt<CopyOutcome> {
        for name in names_beside(self.names.dst) {
            let is_there = match self.look(&name).await? {
                None => {
                    let target = Target { name: &name, ..self.target(Replace::Nothing) };
                    self.place_link(target, points_to, facts).await? == Placed::Done
                }
                Some(found) if found.kind == NodeKind::Symlink && self.may_be_begun() => {
                    self.folders.destination.read_link(&name).await.on(Side::Destination)? == points_to
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

fn is_gone() -> CopyOutcome {
    CopyOutcome::Vanished(Reason::plain(ReasonCode::Gone))
}
