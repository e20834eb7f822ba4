//! `migrate`: one phase after the other.

use crate::program::Place;

const MIGRATE: [&str; 5] = ["migrate", "src", "dst", "--ledger", "ledger.duckdb"];

#[test]
fn everything_is_listed_copied_and_verified() {
    let place = Place::new();
    place.file("src/a/b", "1");
    let said = place.run(&MIGRATE);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(place.contents("dst/a/b"), "1");
    assert_eq!(place.query("SELECT phase FROM migration"), ["complete"]);
    assert_eq!(
        place.query("SELECT command, outcome FROM runs ORDER BY run"),
        ["discover|complete", "copy|complete", "verify|complete"]
    );
    let again = place.on_ledger(&["migrate", "--resume"]);
    assert_eq!(again.code, Some(0));
    assert!(again.err.contains("nothing to do"), "{}", again.err);
}

#[test]
fn conflicts_are_shown_before_anything_is_copied_and_left_out_if_that_is_what_one_wants() {
    let place = Place::new();
    place.file("src/fine", "1");
    place.file("src/clash/below", "2");
    place.file("dst/clash", "a file");
    let said = place.run(&MIGRATE);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("there are 2 conflicts"), "{}", said.err);
    assert!(said.err.contains("longhaul migrate --resume --yes --ledger ledger.duckdb"), "{}", said.err);
    assert!(!place.path("dst/fine").exists());
    let said = place.on_ledger(&["migrate", "--resume", "--yes"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!((place.contents("dst/fine"), place.contents("dst/clash")), ("1".into(), "a file".into()));
}

#[test]
fn the_ledger_is_not_silently_gone_on_with() {
    let place = Place::new();
    place.file("src/a", "1");
    assert_eq!(place.run(&MIGRATE).code, Some(0));
    let said = place.run(&MIGRATE);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("exists already"), "{}", said.err);
}
