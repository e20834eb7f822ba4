//! Going on after a crash: what was half done is dropped, what is pending is found.

#![allow(clippy::single_range_in_vec_init, reason = "a list of ranges that happens to have one")]

use super::*;
use crate::idle::Stage;

/// What a crash at this moment would leave, opened by the next run.
fn crash_and_resume(path: &Path) -> (tempfile::TempDir, PathBuf, DiscoverWriter, Remaining) {
    let (folder, copy) = as_after_a_crash(path);
    let (writer, remaining) = open(&copy).go_on();
    (folder, copy, writer, remaining)
}

fn ids(folders: &[Folder]) -> Vec<i64> {
    folders.iter().map(|folder| folder.id.0).collect()
}

/// Ends the run, and returns every node of both sides with its statuses; counters must be what a recount gives.
fn end(mut writer: DiscoverWriter, path: &Path) -> Vec<Vec<Option<String>>> {
    writer.match_recorded().unwrap();
    writer.end(Phase::Review, None, "complete").unwrap();
    let reader = Reader::open(path).unwrap();
    assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
    let sql = "SELECT 'src', path, kind, traversal_status, copy_status, error FROM src_status
               UNION ALL
               SELECT 'dst', path, kind, traversal_status, NULL, error FROM dst_status
               ORDER BY ALL";
    reader.query(sql).unwrap().rows
}

#[test]
fn pages_of_a_source_folder_without_its_event_are_dropped() {
    let (_folder, path, mut writer) = on_disk();
    writer.record_page(Side::Source, listed(&root(), page(&["a", "b/"]), false)).unwrap();
    writer.commit().unwrap();
    writer.record_page(Side::Source, listed(&root(), page(&["c"]), false)).unwrap();
    writer.commit().unwrap();

    let (_copy, copy, mut writer, remaining) = crash_and_resume(&path);
    assert_eq!(remaining.source, [1..2]);
    assert_eq!(writer.query("SELECT name FROM src_nodes"), [[Some(String::new())]]);
    let found = record(&mut writer, Side::Source, &root(), &["b/", "a", "c", "d"]);
    assert_eq!(ids(&found), [2], "the ids of what was dropped are given out again");
    record(&mut writer, Side::Source, &found[0], &[]);
    record(&mut writer, Side::Destination, &root(), &[]);
    assert_eq!(end(writer, &copy).len(), 5 + 1);
}

#[test]
fn a_destination_folder_that_is_listed_again_ends_as_if_nothing_had_happened() {
    let source = ["same", "file here/", "file there", "sub/"];
    let (first, second) = (["same", "file here", "sub/"], ["file there/", "extra"]);
    let play = |interrupt: bool| {
        let (mut folder, mut path, mut writer) = on_disk();
        let mut found = record(&mut writer, Side::Source, &root(), &source);
        writer.record_page(Side::Destination, listed(&root(), page(&first), false)).unwrap();
        if interrupt {
            writer.commit().unwrap();
            let remaining;
            (folder, path, writer, remaining) = crash_and_resume(&path);
            assert_eq!((remaining.source, remaining.destination), (vec![3..6], vec![1..2]));
            found = writer.pull_folders(Side::Source, &(3..6)).unwrap();
            writer.record_page(Side::Destination, listed(&root(), page(&first), false)).unwrap();
        }
        let mut answers = writer.record_page(Side::Destination, listed(&root(), page(&second), true)).unwrap();
        answers.extend(writer.match_recorded().unwrap());
        for folder in &found {
            record(&mut writer, Side::Source, folder, &[]);
        }
        for folder in answers.remove(0).found.named.unwrap() {
            record(&mut writer, Side::Destination, &folder, &["x"]);
        }
        (end(writer, &path), folder)
    };
    assert_eq!(play(true).0, play(false).0);
}

#[test]
fn only_what_is_pending_is_pulled() {
    let (_folder, path, mut writer) = on_disk();
    let found = record(&mut writer, Side::Source, &root(), &["a/", "b/", "c/", "d/"]);
    record(&mut writer, Side::Source, &found[1], &["below/"]);
    writer.record_failure(Side::Source, failure(&found[2], ErrorClass::Denied, "no", 1)).unwrap();
    writer.commit().unwrap();

    let (_copy, _, mut writer, remaining) = crash_and_resume(&path);
    assert_eq!((remaining.source, remaining.destination), (vec![2..7], vec![1..2]));
    assert_eq!(ids(&writer.pull_folders(Side::Source, &(1..9)).unwrap()), [2, 5, 6]);
}

