//! Between discovery and copy: what is excluded, decided, approved, and tried again.

use std::fs;
use std::os::unix::fs::symlink;

use crate::program::Place;

/// A source with two folders and one file that differs on the destination, whose conflict is open.
fn discovered() -> Place {
    let place = Place::new();
    for name in ["a/b/one", "a/two", "a_b/three", "c/four"] {
        place.file(&format!("src/{name}"), name);
    }
    place.file("dst/c/four", "another four");
    assert_eq!(place.discover(&["--on-conflict", "ask"]).code, Some(0));
    place
}

#[test]
fn what_is_excluded_stays_behind_and_what_is_included_again_goes() {
    let place = discovered();
    assert_eq!(place.on_ledger(&["exclude", "/a/b", "--reason", "old"]).code, Some(0));
    let said = place.on_ledger(&["exclude", "/a", "--reason", "not needed"]);
    assert!(said.out.contains("1 node, 0 bytes: pending, now excluded_explicit"), "{}", said.out);
    assert_eq!(place.on_ledger(&["include", "/a"]).code, Some(0));
    assert_eq!(
        place.query("SELECT path, copy_status, error FROM src_status WHERE starts_with(path, '/a') ORDER BY path"),
        [
            "/a|pending|",
            "/a/b|excluded_explicit|old",
            "/a/b/one|excluded_inherited|it is in /a/b, which is excluded: old",
            "/a/two|pending|",
            "/a_b|pending|",
            "/a_b/three|pending|",
        ]
    );
    assert_eq!(place.on_ledger(&["copy", "--approve", "--leave-conflicts"]).code, Some(3));
    assert!(place.path("dst/a/two").exists() && place.path("dst/a_b/three").exists());
    assert!(!place.path("dst/a/b").exists());
    assert_eq!(place.contents("dst/c/four"), "another four");
}

