//! Every command that writes a ledger is ended in the middle of that, by a kill within a write or by a power cut: the command,
//! given again or resumed, then comes to what an undisturbed one comes to.
//!
//! The program is started with a library that ends it at the operation that is wanted, and records what it did before
//! (`crashes/shim.c`).

mod power_cuts;
mod torn_writes;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

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
    SELECT 'plan', s.path, NULL, NULL, NULL, NULL, p.action::VARCHAR, NULL, p.reason
    FROM plan p JOIN src_status s ON s.id = p.src_id
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
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crashes/shim.c");
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
    // A power cut may tear what was about to be flushed to the log.
    let beside = beside.filter(|name| !name.to_string_lossy().contains(".wal.damaged-"));
    let beside: Vec<_> = beside.filter(|name| name.to_string_lossy().starts_with("ledger.duckdb")).collect();
    assert!(beside.is_empty(), "{what}: {beside:?} beside the ledger");
}

/// A command about to be disturbed: what it begins with, and what it comes to.
struct Scene {
    /// A ledger says where its trees are, so everything happens in this place.
    folder: PathBuf,
    saved: PathBuf,
    expected: String,
}

impl Scene {
    fn new(place: &Path, tried: &Tried) -> Scene {
        let (folder, saved) = (place.join("place"), place.join("saved"));
        let scene = Scene { folder, saved: place.join("trees"), expected: String::new() };
        scene.begin_anew();
        for before in tried.before {
            let output = run(&scene.folder, before);
            assert!(is_done(&output), "{before:?}: {}", err(&output));
        }
        let _ = std::fs::remove_dir_all(&saved);
        copy_tree(&scene.folder, &saved);
        let output = run(&scene.folder, tried.command);
        assert!(is_done(&output), "{:?}: {}", tried.command, err(&output));
        // What goes on after an interrupted one may do more than that alone.
        go_on(&scene.folder, tried, "undisturbed");
        let expected = everything(&scene.folder);
        Scene { saved, expected, ..scene }
    }

    fn begin_anew(&self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        copy_tree(&self.saved, &self.folder);
    }

    /// Runs the command from the beginning, and ends it at its operation `number`.
    fn crash(&self, tried: &Tried, number: usize, how: [(&str, &OsStr); 1]) -> Output {
        self.begin_anew();
        let mut command = command(&self.folder, tried.command);
        command.env("LD_PRELOAD", shim()).env("CRASH_AT", number.to_string()).envs(how);
        command.output().expect("the program starts")
    }

    /// Goes on, and looks whether it comes to the same.
    fn check(&self, tried: &Tried, what: &str) {
        go_on(&self.folder, tried, what);
        assert!(everything(&self.folder) == self.expected, "{what}: the ledger has something else in it");
    }
}

/// Whether all of it is to be tried, and not a sample: where this variable is `all`.
fn is_thorough(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|all| all == "all")
}
