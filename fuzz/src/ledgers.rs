//! A small ledger, as a kill leaves it, with some of its bytes changed.
//!
//! Damage may make DuckDB abort, for which reason the program probes in a process of its own; so does this. What must hold:
//!
//! - `put_back_torn` and `probe` never panic. What is put back is whole: a second time there is nothing to be put back, and a
//!   ledger that could be read without that can be read after it.
//! - Of a ledger that is found sound the migration and its counters can be read. Blocks that only other questions need may be
//!   damaged; those questions then say so.
//! - Where all of it can be read, it is what was committed at some time. This does not hold where checksums were changed along
//!   with the contents, and is not asserted there.
//!
//! The input is a byte whose lowest bit says whether checksums are changed, and changes of eight bytes each: which file, what is
//! done there, four bytes for the place, and two for the value.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use longhaul_ledger::{
    DiscoverWriter, ListedPage, MigrationSpec, Probed, Reader, Resources, Settings, ToList, create, log_of, probe,
    put_back_torn,
};
use longhaul_model::{Comparison, NodeKind, Page, Phase, Side};
use tempfile::TempDir;

use crate::pieces::Pieces;

const CHANGES_MAX: usize = 16;

/// What a process that reads a ledger ends with.
const ALL_READ: i32 = 0;
const NOT_NOW: i32 = 10;
const DAMAGED: i32 = 11;
/// It was found sound, and what every run begins with cannot be read.
const BROKEN: i32 = 12;
/// It was found sound; something else of it cannot be read, which is said when it is asked for.
const PARTLY_READ: i32 = 13;
const PANICKED: i32 = 77;

/// A ledger with its log and its copies, and everything that was ever committed to it.
struct Template {
    files: [Vec<u8>; 3],
    states: Vec<String>,
}

static TEMPLATE: LazyLock<Template> = LazyLock::new(|| {
    let folder = scratch();
    let path = folder.path().join("ledger.duckdb");
    let made = in_process(|| make(&path));
    assert_eq!(made, Some(ALL_READ), "a ledger can be made");
    let files = names(&folder.path().join("killed.duckdb")).map(|file| fs::read(file).expect("it has been made"));
    let states = fs::read_to_string(folder.path().join("states")).expect("they have been written");
    Template { files, states: states.split('\0').map(str::to_owned).collect() }
});

/// In memory where that can be: much of it is copied for every input.
fn scratch() -> TempDir {
    let folder = Path::new("/dev/shm");
    let made = if folder.is_dir() { tempfile::tempdir_in(folder) } else { tempfile::tempdir() };
    made.expect("a folder can be made")
}

/// The ledger, its log, and the copies of what a checkpoint rewrites.
fn names(path: &Path) -> [PathBuf; 3] {
    [
        path.to_owned(),
        log_of(path),
        path.with_file_name(format!("{}.copies", path.file_name().unwrap_or_default().display())),
    ]
}

pub fn check(data: &[u8]) {
    let template = &*TEMPLATE;
    let mut pieces = Pieces::of(data);
    let changes_checksums = pieces.byte() & 1 == 1;
    let mut files = template.files.clone();
    for _ in 0..CHANGES_MAX {
        if pieces.is_empty() {
            break;
        }
        let [which, how] = pieces.number();
        let file = &mut files[usize::from(which) % 3];
        let place = u32::from_be_bytes(pieces.number()) as usize % file.len().max(1);
        let value: [u8; 2] = pieces.number();
        match how % 4 {
            0 if place < file.len() => file[place] ^= value[0].max(1),
            1 => file.iter_mut().skip(place).take(2).zip(value).for_each(|(byte, value)| *byte = value),
            2 => file.iter_mut().skip(place).take(usize::from(u16::from_be_bytes(value))).for_each(|byte| *byte = 0),
            3 if which & 0x80 != 0 => file.truncate(place),
            _ => {}
        }
    }
    if changes_checksums {
        mend_checksums(&mut files[0]);
    }
    let folder = scratch();
    let path = folder.path().join("ledger.duckdb");
    for (name, contents) in names(&path).iter().zip(&files) {
        fs::write(name, contents).expect("there is room");
    }
    let before = match put_back_torn(&path) {
        Ok(None) => None,
        Ok(Some(put_back)) => {
            assert!(put_back.torn > 0 && put_back.blocks > 0);
            assert!(matches!(put_back_torn(&path), Ok(None)), "everything has been put back");
            let without = folder.path().join("without.duckdb");
            for (name, contents) in names(&without).iter().zip(&files).take(2) {
                fs::write(name, contents).expect("there is room");
            }
            Some(in_process(|| read(&without)))
        }
        Err(error) => panic!("the file system has no such errors: {error}"),
    };
    let found = in_process(|| read(&path));
    assert!(found != Some(PANICKED) && before != Some(Some(PANICKED)), "a panic in a process that reads");
    assert!(
        before != Some(Some(ALL_READ)) || found == Some(ALL_READ),
        "what was put back has made it worse: {found:?}"
    );
    assert_ne!(found, Some(BROKEN), "found sound, and cannot be read: {}", said(&path));
    if found == Some(ALL_READ) && !changes_checksums {
        let state = said(&path);
        assert!(template.states.contains(&state), "nobody ever committed this:\n{state}");
    }
    assert!(matches!(found, None | Some(ALL_READ | NOT_NOW | DAMAGED | PARTLY_READ)), "{found:?}");
}

