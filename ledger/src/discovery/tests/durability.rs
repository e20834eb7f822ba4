//! What is there after a crash, an error, and an end.

use super::*;

/// How many nodes and events of the source there are in a file.
fn nodes_and_events(path: &Path) -> (i64, i64) {
    let connection = crate::opening::open(path, crate::Log::Unknown, &Resources::default()).unwrap();
    let count =
        |table: &str| connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap();
    (count("src_nodes"), count("src_status_events"))
}

#[test]
fn the_roots_are_there_after_a_crash_at_once() {
    let (_folder, path, writer) = on_disk();
    let (_copy, copy) = as_after_a_crash(&path);
    assert_eq!(nodes_and_events(&copy), (1, 0));
    let reader = Reader::open(&copy).unwrap();
    assert_eq!(reader.migration().unwrap().phase, Phase::Traversing);
    assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
    drop(writer);
}

#[test]
fn a_crash_before_the_commit_loses_a_folder_s_children_and_its_event_together() {
    let (_folder, path, mut writer) = on_disk();
    record(&mut writer, Side::Source, &root(), &["a", "b"]);
    // The rows are in DuckDB's open transaction.
    writer.pull_folders(Side::Source, &(1..9)).unwrap();
    let (_copy, copy) = as_after_a_crash(&path);
    assert_eq!(nodes_and_events(&copy), (1, 0));
    writer.commit().unwrap();
    let (_copy, copy) = as_after_a_crash(&path);
    assert_eq!(nodes_and_events(&copy), (3, 1));
    let reader = Reader::open(&copy).unwrap();
    assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
}

#[test]
fn a_recorder_that_is_dropped_commits_nothing() {
    let (_folder, path, mut writer) = on_disk();
    record(&mut writer, Side::Source, &root(), &["a/"]);
    writer.commit().unwrap();
    record(&mut writer, Side::Source, &Folder { id: NodeId(2), ..root() }, &["b"]);
    writer.pull_folders(Side::Source, &(1..9)).unwrap();
    drop(writer);
    assert_eq!(nodes_and_events(&path), (2, 1));
}

#[test]
fn uncommitted_rows_are_counted_until_they_are_committed() {
    let (_folder, _path, mut writer) = on_disk();
    assert_eq!(writer.writer.uncommitted_rows, 0);
    record(&mut writer, Side::Source, &root(), &["a", "b"]);
    assert!(writer.writer.uncommitted_rows >= 3);
    assert!(!writer.should_commit());
    writer.commit().unwrap();
    assert_eq!(writer.writer.uncommitted_rows, 0);
    writer.commit().unwrap();
}

#[test]
#[should_panic(expected = "pages are matched before they are committed")]
fn unmatched_pages_are_never_committed() {
    let mut writer = in_memory();
    record(&mut writer, Side::Source, &root(), &["a"]);
    writer.forget_recent();
    writer.record_page(Side::Destination, listed(&root(), page(&["a"]), true)).unwrap();
    let _ = writer.commit();
}

