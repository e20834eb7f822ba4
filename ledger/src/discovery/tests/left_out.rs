//! What a filter leaves out: recorded, and not looked into on either side.

use super::*;
use crate::FilterSettings;
use crate::filter::FilterRule;
use crate::fold::fold_events;

fn rules() -> FilterSettings {
    let rule = |from: &str, text: &str| FilterRule { from: from.to_owned(), text: text.to_owned() };
    FilterSettings { rules: vec![rule("f:1", "*.tmp"), rule("f:2", "cache/")], at_ns: 7 }
}

fn filtered_spec() -> MigrationSpec {
    MigrationSpec { settings: Settings { filter: rules(), ..spec().settings }, ..spec() }
}

/// Of the names those are left out that end with `.tmp`, or begin with `cache`.
fn filtered(names: &[&str]) -> Page {
    let mut page = page(names);
    for (index, name) in names.iter().enumerate() {
        match name {
            name if name.strip_suffix(".tmp").is_some() => page.leave_out(index, 0),
            name if name.starts_with("cache") => page.leave_out(index, 1),
            _ => {}
        }
    }
    page
}

#[test]
fn neither_side_has_to_list_a_folder_that_is_left_out() {
    for by_join in [false, true] {
        let mut writer = DiscoverWriter::in_memory(&filtered_spec());
        let names = ["a/", "cache/", "x.tmp", "y.tmp", "z.tmp"];
        let answers = writer.record_page(Side::Source, listed(&root(), filtered(&names), true)).unwrap();
        let found: Vec<&str> =
            answers[0].found.named.as_ref().unwrap().iter().map(|folder| folder.path.as_str()).collect();
        assert_eq!(found, ["/a"]);
        if by_join {
            writer.forget_recent();
        }
        // The same, another kind, and nothing; and what only the destination has.
        let found = record(&mut writer, Side::Destination, &root(), &["cache/", "x.tmp", "y.tmp/", "w.tmp"]);
        assert!(found.is_empty(), "{found:?}");
        writer.commit().unwrap();
        fold_events(&writer.writer.connection).unwrap();
        assert_eq!(writer.counters(), &writer.recount());
        let totals = writer.counters().totals();
        assert_eq!((totals.src.folders_pending(), totals.dst.folders_pending()), (1, 0), "/a, and no others");
        assert_eq!((totals.src.excluded, totals.src.conflicts, totals.src.already_existed), (4, 0, 1));
        let ids = 0..100;
        let pulled = writer.pull_folders(Side::Source, &ids).unwrap();
        assert_eq!(pulled.iter().map(|folder| folder.path.as_str()).collect::<Vec<_>>(), ["/a"]);
        assert_eq!(
            writer.query(
                "SELECT path, traversal_status::VARCHAR, copy_status::VARCHAR, error
                 FROM src_status
                 WHERE depth > 0
                 ORDER BY path"
            ),
            [
                ["/a", "pending", "pending", "-"],
                ["/cache", "successful", "excluded_explicit", "filter f:2: cache/ (not listed)"],
                ["/x.tmp", "successful", "excluded_explicit", "filter f:1: *.tmp"],
                ["/y.tmp", "successful", "excluded_explicit", "filter f:1: *.tmp"],
                ["/z.tmp", "successful", "excluded_explicit", "filter f:1: *.tmp"],
            ]
            .map(|row| row.map(|column| (column != "-").then(|| column.to_owned())).to_vec()),
        );
        assert_eq!(
            writer.query("SELECT path, traversal_status::VARCHAR FROM dst_status WHERE depth > 0 ORDER BY path"),
            [["/cache", "successful"], ["/w.tmp", "not_on_src"], ["/x.tmp", "successful"], ["/y.tmp", "not_on_src"],]
                .map(|row| row.map(|column| Some(column.to_owned())).to_vec()),
        );
    }
}

#[test]
fn what_was_left_out_of_a_folder_that_is_half_listed_is_forgotten_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.duckdb");
    let mut writer = discover(&path, &filtered_spec());
    writer.record_page(Side::Source, listed(&root(), filtered(&["1.tmp", "cache/"]), false)).unwrap();
    writer.commit().unwrap();
    let exclusions = "SELECT node_id::VARCHAR, reason FROM exclusions ORDER BY node_id";
    assert_eq!(writer.query(exclusions).len(), 2);
    let (_copied, copy) = as_after_a_crash(&path);
    let ledger = open(&copy);
    assert_eq!(ledger.migration().spec.settings.filter, rules(), "it is kept to");
    let (mut writer, _) = ledger.go_on();
    assert!(writer.query(exclusions).is_empty(), "their ids are given out again");
    writer.record_page(Side::Source, listed(&root(), filtered(&["a", "1.tmp"]), true)).unwrap();
    writer.commit().unwrap();
    assert_eq!(writer.query(exclusions), [[Some("3".to_owned()), Some("filter\u{1f}f:1\u{1f}*.tmp".to_owned())]]);
    assert_eq!(writer.counters(), &writer.recount());
}

#[test]
fn settings_of_a_ledger_without_a_filter_say_nothing_of_one() {
    let text = serde_json::to_string(&spec().settings).unwrap();
    assert!(!text.contains("filter"), "{text}");
    let back: Settings = serde_json::from_str(&text).unwrap();
    assert!(back.filter.is_empty());
    let text = serde_json::to_string(&filtered_spec().settings).unwrap();
    assert_eq!(serde_json::from_str::<Settings>(&text).unwrap(), filtered_spec().settings);
}
