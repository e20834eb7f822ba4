//! Rescues the review choices of a ledger with unreadable blocks into a new ledger.
//!
//! DuckDB detects a corrupt block when it reads it: the rows in it are lost, and the other tables are inconsistent without
//! them. Both trees can be listed again. The locations, settings, exclusions, decisions and accepted names cannot be found
//! out again, so the readable ones go into a new ledger. Its discovery starts over, and if anything was copied before, it
//! adopts the copies on the destination (see [`Comparison::adopts`](longhaul_model::Comparison::adopts)). The damaged
//! ledger is kept.
//!
//! DuckDB may abort the process over a damaged file: call these functions in a separate process.

use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};

use duckdb::{Connection, Row, params};
use hashbrown::HashMap;
use longhaul_model::Comparison;

use crate::beside::{damaged_suffix, flush_folder_of, log_of, remove_unfinished, with_suffix};
use crate::double_write::copies_of;
use crate::error::{LedgerError, Result, is_damage};
use crate::migration::{Migration, MigrationSpec, Run, Settings};
use crate::opening::{self, Resources, not_writable};
use crate::sql;
use crate::words::ExclusionOrigin;

/// Rows that DuckDB keeps together: none of them can be read where one cannot.
const ROWS_TOGETHER: u16 = 2_048;

/// Nodes whose paths are looked up in one statement.
const PATHS_TOGETHER: usize = 1_024;

/// The review choices that a new ledger received from a damaged one.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Rescued {
    /// Nodes that were excluded by hand.
    pub exclusions: u64,
    /// Conflicts that were decided.
    pub decisions: u64,
    /// Names that were accepted.
    pub names: u64,
    /// Rows of these tables that cannot be read, or whose path cannot be read.
    pub lost: u64,
    /// Tables of which not even the number of rows can be read.
    pub tables_lost: Vec<String>,
}

