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
    assert_eq!(said.code, Some(3), "{}", said.err);
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

/// A migration that ends before anything is copied, as it would be if it were killed then.
fn begun(more: &[&str]) -> Place {
    let place = Place::new();
    place.file("src/fine", "1");
    place.file("src/clash/below", "2");
    place.file("dst/clash", "a file");
    assert_eq!(place.run(&[&MIGRATE, more].concat()).code, Some(1));
    place
}

#[test]
fn what_was_chosen_when_it_began_is_kept_to_when_it_goes_on() {
    let place = begun(&["--level", "full", "--durability", "file"]);
    assert_eq!(place.on_ledger(&["migrate", "--resume", "--yes"]).code, Some(3));
    assert_eq!(
        place.query("SELECT regexp_extract(copy_settings, 'durability.:.([a-z]+)', 1) AS it FROM migration"),
        ["file"]
    );
    assert_eq!(place.query("SELECT value FROM stats WHERE name = 'verify_level'"), ["2"]);
    // The one that was there before is read as well: that is what the level says.
    assert_eq!(place.query("SELECT value FROM stats WHERE name = 'verified_bytes_read'"), ["1"]);
}

#[test]
fn something_else_than_what_was_chosen_when_it_began_is_refused() {
    let place = begun(&["--level", "full", "--durability", "file"]);
    for other in [["--level", "size"], ["--durability", "batch"]] {
        let said = place.on_ledger(&[&["migrate", "--resume", "--yes"], &other[..]].concat());
        assert_eq!(said.code, Some(1), "{other:?}");
        assert!(said.err.contains("the way of copying cannot be changed"), "{}", said.err);
        assert!(!place.path("dst/fine").exists());
    }
    let same = ["migrate", "--resume", "--yes", "--level", "full", "--durability", "file"];
    assert_eq!(place.on_ledger(&same).code, Some(3));
}

#[test]
fn what_was_left_open_when_it_began_can_be_chosen_when_it_goes_on() {
    let place = begun(&[]);
    assert_eq!(place.on_ledger(&["migrate", "--resume", "--yes", "--level", "checksum"]).code, Some(3));
    assert_eq!(place.query("SELECT value FROM stats WHERE name = 'verify_level'"), ["1"]);
}
