//! What becomes of items of the plan: statuses, what is lost by a crash, and what a later run is given.

use std::path::{Path, PathBuf};

use longhaul_model::{FIRST_NODE_ID, FileFacts, Page, Phase, PlanAction, Side, child_path};

use super::*;
use crate::Reader;
use crate::approval::Approving;
use crate::migration::{CopySettings, Migration};
use crate::overview::Overview;
use crate::plan::plan_totals;
use crate::testing::{Seen, as_after_a_crash, copy, listed, on_disk, open, page, record, root, some_time_ns};

/// Lists trees given by the names in each of their folders, ends discovery, and begins to copy.
fn copying(source: &[(&str, &[&str])], destination: &[&str]) -> (tempfile::TempDir, PathBuf, CopyWriter) {
    let (folder, path, mut writer) = on_disk();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        let names = source.iter().find(|(path, _)| *path == folder.path).map_or(&[][..], |(_, names)| names);
        folders.extend(record(&mut writer, Side::Source, &folder, names));
    }
    for folder in record(&mut writer, Side::Destination, &root(), destination) {
        record(&mut writer, Side::Destination, &folder, &[]);
    }
    writer.end(Phase::Review, None, "complete").unwrap();
    let (writer, _) = begin(&path);
    (folder, path, writer)
}

fn begin(path: &Path) -> (CopyWriter, CopyRemaining) {
    copy(open(path))
}

fn crash_and_resume(path: &Path) -> (tempfile::TempDir, PathBuf, CopyWriter, CopyRemaining) {
    let (folder, copy) = as_after_a_crash(path);
    let (writer, remaining) = begin(&copy);
    (folder, copy, writer, remaining)
}

fn pull(writer: &mut CopyWriter) -> Vec<PlanBatch> {
    writer.pull_plan(&(1..1_000_000)).unwrap()
}

fn path_of(batch: &PlanBatch, item: &PlanItem) -> String {
    child_path(&batch.path, &item.name)
}

fn paths(batches: &[PlanBatch]) -> Vec<String> {
    let mut paths: Vec<_> =
        batches.iter().flat_map(|batch| batch.items.iter().map(|item| path_of(batch, item))).collect();
    paths.sort();
    paths
}

/// What became of the item at a path that was pulled.
fn result(batches: &[PlanBatch], path: &str, outcome: CopyOutcome) -> CopyResult {
    let mut items = batches.iter().flat_map(|batch| batch.items.iter().map(move |item| (batch, item)));
    let (batch, item) = items.find(|(batch, item)| path_of(batch, item) == path).expect("it was pulled");
    let attempts = u32::from(!matches!(outcome, CopyOutcome::AlreadyThere)) * 2;
    let PlanItem { id, kind, facts, .. } = *item;
    CopyResult { id, depth: batch.depth, kind, size: facts.size, outcome, attempts }
}

fn copied() -> CopyOutcome {
    let copied = CopiedFile { size: Some(1), modified_ns: Some(2), checksum: Some([7; 32]), ..CopiedFile::default() };
    CopyOutcome::Copied(copied)
}

fn failed(message: &str) -> CopyOutcome {
    CopyOutcome::Failed { class: ErrorClass::Denied, message: message.to_owned() }
}

fn statuses(writer: &CopyWriter) -> Vec<Vec<Option<String>>> {
    writer.query(
        "SELECT path, copy_status::VARCHAR, attempts::VARCHAR, error
         FROM src_status
         WHERE parent_id IS NOT NULL
         ORDER BY path",
    )
}

fn row(columns: &[&str]) -> Vec<Option<String>> {
    columns.iter().map(|column| (*column != "NULL").then(|| (*column).to_owned())).collect()
}

fn check_counters(writer: &CopyWriter) {
    assert_eq!(writer.counters(), &writer.recount());
}

