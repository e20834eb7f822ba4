//! Writing a file, whole or not at all, of any size.

use std::time::Duration;

use super::World;
use super::changes::already_exists;
use super::node::Node;
use crate::content::{BLOCK_BYTES, ContentKey};
use crate::fault::{Fault, FaultClass, Operation, Reply};
use crate::kept::{CHUNK_BYTES, Change, Content, Record};
use crate::path::NodePath;

/// Bytes held until they are stored, a multiple of the chunk.
const BUFFER_BYTES: usize = 16 * CHUNK_BYTES;

impl World {
    /// Writes a whole file; see [`World::begin_file`].
    pub fn write_file(
        &self,
        path: &[u8],
        contents: &[u8],
        modified_ns: i64,
        replace: bool,
        now: Duration,
    ) -> Reply<()> {
        let Reply { latency, result } = self.begin_file(path, replace, now);
        let written = result.and_then(|mut writer| {
            writer.append(contents)?;
            writer.finish(modified_ns, now)
        });
        Reply { latency, result: written }
    }

    /// Begins to write a file in a folder that exists. Nothing is seen of it until [`FileWriter::finish`].
    ///
    /// A file that is there already is replaced with `replace`, and otherwise fails as `already_exists`; a folder that
    /// is there always does. Faults and limits of `upload_file` apply here, to the file as a whole.
    pub fn begin_file(&self, path: &[u8], replace: bool, now: Duration) -> Reply<FileWriter> {
        self.answer(Operation::UploadFile, path, now, |path| {
            self.expect_place_for_file(path, replace)?;
            Ok(FileWriter {
                world: self.clone(),
                path: path_bytes(path),
                replace,
                size: 0,
                buffer: Vec::new(),
                state: State::Undecided,
            })
        })
    }

    fn expect_place_for_file(&self, path: NodePath<'_>, replace: bool) -> Result<(), Fault> {
        let reader = self.reader();
        self.expect_parent(&reader, path)?;
        match self.find(&reader, path)? {
            None => Ok(()),
            Some(Node::File { .. }) if replace => Ok(()),
            Some(_) => Err(already_exists(path)),
        }
    }
}

fn path_bytes(path: NodePath<'_>) -> Vec<u8> {
    if path.is_root() { b"/".to_vec() } else { path.as_prefix().to_vec() }
}

/// A file that is being written. Dropping it unfinished leaves everything as it was.
#[derive(Debug)]
#[must_use]
pub struct FileWriter {
    world: World,
    path: Vec<u8>,
    replace: bool,
    /// Bytes appended so far.
    size: u64,
    /// Bytes that are neither recognized nor stored yet.
    buffer: Vec<u8>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Less than a block so far.
    Undecided,
    /// All bytes so far are those of a generated stream, and nothing is held.
    Recognized(ContentKey),
    /// They are not; chunks before this number are stored.
    Storing { content: u64, next_chunk: u64 },
    /// Nothing is left to be done.
    Finished,
}

impl FileWriter {
    /// Adds bytes at the end.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut rest = bytes;
        if self.state == State::Undecided {
            let (head, tail) = rest.split_at(rest.len().min(BLOCK_BYTES - self.buffer.len()));
            self.take(head)?;
            rest = tail;
            if let Ok(first) = <[u8; BLOCK_BYTES]>::try_from(self.buffer.as_slice()) {
                self.buffer.clear();
                self.state = State::Recognized(ContentKey::beginning_with(first));
            }
        }
        if let State::Recognized(key) = self.state {
            let matching = key.matching_length(self.size, rest);
            self.size += matching as u64;
            rest = &rest[matching..];
            if !rest.is_empty() {
                self.store_recognized(key)?;
            }
        }
        self.take(rest)
    }

    /// Makes the file appear with this time, in nanoseconds since 1970, in one step.
    ///
    /// Fails like [`World::begin_file`] if in the meantime its folder was removed or its place taken; then, and after
    /// any other failure, nothing is seen of it.
    pub fn finish(mut self, modified_ns: i64, now: Duration) -> Result<(), Fault> {
        let path = self.path.clone();
        let path = NodePath::parse(&path)?;
        let kept = &self.world.shared.kept;
        let record = |content| Record::File { size: self.size, modified_ns, content };
        {
            let _writing = kept.lock_for_writing();
            self.world.expect_place_for_file(path, self.replace)?;
            match self.state {
                State::Undecided => {
                    // Any so few bytes are the beginning of some stream.
                    let mut first = [0; BLOCK_BYTES];
                    first[..self.buffer.len()].copy_from_slice(&self.buffer);
                    let content = Content::Stream(ContentKey::beginning_with(first));
                    self.world.apply(&[Change::Put(path, record(content))])?;
                }
                State::Recognized(key) => {
                    self.world.apply(&[Change::Put(path, record(Content::Stream(key)))])?;
                }
                State::Storing { content, next_chunk } => self.world.apply(&[
                    Change::Chunks(content, next_chunk, &self.buffer),
                    Change::Unstage(content),
                    Change::Put(path, record(Content::Stored(content))),
                ])?,
                State::Finished => {
                    return Err(Fault::new(FaultClass::Fatal, "the file was finished already"));
                }
            }
        }
        self.state = State::Finished;
        if self.world.disturbed {
            self.world.shared.chaos.charge_bytes(self.size, now);
        }
        Ok(())
    }

    /// Holds bytes, and stores what has become enough.
    fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(BUFFER_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(head);
            self.size += head.len() as u64;
            rest = tail;
            if self.buffer.len() == BUFFER_BYTES {
                self.store_buffer()?;
            }
        }
        Ok(())
    }

    fn store_buffer(&mut self) -> Result<(), Fault> {
        let State::Storing { content, next_chunk } = self.state else { return Ok(()) };
        self.world.apply(&[Change::Stage(content), Change::Chunks(content, next_chunk, &self.buffer)])?;
        self.state = State::Storing { content, next_chunk: next_chunk + (self.buffer.len() / CHUNK_BYTES) as u64 };
        self.buffer.clear();
        Ok(())
    }

    /// Goes over to storing: writes out what had only been recognized.
    fn store_recognized(&mut self, key: ContentKey) -> Result<(), Fault> {
        let recognized = std::mem::take(&mut self.size);
        self.state = State::Storing { content: self.world.shared.kept.new_content(), next_chunk: 0 };
        let mut piece = vec![0; CHUNK_BYTES];
        while self.size < recognized {
            let length = usize::try_from(recognized - self.size).unwrap_or(usize::MAX).min(CHUNK_BYTES);
            key.fill(self.size, &mut piece[..length]);
            self.take(&piece[..length])?;
        }
        Ok(())
    }
}

impl Drop for FileWriter {
    fn drop(&mut self) {
        if let State::Storing { content, next_chunk: 1.. } = self.state {
            // If this fails, opening the database the next time drops them.
            let _ = self.world.apply(&[Change::DropContent(content), Change::Unstage(content)]);
        }
    }
}
