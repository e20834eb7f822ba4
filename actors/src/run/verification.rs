//! Starting to verify.

use longhaul_ledger::{Opened, system_now_ns};
use longhaul_model::Phase;

use super::error::StartError;
use super::{Resumed, begin, open_stores};
use crate::config::VerifyConfig;
use crate::engine::Task;

/// Begins to verify the destination, or resumes that.
pub fn verify(config: &VerifyConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let opened = Opened::open(&config.ledger, config.log, &tuning.resources)?;
    let migration = opened.migration().clone();
    match migration.current_phase() {
        phase @ Phase::Complete if config.resume => return Ok(Resumed::NothingToDo(phase)),
        Phase::Verifying | Phase::Complete => {}
        Phase::Created | Phase::Traversing | Phase::Review | Phase::Copying | Phase::Suspended => {
            return Err(StartError::NotCopied);
        }
    }
    let stores = open_stores(&migration.spec, config.stores.as_ref())?;
    let mut recorder = opened.begin(if config.resume { "verify --resume" } else { "verify" }, system_now_ns)?;
    let (level, remaining) = recorder.begin_verifying(config.resume, config.level)?;
    tracing::info!(nodes = remaining.nodes, bytes = remaining.bytes, "verifying");
    let settings = migration.spec.settings;
    let copying = migration.copy_settings.unwrap_or_default();
    begin(stores, recorder, Task::Verify { settings, copying, remaining, level }, tuning)
}