/// What the process that read a ledger has written.
fn said(path: &Path) -> String {
    fs::read_to_string(path.with_extension("said")).unwrap_or_default()
}

/// DuckDB's sum for every header and block that is not what it says.
fn mend_checksums(ledger: &mut [u8]) {
    const HEADER_BYTES: usize = 4096;
    const BLOCK_BYTES: usize = 64 << 10;
    let (headers, blocks) = ledger.split_at_mut((3 * HEADER_BYTES).min(ledger.len()));
    for block in headers.chunks_exact_mut(HEADER_BYTES).chain(blocks.chunks_exact_mut(BLOCK_BYTES)) {
        let (words, _) = block[8..].as_chunks::<8>();
        let sum = words
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .fold(5381, |sum, word| sum ^ word.wrapping_mul(0xbf58_476d_1ce4_e5b9));
        block[..8].copy_from_slice(&sum.to_le_bytes());
    }
}

/// Runs something in a process of its own, and returns with what it ended; `None` where it aborted. This process has nothing of
/// DuckDB's, so that what a fork leaves out of threads and locks makes no difference.
fn in_process(work: impl FnOnce() -> i32) -> Option<i32> {
    // SAFETY: the child goes on alone with what the parent has, and ends without running anything of the parent's.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "another process can be made");
    if child == 0 {
        std::panic::set_hook(Box::new(|panic| {
            eprintln!("{panic}");
            // SAFETY: it ends this process and nothing else.
            unsafe { libc::_exit(PANICKED) }
        }));
        // SAFETY: DuckDB's abort is expected, and is to end the process at once and without a report; `_exit` as above.
        unsafe {
            for signal in [libc::SIGABRT, libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE] {
                libc::signal(signal, libc::SIG_DFL);
            }
            libc::_exit(work());
        }
    }
    let mut status = 0;
    // SAFETY: the child is ours, and nobody else waits for it. libFuzzer's alarm may interrupt that.
    while unsafe { libc::waitpid(child, &raw mut status, 0) } != child {
        assert_eq!(std::io::Error::last_os_error().kind(), std::io::ErrorKind::Interrupted);
    }
    libc::WIFEXITED(status).then(|| libc::WEXITSTATUS(status))
}

fn read(path: &Path) -> i32 {
    match probe(path) {
        Probed::Sound => {}
        Probed::NotNow(_) => return NOT_NOW,
        Probed::Damaged(reason) => {
            assert!(!reason.is_empty());
            return DAMAGED;
        }
    }
    let begin = || -> longhaul_ledger::Result<Reader> {
        let reader = Reader::open(path)?;
        reader.migration()?;
        reader.counters()?;
        Ok(reader)
    };
    let (end, text) = match begin() {
        Ok(reader) => match state(&reader) {
            Ok(state) => (ALL_READ, state),
            Err(error) => (PARTLY_READ, error.to_string()),
        },
        Err(error) => (BROKEN, error.to_string()),
    };
    fs::write(path.with_extension("said"), text).expect("there is room");
    end
}

/// All that a ledger says.
fn state(reader: &Reader) -> longhaul_ledger::Result<String> {
    reader.overview()?;
    let mut text = String::new();
    for table in
        ["migration", "runs", "src_status", "dst_status", "matches", "src_stats", "dst_stats", "plan", "problems"]
    {
        let rows = reader.query(&format!("FROM {table} ORDER BY ALL"))?.rows;
        writeln!(text, "{table}: {rows:?}").expect("a text can be written to");
    }
    writeln!(text, "counters as recounted: {}", reader.counters()? == reader.recount()?)
        .expect("a text can be written to");
    Ok(text)
}