#[test]
fn each_outcome_has_its_status_and_event_and_is_counted() {
    let (_folder, path, mut writer) = copying(&[("/", &["a", "b", "c", "d", "e", "f", "g", "h/", "i/"])], &[]);
    let batches = pull(&mut writer);
    let elsewhere = CopiedFile { name: Some("b (2)".to_owned()), identity: Some((8, 9)), ..CopiedFile::default() };
    let outcomes = [
        ("/a", copied()),
        ("/b", CopyOutcome::Copied(elsewhere)),
        ("/c", CopyOutcome::AlreadyThere),
        ("/d", CopyOutcome::Skipped(Reason::message("it's older"))),
        ("/e", CopyOutcome::Conflict(Reason::message("somebody decides"))),
        ("/f", CopyOutcome::Vanished(Reason::message("no such file"))),
        ("/g", failed("permission denied")),
        ("/h", CopyOutcome::Copied(CopiedFile::default())),
        ("/i", CopyOutcome::AlreadyThere),
    ];
    let results: Vec<_> = outcomes.into_iter().map(|(path, outcome)| result(&batches, path, outcome)).collect();
    writer.record_copies(&results).unwrap();
    writer.commit().unwrap();

    let expected = [
        row(&["/a", "successful", "2", "NULL"]),
        row(&["/b", "successful", "2", "NULL"]),
        row(&["/c", "already_existed", "0", "NULL"]),
        row(&["/d", "skipped", "2", "it's older"]),
        row(&["/e", "conflict", "2", "somebody decides"]),
        row(&["/f", "vanished", "2", "no such file"]),
        row(&["/g", "failed", "2", "permission denied"]),
        row(&["/h", "successful", "2", "NULL"]),
        // The attempt of its listing.
        row(&["/i", "already_existed", "1", "NULL"]),
    ];
    assert_eq!(statuses(&writer), expected);
    check_counters(&writer);
    let totals = writer.counters().totals().src;
    assert_eq!((totals.copied, totals.copied_bytes, totals.copy_failed, totals.vanished), (3, 2, 1, 1));
    // The root is one of those that were there.
    assert_eq!((totals.already_existed, totals.conflicts, totals.skipped, totals.copy_pending()), (3, 1, 1, 0));
    let events = writer.query(
        "SELECT count(*)::VARCHAR, count(DISTINCT seq)::VARCHAR, count(*) FILTER (WHERE run = 2)::VARCHAR
         FROM src_status_events
         WHERE copy_status IS NOT NULL",
    );
    assert_eq!(events, [row(&["9", "9", "9"])]);
    let errors = writer.query(
        "SELECT s.path, e.side::VARCHAR, e.phase::VARCHAR, e.class::VARCHAR, e.message, e.attempts::VARCHAR
         FROM errors e
         JOIN src_status s ON s.id = e.node_id",
    );
    assert_eq!(errors, [row(&["/g", "src", "copying", "denied", "permission denied", "2"])]);
    let rows = writer.query(
        "SELECT s.path, c.name, c.size::VARCHAR, c.modified_ns::VARCHAR, hex(c.checksum), c.device::VARCHAR,
           c.inode::VARCHAR
         FROM copied c
         JOIN src_status s ON s.id = c.src_id
         ORDER BY s.path",
    );
    let checksum = "07".repeat(32);
    assert_eq!(
        rows,
        [
            row(&["/a", "NULL", "1", "2", &checksum, "NULL", "NULL"]),
            row(&["/b", "b (2)", "NULL", "NULL", "NULL", "8", "9"])
        ]
    );

    assert_eq!(writer.begin_made_folders().unwrap(), results[7].id.0..results[7].id.0 + 1);
    assert_eq!(statuses(&writer), expected, "folded");
    let made = MadeFolder { id: results[7].id, path: "/h".to_owned(), destination_path: None };
    assert_eq!(writer.pull_made_folders(&(1..99)).unwrap(), [made]);
    assert_eq!(pull(&mut writer), []);
    writer.end(Phase::Verifying, None, "complete").unwrap();
    let reader = Reader::open(&path).unwrap();
    assert_eq!(reader.counters().unwrap(), reader.recount().unwrap());
    let problems = reader.problems(9).unwrap();
    assert_eq!((problems.len(), problems[0].path.as_str(), problems[0].phase), (1, "/g", Phase::Copying));
}

