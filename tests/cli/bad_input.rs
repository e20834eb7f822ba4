//! What bad input gets: one clear line that names the thing and the remedy, an exit code, and nothing changed.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;

use crate::program::{Place, Said};

/// Checks that it was refused with one line that has all of `parts` in it.
fn assert_refused(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
    assert_eq!(said.err.trim_end().lines().count(), 1, "one line: {}", said.err);
    assert!(said.err.starts_with("longhaul: "), "{}", said.err);
    for part in parts {
        assert!(said.err.contains(part), "{part:?} is not in: {}", said.err);
    }
    assert_eq!(said.out, "");
}

/// Runs it, checks that it was refused, and that nothing has changed.
fn refused(place: &Place, arguments: &[&str], code: i32, parts: &[&str]) {
    let before = place.everything();
    assert_refused(&place.run(arguments), code, parts);
    assert_eq!(place.everything(), before, "nothing has changed");
}

#[test]
fn a_source_that_is_missing_or_no_folder() {
    let place = Place::new();
    place.file("file", "");
    refused(&place, &["discover", "none", "dst"], 1, &["the source none does not exist", "check the path"]);
    refused(&place, &["discover", "file", "dst"], 1, &["the source", "file is not a folder"]);
    refused(&place, &["discover", "file/below", "dst"], 1, &["the source file/below", "is not a folder"]);
    symlink("nowhere", place.path("dangling")).unwrap();
    refused(&place, &["discover", "dangling", "dst"], 1, &["the source dangling does not exist"]);
}

