//! A double-write buffer for the ledger: copies of what a checkpoint of DuckDB rewrites in place.
//!
//! A checkpoint writes new blocks, and then a header that refers to them, so that a crash leaves the ledger as it was at
//! the checkpoint before. Not so the blocks of metadata: those that have room left are written again as a whole, while the
//! header that counts still refers to them. Where such a write is torn, by a kill between two pages or a power cut between
//! two sectors, the block has neither its old nor its new contents, and the ledger cannot be read any more.
//!
//! So all blocks of metadata are copied, with the headers, into a file beside the ledger, and flushed, before DuckDB may
//! write any of them: [`DoubleWrite::save`]. A ledger is looked at before it is opened, and what is torn is put back:
//! [`put_back_torn`]. That is safe because DuckDB brings its log into the file again if the checkpoint has not been
//! completed, which its header tells. When a ledger is closed the copies are removed.
//!
//! What is assumed of DuckDB's storage format is checked each time: three headers of 4 KiB at the beginning, the last two
//! used in turn and numbered; then blocks of one size; each header and block begins with a checksum of its rest.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use duckdb::Connection;
use rustix::fs::{FlockOperation, fcntl_lock};

use crate::beside::{damaged_suffix, flush_folder_of, log_of, with_suffix};
use crate::error::{LedgerError, Result};

/// What the copies' file begins with. The number is that of its format.
const MAGIC: [u8; 16] = *b"longhaul copies1";

/// Bytes of each header.
const HEADER_BYTES: usize = 4096;

/// Bytes of all headers: the blocks begin behind them.
const HEADERS_BYTES: usize = 3 * HEADER_BYTES;

/// Blocks of metadata that a ledger has at most, for a file of copies to be taken for one: some thousand million rows.
const BLOCKS_MAX: u64 = 1 << 20;

/// The copies of one ledger, kept up to date by its writer.
#[derive(Debug)]
pub(crate) struct DoubleWrite {
    // POSIX locks, which DuckDB uses, are lost when any descriptor of the file is closed: this one has to be closed last.
    ledger: File,
    copies: PathBuf,
    log: PathBuf,
    /// The number of the header that the copies belong to.
    saved: Cell<Option<u64>>,
}

impl DoubleWrite {
    /// For the ledger at `path`. It has to be dropped after all connections to the ledger have been closed.
    pub(crate) fn of(path: &Path) -> Result<DoubleWrite> {
        let ledger = File::open(path).map_err(|error| failed(path, &error))?;
        Ok(DoubleWrite { ledger, copies: copies_of(path), log: log_of(path), saved: Cell::new(None) })
    }

    /// Makes the copies, unless there are those of the last checkpoint already. Whatever may lead to a checkpoint comes
    /// after this.
    pub(crate) fn save(&self, connection: &Connection) -> Result<()> {
        let mut headers = [0; HEADERS_BYTES];
        self.ledger.read_exact_at(&mut headers, 0).map_err(|error| failed(&self.copies, &error))?;
        let Some(header) = Header::that_counts(&headers) else {
            return Err(LedgerError::Inconsistent("the ledger's headers are not what DuckDB writes".to_owned()));
        };
        if self.saved.get() == Some(header.number) {
            return Ok(());
        }
        let blocks = connection
            .prepare("SELECT DISTINCT block_id FROM pragma_metadata_info() ORDER BY ALL")?
            .query_map([], |row| row.get(0))?
            .collect::<duckdb::Result<Vec<u64>>>()?;
        self.write(&headers, &header, &blocks).map_err(|error| failed(&self.copies, &error))?;
        self.saved.set(Some(header.number));
        Ok(())
    }

