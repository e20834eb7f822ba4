//! A destination that becomes full while it is copied to: nothing is half there, and more room is all that it takes.

use std::fs;
use std::path::Path;

use crate::mounted::Mounted;
use crate::program::{Place, Said};

/// Three folders with so many files each, of so many bytes.
fn fill_source(place: &Place, files: usize, bytes: usize) {
    for folder in ["a", "b", "c"] {
        for number in 0..files {
            let contents: String = format!("{folder}{number} ").chars().cycle().take(bytes).collect();
            place.file(&format!("src/{folder}/file {number}"), &contents);
        }
    }
}

/// That each file of the destination is whole, and one of the source. Returns how many there are.
fn assert_whole(place: &Place) -> usize {
    let (src, dst) = (place.path("src"), place.path("dst"));
    let all = place.everything();
    let files = all.iter().filter_map(|path| path.strip_prefix(&dst).ok()).filter(|path| dst.join(path).is_file());
    files
        .map(|path| assert!(fs::read(src.join(path)).ok() == fs::read(dst.join(path)).ok(), "{}", path.display()))
        .count()
}

/// One line, and what to do.
fn assert_suspended(said: &Said, command: &str) {
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    let go_on = format!("when that is mended, go on with: longhaul {command} --resume --ledger ledger.duckdb");
    for part in ["longhaul: suspended: destination /", "No space left on device", go_on.as_str()] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

fn assert_complete(place: &Place) {
    let said = place.on_ledger(&["verify", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert!(said.out.contains("0 differences"), "{}", said.out);
    assert!(place.query("FROM problems").is_empty());
}

fn has_temporary(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with(".longhaul"))
}

#[test]
fn a_destination_without_room_suspends_the_copy_and_fails_nothing() {
    let place = Place::new();
    let Some(small) = Mounted::tmpfs(&place.path("dst"), "size=1m") else { return };
    fill_source(&place, 10, 100_000);
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_suspended(&place.on_ledger(&["copy", "--approve", "--force"]), "copy");
    let copied = assert_whole(&place);
    assert!((1..30).contains(&copied), "{copied} files");
    assert_eq!(place.query("SELECT phase FROM migration"), ["suspended"]);
    assert_eq!(
        place.query("SELECT DISTINCT copy_status FROM src_status ORDER BY 1"),
        ["pending", "successful", "already_existed"]
    );

    let said = place.on_ledger(&["copy", "--approve", "--resume"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("make room, or go on with --force"), "{}", said.err);
    small.remount("size=16m");
    let said = place.on_ledger(&["copy", "--approve", "--resume"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(assert_whole(&place), 30);
    assert_complete(&place);
}

#[test]
fn a_destination_that_takes_no_more_names_suspends_the_migration() {
    let place = Place::new();
    let Some(small) = Mounted::tmpfs(&place.path("dst"), "nr_inodes=20") else { return };
    fill_source(&place, 10, 10);
    assert_suspended(&place.run(&["migrate", "src", "dst", "--ledger", "ledger.duckdb"]), "migrate");
    assert!((1..20).contains(&assert_whole(&place)));
    let said = place.on_ledger(&["migrate", "--resume"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    small.remount("nr_inodes=1000");
    let said = place.on_ledger(&["migrate", "--resume"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(assert_whole(&place), 30);
    assert_complete(&place);
}

#[test]
fn a_large_file_without_room_is_not_there_until_it_is_whole() {
    let place = Place::new();
    let Some(small) = Mounted::tmpfs(&place.path("dst"), "size=2m") else { return };
    let bytes: Vec<u8> = (0..=250_u8).cycle().take(6_000_000).collect();
    fs::write(place.path("src/large"), &bytes).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_suspended(&place.on_ledger(&["copy", "--approve", "--force", "--large-from", "1"]), "copy");
    assert!(!place.path("dst/large").exists());
    small.remount("size=16m");
    let said = place.on_ledger(&["copy", "--approve", "--resume"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert!(fs::read(place.path("dst/large")).unwrap() == bytes);
    assert!(!has_temporary(&place.path("dst")), "{:?}", place.everything());
    assert_complete(&place);
}

#[test]
fn a_copy_that_is_forced_again_and_again_without_room_loses_nothing() {
    let place = Place::new();
    let Some(_small) = Mounted::tmpfs(&place.path("dst"), "size=1m") else { return };
    fill_source(&place, 10, 100_000);
    assert_eq!(place.discover(&[]).code, Some(0));
    for _ in 0..3 {
        let said = place.on_ledger(&["copy", "--approve", "--force", "--resume"]);
        assert_suspended(&said, "copy");
        assert_whole(&place);
    }
    let status = place.on_ledger(&["status"]);
    assert_eq!(status.code, Some(0));
    assert!(status.out.contains("phase        suspended: destination /"), "{}", status.out);
}
