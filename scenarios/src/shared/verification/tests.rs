//! A ledger as the engine leaves it passes, and whatever is changed in it is noticed.

use std::path::Path;

use duckdb::Connection;
use tempfile::TempDir;

use super::*;
use crate::interrupt::Interrupt;
use crate::shared::simulator::{self, WorldTree};

const CONFIG: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 3, "min_folders": 2, "max_folders": 3, "min_files": 2, "max_files": 4, "seed": 7,
              "diverging_tree_mode": true, "stale_probability": 0.2 },
    "secondary_tables": { "s1": 0.7 }
}"#;

/// A traversed pair of small worlds.
struct Traversed {
    folder: TempDir,
    run: Run,
    trees: BySide<WorldTree>,
}

fn traverse() -> Traversed {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spectra.json");
    std::fs::write(&file, CONFIG).unwrap();
    let simulator = simulator::open(&file, folder.path()).unwrap();
    let worlds = BySide { src: "primary", dst: "s1" };
    let stores = simulator::stores(&simulator, worlds, &file).unwrap();
    let run = Run::of_stores(folder.path(), stores, &Interrupt::default()).unwrap();
    let trees = BySide {
        src: WorldTree::new(&simulator, worlds.src).unwrap(),
        dst: WorldTree::new(&simulator, worlds.dst).unwrap(),
    };
    Traversed { folder, run, trees }
}

impl Traversed {
    /// Verifies a ledger of this run. Gives the first check that failed, and all that was printed.
    fn verify(&self, ledger: &Path) -> (Option<String>, String) {
        let mut out = Vec::new();
        let mut report = Report::new(&mut out);
        let trees: BySide<&dyn Tree> = BySide { src: &self.trees.src, dst: &self.trees.dst };
        verify_ledger(&mut report, &Reader::open(ledger).unwrap(), &trees).unwrap();
        let failed = report.first_failed().map(str::to_owned);
        (failed, String::from_utf8(out).unwrap())
    }

    /// Verifies a copy of the ledger in which `sql` has changed something.
    fn verify_changed(&self, sql: &str) -> (Option<String>, String) {
        let copy = self.folder.path().join("changed.duckdb");
        std::fs::copy(&self.run.ledger, &copy).unwrap();
        let connection = Connection::open(&copy).unwrap();
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        let verified = self.verify(&copy);
        std::fs::remove_file(&copy).unwrap();
        verified
    }
}

#[test]
fn what_the_engine_leaves_passes() {
    let traversed = traverse();
    let (failed, out) = traversed.verify(&traversed.run.ledger);
    assert_eq!(failed, None, "{out}");
    // Or else it would show little.
    for some in ["copy pending", "copy already_existed", "destination nodes not_on_src"] {
        assert!(!out.contains(&format!("{some}: expected 0")), "{out}");
    }
}

#[test]
fn a_change_of_any_table_is_noticed() {
    let traversed = traverse();
    let changes = [
        ("source nodes one by one, each with path", "UPDATE src_nodes SET size = size + 1 WHERE id = LAST_FILE"),
        ("source nodes one by one, each with path", "UPDATE src_nodes SET name = name || 'x' WHERE id = LAST_FILE"),
        ("source nodes one by one, each with path", "UPDATE src_nodes SET parent_id = 1 WHERE id = LAST_FILE"),
        ("source nodes one by one, each with path", "UPDATE src_folders SET path = path || 'x' WHERE id = 2"),
        (
            "destination nodes one by one, each with path",
            "UPDATE dst_nodes SET modified_ns = modified_ns + 1 WHERE id = 2",
        ),
        ("source nodes:", "DELETE FROM src_nodes WHERE id = LAST_FILE"),
        ("source nodes:", "INSERT INTO src_nodes SELECT * FROM src_nodes WHERE id = LAST_FILE"),
        // As many nodes as before: one is missing, another one is there twice.
        (
            "source nodes one by one, each with path",
            "DELETE FROM src_nodes WHERE id = LAST_FILE;
             INSERT INTO src_nodes SELECT * FROM src_nodes WHERE id = 2 AND kind = 'folder'",
        ),
        (
            "source nodes one by one, each with its statuses",
            "UPDATE matches SET same = NOT same WHERE src_id = (SELECT max(src_id) FROM matches)",
        ),
        (
            "source nodes one by one, each with its statuses",
            "UPDATE src_current SET traversal_status = 'pending' WHERE id = 1",
        ),
        (
            "destination nodes one by one, each with its statuses",
            "UPDATE dst_current SET traversal_status = 'failed' WHERE id = 1",
        ),
        ("source nodes with a reason", "UPDATE src_current SET copy_error = 'no reason at all' WHERE id = 1"),
        (
            "source ids",
            "UPDATE src_nodes SET parent_id = 1000000 WHERE parent_id = 2;
             UPDATE src_folders SET id = 1000000 WHERE id = 2;
             UPDATE matches SET src_id = 1000000 WHERE src_id = 2;
             UPDATE src_current SET id = 1000000 WHERE id = 2;
             UPDATE src_nodes SET id = 1000000 WHERE id = 2",
        ),
        // Two matches with their destinations exchanged: no status is any different.
        (
            "matches of the same kind and name",
            "CREATE TEMP TABLE pair AS
               SELECT m.src_id, m.dst_id FROM matches m JOIN src_nodes s ON s.id = m.src_id
               WHERE s.kind = 'file' AND m.same ORDER BY m.src_id LIMIT 2;
             UPDATE matches SET dst_id = (SELECT sum(dst_id) FROM pair) - dst_id
             WHERE src_id IN (SELECT src_id FROM pair)",
        ),
        ("source counters:", "UPDATE src_stats SET files = files + 1 WHERE depth = 1"),
        ("destination counters:", "DELETE FROM dst_stats WHERE depth = 0"),
        ("phase", "UPDATE migration SET phase = 'suspended'"),
    ];
    for (first_failed, sql) in changes {
        let sql = sql.replace("LAST_FILE", "(SELECT max(id) FROM src_nodes WHERE kind = 'file')");
        let (failed, out) = traversed.verify_changed(&sql);
        assert!(failed.as_deref().is_some_and(|failed| failed.starts_with(first_failed)), "{sql}: {failed:?}\n{out}");
    }
}

#[test]
fn the_nodes_that_differ_are_named() {
    let traversed = traverse();
    let (_, out) =
        traversed.verify_changed("UPDATE src_nodes SET size = 123456 WHERE parent_id = 1 AND name = 'file_1.txt'");
    for line in ["1 nodes only expected", "1 nodes only in the ledger", "/file_1.txt (file, 123456 bytes"] {
        assert!(out.contains(line), "{out}");
    }
}
