//! Starting to list: a new migration, one that goes on, and a delta pass.

use std::path::Path;
use std::sync::Arc;

use longhaul_ledger::{
    FilterRule, FilterSettings, IdleLedger, LedgerError, MigrationSpec, Reader, Settings, Stage, system_now_ns,
};
use longhaul_model::{BySide, CompareBy, Comparison, Side};
use longhaul_storage::{Location, Store, open_pair};

use super::{Resumed, begin, open_stores, traverse};
use crate::config::{MigrationConfig, RefreshConfig, ResumeConfig};
use crate::filter::Filter;
use crate::start_error::{StartError, different};

/// Begins a migration: opens the stores, creates the ledger, and lists both trees.
pub fn discover(config: &MigrationConfig) -> Result<Resumed, StartError> {
    refuse_existing_ledger(config)?;
    let rules = filter_settings(config);
    let filter = Filter::new(&rules)?;
    let stores = match &config.stores {
        Some(BySide { src, dst }) => BySide {
            src: (config.locations.src.clone(), src.clone()),
            dst: (config.locations.dst.clone(), dst.clone()),
        },
        None => open_pair(&config.locations, config.open, config.tuning.give_up_after)?,
    };
    let BySide { src: (source, source_store), dst: (destination, destination_store) } = stores;
    for location in [&source, &destination] {
        refuse_ledger_inside(&config.ledger, location)?;
    }
    let comparison = comparison(&source_store, &destination_store, config.compare).adopting(config.adopt);
    let spec = MigrationSpec {
        source: source.to_string(),
        destination: destination.to_string(),
        settings: Settings {
            comparison,
            on_conflict: config.on_conflict.unwrap_or_default(),
            one_file_system: config.open.one_file_system,
            symlinks_kept: destination_store.keeps().symlinks,
            names: destination_store.capabilities().names,
            copying: config.copying,
            filter: rules,
        },
    };
    let tuning = config.tuning.clone();
    let ledger = longhaul_ledger::create(&config.ledger, &spec, &tuning.resources, system_now_ns())?;
    let (writer, to_list) = ledger.discover("discover", system_now_ns)?;
    tracing::info!(source = spec.source, destination = spec.destination, ledger = %config.ledger.display(), "traversing");
    let stores = BySide { src: source_store, dst: destination_store };
    begin(stores, traverse(writer, to_list, filter, &tuning), tuning)
}

/// Resumes a discovery that was interrupted, suspended or killed. Locations and policies come from the ledger.
pub fn resume(config: &ResumeConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let ledger = IdleLedger::open(&config.ledger, config.log, &tuning.resources)?;
    let (spec, phase) = (ledger.migration().spec.clone(), ledger.migration().phase);
    refuse_differences(config, &spec)?;
    let Stage::Undiscovered(ledger) = ledger.stage() else { return Ok(Resumed::NothingToDo(phase)) };
    let filter = Filter::new(&spec.settings.filter)?;
    let stores = open_stores(&spec, None, &tuning)?;
    let (writer, to_list) = ledger.discover("discover --resume", system_now_ns)?;
    tracing::info!(source = spec.source, destination = spec.destination, was = %phase, "traversing again");
    begin(stores, traverse(writer, to_list, filter, &tuning), tuning)
}

/// Begins a delta pass: lists a source folder again, with everything below it and its counterpart on the destination, to
/// find what has changed. The plan is then about the difference.
pub fn refresh(config: &RefreshConfig) -> Result<Resumed, StartError> {
    let tuning = config.tuning.clone();
    let ledger = IdleLedger::open(&config.ledger, config.log, &tuning.resources)?.discovered()?;
    let folder = ledger.source_folder(config.under.as_deref())?;
    let spec = ledger.migration().spec.clone();
    let filter = Filter::new(&spec.settings.filter)?;
    let stores = open_stores(&spec, None, &tuning)?;
    let (writer, to_list) = ledger.refresh(folder, system_now_ns)?;
    begin(stores, traverse(writer, to_list, filter, &tuning), tuning)
}

