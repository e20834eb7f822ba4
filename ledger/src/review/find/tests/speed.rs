//! How long a page takes at two million nodes. Not a test of the clock: it is run by hand, and prints what it measured.
//!
//! ```text
//! cargo test -p longhaul-ledger --lib -- --ignored --nocapture pages_of_two_million
//! ```

use std::time::Instant;

use duckdb::{AccessMode, Config};

use super::*;
use crate::review::tree::{TreeQuery, tree};

const NODES: i64 = 2_000_000;

/// A folder has so many children, of which this many are folders: nine levels, a tenth of all are folders.
const CHILDREN: i64 = 40;
const FOLDERS: i64 = 4;

/// Fills the tables of a new file: of the nodes up to `matched` the destination has the same; the rest is copied, but for
/// one file of fifty, and one of a thousand that failed.
fn fill(connection: &Connection, matched: i64) {
    let run = |sql: &str| connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    run(include_str!("../../../schema.sql"));
    run("INSERT INTO migration (schema_version, longhaul_version, duckdb_version, source, destination, settings, created_ns,
           phase, src_folded_seq, dst_folded_seq)
         VALUES (1, '', '', '/src', '/dst', '{}', 0, 'review', 1000, 1000)");
    run(&format!(
        "CREATE TEMP TABLE made AS
         SELECT
           id,
           CASE WHEN id = 1 THEN NULL ELSE (id - 2) // {CHILDREN} + 1 END AS parent,
           CASE
             WHEN id = 1 THEN 1
             WHEN (id - 2) % {CHILDREN} < {FOLDERS} THEN 2 + ((id - 2) // {CHILDREN}) * {FOLDERS} + (id - 2) % {CHILDREN}
           END AS folder,
           (hash(id) % 1000003)::BIGINT AS h
         FROM range(1, {NODES} + 1) ids(id);

         CREATE TEMP TABLE named AS
         SELECT n.id, p.id AS parent_id,
           CASE
             WHEN n.id = 1 THEN ''
             WHEN n.folder IS NOT NULL THEN 'folder-' || (n.h % 1000) || '-' || n.id % {CHILDREN}
             ELSE 'report ' || n.h || '-' || n.id % {CHILDREN} || ['.pdf', '.docx', '.tmp', '.jpg', '.txt'][1 + n.h % 5]
           END AS name,
           CASE WHEN n.folder IS NOT NULL THEN 'folder' ELSE 'file' END AS kind,
           CASE WHEN n.folder IS NULL THEN n.h * n.h % 50000000 END AS size,
           1500000000000000000 + (n.h * 7919 % 200000000) * 1000000000 AS modified_ns
         FROM made n
         LEFT JOIN made p ON p.folder = n.parent
         ORDER BY n.id;

         INSERT INTO src_folders
         WITH RECURSIVE below AS (
           SELECT 1::BIGINT AS id, '/' AS path, 0 AS depth
           UNION ALL
           SELECT n.id, CASE WHEN b.id = 1 THEN '/' ELSE b.path || '/' END || n.name, b.depth + 1
           FROM below b
           JOIN named n ON n.parent_id = b.id AND n.kind = 'folder'
         )
         FROM below
         ORDER BY id;

         INSERT INTO src_nodes
         SELECT n.*, coalesce(f.depth + 1, 0)
         FROM named n
         LEFT JOIN src_folders f ON f.id = n.parent_id
         ORDER BY n.id;

         INSERT INTO dst_nodes
         FROM src_nodes
         WHERE id <= {matched}
         ORDER BY id;

         INSERT INTO dst_nodes
         SELECT {matched} + id // 20 + 1, parent_id, 'only ' || name, 'file', size, modified_ns, depth
         FROM src_nodes
         WHERE id <= {matched} AND id % 20 = 7
         ORDER BY id;

         INSERT INTO dst_folders
         SELECT id, path, depth, id
         FROM src_folders
         WHERE id <= {matched};

         INSERT INTO matches
         SELECT id, id, kind = 'folder' OR id % 10 <> 3
         FROM src_nodes
         WHERE id <= {matched};

         INSERT INTO plan
         SELECT id, CASE WHEN kind = 'folder' THEN 'create_folder' ELSE 'copy' END::plan_action, NULL, NULL
         FROM src_nodes
         WHERE id NOT IN (SELECT src_id FROM matches WHERE same)
         ORDER BY id;

         INSERT INTO src_current
         SELECT id,
           CASE WHEN kind = 'folder' THEN CASE WHEN id % 977 = 5 THEN 'failed' ELSE 'successful' END END,
           CASE
             WHEN id IN (SELECT src_id FROM matches WHERE same) THEN NULL
             WHEN id % 1000 = 13 THEN 'failed'
             WHEN id % 50 = 9 THEN NULL
             ELSE 'successful'
           END,
           1, NULL, CASE WHEN id % 1000 = 13 THEN 'it broke' END, NULL
         FROM src_nodes
         WHERE kind = 'folder' OR id NOT IN (SELECT src_id FROM matches WHERE same)
         ORDER BY id;

         INSERT INTO dst_current
         SELECT id, 'successful', NULL, 1, NULL, NULL, NULL
         FROM dst_folders;

         INSERT INTO src_status_events
         SELECT 1000 + i, 500000 + i * 37, NULL, 'failed', 2, 1, 0, 'it broke again'
         FROM range(1, 1001) events(i)"
    ));
}

/// Milliseconds: the first time, with nothing read yet, and the median of three more.
fn measure(what: &str, mut run: impl FnMut() -> usize) {
    let mut times = Vec::new();
    let mut rows = 0;
    for _ in 0..4 {
        let begun = Instant::now();
        rows = run();
        times.push(begun.elapsed().as_millis());
    }
    let first = times.remove(0);
    times.sort_unstable();
    println!("{what:58} {rows:5} rows, first {first:4} ms, then {:4} ms", times[1]);
}

#[test]
#[ignore = "takes half a minute, and is read by a person"]
fn pages_of_two_million_nodes() {
    for (shape, matched) in [("six of ten on both sides", 1_200_000), ("all of it copied", 1)] {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("ledger.duckdb");
        fill(&Connection::open(&path).expect("a new file"), matched);
        let config = Config::default()
            .access_mode(AccessMode::ReadOnly)
            .and_then(|config| config.max_memory("512MiB"))
            .expect("settings that there are");
        let connection = Connection::open_with_flags(&path, config).expect("a ledger");
        println!("{shape}");
        for depth in [1, 3, 20] {
            for offset in [0, 50_000] {
                let query = TreeQuery { path: "/".to_owned(), depth, limit: 100, offset };
                measure(&format!("tree / --depth {depth} --offset {offset}"), || {
                    tree(&connection, &query).expect("a page").rows.len()
                });
            }
        }
        for condition in [
            "",
            "copy = pending",
            "copy = already_existed",
            "copy = failed",
            "has problem",
            "name ~ \"*.tmp\" and size > 10M",
            "name ~ \"*1?[0-5]*.tmp\"",
            "path ~ \"*/folder-1*/*.tmp\"",
            "under \"/folder-2\" or depth > 6",
            "kind = file and not (copy = failed or traversal = failed) and modified > 2020-01-01",
        ] {
            for sort in SORTS {
                let chosen = if condition.is_empty() {
                    Condition::everything()
                } else {
                    Condition::parse(condition).expect(condition)
                };
                for reverse in [false, true] {
                    let query = FindQuery { sort, reverse, ..FindQuery::new(chosen.clone(), 0) };
                    let what = format!(
                        "{} {sort:?}{}",
                        if condition.is_empty() { "all" } else { condition },
                        if reverse { " reverse" } else { "" }
                    );
                    measure(&what, || find(&connection, &query).expect("a page").rows.len());
                    if sort == FindSort::Id {
                        measure(&format!("{condition} count"), || {
                            usize::try_from(count(&connection, &query).expect("a number")).unwrap()
                        });
                    }
                }
            }
        }
    }
}