#[test]
fn linked_names_that_were_copied_are_known_to_the_next_run_under_one_of_them() {
    let (_folder, path, mut writer) = copying(&[("/", &["a", "b", "sub/"]), ("/sub", &["c"])], &[]);
    let batches = pull(&mut writer);
    let named = |name: Option<&str>, identity| {
        CopyOutcome::Copied(CopiedFile { name: name.map(str::to_owned), identity, ..CopiedFile::default() })
    };
    writer
        .record_copies(&[
            result(&batches, "/a", named(Some("a (2)"), Some((1, 5)))),
            result(&batches, "/b", named(None, None)),
            result(&batches, "/sub/c", named(None, Some((1, 6)))),
        ])
        .unwrap();
    writer.commit().unwrap();
    let (_copy, _, _, mut remaining) = crash_and_resume(&path);
    remaining.linked.sort();
    assert_eq!(remaining.linked, [(1, 5, "/a (2)".to_owned()), (1, 6, "/sub/c".to_owned())]);
    assert_eq!((remaining.nodes, remaining.bytes), (1, 0), "the folder");
}

/// Folders whose names mean something to patterns, to SQL or to the printable form, or begin like another one's.
const FOLDERS: [&str; 8] = ["a_b/", "aXb/", "a_bc/", "a/", "100%/", "it's \"quoted\"/", "back\\slash/", "new\nline/"];

#[test]
fn a_folder_that_cannot_be_made_takes_with_it_exactly_what_is_below_it_and_pending() {
    let outcomes = [
        (failed("denied"), "failed", "could not be made"),
        (CopyOutcome::Vanished(Reason::message("gone")), "vanished", "is gone from the source"),
        (CopyOutcome::Conflict(Reason::message("a file")), "conflict", "is in conflict"),
        (CopyOutcome::Skipped(Reason::message("left out")), "skipped", "is left out"),
    ];
    let printable: Vec<String> = FOLDERS
        .iter()
        .map(|name| child_path("/", &longhaul_model::encode_name(name.trim_end_matches('/').as_bytes())))
        .collect();
    let below: Vec<(String, Vec<&str>)> = printable
        .iter()
        .flat_map(|path| {
            [(path.clone(), vec!["done", "x", "sub/"]), (format!("{path}/sub"), vec!["folded", "y", "deep/"])]
        })
        .collect();
    let mut source: Vec<(&str, &[&str])> = vec![("/", &FOLDERS)];
    source.extend(below.iter().map(|(path, names)| (path.as_str(), names.as_slice())));

    for (number, path) in printable.iter().enumerate() {
        let (outcome, status, what) = &outcomes[number % outcomes.len()];
        let (_folder, _, mut writer) = copying(&source, &[]);
        let batches = pull(&mut writer);
        let (done, folded) = (format!("{path}/done"), format!("{path}/sub/folded"));
        writer.record_copies(&[result(&batches, &folded, copied())]).unwrap();
        writer.begin_made_folders().unwrap();
        // These two are not even flushed.
        writer.record_copies(&[result(&batches, &done, CopyOutcome::AlreadyThere)]).unwrap();
        writer.record_copies(&[result(&batches, path, outcome.clone())]).unwrap();
        writer.commit().unwrap();

        check_counters(&writer);
        let reason = format!("the folder {path} {what}");
        let (mut given_up, mut others) = (Vec::new(), 0);
        for row in statuses(&writer) {
            let [found, copy_status, _, error] = row.try_into().expect("four columns");
            let (found, copy_status) = (found.unwrap(), copy_status.unwrap());
            if found == *path {
                assert_eq!(copy_status, *status);
            } else if found == done {
                assert_eq!(copy_status, "already_existed");
            } else if found == folded {
                assert_eq!(copy_status, "successful");
            } else if found.starts_with(&format!("{path}/")) {
                assert_eq!((copy_status.as_str(), error.as_deref()), (*status, Some(reason.as_str())), "{found}");
                given_up.push(found);
            } else {
                assert_eq!((copy_status.as_str(), error), ("pending", None), "{found}");
                others += 1;
            }
        }
        assert_eq!(given_up.len(), 4, "{given_up:?}");
        assert_eq!(others, (FOLDERS.len() - 1) * 7);
        let count = |sql: &str| -> i64 { writer.writer.connection.query_row(sql, [], |row| row.get(0)).unwrap() };
        // The list of problems is complete, and the plan shows what is left of it.
        let failed = if *status == "failed" { 1 + given_up.len() } else { 0 };
        assert_eq!(count("SELECT count(*) FROM problems"), i64::try_from(failed).unwrap());
        assert_eq!(count("SELECT count(*) FROM problems WHERE message IS NULL"), 0);
        let overview = Overview::read(&writer.writer.connection).unwrap();
        assert_eq!((overview.problem_count, overview.problems.len()), (i64::try_from(failed).unwrap(), failed));
        let shown = i64::try_from(others).unwrap();
        assert_eq!(count("SELECT count(*) FROM plan_view"), shown);
        let totals = plan_totals(&writer.writer.connection).unwrap();
        assert_eq!(totals.iter().map(|total| total.nodes).sum::<i64>(), shown);
        // The next time that somebody looks, nothing of it is there to be done.
        writer.begin_made_folders().unwrap();
        assert_eq!(pull(&mut writer).iter().map(|batch| batch.items.len()).sum::<usize>(), others);
    }
}

