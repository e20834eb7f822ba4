//! Copies of a ledger, also of one that is being written.

use std::process::{Child, Command};

use crate::program::Place;
use crate::status::running;

const COUNT: &str = "SELECT count(*) FROM src_status";

fn end(mut child: Child) {
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_ledger_is_backed_up_while_a_run_has_it_open_and_afterwards() {
    let place = Place::new();
    let child = running(&place, &[]);
    let said = place.run(&["backup", "copy.duckdb", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("backed up ledger ledger.duckdb to copy.duckdb: "), "{}", said.out);
    let said = place.run(&["status", "--ledger", "copy.duckdb"]);
    assert!(said.out.contains("phase        traversing"), "as after a kill at that moment: {}{}", said.out, said.err);
    let said = place.run(&["backup", "copy.duckdb", "--ledger", "ledger.duckdb"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), "longhaul: copy.duckdb exists already: replace it with --force\n")
    );
    let said = place.run(&["backup", "no/such/folder", "--ledger", "ledger.duckdb"]);
    assert!(said.err.contains("cannot be written (No such file or directory"), "{}", said.err);
    // The run is none the worse for it.
    end(child);
    let said = place.run(&["backup", "copy.duckdb", "--force", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let nodes = |ledger: &str| place.run(&["query", COUNT, "--ledger", ledger]).out;
    assert_eq!(nodes("copy.duckdb"), nodes("ledger.duckdb"));
    let said = place.run(&["backup", "other.duckdb", "--ledger", "nothing.duckdb"]);
    assert!(said.err.contains("ledger nothing.duckdb does not exist"), "{}", said.err);
    assert!(!place.path("other.duckdb").exists());
}

#[test]
fn a_run_backs_its_ledger_up_again_and_again() {
    let place = Place::new();
    let child = running(&place, &["--backup-every", "0.001"]);
    let backup = place.path("ledger.duckdb.backup");
    let made = || backup.metadata().and_then(|found| found.modified()).ok();
    while made().is_none() {
        std::thread::yield_now();
    }
    let first = made();
    while made() == first {
        std::thread::yield_now();
    }
    end(child);
    let said = place.run(&["status", "--ledger", "ledger.duckdb.backup"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.run(&["discover", "--resume", "--ledger", "ledger.duckdb", "--backup-every", "no"]).code, Some(2));
}
