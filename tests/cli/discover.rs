//! `discover`, `status` and `query` where all goes well, or as well as it can.

use std::os::unix::fs::{FileTypeExt, PermissionsExt};

use crate::program::Place;

#[test]
fn two_folders_are_listed_and_matched() {
    let place = Place::new();
    place.file_on_both("same.txt", "same");
    place.file_on_both("sub/also same.txt", "same");
    place.file("src/new.txt", "new");
    place.file("dst/sub/changed here.txt", "short");
    place.file("src/sub/changed here.txt", "longer");
    place.file("src/sub/changed there.txt", "short");
    place.file("dst/sub/changed there.txt", "longer");
    place.set_modified("dst/sub/changed here.txt", 1_000_000_000);
    place.set_modified("src/sub/changed there.txt", 1_000_000_000);
    place.file("dst/only here/below.txt", "");
    let said = place.discover(&[]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(
        place.query("SELECT path, copy_status FROM src_status ORDER BY path"),
        [
            "/|already_existed",
            "/new.txt|pending",
            "/same.txt|already_existed",
            "/sub|already_existed",
            "/sub/also same.txt|already_existed",
            "/sub/changed here.txt|pending",
            "/sub/changed there.txt|skipped",
        ]
    );
    assert_eq!(
        place.query("SELECT path, traversal_status FROM dst_status WHERE path LIKE '/only%'"),
        ["/only here|not_on_src"],
        "what the source does not have is recorded and not descended into"
    );
}

#[test]
fn status_says_the_same_as_the_run_did() {
    let place = Place::new();
    place.file("src/a", "12345");
    let said = place.discover(&["--json"]);
    assert_eq!(said.code, Some(0));
    let status = place.run(&["status", "--json", "--ledger", "ledger.duckdb"]);
    assert_eq!(status.out, said.out);
    let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
    assert_eq!(status["phase"], "review");
    assert_eq!(status["src"]["nodes"], 2);
    assert_eq!(status["src"]["copy_pending"], serde_json::json!({ "nodes": 1, "bytes": 5 }));
    assert_eq!(status["dst"]["nodes"], 1);
    assert_eq!(status["runs"][0]["outcome"], "complete");
}

#[test]
fn names_that_deceive_are_shown_for_what_they_are() {
    let place = Place::new();
    for name in ["new\nline", "quote'\"", "100%", "back\\slash", "Case", "case", " spaces "] {
        place.file(&format!("src/{name}"), "");
    }
    let unreadable: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9");
    std::fs::write(place.path("src").join(unreadable), "").unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(
        place.query("SELECT name FROM src_nodes WHERE depth = 1 ORDER BY name"),
        [r" spaces\u{20}", "100%", "Case", r"back\\slash", r"caf\xe9", "case", r"new\nline", "quote'\""]
    );
}

#[test]
fn what_is_not_carried_over_says_why() {
    let place = Place::new();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("src/socket")).unwrap();
    assert!(place.path("src/socket").symlink_metadata().unwrap().file_type().is_socket());
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(
        place.query("SELECT path, kind, copy_status, error FROM src_status WHERE depth = 1"),
        ["/socket|other|skipped|socket: not carried over"]
    );
}

#[test]
fn another_kind_under_the_same_name_is_a_conflict() {
    let place = Place::new();
    place.file("src/thing", "a file");
    place.file("dst/thing/below", "");
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(
        place.query("SELECT copy_status, error FROM src_status WHERE path = '/thing'"),
        ["conflict|the source has a file of this name, the destination a folder"]
    );
    assert_eq!(place.query("SELECT path, traversal_status FROM dst_status WHERE depth > 0"), ["/thing|not_on_src"]);
}

#[test]
fn a_folder_that_cannot_be_listed_fails_alone() {
    let place = Place::new();
    place.file("src/closed/inside", "");
    place.file("dst/closed/inside", "");
    place.file("src/open/inside", "");
    std::fs::set_permissions(place.path("src/closed"), std::fs::Permissions::from_mode(0o000)).unwrap();
    if std::fs::read_dir(place.path("src/closed")).is_ok() {
        eprintln!("skipped: whoever runs this may read everything");
        return;
    }
    let said = place.discover(&[]);
    std::fs::set_permissions(place.path("src/closed"), std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said.code, Some(3));
    assert!(said.out.contains("src /closed: Permission denied (os error 13) (denied, 1 attempt)"), "{}", said.out);
    assert_eq!(
        place.query("SELECT path, traversal_status FROM src_status WHERE depth > 0 ORDER BY path"),
        ["/closed|failed", "/open|successful", "/open/inside|successful"]
    );
    assert_eq!(
        place.query("SELECT side, path, class FROM problems ORDER BY side"),
        ["src|/closed|denied", "dst|/closed|blocked"]
    );
}

#[test]
fn the_simulator_is_counted_without_an_engine_and_listed_with_one() {
    let place = Place::new();
    place.file(
        "config.json",
        r#"{ "mode": "ephemeral", "seed": { "max_depth": 2, "min_folders": 2, "max_folders": 2, "min_files": 3, "max_files": 3 },
             "secondary_tables": { "s1": 0.5 } }"#,
    );
    let counted = place.run(&["spectra", "tree", "--config", "config.json"]);
    let lines: Vec<Vec<&str>> = counted.out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(
        lines[1..],
        [["0", "1", "0", "0"], ["1", "2", "3", "3,072"], ["2", "4", "6", "6,144"], ["all", "7", "9", "9,216"]]
    );
    let said = place.run(&[
        "discover",
        "spectra:primary?config=config.json",
        "spectra:s1?config=config.json",
        "--ledger",
        "ledger.duckdb",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query("SELECT count(*) AS nodes FROM src_nodes"), ["16"]);
}

#[test]
fn progress_and_logs_go_to_standard_error_and_results_to_standard_output() {
    let place = Place::new();
    let said = place.discover(&["-v", "--json"]);
    serde_json::from_str::<serde_json::Value>(&said.out).expect("standard output is the result and nothing else");
    assert!(!said.err.contains('\u{1b}'), "no colour and no bar where nobody looks: {:?}", said.err);
}

#[test]
fn a_query_is_printed_as_table_csv_or_json() {
    let place = Place::new();
    place.file("src/a,\"b\"", "");
    place.discover(&[]);
    let printed = |format: &str| {
        let sql = "SELECT name, size, NULL AS nothing FROM src_nodes WHERE depth = 1";
        place.run(&["query", sql, "--ledger", "ledger.duckdb", "--format", format]).out
    };
    assert_eq!(printed("csv"), "name,size,nothing\n\"a,\"\"b\"\"\",0,\n");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&printed("json")).unwrap(),
        serde_json::json!([{ "name": "a,\"b\"", "size": "0", "nothing": null }])
    );
    let table = printed("table");
    let words: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(words, [["name", "size", "nothing"], ["a,\"b\"", "0", "NULL"]]);
}