#[test]
fn what_the_plan_does_nothing_about_is_left_as_it_is_when_its_folder_is_given_up() {
    let (_folder, _, mut writer) = on_disk();
    let found = record(&mut writer, Side::Source, &root(), &["a/"]);
    let mut page = page(&["file"]);
    page.push(b"fifo", NodeKind::Other, None, None);
    writer.record_page(Side::Source, listed(&found[0], page, true)).unwrap();
    record(&mut writer, Side::Destination, &root(), &[]);
    let (mut writer, _) = copy(writer.ended_in_memory());
    let batches = pull(&mut writer);
    writer.record_copies(&[result(&batches, "/a", failed("denied"))]).unwrap();
    writer.commit().unwrap();
    check_counters(&writer);
    let found: Vec<_> = statuses(&writer).into_iter().map(|mut row| row[1].take().unwrap()).collect();
    assert_eq!(found, ["failed", "skipped", "failed"]);
}

#[test]
fn a_crash_loses_what_was_not_committed_together_and_exactly_what_is_pending_is_pulled_then() {
    let (_folder, path, mut writer) =
        copying(&[("/", &["a", "b", "c", "d", "sub/"]), ("/sub", &["e", "f"])], &["same"]);
    let batches = pull(&mut writer);
    writer.record_copies(&[result(&batches, "/a", copied()), result(&batches, "/b", failed("denied"))]).unwrap();
    writer.commit().unwrap();
    writer.record_copies(&[result(&batches, "/c", copied()), result(&batches, "/sub", failed("denied"))]).unwrap();
    writer.record_part(NodeId(3), 0, FileFacts { size: Some(1), modified_ns: None }, &[1; 32]).unwrap();
    // The rows are in DuckDB's open transaction.
    writer.writer.flush_rows().unwrap();

    let (_copy, _, mut next, remaining) = crash_and_resume(&path);
    check_counters(&next);
    assert_eq!((remaining.nodes, remaining.bytes), (5, 4));
    assert_eq!(paths(&pull(&mut next)), ["/c", "/d", "/sub", "/sub/e", "/sub/f"]);
    for (table, rows) in [("copied", "1"), ("errors", "1"), ("parts", "0")] {
        assert_eq!(next.query(&format!("SELECT count(*)::VARCHAR FROM {table}")), [row(&[rows])], "{table}");
    }

    writer.commit().unwrap();
    let (_copy, _, mut next, remaining) = crash_and_resume(&path);
    check_counters(&next);
    assert_eq!((remaining.nodes, remaining.bytes), (1, 1));
    assert_eq!(paths(&pull(&mut next)), ["/d"]);
    for (table, rows) in [("copied", "2"), ("errors", "2"), ("parts", "1")] {
        assert_eq!(next.query(&format!("SELECT count(*)::VARCHAR FROM {table}")), [row(&[rows])], "{table}");
    }
}

