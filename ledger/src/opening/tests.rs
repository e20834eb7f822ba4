//! Every way in which a ledger cannot be made or opened, and what is left behind.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use longhaul_model::Comparison;

use super::*;
use crate::migration::Settings;
use crate::{Reader, Undiscovered};

fn spec() -> MigrationSpec {
    MigrationSpec {
        source: "/from".to_owned(),
        destination: "/to".to_owned(),
        settings: Settings { one_file_system: true, ..Settings::new(Comparison::for_resolutions(1, 1)) },
    }
}

fn make(path: &Path) -> Result<Undiscovered> {
    crate::create(path, &spec(), &Resources::default(), 5)
}

fn make_and_close(path: &Path) {
    let (writer, _) = make(path).unwrap().discover("test", || 5).unwrap();
    writer.end(longhaul_model::Phase::Review, None, "complete").unwrap();
}

/// The names of what is in a folder, in order.
fn contents(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn reason(opened: Result<Reader>) -> String {
    match opened {
        Err(LedgerError::NotALedger { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_ledger_is_one_file_that_says_what_it_is_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    make_and_close(&path);
    assert_eq!(contents(folder.path()), ["a.duckdb"]);
    let migration = Reader::open(&path).unwrap().migration().unwrap();
    assert_eq!(migration.spec, spec());
    assert_eq!(migration.created_ns, 5);
    assert_eq!(contents(folder.path()), ["a.duckdb"], "reading leaves nothing behind");
}

#[test]
fn whatever_has_the_name_already_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    for contents_before in [b"".as_slice(), b"precious"] {
        std::fs::write(&path, contents_before).unwrap();
        assert!(matches!(make(&path), Err(LedgerError::Exists(at)) if at == path));
        assert_eq!(std::fs::read(&path).unwrap(), contents_before);
    }
    std::fs::remove_file(&path).unwrap();
    make_and_close(&path);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(make(&path), Err(LedgerError::Exists(_))));
    assert!(std::fs::read(&path).unwrap() == before, "the ledger has been changed");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(make(&path), Err(LedgerError::Exists(_))));
    assert_eq!(contents(folder.path()), ["a.duckdb"]);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_in_the_way_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    std::os::unix::fs::symlink(folder.path().join("elsewhere"), &path).unwrap();
    assert!(matches!(make(&path), Err(LedgerError::Exists(_))));
    assert_eq!(contents(folder.path()), ["a.duckdb"]);
}

/// DuckDB would replay it into the new ledger.
#[test]
fn a_log_without_its_ledger_is_refused_and_untouched() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.duckdb.wal"), "a log").unwrap();
    assert!(matches!(make(&folder.path().join("a.duckdb")), Err(LedgerError::Exists(_))));
    assert_eq!(contents(folder.path()), ["a.duckdb.wal"]);
    assert_eq!(std::fs::read(folder.path().join("a.duckdb.wal")).unwrap(), b"a log");
}

#[test]
fn what_a_killed_program_left_of_a_new_ledger_is_in_nobody_s_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    std::fs::write(folder.path().join("a.duckdb.1.new"), "half a ledger").unwrap();
    make_and_close(&path);
    assert_eq!(contents(folder.path()), ["a.duckdb", "a.duckdb.1.new"]);
}

/// Processes in containers often have the same number every time.
#[test]
fn what_a_killed_program_with_our_process_number_left_is_in_nobody_s_way() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    std::fs::write(with_suffix(&path, &format!(".{}.new", std::process::id())), "half a ledger").unwrap();
    make_and_close(&path);
    assert_eq!(contents(folder.path()), ["a.duckdb"]);
}

#[test]
fn a_folder_that_is_not_there_or_is_a_file_cannot_have_a_ledger_in_it() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "x").unwrap();
    for below in ["nowhere/a.duckdb", "file/a.duckdb"] {
        let path = folder.path().join(below);
        let error = make(&path).unwrap_err();
        assert!(matches!(error, LedgerError::NotWritable { .. }), "{error:?}");
        let message = error.to_string();
        assert!(message.contains(&format!("ledger {} ", path.display())), "names the ledger asked for: {message}");
        assert_eq!(contents(folder.path()), ["file"]);
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_cannot_have_a_ledger_in_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let locked = folder.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    if std::fs::write(locked.join("probe"), "").is_ok() {
        eprintln!("skipped: this user may write everywhere");
        return;
    }
    let error = make(&locked.join("a.duckdb")).unwrap_err();
    assert!(matches!(&error, LedgerError::NotWritable { reason, .. } if reason.contains("ermission")), "{error:?}");
    assert!(contents(&locked).is_empty());
}

