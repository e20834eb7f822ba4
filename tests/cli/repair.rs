//! Ledgers with a damaged log: whatever happens to it, the migration goes on from a state that was committed, or says
//! clearly that it cannot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::program::{Place, Said};

const CONFIG: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 6, "min_folders": 3, "max_folders": 3, "min_files": 2, "max_files": 5 },
    "secondary_tables": { "s1": 0.8 },
    "chaos": { "latency": { "list_children_ms": 4 } }
}"#;

const EVERYTHING: &str = "
    SELECT 'src', path, kind, size, modified_ns, traversal_status, copy_status, error FROM src_status
    UNION ALL
    SELECT 'dst', path, kind, size, modified_ns, traversal_status, NULL, error FROM dst_status
    ORDER BY ALL";

/// A ledger as a kill left it, with a log that has something in it; and what an uninterrupted run gives.
fn killed() -> (Place, Vec<String>) {
    killed_with(CONFIG)
}

fn killed_with(config: &str) -> (Place, Vec<String>) {
    let place = Place::new();
    place.file("config.json", config);
    let locations = ["spectra:primary?config=config.json", "spectra:s1?config=config.json"];
    let discover = [&["discover"], &locations[..]].concat();
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .current_dir(place.path("."))
        .args(&discover)
        .args(["--ledger", "killed.duckdb", "--workers", "4"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let log = place.path("killed.duckdb.wal");
    // Several commits: each adds some kilobytes.
    while log.metadata().map_or(0, |log| log.len()) < 40_000 {
        assert!(child.try_wait().unwrap().is_none(), "it is not over yet");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // What comes now is the same tree, without waiting.
    place.file("config.json", &config.replace("\"list_children_ms\": 4", ""));
    let said = place.run(&[&discover[..], &["--ledger", "ledger.duckdb"]].concat());
    assert_eq!(said.code, Some(0), "{}", said.err);
    let expected = place.query(EVERYTHING);
    (place, expected)
}

/// A copy of the killed ledger and its log, with the log changed.
fn damaged(place: &Place, name: &str, damage: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let ledger = place.path(&format!("{name}.duckdb"));
    fs::copy(place.path("killed.duckdb"), &ledger).unwrap();
    let mut log = fs::read(place.path("killed.duckdb.wal")).unwrap();
    damage(&mut log);
    fs::write(ledger.with_extension("duckdb.wal"), log).unwrap();
    ledger
}

fn run(place: &Place, arguments: &[&str], ledger: &Path) -> Said {
    place.run(&[arguments, &["--ledger", ledger.to_str().unwrap()]].concat())
}

/// Goes on, and checks that all is as it would have been.
fn goes_on(place: &Place, ledger: &Path, expected: &[String]) {
    let said = run(place, &["discover", "--resume"], ledger);
    assert_eq!(said.code, Some(0), "{}: {}", ledger.display(), said.err);
    assert_eq!(place.query_in(ledger, EVERYTHING), expected, "{}", ledger.display());
}

/// Numbers that look random, always the same ones.
fn scattered(below: usize) -> impl Iterator<Item = usize> {
    (1_u64..).map(move |n| {
        let mixed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        usize::try_from(mixed >> 33).unwrap() % below
    })
}

#[test]
fn a_log_that_is_cut_off_or_changed_anywhere_never_gives_a_wrong_result() {
    let (place, expected) = killed();
    let length = fs::metadata(place.path("killed.duckdb.wal")).unwrap().len();
    let length = usize::try_from(length).unwrap();
    let cut = scattered(length).take(50).map(|at| (true, at));
    let changed = scattered(length).skip(50).take(50).map(|at| (false, at));
    let damages: Vec<(bool, usize)> = cut.chain(changed).collect();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(&(cut, at)) = damages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = format!("{}-{at}", if cut { "cut" } else { "changed" });
                    let ledger = damaged(&place, &name, |log| {
                        if cut {
                            log.truncate(at);
                        } else {
                            log[at] ^= 0x5a;
                        }
                    });
                    goes_on(&place, &ledger, &expected);
                }
            });
        }
    });
}