#[test]
fn a_folder_that_could_not_be_finished_has_failed_and_is_a_problem() {
    let (_folder, path, mut writer) = copying(&[("/", &["sub/"]), ("/sub", &["e"])], &[]);
    let batches = pull(&mut writer);
    writer.record_copies(&[result(&batches, "/sub", copied()), result(&batches, "/sub/e", copied())]).unwrap();
    let ids = writer.begin_made_folders().unwrap();
    let [folder] = &writer.pull_made_folders(&ids).unwrap()[..] else { panic!("one folder was made") };
    let unfinished =
        UnfinishedFolder { id: folder.id, class: ErrorClass::Denied, message: "not permitted".to_owned(), attempts: 1 };
    writer.record_unfinished(&unfinished).unwrap();
    writer.commit().unwrap();
    check_counters(&writer);
    assert!(writer.end(Phase::Verifying, None, "ended").unwrap().needs_attention());
    let ledger = open(&path);
    let statuses = ledger.query("SELECT path, copy_status::VARCHAR FROM src_status WHERE id > 1 ORDER BY path");
    assert_eq!(statuses, [row(&["/sub", "failed"]), row(&["/sub/e", "successful"])]);
    let problems = ledger.query("SELECT path, class, message FROM problems");
    assert_eq!(problems, [row(&["/sub", "denied", "not permitted"])]);
}

