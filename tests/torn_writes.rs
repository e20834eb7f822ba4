//! Every command that writes a ledger is killed in the middle of each of its writes to it, to its log, and to the copies
//! beside it: the command, given again or resumed, then comes to what an undisturbed one comes to.
//!
//! A kill between two system calls tears nothing; so the program is started with a library that writes a part of one
//! write and ends the process then (`torn_writes/shim.c`). Each third write is cut, at one of three places in turn;
//! `LONGHAUL_TORN_WRITES=all` cuts each one at all of them.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// How much of a write happens: a sector, half of what most of them have, and all but a sector.
const CUTS: [&str; 3] = ["512", "30000", "-512"];

/// Writes that one command does not need.
const WRITES_MAX: usize = 500;

/// A command, and how it goes on after it was killed.
struct Tried {
    /// What was done before, from the discovery on.
    before: &'static [&'static [&'static str]],
    command: &'static [&'static str],
    again: &'static [&'static [&'static str]],
    /// What goes on may find that it was done.
    may_be_done: bool,
}

const DISCOVER: &[&str] = &["discover", "src", "dst"];
const EXCLUDE: &[&str] = &["exclude", "/a/f1", "--reason", "mine"];
const COPY: &[&str] = &["copy", "--approve"];
const MARK: &[&str] = &["mark-retry", "/a"];

const TRIED: [Tried; 8] = [
    Tried { before: &[], command: DISCOVER, again: &[&["discover", "--resume"]], may_be_done: false },
    Tried { before: &[DISCOVER], command: EXCLUDE, again: &[EXCLUDE], may_be_done: true },
    Tried { before: &[DISCOVER], command: &["approve"], again: &[&["approve"]], may_be_done: false },
    Tried { before: &[DISCOVER], command: COPY, again: &[&["copy", "--resume", "--approve"]], may_be_done: false },
    Tried { before: &[DISCOVER, COPY], command: &["verify"], again: &[&["verify", "--resume"]], may_be_done: false },
    Tried {
        before: &[DISCOVER, COPY, &["verify"]],
        command: &["refresh"],
        again: &[&["discover", "--resume"], &["refresh"]],
        may_be_done: false,
    },
    Tried { before: &[DISCOVER, COPY], command: MARK, again: &[MARK], may_be_done: false },
    Tried {
        before: &[DISCOVER, COPY, MARK],
        command: &["retry"],
        again: &[&["discover", "--resume"], &["retry"], &["migrate", "--resume"]],
        may_be_done: true,
    },
];

/// What a ledger comes to, but for what depends on how often it was begun.
const EVERYTHING: &str = "
    SELECT 'src', path, kind, size, modified_ns, depth, traversal_status, copy_status, error FROM src_status
    UNION ALL
    SELECT 'match', s.path, NULL, NULL, NULL, NULL, NULL, NULL, same::VARCHAR
    FROM matches m JOIN src_status s ON s.id = m.src_id
    UNION ALL
    SELECT 'plan', path, kind, size, NULL, NULL, action, NULL, reason FROM plan_view
    UNION ALL
    SELECT 'marks', NULL, NULL, NULL, NULL, NULL, NULL, NULL, count(*)::VARCHAR FROM marks
    UNION ALL
    SELECT 'copied', s.path, NULL, c.size, c.modified_ns, NULL, NULL, NULL, hex(c.checksum)
    FROM copied c JOIN src_status s ON s.id = c.src_id
    UNION ALL
    SELECT 'phase', phase::VARCHAR, NULL, NULL, NULL, NULL, NULL, NULL, phase_reason FROM migration
    ORDER BY ALL";

fn shim() -> &'static Path {
    static SHIM: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, shim) = SHIM.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let shim = folder.path().join("torn.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torn_writes/shim.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(source).arg("-ldl");
        let compiled = compile.output().expect("there is a compiler where DuckDB was compiled");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        (folder, shim)
    });
    shim
}

