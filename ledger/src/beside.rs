//! The files beside a ledger: their names, and the removal of those that killed processes have left behind, which are
//! databases that were being made, and the socket over which a run reports its progress.
//!
//! Only names are removed that nobody else gives, and only where the process that gave them is gone.

use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

/// DuckDB's write-ahead log of the database at `path`.
pub fn log_of(path: &Path) -> PathBuf {
    with_suffix(path, ".wal")
}

/// The folder that a path is in.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Flushes the names in the folder that a path is in.
pub(crate) fn flush_folder_of(path: &Path) -> std::io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// Whether `path` is the ledger, or one of the files beside it that belong to it: nothing else may be written there.
pub fn belongs_to(ledger: &Path, path: &Path) -> bool {
    let identity = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
    if identity(path).is_some_and(|found| identity(ledger) == Some(found)) {
        return true;
    }
    let folder = |path: &Path| identity(folder_of(path));
    let rest = match (path.file_name(), ledger.file_name()) {
        (Some(name), Some(ledger)) => name.as_bytes().strip_prefix(ledger.as_bytes()),
        _ => None,
    };
    let is_its_name = rest.is_some_and(|rest| {
        rest.is_empty()
            || [".wal", ".copies", ".sock", ".tmp"].iter().any(|suffix| {
                rest.strip_prefix(suffix.as_bytes()).is_some_and(|more| more.is_empty() || more.starts_with(b"."))
            })
    });
    is_its_name && folder(path) == folder(ledger)
}

/// What the name of a log ends with that was damaged and has been set aside: the first one, the second, and so on.
pub(crate) fn damaged_suffix(number: u32) -> String {
    format!(".damaged-{number}")
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// What the name of a database ends with that is being made, behind the number of the process that makes it.
const UNFINISHED: &str = ".new";

/// What stands between a ledger's name and [`UNFINISHED`] for this process.
pub(crate) fn unfinished_suffix() -> String {
    format!(".{}{UNFINISHED}", std::process::id())
}

/// Removes the databases that processes which have ended were making for a ledger of this name. Where that fails, they
/// are in nobody's way.
pub(crate) fn remove_unfinished(ledger: &Path) {
    let Some(name) = ledger.file_name() else { return };
    for entry in std::fs::read_dir(folder_of(ledger)).into_iter().flatten().flatten() {
        let is_left_over = maker(name, &entry.file_name()).is_some_and(has_ended);
        if is_left_over && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes the socket of a run that has ended. Only for whoever has the ledger open for writing: nobody else can have a
/// run of it then, so nobody answers there.
pub(crate) fn remove_socket(ledger: &Path) {
    let socket = with_suffix(ledger, ".sock");
    if socket.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
        let _ = std::fs::remove_file(socket);
    }
}

/// The process that made `found` while it was making a ledger called `name`, if that is what it is: `NAME.123.new` or
/// its log.
fn maker(name: &OsStr, found: &OsStr) -> Option<Pid> {
    let rest = found.as_bytes().strip_prefix(name.as_bytes())?.strip_prefix(b".")?;
    let rest = rest.strip_suffix(b".wal").unwrap_or(rest);
    let number = str::from_utf8(rest.strip_suffix(UNFINISHED.as_bytes())?).ok()?;
    // `parse` would take a sign.
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Pid::from_raw(number.parse().ok()?)
}

/// Somebody else's process that may not be sent a signal is there as well.
fn has_ended(process: Pid) -> bool {
    test_kill_process(process) == Err(Errno::SRCH)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn only_names_with_the_number_of_a_process_are_of_a_ledger_in_the_making() {
        let made_by = |found: &str| maker(OsStr::new("l.duckdb"), OsStr::new(found)).map(Pid::as_raw_nonzero);
        for (found, process) in [("l.duckdb.12.new", 12), ("l.duckdb.7.new.wal", 7)] {
            assert_eq!(made_by(found).map(std::num::NonZero::get), Some(process), "{found}");
        }
        for found in [
            "l.duckdb",
            "l.duckdb.wal",
            "l.duckdb.new",
            "l.duckdb..new",
            "l.duckdb.0.new",
            "l.duckdb.+1.new",
            "l.duckdb.-1.new",
            "l.duckdb.1a.new",
            "l.duckdb.12",
            "l.duckdb.12.new.wal.wal",
            "l.duckdb.12.new.old",
            "l.duckdb.99999999999999999999.new",
            "other.duckdb.12.new",
            "xl.duckdb.12.new",
        ] {
            assert_eq!(made_by(found), None, "{found}");
        }
    }

    #[test]
    fn what_belongs_to_a_ledger_is_known_by_any_of_its_names() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("l.duckdb"), "x").unwrap();
        fs::create_dir(path("sub")).unwrap();
        std::os::unix::fs::symlink(path("l.duckdb"), path("link")).unwrap();
        for name in ["l.duckdb", "link", "sub/../l.duckdb", "l.duckdb.wal", "l.duckdb.wal.damaged-1", "l.duckdb.copies"]
        {
            assert!(belongs_to(&path("l.duckdb"), &path(name)), "{name}");
        }
        for name in ["l.duckdb.backup", "l.duckdb.walnut", "other.wal", "sub/l.duckdb", "sub/l.duckdb.wal"] {
            assert!(!belongs_to(&path("l.duckdb"), &path(name)), "{name}");
        }
    }

    /// The number of a process that has ended, and has been waited for.
    fn ended_process() -> u32 {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        child.id()
    }

    #[test]
    fn what_an_ended_process_was_making_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let (ended, alive) = (ended_process(), std::process::id());
        let stays = [
            "l.duckdb".to_owned(),
            format!("l.duckdb.{alive}.new"),
            format!("l.duckdb.{alive}.new.wal"),
            "l.duckdb.1.new".to_owned(),
            format!("l.duckdb.{ended}.old"),
            format!("other.duckdb.{ended}.new"),
        ];
        let goes = [format!("l.duckdb.{ended}.new"), format!("l.duckdb.{ended}.new.wal")];
        for name in stays.iter().chain(&goes) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        // Nobody's database is a folder.
        fs::create_dir(folder.path().join(format!("l.duckdb.0{ended}.new"))).unwrap();
        remove_unfinished(&folder.path().join("l.duckdb"));
        assert!(stays.iter().all(|name| folder.path().join(name).exists()));
        assert!(!goes.iter().any(|name| folder.path().join(name).exists()));
        assert!(folder.path().join(format!("l.duckdb.0{ended}.new")).exists());
    }

    #[test]
    fn a_socket_is_removed_and_a_file_of_its_name_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, socket) = (folder.path().join("l.duckdb"), folder.path().join("l.duckdb.sock"));
        drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
        remove_socket(&ledger);
        assert!(!socket.exists());
        fs::write(&socket, "mine").unwrap();
        remove_socket(&ledger);
        assert!(socket.exists());
    }
}
