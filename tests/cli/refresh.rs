//! Passes over trees that were listed before: what has changed is found, and nothing else is touched.

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::Place;

fn copied() -> Place {
    let place = Place::new();
    for name in ["a/one", "a/two", "b/c/three", "d/four"] {
        place.file(&format!("src/{name}"), name);
        place.set_modified(&format!("src/{name}"), 1_600_000_000);
    }
    let said = place.run(&["migrate", "src", "dst", "--yes", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    place
}

const STATUSES: &str = "SELECT path, copy_status FROM src_status WHERE kind = 'file' ORDER BY path, id";

#[test]
fn after_a_refresh_just_the_difference_is_copied() {
    let place = copied();
    let ids = place.query("SELECT id, path FROM src_status ORDER BY id");
    fs::write(place.path("src/a/one"), "one, changed").unwrap();
    fs::remove_dir_all(place.path("src/d")).unwrap();
    place.file("src/e/five", "five");
    // On the destination one is lost, and one was changed by somebody.
    fs::remove_file(place.path("dst/b/c/three")).unwrap();
    fs::write(place.path("dst/a/two"), "somebody's").unwrap();
    place.set_modified("dst/a/two", 1_500_000_000);

    let said = place.on_ledger(&["refresh"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("2 new, 1 changed, 1 gone on the source"), "{}", said.out);
    assert_eq!(
        place.query(STATUSES),
        ["/a/one|pending", "/a/two|pending", "/b/c/three|pending", "/d/four|vanished", "/e/five|pending"]
    );
    let now = place.query("SELECT id, path FROM src_status ORDER BY id");
    assert_eq!(now[..ids.len()], ids, "what was known is still the same node");
    let plan = "SELECT path, action FROM plan_view WHERE action NOT IN ('skip', 'already_existed') ORDER BY path";
    assert_eq!(
        place.query(plan),
        ["/a/one|overwrite", "/a/two|overwrite", "/b/c/three|copy", "/e|create_folder", "/e/five|copy"]
    );
    // The approval was of another plan.
    assert_eq!(place.on_ledger(&["copy"]).code, Some(1));
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    for name in ["a/one", "a/two", "b/c/three", "e/five"] {
        assert_eq!(place.contents(&format!("dst/{name}")), place.contents(&format!("src/{name}")), "{name}");
    }
    assert_eq!(place.contents("dst/d/four"), "d/four", "what is gone from the source stays on the destination");
    assert_eq!(place.on_ledger(&["verify", "--level", "checksum"]).code, Some(0));
}

#[test]
fn where_nothing_has_changed_nothing_is_to_be_done_and_nothing_is_added() {
    let place = copied();
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    let rows = "SELECT (SELECT count(*) FROM src_nodes), (SELECT count(*) FROM dst_nodes),
        (SELECT count(*) FROM src_status_events), (SELECT count(*) FROM dst_status_events),
        (SELECT count(*) FROM sweep_findings), (SELECT count(*) FROM swept)";
    let before = place.query(rows);
    let said = place.on_ledger(&["refresh", "--under", "/a"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = place.on_ledger(&["refresh", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query(rows), before);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["src"]["copy_pending"]["nodes"], 0);
    assert_eq!(report["sweep"]["kind"], "refresh");
    assert_eq!(report["sweep"]["src"]["new"], 0);
    assert_eq!(report["phase"], "complete", "what was verified still holds");
    assert_eq!(report["verified"]["nodes"], 8);
}

/// Neither is there anything to approve then, nor does what was verified hold any more.
#[test]
fn a_refresh_that_leaves_nothing_to_copy_leaves_the_destination_to_be_verified() {
    let place = copied();
    fs::remove_file(place.path("src/d/four")).unwrap();
    let said = place.on_ledger(&["refresh", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["phase"], "verifying");
    assert_eq!(report["verified"]["nodes"], 0);
    assert_eq!(place.on_ledger(&["verify"]).code, Some(0));
    assert_eq!(place.query("SELECT phase FROM migration"), ["complete"]);
}

#[test]
fn a_refresh_says_that_the_plan_has_to_be_approved_again() {
    let place = Place::new();
    place.file("src/file", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = place.on_ledger(&["refresh"]);
    assert!(!said.err.contains("revoked"), "{}", said.err);
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    let said = place.on_ledger(&["refresh"]);
    assert!(said.err.contains("the approval is revoked"), "{}", said.err);
    assert_eq!(place.on_ledger(&["copy"]).code, Some(1));
}

#[test]
fn only_the_folder_that_was_named_is_listed() {
    let place = copied();
    place.file("src/a/new", "new");
    place.file("src/b/new", "new");
    assert_eq!(place.on_ledger(&["refresh", "--under", "/b"]).code, Some(0));
    assert_eq!(place.query("SELECT path FROM src_status WHERE copy_status = 'pending'"), ["/b/new"]);
}

#[test]
fn a_folder_that_is_marked_is_listed_again_and_keeps_what_is_known_of_it() {
    let place = copied();
    let ids = place.query("SELECT id, path, copy_status FROM src_status ORDER BY id");
    place.file("src/b/c/new", "new");
    assert_eq!(place.on_ledger(&["mark-retry", "/b"]).code, Some(0));
    let said = place.on_ledger(&["status"]);
    assert!(said.out.contains("marked for retry: 1 folder to be listed again, 0 nodes"), "{}", said.out);
    let said = place.on_ledger(&["retry"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let now = place.query("SELECT id, path, copy_status FROM src_status ORDER BY id");
    assert_eq!(now[..ids.len()], ids);
    assert_eq!(now[ids.len()..].len(), 1, "{now:?}");
    assert!(now[ids.len()].ends_with("|/b/c/new|pending"), "{now:?}");
}

#[test]
fn a_folder_that_comes_back_is_a_new_one() {
    let place = copied();
    fs::rename(place.path("src/d"), place.path("elsewhere")).unwrap();
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    fs::rename(place.path("elsewhere"), place.path("src/d")).unwrap();
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status WHERE starts_with(path, '/d') ORDER BY id"),
        ["/d|vanished", "/d/four|vanished", "/d|already_existed", "/d/four|already_existed"]
    );
    // It is the one that is meant by its path.
    place.file("src/d/five", "five");
    assert_eq!(place.on_ledger(&["refresh", "--under", "/d"]).code, Some(0));
    assert_eq!(place.query("SELECT path FROM src_status WHERE copy_status = 'pending'"), ["/d/five"]);
}

#[test]
fn what_cannot_be_refreshed_is_said_and_nothing_is_changed() {
    let place = copied();
    let before = place.query("SELECT count(*) FROM runs");
    for (arguments, what) in [
        (["--under", "/nope/x"], "/nope/x is not on the source; the nearest that is: /"),
        (["--under", "/a/one"], "/a/one is not a folder"),
    ] {
        let said = place.on_ledger(&[&["refresh"], &arguments[..]].concat());
        assert_eq!(said.code, Some(1));
        assert!(said.err.contains(what), "{}", said.err);
    }
    assert_eq!(place.query("SELECT count(*) FROM runs"), before);
    assert_eq!(place.query("SELECT phase FROM migration"), ["complete"]);
}

/// 364 folders on the source; 10 ms a listing.
const SLOW: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 5, "min_folders": 3, "max_folders": 3, "min_files": 2, "max_files": 5 },
    "secondary_tables": { "s1": 0.8 },
    "chaos": { "latency": { "list_children_ms": 10, "jitter_ms": 5 } }
}"#;

#[test]
fn a_refresh_that_is_killed_goes_on_and_changes_nothing_that_has_not_changed() {
    let place = Place::new();
    place.file("slow.json", SLOW);
    let locations = ["spectra:primary?config=slow.json", "spectra:s1?config=slow.json"];
    let said = place.run(&[&["discover"], &locations[..], &["--ledger", "ledger.duckdb"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    let everything = "SELECT 'src', id, path, size, traversal_status, copy_status FROM src_status
        UNION ALL SELECT 'dst', id, path, size, traversal_status, NULL FROM dst_status ORDER BY ALL";
    let before = place.query(everything);
    for kill_after_ms in [400, 900] {
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
            .current_dir(place.path("."))
            .args(["refresh", "--ledger", "ledger.duckdb"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(kill_after_ms));
        child.kill().unwrap();
        child.wait().unwrap();
        let said = place.on_ledger(&["discover", "--resume"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(place.query(everything), before);
        assert_eq!(place.query("SELECT count(*) FROM swept"), ["0"]);
    }
}

#[test]
fn what_was_renamed_is_known_by_the_name_that_it_has_on_the_destination() {
    let place = Place::new();
    for name in ["a:b/CON.txt", "a:b/sub/two", "three"] {
        place.file(&format!("src/{name}"), name);
        place.set_modified(&format!("src/{name}"), 1_600_000_000);
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["lint", "--rules", "windows", "--accept"]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(place.on_ledger(&["verify"]).code, Some(0));

    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(place.query("SELECT count(*) FROM src_status WHERE copy_status = 'pending'"), ["0"]);
    assert_eq!(place.query("SELECT count(*) FROM dst_status WHERE traversal_status = 'not_on_src'"), ["0"]);

    fs::remove_file(place.path("dst/a_b/_CON.txt")).unwrap();
    fs::write(place.path("src/a:b/sub/two"), "two, changed").unwrap();
    assert_eq!(place.on_ledger(&["refresh", "--under", "/a:b"]).code, Some(0));
    assert_eq!(
        place.query("SELECT path FROM src_status WHERE copy_status = 'pending' ORDER BY path"),
        ["/a:b/CON.txt", "/a:b/sub/two"]
    );
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(place.contents("dst/a_b/_CON.txt"), "a:b/CON.txt");
    assert_eq!(place.contents("dst/a_b/sub/two"), "two, changed");
}

/// The copy makes this folder, and no listing of the destination has shown it.
#[test]
fn a_folder_that_the_copy_has_made_under_another_name_is_found_there() {
    let place = Place::new();
    place.file("src/a:b/c:d/one", "one");
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["lint", "--rules", "windows", "--accept"]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(place.on_ledger(&["refresh", "--under", "/a:b/c:d"]).code, Some(0));
    assert_eq!(place.query("SELECT count(*) FROM src_status WHERE copy_status = 'pending'"), ["0"]);
    assert_eq!(
        place.query("SELECT path, traversal_status FROM dst_status ORDER BY path"),
        ["/|successful", "/a_b|successful", "/a_b/c_d|successful", "/a_b/c_d/one|successful"]
    );
}

#[test]
fn what_a_filter_leaves_out_stays_left_out() {
    let place = Place::new();
    place.file("src/keep/a", "a");
    place.file("src/keep/b.bak", "b");
    place.file("src/tmp/c", "c");
    let filter = ["--filter", "*.bak", "--filter", "tmp/"];
    let said = place.run(&[&["migrate", "src", "dst", "--yes", "--ledger", "ledger.duckdb"], &filter[..]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    let left_out = "SELECT path FROM src_status WHERE copy_status = 'excluded_explicit' ORDER BY path";
    assert_eq!(place.query(left_out), ["/keep/b.bak", "/tmp"]);

    for name in ["keep/d.bak", "keep/e", "keep/tmp/f"] {
        place.file(&format!("src/{name}"), name);
    }
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(place.query(left_out), ["/keep/b.bak", "/keep/d.bak", "/keep/tmp", "/tmp"]);
    assert_eq!(place.query("SELECT path FROM src_status WHERE copy_status = 'pending'"), ["/keep/e"]);
    // What somebody has included again stays so.
    assert_eq!(place.on_ledger(&["include", "/keep/b.bak"]).code, Some(0));
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    let copied =
        place.query("SELECT path FROM src_status WHERE kind = 'file' AND copy_status = 'successful' ORDER BY path");
    assert_eq!(copied, ["/keep/a", "/keep/b.bak", "/keep/e"]);
}

#[test]
fn a_conflict_that_was_decided_stays_decided() {
    let place = Place::new();
    place.file("src/p/kind", "a file");
    place.file("src/p/folder/in it", "below");
    place.file("src/p/other", "other");
    fs::create_dir_all(place.path("dst/p/kind")).unwrap();
    place.file("dst/p/folder", "a file where the source has a folder");
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["decide", "/p", "--action", "skip"]).code, Some(0));
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    let skipped = "SELECT path, error FROM src_status WHERE copy_status = 'skipped' ORDER BY path";
    let decided = ["/p/folder|decided: skip", "/p/folder/in it|decided: skip", "/p/kind|decided: skip"];
    assert_eq!(place.query(skipped), decided);
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(place.query(skipped), decided);
    // Nor does it matter that the source's is another one by now.
    place.file("src/p/kind", "another file");
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(place.query(skipped), decided);
    assert_eq!(place.query("SELECT count(*) FROM src_status WHERE copy_status IN ('conflict', 'pending')"), ["0"]);
}
