//! What a ledger says about itself: the migration it belongs to, and the runs that worked on it.

use duckdb::{Connection, params};
use longhaul_model::{Comparison, ConflictPolicy, Phase, VerifyLevel};
use longhaul_naming::RuleSet;

use crate::error::{LedgerError, Result};
use crate::filter::FilterSettings;

/// The version of `schema.sql`. Raised by every change of a table or view.
pub(crate) const SCHEMA_VERSION: i64 = 7;

/// What a migration is about. Fixed when the ledger is made.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MigrationSpec {
    /// Where the files are: a canonical path or a URL.
    pub source: String,
    /// Where they have to be: a canonical path or a URL.
    pub destination: String,
    /// What a resume must keep to.
    pub settings: Settings,
}

/// The choices that a migration keeps to from its first run to its last.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// When a file on the destination counts as the same.
    pub comparison: Comparison,
    /// What is done about one that does not.
    pub on_conflict: ConflictPolicy,
    /// Whether mount points below a root are recorded and not crossed.
    pub one_file_system: bool,
    /// Whether the destination can keep symbolic links.
    pub symlinks_kept: bool,
    /// Which names the destination refuses, or takes for one another.
    pub names: RuleSet,
    /// How files are copied, where that was chosen before discovery; otherwise it is when copying begins.
    pub copying: Option<CopySettings>,
    /// What is left out of the source. Not written where there is none, as in ledgers of earlier versions.
    #[serde(default, skip_serializing_if = "FilterSettings::is_empty")]
    pub filter: FilterSettings,
}

impl Settings {
    /// Those that somebody has who chooses nothing.
    pub fn new(comparison: Comparison) -> Self {
        Settings {
            comparison,
            on_conflict: ConflictPolicy::default(),
            one_file_system: false,
            symlinks_kept: true,
            names: RuleSet::default(),
            copying: None,
            filter: FilterSettings::default(),
        }
    }
}

/// How files are copied: chosen when copying begins, and kept to from then on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
pub struct CopySettings {
    /// Whether a checksum of each file is taken while it is copied.
    pub checksum: bool,
    /// Whether user and group are carried over.
    pub owner: bool,
    /// Whether extended attributes are carried over.
    pub extended: bool,
    /// Whether names of the same file stay names of the same file.
    pub hard_links: bool,
    /// Whether holes in files stay holes.
    pub holes: bool,
    /// Files from this size on, in bytes, are copied in parts.
    pub large_from: u64,
    /// When what was copied is made durable.
    ///
    /// This and what follows came later. Where it is what is usual it is not written, so that settings that somebody
    /// approved before are the same settings still.
    #[serde(default, skip_serializing_if = "CopyDurability::is_usual")]
    pub durability: CopyDurability,
    /// How closely the destination is looked at in the end, where that was chosen before anything was copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify_level: Option<VerifyLevel>,
    /// The steps in which the destination keeps modification times, in nanoseconds, as measured on it before the first
    /// file was copied; `None` where nobody could measure it, or the ledger is older than that. Not a choice, but kept to
    /// as one: a resume, and verification, compare times as the copy did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_step_ns: Option<u64>,
    /// Whether a folder that has nothing in it is kept where folders come with what is in them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub empty_folders: bool,
}

/// When what was copied is made durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum CopyDurability {
    /// The whole destination, each time before results are committed.
    #[default]
    Batch,
    /// Each file individually.
    File,
    /// Leave it to the operating system.
    None,
}

impl CopyDurability {
    /// The word used on the command line.
    const fn as_str(self) -> &'static str {
        match self {
            CopyDurability::Batch => "batch",
            CopyDurability::File => "file",
            CopyDurability::None => "none",
        }
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "that is how it is called")]
    fn is_usual(&self) -> bool {
        *self == CopyDurability::default()
    }
}