    fn write(&self, headers: &[u8], header: &Header, blocks: &[u64]) -> std::io::Result<()> {
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.copies)?;
        let mut out = Hashing { inner: BufWriter::with_capacity(1 << 20, &file), hasher: blake3::Hasher::new() };
        out.write_all(&MAGIC)?;
        for number in [header.block_bytes, blocks.len() as u64].iter().chain(blocks) {
            out.write_all(&number.to_le_bytes())?;
        }
        out.write_all(headers)?;
        let mut block = vec![0; usize::try_from(header.block_bytes).map_err(std::io::Error::other)?];
        for id in blocks {
            self.ledger.read_exact_at(&mut block, header.place(*id))?;
            out.write_all(&block)?;
        }
        let hash = out.hasher.finalize();
        out.inner.write_all(hash.as_bytes())?;
        out.inner.flush()?;
        drop(out);
        file.sync_data()?;
        if self.saved.get().is_none() {
            // The name as well, so that the copies are found after a power cut.
            flush_folder_of(&self.copies)?;
        }
        Ok(())
    }

    /// Copies the ledger's file as it is. Only by this descriptor: see the field.
    pub(crate) fn copy_ledger(&self, mut copy: &File) -> std::io::Result<u64> {
        let mut ledger = &self.ledger;
        ledger.rewind()?;
        std::io::copy(&mut ledger, &mut copy)
    }

    /// Whether there is anything that closing the ledger would bring into the file.
    pub(crate) fn has_log(&self) -> bool {
        self.log.metadata().is_ok_and(|log| log.len() > 0)
    }

    /// Whether there is a log that was set aside.
    pub(crate) fn has_damaged_log(&self) -> bool {
        with_suffix(&self.log, &damaged_suffix(1)).symlink_metadata().is_ok()
    }

    /// Removes the copies. Nothing may be written to the ledger any more before it is closed.
    pub(crate) fn remove(&self) {
        // If they stay, they are those of a checkpoint that was completed, and do no harm.
        let _ = std::fs::remove_file(&self.copies);
    }
}

/// What is beside a ledger of which copies are made.
pub(crate) fn copies_of(ledger: &Path) -> PathBuf {
    with_suffix(ledger, ".copies")
}

/// Blocks that were torn, and have been put back as they were at the last checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutBack {
    /// How many blocks and headers were torn.
    pub torn: usize,
    /// How many were copied back: all that belong together.
    pub blocks: usize,
}

/// Looks for blocks that a crash has torn in the middle of a checkpoint, and puts them back. Nobody may have the ledger
/// open in this process. `None` where nothing is torn, or where there are no copies of what is.
pub fn put_back_torn(path: &Path) -> Result<Option<PutBack>> {
    match try_put_back(path) {
        Ok(put_back) => Ok(put_back),
        // Opening it says what is wrong with it.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::UnexpectedEof) => Ok(None),
        Err(error) => Err(failed(path, &error)),
    }
}

fn try_put_back(path: &Path) -> std::io::Result<Option<PutBack>> {
    let copies = File::open(copies_of(path))?;
    let Some(saved) = Saved::read_index(&mut BufReader::new(&copies))? else { return Ok(None) };
    let mut ledger = File::open(path)?;
    if saved.torn(&ledger)? == 0 || !saved.is_whole(copies.metadata()?.len()) {
        return Ok(None);
    }
    ledger = OpenOptions::new().read(true).write(true).open(path)?;
    // Whoever writes it may be in the middle of it.
    if fcntl_lock(&ledger, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(None);
    }
    let torn = saved.torn(&ledger)?;
    let mut headers = [0; HEADERS_BYTES];
    ledger.read_exact_at(&mut headers, 0)?;
    // A completed checkpoint is none that tore anything: what the copies are of may have been overwritten since.
    let is_of_last_checkpoint = Header::that_counts(&headers).is_some_and(|header| header == saved.header);
    if torn == 0 || !is_of_last_checkpoint || !saved.is_as_hashed(&copies)? {
        return Ok(None);
    }
    saved.write_back(&copies, &ledger)?;
    ledger.sync_all()?;
    Ok(Some(PutBack { torn, blocks: saved.blocks.len() }))
}

/// What a file of copies says that it has.
struct Saved {
    /// The header that counted.
    header: Header,
    block_bytes: u64,
    blocks: Vec<u64>,
}

impl Saved {
    /// `None` where it is no file of copies.
    fn read_index(copies: &mut impl Read) -> std::io::Result<Option<Saved>> {
        let mut magic = [0; MAGIC.len()];
        copies.read_exact(&mut magic)?;
        let block_bytes = read_number(copies)?;
        let count = read_number(copies)?;
        if magic != MAGIC || !(512..=1 << 20).contains(&block_bytes) || count > BLOCKS_MAX {
            return Ok(None);
        }
        let blocks = (0..count).map(|_| read_number(copies)).collect::<std::io::Result<Vec<u64>>>()?;
        let mut headers = [0; HEADERS_BYTES];
        copies.read_exact(&mut headers)?;
        let counts = Header::that_counts(&headers).filter(|header| header.block_bytes == block_bytes);
        Ok(counts.map(|header| Saved { header, block_bytes, blocks }))
    }

