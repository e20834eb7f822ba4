//! Every write and every sync of the ledger fails once, with EIO and with ENOSPC: the run always ends with exit code 1
//! and one line that says why, and going on gives what an undisturbed run gives.
//!
//! `strace` injects the errors. It counts the calls of each thread apart, so the ones of the thread that makes the ledger
//! are hit as well as those of the thread that writes it later. The first two commits are made by the former: the second
//! thread's own first two are never hit, its later ones, which are no different, are.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// Twice 120 folders at the most, listed at once.
const FAST: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 4, "min_folders": 3, "max_folders": 3, "min_files": 2, "max_files": 5 },
    "secondary_tables": { "s1": 0.8 }
}"#;

/// The same, slowly enough for five commits before the last one.
const SLOW: &str = r#"{
    "mode": "ephemeral",
    "seed": { "max_depth": 4, "min_folders": 3, "max_folders": 3, "min_files": 2, "max_files": 5 },
    "secondary_tables": { "s1": 0.8 },
    "chaos": { "latency": { "list_children_ms": 50 } }
}"#;

/// Everything but identifiers, which depend on who was listed first.
const EVERYTHING: &str = "
    SELECT 'src', path, kind, size, modified_ns, depth, traversal_status, copy_status, attempts, error FROM src_status
    UNION ALL
    SELECT 'dst', path, kind, size, modified_ns, depth, traversal_status, NULL, attempts, error FROM dst_status
    UNION ALL
    SELECT 'match', s.path, d.path, NULL, NULL, NULL, NULL, NULL, NULL, same::VARCHAR
    FROM matches m JOIN src_status s ON s.id = m.src_id JOIN dst_status d ON d.id = m.dst_id
    UNION ALL
    SELECT 'phase', phase::VARCHAR, phase_reason, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM migration
    ORDER BY ALL";

/// A run that takes longer hangs.
const RUN_SECONDS_MAX: &str = "60";

/// Faults of one kind, the first of which is that of the call with the number `first`, and each next one that of a call
/// `step` further on.
struct Faults {
    world: &'static str,
    call: &'static str,
    /// What comes behind the ledger's name in the file's; `$$` is the process.
    file: &'static str,
    error: &'static str,
    first: usize,
    step: usize,
    /// Calls beyond this one are not hit.
    last: usize,
}

/// Those that take long come first.
fn all_faults() -> Vec<Faults> {
    let faults = |call, file, error| Faults { world: FAST, call, file, error, first: 1, step: 1, last: usize::MAX };
    let mut all = Vec::new();
    for (number, error) in [(3, "EIO"), (4, "ENOSPC")] {
        all.push(Faults { world: SLOW, first: number, last: number, ..faults("fsync", ".wal", error) });
    }
    for (number, error) in ["EIO", "ENOSPC"].into_iter().enumerate() {
        // Each sync has both of the two errors, each write one. Of those that make the ledger every third one will do:
        // nothing of it is there before the last.
        let writes =
            [("pwrite64", "", 1), ("write", ".wal", 1), ("pwrite64", ".$$.new", 3), ("write", ".$$.new.wal", 3)];
        for (call, file, apart) in writes {
            all.push(Faults { first: 1 + number * apart, step: 2 * apart, ..faults(call, file, error) });
        }
        all.extend(["", ".wal", ".$$.new", ".$$.new.wal"].map(|file| faults("fsync", file, error)));
    }
    all
}

#[test]
fn whichever_write_of_the_ledger_fails_the_run_says_so_and_can_be_gone_on_with() {
    if let Err(why) = errors_can_be_injected() {
        assert!(std::env::var_os("CI").is_none(), "{why}");
        println!("skipped: {why}");
        return;
    }
    let undisturbed = undisturbed();
    let waiting = Mutex::new(all_faults().into_iter());
    let hits = Mutex::new(Vec::new());
    // As many as there are of those that mostly sleep, and two more.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(faults) = waiting.lock().expect("nobody panics with it").next() else { break };
                    let hit = play(&faults, &undisturbed);
                    hits.lock().expect("nobody panics with it").push((faults, hit));
                }
            });
        }
    });
    let hits = hits.into_inner().expect("nobody panicked");
    for (Faults { call, file, error, .. }, hit) in &hits {
        println!("{error} of {call} on LEDGER{file}: {hit} calls");
        assert!(*hit > 0, "{call} is how LEDGER{file} is written");
    }
}

