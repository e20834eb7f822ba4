//! Getting a destination ready before the first byte is copied: whether it can be written to, what it keeps, and what
//! earlier runs have left there.

use std::sync::Arc;

use longhaul_ledger::{CopyRemaining, CopySettings, MigrationSpec};
use longhaul_model::{BySide, ErrorClass, FIRST_NODE_ID, decode_name};
use longhaul_storage::{Attributes, Durability, Known, Replace, Store, StoreError, Target};
use tokio_util::sync::CancellationToken;

use crate::attempts::RetryPolicy;
use crate::start_error::StartError;
use crate::time_step;

/// What is known beforehand to fail is said before anything is done. Returns the steps in which the destination keeps
/// times, in nanoseconds, if that can be measured.
pub(crate) async fn refuse_unfit_destination(
    store: &Arc<dyn Store>,
    spec: &MigrationSpec,
    retry: RetryPolicy,
    needed: i64,
    force: bool,
) -> Result<Option<u64>, StartError> {
    let unfit = |error: StoreError| StartError::Destination { location: store.location(), reason: error.message };
    let probed = retry.retry(FIRST_NODE_ID, &CancellationToken::new(), async || probe(store, spec).await).await;
    let Probed { free_bytes, time_step_ns } = probed.map_err(unfit)?;
    match free_bytes {
        Some(free) if free < needed.unsigned_abs() && !force => {
            Err(StartError::NoRoom { needed: needed.unsigned_abs(), free })
        }
        _ => Ok(time_step_ns),
    }
}

/// What is known of a destination that was written to.
#[derive(Debug)]
struct Probed {
    /// What there is room for.
    free_bytes: Option<u64>,
    /// As measured.
    time_step_ns: Option<u64>,
}

/// What a migration tries a destination with. The same name each time: what a run leaves that is killed meanwhile is
/// removed by the next one.
fn probe_name(spec: &MigrationSpec) -> Vec<u8> {
    let mark = blake3::hash(format!("{}\n{}", spec.source, spec.destination).as_bytes());
    format!(".longhaul-probe-{}", &mark.to_hex()[..8]).into_bytes()
}

/// Begins a file in the root, which is removed at once.
async fn probe(store: &Arc<dyn Store>, spec: &MigrationSpec) -> Result<Probed, StoreError> {
    let root = store.clone().folder(b"/").await?;
    let name = probe_name(spec);
    let target = Target { name: &name, temporary: &name, replace: Replace::Nothing, known: Known::default() };
    root.remove_draft(&name).await?;
    let mut draft = root.create(target).await?;
    let kept_ns = if store.keeps().modified { draft.try_time(time_step::PROBED_NS).await? } else { None };
    // Dropping it removes it.
    drop(draft);
    // By another name: what was dropped may be removed a moment later.
    store.measure(&[name.as_slice(), b"-kept"].concat()).await?;
    Ok(Probed { free_bytes: store.free_bytes().await?, time_step_ns: kept_ns.and_then(time_step::of_kept) })
}

/// What the source has, or somebody asked for, and the destination cannot keep: said once, and not for each file.
pub(crate) fn lost_on_the_way(stores: &BySide<Arc<dyn Store>>, copying: &CopySettings) -> Vec<&'static str> {
    let (source, destination) = (stores.src.keeps(), stores.dst.keeps());
    let lost = [
        (source.modified && !destination.modified, "modification times"),
        (source.mode && !destination.mode, "permissions"),
        (source.symlinks && !destination.symlinks, "symbolic links"),
        // Somebody who cannot set them can read them nevertheless.
        (copying.owner && !destination.owner, "users and groups"),
        (copying.extended && source.extended && !destination.extended, "extended attributes"),
        (copying.hard_links && source.hard_links && !destination.hard_links, "several names for one file"),
        (copying.holes && source.holes && !destination.holes, "holes in files"),
    ];
    lost.into_iter().filter_map(|(is_lost, what)| is_lost.then_some(what)).collect()
}

/// Removes what earlier runs have left of large files that are not to be copied any more. Where that fails it is in the way
/// of nothing.
pub(crate) async fn remove_given_up(destination: &Arc<dyn Store>, remaining: &CopyRemaining) {
    for (id, folder) in &remaining.given_up {
        let temporary = format!("{}{id}", remaining.temporary_prefix);
        let path = decode_name(folder).expect("the ledger gives out printable paths");
        let removed = match destination.clone().folder(&path).await {
            Ok(folder) => folder.remove_draft(temporary.as_bytes()).await,
            Err(error) => Err(error),
        };
        if let Err(error) = removed {
            tracing::debug!(%id, "its temporary file stays, if there is one: {error}");
        }
    }
}

/// What whoever owns a folder needs of its permissions to make something in it.
const OWNER_MAY_WRITE: u32 = 0o300;

/// Has folders that earlier runs made, and gave permissions by which nothing can be made in them, written to again. They
/// get their permissions back with all others when everything is copied.
pub(crate) async fn reopen_folders(destination: &Arc<dyn Store>, remaining: &CopyRemaining) {
    for printable in &remaining.made_before {
        let path = decode_name(printable).expect("the ledger gives out printable paths");
        if let Err(error) = reopen_folder(destination, &path).await {
            // What is to be copied into it says so, if it matters.
            tracing::debug!(path = printable, "its permissions stay: {error}");
        }
    }
}

async fn reopen_folder(destination: &Arc<dyn Store>, path: &[u8]) -> Result<(), StoreError> {
    let folder = destination.clone().folder(path).await?;
    let found = folder.facts().await?;
    match found.mode {
        Some(mode) if mode & OWNER_MAY_WRITE != OWNER_MAY_WRITE => {
            let attributes = Attributes { mode: Some(mode | 0o700), ..Attributes::default() };
            match folder.set_attributes(&attributes, Durability::Later).await {
                // Somebody else's: then it is theirs who may write there.
                Err(error) if error.class == ErrorClass::Denied => Ok(()),
                set => set,
            }
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use longhaul_ledger::Settings;
    use longhaul_model::Comparison;
    use longhaul_storage::LocalStore;

    use super::*;

    #[tokio::test]
    async fn what_a_killed_run_has_left_of_trying_is_removed_by_the_next_one() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(LocalStore::open(folder.path(), false).unwrap());
        let settings = Settings::new(Comparison::for_resolutions(1, 1));
        let spec = MigrationSpec { source: "/a".to_owned(), destination: "/b".to_owned(), settings };
        let name = String::from_utf8(probe_name(&spec)).unwrap();
        for left in [name.clone(), format!("{name}-kept")] {
            std::fs::write(folder.path().join(left), "longhaul").unwrap();
        }
        probe(&store, &spec).await.unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
