//! A ledger as the engine leaves it after a copy passes, and whatever is changed in it is noticed.

use std::path::{Path, PathBuf};

use duckdb::Connection;
use longhaul_ledger::CopySettings;
use longhaul_model::VerifyLevel;
use longhaul_storage::Location;
use tempfile::TempDir;

use super::*;
use crate::interrupt::Interrupt;
use crate::shared::copying::Moved;
use crate::shared::maker::{Maker, Time};
use crate::shared::migration::{LEDGER, Run};
use crate::shared::snapshot::Snapshot;

/// A folder that was brought to another one.
struct Copied {
    folder: TempDir,
    ledger: PathBuf,
    due: Due,
}

fn copy() -> Copied {
    let folder = tempfile::tempdir().unwrap();
    let interrupt = Interrupt::default();
    let places = BySide { src: folder.path().join("source"), dst: folder.path().join("destination") };
    let mut both = BySide { src: Maker::new(&places.src).unwrap(), dst: Maker::new(&places.dst).unwrap() };
    let (old, new) = (Time(1_000_000_000, 0), Time(1_500_000_000, 0));
    for (name, here, there) in
        [("same", old, Some(old)), ("newer", old, Some(new)), ("older", new, Some(old)), ("new", new, None)]
    {
        both.src.file(name.as_bytes(), 10, here).unwrap();
        if let Some(there) = there {
            both.dst.file(name.as_bytes(), 10, there).unwrap();
        }
    }
    both.src.folder(b"folder").unwrap();
    both.src.file(b"folder/file", 10, new).unwrap();
    both.src.symlink(b"folder/link", b"file", new).unwrap();
    let snapshots = BySide::from_fn(|side| Snapshot::of(&places[side], &interrupt).unwrap());
    let trees: BySide<&dyn Tree> = BySide { src: &snapshots.src, dst: &snapshots.dst };
    let due = Due::of(&trees).unwrap();
    let locations = BySide { src: Location::Local(places.src), dst: Location::Local(places.dst) };
    let ledger = folder.path().join(LEDGER);
    Run::of_places(folder.path(), locations, &interrupt).unwrap();
    Moved::by_plan(&ledger, CopySettings::default(), VerifyLevel::Full, &interrupt).unwrap();
    Copied { folder, ledger, due }
}

impl Copied {
    /// Verifies a ledger. Gives the checks that failed, and all that was printed.
    fn verify(&self, ledger: &Path) -> (Vec<String>, String) {
        let mut out = Vec::new();
        verify_copied(&mut Report::new(&mut out), &Reader::open(ledger).unwrap(), &self.due, false).unwrap();
        let out = String::from_utf8(out).unwrap();
        let failed = out.lines().filter_map(|line| line.strip_prefix("  FAILED  ")).map(str::to_owned).collect();
        (failed, out)
    }

    fn verify_changed(&self, sql: &str) -> (Vec<String>, String) {
        let copy = self.folder.path().join("changed.duckdb");
        std::fs::copy(&self.ledger, &copy).unwrap();
        let connection = Connection::open(&copy).unwrap();
        connection.execute_batch(sql).unwrap();
        connection.close().unwrap();
        let verified = self.verify(&copy);
        std::fs::remove_file(&copy).unwrap();
        verified
    }
}

#[test]
fn what_the_engine_leaves_passes_and_any_change_of_it_is_noticed() {
    let copied = copy();
    let (failed, out) = copied.verify(&copied.ledger);
    assert_eq!(failed, Vec::<String>::new(), "{out}");
    let a_copied_node = "(SELECT max(node_id) FROM src_status_events WHERE copy_status = 'successful')";
    for (check, sql) in [
        ("phase", "UPDATE migration SET phase = 'verifying'"),
        ("runs in the ledger", "UPDATE runs SET outcome = NULL WHERE run = 2"),
        ("source nodes:", "DELETE FROM src_nodes WHERE id = NODE"),
        ("source nodes other than computed", "UPDATE src_nodes SET size = size + 1 WHERE name = 'same'"),
        ("source nodes other than computed", "UPDATE src_current SET copy_status = 'pending' WHERE id = NODE"),
        ("copy pending", "UPDATE src_current SET copy_status = 'pending' WHERE id = NODE"),
        ("copy failed", "UPDATE src_current SET copy_status = 'failed' WHERE id = NODE"),
        ("source nodes with a reason", "UPDATE src_current SET copy_error = 'no reason' WHERE id = NODE"),
        ("source counters:", "UPDATE src_stats SET copied = copied + 1 WHERE depth = 1"),
        ("counters and recount", "UPDATE src_stats SET copied_bytes = 0 WHERE depth = 1"),
        (
            "events that say that a node was copied",
            "INSERT INTO src_status_events
             SELECT max(seq) + 1, NODE, NULL, 'successful', 1, 2, 0, NULL FROM src_status_events",
        ),
        (
            "nodes that have such an event",
            "UPDATE src_status_events
             SET node_id = (SELECT min(node_id) FROM src_status_events WHERE copy_status = 'successful')
             WHERE node_id = NODE",
        ),
        ("records of files and links", "DELETE FROM copied WHERE src_id = NODE"),
        ("records of files without a checksum", "UPDATE copied SET checksum = NULL WHERE checksum IS NOT NULL"),
        ("records of parts", "INSERT INTO parts VALUES (NODE, 0, 10, 0, 'x')"),
        ("nodes that verification found different", "UPDATE stats SET value = 1 WHERE name LIKE '%differen%'"),
        ("problems", "INSERT INTO differences VALUES (NODE, 'different', 0)"),
    ] {
        let (failed, out) = copied.verify_changed(&sql.replace("NODE", a_copied_node));
        assert!(failed.iter().any(|failed| failed.starts_with(check)), "{check}, {sql}: {failed:?}\n{out}");
    }
}