/// Makes a ledger with a few commits, and leaves what a kill after the last of them would: under another name.
fn make(path: &Path) -> i32 {
    let at_ns = || 1_700_000_000_000_000_000;
    let comparison = Comparison::for_resolutions(1, 1);
    let spec = MigrationSpec {
        source: "/from".to_owned(),
        destination: "/to".to_owned(),
        settings: Settings::new(comparison),
    };
    let ledger = create(path, &spec, &Resources::default(), at_ns()).expect("it is new");
    let killed = path.with_file_name("killed.duckdb");
    let mut states = Vec::new();
    let mut keep = || {
        for (from, to) in names(path).iter().zip(names(&killed)) {
            match fs::read(from) {
                Ok(contents) => fs::write(to, contents).expect("there is room"),
                Err(_) => drop(fs::remove_file(to)),
            }
        }
        let reader = Reader::open(&killed).expect("it is sound");
        let state = state(&reader).expect("all of it can be read");
        assert!(state.ends_with("recounted: true\n"));
        states.push(state);
    };
    keep();
    let (mut writer, to_list) = ledger.discover("discover", at_ns).expect("it can be listed");
    let ToList::Roots(roots) = to_list else { panic!("nothing has been listed") };
    keep();
    let names = [["a.txt", "b.txt", "empty/", "sub/"], ["a.txt", "extra", "link", "sub/"]];
    let mut folders = Vec::new();
    for (side, names) in Side::BOTH.into_iter().zip(names) {
        folders.extend(record(&mut writer, side, roots[side].clone(), &names));
        writer.commit().expect("it can be committed");
        keep();
    }
    for (side, folder) in folders {
        record(&mut writer, side, folder, &["in it"]);
        writer.commit().expect("it can be committed");
        keep();
    }
    // The end of the discovery brings the log into the file.
    drop(writer.end(Phase::Review, None, "done").expect("all is listed"));
    let ledger = longhaul_ledger::IdleLedger::open(path, longhaul_ledger::Log::Unknown, &Resources::default())
        .expect("it is sound");
    keep();
    let root = ledger.source_folder(None).expect("there is a root");
    let (mut writer, to_list) =
        ledger.discovered().expect("it is").refresh(root, at_ns).expect("it can be listed again");
    keep();
    if let ToList::Roots(roots) = to_list {
        record(&mut writer, Side::Source, roots[Side::Source].clone(), &["a.txt", "b.txt", "sub/", "new"]);
        writer.commit().expect("it can be committed");
        keep();
    }
    writer.commit().expect("it can be committed");
    keep();
    // What was committed in between: what is in the file, and in each beginning of the log that ends with a commit.
    let log = fs::read(log_of(&killed)).expect("it has been written");
    let trial = path.with_file_name("trial.duckdb");
    fs::copy(&killed, &trial).expect("there is room");
    for end in [0].into_iter().chain(commits(&log)) {
        fs::write(log_of(&trial), &log[..end]).expect("there is room");
        states.push(Reader::open(&trial).and_then(|reader| state(&reader)).expect("it was committed"));
    }
    states.sort();
    states.dedup();
    fs::write(path.with_file_name("states"), states.join("\0")).expect("there is room");
    for file in self::names(&killed) {
        assert!(file.metadata().is_ok_and(|file| file.len() > 0), "{}", file.display());
    }
    ALL_READ
}

/// Where the commits of DuckDB's log end. Behind its version it has entries of eight bytes for the length, eight for the
/// checksum, and the rest; those that end a commit have next to nothing.
fn commits(log: &[u8]) -> Vec<usize> {
    const COMMIT_BYTES_MAX: usize = 8;
    const VERSION_BYTES_MAX: usize = 256;
    let walk = |mut place: usize| -> Option<Vec<usize>> {
        let mut ends = Vec::new();
        while place < log.len() {
            let length = usize::try_from(u64::from_le_bytes(*log.get(place..)?.first_chunk()?)).ok()?;
            place = place.checked_add(16)?.checked_add(length)?;
            if (1..=COMMIT_BYTES_MAX).contains(&length) {
                ends.push(place);
            }
        }
        (place == log.len() && ends.last() == Some(&place)).then_some(ends)
    };
    (0..VERSION_BYTES_MAX).find_map(walk).expect("DuckDB's log has entries with their lengths")
}

/// Records a listing, and returns the folders that came to light and are to be listed.
fn record(
    writer: &mut DiscoverWriter,
    side: Side,
    folder: longhaul_ledger::Folder,
    names: &[&str],
) -> Vec<(Side, longhaul_ledger::Folder)> {
    let mut page = Page::default();
    for name in names {
        match name.strip_suffix('/') {
            Some(name) => page.push(name.as_bytes(), NodeKind::Folder, None, None),
            None => page.push(name.as_bytes(), NodeKind::File, Some(1), Some(2)),
        }
    }
    let listed = ListedPage { folder, page, is_last: true, attempts: 1 };
    let mut recorded = writer.record_page(side, listed).expect("it can be recorded");
    recorded.extend(writer.match_recorded().expect("it can be matched"));
    recorded
        .into_iter()
        .flat_map(|recorded| {
            let side = recorded.side;
            recorded.found.named.unwrap_or_default().into_iter().map(move |folder| (side, folder))
        })
        .collect()
}
