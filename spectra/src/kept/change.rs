//! Changes, and what each does to the tables, wherever these are.

use super::keys;
use super::record::{Content, Record};
use crate::names::Rank;
use crate::path::NodePath;

/// Length of all chunks but the last. With what the database adds, a chunk fits its allocation of 64 KiB.
pub(crate) const CHUNK_BYTES: usize = 60 * 1024;

/// One change; several are made together or not at all.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// Keeps a record for a path in place of the one there was.
    Put(NodePath<'a>, Record),
    /// Keeps nothing for a path any more.
    Forget(NodePath<'a>),
    /// Keeps nothing for a path any more but its contents, which another record takes.
    Detach(NodePath<'a>),
    /// Keeps nothing for all that is below a path any more.
    ForgetBelow(NodePath<'a>),
    /// Moves all records below the first path to below the second.
    MoveBelow(NodePath<'a>, NodePath<'a>),
    /// Stores chunks of the content with this number, from the chunk with that number on.
    Chunks(u64, u64, &'a [u8]),
    /// Marks a content as belonging to no record yet.
    Stage(u64),
    /// Marks it as belonging to a record now.
    Unstage(u64),
    /// Drops a content's chunks.
    DropContent(u64),
}

/// Tables that can be changed.
pub(super) trait Tables {
    type Error;

    /// Stores a record, and gives the one there was.
    fn insert(&mut self, key: &[u8], record: Record) -> Result<Option<Record>, Self::Error>;

    /// Removes a record, and gives it.
    fn remove(&mut self, key: &[u8]) -> Result<Option<Record>, Self::Error>;

    /// Keys of all records from the first key on and before the second.
    fn keys_between(&mut self, start: &[u8], end: &[u8]) -> Result<Vec<Vec<u8>>, Self::Error>;

    /// Stores one chunk of a content.
    fn insert_chunk(&mut self, content: u64, number: u64, chunk: &[u8]) -> Result<(), Self::Error>;

    /// Removes all chunks of a content.
    fn remove_chunks(&mut self, content: u64) -> Result<(), Self::Error>;

    /// Marks a content as belonging to no record, or takes the mark away.
    fn set_staged(&mut self, content: u64, staged: bool) -> Result<(), Self::Error>;
}

/// Makes one change. Marks of folders that may have got their first record are added to `new_marks`.
pub(super) fn make<T: Tables>(
    change: &Change<'_>,
    world: u8,
    tables: &mut T,
    new_marks: &mut Vec<u64>,
) -> Result<(), T::Error> {
    match *change {
        Change::Put(path, record) => {
            let (folder, name) = path.split_last().expect("the root has no record");
            let old = tables.insert(&keys::record_key(world, folder, Rank::of(name)), record)?;
            if content_number(old) != content_number(Some(record)) {
                drop_content_of(tables, old)?;
            }
            new_marks.push(keys::folder_mark(world, folder.as_prefix()));
            Ok(())
        }
        Change::Forget(path) => {
            let old = remove(tables, world, path)?;
            drop_content_of(tables, old)
        }
        Change::Detach(path) => remove(tables, world, path).map(|_| ()),
        Change::ForgetBelow(path) => {
            for key in keys_below(tables, world, path)? {
                let old = tables.remove(&key)?;
                drop_content_of(tables, old)?;
            }
            Ok(())
        }
        Change::MoveBelow(from, to) => {
            for key in keys_below(tables, world, from)? {
                let Some(record) = tables.remove(&key)? else { continue };
                let moved = [&[world], to.as_prefix(), &key[1 + from.as_prefix().len()..]].concat();
                tables.insert(&moved, record)?;
                new_marks.extend(keys::folder_of(&moved).map(|(world, folder)| keys::folder_mark(world, folder)));
            }
            Ok(())
        }
        Change::Chunks(content, first, bytes) => {
            for (number, chunk) in (first..).zip(bytes.chunks(CHUNK_BYTES)) {
                tables.insert_chunk(content, number, chunk)?;
            }
            Ok(())
        }
        Change::Stage(content) => tables.set_staged(content, true),
        Change::Unstage(content) => tables.set_staged(content, false),
        Change::DropContent(content) => tables.remove_chunks(content),
    }
}

fn remove<T: Tables>(tables: &mut T, world: u8, path: NodePath<'_>) -> Result<Option<Record>, T::Error> {
    let Some((folder, name)) = path.split_last() else { return Ok(None) };
    tables.remove(&keys::record_key(world, folder, Rank::of(name)))
}

fn keys_below<T: Tables>(tables: &mut T, world: u8, folder: NodePath<'_>) -> Result<Vec<Vec<u8>>, T::Error> {
    let mut found = Vec::new();
    for prefix in [keys::folder_key(world, folder), keys::descendants_key(world, folder)] {
        found.extend(tables.keys_between(&prefix, &keys::end_of(&prefix))?);
    }
    Ok(found)
}

fn content_number(record: Option<Record>) -> Option<u64> {
    match record {
        Some(Record::File { content: Content::Stored(number), .. }) => Some(number),
        _ => None,
    }
}

fn drop_content_of<T: Tables>(tables: &mut T, record: Option<Record>) -> Result<(), T::Error> {
    content_number(record).map_or(Ok(()), |number| tables.remove_chunks(number))
}
