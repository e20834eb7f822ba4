//! `copy` where it cannot go well: one clear line, nothing half done.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program::Place;

#[test]
fn there_is_no_copy_without_a_ledger_or_before_discovery_is_complete() {
    let place = Place::new();
    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("does not exist"), "{}", said.err);
    let said = place.on_ledger(&["verify"]);
    assert_eq!(said.code, Some(1));
    place.file("src/a", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = place.on_ledger(&["verify"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("copying is not complete"), "{}", said.err);
}

#[test]
fn a_plan_that_does_not_fit_is_refused_with_both_numbers() {
    let place = Place::new();
    let size = 1 << 42;
    fs::File::create(place.path("src/vast")).unwrap().set_len(size).unwrap();
    place.file("src/small", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains(&format!("{} bytes", size + 1)) && said.err.contains("--force"), "{}", said.err);
    assert_eq!(fs::read_dir(place.path("dst")).unwrap().count(), 0, "nothing was begun");
    assert_eq!(place.query("SELECT phase FROM migration"), ["review"]);
}

#[test]
fn a_destination_that_is_gone_or_a_file_is_refused() {
    let place = Place::new();
    place.file("src/a", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    fs::remove_dir(place.path("dst")).unwrap();
    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("the destination") && said.err.contains("does not exist"), "{}", said.err);
    fs::write(place.path("dst"), "a file").unwrap();
    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("not a folder"), "{}", said.err);
}

#[test]
fn a_source_that_is_gone_meanwhile_is_vanished_and_told_by_the_exit_code() {
    let place = Place::new();
    place.file("src/gone", "1");
    place.file("src/folder/below", "2");
    place.file("src/stays", "3");
    assert_eq!(place.discover(&[]).code, Some(0));
    fs::remove_file(place.path("src/gone")).unwrap();
    fs::remove_dir_all(place.path("src/folder")).unwrap();
    let said = place.on_ledger(&["copy", "--approve", "--json"]);
    assert_eq!(said.code, Some(3));
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["src"]["left_undone"], 3);
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status WHERE depth > 0 ORDER BY path"),
        ["/folder|vanished", "/folder/below|vanished", "/gone|vanished", "/stays|successful"]
    );
    assert_eq!(place.on_ledger(&["verify"]).code, Some(3));
}

#[test]
fn a_copy_that_was_begun_is_gone_on_with_only_if_somebody_says_so() {
    let place = Place::new();
    place.file("src/a", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    fs::set_permissions(place.path("src/a"), fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        place.on_ledger(&["copy", "--approve", "--resume"]).code,
        Some(0),
        "there is nothing to be resumed, and it begins"
    );
    let said = place.on_ledger(&["copy", "--approve", "--durability", "never"]);
    assert_eq!(said.code, Some(2));
}
