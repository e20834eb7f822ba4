//! The door to the record: what it refuses, and that there is no other.

use std::path::Path;

use longhaul_model::{Comparison, ReasonCode};

use super::*;
use crate::discovery::DiscoverWriter;
use crate::migration::{MigrationSpec, Settings};
use crate::sql::tests::product_sources;

fn now_ns() -> i64 {
    7
}

/// A ledger with the root and the source files 2, 3 and 4.
fn ledger() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&sql::schema()).unwrap();
    let settings = Settings::new(Comparison::for_resolutions(1, 1));
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
    crate::migration::Migration::insert(&connection, &spec, 0).unwrap();
    connection
        .execute_batch(
            "INSERT INTO src_nodes VALUES
               (1, NULL, '', 'folder', NULL, NULL, 0), (2, 1, 'a', 'file', 10, NULL, 1),
               (3, 1, 'b', 'file', 20, NULL, 1), (4, 1, 'c', 'folder', NULL, NULL, 1);
             INSERT INTO matches VALUES (3, 3, true);",
        )
        .unwrap();
    connection
}

fn events(connection: &Connection) -> Events {
    Events::open(connection, 1, now_ns).unwrap()
}

fn statuses(connection: &Connection) -> Vec<(i64, String, Option<String>)> {
    let sql = "SELECT id, copy_status::VARCHAR, error FROM src_status WHERE depth > 0 ORDER BY id";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_single_change_that_the_table_forbids_is_refused_and_leaves_no_event() {
    let connection = ledger();
    let mut events = events(&connection);
    for was in CopyStatus::ALL {
        for change in CopyChange::ALL {
            let reason = Reason::plain(ReasonCode::Gone);
            let before = events.waiting();
            match (was.after(change), events.change_copy(NodeId(2), was, change, 1, Some(&reason))) {
                (Ok(expected), Ok(status)) => assert_eq!(status, expected),
                (Err(_), Err(LedgerError::Inconsistent(_))) => assert_eq!(events.waiting(), before),
                (expected, found) => panic!("{was} after {change}: {expected:?}, {found:?}"),
            }
        }
    }
    let pending = TraversalStatus::Pending;
    let marked = TraversalChange::MarkedForRetry;
    assert!(events.change_traversal(Side::Source, NodeId(4), pending, marked, 0, None).is_err());
}

#[test]
fn a_status_that_carries_a_reason_is_refused_without_one() {
    let connection = ledger();
    let mut events = events(&connection);
    for change in CopyChange::ALL {
        let Ok(status) = CopyStatus::Pending.after(change) else { continue };
        let refused = events.change_copy(NodeId(2), CopyStatus::Pending, change, 1, None).is_err();
        assert_eq!(refused, status.carries_reason(), "{status}");
    }
}

#[test]
fn a_set_changes_by_the_current_statuses_of_its_nodes() {
    let connection = ledger();
    let mut events = events(&connection);
    let gone = Reason::plain(ReasonCode::Gone);
    events.change_copy(NodeId(4), CopyStatus::Pending, CopyChange::OutOfAttempts, 2, Some(&gone)).unwrap();
    events.flush(&connection).unwrap();
    // A file that is pending, one that is the same on both sides, and a folder that failed and is only reopened.
    let nodes =
        "SELECT * FROM (VALUES (2, 'gone', 'gone'), (3, 'gone', 'gone'), (4, NULL, NULL)) v (id, change, reason)";
    let set = CopyChanges { nodes, reopened_by: Some(CopyChange::FoundDifferent), same_before: SAME_NOW };
    let changed = events.change_copies(&connection, &set).unwrap();
    let is = |was, is, nodes, bytes| ChangedAtDepth { depth: 1, was, is, nodes, bytes };
    assert_eq!(
        changed,
        [
            is(CopyStatus::Pending, CopyStatus::Vanished, 1, 10),
            is(CopyStatus::AlreadyExisted, CopyStatus::Vanished, 1, 20),
            is(CopyStatus::Failed, CopyStatus::Pending, 1, 0),
        ]
    );
    let gone = Some("it is gone from the source".to_owned());
    assert_eq!(
        statuses(&connection),
        [(2, "vanished".to_owned(), gone.clone()), (3, "vanished".to_owned(), gone), (4, "pending".to_owned(), None)]
    );
    let numbers: (i64, i64) = connection
        .query_row("SELECT count(*), count(DISTINCT seq) FROM src_status_events", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .unwrap();
    assert_eq!(numbers, (4, 4));
    assert!(
        events
            .change_copies(
                &connection,
                &CopyChanges {
                    nodes: "SELECT 2 AS id, NULL AS change, NULL AS reason WHERE false",
                    reopened_by: None,
                    same_before: SAME_NOW
                }
            )
            .unwrap()
            .is_empty()
    );
}

#[test]
fn a_set_with_one_forbidden_change_or_missing_reason_is_refused_as_a_whole() {
    let connection = ledger();
    let mut events = events(&connection);
    let refused = [
        // Nothing reopens node 3, which is the same on both sides.
        ("SELECT * FROM (VALUES (2, 'gone', 'gone'), (3, 'gone', 'gone')) v (id, change, reason)", None),
        // Exclusion is not undone for a node that exists already.
        ("SELECT 3 AS id, 'excluded' AS change, 'gone' AS reason", Some(CopyChange::Included)),
        // Two changes in a row.
        ("SELECT 2 AS id, 'included' AS change, 'gone' AS reason", Some(CopyChange::Included)),
        ("SELECT * FROM (VALUES (2, 'gone', 'gone'), (4, 'conflicting', NULL)) v (id, change, reason)", None),
        ("SELECT 2 AS id, 'no such change' AS change, 'gone' AS reason", None),
    ];
    for (nodes, reopened_by) in refused {
        let result = events.change_copies(&connection, &CopyChanges { nodes, reopened_by, same_before: SAME_NOW });
        assert!(matches!(result, Err(LedgerError::Inconsistent(_))), "{nodes}: {result:?}");
        let events: i64 = connection.query_row("SELECT count(*) FROM src_status_events", [], |row| row.get(0)).unwrap();
        assert_eq!(events, 0, "{nodes}");
    }
}

#[test]
fn what_is_refused_poisons_the_writer_and_is_rolled_back() {
    let settings = Settings::new(Comparison::for_resolutions(1, 1));
    let spec = MigrationSpec { source: "/from".to_owned(), destination: "/to".to_owned(), settings };
    let mut writer = DiscoverWriter::in_memory(&spec);
    let refused = writer.writer.change_plan(|writer| {
        writer.change_copies(&CopyChanges {
            nodes: "SELECT 1 AS id, 'gone' AS change, NULL AS reason",
            reopened_by: Some(CopyChange::FoundDifferent),
            same_before: SAME_NOW,
        })
    });
    assert!(matches!(refused, Err(LedgerError::Inconsistent(_))), "{refused:?}");
    assert!(matches!(writer.commit(), Err(LedgerError::Poisoned(_)) | Ok(())));
    assert!(matches!(writer.match_recorded(), Err(LedgerError::Poisoned(_))));
}

/// No other file of the product writes to the record of statuses, however its statements are broken into lines.
#[test]
fn there_is_no_other_door() {
    let writes = |text: &str| -> Vec<String> {
        let words: Vec<_> = text.split_whitespace().collect();
        let is_record = |word: &str| word.contains("_status_events") || word.contains("_current");
        let of_sql = words.windows(3).filter(|words| match words {
            ["INSERT", "INTO", table] | ["DELETE", "FROM", table] | ["UPDATE", table, "SET"] => is_record(table),
            _ => false,
        });
        let of_rows = words.windows(2).filter(|words| words[0].contains("flush(") && is_record(words[1]));
        of_sql.chain(of_rows).map(|words| words.join(" ")).collect()
    };
    assert_eq!(writes("DELETE FROM\n   {side}_status_events WHERE").len(), 1);
    assert_eq!(writes("INSERT\n INTO src_current SELECT").len(), 1);
    let mut found = Vec::new();
    let ledger = Path::new(env!("CARGO_MANIFEST_DIR"));
    for crate_folder in ["ledger", "actors", "reports", "src", "storage", "model"] {
        for (name, text) in product_sources(&ledger.parent().unwrap().join(crate_folder)) {
            // Folding brings events to where the last ones are.
            let is_door = name.ends_with("ledger/src/events.rs") || name.ends_with("ledger/src/fold.rs");
            if !is_door {
                found.extend(writes(&text.replace('"', " ")).into_iter().map(|words| format!("{name}: {words}")));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}