    /// Where the copy of the headers begins, behind the index.
    fn headers_place(&self) -> u64 {
        MAGIC.len() as u64 + 8 * (2 + self.blocks.len() as u64)
    }

    /// Where the hash begins, behind the blocks.
    fn hash_place(&self) -> u64 {
        self.headers_place() + HEADERS_BYTES as u64 + self.block_bytes * self.blocks.len() as u64
    }

    fn is_whole(&self, length: u64) -> bool {
        length == self.hash_place() + blake3::OUT_LEN as u64
    }

    fn place(&self, block: u64) -> u64 {
        HEADERS_BYTES as u64 + block * self.block_bytes
    }

    /// How many of the blocks and headers are not as their checksums say.
    fn torn(&self, ledger: &File) -> std::io::Result<usize> {
        let mut headers = [0; HEADERS_BYTES];
        ledger.read_exact_at(&mut headers, 0)?;
        let mut torn = headers.chunks_exact(HEADER_BYTES).filter(|header| !is_sound(header)).count();
        let mut buffer = vec![0; usize::try_from(self.block_bytes).map_err(std::io::Error::other)?];
        for &block in &self.blocks {
            let is_there = match ledger.read_exact_at(&mut buffer, self.place(block)) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
                read => read.map(|()| is_sound(&buffer))?,
            };
            torn += usize::from(!is_there);
        }
        Ok(torn)
    }

    fn is_as_hashed(&self, copies: &File) -> std::io::Result<bool> {
        let mut hasher = blake3::Hasher::new();
        let mut stored = [0; blake3::OUT_LEN];
        let mut reader = BufReader::with_capacity(1 << 20, copies);
        reader.rewind()?;
        std::io::copy(&mut (&mut reader).take(self.hash_place()), &mut hasher)?;
        reader.read_exact(&mut stored)?;
        Ok(*hasher.finalize().as_bytes() == stored)
    }

    fn write_back(&self, copies: &File, ledger: &File) -> std::io::Result<()> {
        let mut block = vec![0; usize::try_from(self.block_bytes).map_err(std::io::Error::other)?];
        let mut place = self.headers_place() + HEADERS_BYTES as u64;
        for &id in &self.blocks {
            copies.read_exact_at(&mut block, place)?;
            ledger.write_all_at(&block, self.place(id))?;
            place += self.block_bytes;
        }
        ledger.sync_all()?;
        let mut headers = [0; HEADERS_BYTES];
        copies.read_exact_at(&mut headers, self.headers_place())?;
        ledger.write_all_at(&headers, 0)
    }
}

/// What one of the last two headers says.
#[derive(PartialEq, Eq)]
struct Header {
    /// Of all that it says.
    checksum: u64,
    /// Each checkpoint has the next one.
    number: u64,
    block_bytes: u64,
}

impl Header {
    /// The one with the highest number of those that are sound.
    fn that_counts(headers: &[u8; HEADERS_BYTES]) -> Option<Header> {
        let (_, in_turn) = headers.split_at(HEADER_BYTES);
        in_turn.chunks_exact(HEADER_BYTES).filter(|header| is_sound(header)).map(Header::read).max_by_key(|h| h.number)
    }

    /// DuckDB's fields are: checksum, number, metadata, free blocks, count of blocks, bytes of a block.
    fn read(header: &[u8]) -> Header {
        let field = |index: usize| header[8 * index..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
        Header { checksum: field(0), number: field(1), block_bytes: field(5) }
    }

    fn place(&self, block: u64) -> u64 {
        HEADERS_BYTES as u64 + block * self.block_bytes
    }
}

/// Whether a header or block has the checksum that DuckDB gives it: of all 64-bit words behind it.
fn is_sound(block: &[u8]) -> bool {
    let (words, _) = block.as_chunks::<8>();
    let mut words = words.iter().map(|word| u64::from_le_bytes(*word));
    let stored = words.next();
    stored == Some(words.fold(5381, |sum, word| sum ^ word.wrapping_mul(0xbf58_476d_1ce4_e5b9)))
}

/// Hashes what is written.
struct Hashing<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.inner.flush()
    }
}

fn read_number(from: &mut impl Read) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn failed(path: &Path, error: &std::io::Error) -> LedgerError {
    match error.kind() {
        ErrorKind::StorageFull => LedgerError::DiskFull(format!("{}: {error}", path.display())),
        _ => LedgerError::NotWritable { path: path.to_owned(), reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests;
