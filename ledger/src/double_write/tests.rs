use std::fs;

use duckdb::params;
use tempfile::TempDir;

use super::*;
use crate::migration::MigrationSpec;
use crate::opening::{self, Log, Resources};
use crate::testing::some_time_ns;
use crate::{Settings, create};

/// A ledger with checkpoints in it, and beside it what a killed process leaves: the files as they are while it is open.
struct Killed {
    folder: TempDir,
}

impl Killed {
    /// Errors are written, brought into the file, and written again, so that there is a log as well.
    fn new() -> Killed {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("open");
        let settings = Settings::new(longhaul_model::Comparison::for_resolutions(1, 1));
        let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
        drop(create(&path, &spec, &Resources::default(), some_time_ns()).unwrap());
        let database = opening::open(&path, Log::Unknown, &Resources::default()).unwrap();
        for run in 0..3 {
            let add = "INSERT INTO errors SELECT 'src', range, 'traversing', 'denied', 'no', 1, ?, 0 FROM range(500)";
            database.execute_batch("BEGIN").unwrap();
            database.execute(add, params![run]).unwrap();
            database.commit().unwrap();
            if run < 2 {
                database.checkpoint().unwrap();
            }
        }
        // As before the next checkpoint.
        database.save().unwrap();
        let killed = Killed { folder };
        for suffix in ["", ".wal", ".copies"] {
            fs::copy(with_suffix(&path, suffix), with_suffix(&killed.path(), suffix)).unwrap();
        }
        killed
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("killed")
    }

    fn saved(&self) -> Saved {
        Saved::read_index(&mut File::open(copies_of(&self.path())).unwrap()).unwrap().unwrap()
    }

    fn file(&self) -> File {
        OpenOptions::new().read(true).write(true).open(self.path()).unwrap()
    }

    /// Overwrites what is there from a place on, as the beginning of a write that was not completed.
    fn tear(&self, place: u64, length: usize) {
        self.file().write_all_at(&vec![0x5a; length], place).unwrap();
    }

    fn rows(&self) -> Result<i64> {
        let connection = opening::open_read_only(&self.path())?;
        Ok(connection.query_row("SELECT count(*) FROM errors", [], |row| row.get(0))?)
    }
}

#[test]
fn every_header_and_block_of_a_ledger_has_the_checksum_that_is_expected() {
    let killed = Killed::new();
    let saved = killed.saved();
    assert!(!saved.blocks.is_empty());
    let whole = fs::read(killed.path()).unwrap();
    let (headers, blocks) = whole.split_at(HEADERS_BYTES);
    assert!(headers.chunks(HEADER_BYTES).all(is_sound));
    assert!(blocks.chunks(usize::try_from(saved.block_bytes).unwrap()).all(is_sound));
    assert_eq!(put_back_torn(&killed.path()).unwrap(), None);
    assert_eq!(killed.rows().unwrap(), 1500);
}

#[test]
fn whichever_block_is_torn_and_wherever_it_is_put_back() {
    let killed = Killed::new();
    let saved = killed.saved();
    let sound = fs::read(killed.path()).unwrap();
    let block_bytes = usize::try_from(saved.block_bytes).unwrap();
    for &block in &saved.blocks {
        for length in [512, block_bytes / 2, block_bytes - 512] {
            killed.tear(saved.place(block), length);
            assert_eq!(put_back_torn(&killed.path()).unwrap().unwrap().torn, 1, "{length} bytes of block {block}");
            assert!(fs::read(killed.path()).unwrap() == sound, "{length} bytes of block {block}");
        }
    }
    // Opening it is enough.
    saved.blocks.iter().for_each(|&block| killed.tear(saved.place(block), 4096));
    assert_eq!(killed.rows().unwrap(), 1500);
}

#[test]
fn a_header_that_was_being_written_is_put_back() {
    let killed = Killed::new();
    let mut headers = [0; HEADERS_BYTES];
    killed.file().read_exact_at(&mut headers, 0).unwrap();
    let numbers = [1, 2].map(|header| Header::read(&headers[header * HEADER_BYTES..][..HEADER_BYTES]).number);
    let written_next = if numbers[0] < numbers[1] { 1 } else { 2 };
    killed.tear(written_next * HEADER_BYTES as u64, 100);
    assert_eq!(killed.rows().unwrap(), 1500);
}

#[test]
fn copies_of_another_checkpoint_than_the_last_one_are_not_put_back() {
    let killed = Killed::new();
    let copies = fs::read(copies_of(&killed.path())).unwrap();
    drop(opening::open(&killed.path(), Log::Unknown, &Resources::default()).unwrap());
    assert!(!copies_of(&killed.path()).exists(), "nothing is left of a ledger that was closed but itself");
    fs::write(copies_of(&killed.path()), copies).unwrap();
    let saved = killed.saved();
    killed.tear(saved.place(saved.blocks[0]), 4096);
    let torn = fs::read(killed.path()).unwrap();
    assert_eq!(put_back_torn(&killed.path()).unwrap(), None);
    assert!(fs::read(killed.path()).unwrap() == torn);
}

#[test]
fn copies_that_are_not_whole_or_not_what_they_were_are_not_put_back() {
    let killed = Killed::new();
    let saved = killed.saved();
    killed.tear(saved.place(saved.blocks[0]), 4096);
    let torn = fs::read(killed.path()).unwrap();
    let copies = fs::read(copies_of(&killed.path())).unwrap();
    let put_back = |copies: &[u8]| {
        fs::write(copies_of(&killed.path()), copies).unwrap();
        let put_back = put_back_torn(&killed.path()).unwrap();
        assert_eq!(put_back.is_none(), fs::read(killed.path()).unwrap() == torn);
        put_back
    };
    for length in [0, 5, 20, 100, copies.len() / 2, copies.len() - 1] {
        assert_eq!(put_back(&copies[..length]), None, "the first {length} bytes");
    }
    for place in (0..copies.len()).step_by(10_007) {
        let mut changed = copies.clone();
        changed[place] ^= 1;
        assert_eq!(put_back(&changed), None, "byte {place}");
    }
    assert!(put_back(&copies).is_some());
}

#[test]
fn what_is_torn_in_use_by_somebody_is_left_to_them() {
    let killed = Killed::new();
    let saved = killed.saved();
    killed.tear(saved.place(saved.blocks[0]), 4096);
    // Locks are a process's, and this one's own would be no obstacle.
    let mut holder = std::process::Command::new("python3")
        .args(["-c", "import fcntl,sys; f=open(sys.argv[1],'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); print(flush=True); sys.stdin.read()"])
        .arg(killed.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    holder.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    assert_eq!(put_back_torn(&killed.path()).unwrap(), None);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    assert!(put_back_torn(&killed.path()).unwrap().is_some());
}