#[test]
fn nothing_is_copied_but_what_was_approved() {
    let place = discovered();
    let said = place.on_ledger(&["copy"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("the plan is not approved"), "{}", said.err);
    let said = place.on_ledger(&["approve"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("conflicts are open (1)"), "{}", said.err);
    assert_eq!(place.on_ledger(&["decide", "/c", "--action", "overwrite"]).code, Some(0));
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    let said = place.on_ledger(&["exclude", "--where", "name = two", "--reason", "late"]);
    assert!(said.out.contains("it has to be approved again"), "{}", said.out);
    assert_eq!(place.on_ledger(&["copy"]).code, Some(1));
    assert!(!place.path("dst/a").exists());
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy"]).code, Some(0));
    assert_eq!(place.contents("dst/c/four"), "c/four");
    assert!(place.path("dst/a/b/one").exists() && !place.path("dst/a/two").exists());
    let hashes = place.query("SELECT count(*) FROM runs JOIN approvals ON hash = plan_hash WHERE revoked_ns IS NULL");
    assert_eq!(hashes, ["1"]);
}

#[test]
fn wrong_wishes_get_one_line_and_change_nothing() {
    let place = discovered();
    let statuses = "SELECT path, copy_status FROM src_status ORDER BY path";
    let before = place.query(statuses);
    let runs = place.query("SELECT * FROM runs");
    for (command, line) in [
        (&["exclude", "/a/zz/y", "--reason", "x"][..], "the nearest that is: /a"),
        (&["exclude", "/", "--reason", "x"], "the root cannot be chosen"),
        (&["exclude", "--where", "name ~ ", "--reason", "x"], "^"),
        (&["exclude", "--where", "side = dst and name = three", "--reason", "x"], "^"),
        (&["decide", "--where", "side = dst", "--action", "skip"], "^"),
        (&["include", "/a"], "nobody has excluded it"),
        (&["include", "--where", "name = two"], "nobody has excluded any of it"),
        (&["find", "--under", "/a/nope"], "/a/nope is not on the source; the nearest that is: /a"),
        (&["find", "--side", "dst", "--under", "/a/b"], "/a/b is not on the destination; the nearest that is: /"),
        (&["find", "--under", "a"], "a path begins with /"),
        (&["plan", "--under", "/a/nope"], "/a/nope is not on the source; the nearest that is: /a"),
        (&["plan", "--under", "a"], "a path begins with /"),
        (&["decide", "/a", "--action", "skip"], "there is no conflict"),
        (&["mark-retry", "--failed"], "nothing has failed"),
        (&["unmark", "/a"], "nothing is marked"),
        (&["retry"], "nothing is marked for retry"),
    ] {
        let said = place.on_ledger(command);
        assert_eq!(said.code, Some(1), "{command:?}: {}", said.err);
        assert!(said.err.contains(line), "{command:?}: {}", said.err);
        assert_eq!(place.query(statuses), before, "{command:?}");
        assert_eq!(place.query("SELECT * FROM runs"), runs, "{command:?}");
    }
}

#[test]
fn a_folder_that_is_marked_is_listed_again_with_all_that_is_below_it() {
    let place = discovered();
    place.file("src/a/b/new", "new");
    fs::remove_file(place.path("src/a/two")).unwrap();
    place.file("src/a_b/unseen", "nobody looks here");
    assert_eq!(place.on_ledger(&["mark-retry", "/a"]).code, Some(0));
    let said = place.on_ledger(&["approve"]);
    assert!(said.err.contains("marks for retry (1)"), "{}", said.err);
    assert_eq!(place.on_ledger(&["retry"]).code, Some(0));
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status WHERE kind = 'file' ORDER BY path"),
        ["/a/b/new|pending", "/a/b/one|pending", "/a/two|vanished", "/a_b/three|pending", "/c/four|conflict"]
    );
    assert_eq!(place.query("SELECT count(*) FROM problems"), ["0"]);
    assert_eq!(place.on_ledger(&["copy", "--approve", "--leave-conflicts"]).code, Some(3));
    assert!(place.path("dst/a/b/new").exists() && !place.path("dst/a_b/unseen").exists());
}

#[test]
fn what_could_not_be_copied_is_copied_by_a_retry_and_nothing_else() {
    let place = discovered();
    assert_eq!(place.on_ledger(&["decide", "/c", "--action", "overwrite"]).code, Some(0));
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    // What was a folder leads elsewhere, and nothing is written there.
    fs::rename(place.path("dst/c"), place.path("moved")).unwrap();
    symlink(place.path("moved"), place.path("dst/c")).unwrap();
    assert_eq!(place.on_ledger(&["copy"]).code, Some(3));
    let failed = "SELECT path FROM src_status WHERE copy_status = 'failed'";
    assert_eq!(place.query(failed), ["/c/four"]);
    fs::remove_file(place.path("dst/c")).unwrap();
    fs::rename(place.path("moved"), place.path("dst/c")).unwrap();
    assert_eq!(place.on_ledger(&["verify"]).code, Some(3));
    fs::remove_file(place.path("dst/a/two")).unwrap();
    let said = place.on_ledger(&["mark-retry", "--failed"]);
    assert!(said.out.contains("0 folders to list again, 1 node to copy again"), "{}", said.out);
    let said = place.on_ledger(&["retry"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(place.query(failed).is_empty());
    assert_eq!(place.contents("dst/c/four"), "c/four");
    assert!(!place.path("dst/a/two").exists(), "it was not marked");
    assert_eq!(
        place.query("SELECT count(*) FROM src_status_events WHERE copy_status = 'successful'"),
        ["7"],
        "each once"
    );
}

#[test]
fn the_plan_can_be_changed_while_a_copy_waits_to_be_verified() {
    let place = discovered();
    assert_eq!(place.on_ledger(&["copy", "--approve", "--leave-conflicts"]).code, Some(3));
    assert_eq!(place.query("SELECT phase FROM migration"), ["verifying"]);
    assert_eq!(place.on_ledger(&["decide", "/c/four", "--action", "overwrite"]).code, Some(0));
    assert_eq!(place.query("SELECT phase FROM migration"), ["review"]);
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(place.contents("dst/c/four"), "c/four");
}

#[test]
fn a_retry_copies_nothing_that_nobody_has_approved() {
    let place = Place::new();
    for name in ["a/one", "b/two"] {
        place.file(&format!("src/{name}"), name);
    }
    fs::create_dir_all(place.path("dst/a")).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["exclude", "/b", "--reason", "not yet"]).code, Some(0));
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    // What was a folder leads elsewhere, and nothing is written there.
    fs::rename(place.path("dst/a"), place.path("moved")).unwrap();
    symlink(place.path("moved"), place.path("dst/a")).unwrap();
    assert_eq!(place.on_ledger(&["copy"]).code, Some(3));
    fs::remove_file(place.path("dst/a")).unwrap();
    fs::rename(place.path("moved"), place.path("dst/a")).unwrap();

    assert_eq!(place.on_ledger(&["include", "/b"]).code, Some(0));
    assert_eq!(place.on_ledger(&["mark-retry", "--failed"]).code, Some(0));
    // Another way of copying than it began with is refused while the marks are still there.
    let said = place.on_ledger(&["retry", "--large-from", "7"]);
    assert!(said.err.contains("way of copying cannot be changed"), "{}", said.err);
    assert_eq!(place.query("SELECT count(*) FROM marks"), ["1"]);
    let said = place.on_ledger(&["retry"]);
    assert!(said.err.contains("has to be approved"), "{}", said.err);
    assert!(!place.path("dst/b").exists() && !place.path("dst/a/one").exists());
    assert_eq!(place.query("SELECT phase FROM migration"), ["review"]);
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status WHERE kind = 'file' ORDER BY path"),
        ["/a/one|pending", "/b/two|pending"]
    );
    assert_eq!(place.on_ledger(&["copy"]).code, Some(1));
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy"]).code, Some(0));
    assert_eq!((place.contents("dst/a/one"), place.contents("dst/b/two")), ("a/one".to_owned(), "b/two".to_owned()));
}

