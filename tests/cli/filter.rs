//! Filters given before discovery: what they leave out is neither listed nor copied, and says so.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::program::Place;

/// Whether a path from the root of the source, a folder's with a slash at its end, is copied under [`RULES`].
fn is_wanted(path: &str) -> bool {
    let mut above = String::new();
    path.split_inclusive('/').all(|name| {
        above.push_str(name);
        let is_folder = name.ends_with('/');
        let is_left_out = above == "top/"
            || (is_folder && matches!(name, "cache/" | "node_modules/"))
            || (name.strip_suffix(".tmp").is_some() && name != "keep.tmp")
            || (above.starts_with("deep/") && above.ends_with("/gone"))
            || above.matches('/').count() - usize::from(is_folder) > 3;
        !is_left_out
    })
}

const RULES: &str =
    "# what nobody needs\n/top\ncache/\nnode_modules/\n\n*.tmp\n!keep.tmp\ndeep/**/gone\nwhere: depth > 4\n";

const FILES: [&str; 16] = [
    "a.txt",
    "a.tmp",
    "keep.tmp",
    "top/one",
    "x/top/two",
    "x/cache/three",
    "x/cache/y/four",
    "x/y/node_modules/z/five",
    "x/y/cached",
    "cached/cache",
    "deep/gone",
    "deep/er/gone",
    "deep/er/here",
    "1/2/3/4",
    "1/2/3/44/5",
    "x/keep.tmp",
];

fn place() -> Place {
    let place = Place::new();
    for name in FILES {
        place.file(&format!("src/{name}"), name);
    }
    place.file("rules", RULES);
    place
}

/// Paths from there on; those of folders end with a slash.
fn everything_in(place: &Place, side: &str) -> BTreeSet<String> {
    let root = place.path(side);
    place
        .everything()
        .into_iter()
        .filter(|path| path.starts_with(&root) && *path != root)
        .map(|path| {
            let slash = if path.is_dir() { "/" } else { "" };
            format!("{}{slash}", path.strip_prefix(&root).unwrap().display())
        })
        .collect()
}

