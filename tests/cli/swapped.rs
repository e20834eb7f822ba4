//! What was listed is something else when it is copied: nothing outside of the two trees is ever read or written.

use std::fs;
use std::os::unix::fs::symlink;

use crate::program::Place;

/// A folder outside of both trees, which nobody may touch.
fn with_outside() -> Place {
    let place = Place::new();
    place.file("outside/secret", "secret");
    place.file("outside/below/secret", "secret");
    place
}

fn assert_outside_is_untouched(place: &Place) {
    let outside = place.path("outside");
    let all = place.everything();
    let names: Vec<_> = all.iter().filter_map(|path| path.strip_prefix(&outside).ok()?.to_str()).collect();
    assert_eq!(names, ["", "below", "below/secret", "secret"]);
    for name in ["outside/secret", "outside/below/secret"] {
        assert_eq!(place.contents(name), "secret");
    }
}

/// Replaces what is there by a link.
fn swap_for_link(place: &Place, name: &str, target: &str) {
    let path = place.path(name);
    if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }.unwrap();
    symlink(target, &path).unwrap();
}

#[test]
fn what_is_something_else_on_the_source_has_vanished() {
    let place = with_outside();
    for name in ["file to link", "file to folder", "folder to link/below", "folder to file/below", "stays"] {
        place.file(&format!("src/{name}"), "1");
    }
    symlink("stays", place.path("src/link to file")).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));

    swap_for_link(&place, "src/file to link", "../outside/secret");
    swap_for_link(&place, "src/folder to link", "../outside");
    fs::remove_file(place.path("src/file to folder")).unwrap();
    place.file("src/file to folder/below", "2");
    fs::remove_dir_all(place.path("src/folder to file")).unwrap();
    place.file("src/folder to file", "2");
    fs::remove_file(place.path("src/link to file")).unwrap();
    place.file("src/link to file", "2");

    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""));
    assert_eq!(
        place.query("SELECT path, copy_status, error FROM src_status WHERE depth > 0 ORDER BY path"),
        [
            "/file to folder|vanished|it is not a regular file any more",
            "/file to link|vanished|it is a symbolic link now",
            "/folder to file|vanished|it is a file now",
            "/folder to file/below|vanished|the folder /folder to file is gone from the source",
            "/folder to link|vanished|it is a symlink now",
            "/folder to link/below|vanished|the folder /folder to link is gone from the source",
            "/link to file|vanished|it is not a symbolic link any more",
            "/stays|successful|",
        ]
    );
    assert_eq!(fs::read_dir(place.path("dst")).unwrap().count(), 1);
    assert_outside_is_untouched(&place);
    assert_eq!(place.on_ledger(&["verify", "--level", "full"]).code, Some(3));
}

#[test]
fn a_folder_of_the_destination_that_is_a_link_now_is_not_followed() {
    let place = with_outside();
    for name in ["first/new", "second/below/new", "third/secret"] {
        place.file(&format!("src/{name}"), "1");
    }
    place.file("src/stays", "1");
    for name in ["first", "second/below"] {
        fs::create_dir_all(place.path("dst").join(name)).unwrap();
    }
    // It replaces what is there and older.
    place.file("dst/third/secret", "0");
    place.set_modified("dst/third/secret", 1_000);
    assert_eq!(place.discover(&[]).code, Some(0));
    for name in ["first", "second", "third"] {
        swap_for_link(&place, &format!("dst/{name}"), "../outside");
    }
    let said = place.on_ledger(&["copy", "--approve", "--durability", "file"]);
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""));
    assert_outside_is_untouched(&place);
    assert_eq!(place.contents("dst/stays"), "1");
    assert_eq!(
        place.query("SELECT path, class, message FROM problems ORDER BY path"),
        [
            "/first/new|vanished|on the destination: it is not a folder any more",
            "/second/below/new|vanished|on the destination: a folder on the way has been replaced by a symbolic link",
            "/third/secret|vanished|on the destination: it is not a folder any more",
        ]
    );
    assert_eq!(place.on_ledger(&["verify", "--level", "full"]).code, Some(3));
    assert_outside_is_untouched(&place);
}

#[test]
fn a_link_where_a_folder_is_to_be_made_is_a_conflict() {
    let place = with_outside();
    place.file("src/new/below/secret", "1");
    assert_eq!(place.discover(&["--on-conflict", "overwrite"]).code, Some(0));
    symlink("../outside", place.path("dst/new")).unwrap();
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(3));
    assert_outside_is_untouched(&place);
    assert_eq!(
        place.query("SELECT path, copy_status, error FROM src_status WHERE depth = 1"),
        ["/new|conflict|the source has a folder of this name, the destination a symlink"]
    );
}

#[test]
fn a_file_of_the_destination_that_is_a_link_now_is_not_written_through() {
    let place = with_outside();
    place.file("src/old", "ours");
    place.file("dst/old", "theirs");
    place.set_modified("dst/old", 1_000);
    place.file("src/new", "ours");
    assert_eq!(place.discover(&["--on-conflict", "overwrite"]).code, Some(0));
    swap_for_link(&place, "dst/old", "../outside/secret");
    symlink("../outside/secret", place.path("dst/new")).unwrap();
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(3), "the link is a conflict that nobody has seen");
    assert_outside_is_untouched(&place);
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status WHERE depth > 0 ORDER BY path"),
        ["/new|conflict", "/old|conflict"]
    );
}

#[test]
fn a_root_that_is_a_link_now_is_refused() {
    for side in ["src", "dst"] {
        let place = with_outside();
        place.file("src/file", "1");
        assert_eq!(place.discover(&[]).code, Some(0));
        swap_for_link(&place, side, "outside");
        for command in [&["copy", "--approve"][..], &["copy", "--approve", "--resume"], &["migrate", "--resume"]] {
            let said = place.on_ledger(command);
            assert_eq!(said.code, Some(1), "{command:?}: {}", said.err);
            assert_eq!(said.err.lines().count(), 1, "{}", said.err);
            for part in [&format!("/{side} leads to "), "/outside now", "put back what was there"] {
                assert!(said.err.contains(part), "{part}: {}", said.err);
            }
        }
        assert_outside_is_untouched(&place);
        assert_eq!(place.query("SELECT phase FROM migration"), ["review"]);
    }
}
