//! What the views for people say.

use super::*;

fn texts(rows: &[Vec<Option<String>>]) -> Vec<Vec<&str>> {
    rows.iter().map(|row| row.iter().map(|text| text.as_deref().unwrap_or("NULL")).collect()).collect()
}

#[test]
fn a_failed_folder_is_among_the_problems_with_class_message_and_attempts() {
    let (_folder, path, mut writer) = on_disk();
    let folders = record(&mut writer, Side::Source, &root(), &["a/", "b/"]);
    let denied = failure(&folders[0], ErrorClass::Denied, "permission denied", 1);
    writer.record_failure(Side::Source, denied).unwrap();
    record(&mut writer, Side::Source, &folders[1], &[]);
    let counterparts = record(&mut writer, Side::Destination, &root(), &["a/", "b/"]);
    let blocked = failure(&counterparts[0], ErrorClass::Blocked, "its counterpart could not be listed", 0);
    writer.record_failure(Side::Destination, blocked).unwrap();
    let throttled = failure(&counterparts[1], ErrorClass::Throttled, "slow down", 5);
    writer.record_failure(Side::Destination, throttled).unwrap();
    writer.match_recorded().unwrap();
    writer.end(Phase::Review, None, "complete").unwrap();

    let reader = Reader::open(&path).unwrap();
    let found: Vec<_> = reader
        .problems(10)
        .unwrap()
        .into_iter()
        .map(|p| (p.side, p.path, p.phase, p.class, p.message, p.attempts))
        .collect();
    let problem = |side: &str, path: &str, class: ErrorClass, message: &str, attempts| {
        (side.to_owned(), path.to_owned(), Phase::Traversing, Some(class.to_string()), message.to_owned(), attempts)
    };
    assert_eq!(
        found,
        [
            problem("src", "/a", ErrorClass::Denied, "permission denied", 1),
            problem("dst", "/a", ErrorClass::Blocked, "its counterpart could not be listed", 0),
            problem("dst", "/b", ErrorClass::Throttled, "slow down", 5),
        ]
    );
    let overview = reader.overview().unwrap();
    assert_eq!((overview.problem_count, overview.problems.len()), (3, 3));
    assert_eq!(overview.totals, reader.recount().unwrap().totals());
    assert_eq!(overview.migration.phase, Phase::Review);
    let outcomes: Vec<_> = overview.runs.iter().map(|run| (run.command.as_str(), run.outcome.as_deref())).collect();
    assert_eq!(outcomes, [("test", Some("complete"))]);
}

#[test]
fn a_conflict_says_what_each_side_has() {
    let mut writer = in_memory();
    record(&mut writer, Side::Source, &root(), &["a"]);
    record(&mut writer, Side::Destination, &root(), &["a/"]);
    writer.commit().unwrap();
    let found = writer.query("SELECT copy_status::VARCHAR, error FROM src_status WHERE path = '/a'");
    assert_eq!(texts(&found), [["conflict", "the source has a file of this name, the destination a folder"]]);
    let found = writer.query("SELECT traversal_status::VARCHAR FROM dst_status WHERE path = '/a'");
    assert_eq!(texts(&found), [["not_on_src"]]);
}

/// A folder's listing is recorded before or after the listing of the destination folder that shows the conflict: what
/// is said of it must not depend on which.
#[test]
fn a_folder_in_conflict_carries_its_reason_and_its_attempts_whether_it_is_listed_before_or_after() {
    for is_listed_first in [true, false] {
        let mut writer = in_memory();
        let folders = record(&mut writer, Side::Source, &root(), &["a/"]);
        if is_listed_first {
            record(&mut writer, Side::Source, &folders[0], &[]);
        }
        record(&mut writer, Side::Destination, &root(), &["a"]);
        if !is_listed_first {
            record(&mut writer, Side::Source, &folders[0], &[]);
        }
        writer.commit().unwrap();
        let sql = "SELECT traversal_status::VARCHAR, copy_status::VARCHAR, attempts::VARCHAR, error
                   FROM src_status
                   WHERE path = '/a'";
        let reason = "the source has a folder of this name, the destination a file";
        let found = writer.query(sql);
        assert_eq!(texts(&found), [["successful", "conflict", "1", reason]], "listed first: {is_listed_first}");
    }
}

#[test]
fn a_folder_in_conflict_that_could_not_be_listed_says_so() {
    for fails_first in [true, false] {
        let mut writer = in_memory();
        let folders = record(&mut writer, Side::Source, &root(), &["a/"]);
        let denied = || failure(&folders[0], ErrorClass::Denied, "permission denied", 3);
        if fails_first {
            writer.record_failure(Side::Source, denied()).unwrap();
        }
        record(&mut writer, Side::Destination, &root(), &["a"]);
        if !fails_first {
            writer.record_failure(Side::Source, denied()).unwrap();
        }
        writer.commit().unwrap();
        let found = writer.query("SELECT path, class::VARCHAR, message, attempts::VARCHAR FROM problems");
        assert_eq!(texts(&found), [["/a", "denied", "permission denied", "3"]]);
        let found = writer.query("SELECT attempts::VARCHAR FROM src_status WHERE path = '/a'");
        assert_eq!(texts(&found), [["3"]], "fails first: {fails_first}");
    }
}

#[test]
fn what_is_not_carried_over_is_skipped_with_a_reason_whatever_the_destination_has() {
    for destination_kind in NodeKind::ALL {
        let mut writer = in_memory();
        let mut source = Page::default();
        source.push(b"fifo", NodeKind::Other, None, None);
        source.remark("FIFO");
        source.push(b"socket", NodeKind::Other, None, None);
        writer.record_page(Side::Source, listed(&root(), source, true)).unwrap();
        let mut destination = Page::default();
        destination.push(b"fifo", destination_kind, None, None);
        writer.record_page(Side::Destination, listed(&root(), destination, true)).unwrap();
        writer.commit().unwrap();
        let sql = "SELECT name, copy_status::VARCHAR, error FROM src_status WHERE depth = 1 ORDER BY name";
        let found = writer.query(sql);
        let no_remark = "neither a file, a folder nor a symbolic link";
        assert_eq!(texts(&found), [["fifo", "skipped", "FIFO"], ["socket", "skipped", no_remark]]);
        assert_eq!(writer.counters().totals().src.skipped, 2);
    }
}

#[test]
fn the_source_of_a_failed_listing_keeps_the_pages_that_had_come() {
    let mut writer = in_memory();
    writer.record_page(Side::Source, listed(&root(), page(&["a", "b/"]), false)).unwrap();
    let answers = writer.record_failure(Side::Source, failure(&root(), ErrorClass::Transient, "gone", 5)).unwrap();
    assert!(!answers[0].is_complete);
    assert_eq!(answers[0].found.named.as_ref().unwrap().len(), 1);
    writer.commit().unwrap();
    let found = writer.query("SELECT path, traversal_status::VARCHAR FROM src_status ORDER BY id");
    assert_eq!(texts(&found), [["/", "failed"], ["/a", "successful"], ["/b", "pending"]]);
    let totals = writer.counters().totals().src;
    assert_eq!((totals.folders_failed, totals.folders_pending()), (1, 1));
}