/// Returns the tables of a ledger that have damaged blocks. The ledger must not be open for writing. An error that may pass is
/// an error: a sound ledger must not be taken for a damaged one.
pub fn unreadable_tables(path: &Path) -> Result<Vec<String>> {
    let connection = opening::open_read_only(path)?;
    let tables = connection
        .prepare("SELECT table_name FROM duckdb_tables() WHERE NOT internal AND NOT temporary ORDER BY ALL")?
        .query_map([], |row| row.get(0))?
        .collect::<duckdb::Result<Vec<String>>>()?;
    let mut unreadable = Vec::new();
    for table in tables {
        let all = format!("SELECT bit_xor(hash(t))::VARCHAR FROM \"{}\" t", table.replace('"', "\"\""));
        match connection.query_row(&all, [], |row| row.get::<_, Option<String>>(0)) {
            Ok(_) => {}
            Err(error) if is_damage(&error.to_string()) => unreadable.push(table),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(unreadable)
}

/// Creates a new ledger at `new` with the readable review choices of the damaged one at `path`. `None` if its `migration`
/// row cannot be read. `now_ns` is in nanoseconds since 1970.
pub fn rescue(path: &Path, new: &Path, now_ns: i64) -> Result<Option<Rescued>> {
    remove_unfinished(path);
    let damaged = match opening::open_read_only(path) {
        Err(LedgerError::Damaged { .. } | LedgerError::NotALedger { .. }) => return Ok(None),
        opened => opened?,
    };
    let Ok(migration) = Migration::read(&damaged) else { return Ok(None) };
    let mut rescued = Rescued::default();
    let said = read_said(&damaged, &mut rescued);
    let copying = migration.chosen_copy_settings();
    let MigrationSpec { source, destination, settings } = migration.spec;
    // Before anything was copied, all that the destination has is its own.
    let adopts = Run::has_carried_out_a_plan(&damaged).unwrap_or(true);
    let comparison = Comparison { adopts, ..settings.comparison };
    let spec = MigrationSpec { source, destination, settings: Settings { comparison, copying, ..settings } };
    let ledger = opening::create(new, &spec, &Resources::default(), now_ns)?;
    ledger.in_transaction(|| {
        let mut insert = ledger.prepare("INSERT INTO carried_over VALUES (?, ?, ?::plan_action, ?, ?)")?;
        for Said { path, what } in said {
            match what {
                What::Excluded { reason } => {
                    rescued.exclusions += 1;
                    insert.execute(params![path, reason, None::<String>, None::<String>, None::<String>])?;
                }
                What::Decided { action } => {
                    rescued.decisions += 1;
                    insert.execute(params![path, None::<String>, action, None::<String>, None::<String>])?;
                }
                What::Renamed { name, rule } => {
                    rescued.names += 1;
                    insert.execute(params![path, None::<String>, None::<String>, name, rule])?;
                }
            }
        }
        Ok(())
    })?;
    ledger.checkpoint()?;
    Ok(Some(rescued))
}

/// Lets a new ledger take the place of a damaged one, which is kept under another name with its log; returns that.
///
/// At each moment there is a ledger, and the log beside it is its own or can be told from it.
pub fn take_its_place(new: &Path, path: &Path) -> Result<PathBuf> {
    let aside = (1..=u32::MAX)
        .map(|number| with_suffix(path, &damaged_suffix(number)))
        .find(|name| name.symlink_metadata().is_err())
        .expect("there are fewer than 2^32 damaged ledgers");
    let take = || -> std::io::Result<()> {
        let log = log_of(path);
        if log.exists() {
            std::fs::copy(&log, log_of(&aside))?;
        }
        std::fs::hard_link(path, &aside).or_else(|_| std::fs::copy(path, &aside).map(drop))?;
        remove_if_there(&copies_of(path))?;
        std::fs::rename(new, path)?;
        flush_folder_of(path)?;
        remove_if_there(&log)
    };
    take().map_err(|error| not_writable(path, &error))?;
    Ok(aside)
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    std::fs::remove_file(path).or_else(|error| if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

/// A review choice about the node at a path.
struct Said {
    path: String,
    what: What,
}

/// Reads it from a row, behind the id of the node.
type ReadWhat = fn(&Row<'_>) -> duckdb::Result<What>;

enum What {
    Excluded { reason: String },
    Decided { action: String },
    Renamed { name: String, rule: String },
}

/// Returns every readable review choice. Counts the unreadable ones in `rescued`.
fn read_said(damaged: &Connection, rescued: &mut Rescued) -> Vec<Said> {
    let by_people = format!("origin = '{}'", ExclusionOrigin::Person.as_str());
    let tables: [(&str, &str, &str, ReadWhat); 3] = [
        ("exclusions", "node_id, reason", &by_people, |row| Ok(What::Excluded { reason: row.get(1)? })),
        ("decisions", "src_id, action::VARCHAR", "true", |row| Ok(What::Decided { action: row.get(1)? })),
        ("renames", "src_id, name, rule", "true", |row| Ok(What::Renamed { name: row.get(1)?, rule: row.get(2)? })),
    ];
    let mut about = Vec::new();
    for (table, columns, condition, what) in tables {
        // How many there are is not in the blocks of the rows.
        let Ok(rows) = damaged.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)) else {
            rescued.tables_lost.push(table.to_owned());
            continue;
        };
        for Range { start, end } in stretches(rows) {
            let read = || -> duckdb::Result<Vec<_>> {
                let wanted = format!("rowid >= {start} AND rowid < {end} AND {condition}");
                let mut statement = damaged.prepare(&format!("SELECT {columns} FROM {table} WHERE {wanted}"))?;
                statement.query_map([], |row| Ok((row.get::<_, i64>(0)?, what(row)?)))?.collect()
            };
            match read() {
                Ok(read) => about.extend(read),
                Err(_) => rescued.lost += (end - start).unsigned_abs(),
            }
        }
    }
    let mut ids: Vec<i64> = about.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut paths = HashMap::new();
    for ids in ids.chunks(PATHS_TOGETHER) {
        read_paths(damaged, ids, &mut paths);
    }
    let mut said = Vec::with_capacity(about.len());
    for (id, what) in about {
        match paths.get(&id) {
            Some(path) => said.push(Said { path: path.clone(), what }),
            None => rescued.lost += 1,
        }
    }
    said
}

/// The rows of a table that can be read or not together.
fn stretches(rows: i64) -> impl Iterator<Item = Range<i64>> {
    let starts = (0..rows.max(0)).step_by(usize::from(ROWS_TOGETHER));
    starts.map(move |start| start..rows.min(start + i64::from(ROWS_TOGETHER)))
}

/// Reads the paths of these nodes, halving what cannot be read until it is clear which it is.
fn read_paths(damaged: &Connection, ids: &[i64], paths: &mut HashMap<i64, String>) {
    let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let read = || -> duckdb::Result<Vec<(i64, String)>> {
        damaged
            .prepare(&format!(
                "SELECT n.id, {path}
                 FROM (FROM src_nodes WHERE id IN ({list})) n
                 JOIN src_folders f ON f.id = n.parent_id",
                path = sql::path("n", "f")
            ))?
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect()
    };
    match read() {
        Ok(read) => paths.extend(read),
        Err(_) if ids.len() > 1 => {
            let (first, second) = ids.split_at(ids.len() / 2);
            read_paths(damaged, first, paths);
            read_paths(damaged, second, paths);
        }
        Err(_) => {}
    }
}
