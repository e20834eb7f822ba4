//! What persistent mode keeps, in a redb database.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use redb::{
    Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, ReadableTable, Table, TableDefinition,
    TableError, WriteTransaction,
};
use serde_json::Value;

use super::change::{Change, Tables, make};
use super::disk::{DiskFlusher, UnhurriedFile};
use super::fingerprint::{fingerprint, first_difference};
use super::record::Record;
use crate::config::Config;
use crate::error::SpectraError;

type Bytes = &'static [u8];

/// Key of a record (see `keys`) to the record.
const RECORDS: TableDefinition<'_, Bytes, Bytes> = TableDefinition::new("records");
/// Number of a content and of its chunk to the chunk.
const CHUNKS: TableDefinition<'_, (u64, u64), Bytes> = TableDefinition::new("chunks");
/// Numbers of contents that are being written and belong to no record yet.
const STAGED: TableDefinition<'_, u64, ()> = TableDefinition::new("staged");
/// `format` and `fingerprint`.
const ABOUT: TableDefinition<'_, &str, &str> = TableDefinition::new("about");

const FORMAT: &str = "longhaul-spectra 1";

const CACHE_BYTES: usize = 64 << 20;

/// An open database.
#[derive(Debug)]
pub(super) struct Disk {
    database: Database,
    flusher: DiskFlusher,
    latest: Mutex<Latest>,
}

/// The state after the last commit. Opening it takes longer than a look-up in it, so it is kept from one reader to
/// the next.
#[derive(Default)]
struct Latest {
    snapshot: Option<Arc<Snapshot>>,
    /// Number of commits, so that a snapshot taken before one is not kept after it.
    commits: u64,
}

/// A record as it was found; `None` for bytes that are none.
pub(super) type Stored = Option<Record>;

/// The tables as they were at some moment.
pub(super) struct Snapshot {
    records: ReadOnlyTable<Bytes, Bytes>,
    chunks: ReadOnlyTable<(u64, u64), Bytes>,
}

impl std::fmt::Debug for Latest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Latest").field("commits", &self.commits).finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens or creates the database. Gives the key of each record to `mark`, and back the first number for new contents.
    pub(super) fn open(config: &Config, mark: impl FnMut(&[u8])) -> Result<(Self, u64), SpectraError> {
        let path = &config.seed.db_path;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| no_database(path, &error))?;
        let (file, flusher) = UnhurriedFile::new(file).map_err(|error| no_database(path, &error))?;
        let opened = Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(file);
        let database = opened.map_err(|error| match error {
            DatabaseError::DatabaseAlreadyOpen => SpectraError::InUse { database: path.clone() },
            error => no_database(path, &error),
        })?;
        let transaction = database.begin_write().map_err(|error| no_database(path, &error))?;
        check_origin(&transaction, config, path)?;
        let next_content = prepare(&transaction, mark).map_err(|error| no_database(path, &error))?;
        transaction.commit().map_err(|error| no_database(path, &error))?;
        Ok((Self { database, flusher, latest: Mutex::default() }, next_content))
    }

    /// Makes all changes in one transaction. `before_seen` gets the marks of folders that may have got their first
    /// record, before anybody can see these.
    pub(super) fn apply(
        &self,
        world: u8,
        changes: &[Change<'_>],
        before_seen: impl FnOnce(Vec<u64>),
    ) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        let mut new_marks = Vec::new();
        {
            let mut tables = DiskTables {
                records: transaction.open_table(RECORDS)?,
                chunks: transaction.open_table(CHUNKS)?,
                transaction: &transaction,
            };
            for change in changes {
                make(change, world, &mut tables, &mut new_marks)?;
            }
        }
        before_seen(new_marks);
        // A snapshot that is held keeps the database from using its pages again.
        self.latest.lock().snapshot = None;
        let committed = transaction.commit();
        let mut latest = self.latest.lock();
        latest.commits += 1;
        latest.snapshot = None;
        drop(latest);
        Ok(committed?)
    }

    /// The state after the last commit.
    pub(super) fn snapshot(&self) -> Result<Arc<Snapshot>, redb::Error> {
        let commits = {
            let latest = self.latest.lock();
            if let Some(snapshot) = &latest.snapshot {
                return Ok(Arc::clone(snapshot));
            }
            latest.commits
        };
        let transaction = self.database.begin_read()?;
        let records = transaction.open_table(RECORDS)?;
        let snapshot = Arc::new(Snapshot { records, chunks: transaction.open_table(CHUNKS)? });
        let mut latest = self.latest.lock();
        if latest.commits == commits {
            latest.snapshot = Some(Arc::clone(&snapshot));
        }
        Ok(snapshot)
    }

    /// Waits until all that was committed is on the disk.
    pub(super) fn flush(&self) -> std::io::Result<()> {
        self.flusher.flush()
    }
}

impl Snapshot {
    /// The record of a key; `None` where there is none.
    pub(super) fn record(&self, key: &[u8]) -> Result<Option<Stored>, redb::Error> {
        Ok(self.records.get(key)?.map(|record| Record::from_bytes(record.value())))
    }