impl CopySettings {
    /// Each setting with its name, in words: `checksum: true`. Always as many, in the same order.
    pub fn in_words(&self) -> [String; 10] {
        let CopySettings {
            checksum,
            owner,
            extended,
            hard_links,
            holes,
            large_from,
            durability,
            verify_level,
            time_step_ns,
            empty_folders,
        } = self;
        [
            format!("checksum: {checksum}"),
            format!("owner: {owner}"),
            format!("extended: {extended}"),
            format!("hard links: {hard_links}"),
            format!("holes: {holes}"),
            format!("large from: {large_from}"),
            format!("durability: {}", durability.as_str()),
            format!("verify level: {}", verify_level.map_or("none", VerifyLevel::as_str)),
            format!("time step: {}", time_step_ns.map_or_else(|| "none".to_owned(), |step| format!("{step} ns"))),
            format!("empty folders: {empty_folders}"),
        ]
    }

    /// These, with what was left open in them as `later` has it.
    #[must_use]
    pub fn completed_by(self, later: CopySettings) -> CopySettings {
        CopySettings {
            verify_level: self.verify_level.or(later.verify_level),
            time_step_ns: self.time_step_ns.or(later.time_step_ns),
            ..self
        }
    }
}

impl Default for CopySettings {
    fn default() -> Self {
        CopySettings {
            checksum: true,
            owner: false,
            extended: false,
            hard_links: false,
            holes: false,
            large_from: 64 << 20,
            durability: CopyDurability::Batch,
            verify_level: None,
            time_step_ns: None,
            empty_folders: false,
        }
    }
}

/// The ledger's `migration` row.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Migration {
    /// What it is about.
    pub spec: MigrationSpec,
    /// Where it stands.
    pub phase: Phase,
    /// Why it is suspended.
    pub phase_reason: Option<String>,
    /// The phase that it was suspended in.
    pub suspended_from: Option<Phase>,
    /// How its files are copied; `None` until copying begins.
    pub copy_settings: Option<CopySettings>,
    /// When it was made, in nanoseconds since 1970.
    pub created_ns: i64,
    /// The version of the program that made it.
    pub longhaul_version: String,
}

impl Migration {
    /// Reads the row.
    pub fn read(connection: &Connection) -> Result<Migration> {
        let mut statement = connection.prepare(
            "SELECT source, destination, settings, phase::VARCHAR, phase_reason, created_ns, longhaul_version,
               suspended_from::VARCHAR, copy_settings
             FROM migration",
        )?;
        let mut rows = statement.query([])?;
        let row = rows.next()?.ok_or_else(|| LedgerError::Inconsistent("no migration row".to_owned()))?;
        let inconsistent = |what: &dyn std::fmt::Display| LedgerError::Inconsistent(format!("migration row: {what}"));
        let phase = |text: String| text.parse::<Phase>().map_err(|error| inconsistent(&error));
        let json = |error: serde_json::Error| inconsistent(&error);
        Ok(Migration {
            spec: MigrationSpec {
                source: row.get(0)?,
                destination: row.get(1)?,
                settings: serde_json::from_str(&row.get::<_, String>(2)?).map_err(json)?,
            },
            phase: phase(row.get(3)?)?,
            phase_reason: row.get(4)?,
            suspended_from: row.get::<_, Option<String>>(7)?.map(phase).transpose()?,
            copy_settings: row
                .get::<_, Option<String>>(8)?
                .map(|text| serde_json::from_str(&text))
                .transpose()
                .map_err(json)?,
            created_ns: row.get(5)?,
            longhaul_version: row.get(6)?,
        })
    }

    /// The phase that is to be gone on with: the one it is in, or was suspended in.
    pub fn current_phase(&self) -> Phase {
        match (self.phase, self.suspended_from) {
            (Phase::Suspended, Some(from)) => from,
            (phase, _) => phase,
        }
    }

    /// How files are copied, if that has been chosen.
    pub fn chosen_copy_settings(&self) -> Option<CopySettings> {
        self.copy_settings.or(self.spec.settings.copying)
    }

    /// Whether both trees have been listed.
    pub fn is_discovered(&self) -> bool {
        self.current_phase().is_after_discovery()
    }

