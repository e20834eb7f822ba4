//! Making and opening the DuckDB file: settings that must be there before the log is replayed, and what each way of
//! failing means.

use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use duckdb::{AccessMode, Config, Connection};

use crate::beside::{log_of, remove_socket, remove_unfinished, unfinished_suffix, with_suffix};
use crate::database::Database;
use crate::double_write::{PutBack, put_back_torn};
use crate::error::{LedgerError, Result, first_line, is_damage};
use crate::migration::{Migration, MigrationSpec, SCHEMA_VERSION};
use crate::sql::schema;

/// What DuckDB may take of the machine while a migration runs.
#[derive(Clone, Debug)]
pub struct Resources {
    /// Memory for its buffers, in MiB. What does not fit goes to a temporary folder beside the ledger.
    pub memory_mib: u32,
    /// Threads, which it takes from the workers.
    pub threads: u16,
}

/// Whether the log of a ledger has been looked at before it is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// [`probe`](crate::probe) found that it can be replayed and is the ledger's own.
    Probed,
    /// It has not been probed: whether it is the ledger's own is checked first, which replays it once more.
    Unknown,
}

impl Default for Resources {
    fn default() -> Self {
        Resources { memory_mib: 64, threads: 1 }
    }
}

/// The log is brought into the file at the latest when it has grown to this, even between our own checkpoints.
const LOG_MAX_MIB: u32 = 48;

/// Every column of every table takes at least one block, so that DuckDB's usual 256 KiB make 4.5 MB of an empty ledger.
/// Smaller ones cost no time; with 16 KiB columns no longer fit into one and the file grows again.
const BLOCK_BYTES: u32 = 64 << 10;

/// Makes a new ledger: all of it, or nothing is left behind.
///
/// The file is made under another name, filled, closed, and then takes its name, which must be free. All of that is
/// done by one instance of DuckDB, to which the file is attached: an instance takes 30 ms to come up.
pub(crate) fn create(path: &Path, spec: &MigrationSpec, resources: &Resources, now_ns: i64) -> Result<Database> {
    if path.symlink_metadata().is_ok() || log_of(path).symlink_metadata().is_ok() {
        return Err(LedgerError::Exists(path.to_owned()));
    }
    as_file(path)?;
    remove_unfinished(path);
    let unfinished = with_suffix(path, &unfinished_suffix());
    // A program that was killed, and had our process number, may have left one.
    remove_database(&unfinished);
    // DuckDB's own message for this buries the reason.
    File::create_new(&unfinished)
        .and_then(|_| std::fs::remove_file(&unfinished))
        .map_err(|error| not_writable(path, &error))?;
    let connection = Connection::open_in_memory_with_flags(writing(path, resources)?)?;
    let made = fill(&connection, &unfinished, spec, now_ns).and_then(|()| take_name(&unfinished, path));
    remove_database(&unfinished);
    made.map_err(|error| not_made(path, error))?;
    attach(&connection, path)?;
    // As for one that is opened: see `confined`.
    connection.execute_batch("SET enable_external_access = false")?;
    Database::new(connection, path)
}

fn fill(connection: &Connection, unfinished: &Path, spec: &MigrationSpec, now_ns: i64) -> Result<()> {
    attach(connection, unfinished)?;
    connection.execute_batch("BEGIN")?;
    connection.execute_batch(&schema())?;
    Migration::insert(connection, spec, now_ns)?;
    connection.execute_batch("COMMIT")?;
    // No statement that changes the schema may ever have to be replayed from a log.
    connection.execute_batch("CHECKPOINT")?;
    Ok(connection.execute_batch("USE memory; DETACH ledger")?)
}

/// Returns the absolute path, so that DuckDB does not interpret prefixes such as `md:`, `s3:` or `~`.
///
/// A path with `?` is refused: DuckDB puts the log of `a?b` at `a.wal?b`, and cannot create one in a folder with such a name.
fn as_file(path: &Path) -> Result<PathBuf> {
    let refused = |reason: String| LedgerError::NotWritable { path: path.to_owned(), reason };
    let absolute = std::path::absolute(path).map_err(|error| refused(error.to_string()))?;
    if absolute.as_os_str().as_encoded_bytes().contains(&b'?') {
        return Err(refused("DuckDB, which keeps it, takes no path with a question mark".to_owned()));
    }
    Ok(absolute)
}