/// Injects these faults, each into a run of its own, until a run is no longer hit. Returns how many were.
fn play(faults: &Faults, undisturbed: &str) -> usize {
    let numbers = (faults.first..=faults.last).step_by(faults.step);
    numbers.take_while(|&number| play_one(faults, number, undisturbed)).count()
}

/// Returns whether the run was hit.
fn play_one(faults: &Faults, number: usize, undisturbed: &str) -> bool {
    let Faults { world, call, file, error, .. } = faults;
    let place = place(world);
    let what = format!("{error} of {call} number {number} on LEDGER{file}");
    let (code, err) = run_with_fault(place.path(), faults, number);
    let log = std::fs::read_to_string(place.path().join("strace.log")).unwrap_or_default();
    if !log.contains("(INJECTED)") {
        assert_eq!((code, err.as_str()), (Some(0), ""), "nothing happened to {what}");
        return false;
    }
    assert_eq!(code, Some(1), "{what}: {err}");
    assert_eq!(err.lines().count(), 1, "{what}: {err}");
    let reasons = match *error {
        "ENOSPC" => ["no space left for the ledger", "No space left on device"],
        // DuckDB keeps the number of an error of fsync to itself.
        _ => ["longhaul: ", if *call == "fsync" { "fsync failed" } else { "Input/output error" }],
    };
    assert!(reasons.iter().all(|reason| err.contains(reason)), "{what}: {err}");
    let was_made = place.path().join("ledger.duckdb").exists();
    assert_eq!(was_made, !file.contains(".new"), "{what}: a ledger is whole or not there");
    let again = if was_made {
        run(place.path(), &["discover", "--resume", "--ledger", "ledger.duckdb"])
    } else {
        discover(place.path())
    };
    assert_eq!(again.0, Some(0), "{what}: {}", again.2);
    assert!(everything(place.path()) == undisturbed, "{what}: the ledger has something else in it");
    true
}

fn run_with_fault(folder: &Path, faults: &Faults, number: usize) -> (Option<i32>, String) {
    let Faults { call, file, error, .. } = faults;
    // `-D` leaves the program the shell's number, which is in the names of some of its files. Paths are resolved before
    // the files are there, so they are absolute.
    let script = format!(
        "exec strace -D -f -qq -o strace.log -e trace={call} -P \"$PWD/ledger.duckdb{file}\" \
         -e inject={call}:error={error}:when={number} \"$@\""
    );
    let output = Command::new("timeout")
        .current_dir(folder.canonicalize().expect("the scratch folder is there"))
        .args([RUN_SECONDS_MAX, "sh", "-c", &script, "sh"])
        .arg(cargo_bin("longhaul"))
        .args(DISCOVER)
        .env_remove("LONGHAUL_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    (output.status.code(), String::from_utf8(output.stderr).expect("messages are UTF-8"))
}

const DISCOVER: [&str; 7] = [
    "discover",
    "spectra:primary?config=world.json",
    "spectra:s1?config=world.json",
    "--workers",
    "2",
    "--ledger",
    "ledger.duckdb",
];

fn place(world: &str) -> TempDir {
    let place = tempfile::tempdir().expect("a scratch folder");
    std::fs::write(place.path().join("world.json"), world).expect("a new file");
    place
}

fn discover(folder: &Path) -> (Option<i32>, String, String) {
    run(folder, &DISCOVER)
}

/// Runs the program undisturbed on the ledger of this folder. Returns exit code, output and messages.
fn run(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new("timeout")
        .current_dir(folder)
        .arg(RUN_SECONDS_MAX)
        .arg(cargo_bin("longhaul"))
        .args(arguments)
        .env_remove("LONGHAUL_LOG")
        .stdin(Stdio::null())
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("it is UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn everything(folder: &Path) -> String {
    let (code, out, err) = run(folder, &["query", EVERYTHING, "--format", "csv", "--ledger", "ledger.duckdb"]);
    assert_eq!(code, Some(0), "{err}");
    out
}

fn undisturbed() -> String {
    let place = place(FAST);
    let (code, _, err) = discover(place.path());
    assert_eq!(code, Some(0), "{err}");
    everything(place.path())
}

/// Whether `strace` is there and may do what it does.
fn errors_can_be_injected() -> Result<(), String> {
    let arguments = ["-D", "-qq", "-o", "/dev/null", "-e", "inject=fsync:error=EIO"];
    match Command::new("strace").args(arguments).arg("true").output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("strace may not trace: {}", String::from_utf8_lossy(&output.stderr).trim())),
        Err(error) => Err(format!("strace cannot be run: {error}")),
    }
}