#[test]
fn a_pending_folder_whose_counterpart_failed_is_known() {
    let (_folder, path, mut writer) = on_disk();
    let found = record(&mut writer, Side::Source, &root(), &["a/", "b/"]);
    record(&mut writer, Side::Destination, &root(), &["a/", "b/"]);
    writer.record_failure(Side::Source, failure(&found[1], ErrorClass::Denied, "no", 1)).unwrap();
    writer.commit().unwrap();
    let (_copy, _, _, remaining) = crash_and_resume(&path);
    assert_eq!(remaining.failed_sources, [found[1].id]);
    assert_eq!(remaining.destination, [2..4]);
}

#[test]
fn a_failed_source_folder_is_known_though_its_counterpart_is_still_to_be_found() {
    let (_folder, path, mut writer) = on_disk();
    let found = record(&mut writer, Side::Source, &root(), &["a/", "b/"]);
    writer.record_failure(Side::Source, failure(&found[0], ErrorClass::Denied, "no", 1)).unwrap();
    writer.commit().unwrap();
    let (_copy, _, _, remaining) = crash_and_resume(&path);
    assert_eq!(remaining.failed_sources, [found[0].id]);
}

#[test]
fn what_is_said_after_events_were_dropped_is_not_taken_for_folded() {
    let (_folder, path, mut writer) = on_disk();
    let sockets = || {
        let mut page = Page::default();
        for name in ["a", "b", "c"] {
            page.push(name.as_bytes(), NodeKind::Other, None, None);
        }
        page
    };
    writer.record_page(Side::Source, listed(&root(), sockets(), false)).unwrap();
    writer.commit().unwrap();

    let (_copy, copy, mut writer, _) = crash_and_resume(&path);
    writer.record_page(Side::Source, listed(&root(), sockets(), true)).unwrap();
    record(&mut writer, Side::Destination, &root(), &[]);
    let statuses: Vec<_> = end(writer, &copy).into_iter().filter(|row| row[1].as_deref() != Some("/")).collect();
    assert_eq!(statuses.len(), 3);
    assert!(statuses.iter().all(|row| row[4].as_deref() == Some("skipped")), "{statuses:?}");
}

#[test]
fn a_crash_while_going_on_is_gone_on_from_like_any_other() {
    let (_folder, path, mut writer) = on_disk();
    let found = record(&mut writer, Side::Source, &root(), &["a/", "b/"]);
    writer.commit().unwrap();
    let (_copy, copy, mut writer, _) = crash_and_resume(&path);
    record(&mut writer, Side::Source, &found[0], &["x"]);
    writer.commit().unwrap();
    let (_copy, copy, mut writer, remaining) = crash_and_resume(&copy);
    assert_eq!(remaining.source, [3..4]);
    record(&mut writer, Side::Source, &found[1], &[]);
    record(&mut writer, Side::Destination, &root(), &["a/"]);
    let found = writer.pull_folders(Side::Destination, &(2..3)).unwrap();
    record(&mut writer, Side::Destination, &found[0], &["x"]);
    end(writer, &copy);
    let reader = Reader::open(&copy).unwrap();
    let runs = reader.query("SELECT run, outcome FROM runs ORDER BY run").unwrap().rows;
    assert_eq!(runs.len(), 3);
    assert_eq!(runs[2][1].as_deref(), Some("complete"));
}

#[test]
fn there_is_nothing_to_go_on_with_after_the_end() {
    let (_folder, path, mut writer) = on_disk();
    record(&mut writer, Side::Source, &root(), &[]);
    record(&mut writer, Side::Destination, &root(), &[]);
    end(writer, &path);
    let ledger = open(&path);
    assert_eq!(ledger.migration().phase, Phase::Review);
    assert!(matches!(ledger.stage(), Stage::Discovered(_)));
    assert_eq!(Reader::open(&path).unwrap().overview().unwrap().runs.len(), 1, "no run has begun");
}