    /// Up to `limit` records from the first key on and before the second.
    pub(super) fn records_between(
        &self,
        start: &[u8],
        end: &[u8],
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Stored)>, redb::Error> {
        let mut found = Vec::new();
        for entry in self.records.range(start..end)?.take(limit) {
            let (key, record) = entry?;
            found.push((key.value().to_vec(), Record::from_bytes(record.value())));
        }
        Ok(found)
    }

    /// Gives a chunk to `look`; `None` where there is none.
    pub(super) fn chunk<T>(
        &self,
        content: u64,
        number: u64,
        look: impl FnOnce(&[u8]) -> T,
    ) -> Result<Option<T>, redb::Error> {
        Ok(self.chunks.get((content, number))?.map(|chunk| look(chunk.value())))
    }
}

struct DiskTables<'a> {
    records: Table<'a, Bytes, Bytes>,
    chunks: Table<'a, (u64, u64), Bytes>,
    transaction: &'a WriteTransaction,
}

impl Tables for DiskTables<'_> {
    type Error = redb::Error;

    fn insert(&mut self, key: &[u8], record: Record) -> Result<Option<Record>, redb::Error> {
        Ok(self.records.insert(key, &*record.to_bytes())?.and_then(|old| Record::from_bytes(old.value())))
    }

    fn remove(&mut self, key: &[u8]) -> Result<Option<Record>, redb::Error> {
        Ok(self.records.remove(key)?.and_then(|old| Record::from_bytes(old.value())))
    }

    fn keys_between(&mut self, start: &[u8], end: &[u8]) -> Result<Vec<Vec<u8>>, redb::Error> {
        let mut keys = Vec::new();
        for entry in self.records.range(start..end)? {
            keys.push(entry?.0.value().to_vec());
        }
        Ok(keys)
    }

    fn insert_chunk(&mut self, content: u64, number: u64, chunk: &[u8]) -> Result<(), redb::Error> {
        self.chunks.insert((content, number), chunk)?;
        Ok(())
    }

    fn remove_chunks(&mut self, content: u64) -> Result<(), redb::Error> {
        Ok(self.chunks.retain_in((content, 0)..=(content, u64::MAX), |_, _| false)?)
    }

    fn set_staged(&mut self, content: u64, staged: bool) -> Result<(), redb::Error> {
        let mut table = self.transaction.open_table(STAGED)?;
        if staged {
            table.insert(content, ())?;
        } else {
            table.remove(content)?;
        }
        Ok(())
    }
}

/// Creates tables, and drops what a process that was killed left half written.
fn prepare(transaction: &WriteTransaction, mut mark: impl FnMut(&[u8])) -> Result<u64, redb::Error> {
    let mut chunks = transaction.open_table(CHUNKS)?;
    let mut staged = transaction.open_table(STAGED)?;
    while let Some(content) = staged.pop_first()?.map(|(content, _)| content.value()) {
        chunks.retain_in((content, 0)..=(content, u64::MAX), |_, _| false)?;
    }
    for entry in transaction.open_table(RECORDS)?.iter()? {
        mark(entry?.0.value());
    }
    let highest = chunks.last()?.map_or(0, |(key, _)| key.value().0);
    Ok(highest + 1)
}

/// Makes a new database this configuration's, and refuses one that is another's.
fn check_origin(transaction: &WriteTransaction, config: &Config, path: &Path) -> Result<(), SpectraError> {
    let problem = |error: redb::Error| no_database(path, &error);
    let configured = fingerprint(config);
    let mut about = transaction.open_table(ABOUT).map_err(|error| match error {
        TableError::TableTypeMismatch { .. } | TableError::TypeDefinitionChanged { .. } => foreign(path),
        error => problem(error.into()),
    })?;
    let get = |name: &str| -> Result<Option<String>, SpectraError> {
        let found = about.get(name).map_err(|error| problem(error.into()))?;
        Ok(found.map(|text| text.value().to_owned()))
    };
    if let Some(format) = get("format")? {
        if format != FORMAT {
            return Err(foreign(path));
        }
        let stored: BTreeMap<String, Value> =
            get("fingerprint")?.and_then(|text| serde_json::from_str(&text).ok()).ok_or_else(|| foreign(path))?;
        return match first_difference(&stored, &configured) {
            None => Ok(()),
            Some((field, stored, configured)) => Err(SpectraError::OtherTree {
                database: path.to_owned(),
                field,
                stored: stored.to_string(),
                configured: configured.to_string(),
            }),
        };
    }
    let text = serde_json::to_string(&configured).expect("names and numbers can be written as JSON");
    for (name, value) in [("format", FORMAT), ("fingerprint", &text)] {
        about.insert(name, value).map_err(|error| problem(error.into()))?;
    }
    Ok(())
}

fn no_database(path: &Path, reason: &dyn std::fmt::Display) -> SpectraError {
    SpectraError::Database { database: path.to_owned(), reason: reason.to_string() }
}

fn foreign(path: &Path) -> SpectraError {
    no_database(path, &"it is not a database of this simulator, or of another version")
}
