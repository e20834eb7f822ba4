//! A ledger in which no run is under way, and the ways from it to the writer of each phase.
//!
//! What may be done with a ledger depends on how far its migration has come. Each answer is a type, and the function that
//! returns it refuses a ledger that has not come that far: `discovered` ("not discovered", which includes a sweep that has
//! not ended), `approved` ("not approved") and `copied` ("not copied"). A writer can be had only from these types.

use std::ops::Deref;
use std::path::Path;

use longhaul_model::{BySide, NodeId, NodeKind, Phase, Side, VerifyLevel};
use longhaul_naming::RuleSet;

use crate::approval::{Approval, Approving, note_plan, require_approval};
use crate::copying::{CopyRemaining, CopyWriter, settle_copying};
use crate::counters::{Counters, DepthCounters};
use crate::database::Database;
use crate::discovery::{DiscoverWriter, ToList};
use crate::error::{LedgerError, Result};
use crate::linting::{Linted, lint};
use crate::marks::Marks;
use crate::migration::{CopySettings, Migration, MigrationSpec};
use crate::opening::{self, Log, Resources};
use crate::recovery::recover;
use crate::review::paths;
use crate::sweeping::begin_sweep;
use crate::verification::{VerifyRemaining, VerifyWriter};
use crate::words::SweepKind;
use crate::writer::Writer;

/// A ledger that is open for its one writer, and in which no run has begun.
#[derive(Debug)]
pub struct IdleLedger {
    pub(crate) connection: Database,
    migration: Migration,
}

/// A ledger whose trees have not been listed to the end.
#[derive(Debug)]
pub struct Undiscovered(IdleLedger);

/// A ledger whose discovery is complete.
#[derive(Debug)]
pub struct Discovered(IdleLedger);

/// A ledger whose plan may be carried out.
#[derive(Debug)]
pub struct Approved(IdleLedger);

/// A ledger whose plan has been carried out.
#[derive(Debug)]
pub struct Copied(IdleLedger);

/// How far a migration has come.
#[derive(Debug)]
pub enum Stage {
    /// There is something left to be listed.
    Undiscovered(Undiscovered),
    /// Discovery is complete.
    Discovered(Discovered),
}

/// A copy that has begun.
#[derive(Debug)]
pub struct BegunCopy {
    /// Of the plan that it carries out.
    pub approval: Approval,
    /// How files are copied.
    pub settings: CopySettings,
    /// What is to be done.
    pub remaining: CopyRemaining,
}

/// Makes a new ledger for a migration. Nothing is left behind when it fails. `now_ns` is in nanoseconds since 1970.
pub fn create(path: &Path, spec: &MigrationSpec, resources: &Resources, now_ns: i64) -> Result<Undiscovered> {
    Ok(Undiscovered(IdleLedger::of(opening::create(path, spec, resources, now_ns)?)?))
}

impl IdleLedger {
    /// Opens an existing ledger.
    pub fn open(path: &Path, log: Log, resources: &Resources) -> Result<IdleLedger> {
        IdleLedger::of(opening::open(path, log, resources)?)
    }

    /// Takes over a connection to a ledger.
    pub(crate) fn of(connection: Database) -> Result<IdleLedger> {
        let migration = Migration::read(&connection)?;
        Ok(IdleLedger { connection, migration })
    }

    /// What it is about, and its phase.
    pub fn migration(&self) -> &Migration {
        &self.migration
    }

    /// The counters of the whole.
    pub fn totals(&self) -> Result<BySide<Counters>> {
        Ok(DepthCounters::read(&self.connection)?.totals())
    }

    /// Bytes of the large files of which parts are at the destination already.
    pub fn begun_bytes(&self) -> Result<i64> {
        let sql = "SELECT coalesce(sum(size), 0)::BIGINT FROM src_nodes WHERE id IN (SELECT src_id FROM parts)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// As [`Reader::lint`](crate::Reader::lint).
    pub fn lint(&self, rules: Option<RuleSet>, under: Option<&str>) -> Result<Linted<'_>> {
        lint(&self.connection, rules, under)
    }

    /// The source folder at a printable path from the root, as it was typed; without one, the root.
    pub fn source_folder(&self, path: Option<&str>) -> Result<NodeId> {
        let (path, found) = paths::require(&self.connection, Side::Source, path.unwrap_or("/"))?;
        if found.kind == NodeKind::Folder { Ok(found.id) } else { Err(LedgerError::NotAFolder(path)) }
    }

