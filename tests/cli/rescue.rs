//! Damaged and lost ledgers: review choices move into a new ledger, and copies on the destination are adopted.

use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::program::Place;

/// A small tree that has been migrated, and of which the destination is as a killed copy might have left it.
fn migrated() -> Place {
    let place = Place::new();
    for (file, contents) in [("a/one", "1"), ("a/b/two", "22"), ("a/b/three", "333"), ("a/cut", "4444")] {
        place.file(&format!("src/{file}"), contents);
        place.set_modified(&format!("src/{file}"), 1_500_000_000);
    }
    symlink("one", place.path("src/a/link")).unwrap();
    for (folder, mode) in [("src/a", 0o750), ("src/a/b", 0o705)] {
        fs::set_permissions(place.path(folder), fs::Permissions::from_mode(mode)).unwrap();
    }
    let said = place.run(&["migrate", "src", "dst", "--yes", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    place
}

/// Names, kinds, contents, times and permissions of everything below a folder.
fn everything_in(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let facts = entry.path().symlink_metadata().unwrap();
        let (name, mode) = (entry.file_name(), facts.permissions().mode());
        if facts.is_dir() {
            found.extend(everything_in(&entry.path()).into_iter().map(|below| format!("{}/{below}", name.display())));
        }
        let contents = if facts.is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        found.push(format!("{} {mode:o} {:?} {contents:?}", name.display(), facts.modified().unwrap()));
    }
    found.sort();
    found
}

#[test]
fn what_was_copied_by_a_migration_whose_ledger_is_lost_is_finished_and_counts_as_copied() {
    let place = migrated();
    fs::remove_file(place.ledger()).unwrap();
    // As a kill leaves folders, and a power cut files; and of one file a part has rotted.
    for folder in ["dst/a/b", "dst/a"] {
        fs::set_permissions(place.path(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::remove_file(place.path("dst/a/one")).unwrap();
    for (file, contents) in [("dst/a/cut", ""), ("dst/a/b/two", "2x")] {
        fs::write(place.path(file), contents).unwrap();
        place.set_modified(file, 1_500_000_000);
    }
    place.file("dst/a/.longhaul-18a-7", "half");
    place.file("dst/a/b/of somebody else", "theirs");

    let said = place.discover(&["--adopt"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("temporary files of another migration"), "{}", said.err);
    let planned = place.query("SELECT path, action, reason IS NOT NULL FROM plan_view ORDER BY path");
    let compare = |path: &str| format!("{path}|compare|true");
    let expected = [
        "/a|create_folder|true".to_owned(),
        "/a/b|create_folder|true".to_owned(),
        compare("/a/b/three"),
        compare("/a/b/two"),
        compare("/a/cut"),
        "/a/link|make_link|true".to_owned(),
        "/a/one|copy|false".to_owned(),
    ];
    assert_eq!(planned, expected);

    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let said = place.on_ledger(&["verify", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query("SELECT count(*) FROM src_status WHERE copy_status = 'successful'"), ["7"]);
    assert_eq!(place.query("SELECT count(*) FROM copied WHERE checksum IS NOT NULL"), ["4"]);
    fs::remove_file(place.path("dst/a/.longhaul-18a-7")).unwrap();
    fs::remove_file(place.path("dst/a/b/of somebody else")).unwrap();
    for folder in ["a/b", "a"] {
        // What was removed just now has changed their times.
        let modified = fs::metadata(place.path(&format!("src/{folder}"))).unwrap().modified().unwrap();
        fs::File::open(place.path(&format!("dst/{folder}"))).unwrap().set_modified(modified).unwrap();
    }
    assert_eq!(everything_in(&place.path("dst")), everything_in(&place.path("src")));
}

#[test]
fn what_is_adopted_is_no_copy_where_it_is_another_file() {
    let place = Place::new();
    place.file("src/other size", "new");
    place.file("dst/other size", "an older one of somebody");
    place.file("src/other contents", "one");
    place.file("dst/other contents", "two");
    for (side, seconds) in [("src", 1_500_000_000), ("dst", 1_600_000_000)] {
        for name in ["other size", "other contents"] {
            place.set_modified(&format!("{side}/{name}"), seconds);
        }
    }
    let said = place.run(&["migrate", "src", "dst", "--adopt", "--yes", "--ledger", "ledger.duckdb"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.contents("dst/other size"), "an older one of somebody");
    assert_eq!(place.contents("dst/other contents"), "two");
    assert_eq!(place.query("SELECT DISTINCT copy_status FROM src_status WHERE kind = 'file'"), ["skipped"]);
}

/// A ledger in which things were excluded, decided and renamed.
fn reviewed() -> Place {
    let place = Place::new();
    for number in 0..3_000 {
        place.file(&format!("src/many/file {number:05}"), "x");
    }
    for file in ["keep", "out/of/it", "left", "taken/over", "beside"] {
        place.file(&format!("src/{file}"), "new");
    }
    for file in ["dst/taken/over", "dst/beside"] {
        place.file(file, "another one");
    }
    assert_eq!(place.discover(&["--on-conflict", "ask"]).code, Some(0));
    for arguments in [
        &["exclude", "/out", "--reason", "not ours"][..],
        &["exclude", "/left", "--reason", "it's \"odd\""],
        &["decide", "/taken/over", "--action", "overwrite"],
        &["decide", "/beside", "--action", "keep-both"],
        &["approve"],
    ] {
        let said = place.on_ledger(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
    }
    place
}

/// The blocks of a ledger that have the values of a column.
fn blocks_of(place: &Place, table: &str, column: &str) -> Vec<u64> {
    let sql = format!(
        "SELECT DISTINCT block_id
         FROM pragma_storage_info('{table}')
         WHERE column_name = '{column}' AND block_id >= 0"
    );
    place.query(&sql).iter().map(|id| id.parse().unwrap()).collect()
}

fn damage(ledger: &Path, block: u64) {
    let file = fs::File::options().write(true).open(ledger).unwrap();
    file.write_all_at(b"not what was written", 3 * 4_096 + block * 65_536 + 30_000).unwrap();
}

const SAID: &str = "
    SELECT path, copy_status, error FROM src_status WHERE copy_status LIKE 'excluded%'
    UNION ALL
    SELECT path, action::VARCHAR, reason FROM plan_view WHERE action IN ('overwrite', 'keep_both')
    ORDER BY ALL";

#[test]
fn what_somebody_had_said_is_said_again_in_a_new_ledger() {
    let place = reviewed();
    let said_before = place.query(SAID);
    assert_eq!(said_before.len(), 6, "{said_before:?}");
    damage(&place.ledger(), blocks_of(&place, "src_status_events", "node_id")[0]);
    let said = place.on_ledger(&["repair"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for part in ["src_status_events", "2 exclusions", "2 decisions", "ledger.duckdb.damaged-1", "discover --resume"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    // What is left of the damaged one can be asked.
    let damaged = place.path("ledger.duckdb.damaged-1");
    assert_eq!(place.query_in(&damaged, "SELECT count(*) FROM src_nodes").len(), 1);

    let said = place.on_ledger(&["discover", "--resume"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.query(SAID), said_before);
    assert_eq!(place.query("SELECT count(*) FROM carried_over"), ["0"]);
    let said = place.on_ledger(&["copy"]);
    assert_eq!(said.code, Some(1), "it has to be approved again");
    let said = place.on_ledger(&["migrate", "--resume", "--yes", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(place.contents("dst/taken/over"), "new");
    assert_eq!(place.contents("dst/beside"), "another one");
    assert!(!place.path("dst/out").exists() && !place.path("dst/left").exists());
    let said = place.on_ledger(&["repair"]);
    assert!(said.out.ends_with("nothing to repair\n"), "{}", said.out);
}

/// Whichever block of a ledger has other contents than were written: no command takes it for sound and says something else
/// than before, and `repair` leaves a ledger that can be gone on with, or says that there is none.
#[test]
fn no_damaged_block_gives_a_wrong_result() {
    let place = reviewed();
    let said_before = place.query(SAID);
    let sound = fs::read(place.ledger()).unwrap();
    let blocks = (u64::try_from(sound.len()).unwrap() - 3 * 4_096) / 65_536;
    let (mut sound_still, mut mended, mut lost) = (0, 0, 0);
    for block in 0..blocks {
        let case = place.path(&format!("block {block}"));
        fs::create_dir(&case).unwrap();
        let ledger = case.join("ledger.duckdb");
        fs::write(&ledger, &sound).unwrap();
        damage(&ledger, block);
        let shown = ledger.to_str().unwrap();
        let said = place.run(&["repair", "--ledger", shown]);
        match said.code {
            Some(0) if said.out.ends_with("nothing to repair\n") => {
                sound_still += 1;
                assert_eq!(place.query_in(&ledger, SAID), said_before, "block {block}");
            }
            Some(code @ (0 | 3)) => {
                assert_eq!(code == 3, said.out.contains("may be lost"), "block {block}: {}", said.out);
                mended += 1;
                let resumed = place.run(&["discover", "--resume", "--ledger", shown]);
                assert_eq!(resumed.code, Some(0), "block {block}: {}", resumed.err);
                if code == 0 {
                    assert_eq!(place.query_in(&ledger, SAID), said_before, "block {block}: {}", said.out);
                }
            }
            Some(1) => {
                lost += 1;
                assert!(said.err.contains("--adopt"), "block {block}: {}", said.err);
                assert_eq!(said.err.lines().count(), 1, "block {block}: {}", said.err);
            }
            code => panic!("block {block}: {code:?} {}", said.err),
        }
        fs::remove_dir_all(&case).unwrap();
    }
    assert!(mended > 5, "{sound_still} sound, {mended} mended, {lost} lost");
}

/// What the log has beyond the file may be lost with it: what was begun is not.
#[test]
fn what_was_made_is_finished_also_where_the_log_of_a_killed_copy_is_gone() {
    for bytes_left in [None, Some(0), Some(100)] {
        let place = Place::new();
        for number in 0..50 {
            place.file(&format!("src/a/file {number}"), "x");
        }
        fs::set_permissions(place.path("src/a"), fs::Permissions::from_mode(0o750)).unwrap();
        assert_eq!(place.discover(&[]).code, Some(0));
        let mut child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
            .current_dir(place.path("."))
            .args(["copy", "--approve", "--durability", "file", "--copiers", "1", "--ledger", "ledger.duckdb"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        while !place.path("dst/a/file 1").exists() {
            assert!(child.try_wait().unwrap().is_none() || place.path("dst/a/file 1").exists());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let log = place.path("ledger.duckdb.wal");
        match bytes_left {
            None => drop(fs::remove_file(&log)),
            Some(bytes) if log.exists() => fs::File::options().write(true).open(&log).unwrap().set_len(bytes).unwrap(),
            Some(_) => {}
        }
        let said = place.on_ledger(&["migrate", "--resume", "--yes", "--level", "full"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert_eq!(everything_in(&place.path("dst")), everything_in(&place.path("src")), "{bytes_left:?}");
    }
}

#[test]
fn what_else_there_is_is_said_where_nothing_can_be_read() {
    let place = Place::new();
    place.file("src/file", "x");
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["backup", "ledger.duckdb.backup"]).code, Some(0));
    for contents in [Vec::new(), vec![0; 40_000], b"nothing of ours".to_vec()] {
        fs::write(place.ledger(), contents).unwrap();
        let said = place.on_ledger(&["repair"]);
        assert_eq!(said.code, Some(1));
        for part in ["ledger.duckdb.backup", "--adopt"] {
            assert!(said.err.contains(part), "{part}: {}", said.err);
        }
    }
}

/// A disk that fails for a while is no damage: the ledger stays where it is.
#[test]
fn a_sound_ledger_that_cannot_be_read_for_a_while_is_not_replaced() {
    let place = reviewed();
    let sound = fs::read(place.ledger()).unwrap();
    for first in [1, 4, 10, 20, 40] {
        let output = Command::new("strace")
            .current_dir(place.path("."))
            .args(["-f", "-qq", "-o", "/dev/null", "-P", "ledger.duckdb", "-e", "trace=pread64"])
            .args(["-e", &format!("inject=pread64:error=EIO:when={first}+")])
            .arg(assert_cmd::cargo::cargo_bin("longhaul"))
            .args(["repair", "--ledger", "ledger.duckdb"])
            .output();
        match output {
            Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("strace:") => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                // With fewer reads than that nothing fails.
                assert!(output.status.code() == Some(1) || first == 40, "{first}: {:?} {said}", output.status);
            }
            other => return eprintln!("skipped: strace: {other:?}"),
        }
        assert!(fs::read(place.ledger()).unwrap() == sound, "{first}");
        assert!(!place.path("ledger.duckdb.damaged-1").exists(), "{first}");
    }
    let said = place.on_ledger(&["repair"]);
    assert!(said.out.ends_with("nothing to repair\n"), "{}", said.out);
}
