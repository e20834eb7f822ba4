//! Interrupting and killing a run, and going on.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::program::Place;

/// 364 folders on the source, some of which the destination has; 10 ms a listing.
const SLOW: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 5, "min_folders": 3, "max_folders": 3, "min_files": 2, "max_files": 5 },
    "secondary_tables": { "s1": 0.8 },
    "chaos": { "latency": { "list_children_ms": 10, "jitter_ms": 5 } }
}"#;

const LOCATIONS: [&str; 2] = ["spectra:primary?config=slow.json", "spectra:s1?config=slow.json"];

const EVERYTHING: &str = "
    SELECT 'src', path, kind, size, modified_ns, depth, traversal_status, copy_status, attempts, error FROM src_status
    UNION ALL
    SELECT 'dst', path, kind, size, modified_ns, depth, traversal_status, NULL, attempts, error FROM dst_status
    ORDER BY ALL";

fn place() -> Place {
    let place = Place::new();
    place.file("slow.json", SLOW);
    place
}

/// Starts a run with two Listers a side, and waits until it lists.
fn start(place: &Place, arguments: &[&str]) -> Child {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .current_dir(place.path("."))
        .arg("discover")
        .args(arguments)
        .args(["--ledger", "ledger.duckdb", "--workers", "2", "-v"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(log.any(|line| line.unwrap().contains("traversing")), "it begins to list");
    // What it has to say must not stop it.
    std::thread::spawn(move || log.for_each(drop));
    child
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn uninterrupted() -> Vec<String> {
    let place = place();
    let said = place.run(&["discover", LOCATIONS[0], LOCATIONS[1], "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    place.query(EVERYTHING)
}

#[test]
fn an_interrupted_run_goes_on_and_ends_like_any_other() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = place();
        let mut child = start(&place, &LOCATIONS);
        send(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(place.query("SELECT phase, phase_reason FROM migration"), ["suspended|interrupted"]);
        assert!(!place.path("ledger.duckdb.wal").exists(), "the log was brought into the file");
        let said = place.run(&["discover", "--resume", "--ledger", "ledger.duckdb"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(place.query(EVERYTHING), uninterrupted());
    }
}

#[test]
fn a_killed_run_goes_on_and_ends_like_any_other() {
    let place = place();
    for resumed in [false, true, true] {
        let mut child = start(&place, if resumed { &["--resume"] } else { &LOCATIONS });
        send(&child, "KILL");
        child.wait().unwrap();
    }
    let said = place.run(&["discover", "--resume", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query(EVERYTHING), uninterrupted());
    assert_eq!(place.query("SELECT count(*) AS runs FROM runs"), ["4"]);
}

#[test]
fn a_second_interrupt_leaves_at_once_and_loses_nothing() {
    let place = place();
    let mut child = start(&place, &LOCATIONS);
    send(&child, "INT");
    send(&child, "TERM");
    let code = child.wait().unwrap().code();
    assert!(matches!(code, Some(130 | 143)), "{code:?}");
    let said = place.run(&["discover", "--resume", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query(EVERYTHING), uninterrupted());
}

#[test]
fn an_interrupt_says_how_far_it_came_and_how_to_go_on() {
    let place = place();
    let program = assert_cmd::cargo::cargo_bin("longhaul");
    let output = Command::new("timeout")
        .current_dir(place.path("."))
        .args(["--preserve-status", "-s", "INT", "0.5"])
        .arg(program)
        .args(["discover", LOCATIONS[0], LOCATIONS[1], "--ledger", "ledger.duckdb", "--workers", "1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(130));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("folders are still to be listed"), "{message}");
    assert!(message.contains("go on with: longhaul discover --resume --ledger ledger.duckdb"), "{message}");
}

#[test]
fn a_complete_migration_has_nothing_to_go_on_with() {
    let place = Place::new();
    assert_eq!(place.discover(&[]).code, Some(0));
    let before = std::fs::read(place.ledger()).unwrap();
    let said = place.run(&["discover", "--resume", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0));
    assert!(said.err.contains("nothing to do: discovery is complete"), "{}", said.err);
    assert_eq!(std::fs::read(place.ledger()).unwrap(), before);
}

#[test]
fn the_locations_are_the_ledger_s() {
    let place = Place::new();
    std::fs::create_dir(place.path("other")).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    let resume = |more: &[&str]| place.run(&[&["discover", "--resume", "--ledger", "ledger.duckdb"], more].concat());
    assert_eq!(resume(&["src", "dst"]).code, Some(0), "the same may be given");
    let said = resume(&["src", "other"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("the destination cannot be changed: the ledger has"), "{}", said.err);
    let said = resume(&["--one-file-system"]);
    assert!(said.err.contains("the mount points cannot be changed"), "{}", said.err);
    let said = place.run(&["discover", "--resume", "--ledger", "none.duckdb"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("none.duckdb does not exist"), "{}", said.err);
}

#[test]
fn a_complete_migration_with_failures_still_says_so() {
    let place = Place::new();
    place.file(
        "denied.json",
        r#"{ "mode": "ephemeral", "seed": { "max_depth": 2, "min_folders": 1, "max_folders": 1 },
             "secondary_tables": { "s1": 1.0 },
             "chaos": { "faults": [{ "operation": "list_children", "path": "/folder_1", "error": "denied" }] } }"#,
    );
    let locations = ["spectra:primary?config=denied.json", "spectra:s1?config=denied.json"];
    assert_eq!(place.run(&["discover", locations[0], locations[1], "--ledger", "ledger.duckdb"]).code, Some(3));
    assert_eq!(place.run(&["discover", "--resume", "--ledger", "ledger.duckdb"]).code, Some(3));
}
