//! Starting to verify.

use longhaul_ledger::{IdleLedger, system_now_ns};
use longhaul_model::Phase;

use super::{Resumed, begin, open_stores};
use crate::config::VerifyConfig;
use crate::engine::Task;
use crate::start_error::StartError;

/// Begins to verify the destination, or resumes that.
pub fn verify(config: &VerifyConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let ledger = IdleLedger::open(&config.ledger, config.log, &tuning.resources)?.discovered()?.copied()?;
    let migration = ledger.migration().clone();
    if config.resume && ledger.is_verified(config.level)? {
        return Ok(Resumed::NothingToDo(Phase::Complete));
    }
    let stores = open_stores(&migration.spec, config.stores.as_ref(), &config.tuning)?;
    let command = if config.resume { "verify --resume" } else { "verify" };
    let (writer, level, remaining) = ledger.verify(command, config.resume, config.level, system_now_ns)?;
    tracing::info!(nodes = remaining.nodes, bytes = remaining.bytes, "verifying");
    let settings = migration.spec.settings;
    let copying = migration.copy_settings.unwrap_or_default();
    begin(stores, Task::Verify { writer, settings, copying, remaining, level }, tuning)
}
