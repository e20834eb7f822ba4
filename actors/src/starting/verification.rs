//! Starting to verify.

use std::sync::Arc;

use longhaul_ledger::{MigrationSpec, Opened, system_now_ns};
use longhaul_model::{BySide, Phase};
use longhaul_storage::Store;

use super::error::StartError;
use super::{Resumed, open_recorded_pair};
use crate::config::VerifyConfig;
use crate::controller::launch;
use crate::copying::{CopyRun, Task};
use crate::engine::{Engine, Placement};

/// Begins to verify what is at the destination, or goes on with it.
pub fn verify(config: &VerifyConfig) -> Result<Resumed, StartError> {
    verify_with(config, open_recorded_pair)
}

/// As [`verify`], with stores that are open already: those that the ledger names.
pub fn verify_with_stores(config: &VerifyConfig, stores: BySide<Arc<dyn Store>>) -> Result<Resumed, StartError> {
    verify_with(config, |_| Ok(stores))
}

fn verify_with(
    config: &VerifyConfig,
    open: impl FnOnce(&MigrationSpec) -> Result<BySide<Arc<dyn Store>>, StartError>,
) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let opened = Opened::open(&config.ledger, config.log, &tuning.resources)?;
    let migration = opened.migration().clone();
    match migration.current_phase() {
        phase @ Phase::Complete if config.resume => return Ok(Resumed::NothingToDo(phase)),
        Phase::Verifying | Phase::Complete => {}
        _ => return Err(StartError::NotCopied),
    }
    let stores = open(&migration.spec)?;
    let mut recorder = opened.begin(if config.resume { "verify --resume" } else { "verify" }, system_now_ns)?;
    let (level, remaining) = recorder.begin_verifying(config.resume, config.level)?;
    tracing::info!(nodes = remaining.nodes, bytes = remaining.bytes, "verifying");
    let settings = migration.spec.settings;
    let copying = migration.copy_settings.unwrap_or_default();
    let task = Task::Verify { remaining, level };
    let run = CopyRun { stores, recorder, settings, copying, task };
    launch(move |latest| Engine::start_copy(run, &tuning, latest, Placement::Threads)).map(Resumed::Running)
}