/// Opens the database at `path` in an instance that has no other, as what unqualified names refer to.
fn attach(connection: &Connection, path: &Path) -> Result<()> {
    let quoted = as_file(path)?.display().to_string().replace('\'', "''");
    connection
        .execute_batch(&format!("ATTACH '{quoted}' AS ledger (BLOCK_SIZE {BLOCK_BYTES}); USE ledger"))
        .map_err(|error| explain_opening(path, &error.to_string()))
}

/// What DuckDB says of a file that it cannot write is about the file's other name, which nobody has typed.
fn not_made(path: &Path, error: LedgerError) -> LedgerError {
    match error {
        LedgerError::Database(reason) | LedgerError::Damaged { reason, .. } => {
            LedgerError::NotWritable { path: path.to_owned(), reason: first_line(&reason).to_owned() }
        }
        other => other,
    }
}

/// Gives a complete database its name, which must be free.
pub(crate) fn take_name(unfinished: &Path, path: &Path) -> Result<()> {
    // A hard link, unlike a rename, never replaces.
    std::fs::hard_link(unfinished, path).or_else(|error| match error.kind() {
        ErrorKind::AlreadyExists => Err(LedgerError::Exists(path.to_owned())),
        // Some file systems have no hard links. That nothing is there was looked at a moment ago.
        _ => std::fs::rename(unfinished, path).map_err(|error| not_writable(path, &error)),
    })
}

/// Removes a database that is of no use to anybody. Where that fails, its name is in nobody's way.
fn remove_database(path: &Path) {
    let _ = std::fs::remove_file(path);
    let _ = std::fs::remove_file(log_of(path));
}

/// Opens an existing ledger for its one writer.
pub(crate) fn open(path: &Path, log: Log, resources: &Resources) -> Result<Database> {
    if log == Log::Unknown && log_of(path).exists() {
        // An instance that writes brings the log into the file when it is closed, whatever we say of it. One that reads
        // does not.
        drop(open_read_only(path)?);
    }
    let connection = open_with(path, confined(writing(path, resources)?)?)?;
    remove_unfinished(path);
    remove_socket(path);
    Database::new(connection, path)
}

/// Opens an existing ledger for reading only. It must not be in use by a writer.
pub(crate) fn open_read_only(path: &Path) -> Result<Connection> {
    open_read_only_with(path, None)
}

/// As [`open_read_only`]; what does not fit into memory goes to this folder, or to one beside the ledger.
pub(crate) fn open_read_only_with(path: &Path, temp_directory: Option<&str>) -> Result<Connection> {
    let mut config = Config::default().access_mode(AccessMode::ReadOnly)?.enable_autoload_extension(false)?;
    if let Some(folder) = temp_directory {
        config = config.with("temp_directory", folder)?;
    }
    open_with(path, confined(config)?).map_err(|error| match error {
        LedgerError::NotWritable { path, reason } => LedgerError::NotReadable { path, reason },
        other => other,
    })
}

fn open_with(path: &Path, config: Config) -> Result<Connection> {
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(LedgerError::Missing(path.to_owned())),
        Err(error) => return Err(not_writable(path, &error)),
        // DuckDB would make a new database of an empty file.
        Ok(found) if found.len() == 0 || !found.is_file() => {
            return Err(LedgerError::NotALedger {
                path: path.to_owned(),
                reason: if found.is_file() { "it is empty" } else { "it is not a file" }.to_owned(),
            });
        }
        Ok(_) => {}
    }
    if let Some(PutBack { torn, .. }) = put_back_torn(path)? {
        tracing::warn!(blocks = torn, "the ledger was torn in the middle of a checkpoint, and is as it was before it");
    }
    let connection = Connection::open_with_flags(as_file(path)?, config)
        .map_err(|error| explain_opening(path, &error.to_string()))?;
    check_version(path, &connection)?;
    check_log_was_its_own(path, &connection).map_err(|error| match error {
        LedgerError::Database(reason) if is_damage(&reason) => {
            LedgerError::Damaged { path: path.to_owned(), reason: first_line(&reason).to_owned() }
        }
        other => other,
    })?;
    Ok(connection)
}