#[test]
fn a_log_that_is_gone_or_belongs_to_another_ledger_is_gone_on_without() {
    let (place, expected) = killed();
    let ledger = damaged(&place, "gone", |_| {});
    fs::remove_file(ledger.with_extension("duckdb.wal")).unwrap();
    goes_on(&place, &ledger, &expected);

    let (other, _) = killed_with(&CONFIG.replace("\"min_files\": 2", "\"seed\": 7, \"min_files\": 2"));
    let log = fs::read(other.path("killed.duckdb.wal")).unwrap();
    let ledger = damaged(&place, "other", |mine| *mine = log);
    goes_on(&place, &ledger, &expected);
}

#[test]
fn repair_sets_a_damaged_log_aside_and_says_so() {
    let (place, expected) = killed();
    // Where it is the length of an entry that is changed, the log seems to end there, as after any kill.
    let (ledger, said) = (0..8)
        .map(|step| {
            let ledger = damaged(&place, "nonsense", |log| {
                let at = log.len() / 2 + 97 * step;
                log[at] ^= 0x5a;
            });
            let said = run(&place, &["status"], &ledger);
            (ledger, said)
        })
        .find(|(_, said)| said.code != Some(0))
        .expect("some change is noticed");
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("longhaul repair --ledger"), "{}", said.err);
    let said = run(&place, &["repair"], &ledger);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("was damaged"), "{}", said.err);
    assert!(said.err.contains("nonsense.duckdb.wal.damaged-1"), "{}", said.err);
    assert!(place.path("nonsense.duckdb.wal.damaged-1").exists());
    assert_eq!(run(&place, &["status"], &ledger).code, Some(0));
    let said = run(&place, &["repair"], &ledger);
    assert_eq!((said.code, said.out.ends_with("nothing to repair\n")), (Some(0), true), "{}", said.err);
    goes_on(&place, &ledger, &expected);
}

/// What was begun is in the log as well: what the killed run made is finished, and not taken for somebody else's.
#[test]
fn folders_that_were_made_before_the_log_was_damaged_are_finished() {
    let place = Place::new();
    place.file("src/a/b/file", "1");
    place.file("src/a/other", "2");
    place.set_modified("src/a/other", 1_600_000_000);
    for (folder, mode) in [("src/a", 0o750), ("src/a/b", 0o705)] {
        fs::set_permissions(place.path(folder), fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    // A copy that was killed, of which the ledger has nothing but what is in its log.
    fs::create_dir_all(place.path("dst/a/b")).unwrap();
    place.file("dst/a/other", "2");
    place.set_modified("dst/a/other", 1_600_000_000);
    for folder in ["dst/a/b", "dst/a"] {
        fs::set_permissions(place.path(folder), fs::Permissions::from_mode(0o700)).unwrap();
    }
    fs::write(place.path("ledger.duckdb.wal.damaged-1"), "as it was set aside").unwrap();
    let said = place.on_ledger(&["migrate", "--resume", "--yes", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for folder in ["a", "a/b"] {
        let facts = |side: &str| fs::metadata(place.path(&format!("{side}/{folder}"))).unwrap();
        let (source, copy) = (facts("src"), facts("dst"));
        assert_eq!(copy.permissions().mode(), source.permissions().mode(), "{folder}");
        assert_eq!(copy.modified().unwrap(), source.modified().unwrap(), "{folder}");
    }
}

#[test]
fn a_file_that_is_damaged_itself_is_a_clear_error_and_stays_as_it_is() {
    let (place, _) = killed();
    let ledger = damaged(&place, "broken", |_| {});
    let mut file = fs::read(&ledger).unwrap();
    file[..16_384].fill(0);
    fs::write(&ledger, &file).unwrap();
    for arguments in [&["repair"][..], &["discover", "--resume"], &["status"]] {
        let said = run(&place, arguments, &ledger);
        assert_eq!(said.code, Some(1), "{arguments:?}");
        assert_eq!(said.err.lines().count(), 1, "{}", said.err);
        assert!(said.err.contains("broken.duckdb"), "{}", said.err);
    }
    assert_eq!(fs::read(&ledger).unwrap(), file);
    assert!(ledger.with_extension("duckdb.wal").exists());
}
