//! Asking a run how far it has come.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use crate::program::Place;

const SLOW: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 9, "min_folders": 3, "max_folders": 3, "min_files": 2, "max_files": 5 },
    "secondary_tables": { "s1": 0.8 },
    "chaos": { "latency": { "list_children_ms": 50 } }
}"#;

/// A run that takes for ever, once it answers.
pub(crate) fn running(place: &Place, options: &[&str]) -> Child {
    place.file("slow.json", SLOW);
    let child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .current_dir(place.path("."))
        .args(["discover", "spectra:primary?config=slow.json", "spectra:s1?config=slow.json"])
        .args(["--ledger", "ledger.duckdb", "-q"])
        .args(options)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while place.run(&["status", "--ledger", "ledger.duckdb"]).code != Some(0) {}
    child
}

#[test]
fn a_run_tells_how_far_it_has_come() {
    let place = Place::new();
    let mut child = running(&place, &[]);
    let mode = place.path("ledger.duckdb.sock").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the socket is its owner's only");
    let said = place.run(&["status", "--json", "--ledger", "ledger.duckdb"]);
    let live: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(live["pid"], child.id());
    assert!(live["progress"]["src"]["nodes"].is_u64(), "{}", said.out);
    let said = place.run(&["status", "--ledger", "ledger.duckdb"]);
    assert!(said.out.contains(&format!("in process {}", child.id())), "{}", said.out);

    let again = place.run(&["discover", "--resume", "--ledger", "ledger.duckdb"]);
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("is in use by another process"), "{}", again.err);
    assert!(again.err.contains(&child.id().to_string()), "{}", again.err);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn watching_ends_with_the_run() {
    let place = Place::new();
    let mut child = running(&place, &[]);
    let watching = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .current_dir(place.path("."))
        .args(["status", "--watch", "--ledger", "ledger.duckdb"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!place.path("ledger.duckdb.sock").exists(), "the socket is gone with the run");
    let output = watching.wait_with_output().unwrap();
    assert!(output.status.success());
    let out = String::from_utf8(output.stdout).unwrap();
    assert!(out.contains("phase        suspended: interrupted"), "{out}");
}

#[test]
fn a_socket_that_a_dead_run_left_is_in_nobody_s_way() {
    let place = Place::new();
    let mut child = running(&place, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.path("ledger.duckdb.sock").exists());
    assert!(place.run(&["status", "--ledger", "ledger.duckdb"]).out.contains("phase        traversing"));
    let mut child = running(&place, &[]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_store_that_is_away_suspends_the_run_and_fails_nothing() {
    let place = Place::new();
    let config = |faults: &str| {
        format!(
            r#"{{ "mode": "ephemeral", "seed": {{ "max_depth": 3, "min_folders": 3, "max_folders": 3 }},
                 "secondary_tables": {{ "s1": 1.0 }}, "chaos": {{ "faults": [{faults}] }} }}"#
        )
    };
    place.file("away.json", &config(r#"{ "operation": "list_children", "world": "s1", "error": "transient" }"#));
    let said = place.run(&[
        "discover",
        "spectra:primary?config=away.json",
        "spectra:s1?config=away.json",
        "--ledger",
        "ledger.duckdb",
        "--give-up-after",
        "1",
    ]);
    assert_eq!(said.code, Some(1), "{}", said.out);
    assert!(said.err.contains("suspended: destination /: "), "{}", said.err);
    assert!(said.err.contains("and nothing else for"), "{}", said.err);
    assert_eq!(place.query("SELECT count(*) AS failed FROM problems"), ["0"]);
    assert_eq!(place.query("SELECT phase FROM migration"), ["suspended"]);
    place.file("away.json", &config(""));
    let said = place.run(&["discover", "--resume", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
}

#[test]
fn a_folder_that_fails_alone_is_failed_however_long_one_would_wait_for_the_store() {
    let place = Place::new();
    place.file(
        "one.json",
        r#"{ "mode": "ephemeral", "seed": { "max_depth": 2, "min_folders": 1, "max_folders": 1 },
             "secondary_tables": { "s1": 1.0 },
             "chaos": { "faults": [{ "operation": "list_children", "path": "/folder_1", "error": "transient" }] } }"#,
    );
    let said = place.run(&[
        "discover",
        "spectra:primary?config=one.json",
        "spectra:s1?config=one.json",
        "--ledger",
        "ledger.duckdb",
        "--workers",
        "1",
    ]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    assert_eq!(
        place.query("SELECT side, path, class, attempts FROM problems ORDER BY side"),
        ["src|/folder_1|transient|5", "dst|/folder_1|blocked|0"]
    );
}
