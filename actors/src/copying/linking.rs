//! Other names of files that have been copied.

use longhaul_model::{NodeKind, Side, encode_name};
use longhaul_storage::{Facts, Placed, Replace, StoreError};

use super::context::{Attempt, CopyContext, Trouble};
use super::transfer::{Transfer, compared};

impl Transfer<'_> {
    /// Makes its name another name of what was copied to `existing`; `None` where that is not what the source has now, or
    /// where it cannot be done.
    pub(super) async fn link(&self, existing: &[u8], replace: Replace, facts: &Facts) -> Attempt<Option<Placed>> {
        let context = self.context;
        let linked = match is_copy_of(context, existing, facts).await {
            Ok(false) => return Ok(None),
            Ok(true) => self.folders.destination.hard_link(existing, self.target(replace), context.durability).await,
            Err(error) => Err(error),
        };
        match linked {
            Ok(placed) => Ok(Some(placed)),
            Err(error) if error.class.is_retried() || error.class.suspends() => {
                Err(Trouble::Store(Side::Destination, error))
            }
            // There are file systems, and numbers of names, with which that cannot be done.
            Err(error) => {
                tracing::debug!(name = %encode_name(self.names.dst), "not linked, copied: {error}");
                Ok(None)
            }
        }
    }

    /// Makes a name that an earlier run has placed, unrecorded, and that has the right contents a name of what was copied
    /// to `existing`, if it is not one: either run may have come to another name of the file first.
    pub(super) async fn join(&self, existing: &[u8], facts: &Facts) -> Attempt<()> {
        // What was compared, and nothing that somebody has put there since.
        let found = self.look(self.names.dst).await?;
        let replace = match &found {
            None => Replace::Nothing,
            Some(found) if is_alike(self.context, found, facts) => Replace::Only(compared(found)),
            Some(_) => return Ok(()),
        };
        let ours = found.and_then(|found| found.shared);
        let is_joined = match look_at(self.context, existing).await {
            Ok(found) => ours.is_some() && found.and_then(|found| found.shared) == ours,
            Err(error) if error.class.is_retried() || error.class.suspends() => {
                return Err(Trouble::Store(Side::Destination, error));
            }
            Err(_) => return Ok(()),
        };
        if !is_joined {
            self.link(existing, replace, facts).await?;
        }
        Ok(())
    }
}

/// What has this path on the destination.
async fn look_at(context: &CopyContext, path: &[u8]) -> Result<Option<Facts>, StoreError> {
    let (folder, name) = path.split_at(path.iter().rposition(|&byte| byte == b'/').unwrap_or(0));
    let folder = context.stores.dst.clone().folder(if folder.is_empty() { b"/" } else { folder }).await?;
    folder.look(name.strip_prefix(b"/").unwrap_or(name)).await
}

/// Whether the file at this path of the destination is, by its size and time, a copy of what the source has now: the
/// source may have changed since it was copied, and somebody may have put another one there.
async fn is_copy_of(context: &CopyContext, path: &[u8], facts: &Facts) -> Result<bool, StoreError> {
    let found = look_at(context, path).await?;
    Ok(found.is_some_and(|found| is_alike(context, &found, facts)))
}

/// Whether what was `found` on the destination is a file of the source's size and, where it keeps times, its time.
fn is_alike(context: &CopyContext, found: &Facts, facts: &Facts) -> bool {
    let has_times = context.keeps(Side::Destination).modified;
    found.kind == NodeKind::File
        && found.size == facts.size
        && (!has_times || context.settings.comparison.is_same_time(compared(facts), compared(found)))
}
