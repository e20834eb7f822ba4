//! `query` reads the ledger and nothing else, and nothing else can be done with it.

use std::fs;

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::program::Place;

fn discovered() -> Place {
    let place = Place::new();
    place.file("src/file", "1");
    assert_eq!(place.discover(&[]).code, Some(0));
    place
}

#[test]
fn a_query_cannot_write_anything_or_read_other_files() {
    let place = discovered();
    place.file("secret.csv", "hunter2");
    let ledger = fs::read(place.ledger()).unwrap();
    let before = place.everything();
    for sql in [
        "COPY (SELECT 1) TO 'ledger.duckdb' (FORMAT csv)",
        "COPY (SELECT 1) TO 'ledger.duckdb.wal' (FORMAT csv)",
        "COPY (SELECT 1) TO 'new.csv'",
        "SELECT 1; COPY (SELECT 1) TO 'ledger.duckdb.wal' (FORMAT csv)",
        "SELECT 1); COPY (SELECT 1) TO 'ledger.duckdb.wal' (FORMAT csv); FROM (SELECT 1",
        "ATTACH 'other.duckdb'",
        "EXPORT DATABASE 'exported'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '1TB'",
        "PRAGMA enable_profiling",
        "CREATE TABLE mine (x INTEGER)",
        "DELETE FROM src_nodes",
        "FROM read_text('secret.csv')",
        "FROM read_csv('secret.csv')",
        "FROM 'secret.csv'",
        "FROM glob('*')",
        "",
    ] {
        let said = place.on_ledger(&["query", sql]);
        assert_eq!(said.code, Some(1), "{sql}: {}", said.out);
        assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "{sql}");
    }
    assert_eq!(place.everything(), before);
    assert!(fs::read(place.ledger()).unwrap() == ledger);
    for sql in ["FROM src_status", "WITH a AS (SELECT 1) FROM a", "DESCRIBE src_status", "SUMMARIZE plan", "VALUES (1)"]
    {
        assert_eq!(place.on_ledger(&["query", sql]).code, Some(0), "{sql}");
    }
    let ordered = "SELECT path FROM src_status ORDER BY path DESC";
    assert_eq!(place.query(ordered), ["/file", "/"]);
}

/// A ledger that somebody else sends may have views that read this machine's files.
#[test]
fn views_of_a_ledger_read_no_other_files() {
    let place = discovered();
    place.file("secret.csv", "hunter2");
    let secret = place.path("secret.csv");
    let connection = duckdb::Connection::open(place.ledger()).unwrap();
    let view = format!("CREATE OR REPLACE VIEW problems AS FROM read_text('{}')", secret.display());
    connection.execute_batch(&view).unwrap();
    connection.close().unwrap();
    for arguments in [&["query", "FROM problems"][..], &["status"], &["report", "--out", "written"]] {
        let said = place.on_ledger(arguments);
        assert!(!said.out.contains("hunter2") && !said.err.contains("hunter2"), "{arguments:?}");
    }
    assert_eq!(place.on_ledger(&["query", "FROM problems"]).code, Some(1));
}

#[test]
fn the_result_of_a_query_can_be_written_into_a_file() {
    let place = discovered();
    place.file("rows.csv", "what was there before");
    let query = ["query", "SELECT path FROM src_status", "--format", "csv", "--output", "rows.csv"];
    let said = place.on_ledger(&query);
    assert_eq!(
        (said.code, said.err.as_str()),
        (Some(1), "longhaul: rows.csv exists already: replace it with --force\n")
    );
    let said = place.on_ledger(&[&query[..], &["--force"]].concat());
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
    assert_eq!(place.contents("rows.csv"), "path\n/\n/file\n");
    let said = place.on_ledger(&["query", "SELECT 1", "--output", "nowhere/rows.csv"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("cannot write nowhere/rows.csv"), "{}", said.err);
}

#[test]
fn nothing_is_written_over_a_ledger() {
    let place = discovered();
    let ledger = place.ledger();
    let name = ledger.file_name().unwrap().to_str().unwrap().to_owned();
    let before = fs::read(&ledger).unwrap();
    for target in [name.clone(), format!("./{name}"), format!("{name}.wal"), format!("{name}.copies")] {
        for command in [vec!["query", "SELECT 1", "--output", &target, "--force"], vec!["backup", &target, "--force"]] {
            let said = place.on_ledger(&command);
            assert_eq!(said.code, Some(1), "{command:?}");
            assert!(said.err.contains("belongs to the ledger"), "{}", said.err);
        }
    }
    assert!(fs::read(&ledger).unwrap() == before);
}

#[test]
fn a_result_of_many_pages_is_whole_in_every_format() {
    let place = discovered();
    let sql = "SELECT i AS rowid, 'name ' || i AS \"Name\", i / 2 AS half FROM range(20_001) t (i)";
    let said = place.on_ledger(&["query", sql, "--format", "csv"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let csv = said.out;
    assert_eq!(csv.lines().count(), 20_002);
    assert_eq!(csv.lines().next(), Some("rowid,Name,half"));
    assert_eq!(csv.lines().last(), Some("20000,name 20000,10000.0"));
    let said = place.on_ledger(&["query", sql, "--format", "json"]);
    let rows: Vec<serde_json::Value> = serde_json::from_str(&said.out).unwrap();
    assert_eq!((rows.len(), rows[20_000]["Name"].as_str()), (20_001, Some("name 20000")));
    let said = place.on_ledger(&["query", sql]);
    assert_eq!(said.out.lines().filter(|line| line.contains("Name")).count(), 1, "one header");
    assert_eq!(said.out.lines().count(), 20_002);

    let said = place.on_ledger(&["query", sql, "--format", "parquet"]);
    assert_eq!(said.code, Some(1), "not to a terminal");
    let said = place.on_ledger(&["query", sql, "--format", "parquet", "--output", "rows.parquet"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let file = fs::File::open(place.path("rows.parquet")).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in batches.map(Result::unwrap) {
        assert_eq!(batch.schema().field(1).name(), "Name");
        rows.extend(longhaul_ledger::text_of(&batch).unwrap());
    }
    assert_eq!(rows.len(), 20_001);
    assert_eq!(rows[20_000], ["20000", "name 20000", "10000.0"].map(|value| Some(value.to_owned())));
    // Without a row there are columns all the same.
    let said = place.on_ledger(&["query", "SELECT 1 AS one WHERE false", "--format", "csv"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "one\n"));
    let said = place.on_ledger(&["query", "SELECT 1 AS one WHERE false"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "one\n"));
}

/// DuckDB has its own ideas of what begins like this; and it would keep the log of the last one elsewhere.
#[test]
fn a_ledger_has_the_path_that_was_typed() {
    let place = discovered();
    for ledger in [":memory:", "md:x.db", "s3:x", "file:x.db", "~", "a*.db", "it's.db", "a#b.db", "%41.db"] {
        let said = place.run(&["discover", "src", "dst", "--ledger", ledger]);
        assert_eq!(said.code, Some(0), "{ledger}: {}", said.err);
        assert!(place.path(ledger).is_file(), "{ledger}");
        let said = place.run(&["exclude", "/file", "--reason", "x", "--ledger", ledger]);
        assert_eq!(said.code, Some(0), "{ledger}: {}", said.err);
    }
    let before = place.everything();
    for ledger in ["what?.db", "dst?/x.db"] {
        let said = place.run(&["discover", "src", "dst", "--ledger", ledger]);
        assert_eq!(said.code, Some(1), "{ledger}");
        assert!(said.err.contains("question mark"), "{}", said.err);
    }
    assert_eq!(place.everything(), before);
}