    /// How far its migration has come.
    pub fn stage(self) -> Stage {
        if self.migration.is_discovered() {
            Stage::Discovered(Discovered(self))
        } else {
            Stage::Undiscovered(Undiscovered(self))
        }
    }

    /// Refuses a ledger whose discovery is not complete.
    pub fn discovered(self) -> Result<Discovered> {
        match self.stage() {
            Stage::Discovered(discovered) => Ok(discovered),
            Stage::Undiscovered(_) => Err(LedgerError::NotDiscovered),
        }
    }

    /// Begins a run. What a killed run left half done is dropped.
    pub(crate) fn begin(self, command: &str, now_ns: fn() -> i64) -> Result<Writer> {
        let dropped = recover(&self.connection, now_ns)?;
        if dropped > 0 {
            tracing::info!(nodes = dropped, "folders of which only a part was recorded are listed again");
        }
        Writer::begin(self.connection, command, self.migration.spec.settings, now_ns)
    }
}

impl Undiscovered {
    /// Begins a run that lists what has not been listed. `command` is what it was asked to do, `now_ns` the clock, in
    /// nanoseconds since 1970.
    pub fn discover(self, command: &str, now_ns: fn() -> i64) -> Result<(DiscoverWriter, ToList)> {
        DiscoverWriter::begin(self.0.begin(command, now_ns)?, None)
    }
}

impl Discovered {
    /// Begins a run that lists a source folder again, with everything below it and what is there on the destination, to see
    /// what has changed. An approval is revoked.
    pub fn refresh(self, folder: NodeId, now_ns: fn() -> i64) -> Result<(DiscoverWriter, ToList)> {
        let mut writer = self.begin("refresh", now_ns)?;
        let roots = format!("SELECT {folder}::BIGINT AS id");
        let (sweep, folders) = writer.change_plan(|writer| begin_sweep(writer, SweepKind::Refresh, &roots))?;
        tracing::info!(folders, "refreshing");
        DiscoverWriter::begin(writer, Some(sweep))
    }

    /// Refuses a ledger whose plan has not been approved, or is another one than was approved.
    pub fn approved(self, approving: Approving) -> Result<Approved> {
        require_approval(&self.connection, self.migration.phase, approving)?;
        Ok(Approved(self.0))
    }

    /// Refuses a ledger whose plan has not been carried out.
    pub fn copied(self) -> Result<Copied> {
        if self.migration.current_phase().is_copied() { Ok(Copied(self.0)) } else { Err(LedgerError::NotCopied) }
    }

    pub(crate) fn begin(self, command: &str, now_ns: fn() -> i64) -> Result<Writer> {
        self.0.begin(command, now_ns)
    }
}

impl Approved {
    /// Begins or resumes a copy: commits the phase `copying` with its settings, which are those of the first run where they
    /// were settled then, and the hash of the plan. A plan that is not approved yet is approved.
    pub fn copy(self, command: &str, settings: &CopySettings, now_ns: fn() -> i64) -> Result<(CopyWriter, BegunCopy)> {
        let mut writer = self.0.begin(command, now_ns)?;
        let (approval, settings) =
            writer.change_plan(|writer| Ok((note_plan(writer)?, settle_copying(writer, settings)?)))?;
        let (writer, remaining) = CopyWriter::begin(writer, &settings)?;
        Ok((writer, BegunCopy { approval, settings, remaining }))
    }
}

impl Copied {
    /// Whether all of the destination has been verified at this level, or a closer one.
    pub fn is_verified(&self, level: VerifyLevel) -> Result<bool> {
        let marks = Marks::read(&self.connection)?;
        let is_finished = self.migration.current_phase() == Phase::Complete;
        Ok(is_finished && level as i64 <= marks.verify_level)
    }

    /// Begins to verify the destination, or with `resume` continues an earlier verification at its level. Returns the level,
    /// and what is left to be verified.
    pub fn verify(
        self,
        command: &str,
        resume: bool,
        level: VerifyLevel,
        now_ns: fn() -> i64,
    ) -> Result<(VerifyWriter, VerifyLevel, VerifyRemaining)> {
        VerifyWriter::begin(self.0.begin(command, now_ns)?, resume, level)
    }
}

/// What can be read of a ledger does not depend on how far it has come.
macro_rules! read_as_idle_ledger {
    ($($stage:ident),*) => {
        $(impl Deref for $stage {
            type Target = IdleLedger;

            fn deref(&self) -> &IdleLedger {
                &self.0
            }
        })*
    };
}

read_as_idle_ledger!(Undiscovered, Discovered, Approved, Copied);