#[test]
fn that_items_are_given_out_is_durable_before_they_are_and_known_to_every_later_run() {
    let (_folder, path, mut writer) = copying(&[("/", &["a", "b/"])], &[]);
    let (_copy, _, _, remaining) = crash_and_resume(&path);
    assert_eq!(remaining.begun_below, 0, "nothing was given out");

    let batches = writer.pull_plan(&remaining.ids).unwrap();
    let (_copy, copy, next, remaining) = crash_and_resume(&path);
    assert!(batches.iter().flat_map(|batch| &batch.items).all(|item| item.id.0 < remaining.begun_below));

    // Also without the log.
    let (_alone, alone) = as_after_a_crash(&path);
    std::fs::remove_file(crate::log_of(&alone))
        .or_else(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
        .unwrap();
    assert_eq!(begin(&alone).1.begun_below, remaining.begun_below);

    // What a recovery writes in the place of what was written has it as well.
    next.connection()
        .execute_batch(
            "INSERT INTO src_nodes VALUES (100, 1, 'half done', 'folder', NULL, NULL, 1), (101, 100, '', 'file', 1, 1, 2);
             INSERT INTO src_folders VALUES (100, '/half done', 1);
             CHECKPOINT",
        )
        .unwrap();
    let begun_below = remaining.begun_below;
    let (_copy, copy, next, remaining) = crash_and_resume(&copy);
    assert_eq!(next.query("SELECT name FROM src_nodes WHERE id > 100"), Vec::<Vec<Option<String>>>::new());
    assert_eq!(remaining.begun_below, begun_below);
    let (_copy, _, _, remaining) = crash_and_resume(&copy);
    assert_eq!(remaining.begun_below, begun_below);
}

#[test]
fn an_empty_pull_gives_nothing_out() {
    let (_folder, path, mut writer) = copying(&[("/", &["a"])], &["a"]);
    assert_eq!(pull(&mut writer), []);
    let (_copy, _, _, remaining) = crash_and_resume(&path);
    assert_eq!((remaining.begun_below, remaining.nodes, remaining.ids), (0, 0, 0..0));
}

#[test]
fn parts_come_back_with_their_item_until_they_are_forgotten() {
    let (_folder, path, mut writer) = copying(&[("/", &["a", "b"])], &[]);
    let ids: Vec<NodeId> = pull(&mut writer)[0].items.iter().map(|item| item.id).collect();
    let facts = FileFacts { size: Some(1 << 40), modified_ns: None };
    for part in [2, 0] {
        writer.record_part(ids[0], part, facts, &[u8::try_from(part).unwrap(); 32]).unwrap();
    }
    writer.record_part(ids[1], 0, FileFacts { modified_ns: Some(5), ..facts }, &[9; 32]).unwrap();
    writer.commit().unwrap();

    let (_copy, copy, mut writer, _) = crash_and_resume(&path);
    let batches = pull(&mut writer);
    let parts = |number: usize| batches[0].items[number].parts.clone();
    let [first, third] = [0, 2].map(|part| PartCopied { part, facts, value: [u8::try_from(part).unwrap(); 32] });
    assert_eq!(parts(0), [first, third]);
    let other = PartCopied { part: 0, facts: FileFacts { modified_ns: Some(5), ..facts }, value: [9; 32] };
    assert_eq!(parts(1), [other]);

    writer.record_part(ids[0], 1, facts, &[1; 32]).unwrap();
    writer.forget_parts(ids[0]).unwrap();
    writer.commit().unwrap();
    let (_copy, _, mut writer, _) = crash_and_resume(&copy);
    let batches = pull(&mut writer);
    assert_eq!((batches[0].items[0].parts.as_slice(), batches[0].items[1].parts.as_slice()), (&[][..], &[other][..]));
}

#[test]
fn the_settings_of_the_first_run_are_kept_to() {
    let (_folder, path, writer) = copying(&[("/", &["a"])], &[]);
    writer.end(Phase::Suspended, Some("interrupted"), "interrupted").unwrap();
    let ledger = open(&path).discovered().unwrap().approved(Approving::Before).unwrap();
    assert_eq!(ledger.migration().copy_settings, Some(CopySettings::default()));
    let others = CopySettings { checksum: false, owner: true, large_from: 1, ..CopySettings::default() };
    let (writer, begun) = ledger.copy("copy", &others, some_time_ns).unwrap();
    assert_eq!(begun.settings, CopySettings::default());
    assert_eq!(Migration::read(writer.connection()).unwrap().copy_settings, Some(begun.settings));
}

#[test]
fn copying_goes_from_review_over_suspensions_to_verifying() {
    let (_folder, path, writer) = copying(&[("/", &["a"])], &[]);
    let phase = |path: &Path| {
        let migration = Reader::open(path).unwrap().migration().unwrap();
        (migration.phase, migration.suspended_from, migration.phase_reason)
    };
    let (_copy, copy) = as_after_a_crash(&path);
    assert_eq!(phase(&copy), (Phase::Copying, None, None), "committed when it begins");
    writer.end(Phase::Suspended, Some("interrupted"), "interrupted").unwrap();
    assert_eq!(phase(&path), (Phase::Suspended, Some(Phase::Copying), Some("interrupted".to_owned())));
    let (mut writer, _) = begin(&path);
    writer.writer.poison("the disk is on fire");
    writer.writer.abandon();
    assert_eq!(phase(&path), (Phase::Suspended, Some(Phase::Copying), Some("the disk is on fire".to_owned())));
    let rows = Reader::open(&path).unwrap().query("SELECT path FROM plan_view").unwrap().rows;
    assert_eq!(rows, [row(&["/a"])], "the plan is there while copying is suspended");
    let (mut writer, remaining) = begin(&path);
    assert_eq!(remaining.nodes, 1);
    let batches = pull(&mut writer);
    writer.record_copies(&[result(&batches, "/a", copied())]).unwrap();
    writer.end(Phase::Verifying, None, "complete").unwrap();
    assert_eq!(phase(&path), (Phase::Verifying, None, None));
    let ledger = open(&path).discovered().unwrap().approved(Approving::Before).unwrap();
    let begun = ledger.copy("copy", &CopySettings::default(), some_time_ns);
    assert!(matches!(begun, Err(LedgerError::Inconsistent(_))), "{begun:?}");
}

#[test]
fn what_temporary_names_begin_with_is_not_what_any_name_on_the_source_begins_with() {
    let taken = format!(".longhaul-{:x}-", some_time_ns());
    let taken_too = format!(".longhaul-{:x}x-", some_time_ns());
    let names = [taken.clone(), format!("{taken_too}17")];
    let (_folder, path, _) = copying(&[("/", &[&names[0], "sub/"]), ("/sub", &[&names[1]])], &[]);
    let prefix = crash_and_resume(&path).3.temporary_prefix;
    assert!(prefix.starts_with(".longhaul-") && prefix.ends_with('-'), "{prefix}");
    assert!(!names.iter().any(|name| name.starts_with(&prefix)), "{prefix}");
    let (_folder, path, _) = copying(&[("/", &["a"])], &[]);
    assert_eq!(crash_and_resume(&path).3.temporary_prefix, taken);
}

#[test]
fn items_come_by_folder_in_id_order_in_batches_that_are_bounded_however_they_are_pulled() {
    let many: Vec<String> = (0..300).map(|number| format!("{number:03}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let (_folder, _, mut writer) = copying(&[("/", &["a", "sub/", "z"]), ("/sub", &many)], &["a"]);
    let whole = pull(&mut writer);
    let sizes: Vec<_> = whole.iter().map(|batch| (batch.path.as_str(), batch.depth, batch.items.len())).collect();
    assert_eq!(sizes, [("/", 1, 2), ("/sub", 2, 128), ("/sub", 2, 128), ("/sub", 2, 44)]);
    let items = |batches: Vec<PlanBatch>| -> Vec<PlanItem> { batches.into_iter().flat_map(|b| b.items).collect() };
    let whole = items(whole);
    assert!(whole.is_sorted_by_key(|item| item.id));
    assert_eq!((whole[0].action, whole[1].action), (PlanAction::CreateFolder, PlanAction::Copy));
    for step in [1_i64, 7, 100] {
        let pieces: Vec<PlanItem> = (0..400_i64)
            .step_by(usize::try_from(step).unwrap())
            .flat_map(|start| items(writer.pull_plan(&(start..start + step)).unwrap()))
            .collect();
        assert_eq!(pieces, whole, "{step}");
    }
}

#[test]
fn an_item_says_what_is_in_its_place() {
    let (_folder, _, mut writer) = on_disk();
    let file = |modified_ns| {
        let mut page = Page::default();
        page.push(b"a", NodeKind::File, Some(5), Some(modified_ns));
        page
    };
    writer.record_page(Side::Source, listed(&root(), file(100), true)).unwrap();
    writer.record_page(Side::Destination, listed(&root(), file(7), true)).unwrap();
    let (mut writer, _) = copy(writer.ended_in_memory());
    let facts = |modified_ns| FileFacts { size: Some(5), modified_ns: Some(modified_ns) };
    let item = PlanItem {
        id: NodeId(2),
        name: "a".to_owned(),
        new_name: None,
        kind: NodeKind::File,
        facts: facts(100),
        action: PlanAction::Overwrite,
        in_its_place: Some(facts(7)),
        parts: Vec::new(),
    };
    assert_eq!(
        pull(&mut writer),
        [PlanBatch {
            folder: FIRST_NODE_ID,
            path: "/".to_owned(),
            destination_path: None,
            depth: 1,
            items: vec![item]
        }]
    );
}