    pub(crate) fn insert(connection: &Connection, spec: &MigrationSpec, now_ns: i64) -> Result<()> {
        let settings = serde_json::to_string(&spec.settings).expect("settings are plain data");
        connection.execute(
            &format!(
                "INSERT INTO migration
                 VALUES (?, ?, version(), ?, ?, ?, ?, '{created}', NULL, 0, 0, NULL, NULL)",
                created = Phase::Created
            ),
            params![SCHEMA_VERSION, env!("CARGO_PKG_VERSION"), spec.source, spec.destination, settings, now_ns],
        )?;
        Ok(())
    }
}

/// Moves the migration to another phase, within whatever transaction is open. A change that the design does not know
/// is refused.
pub(crate) fn set_phase(connection: &Connection, next: Phase, reason: Option<&str>) -> Result<()> {
    let current = Migration::read(connection)?.phase;
    if !current.may_become(next) {
        return Err(LedgerError::Inconsistent(format!("a migration that is {current} cannot become {next}")));
    }
    let suspended_from = (next == Phase::Suspended).then_some(current.as_str());
    connection.execute(
        "UPDATE migration SET phase = ?::phase, phase_reason = ?, suspended_from = ?::phase",
        params![next.as_str(), reason, suspended_from],
    )?;
    Ok(())
}

/// One time that a program worked on the migration.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Run {
    /// 1, 2, 3, …
    pub run: i64,
    /// What it was asked to do.
    pub command: String,
    /// Its process, on its host.
    pub pid: i64,
    /// Where it ran.
    pub host: String,
    /// Nanoseconds since 1970.
    pub started_ns: i64,
    /// Nanoseconds since 1970; `None` while it runs, and for ever if it was killed.
    pub ended_ns: Option<i64>,
    /// How it ended; `None` as above.
    pub outcome: Option<String>,
}

impl Run {
    /// Whether any run has carried out a plan, or begun to.
    pub(crate) fn has_carried_out_a_plan(connection: &Connection) -> Result<bool> {
        Ok(connection.query_row("SELECT count(*) > 0 FROM runs WHERE plan_hash IS NOT NULL", [], |row| row.get(0))?)
    }

    /// All runs, the first one first.
    pub fn read_all(connection: &Connection) -> Result<Vec<Run>> {
        let mut statement = connection.prepare(
            "SELECT run, command, pid, host, started_ns, ended_ns, outcome
             FROM runs
             ORDER BY run",
        )?;
        let runs = statement.query_map([], |row| {
            Ok(Run {
                run: row.get(0)?,
                command: row.get(1)?,
                pid: row.get(2)?,
                host: row.get(3)?,
                started_ns: row.get(4)?,
                ended_ns: row.get(5)?,
                outcome: row.get(6)?,
            })
        })?;
        Ok(runs.collect::<duckdb::Result<_>>()?)
    }

    /// Notes that a run begins; returns its number.
    pub(crate) fn begin(connection: &Connection, command: &str, now_ns: i64) -> Result<i32> {
        let run: i32 = connection.query_row("SELECT coalesce(max(run), 0) + 1 FROM runs", [], |row| row.get(0))?;
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        connection.execute(
            "INSERT INTO runs
             VALUES (?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
            params![run, command, env!("CARGO_PKG_VERSION"), host.trim(), std::process::id(), now_ns],
        )?;
        Ok(run)
    }

    /// As if it had not begun: nothing may have been recorded in it.
    pub(crate) fn forget(connection: &Connection, run: i32) -> Result<()> {
        connection.execute("DELETE FROM runs WHERE run = ?", params![run])?;
        Ok(())
    }

    pub(crate) fn end(connection: &Connection, run: i32, outcome: &str, now_ns: i64) -> Result<()> {
        connection.execute("UPDATE runs SET ended_ns = ?, outcome = ? WHERE run = ?", params![now_ns, outcome, run])?;
        Ok(())
    }
}