/// How files of two stores are compared, where nothing else is asked for by what both can tell.
fn comparison(source: &Arc<dyn Store>, destination: &Arc<dyn Store>, asked_for: Option<CompareBy>) -> Comparison {
    let (of_source, of_destination) = (source.capabilities(), destination.capabilities());
    let by_time = CompareBy::default();
    let usual = if destination.keeps().modified { by_time } else { CompareBy::Size };
    if asked_for.is_none() && usual != by_time {
        tracing::warn!(
            destination = destination.location(),
            "modification times are not kept there: files of the same size are taken for the same"
        );
    }
    Comparison::for_resolutions(of_source.time_resolution_ns, of_destination.time_resolution_ns)
        .by(asked_for.unwrap_or(usual))
        .by_looking(!(of_source.lists_times && of_destination.lists_times))
}

fn filter_settings(config: &MigrationConfig) -> FilterSettings {
    if config.filter.is_empty() {
        return FilterSettings::default();
    }
    FilterSettings { rules: config.filter.clone(), at_ns: system_now_ns() }
}

/// The choices of a migration are made when it begins.
fn refuse_differences(config: &ResumeConfig, spec: &MigrationSpec) -> Result<(), StartError> {
    for (side, recorded) in [(Side::Source, &spec.source), (Side::Destination, &spec.destination)] {
        let Some(given) = &config.locations[side] else { continue };
        let given = given.canonical().unwrap_or_else(|_| given.clone()).to_string();
        if given != *recorded {
            return Err(StartError::Different { what: side.to_string(), given, recorded: recorded.clone() });
        }
    }
    let settings = &spec.settings;
    if let Some(given) = config.compare.filter(|&given| given != settings.comparison.by) {
        return Err(different("comparison", given.as_str(), settings.comparison.by.as_str()));
    }
    if let Some(given) = config.on_conflict.filter(|&given| given != settings.on_conflict) {
        return Err(different("conflict policy", given.as_str(), settings.on_conflict.as_str()));
    }
    if config.one_file_system && !spec.settings.one_file_system {
        return Err(different("mount points", "not crossed", "crossed"));
    }
    // The same file may have been moved, or be given by another path.
    let texts = |rules: &[FilterRule]| rules.iter().map(|rule| rule.text.clone()).collect::<Vec<_>>();
    let (given, recorded) = (texts(&config.filter), texts(&settings.filter.rules));
    if !given.is_empty() && given != recorded {
        let in_words = |rules: &[String]| match rules {
            [] => "none".to_owned(),
            rules => rules.iter().map(|rule| format!("`{rule}`")).collect::<Vec<_>>().join(", "),
        };
        return Err(different("filter", &in_words(&given), &in_words(&recorded)));
    }
    Ok(())
}

/// An existing ledger is never overwritten or silently continued; says whose it is.
fn refuse_existing_ledger(config: &MigrationConfig) -> Result<(), StartError> {
    let path = &config.ledger;
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let spec = Reader::open(path)?.migration()?.spec;
    // A location that cannot be made canonical is not the one in the ledger.
    let canonical = |location: &Location| location.canonical().map(|canonical| canonical.to_string()).ok();
    let is_same = canonical(&config.locations.src).as_ref() == Some(&spec.source)
        && canonical(&config.locations.dst).as_ref() == Some(&spec.destination);
    Err(StartError::Ledger(if is_same {
        LedgerError::Exists(path.clone())
    } else {
        LedgerError::OtherMigration {
            path: path.clone(),
            source_location: spec.source,
            destination_location: spec.destination,
        }
    }))
}

fn refuse_ledger_inside(ledger: &Path, location: &Location) -> Result<(), StartError> {
    let Location::Local(root) = location else { return Ok(()) };
    let folder = match ledger.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    match folder.canonicalize() {
        Ok(folder) if folder.starts_with(root) => {
            Err(StartError::LedgerInside { ledger: ledger.display().to_string(), location: location.to_string() })
        }
        // If it does not exist, making the ledger will say so.
        _ => Ok(()),
    }
}
