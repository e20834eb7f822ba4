//! Destinations that keep times in steps of a second or two.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use crate::mounted::Mounted;
use crate::program::{Place, Said};

/// The kinds of file systems that are tried, as far as this machine can make and mount them.
const KINDS: [(&[&str], &str); 2] = [(&["mkfs.ext2", "-q", "-I", "128"], "ext2"), (&["mkfs.vfat"], "vfat")];

/// What a listing says is there and not the same.
const DIFFER: &str = "SELECT path FROM plan_view WHERE action IN ('overwrite', 'conflict')";

/// Files with times that such a file system does not keep: of them odd seconds.
fn fill_source(place: &Place) {
    for number in 0..20_u32 {
        let name = format!("src/folder {}/file {number}", number % 3);
        place.file(&name, &"x".repeat(number as usize));
        let time = UNIX_EPOCH + Duration::new(1_600_000_000 + u64::from(number), 999_999_999 - number);
        fs::File::options().append(true).open(place.path(&name)).unwrap().set_modified(time).unwrap();
    }
}

fn assert_done(said: &Said) {
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
}

fn with_each_kind(check: impl Fn(&Place, &str)) {
    for (make, kind) in KINDS {
        let place = Place::new();
        let Some(_mounted) = Mounted::image(&place.path("image"), make, kind, &place.path("dst")) else { continue };
        // What the file system itself has made there.
        let _ = fs::remove_dir(place.path("dst/lost+found"));
        fill_source(&place);
        check(&place, kind);
    }
}

#[test]
fn what_was_copied_to_coarse_times_is_no_difference_and_is_not_copied_again() {
    with_each_kind(|place, kind| {
        assert_done(&place.discover(&[]));
        assert_done(&place.on_ledger(&["copy", "--approve"]));
        assert_done(&place.on_ledger(&["verify", "--level", "full"]));
        let step_ns =
            place.query("SELECT regexp_extract(copy_settings, 'time_step_ns.:([0-9]+)', 1) AS step FROM migration");
        assert_eq!(step_ns, [if kind == "vfat" { "2000000000" } else { "1000000000" }]);
        let said = place.run(&["migrate", "src", "dst", "--ledger", "second.duckdb", "--json"]);
        assert_done(&said);
        let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        assert_eq!(report["src"]["copied"]["nodes"], 0, "{kind}");
        assert_eq!(report["src"]["already_existed"]["nodes"], 24, "{kind}");
    });
}

#[test]
fn a_discovery_that_may_not_write_tells_coarse_times_of_a_destination_nevertheless() {
    with_each_kind(|place, kind| {
        assert_done(&place.run(&["migrate", "src", "dst", "--ledger", "first.duckdb"]));
        assert_done(&place.discover(&["--on-conflict", "ask"]));
        assert!(place.query(DIFFER).is_empty(), "{kind}: nothing differs");
    });
}

#[test]
fn a_file_system_with_fine_times_is_still_compared_exactly() {
    let place = Place::new();
    fill_source(&place);
    assert_done(&place.run(&["migrate", "src", "dst", "--ledger", "first.duckdb"]));
    let first = place.path("first.duckdb");
    assert_eq!(
        place.query_in(
            &first,
            "SELECT regexp_extract(copy_settings, 'time_step_ns.:([0-9]+)', 1) AS step FROM migration"
        ),
        ["1"]
    );
    let time = UNIX_EPOCH + Duration::new(1_600_000_005, 999_999_993);
    fs::File::options().append(true).open(place.path("dst/folder 2/file 5")).unwrap().set_modified(time).unwrap();
    assert_done(&place.discover(&[]));
    assert_eq!(place.query(DIFFER), ["/folder 2/file 5"]);
}
