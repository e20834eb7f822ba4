//! Making a name a further name of a file that was copied before.

use longhaul_ledger::CopyOutcome;
use longhaul_model::{NodeKind, Side, encode_name};
use longhaul_storage::{Facts, Placed, Replace, StoreError};

use super::context::{Attempt, AttemptError, CopyContext};
use super::hard_links::Claim;
use super::placement::Placement;
use super::transfer::{Transfer, compared};

/// What came of an attempt to create a hard link.
#[derive(Debug)]
pub(super) enum Linked {
    Done,
    /// The destination changed since the placement was decided: decide again.
    DestinationChanged,
    /// Not possible, or not a name of what the source has now: copy the file instead.
    NotPossible,
}

impl Transfer<'_> {
    /// Claims the name of a file that has others, where they are preserved.
    pub(super) async fn claim_name(&self, source: &Facts) -> Option<Claim> {
        let identity = source.shared.filter(|_| self.context.copying.hard_links)?;
        Some(self.context.links.claim(identity).await)
    }

    /// Ends a claim of a name for which nothing had to be written.
    pub(super) async fn end_claim(&self, claim: Option<Claim>, outcome: &CopyOutcome, source: &Facts) -> Attempt<()> {
        if let CopyOutcome::Copied(_) = outcome {
            match claim {
                Some(Claim::Copy(claimed)) => claimed.copied(self.path()),
                Some(Claim::LinkTo(existing)) => self.join(&existing, source).await?,
                None => {}
            }
        }
        Ok(())
    }

    /// Makes its name another name of the file that was copied to `existing`.
    pub(super) async fn link_to_copy(&self, existing: &[u8], placement: Placement, source: &Facts) -> Attempt<Linked> {
        let replace = placement.replaces();
        if !self.is_still(self.names.dst, replace).await? {
            return Ok(Linked::DestinationChanged);
        }
        self.link(existing, replace, source).await
    }

    async fn link(&self, existing: &[u8], replace: Replace, source: &Facts) -> Attempt<Linked> {
        let context = self.context;
        let linked = match is_copy_of(context, existing, source).await {
            Ok(false) => return Ok(Linked::NotPossible),
            Ok(true) => self.folders.destination.hard_link(existing, self.target(replace), context.durability).await,
            Err(error) => Err(error),
        };
        match linked {
            Ok(Placed::Done) => Ok(Linked::Done),
            Ok(Placed::Taken) => Ok(Linked::DestinationChanged),
            Err(error) if error.class.is_retried() || error.class.suspends() => {
                Err(AttemptError::Store(Side::Destination, error))
            }
            // Some file systems have no hard links, and all have a limit of names per file.
            Err(error) => {
                tracing::debug!(name = %encode_name(self.names.dst), "not linked, copied: {error}");
                Ok(Linked::NotPossible)
            }
        }
    }

    /// Joins a name that an earlier run created, unrecorded and with the right contents, with the file that was copied
    /// to `existing`: either run may have begun with another name of the file.
    async fn join(&self, existing: &[u8], source: &Facts) -> Attempt<()> {
        // Replace only the file that was compared, and no file that somebody has put there since.
        let found = self.look(self.names.dst).await?;
        let replace = match &found {
            None => Replace::Nothing,
            Some(found) if is_alike(self.context, found, source) => Replace::Only(compared(found)),
            Some(_) => return Ok(()),
        };
        let ours = found.and_then(|found| found.shared);
        let is_joined = match look_at(self.context, existing).await {
            Ok(found) => ours.is_some() && found.and_then(|found| found.shared) == ours,
            Err(error) if error.class.is_retried() || error.class.suspends() => {
                return Err(AttemptError::Store(Side::Destination, error));
            }
            Err(_) => return Ok(()),
        };
        if !is_joined {
            self.link(existing, replace, source).await?;
        }
        Ok(())
    }
}

/// The entry with this path on the destination.
async fn look_at(context: &CopyContext, path: &[u8]) -> Result<Option<Facts>, StoreError> {
    let (folder, name) = path.split_at(path.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
    let folder = context.stores.dst.clone().folder(if folder.is_empty() { b"/" } else { folder }).await?;
    folder.look(name.strip_prefix(b"/").unwrap_or(name)).await
}

/// Whether the file at this path of the destination is, by its size and time, a copy of what the source has now. The
/// source may have changed since it was copied, and somebody may have replaced the copy.
async fn is_copy_of(context: &CopyContext, path: &[u8], source: &Facts) -> Result<bool, StoreError> {
    let found = look_at(context, path).await?;
    Ok(found.is_some_and(|found| is_alike(context, &found, source)))
}

/// Whether an entry of the destination is a file of the source's size and, where it preserves times, its time.
fn is_alike(context: &CopyContext, found: &Facts, source: &Facts) -> bool {
    let has_times = context.keeps(Side::Destination).modified;
    found.kind == NodeKind::File
        && found.size == source.size
        && (!has_times || context.settings.comparison.is_same_time(compared(source), compared(found)))
}
