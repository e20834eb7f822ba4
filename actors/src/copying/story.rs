//! The way of one file, from the plan item to the outcome: [`Transfer::copy_file`] reads from top to bottom.
//!
//! Large files are copied in parts (`parts`), folders and symbolic links are in `non_files`.

use longhaul_ledger::CopyOutcome;
use longhaul_model::{NodeKind, PlanAction, Side, encode_name};
use longhaul_storage::{Attributes, Draft, Known, Original, Placed, Target};

use super::contents::{compare_contents, copy_range};
use super::context::{AtSide, Attempt, AttemptError};
use super::hard_links::Claim;
use super::keep_both::EarlierCopy;
use super::linking::Linked;
use super::placement::{Checksum, Placement, decide_placement};
use super::transfer::{Transfer, compared, size_of};

/// How often a file is placed again because the destination changed meanwhile, before the attempt fails.
const PLACEMENTS_MAX: u32 = 8;

/// A copy that has its contents, and neither its attributes nor its name.
struct WrittenCopy {
    temporary_file: Box<dyn Draft>,
    checksum: Option<Checksum>,
    attributes: Attributes,
}

impl Transfer<'_> {
    /// Makes one attempt at an item that is not copied in parts.
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
                unreachable!("the ledger assigns work only")
            }
        }
    }

    /// Copies one file.
    pub(super) async fn copy_file(&self, buffer: &mut [u8]) -> Attempt<CopyOutcome> {
        // Open the source. What is decided, set and recorded is about the file as it is now.
        let source = self.folders.source.open(self.names.src).await.at_side(Side::Source)?;
        let source = source.as_ref();
        let facts = source.facts_at_opening();
        self.confirm_size(source).await?;

        // Remove the temporary file that an earlier run or attempt may have left.
        if self.may_be_begun() {
            self.put_back_an_edit(&facts).await?;
            self.remove_temporary_file().await?;
        }

        // If the file has several names, one of them is copied while the others wait here. This comes before the look
        // at the destination: the name that an earlier run copied without recording it is found by the item that has
        // it.
        let mut claim = self.claim_name(&facts).await;

        // A plain copy goes to a name that was free when the plan was made. That is not checked first: it comes to
        // light when the copy gets its name, which replaces nothing.
        let mut expects_free_name = self.item.action == PlanAction::Copy && !self.may_be_begun();

        for _ in 0..PLACEMENTS_MAX {
            // Look at the destination, and decide where the file goes.
            let placement =
                if expects_free_name { Placement::Free } else { self.find_placement(source, buffer).await? };
            expects_free_name = false;

            // Nothing to write: the file is there already, in conflict or skipped.
            if let Some(outcome) = self.outcome_without_writing(placement, &facts) {
                self.end_claim(claim, &outcome, &facts).await?;
                return Ok(outcome);
            }

            // The name is taken and stays so. The copy gets another name, and is no hard link.
            if placement == Placement::KeepBoth {
                drop(claim);
                return self.copy_under_other_name(source, buffer).await;
            }

            // Another name of the file was copied: link to it instead of copying.
            if let Some(Claim::LinkTo(existing)) = &claim {
                match self.link_to_copy(existing, placement, &facts).await? {
                    Linked::Done => return Ok(self.copied(&facts, None, None)),
                    Linked::DestinationChanged => continue,
                    Linked::NotPossible => claim = None,
                }
            }

            // Write the contents to a temporary file. The source must not change meanwhile.
            let replace = placement.replaces();
            let target = Target { known: Known::of(&facts), ..self.target(replace) };
            let copy = self.write_copy(target, source, buffer).await?;

            // Look again a moment before something is replaced. Dropping the temporary file removes it.
            if !self.is_still(self.names.dst, replace).await? {
                continue;
            }

            // Give the copy its attributes and its name.
            match self.finish(copy.temporary_file, target, size_of(&facts), &copy.attributes).await? {
                Placed::Done => {}
                Placed::Taken => continue,
            }
            let path = self.path();
            // With this target, traces tell which files were written, and when.
            tracing::trace!(target: "longhaul::copying", path = %encode_name(&path), "file");
            if let Some(Claim::Copy(claimed)) = claim {
                claimed.copied(path);
            }
            return Ok(self.copied(&facts, copy.checksum, None));
        }
        Err(AttemptError::Changed("the destination changed again and again while the file was copied".to_owned()))
    }

    /// Fails where the source's file has another size than was listed, and its store does not say that it has changed.
    pub(super) async fn confirm_size(&self, source: &dyn Original) -> Attempt<()> {
        let listed = self.item.facts.size;
        if listed.is_some() && source.facts_at_opening().size != listed {
            source.confirm_size().await.at_side(Side::Source)?;
        }
        Ok(())
    }

    /// Looks at the destination and decides where the file goes. Reads both files if their contents decide.
    pub(super) async fn find_placement(&self, source: &dyn Original, buffer: &mut [u8]) -> Attempt<Placement> {
        let name = self.names.dst;
        let mut situation = self.situation(NodeKind::File, &source.facts_at_opening(), self.look(name).await?);
        if situation.needs_contents() {
            situation.contents = compare_contents(self.context, self.folders.destination, name, source, buffer).await?;
        }
        Ok(decide_placement(&situation))
    }

    /// Copies the file under another name, beside the existing file that has its own.
    async fn copy_under_other_name(&self, source: &dyn Original, buffer: &mut [u8]) -> Attempt<CopyOutcome> {
        let facts = source.facts_at_opening();
        let remnant = match self.find_earlier_copy(source, buffer).await? {
            Some(EarlierCopy::Whole(outcome)) => return Ok(outcome),
            Some(EarlierCopy::Remnant(name)) => Some(name),
            None => None,
        };
        let other = self.other_name(remnant).await?;
        let target = Target { known: Known::of(&facts), ..self.target_of(&other) };
        let copy = self.write_copy(target, source, buffer).await?;
        self.finish_under_other_name(copy.temporary_file, target, size_of(&facts), &copy.attributes).await?;
        Ok(self.copied(&facts, copy.checksum, Some(&other.name)))
    }

    /// Writes the contents to a temporary file, makes sure that the source did not change meanwhile, and reads the
    /// attributes that the copy gets.
    async fn write_copy(&self, target: Target<'_>, source: &dyn Original, buffer: &mut [u8]) -> Attempt<WrittenCopy> {
        let facts = source.facts_at_opening();
        let (temporary_file, checksum) = self.write_contents(target, source, buffer).await?;
        let facts_now = source.facts().await.at_side(Side::Source)?;
        if compared(&facts_now) != compared(&facts) {
            return Err(changed_while_read());
        }
        let attributes = self.context.attributes(self.folders.source, self.names.src, &facts).await?;
        Ok(WrittenCopy { temporary_file, checksum, attributes })
    }

    /// Returns the temporary file, and the checksum of its contents if one was requested.
    async fn write_contents(
        &self,
        target: Target<'_>,
        source: &dyn Original,
        buffer: &mut [u8],
    ) -> Attempt<(Box<dyn Draft>, Option<Checksum>)> {
        let context = self.context;
        let mut draft = self.folders.destination.create(target).await.at_side(Side::Destination)?;
        let size = size_of(&source.facts_at_opening());
        if context.copies_without_reading() && draft.copy_range(source, 0..size).await.at_side(Side::Destination)? {
            return Ok((draft, None));
        }
        let mut hasher = context.copying.checksum.then(blake3::Hasher::new);
        copy_range(context, source, draft.as_mut(), 0..size, hasher.as_mut(), buffer).await?;
        Ok((draft, hasher.map(|hasher| *hasher.finalize().as_bytes())))
    }
}

/// The copy may have parts of both versions.
pub(super) fn changed_while_read() -> AttemptError {
    AttemptError::Changed("the file changed while it was read".to_owned())
}