#[test]
fn a_ledger_that_is_not_there_is_missing_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    assert!(matches!(Reader::open(&path), Err(LedgerError::Missing(at)) if at == path));
    assert!(matches!(open(&path, Log::Unknown, &Resources::default()), Err(LedgerError::Missing(_))));
    assert!(contents(folder.path()).is_empty());
}

#[test]
fn what_is_no_duckdb_file_is_not_a_ledger_and_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    for no_database in [b"x".to_vec(), b"some text\n".repeat(10_000), vec![0; 20_000]] {
        std::fs::write(&path, &no_database).unwrap();
        assert_eq!(reason(Reader::open(&path)), "it is not a DuckDB file");
        assert!(matches!(open(&path, Log::Unknown, &Resources::default()), Err(LedgerError::NotALedger { .. })));
        assert!(std::fs::read(&path).unwrap() == no_database);
    }
    std::fs::write(&path, "").unwrap();
    assert_eq!(reason(Reader::open(&path)), "it is empty");
    assert!(matches!(open(&path, Log::Unknown, &Resources::default()), Err(LedgerError::NotALedger { .. })));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    assert_eq!(reason(Reader::open(folder.path())), "it is not a file");
    assert_eq!(contents(folder.path()), ["a.duckdb"]);
}

#[test]
fn a_duckdb_file_without_a_migration_is_not_a_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE mine AS SELECT 1 AS x").unwrap();
    connection.close().unwrap();
    assert!(reason(Reader::open(&path)).contains("without a migration"));
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(&crate::sql::schema()).unwrap();
    connection.close().unwrap();
    assert!(reason(Reader::open(&path)).contains("without a migration"), "its table has no row");
}

#[test]
fn a_ledger_of_another_schema_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    make_and_close(&path);
    let set_version = |version: i64| {
        let connection = Connection::open(&path).unwrap();
        let sql = format!("UPDATE migration SET schema_version = {version}, longhaul_version = '9.9.9'");
        connection.execute_batch(&sql).unwrap();
        connection.close().unwrap();
    };
    set_version(SCHEMA_VERSION + 1);
    match Reader::open(&path) {
        Err(LedgerError::TooNew { found, known, made_by, .. }) => {
            assert_eq!((found, known, made_by.as_str()), (SCHEMA_VERSION + 1, SCHEMA_VERSION, "9.9.9"));
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(open(&path, Log::Unknown, &Resources::default()), Err(LedgerError::TooNew { .. })));
    set_version(SCHEMA_VERSION - 1);
    assert!(matches!(Reader::open(&path), Err(LedgerError::NotALedger { .. })));
}

/// Names the ledger that the process of the test below is to hold open.
const HOLD: &str = "LONGHAUL_TEST_HOLD_LEDGER";

#[test]
fn a_ledger_that_another_process_has_open_is_in_use() {
    if let Some(path) = std::env::var_os(HOLD) {
        let _connection = open(Path::new(&path), Log::Unknown, &Resources::default()).unwrap();
        println!("\nopen");
        // Until the other process has seen enough.
        let _ = std::io::stdin().read_line(&mut String::new());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.duckdb");
    make_and_close(&path);
    let test = "opening::tests::a_ledger_that_another_process_has_open_is_in_use";
    let mut holder = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(HOLD, &path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(holder.stdout.take().unwrap()).lines().map_while(std::io::Result::ok);
    assert!(said.any(|line| line == "open"), "the other process could not open it");

    for opened in [Reader::open(&path).map(drop), open(&path, Log::Unknown, &Resources::default()).map(drop)] {
        match opened {
            Err(LedgerError::InUse { holder: who, path: at }) => {
                assert_eq!(at, path);
                assert!(who.contains(&holder.id().to_string()), "says who: {who}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(make(&path), Err(LedgerError::Exists(_))));
    drop(holder.stdin.take());
    said.for_each(drop);
    assert!(holder.wait().unwrap().success());
    Reader::open(&path).unwrap();
}
