//! A file's way to the destination: read, hashed, written under a temporary name, compared with what it was, and given
//! its name without replacing anything that the plan did not mean to replace.

use longhaul_ledger::CopyOutcome;
use longhaul_model::{PlanAction, Side, encode_name};
use longhaul_storage::{Draft, Known, Original, Placed, Target};

use super::beside::Beside;
use super::contents::copy_range;
use super::context::{Attempt, On, Trouble};
use super::hard_links::Claim;
use super::transfer::{Transfer, compared, size_of};
use super::way::Way;

/// Times that the destination may change under our hands before an attempt is given up.
const LOOKS_MAX: u32 = 8;

impl Transfer<'_> {
    /// Copies a file that is not copied in parts.
    pub(super) async fn copy_file(&self, buffer: &mut [u8]) -> Attempt<CopyOutcome> {
        let Transfer { context, folders, item, names, .. } = *self;
        let original = folders.source.open(names.src).await.on(Side::Source)?;
        let original = original.as_ref();
        let facts = original.facts_at_opening();
        let may_be_begun = self.may_be_begun();
        if may_be_begun {
            self.remove_draft().await?;
        }
        // Before the destination is looked at: a name that an earlier run has placed, unrecorded, is found by whoever has it,
        // and the others have to wait for that.
        let mut claim = match facts.shared.filter(|_| context.copying.hard_links) {
            Some(identity) => Some(context.links.claim(identity).await),
            None => None,
        };
        let mut way = Way::Free;
        let mut is_to_be_looked_at = may_be_begun || item.action != PlanAction::Copy;
        for _ in 0..LOOKS_MAX {
            if is_to_be_looked_at {
                way = self.find_way(original, buffer).await?;
            }
            if let Way::Nowhere(outcome) = way {
                if let CopyOutcome::Copied(_) = &outcome {
                    match claim {
                        Some(Claim::Copy(claimed)) => claimed.copied(self.path()),
                        Some(Claim::LinkTo(existing)) => self.join(&existing, &facts).await?,
                        None => {}
                    }
                }
                return Ok(outcome);
            }
            let mut in_place_of = None;
            if let Way::Beside = way {
                // Names beside others go their own way.
                claim = None;
                if may_be_begun {
                    match self.find_ours_beside(original, buffer).await? {
                        Some(Beside::Copied(outcome)) => return Ok(outcome),
                        Some(Beside::Left(name)) => in_place_of = Some(name),
                        None => {}
                    }
                }
            }
            if let Some(Claim::LinkTo(existing)) = &claim {
                if !self.still_replaces(&way).await? {
                    is_to_be_looked_at = true;
                    continue;
                }
                match self.link(existing, way.replaces(), &facts).await? {
                    Some(Placed::Done) => return Ok(self.copied(&facts, None, None)),
                    Some(Placed::Taken) => {
                        is_to_be_looked_at = true;
                        continue;
                    }
                    None => claim = None,
                }
            }
            let beside = match way {
                Way::Beside => Some(self.find_place_beside(in_place_of).await?),
                _ => None,
            };
            let (name, replace) =
                beside.as_ref().map_or((names.dst, way.replaces()), |place| (place.name.as_slice(), place.replace));
            let target = Target { name, known: Known::of(&facts), ..self.target(replace) };
            let (draft, checksum) = self.write_draft(target, original, buffer).await?;
            let after = original.facts().await.on(Side::Source)?;
            if compared(&after) != compared(&facts) {
                return Err(Trouble::Changed("the file changed while it was read".to_owned()));
            }
            let attributes = context.attributes(folders.source, names.src, &facts).await?;
            if beside.is_some() {
                self.finish_beside(draft, target, size_of(&facts), &attributes).await?;
                return Ok(self.copied(&facts, checksum, Some(name)));
            }
            if !self.still_replaces(&way).await? {
                // Dropping the draft removes it.
                is_to_be_looked_at = true;
                continue;
            }
            match self.finish(draft, target, size_of(&facts), &attributes).await? {
                Placed::Done => {
                    // Whoever asks for this target learns which files were written, and when.
                    let path = self.path();
                    tracing::trace!(target: "longhaul::copying", path = %encode_name(&path), "file");
                    if let Some(Claim::Copy(claimed)) = claim {
                        claimed.copied(path);
                    }
                    return Ok(self.copied(&facts, checksum, None));
                }
                Placed::Taken => is_to_be_looked_at = true,
            }
        }
        Err(Trouble::Changed("the destination changed again and again while it was copied".to_owned()))
    }

    async fn write_draft(
        &self,
        target: Target<'_>,
        original: &dyn Original,
        buffer: &mut [u8],
    ) -> Attempt<(Box<dyn Draft>, Option<[u8; 32]>)> {
        let context = self.context;
        let mut draft = self.folders.destination.create(target).await.on(Side::Destination)?;
        let size = size_of(&original.facts_at_opening());
        if context.copies_unseen() && draft.copy_range(original, 0..size).await.on(Side::Destination)? {
            return Ok((draft, None));
        }
        let mut hasher = context.copying.checksum.then(blake3::Hasher::new);
        copy_range(context, original, draft.as_mut(), 0..size, hasher.as_mut(), buffer).await?;
        Ok((draft, hasher.map(|hasher| *hasher.finalize().as_bytes())))
    }

    /// Whether what is to be replaced on a way is still what it was when that was decided.
    pub(super) async fn still_replaces(&self, way: &Way) -> Attempt<bool> {
        self.is_still(self.names.dst, way.replaces()).await
    }
}
