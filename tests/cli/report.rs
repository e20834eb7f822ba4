//! `report`: what it says at each phase, and what a browser makes of its page.

mod browser;
mod large;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

use duckdb::arrow::array::{Array, AsArray};
use duckdb::arrow::datatypes::{Int64Type, TimestampNanosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::program::{Place, Said};

/// Names that a page, a spreadsheet or a terminal would take for something else.
const HOSTILE: [&str; 5] = [
    "<script>document.title = 'ran'; alert(1)",
    "\"><img src=x onerror=\"document.title='ran'\">",
    "=cmd|'calc'!A1",
    "new\nline & <iframe>",
    "{{ figures }}{% if %}",
];

/// Two trees with all that may become of a file: moved, there already, failed, in conflict, gone, left out, different.
fn place() -> Place {
    let place = Place::new();
    for number in 0..20 {
        place.file(&format!("src/photos/{number}.jpg"), &"x".repeat(1_000 * number));
    }
    for name in HOSTILE {
        place.file(&format!("src/hostile/{name}"), "hostile");
        // A FIFO is not carried over, so that its name is among the problems.
        let made = Command::new("mkfifo").arg(place.path(&format!("src/hostile/{name} fifo"))).status();
        assert!(made.expect("mkfifo is there").success());
    }
    let not_utf8 = place.path("src/hostile").join(OsStr::from_bytes(b"latin \xe9.txt"));
    fs::write(not_utf8, "1").unwrap();
    place.file_on_both("same.pdf", "the same");
    place.file("src/taken/below.txt", "12");
    place.file("dst/taken", "a file");
    place.file("dst/only there.txt", "3");
    place.file("src/gone.txt", "gone");
    fs::create_dir(place.path("dst/blocked")).unwrap();
    place.file("src/blocked/file.txt", "blocked");
    place
}

fn report(place: &Place, out: &str) -> Said {
    place.on_ledger(&["report", "--out", out])
}

fn summary(place: &Place, out: &str) -> Value {
    serde_json::from_str(&place.contents(&format!("{out}/summary.json"))).expect("it is JSON")
}

/// From discovery to verification, with what goes wrong on the way.
fn migrate(place: &Place) {
    assert_eq!(place.discover(&[]).code, Some(0));
    fs::remove_file(place.path("src/gone.txt")).unwrap();
    // What was a folder is one no more when its turn comes.
    fs::remove_dir(place.path("dst/blocked")).unwrap();
    place.file("dst/blocked", "in the way");
    place.on_ledger(&["approve", "--leave-conflicts"]);
    assert_eq!(place.on_ledger(&["copy"]).code, Some(3));
    place.file("dst/photos/7.jpg", "not what was copied");
    assert_eq!(place.on_ledger(&["verify", "--level", "checksum"]).code, Some(3));
}

/// The rows of `nodes.parquet`: side and path, copy status, checksum.
fn nodes(place: &Place, out: &str) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let file = File::open(place.path(&format!("{out}/nodes.parquet"))).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let mut rows = BTreeMap::new();
    for batch in batches.map(Result::unwrap) {
        let text = |name: &str, row: usize| {
            let column = batch.column_by_name(name).unwrap().as_string::<i32>();
            column.is_valid(row).then(|| column.value(row).to_owned())
        };
        let times = batch.column_by_name("modified").unwrap().as_primitive::<TimestampNanosecondType>();
        let sizes = batch.column_by_name("size").unwrap().as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let (side, path) = (text("side", row).unwrap(), text("path", row).unwrap());
            assert_eq!(sizes.is_valid(row), text("kind", row).unwrap() != "folder" && sizes.is_valid(row), "{path}");
            assert!(times.is_null(row) || times.value(row) > 1_500_000_000_000_000_000, "{path}");
            let before = rows.insert(format!("{side} {path}"), (text("copy_status", row), text("checksum", row)));
            assert!(before.is_none(), "{side} {path} comes twice");
        }
    }
    rows
}

#[test]
fn a_migration_that_is_done_is_reported_with_all_that_became_of_it() {
    let place = place();
    migrate(&place);
    let said = report(&place, "report");
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert!(said.out.starts_with("Done, with exceptions.\n"), "{}", said.out);
    assert!(said.out.contains("found 1 difference") || said.out.contains("found 2 differences"), "{}", said.out);

    let summary = summary(&place, "report");
    let status: Value = serde_json::from_str(&place.on_ledger(&["status", "--json"]).out).unwrap();
    for (ours, theirs) in [
        ("moved", &status["src"]["copied"]),
        ("there_already", &status["src"]["already_existed"]),
        ("waiting", &status["src"]["copy_pending"]),
    ] {
        assert_eq!(&summary["outcomes"][ours], theirs, "{ours}");
    }
    assert_eq!(summary["phase"], status["phase"]);
    assert_eq!(summary["verification"]["level"], "checksum");
    assert_eq!(summary["verification"]["differences"], status["verified"]["differences"]);
    assert!(summary["plan_hash"].as_str().is_some_and(|hash| hash.len() == 64), "{}", summary["plan_hash"]);

    let nodes = nodes(&place, "report");
    let all = place.query("SELECT count(*) FROM src_nodes");
    let alone = place.query("SELECT count(*) FROM dst_status WHERE traversal_status = 'not_on_src'");
    assert_eq!(
        (nodes.len()).to_string(),
        (all[0].parse::<i64>().unwrap() + alone[0].parse::<i64>().unwrap()).to_string()
    );
    let (status, checksum) = &nodes["src /photos/3.jpg"];
    assert_eq!(status.as_deref(), Some("successful"));
    assert_eq!(checksum.as_deref(), Some(&*blake3::hash("x".repeat(3_000).as_bytes()).to_hex()));
    assert_eq!(nodes["dst /only there.txt"], (None, None));
    assert!(nodes.contains_key("src /hostile/latin \\xe9.txt"));
    assert!(nodes.contains_key("src /hostile/new\\nline & <iframe>"));
}

