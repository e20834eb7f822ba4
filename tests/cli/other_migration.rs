//! A ledger, and locations that are not those of its migration.

use std::fs;

use crate::program::{Place, Said};

fn assert_refused(said: &Said, parts: &[&str]) {
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    for part in parts {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

fn place() -> Place {
    let place = Place::new();
    place.file("src/file", "1");
    for name in ["other src", "other dst"] {
        fs::create_dir(place.path(name)).unwrap();
        place.file(&format!("{name}/theirs"), "2");
    }
    place
}

/// Every command with a source or a destination that is another one.
fn assert_others_are_refused(place: &Place) {
    let pairs = [["other src", "other dst"], ["other src", "dst"], ["src", "other dst"]];
    for [src, dst] in pairs {
        let what = if src == "src" { "destination" } else { "source" };
        for command in ["discover", "migrate"] {
            assert_refused(
                &place.on_ledger(&[command, src, dst]),
                &["belongs to the migration of ", "/src to ", "/dst"],
            );
            let said = place.on_ledger(&[command, src, dst, "--resume"]);
            assert_refused(&said, &[&format!("the {what} cannot be changed"), "given was ", "/other "]);
        }
    }
}

#[test]
fn a_ledger_goes_on_with_no_other_migration_whatever_its_phase() {
    let place = place();
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_others_are_refused(&place);
    assert_eq!(place.on_ledger(&["migrate", "src/../src", "dst", "--resume"]).code, Some(0));
    assert_eq!(place.query("SELECT phase FROM migration"), ["complete"]);
    assert_others_are_refused(&place);
    let names: Vec<_> =
        fs::read_dir(place.path("other dst")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["theirs"]);
}

#[test]
fn a_ledger_goes_on_with_the_choices_of_its_migration_only() {
    let place = place();
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_refused(
        &place.on_ledger(&["migrate", "--resume", "--compare", "checksum"]),
        &["the comparison cannot be changed"],
    );
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
}
