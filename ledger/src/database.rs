//! The one connection that writes a ledger, and the ends of transactions on it.
//!
//! Whatever may make DuckDB bring its log into the file is here, so that what it rewrites there is saved before: see
//! `double_write.rs`.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

use duckdb::Connection;

use crate::double_write::DoubleWrite;
use crate::error::Result;

/// A connection that writes. It can be used like any connection, but for the ends of transactions.
#[derive(Debug)]
pub(crate) struct Database {
    /// `None` once it is being closed.
    connection: Option<Connection>,
    /// `None` in memory.
    double_write: Option<DoubleWrite>,
}

impl Database {
    /// Takes over a connection that has just been opened to the ledger at `path`.
    pub(crate) fn new(connection: Connection, path: &Path) -> Result<Database> {
        Ok(Database { connection: Some(connection), double_write: Some(DoubleWrite::of(path)?) })
    }

    /// Commits the transaction that is open.
    pub(crate) fn commit(&self) -> Result<()> {
        self.save()?;
        Ok(self.execute_batch("COMMIT")?)
    }

    /// Does something in a transaction of its own, and commits it. After an error nothing of it is stored.
    pub(crate) fn in_transaction<T>(&self, action: impl FnOnce() -> Result<T>) -> Result<T> {
        self.execute_batch("BEGIN")?;
        let done = action().and_then(|done| self.commit().map(|()| done));
        if done.is_err() {
            // It fails where the commit has ended the transaction already.
            let _ = self.execute_batch("ROLLBACK");
        }
        done
    }

    /// Brings the log into the file.
    pub(crate) fn checkpoint(&self) -> Result<()> {
        self.save()?;
        Ok(self.execute_batch("CHECKPOINT")?)
    }

    /// Whether a damaged log of this ledger was set aside once: what it had is not known.
    pub(crate) fn has_lost_its_log(&self) -> bool {
        self.double_write.as_ref().is_some_and(DoubleWrite::has_damaged_log)
    }

    /// Copies the file as it is to the end of `copy`, which is empty. Returns its bytes.
    pub(crate) fn copy_file(&self, copy: &File) -> io::Result<u64> {
        match &self.double_write {
            Some(double_write) => double_write.copy_ledger(copy),
            None => Err(io::Error::other("it is in memory")),
        }
    }

    /// Saves what the next checkpoint may rewrite.
    pub(crate) fn save(&self) -> Result<()> {
        self.double_write.as_ref().map_or(Ok(()), |double_write| double_write.save(self))
    }
}

impl Deref for Database {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until it is dropped")
    }
}

impl Drop for Database {
    /// Brings the log into the file where that is possible, and closes it.
    fn drop(&mut self) {
        if let Some(double_write) = &self.double_write {
            // While it is locked: the next one to open it has copies of its own there.
            if !double_write.has_log() || self.checkpoint().is_ok() {
                double_write.remove();
            }
        }
        // Closed before the descriptor that the double-write buffer has: see there.
        drop(self.connection.take());
    }
}

#[cfg(test)]
impl From<Connection> for Database {
    /// One in memory.
    fn from(connection: Connection) -> Database {
        Database { connection: Some(connection), double_write: None }
    }
}
