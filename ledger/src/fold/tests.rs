//! Folding against the plainest possible account of what events mean.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const TRAVERSAL: [&str; 4] = ["pending", "successful", "failed", "not_on_src"];
const COPY: [&str; 4] = ["pending", "already_existed", "conflict", "skipped"];

/// What the events say of a node.
#[derive(Clone, Debug, Default, PartialEq)]
struct Latest {
    traversal: Option<String>,
    copy: Option<String>,
    attempts: i32,
    traversal_error: Option<String>,
    copy_error: Option<String>,
    remark: Option<String>,
}

#[derive(Clone, Debug)]
struct Event {
    node: i64,
    traversal: Option<&'static str>,
    copy: Option<&'static str>,
    attempt: i32,
    error: Option<&'static str>,
}

fn event() -> impl Strategy<Value = Event> {
    let status = |statuses: [&'static str; 4]| prop::option::of(prop::sample::select(statuses.to_vec()));
    let error = prop::option::of(prop::sample::select(vec!["denied", "it's gone", "no"]));
    (1_i64..=5, status(TRAVERSAL), status(COPY), 0..4, error)
        .prop_map(|(node, traversal, copy, attempt, error)| Event { node, traversal, copy, attempt, error })
}

fn ledger() -> Database {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&crate::sql::schema()).unwrap();
    connection
        .execute_batch(
            "INSERT INTO migration VALUES (1, '', '', '', '', '', 0, 'traversing', NULL, 0, 0, NULL, NULL);
             INSERT INTO src_nodes SELECT id, 1, 'n' || id, 'file', NULL, NULL, 1 FROM range(1, 6) AS t(id);
             INSERT INTO dst_nodes FROM src_nodes",
        )
        .unwrap();
    connection.into()
}

fn insert(connection: &Connection, side: Side, seq: i64, event: &Event) {
    let text = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{}'", text.replace('\'', "''")));
    let Event { node, traversal, copy, attempt, error } = event;
    let sql = format!(
        "INSERT INTO {}_status_events VALUES ({seq}, {node}, {}, {}, {attempt}, 1, 0, {})",
        side.prefix(),
        text(*traversal),
        text(*copy),
        text(*error)
    );
    connection.execute_batch(&sql).unwrap();
}

fn latest_in(connection: &Connection, relation: &str) -> BTreeMap<i64, Latest> {
    let sql = format!(
        "SELECT id, traversal_status::VARCHAR, copy_status::VARCHAR, attempts, traversal_error, copy_error, remark
         FROM {relation}"
    );
    let mut statement = connection.prepare(&sql).unwrap();
    let rows = statement
        .query_map([], |row| {
            let latest = Latest {
                traversal: row.get(1)?,
                copy: row.get(2)?,
                attempts: row.get(3)?,
                traversal_error: row.get(4)?,
                copy_error: row.get(5)?,
                remark: row.get(6)?,
            };
            Ok((row.get(0)?, latest))
        })
        .unwrap();
    let rows: Vec<(i64, Latest)> = rows.map(|row| row.unwrap()).collect();
    let latest: BTreeMap<i64, Latest> = rows.iter().cloned().collect();
    assert_eq!(latest.len(), rows.len(), "each node has one row");
    latest
}

fn statuses(connection: &Connection, side: Side) -> Vec<Vec<Option<String>>> {
    let mut statement =
        connection.prepare(&format!("SELECT COLUMNS(*)::VARCHAR FROM {}_status ORDER BY id", side.prefix())).unwrap();
    let mut rows = statement.query([]).unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        all.push((0..row.as_ref().column_count()).map(|column| row.get(column).unwrap()).collect());
    }
    all
}

