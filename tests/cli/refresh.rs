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
    let plan = "SELECT path, action FROM plan_view WHERE action <> 'skip' ORDER BY path";
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