#[test]
fn every_problem_is_in_the_table_and_no_cell_of_it_is_run() {
    let place = place();
    migrate(&place);
    assert_eq!(report(&place, "report").code, Some(0));
    let table = fs::read(place.path("report/problems.csv")).unwrap();
    let mut by_status: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut reader = csv::Reader::from_reader(&table[..]);
    assert_eq!(&reader.headers().unwrap()[0], "side");
    for row in reader.records().map(Result::unwrap) {
        assert!(row.iter().all(|cell| !cell.starts_with(['=', '+', '-', '@'])), "{row:?}");
        by_status.entry(row[4].to_owned()).or_default().push(row[1].to_owned());
    }
    for paths in by_status.values_mut() {
        paths.sort();
    }
    let expected = place
        .query("SELECT count(*) FROM src_status WHERE copy_status NOT IN ('pending', 'successful', 'already_existed')");
    let not_copied =
        by_status.iter().filter(|(status, _)| *status != "different").map(|(_, paths)| paths.len()).sum::<usize>();
    assert_eq!(not_copied.to_string(), expected[0]);
    assert_eq!(by_status["skipped"].len(), HOSTILE.len());
    assert_eq!(by_status["conflict"], ["/taken", "/taken/below.txt"]);
    assert_eq!(by_status["vanished"], ["/gone.txt"]);
    assert_eq!(by_status["failed"], ["/blocked/file.txt"]);
    assert!(by_status["different"].contains(&"/photos/7.jpg".to_owned()));
    assert_eq!(summary(&place, "report")["problem_count"], by_status.values().map(Vec::len).sum::<usize>());
}

#[test]
fn a_report_can_be_made_at_any_phase_and_says_which() {
    let place = place();
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = report(&place, "review");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.starts_with("Nothing has been moved yet.\n"), "{}", said.out);
    assert_eq!(summary(&place, "review")["phase"], "review");

    // As if it had been killed: there is no other way to stop small trees half way.
    let sql =
        "UPDATE migration SET phase = 'suspended', suspended_from = 'traversing', phase_reason = 'the store is gone'";
    let connection = duckdb::Connection::open(place.ledger()).unwrap();
    connection.execute_batch(sql).unwrap();
    connection.close().unwrap();
    let said = report(&place, "suspended");
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("The two sides are still being listed.\nThe migration is suspended (the store is gone)"));
    assert!(place.contents("suspended/report.html").contains("suspended (traversing)"));
}

#[test]
fn a_report_that_is_there_is_replaced_by_force_only() {
    let place = place();
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(report(&place, "a/b").code, Some(0));
    let before = place.everything();
    let page = place.contents("a/b/report.html");
    let said = report(&place, "a/b");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("--force"), "{}", said.err);
    assert_eq!((place.everything(), place.contents("a/b/report.html")), (before.clone(), page));
    assert_eq!(place.on_ledger(&["report", "--out", "a/b", "--force"]).code, Some(0));
    assert_eq!(place.everything(), before);
}

#[test]
fn nothing_is_left_of_a_report_that_cannot_be_made() {
    let place = place();
    assert_eq!(report(&place, "report").code, Some(1), "there is no ledger");
    assert!(!place.path("report").exists());
    assert_eq!(place.discover(&[]).code, Some(0));
    place.file("report", "a file");
    let said = report(&place, "report");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("report"), "{}", said.err);
    assert_eq!(place.contents("report"), "a file");
}

#[test]
fn the_plan_that_a_report_names_is_the_one_that_was_carried_out() {
    let place = Place::new();
    place.file("src/one", "one");
    assert_eq!(place.discover(&[]).code, Some(0));
    let hashes = |name: &str| {
        assert_eq!(place.on_ledger(&["report", "--out", name]).code, Some(0));
        let summary: serde_json::Value =
            serde_json::from_str(&place.contents(&format!("{name}/summary.json"))).unwrap();
        ["plan_hash", "approved_plan_hash"].map(|key| summary[key].as_str().map(str::to_owned))
    };
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    let [carried_out, approved] = hashes("before");
    assert!(carried_out.is_none() && approved.is_some());
    assert_eq!(place.on_ledger(&["copy"]).code, Some(0));
    assert_eq!(hashes("copied"), [approved.clone(), approved.clone()]);
    let said = place.on_ledger(&["approve"]);
    assert_eq!(said.code, Some(1));
    assert!(
        said.err.contains("nothing is left that could be approved") && said.err.lines().count() == 1,
        "{}",
        said.err
    );

    // A later look at the trees makes another plan, and leaves what was done as it was.
    place.file("src/two", "two");
    assert_eq!(place.on_ledger(&["refresh"]).code, Some(0));
    assert_eq!(hashes("refreshed"), [approved.clone(), None]);
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    let [carried_out, now] = hashes("approved");
    assert_eq!(carried_out, approved);
    assert!(now.is_some() && now != approved);
    let page = place.contents("approved/report.html");
    assert!(page.contains(&carried_out.unwrap()) && page.contains(&now.unwrap()));
}

#[test]
fn what_the_system_says_of_a_report_that_cannot_be_written_is_said_once() {
    let place = Place::new();
    assert_eq!(place.discover(&[]).code, Some(0));
    place.file("in the way", "a file");
    let said = report(&place, "in the way/report");
    assert_eq!(said.code, Some(1));
    assert_eq!(said.err.matches("Not a directory").count(), 1, "{}", said.err);
}