#[test]
fn what_is_copied_is_what_the_rules_leave() {
    let place = place();
    // On the destination there is something of what is left out, and all of it is left alone.
    place.file("dst/top/other", "mine");
    place.file("dst/a.tmp", "mine as well");
    let before = everything_in(&place, "dst");
    let said = place.run(&[
        "migrate",
        "src",
        "dst",
        "--ledger",
        "ledger.duckdb",
        "--filter-from",
        "rules",
        "--on-conflict",
        "ask",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let wanted: BTreeSet<String> = everything_in(&place, "src").into_iter().filter(|path| is_wanted(path)).collect();
    assert!(wanted.contains("x/keep.tmp") && wanted.contains("1/2/3/44/") && !wanted.contains("1/2/3/44/5"));
    assert_eq!(everything_in(&place, "dst"), wanted.union(&before).cloned().collect());
    assert_eq!(place.contents("dst/a.tmp"), "mine as well");

    // What is left out is known, and what is below it is not.
    assert_eq!(
        place.query("SELECT path, error FROM src_status WHERE copy_status = 'excluded_explicit' ORDER BY path"),
        [
            "/1/2/3/44/5|filter rules:9: where: depth > 4",
            "/a.tmp|filter rules:6: *.tmp",
            "/deep/er/gone|filter rules:8: deep/**/gone",
            "/deep/gone|filter rules:8: deep/**/gone",
            "/top|filter rules:2: /top (not listed)",
            "/x/cache|filter rules:3: cache/ (not listed)",
            "/x/y/node_modules|filter rules:4: node_modules/ (not listed)",
        ]
    );
    assert_eq!(
        place.query(
            "SELECT path, traversal_status FROM dst_status WHERE path IN ('/top', '/a.tmp', '/top/other') ORDER BY path"
        ),
        ["/a.tmp|successful", "/top|successful"]
    );
    assert_eq!(place.query("SELECT count(*) FROM src_status WHERE path LIKE '%/cache/%' OR path LIKE '/top/%'"), ["0"]);
    assert_eq!(place.query("SELECT count(*) FROM problems"), ["0"]);
    let plan = place.on_ledger(&["plan", "--action", "exclude", "--format", "csv"]);
    assert!(plan.out.contains("filter rules:2: /top (not listed)"), "{}", plan.out);
    let tree = place.on_ledger(&["tree", "/x/cache"]);
    assert_eq!(tree.code, Some(0), "{}", tree.err);
    let said = place.on_ledger(&["verify", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.on_ledger(&["report", "--out", "report"]).code, Some(0));
}

#[test]
fn limits_are_rules_and_nothing_takes_them_back() {
    let place = Place::new();
    for (name, bytes, seconds) in [("old", 50, 1_000_000), ("new", 50, 1_900_000_000), ("small", 1, 0), ("big", 900, 0)]
    {
        let path = format!("src/in/{name}");
        place.file(&path, &"x".repeat(bytes));
        place.set_modified(&path, if seconds == 0 { 1_600_000_000 } else { seconds });
    }
    place.file("src/in/deeper/file", &"x".repeat(50));
    place.set_modified("src/in/deeper/file", 1_600_000_000);
    let said = place.discover(&[
        "--filter",
        "!*",
        "--max-size",
        "0.5K",
        "--min-size",
        "10",
        "--max-age",
        "2010-01-01",
        "--min-age",
        "2030-01-01",
        "--max-depth",
        "2",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let left_out = "SELECT path, error FROM src_status WHERE copy_status = 'excluded_explicit' ORDER BY path";
    assert_eq!(
        place.query(left_out),
        [
            "/in/big|filter --max-size: where: kind = file and size > 512",
            "/in/deeper/file|filter --max-depth: where: depth > 2",
            "/in/new|filter --min-age: where: kind = file and modified > 2030-01-01",
            "/in/old|filter --max-age: where: kind = file and modified < 2010-01-01",
            "/in/small|filter --min-size: where: kind = file and size < 10",
        ]
    );
}

#[test]
fn a_bad_rule_is_told_with_its_place_before_anything_is_made() {
    let place = place();
    place.file("bad", "fine\n\nwhere: size > lots\n");
    place.file("unclosed", "fine\nx[ab\n");
    fs::write(place.path("latin1"), b"caf\xe9\n").unwrap();
    let before = place.everything();
    for (arguments, line) in [
        (&["--filter-from", "bad"][..], "longhaul: bad:3, at character 15: `lots` is not a size"),
        (
            &["--filter-from", "rules", "--filter-from", "unclosed"],
            "longhaul: unclosed:2, at character 2: a [ without its ]",
        ),
        (&["--filter-from", "latin1"], "longhaul: latin1:1, at character 4: this is not UTF-8"),
        (&["--filter-from", "nowhere"], "longhaul: the filter file nowhere cannot be read: "),
        (&["--filter", "where: copy = failed"], "longhaul: --filter, at character 8: a filter knows nothing of that"),
        (&["--filter", "#x"], "longhaul: --filter, at character 1: "),
        (&["--max-size", "huge"], "longhaul: --max-size: `huge` is not a size"),
        (&["--min-age", "later"], "longhaul: --min-age: `later` is not a day"),
    ] {
        for command in ["discover", "migrate"] {
            let new = [command, "src", "new", "--create-destination", "--ledger", "ledger.duckdb"];
            let said = place.run(&[&new, arguments].concat());
            assert_eq!(said.code, Some(1), "{arguments:?}: {}", said.err);
            assert!(said.err.starts_with(line), "{arguments:?}: {}", said.err);
            assert_eq!(said.err.lines().count(), 1, "{arguments:?}: {}", said.err);
            assert_eq!(place.everything(), before, "{arguments:?}");
        }
    }
}

/// Thousands of folders, 255 of which a filter of one out of three leaves; 10 ms a listing.
const SLOW: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 7, "min_folders": 3, "max_folders": 3, "min_files": 2, "max_files": 5 },
    "secondary_tables": { "s1": 0.8 },
    "chaos": { "latency": { "list_children_ms": 10, "jitter_ms": 5 } }
}"#;

const EVERYTHING: &str = "
    SELECT 'src', path, kind, size, modified_ns, depth, traversal_status, copy_status, attempts, error FROM src_status
    UNION ALL
    SELECT 'dst', path, kind, size, modified_ns, depth, traversal_status, NULL, attempts, error FROM dst_status
    ORDER BY ALL";

#[test]
fn a_run_that_was_killed_goes_on_by_the_same_filter() {
    let begin = [
        "discover",
        "spectra:primary?config=slow.json",
        "spectra:s1?config=slow.json",
        "--ledger",
        "ledger.duckdb",
        "--filter-from",
        "rules",
        "--workers",
        "2",
    ];
    let scratch = || {
        let place = Place::new();
        place.file("slow.json", SLOW);
        place.file("rules", "folder_3/\nfile_2.*\n!/folder_2/**\n");
        place
    };
    let whole = scratch();
    let said = whole.run(&begin);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let place = scratch();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .current_dir(place.path("."))
        .args(begin)
        .args(["-v"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("traversing")), "it begins to list");
    // Killed when the first listings are durable: the log grows by nothing else from here on.
    let log_bytes = || fs::metadata(place.path("ledger.duckdb.wal")).map_or(0, |log| log.len());
    let bytes_before = log_bytes();
    while log_bytes() < bytes_before + (4 << 10) {
        assert!(child.try_wait().unwrap().is_none(), "it ends before it is killed");
        std::thread::yield_now();
    }
    // A commit is written in several pieces.
    std::thread::sleep(Duration::from_millis(50));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.query("SELECT count(*) > 1 FROM src_status"), ["true"]);
    // The file is gone, and is not needed.
    fs::rename(place.path("rules"), place.path("moved")).unwrap();
    let resume = ["discover", "--resume", "--ledger", "ledger.duckdb"];
    for (given, recorded) in
        [(&["--filter", "folder_3/"][..], "given was `folder_3/`"), (&["--max-size", "7"], "size > 7")]
    {
        let said = place.run(&[&resume, given].concat());
        assert_eq!(said.code, Some(1), "{}", said.err);
        assert!(said.err.contains("the filter cannot be changed") && said.err.contains(recorded), "{}", said.err);
    }
    let said = place.run(&[&resume[..], &["--filter-from", "moved"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query(EVERYTHING), whole.query(EVERYTHING));
    let left_out = "SELECT count(*) > 20, bool_or(kind = 'folder'), bool_or(kind = 'file')
        FROM src_status WHERE copy_status = 'excluded_explicit'";
    assert_eq!(place.query(left_out), ["true|true|true"]);
}

#[test]
fn what_was_left_out_can_be_included_if_it_is_a_file_and_a_sweep_keeps_to_the_filter() {
    let place = place();
    place.file_on_both("same.tmp", "the same");
    assert_eq!(place.discover(&["--filter-from", "rules"]).code, Some(0));
    let said = place.on_ledger(&["include", "/x/cache"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("/x/cache cannot be included again") && said.err.lines().count() == 1, "{}", said.err);
    let said = place.on_ledger(&["include", "/a.tmp", "/same.tmp"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let statuses =
        "SELECT path, copy_status FROM src_status WHERE name IN ('a.tmp', 'same.tmp', 'b.tmp') ORDER BY path";
    assert_eq!(place.query(statuses), ["/a.tmp|pending", "/same.tmp|already_existed"]);
    // Listed again, with something new in it.
    place.file("src/x/b.tmp", "new");
    place.file("src/x/new/cache/file", "new");
    assert_eq!(place.on_ledger(&["mark-retry", "/x"]).code, Some(0));
    let said = place.on_ledger(&["retry"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query(statuses), ["/a.tmp|pending", "/same.tmp|already_existed", "/x/b.tmp|excluded_explicit"]);
    assert_eq!(place.query("SELECT path FROM src_status WHERE starts_with(path, '/x/new/')"), ["/x/new/cache"]);
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(0));
    assert_eq!(place.on_ledger(&["verify"]).code, Some(0));
    assert!(place.path("dst/a.tmp").exists() && place.path("dst/x/new").exists());
    assert!(!place.path("dst/x/new/cache").exists() && !place.path("dst/x/b.tmp").exists());
}