/// A source with enough in it for more than one block of each table.
fn place() -> TempDir {
    let place = tempfile::tempdir().expect("a scratch folder");
    for folder in ["trees/src/a", "trees/src/b", "trees/dst"] {
        std::fs::create_dir_all(place.path().join(folder)).expect("a new folder");
    }
    for number in 0..40 {
        std::fs::write(place.path().join(format!("trees/src/a/f{number}")), format!("{number}")).expect("a new file");
        std::fs::write(place.path().join(format!("trees/src/b/f{number}")), "").expect("a new file");
    }
    place
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin("longhaul"));
    command.current_dir(folder).args(arguments).args(["--ledger", "ledger.duckdb"]);
    command.env_remove("LONGHAUL_LOG").stdin(Stdio::null());
    command
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().expect("the program starts")
}

fn is_done(output: &Output) -> bool {
    output.status.code() == Some(0)
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn copy_tree(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().expect("cp starts");
    assert!(status.success());
}

fn everything(folder: &Path) -> String {
    let output = run(folder, &["query", EVERYTHING, "--format", "csv"]);
    assert!(is_done(&output), "{}", err(&output));
    String::from_utf8(output.stdout).expect("it is UTF-8")
}

/// Goes on after a kill, or after nothing has happened.
fn go_on(folder: &Path, tried: &Tried, what: &str) {
    // Nothing may have been made yet.
    let begin = [tried.command];
    let commands = if folder.join("ledger.duckdb").exists() { tried.again } else { &begin };
    for arguments in commands {
        let output = run(folder, arguments);
        let was_done = tried.may_be_done && output.status.code() == Some(1);
        assert!(is_done(&output) || was_done, "{what}: {arguments:?}: {}", err(&output));
    }
    let names = std::fs::read_dir(folder).expect("the scratch folder is there");
    let beside = names.map(|entry| entry.expect("an entry").file_name()).filter(|name| name != "ledger.duckdb");
    let beside: Vec<_> = beside.filter(|name| name.to_string_lossy().starts_with("ledger.duckdb")).collect();
    assert!(beside.is_empty(), "{what}: {beside:?} beside the ledger");
}

#[test]
fn a_kill_in_the_middle_of_any_write_to_the_ledger_loses_nothing() {
    let is_thorough = std::env::var("LONGHAUL_TORN_WRITES").is_ok_and(|all| all == "all");
    let place = place();
    // A ledger says where its trees are, so everything happens in the same place.
    let (folder, saved) = (place.path().join("place"), place.path().join("saved"));
    for (tried, first) in TRIED.iter().zip((1..=3).cycle()) {
        let begin_anew = |from: &Path| {
            let _ = std::fs::remove_dir_all(&folder);
            copy_tree(from, &folder);
        };
        begin_anew(&place.path().join("trees"));
        for before in tried.before {
            let output = run(&folder, before);
            assert!(is_done(&output), "{before:?}: {}", err(&output));
        }
        let _ = std::fs::remove_dir_all(&saved);
        copy_tree(&folder, &saved);
        let output = run(&folder, tried.command);
        assert!(is_done(&output), "{:?}: {}", tried.command, err(&output));
        // What goes on after an interrupted one may do more than that alone.
        go_on(&folder, tried, "undisturbed");
        let expected = everything(&folder);
        let mut kills = 0;
        let (first, step) = if is_thorough { (1, 1) } else { (first, 3) };
        for number in (first..WRITES_MAX).step_by(step) {
            let cuts = if is_thorough { &CUTS[..] } else { &CUTS[number / step % CUTS.len()..][..1] };
            let mut was_killed = false;
            for cut in cuts {
                begin_anew(&saved);
                let mut torn = command(&folder, tried.command);
                torn.env("LD_PRELOAD", shim()).env("TORN_AT", number.to_string()).env("TORN_BYTES", cut);
                let output = torn.output().expect("the program starts");
                let what = format!("{:?}, {cut} bytes of write {number}", tried.command);
                if output.status.signal().is_none() {
                    assert!(is_done(&output), "{what}: {}", err(&output));
                    continue;
                }
                was_killed = true;
                kills += 1;
                go_on(&folder, tried, &what);
                assert!(everything(&folder) == expected, "{what}: the ledger has something else in it");
            }
            if !was_killed {
                break;
            }
        }
        println!("{:?}: killed in the middle of {kills} writes", tried.command);
        assert!(kills > 3, "{:?} writes its ledger", tried.command);
    }
}
