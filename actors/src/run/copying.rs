//! Starting to copy: what the plan says, or what is marked to be copied again.

use longhaul_ledger::{
    BegunCopy, CopyChoices, CopySettings, CopyWriter, IdleLedger, Migration, Retry, Settings, system_now_ns,
};
use longhaul_model::Phase;

use super::{Resumed, begin, open_stores, traverse};
use crate::attempts::RetryPolicy;
use crate::config::{CopyConfig, OpenStores, Tuning};
use crate::destination::{lost_on_the_way, refuse_unfit_destination, remove_given_up, reopen_folders};
use crate::engine::Task;
use crate::filter::Filter;
use crate::start_error::{StartError, different};

/// Begins to copy what the plan says, or resumes that.
pub fn copy(config: &CopyConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let ledger = IdleLedger::open(&config.ledger, config.log, &tuning.resources)?.discovered()?;
    let migration = ledger.migration().clone();
    let phase = migration.current_phase();
    if phase.is_copied() {
        return Ok(Resumed::NothingToDo(phase));
    }
    if phase == Phase::Copying && !config.resume {
        return Err(StartError::CopyBegun);
    }
    let settings = settle_copy_settings(&migration, &config.choices)?;
    let ledger = ledger.approved(config.approving)?;
    let to_do = ledger.totals()?.src;
    if !(config.resume || config.ignore_names || to_do.copy_pending() == 0) {
        refuse_names(&ledger)?;
    }
    let stores = open_stores(&migration.spec, config.stores.as_ref(), &config.tuning)?;
    // A large file that was begun has some of its room already.
    let needed = to_do.copy_pending_bytes() - ledger.begun_bytes()?;
    let retry = RetryPolicy::from(&tuning);
    let time_step_ns =
        block_on(refuse_unfit_destination(&stores.dst, &migration.spec, retry, needed.max(0), config.force))?;
    // What was measured when copying began stays.
    let settings = settings.completed_by(CopySettings { time_step_ns, ..settings });
    let command = if config.resume { "copy --resume" } else { "copy" };
    let (writer, begun) = ledger.copy(command, &settings, system_now_ns)?;
    block_on(reopen_folders(&stores.dst, &begun.remaining));
    begin_copy(stores, writer, migration.spec.settings, begun, tuning)
}

/// Begins a sweep over what is marked for retry: lists folders again, or copies again what could not be copied. Where
/// nobody has approved what else there is to do, it is only made pending again.
pub fn retry(config: &CopyConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let ledger = IdleLedger::open(&config.ledger, config.log, &tuning.resources)?.discovered()?;
    let migration = ledger.migration().clone();
    let marked = ledger.require_marks()?;
    let mut settings = settle_copy_settings(&migration, &config.choices)?;
    let filter = Filter::new(&migration.spec.settings.filter)?;
    let stores = open_stores(&migration.spec, config.stores.as_ref(), &config.tuning)?;
    if marked.folders == 0 {
        // Only what can be written to at all; how much of it there is room for shows.
        let retry = RetryPolicy::from(&tuning);
        let time_step_ns = block_on(refuse_unfit_destination(&stores.dst, &migration.spec, retry, 0, true))?;
        settings = settings.completed_by(CopySettings { time_step_ns, ..settings });
    }
    // Nothing is refused from here on: what follows has changed the ledger.
    tracing::info!(folders = marked.folders, copies = marked.copies, "retrying");
    match ledger.retry(&settings, system_now_ns)? {
        Retry::Listing(writer, to_list) => begin(stores, traverse(writer, to_list, filter, &tuning), tuning),
        Retry::Copying(writer, begun) => {
            block_on(reopen_folders(&stores.dst, &begun.remaining));
            begin_copy(stores, writer, migration.spec.settings, begun, tuning)
        }
        Retry::ToApprove(marked) => Ok(Resumed::ToApprove(marked)),
    }
}

fn begin_copy(
    stores: OpenStores,
    writer: CopyWriter,
    settings: Settings,
    begun: BegunCopy,
    tuning: Tuning,
) -> Result<Resumed, StartError> {
    let BegunCopy { approval, settings: copying, remaining } = begun;
    tracing::info!(nodes = remaining.nodes, bytes = remaining.bytes, plan = approval.hash, "copying");
    for what in lost_on_the_way(&stores, &copying) {
        tracing::warn!(nodes = remaining.nodes, "the destination does not keep {what}: they are not carried over");
    }
    block_on(remove_given_up(&stores.dst, &remaining));
    let durability = copying.durability;
    begin(stores, Task::Copy { writer, settings, copying, remaining, durability }, tuning)
}

/// How files are copied is chosen once: what was chosen before, with what is chosen now where nothing was. Anything else
/// is refused.
pub fn settle_copy_settings(migration: &Migration, choices: &CopyChoices) -> Result<CopySettings, StartError> {
    let recorded = migration.chosen_copy_settings();
    let settings = choices.on_top_of(recorded.unwrap_or_default());
    match recorded {
        Some(recorded) if recorded.completed_by(settings) != settings => {
            let (given, recorded) = differences(&settings, &recorded);
            Err(different("way of copying", &given, &recorded))
        }
        _ => Ok(settings),
    }
}

/// What is different between two ways of copying, in words: `checksum: false` and `checksum: true`.
fn differences(given: &CopySettings, recorded: &CopySettings) -> (String, String) {
    let different = std::iter::zip(given.in_words(), recorded.in_words()).filter(|(given, recorded)| given != recorded);
    let (given, recorded): (Vec<_>, Vec<_>) = different.unzip();
    (given.join(", "), recorded.join(", "))
}

/// Names that the destination would refuse or fold are said before the first byte is copied.
fn refuse_names(ledger: &IdleLedger) -> Result<(), StartError> {
    const SHOWN: u32 = 3;
    let linted = ledger.lint(None, None)?;
    let count = linted.count()?;
    if count == 0 {
        return Ok(());
    }
    let first = linted.page(None, SHOWN)?;
    let shown: Vec<_> = first.iter().map(|found| format!("{} ({})", found.path, found.reason)).collect();
    Err(StartError::Names { count, rules: linted.rules(), such_as: shown.join(", ") })
}

/// Runs a future that may have to wait, on a thread without a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime without threads or files can be made").block_on(future)
}

#[cfg(test)]
mod tests {
    use longhaul_ledger::CopyDurability;
    use longhaul_model::VerifyLevel;

    use super::*;

    #[test]
    fn a_difference_is_named_with_both_values_also_where_one_is_the_default() {
        let recorded = CopySettings::default();
        let given = CopySettings { durability: CopyDurability::File, empty_folders: true, ..recorded };
        assert_eq!(
            differences(&given, &recorded),
            ("durability: file, empty folders: true".to_owned(), "durability: batch, empty folders: false".to_owned())
        );
        let given = CopySettings { verify_level: Some(VerifyLevel::Full), ..recorded };
        assert_eq!(differences(&given, &recorded), ("verify level: full".to_owned(), "verify level: none".to_owned()));
        assert_eq!(differences(&recorded, &recorded), (String::new(), String::new()));
    }
}
