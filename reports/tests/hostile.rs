//! Reports on ledgers whose names want to be something else than names.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use duckdb::arrow::array::AsArray;
use duckdb::arrow::datatypes::Int64Type;
use longhaul_ledger::reporting::ReportingResources;
use longhaul_ledger::{DiscoverWriter, Folder, ListedPage, MigrationSpec, Resources, Settings};
use longhaul_model::{Comparison, FIRST_NODE_ID, NodeKind, Page, Phase, Side};
use longhaul_reports::{NODES, PAGE, PROBLEMS, ReportError, ReportOptions, SUMMARY, write_report};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Names that mean something in a page, in a template, in SQL, and in a spreadsheet. The ones with a `|` in front are
/// FIFOs, which are not copied, so that they are named.
const HOSTILE: [&str; 9] = [
    "|<script>document.title='ran'<\u{2044}script>",
    "|\"><img src=x onerror=\"document.title='ran'\">",
    "|'><svg onload=alert(1)>",
    "|{{ figures.source }}{% if true %}&amp;&lt;",
    "|</style><script>alert(1)//",
    "|=cmd|'calc'!A1",
    "'; DROP TABLE plan; --",
    "@SUM(A1)",
    "ordinary.txt",
];

fn now_ns() -> i64 {
    1_700_000_000_000_000_000
}

fn options(force: bool) -> ReportOptions {
    ReportOptions { force, now_ns: now_ns(), resources: ReportingResources::default(), stop: Arc::default() }
}

/// A ledger whose source is a hostile name itself; its discovery ends only if that is wanted.
fn ledger(path: &Path, is_discovered: bool) {
    let spec = MigrationSpec {
        source: "/from/<script>alert('source')</script>".to_owned(),
        destination: "/to/\"onmouseover=\"alert(1)".to_owned(),
        settings: Settings::new(Comparison::for_resolutions(1, 1)),
    };
    let created = longhaul_ledger::create(path, &spec, &Resources::default(), now_ns()).unwrap();
    let (mut writer, _) = created.discover("<b>discover</b>", now_ns).unwrap();
    let mut page = Page::default();
    for name in HOSTILE {
        // A slash cannot be in a name.
        let name = name.replace('/', "\u{2044}");
        let kind = if name.starts_with('|') { NodeKind::Other } else { NodeKind::File };
        page.push(name.trim_start_matches('|').as_bytes(), kind, Some(10), Some(now_ns()));
    }
    if is_discovered {
        list(&mut writer, Side::Source, page);
        list(&mut writer, Side::Destination, Page::default());
        writer.end(Phase::Review, None, "complete").unwrap();
    } else {
        list(&mut writer, Side::Source, page);
        let reason = Some("<i>interrupted</i>");
        writer.end(Phase::Suspended, reason, "interrupted").unwrap();
    }
}

fn list(writer: &mut DiscoverWriter, side: Side, page: Page) {
    let folder = Folder { id: FIRST_NODE_ID, source_id: FIRST_NODE_ID, path: "/".to_owned(), depth: 0 };
    writer.record_page(side, ListedPage { folder, page, is_last: true, attempts: 1 }).unwrap();
    writer.match_recorded().unwrap();
}

/// The elements of a page that can do something, or get something from elsewhere.
const ACTIVE: [&str; 10] =
    ["<script", "<img", "<iframe", "<object", "<embed", "<link", "<form", " onload=\"", " onerror=\"", " src="];

#[test]
fn whatever_a_name_is_it_is_text_on_the_page() {
    let place = tempfile::tempdir().unwrap();
    for is_discovered in [true, false] {
        let (path, out) =
            (place.path().join(format!("{is_discovered}.duckdb")), place.path().join(is_discovered.to_string()));
        ledger(&path, is_discovered);
        write_report(&path, &out, &options(false)).unwrap();
        let page = fs::read_to_string(out.join(PAGE)).unwrap();
        for active in ACTIVE {
            // Between two tags, as text, it may be what it likes; in a tag there is nothing but our own.
            let tags = page.split('<').skip(1).filter_map(|tag| tag.split_once('>'));
            let found = tags.filter(|(tag, _)| format!("<{tag}").contains(active)).count();
            assert_eq!(found, 0, "{active}");
        }
        assert!(page.contains("&#60;script&#62;alert(&#39;source&#39;)&#60;/script&#62;"), "as text");
        assert!(
            !page.contains("http:") && !page.contains("https:") && !page.contains("url("),
            "nothing from elsewhere"
        );
        assert!(page.contains("default-src 'none'"));
    }
}

#[test]
fn a_template_in_a_name_stays_one() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.duckdb");
    ledger(&path, true);
    write_report(&path, &place.path().join("out"), &options(false)).unwrap();
    let page = fs::read_to_string(place.path().join("out").join(PAGE)).unwrap();
    assert!(page.contains("/{{ figures.source }}{% if true %}&#38;amp;&#38;lt;"));
}

#[test]
fn the_table_of_nodes_has_every_name_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.duckdb");
    ledger(&path, true);
    write_report(&path, &place.path().join("out"), &options(false)).unwrap();
    let file = File::open(place.path().join("out").join(NODES)).unwrap();
    let batches: Vec<_> =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap().map(Result::unwrap).collect();
    let mut rows = Vec::new();
    for batch in &batches {
        let ids = batch.column_by_name("id").unwrap().as_primitive::<Int64Type>();
        let paths = batch.column_by_name("path").unwrap().as_string::<i32>();
        rows.extend((0..batch.num_rows()).map(|row| (ids.value(row), paths.value(row).to_owned())));
    }
    assert_eq!(rows[0], (1, "/".to_owned()));
    for name in HOSTILE {
        let path = format!("/{}", name.trim_start_matches('|').replace('/', "\u{2044}"));
        assert!(rows.iter().any(|(_, other)| *other == path), "{path}");
    }
    assert_eq!(rows.len(), HOSTILE.len() + 1);
}

#[test]
fn figures_and_problems_are_those_of_the_page() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.duckdb");
    ledger(&path, true);
    let out = place.path().join("out");
    let written = write_report(&path, &out, &options(false)).unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(out.join(SUMMARY)).unwrap()).unwrap();
    assert_eq!(summary["phase"], "review");
    assert_eq!(summary["files"]["waiting"]["nodes"], 3);
    assert_eq!(summary["outcomes"]["not_moved"]["nodes"], 6);
    assert_eq!(summary["problem_count"], 6);
    assert_eq!(summary["made_at"], "2023-11-14T22:13:20Z");
    let rows = csv::Reader::from_path(out.join(PROBLEMS)).unwrap().into_records().count();
    assert_eq!(rows, 6);
    assert_eq!(written.figures.conclusion.headline, "Nothing has been moved yet");
    assert_eq!(written.files.len(), 4);
}

#[test]
fn a_ledger_that_cannot_be_read_makes_no_folder() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let error = write_report(&place.path().join("none.duckdb"), &out, &options(true)).unwrap_err();
    assert!(error.to_string().contains("does not exist"), "{error}");
    assert!(!out.exists());
}

#[test]
fn of_a_report_that_is_given_up_nothing_is_left() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.duckdb");
    ledger(&path, true);
    let out = place.path().join("report");
    let stopped = ReportOptions { stop: Arc::new(AtomicBool::new(true)), ..options(false) };
    assert!(matches!(write_report(&path, &out, &stopped), Err(ReportError::Stopped)));
    assert!(!out.exists());
}