#[test]
fn what_was_decided_can_be_decided_otherwise_until_it_is_done() {
    let place = Place::new();
    for name in ["p/kind", "p/folder/below", "p/file"] {
        place.file(&format!("src/{name}"), name);
    }
    symlink("there", place.path("src/p/link")).unwrap();
    symlink("there", place.path("src/p/twin")).unwrap();
    fs::create_dir_all(place.path("dst/p/kind")).unwrap();
    for name in ["p/folder", "p/link", "p/file"] {
        place.file(&format!("dst/{name}"), "in the way");
    }
    symlink("elsewhere", place.path("dst/p/twin")).unwrap();
    assert_eq!(place.discover(&["--on-conflict", "ask"]).code, Some(0));
    let decide = |path: &str, action: &str| place.on_ledger(&["decide", path, "--action", action]);
    let why = "SELECT s.copy_status, s.error, p.action, p.reason
         FROM src_status s
         JOIN plan p ON p.src_id = s.id
         WHERE s.path LIKE '/p/folder%' OR s.path = '/p/file'
         ORDER BY s.path";
    let before = place.query(why);
    for (path, action, line) in [
        ("/p", "overwrite", "/p/folder cannot replace"),
        ("/p/kind", "overwrite", "/p/kind cannot replace what has its place, which is another kind of thing: skip it"),
        ("/p", "keep-both", "/p/folder cannot be kept beside"),
        ("/p/folder/below", "keep-both", "/p/folder/below cannot be kept beside"),
        ("/p", "undecide", "nothing has been decided there"),
    ] {
        let said = decide(path, action);
        assert_eq!(said.code, Some(1), "{path} {action}");
        assert!(said.err.contains(line), "{path} {action}: {}", said.err);
    }
    assert_eq!(decide("/p", "skip").code, Some(0));
    let said = decide("/p", "undecide");
    assert!(said.out.contains("skipped, now conflict"), "{}{}", said.out, said.err);
    assert_eq!(place.query(why), before, "as if nothing had been decided");

    assert_eq!(decide("/p", "skip").code, Some(0));
    let said = decide("/p", "skip");
    assert!(said.err.contains("decided so before"), "{}", said.err);
    for path in ["/p/kind", "/p/link", "/p/twin"] {
        let said = decide(path, "keep-both");
        assert!(said.out.contains("skipped, now pending"), "{path}: {}{}", said.out, said.err);
    }
    assert_eq!(decide("/p/file", "keep-both").code, Some(0));
    let said = decide("/p/file", "overwrite");
    assert!(said.out.contains("1 node: status as before"), "{}{}", said.out, said.err);

    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(place.contents("dst/p/kind (source)"), "p/kind");
    assert!(place.path("dst/p/kind").is_dir());
    assert_eq!(place.contents("dst/p/file"), "p/file");
    for name in ["link", "twin"] {
        assert_eq!(
            fs::read_link(place.path(&format!("dst/p/{name} (source)"))).unwrap(),
            std::path::Path::new("there")
        );
    }
    assert_eq!(place.contents("dst/p/link"), "in the way");
    assert_eq!(fs::read_link(place.path("dst/p/twin")).unwrap(), std::path::Path::new("elsewhere"));
    // It is done, and stays so.
    let said = decide("/p/kind", "skip");
    assert!(said.err.contains("there is no conflict"), "{}", said.err);
    assert_eq!(place.on_ledger(&["verify"]).code, Some(0));
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(place.query("SELECT count(*) FROM src_status WHERE copy_status IN ('conflict', 'pending')"), ["0"]);
}

