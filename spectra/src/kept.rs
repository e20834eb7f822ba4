//! What was written into worlds: records that override the generated tree, and contents that are not generated.
//!
//! Persistent mode keeps them in a redb database, ephemeral mode in memory, under the same keys and by the same rules.
//!
//! A file whose contents are a generated stream is kept as the stream's key, whatever its path: a migration writes
//! little else, and a million such files cost a few dozen bytes each instead of their size.

mod change;
mod database;
mod disk;
mod fingerprint;
mod keys;
mod memory;
mod record;
mod store;

pub(crate) use change::{CHUNK_BYTES, Change};
pub(crate) use record::{Content, Record};
pub(crate) use store::{Children, KeptStore, Reader};