/// DuckDB says Ok to the COMMIT of a transaction in which something failed, and stores nothing.
#[test]
fn after_an_error_nothing_can_be_recorded_or_committed_and_what_was_committed_is_there() {
    let (_folder, path, mut writer) = on_disk();
    let folders = record(&mut writer, Side::Source, &root(), &["a/", "b/"]);
    writer.commit().unwrap();
    record(&mut writer, Side::Source, &folders[0], &["lost"]);
    writer.writer.flush_rows().unwrap();
    // Breaks the open transaction: this node has no name.
    let sql = "INSERT INTO src_nodes VALUES (99, 1, NULL, 'file', NULL, NULL, 1)";
    let broken = writer.guarded(|this| Ok(this.writer.connection.execute_batch(sql)?));
    assert!(matches!(broken, Err(LedgerError::Database(_))), "{broken:?}");

    let poisoned = |result: Result<()>| assert!(matches!(result, Err(LedgerError::Poisoned(_))), "{result:?}");
    poisoned(writer.record_page(Side::Source, listed(&folders[1], page(&["c"]), true)).map(drop));
    let denied = failure(&folders[1], ErrorClass::Denied, "no", 1);
    poisoned(writer.record_failure(Side::Source, denied).map(drop));
    poisoned(writer.match_recorded().map(drop));
    poisoned(writer.pull_folders(Side::Source, &(1..9)).map(drop));
    poisoned(writer.commit());
    writer.writer.abandon();

    assert_eq!(nodes_and_events(&path), (3, 1));
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
    let overview = reader.overview().unwrap();
    assert_eq!(overview.migration.phase, Phase::Suspended);
    assert!(overview.migration.phase_reason.unwrap().contains("NOT NULL constraint"));
    assert_eq!(overview.runs[0].outcome.as_deref(), Some("suspended"));
}

#[test]
fn a_poisoned_recorder_cannot_end_as_if_nothing_had_happened() {
    let (_folder, path, mut writer) = on_disk();
    record(&mut writer, Side::Source, &root(), &["a"]);
    let broken = writer.guarded(|this| Ok(this.writer.connection.execute_batch("SELECT * FROM nothing")?));
    assert!(broken.is_err());
    assert!(matches!(writer.end(Phase::Review, None, "complete"), Err(LedgerError::Poisoned(_))));
    assert_eq!(Reader::open(&path).unwrap().migration().unwrap().phase, Phase::Traversing);
    assert_eq!(nodes_and_events(&path), (1, 0));
}

#[test]
fn the_end_leaves_no_log_and_no_event_that_is_not_folded() {
    let (_folder, path, mut writer) = on_disk();
    record(&mut writer, Side::Source, &root(), &["a"]);
    record(&mut writer, Side::Destination, &root(), &["a"]);
    writer.end(Phase::Suspended, Some("interrupted"), "interrupted").unwrap();
    assert!(!crate::beside::log_of(&path).exists());
    let reader = Reader::open(&path).unwrap();
    let migration = reader.migration().unwrap();
    assert_eq!((migration.phase, migration.phase_reason.as_deref()), (Phase::Suspended, Some("interrupted")));
    let unfolded = reader
        .query(
            "SELECT count(*)
             FROM (SELECT seq FROM src_status_events UNION ALL SELECT seq FROM dst_status_events), migration
             WHERE seq > greatest(src_folded_seq, dst_folded_seq)",
        )
        .unwrap();
    assert_eq!(unfolded.rows, [[Some("0".to_owned())]]);
}

#[test]
fn a_phase_that_cannot_follow_is_refused() {
    let (_folder, path, writer) = on_disk();
    let ended = writer.end(Phase::Copying, None, "complete");
    assert!(matches!(ended, Err(LedgerError::Inconsistent(_))), "{ended:?}");
    assert_eq!(Reader::open(&path).unwrap().migration().unwrap().phase, Phase::Traversing);
}

#[test]
fn the_rows_of_many_commits_survive_a_crash_and_ids_go_on_behind_them() {
    let (_folder, path, mut writer) = on_disk();
    let mut folders = record(&mut writer, Side::Source, &root(), &["a/", "b/", "c/"]);
    for folder in folders.drain(..) {
        record(&mut writer, Side::Source, &folder, &["x", "y"]);
        writer.commit().unwrap();
    }
    let (_copy, copy) = as_after_a_crash(&path);
    let connection = crate::opening::open(&copy, crate::Log::Unknown, &Resources::default()).unwrap();
    let next = Writer::begin(connection, "again", spec().settings, some_time_ns).unwrap();
    assert_eq!(next.next_id, BySide { src: NodeId(11), dst: NodeId(2) });
    assert_eq!(next.events.next_seq(), 5);
    assert_eq!(next.run, 2);
    assert_eq!(next.counters(), writer.counters());
}