#[test]
fn a_conflict_whose_cause_is_gone_is_cleared_by_its_mark() {
    let place = Place::new();
    for name in ["p/kind", "p/folder/sub/below", "q/other"] {
        place.file(&format!("src/{name}"), name);
    }
    fs::create_dir_all(place.path("dst/p/kind")).unwrap();
    place.file("dst/p/folder", "in the way");
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy", "--approve", "--leave-conflicts"]).code, Some(3));
    fs::remove_dir(place.path("dst/p/kind")).unwrap();
    fs::remove_file(place.path("dst/p/folder")).unwrap();
    // They were known when the plan was made, and did not fail.
    let said = place.on_ledger(&["mark-retry", "--failed"]);
    assert!(said.err.contains("nothing has failed there"), "{}", said.err);
    let said = place.on_ledger(&["mark-retry", "/p/kind", "/p/folder/sub/below"]);
    assert!(said.out.starts_with("/p is listed again, with all that is below it"), "{}{}", said.out, said.err);
    assert!(said.out.contains("marked: 1 folder to list again, 0 nodes"), "{}", said.out);
    assert_eq!(place.on_ledger(&["retry"]).code, Some(0));
    assert_eq!(place.query("SELECT path FROM src_status WHERE copy_status = 'conflict'"), [""; 0]);
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(place.contents("dst/p/kind"), "p/kind");
    assert_eq!(place.contents("dst/p/folder/sub/below"), "p/folder/sub/below");
}

#[test]
fn a_conflict_that_came_up_while_it_was_copied_is_tried_again_with_what_failed() {
    let place = Place::new();
    for name in ["late", "folder/below"] {
        place.file(&format!("src/{name}"), name);
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    fs::create_dir(place.path("dst/late")).unwrap();
    place.file("dst/folder", "in the way");
    place.on_ledger(&["copy"]);
    let conflicts = "SELECT path FROM src_status WHERE copy_status = 'conflict' ORDER BY path";
    assert_eq!(place.query(conflicts), ["/folder", "/folder/below", "/late"]);
    fs::remove_dir(place.path("dst/late")).unwrap();
    fs::remove_file(place.path("dst/folder")).unwrap();
    let said = place.on_ledger(&["mark-retry", "--failed"]);
    assert!(said.out.contains("0 folders to list again, 3 nodes to copy again"), "{}{}", said.out, said.err);
    let said = place.on_ledger(&["retry"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.contents("dst/late"), "late");
    assert_eq!(place.contents("dst/folder/below"), "folder/below");
    assert_eq!(place.query(conflicts), [""; 0]);
}