/// DuckDB keeps row groups of 122 880 rows, and has lost sight of those that came after an empty one.
#[test]
fn what_is_folded_by_one_statement_is_bounded_by_ids_and_by_what_is_said_of_them() {
    let connection = ledger();
    // A folder's path of 1 000 bytes, said of each of 10 000 files; and 300 000 of which nothing is said.
    connection
        .execute_batch(
            "INSERT INTO src_status_events
             SELECT id, id, NULL, 'failed', 1, 1, 0, CASE WHEN id <= 10000 THEN repeat('x', 1000) ELSE NULL END
             FROM range(1, 310001) AS t(id)",
        )
        .unwrap();
    let fresh = "src_status_events WHERE seq > (SELECT src_folded_seq FROM migration)";
    let ranges = ranges(&connection, fresh).unwrap();
    assert_eq!((ranges[0].start, ranges.last().unwrap().end > 310_000), (0, true));
    for range in &ranges {
        let said: i64 = 1_000 * (range.end.min(10_001) - range.start.clamp(1, 10_001));
        assert!(range.end - range.start <= FOLDED_IDS && said <= FOLDED_BYTES, "{range:?}");
    }
    assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start), "{ranges:?}");
    assert!(ranges.len() < 12, "{ranges:?}");
    fold_events(&connection).unwrap();
    let folded = "SELECT count(*), sum(strlen(copy_error))::BIGINT FROM src_current WHERE copy_status = 'failed'";
    let folded: (i64, i64) = connection.query_row(folded, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    assert_eq!(folded, (310_000, 10_000_000));
}

#[test]
fn everything_that_was_folded_is_there_at_once_however_much_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.duckdb");
    let connection: Database = Connection::open(&path).unwrap().into();
    connection.execute_batch(&crate::sql::schema()).unwrap();
    connection
        .execute_batch(
            "INSERT INTO migration VALUES (1, '', '', '', '', '', 0, 'copying', NULL, 0, 0, NULL, NULL);
             CHECKPOINT;",
        )
        .unwrap();
    for (first, last) in [(1, 600_000), (600_001, 600_001), (600_002, 1_000_000)] {
        connection
            .execute_batch(&format!(
                "INSERT INTO src_status_events
                 SELECT id, id, NULL, 'successful', 1, 1, 0, NULL
                 FROM range({first}, {last} + 1) AS t(id)"
            ))
            .unwrap();
        fold_events(&connection).unwrap();
        let found: i64 = connection.query_row("SELECT count(id + 0) FROM src_current", [], |row| row.get(0)).unwrap();
        assert_eq!(found, last);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 32, ..ProptestConfig::default() })]

    /// However the events are cut up between one fold and the next.
    #[test]
    fn folded_or_not_the_latest_word_on_each_node_is_the_same(
        parts in prop::collection::vec(prop::collection::vec(event(), 0..12), 1..4),
    ) {
        let connection = ledger();
        let mut naive = BTreeMap::<i64, Latest>::new();
        let mut seq = 0;
        for part in parts {
            for event in part {
                seq += 1;
                for side in Side::BOTH {
                    insert(&connection, side, seq, &event);
                }
                let latest = naive.entry(event.node).or_default();
                let error = event.error.map(str::to_owned);
                if let Some(status) = event.traversal {
                    (latest.traversal, latest.traversal_error) = (Some(status.to_owned()), error.clone());
                }
                if let Some(status) = event.copy {
                    (latest.copy, latest.copy_error) = (Some(status.to_owned()), error.clone());
                }
                if event.traversal.is_none() && event.copy.is_none() {
                    latest.remark = error.or(latest.remark.take());
                }
                if event.attempt > 0 {
                    latest.attempts = event.attempt;
                }
            }
            let before = Side::BOTH.map(|side| statuses(&connection, side));
            for side in Side::BOTH {
                prop_assert_eq!(&latest_in(&connection, &format!("{}_latest", side.prefix())), &naive, "{}", side);
            }
            fold_events(&connection).unwrap();
            for side in Side::BOTH {
                prop_assert_eq!(&latest_in(&connection, &format!("{}_current", side.prefix())), &naive, "{}", side);
                prop_assert_eq!(&latest_in(&connection, &format!("{}_latest", side.prefix())), &naive, "{}", side);
            }
            prop_assert_eq!(&Side::BOTH.map(|side| statuses(&connection, side)), &before);
            fold_events(&connection).unwrap();
            prop_assert_eq!(&latest_in(&connection, "src_current"), &naive, "folding again changes nothing");
        }
    }
}
