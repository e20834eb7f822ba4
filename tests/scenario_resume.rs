//! Interrupting and killing a scenario, and going on with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const SCENARIO: [&str; 2] = ["--scenario", "traversal-normal"];
const NOTHING: &str = "longhaul: nothing to resume: no unfinished run of traversal-normal";

/// The scenario's worlds, some hundred folders of each, with a latency: listing them takes seconds.
const SLOW: &str = r#"{
    "mode": "persistent",
    "seed": { "max_depth": 4, "min_folders": 4, "max_folders": 6, "min_files": 2, "max_files": 4 },
    "secondary_tables": { "s1": 0.9 },
    "chaos": { "latency": { "list_children_ms": 100, "jitter_ms": 20 } }
}"#;

/// How long anything is waited for that must come.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A working folder with a slow `configs/spectra.json`, and a folder for temporary files.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.temporary()).unwrap();
        fs::create_dir(place.0.path().join("configs")).unwrap();
        fs::write(place.0.path().join("configs/spectra.json"), SLOW).unwrap();
        place
    }

    fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
        command.current_dir(self.0.path()).env("TMPDIR", self.temporary()).args(SCENARIO).args(more);
        command
    }

    fn run(&self, more: &[&str]) -> Said {
        Said::from(self.command(more).output().unwrap())
    }

    /// Starts the scenario, and waits until it lists. Gives its scratch folder with it.
    fn start(&self, more: &[&str]) -> (Child, PathBuf) {
        let mut command = self.command(more);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Its log is there once something is committed.
        let log = wait_for(|| self.scratches().into_iter().find(|scratch| ledger_in(scratch, ".wal").exists()));
        (child, log)
    }

    fn scratches(&self) -> Vec<PathBuf> {
        fs::read_dir(self.temporary()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

fn ledger_in(scratch: &Path, suffix: &str) -> PathBuf {
    scratch.join(format!("files/ledger.duckdb{suffix}"))
}

fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + WAIT_MAX;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// What the program said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    fn assert_passed(&self) {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        assert!(self.out.ends_with("SCENARIO PASSED\n"), "{}", self.out);
        assert!(self.out.contains("  going on in "), "{}", self.out);
    }

    fn assert_nothing_to_resume(&self) {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""));
        assert!(self.err.starts_with(NOTHING), "{}", self.err);
        assert_eq!(self.err.lines().count(), 1, "{}", self.err);
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

/// The rows of a query over the ledger in a scratch folder.
fn query(scratch: &Path, sql: &str) -> String {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
    command.args(["query", sql, "--format", "csv", "--ledger"]).arg(ledger_in(scratch, ""));
    Said::from(command.output().unwrap()).out
}

#[test]
fn an_interrupted_scenario_says_how_to_go_on_and_is_gone_on_with_once() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let place = Place::new();
        let (child, scratch) = place.start(&[]);
        send(&child, signal);
        let said = Said::from(child.wait_with_output().unwrap());
        assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
        let last = said.out.lines().last().unwrap();
        assert!(last.starts_with("SCENARIO INTERRUPTED in the run, "), "{last}");
        assert!(
            last.ends_with(" are still to be; go on with: longhaul --scenario traversal-normal --resume"),
            "{last}"
        );
        assert_eq!(place.scratches(), std::slice::from_ref(&scratch));
        assert_eq!(
            query(&scratch, "SELECT phase, phase_reason FROM migration"),
            "phase,phase_reason\nsuspended,interrupted\n"
        );
        assert!(!ledger_in(&scratch, ".wal").exists(), "the log was brought into the file");

        place.run(&["--resume", "--keep"]).assert_passed();
        assert_eq!(query(&scratch, "SELECT outcome FROM runs ORDER BY run"), "outcome\ninterrupted\ncomplete\n");
        // It is kept, and is over all the same.
        place.run(&["--resume"]).assert_nothing_to_resume();
        assert_eq!(place.scratches(), [scratch]);
    }
}

#[test]
fn a_killed_scenario_is_gone_on_with_however_often_it_is_killed() {
    let place = Place::new();
    let (mut child, scratch) = place.start(&[]);
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, same) = place.start(&["--resume"]);
    assert_eq!(same, scratch);
    child.kill().unwrap();
    child.wait().unwrap();
    place.run(&["--resume"]).assert_passed();
    assert_eq!(place.scratches(), Vec::<PathBuf>::new());
    place.run(&["--resume"]).assert_nothing_to_resume();
}

#[test]
fn a_scenario_that_is_still_running_is_left_alone() {
    let place = Place::new();
    let (mut child, scratch) = place.start(&[]);
    let said = place.run(&["--resume"]);
    said.assert_nothing_to_resume();
    assert!(said.err.contains(scratch.to_str().unwrap()), "{}", said.err);
    assert_eq!(child.try_wait().unwrap(), None);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn only_a_scenario_can_be_resumed_without_a_command() {
    let place = Place::new();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
    let said = Said::from(command.current_dir(place.0.path()).arg("--resume").output().unwrap());
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("--scenario"), "{}", said.err);
}