#[test]
fn a_destination_that_is_missing_can_be_made() {
    let place = Place::new();
    refused(
        &place,
        &["discover", "src", "none/below"],
        1,
        &["the destination none/below does not exist", "--create-destination"],
    );
    let said = place.run(&["discover", "src", "none/below", "--create-destination", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(place.path("none/below").is_dir());
}

#[test]
fn source_and_destination_that_have_something_in_common() {
    let place = Place::new();
    fs::create_dir(place.path("src/inner")).unwrap();
    symlink("src", place.path("link")).unwrap();
    refused(&place, &["discover", "src", "src/../src"], 1, &["source and destination are the same place"]);
    refused(&place, &["discover", "src", "link"], 1, &["source and destination are the same place"]);
    refused(&place, &["discover", "src", "src/inner"], 1, &["the destination", "is inside the source"]);
    refused(&place, &["discover", "link/inner", "src"], 1, &["the source", "is inside the destination"]);
    refused(&place, &["discover", "src", "src/new/er", "--create-destination"], 1, &["is inside the source"]);
    refused(&place, &["discover", "spectra:primary?config=none.json", "dst"], 1, &["none.json"]);
}

#[test]
fn a_simulator_that_is_configured_wrongly() {
    let place = Place::new();
    let with = |text: &str| {
        place.file("config.json", text);
        ["discover", "spectra:primary?config=config.json", "spectra:s1?config=config.json"]
    };
    refused(&place, &with("{ nonsense"), 1, &["config.json"]);
    refused(&place, &with(r#"{ "seed": { "depth": 3 } }"#), 1, &["config.json", "depth"]);
    refused(&place, &with(r#"{ "seed": { "max_depth": -1 } }"#), 1, &["config.json", "max_depth"]);
    refused(&place, &with(r#"{ "secondary_tables": { "s1": 1.5 } }"#), 1, &["config.json", "s1", "1.5"]);
    refused(&place, &with(r#"{ "mode": "ephemeral" }"#), 1, &["s1", "primary"]);
    refused(&place, &["spectra", "tree", "--config", "none.json"], 1, &["none.json"]);
}

#[test]
fn a_ledger_that_exists() {
    let place = Place::new();
    fs::create_dir(place.path("other")).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    let ledger = ["--ledger", "ledger.duckdb"];
    let with = |arguments: &[&'static str]| [arguments, &ledger].concat();
    refused(&place, &with(&["discover", "src", "dst"]), 1, &["ledger.duckdb exists already", "--resume", "--ledger"]);
    refused(&place, &with(&["discover", "src", "other"]), 1, &["belongs to the migration of", "/dst"]);
}

#[test]
fn a_ledger_that_is_none() {
    let place = Place::new();
    place.file("ledger.duckdb", "this is no database, however long it may be");
    for arguments in [&["discover", "src", "dst"][..], &["status"], &["query", "SELECT 1"]] {
        let arguments = [arguments, &["--ledger", "ledger.duckdb"]].concat();
        refused(&place, &arguments, 1, &["ledger.duckdb is not a Longhaul ledger", "--ledger"]);
    }
    place.file("empty.duckdb", "");
    refused(&place, &["status", "--ledger", "empty.duckdb"], 1, &["empty.duckdb is not a Longhaul ledger", "empty"]);
    refused(&place, &["status", "--ledger", "none.duckdb"], 1, &["none.duckdb does not exist", "longhaul discover"]);
    refused(
        &place,
        &["discover", "src", "dst", "--ledger", "no/such/folder.duckdb"],
        1,
        &["no/such/folder.duckdb", "cannot be written"],
    );
}

#[test]
fn a_ledger_inside_of_what_is_listed() {
    let place = Place::new();
    refused(&place, &["discover", "src", "dst", "--ledger", "src/ledger.duckdb"], 1, &["is inside", "--ledger"]);
    refused(&place, &["discover", "src", "dst", "--ledger", "dst/ledger.duckdb"], 1, &["is inside", "--ledger"]);
}

#[test]
fn a_ledger_that_is_in_use() {
    let place = Place::new();
    place.file(
        "slow.json",
        r#"{ "mode": "ephemeral", "seed": { "max_depth": 9, "min_folders": 3, "max_folders": 3 },
             "secondary_tables": { "s1": 1.0 }, "chaos": { "latency": { "list_children_ms": 100 } } }"#,
    );
    let mut running = std::process::Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .current_dir(place.path("."))
        .args(["discover", "spectra:primary?config=slow.json", "spectra:s1?config=slow.json", "-v"])
        .args(["--ledger", "ledger.duckdb"])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // It logs that it lists once the ledger is open.
    let mut log = running.stderr.take().unwrap();
    let mut first = [0; 16];
    log.read_exact(&mut first).unwrap();
    let said = place.run(&["query", "FROM src_nodes", "--ledger", "ledger.duckdb"]);
    let again = place.discover(&[]);
    running.kill().unwrap();
    running.wait().unwrap();
    assert_refused(&said, 1, &["ledger.duckdb is in use by another process", "PID"]);
    assert_refused(&again, 1, &["ledger.duckdb is in use by another process"]);
}

#[test]
fn a_ledger_of_a_later_version() {
    let place = Place::new();
    assert_eq!(place.discover(&[]).code, Some(0));
    let path = place.ledger();
    let ledger = duckdb::Connection::open(&path).unwrap();
    ledger.execute_batch("UPDATE migration SET schema_version = 999, longhaul_version = '9.9.9'").unwrap();
    drop(ledger);
    refused(&place, &["status", "--ledger", "ledger.duckdb"], 1, &["was made by Longhaul 9.9.9", "use that version"]);
}

#[test]
fn a_disk_that_is_full() {
    let place = Place::new();
    place.file(
        "large.json",
        r#"{ "mode": "ephemeral", "seed": { "max_depth": 5, "min_folders": 8, "max_folders": 8, "min_files": 9, "max_files": 9 },
             "secondary_tables": { "s1": 0.5 } }"#,
    );
    // No file of this process may become larger than 2.5 MiB, where an empty ledger has 1.7.
    let output = std::process::Command::new("bash")
        .current_dir(place.path("."))
        .args(["-c", "ulimit -f 2560; exec \"$@\"", "bash"])
        .arg(assert_cmd::cargo::cargo_bin("longhaul"))
        .args(["discover", "spectra:primary?config=large.json", "spectra:s1?config=large.json"])
        .args(["--ledger", "ledger.duckdb"])
        .output()
        .unwrap();
    let said = Said::from(output);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    assert!(said.err.contains("suspended: no space left for the ledger"), "{}", said.err);
    assert!(said.err.contains("what was committed before is safe in ledger.duckdb"), "{}", said.err);
    let status = place.run(&["status", "--json", "--ledger", "ledger.duckdb"]);
    assert_eq!(status.code, Some(0), "the ledger can be read: {}", status.err);
}

#[test]
fn wrong_usage() {
    let place = Place::new();
    let before = place.everything();
    for (arguments, part) in [
        (&[][..], "Usage"),
        (&["discover"], "SRC"),
        (&["discover", "src"], "DST"),
        (&["discover", "src", "dst", "--workers", "0"], "1..=1024"),
        (&["discover", "", "dst"], "empty location"),
        (&["discover", "ftp://host/x", "dst"], "no store is known for ftp"),
        (&["discover", "spectra:", "dst"], "spectra:WORLD"),
        (&["--scenario", "none"], "none"),
        (&["no-such-command"], "no-such-command"),
        (&["status", "-v", "-q"], "cannot be used with"),
    ] {
        let said = place.run(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}: {}", said.err);
        assert!(said.err.contains(part), "{arguments:?}: {}", said.err);
    }
    assert_eq!(place.everything(), before);
}

#[test]
fn a_query_that_is_wrong_or_writes() {
    let place = Place::new();
    place.discover(&[]);
    let said = place.run(&["query", "SELEKT", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("SELEKT"), "{}", said.err);
    let said = place.run(&["query", "DELETE FROM src_nodes", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("only read"), "{}", said.err);
}