/// DuckDB replays any log that fits the tables. Every commit writes when the ledger was made, to the nanosecond, and so
/// does every log.
fn check_log_was_its_own(path: &Path, connection: &Connection) -> Result<()> {
    let others: i64 = connection.query_row(
        "SELECT count(*)
         FROM stats
         WHERE name = 'created_ns' AND value <> (SELECT created_ns FROM migration)",
        [],
        |row| row.get(0),
    )?;
    if others > 0 {
        let reason = "its log is that of another ledger".to_owned();
        return Err(LedgerError::Damaged { path: path.to_owned(), reason });
    }
    Ok(())
}

/// A ledger may come from somebody else, and its views may say anything: no file but its own is read or written. What names
/// a file is set before.
fn confined(config: Config) -> Result<Config> {
    Ok(config.enable_external_access(false)?)
}

fn writing(path: &Path, resources: &Resources) -> Result<Config> {
    Ok(Config::default()
        .max_memory(&format!("{}MiB", resources.memory_mib))?
        .threads(i64::from(resources.threads))?
        .enable_autoload_extension(false)?
        .with("temp_directory", with_suffix(path, ".tmp").display().to_string())?
        .with("checkpoint_threshold", format!("{LOG_MAX_MIB}MiB"))?)
}

fn explain_opening(path: &Path, message: &str) -> LedgerError {
    let path = path.to_owned();
    if message.contains("Could not set lock") {
        let holder = message
            .split_once("Conflicting lock is held in ")
            .and_then(|(_, rest)| rest.split_once(')'))
            .map_or_else(String::new, |(holder, _)| format!(": {holder})"));
        LedgerError::InUse { path, holder }
    } else if message.contains("Permission denied") || message.contains("Read-only file system") {
        LedgerError::NotWritable { path, reason: first_line(message).to_owned() }
    } else if message.contains("No space left on device") {
        LedgerError::DiskFull(first_line(message).to_owned())
    } else if message.contains("not a valid DuckDB database file") {
        LedgerError::NotALedger { path, reason: "it is not a DuckDB file".to_owned() }
    } else if message.contains("version number") {
        LedgerError::NotALedger { path, reason: first_line(message).to_owned() }
    } else {
        LedgerError::Damaged { path, reason: first_line(message).to_owned() }
    }
}

fn check_version(path: &Path, connection: &Connection) -> Result<()> {
    let not_a_ledger =
        |reason: String| LedgerError::NotALedger { path: path.to_owned(), reason: first_line(&reason).to_owned() };
    let (found, made_by): (i64, String) = connection
        .query_row("SELECT schema_version, longhaul_version FROM migration", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .map_err(|error| {
            let reason = first_line(&error.to_string()).to_owned();
            if is_damage(&reason) {
                LedgerError::Damaged { path: path.to_owned(), reason }
            } else {
                not_a_ledger("it is a DuckDB file without a migration in it".to_owned())
            }
        })?;
    match found {
        SCHEMA_VERSION => Ok(()),
        newer if newer > SCHEMA_VERSION => {
            Err(LedgerError::TooNew { path: path.to_owned(), made_by, found: newer, known: SCHEMA_VERSION })
        }
        older => Err(not_a_ledger(format!("its schema version {older} was never released"))),
    }
}

pub(crate) fn not_writable(path: &Path, error: &std::io::Error) -> LedgerError {
    match error.kind() {
        ErrorKind::StorageFull => LedgerError::DiskFull(format!("{}: {error}", path.display())),
        _ => LedgerError::NotWritable { path: path.to_owned(), reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests;
