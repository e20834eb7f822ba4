//! `verify`: what it finds, and at which level.

use std::fs;

use crate::program::{Place, Said};

fn migrated() -> Place {
    let place = Place::new();
    place.file("src/file", "1234");
    place.file("src/folder/below", "5");
    place.file_on_both("before", "6");
    assert_eq!(place.run(&["migrate", "src", "dst", "--ledger", "ledger.duckdb"]).code, Some(0));
    place
}

fn verify(place: &Place, level: &str) -> Said {
    place.on_ledger(&["verify", "--level", level])
}

#[test]
fn a_migration_that_went_well_is_complete_at_every_level() {
    let place = migrated();
    for level in ["size", "checksum", "full"] {
        let said = verify(&place, level);
        assert_eq!(said.code, Some(0), "{level}: {}", said.out);
        assert!(said.out.contains("0 differences"), "{level}: {}", said.out);
    }
    assert_eq!(place.query("SELECT phase FROM migration"), ["complete"]);
}

#[test]
fn what_is_gone_or_of_another_size_is_found_by_listing() {
    let place = migrated();
    place.file("dst/file", "12345");
    fs::remove_dir_all(place.path("dst/folder")).unwrap();
    let said = verify(&place, "size");
    assert_eq!(said.code, Some(3));
    assert_eq!(
        place.query("SELECT path, phase, message FROM problems ORDER BY path"),
        [
            "/file|verifying|it should have 4 bytes and has 5",
            "/folder|verifying|it is not there",
            "/folder/below|verifying|the folder that it is in is not there: No such file or directory (os error 2)",
        ]
    );
}

#[test]
fn other_contents_of_the_same_size_and_time_are_found_by_reading_back() {
    let place = migrated();
    let time = place.path("dst/file").metadata().unwrap().modified().unwrap();
    place.file("dst/file", "1243");
    fs::File::options().append(true).open(place.path("dst/file")).unwrap().set_modified(time).unwrap();
    assert_eq!(verify(&place, "size").code, Some(0));
    assert_eq!(verify(&place, "checksum").code, Some(3));
    assert_eq!(place.query("SELECT path FROM problems"), ["/file"]);
}

#[test]
fn what_was_there_before_is_compared_at_the_highest_level() {
    let place = migrated();
    let time = place.path("dst/before").metadata().unwrap().modified().unwrap();
    place.file("dst/before", "7");
    fs::File::options().append(true).open(place.path("dst/before")).unwrap().set_modified(time).unwrap();
    assert_eq!(verify(&place, "checksum").code, Some(0));
    assert_eq!(verify(&place, "full").code, Some(3));
    assert_eq!(place.query("SELECT path, message FROM problems"), ["/before|its contents are not those of the source"]);
}

#[test]
fn a_later_verification_forgets_what_an_earlier_one_found() {
    let place = migrated();
    place.file("dst/file", "12345");
    assert_eq!(verify(&place, "size").code, Some(3));
    fs::copy(place.path("src/file"), place.path("dst/file")).unwrap();
    let time = place.path("src/file").metadata().unwrap().modified().unwrap();
    fs::File::options().append(true).open(place.path("dst/file")).unwrap().set_modified(time).unwrap();
    assert_eq!(verify(&place, "checksum").code, Some(0));
    assert!(place.query("FROM differences").is_empty());
}

/// The policy may be to leave the destination's file: then it still is not what was copied.
#[test]
fn what_verification_found_stays_known_where_a_refresh_finds_it_too() {
    let place = Place::new();
    place.file("src/file", "1234");
    let said = place.run(&["migrate", "src", "dst", "--ledger", "ledger.duckdb", "--on-conflict", "skip"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    place.file("dst/file", "12345");
    assert_eq!(verify(&place, "size").code, Some(3));
    let said = place.on_ledger(&["refresh", "--json"]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["verified"]["nodes"], 0);
    assert_eq!(report["verified"]["differences"], 1);
    assert_eq!(place.query("SELECT path, class, attempts FROM problems"), ["/file|different|1"]);
}

/// Between the copy and the verification: there is nothing yet that could be gone on with.
#[test]
fn a_verification_that_has_not_begun_is_not_gone_on_with_but_done_as_closely_as_is_asked() {
    let place = Place::new();
    place.file("src/one", "one");
    place.file("src/two", "two");
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    // The same size and time, and other bytes.
    let modified = std::fs::metadata(place.path("dst/two")).unwrap().modified().unwrap();
    place.file("dst/two", "twX");
    std::fs::File::options().append(true).open(place.path("dst/two")).unwrap().set_modified(modified).unwrap();
    let said = place.on_ledger(&["verify", "--resume", "--level", "checksum"]);
    assert_eq!(said.code, Some(3), "{}", said.out);
    assert_eq!(verify(&place, "size").code, Some(0));
    let said = place.on_ledger(&["verify", "--resume"]);
    assert!(said.err.contains("nothing to do"), "{}", said.err);
    assert_eq!(place.on_ledger(&["verify", "--resume", "--level", "checksum"]).code, Some(3), "closer than before");

    // An earlier verification says nothing of what has been copied since.
    std::fs::remove_file(place.path("dst/two")).unwrap();
    std::fs::remove_file(place.path("dst/one")).unwrap();
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(3), "what was found to be different still is");
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    std::fs::remove_file(place.path("dst/one")).unwrap();
    assert_eq!(place.on_ledger(&["verify", "--resume"]).code, Some(3));
    assert_eq!(place.query("SELECT path FROM problems"), ["/one"]);
}

#[test]
fn what_was_copied_without_a_checksum_is_compared_with_the_source() {
    for options in [&["--checksum", "off"][..], &["--preserve", "hard-links"]] {
        let place = Place::new();
        place.file("src/file", "1234");
        fs::hard_link(place.path("src/file"), place.path("src/other name")).unwrap();
        let said = place.run(&[&["migrate", "src", "dst", "--ledger", "ledger.duckdb"], options].concat());
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(verify(&place, "checksum").code, Some(0));
        let time = place.path("dst/file").metadata().unwrap().modified().unwrap();
        for name in ["dst/file", "dst/other name"] {
            fs::remove_file(place.path(name)).unwrap();
            place.file(name, "1243");
            fs::File::options().append(true).open(place.path(name)).unwrap().set_modified(time).unwrap();
        }
        assert_eq!(verify(&place, "checksum").code, Some(3), "{options:?}");
        assert_eq!(place.query("SELECT path FROM problems ORDER BY path"), ["/file", "/other name"], "{options:?}");
    }
}
