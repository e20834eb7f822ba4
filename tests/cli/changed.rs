//! Files that are not any more what they were when they were listed, and files that change while they are copied.

use std::fs;
use std::io::Write;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::program::Place;

const COPIED_SIZES: &str = "SELECT path, c.size FROM copied c JOIN src_status s ON s.id = c.src_id ORDER BY path";

#[test]
fn a_file_is_copied_as_it_is_when_its_turn_comes() {
    let place = Place::new();
    let long = "longer than it was ".repeat(10_000);
    // Large files go in parts; that is decided by the size that was listed.
    let large = "large ".repeat(500_000);
    let cases = [
        ("shrinks", long.as_str(), "short"),
        ("grows", "short", long.as_str()),
        ("same size", "abc", "xyz"),
        ("becomes empty", "abc", ""),
        ("was empty", "", "abc"),
        ("large shrinks", &large, "short"),
        ("large grows", &large, &format!("{large}more")),
        ("becomes large", "short", &large),
    ];
    for (name, listed, _) in cases {
        place.file(&format!("src/{name}"), listed);
        place.set_modified(&format!("src/{name}"), 1_000);
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    for (name, _, copied) in cases {
        place.file(&format!("src/{name}"), copied);
    }
    let said = place.on_ledger(&["copy", "--approve", "--large-from", "1"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    for (name, _, copied) in cases {
        assert!(place.contents(&format!("dst/{name}")) == copied, "{name}");
    }
    // What the ledger has of a copy is what was copied.
    let mut sizes: Vec<_> = cases.iter().map(|(name, _, copied)| format!("/{name}|{}", copied.len())).collect();
    sizes.sort();
    assert_eq!(place.query(COPIED_SIZES), sizes);
    let said = place.on_ledger(&["verify", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}", said.out);
}

#[test]
fn a_file_that_somebody_keeps_writing_to_fails_and_leaves_nothing() {
    let place = Place::new();
    place.file("src/log", &"line\n".repeat(8_000_000));
    place.file("src/quiet", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    let (is_over, is_writing) = (AtomicBool::new(false), Barrier::new(2));
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut log = fs::File::options().append(true).open(place.path("src/log")).unwrap();
            is_writing.wait();
            while !is_over.load(Ordering::Relaxed) {
                log.write_all(b"line\n").unwrap();
                std::thread::sleep(Duration::from_micros(200));
            }
        });
        is_writing.wait();
        let said = place.on_ledger(&["copy", "--approve"]);
        is_over.store(true, Ordering::Relaxed);
        said
    });
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""), "{}", said.out);
    assert_eq!(
        place.query("SELECT path, class, message FROM problems"),
        ["/log|transient|the file changed while it was read"]
    );
    let names: Vec<_> = fs::read_dir(place.path("dst")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["quiet"]);
}
