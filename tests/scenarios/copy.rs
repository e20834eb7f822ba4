//! The scenarios that copy, through the program: they pass, are gone on with, and notice what is wrong.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// A small tree; how it is disturbed is added to it.
const SMALL: &str = r#"{
    "mode": "persistent",
    "seed": { "max_depth": 3, "min_folders": 2, "max_folders": 4, "min_files": 4, "max_files": 8, "seed": 3,
              "diverging_tree_mode": true, "stale_probability": 0.2 },
    "secondary_tables": { "s1": 0.7 },
    "chaos": CHAOS
}"#;

/// A working folder, and a folder for temporary files.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.temporary()).unwrap();
        place
    }

    /// With a configuration of its own for `copy-normal`.
    fn disturbed(chaos: &str) -> Place {
        let place = Place::new();
        fs::create_dir(place.0.path().join("configs")).unwrap();
        fs::write(place.0.path().join("configs/spectra-copy.json"), SMALL.replace("CHAOS", chaos)).unwrap();
        place
    }

    fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    fn command(&self, scenario: &str, more: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
        command.current_dir(self.0.path()).env("TMPDIR", self.temporary()).args(["--scenario", scenario]).args(more);
        command
    }

    fn run(&self, scenario: &str, more: &[&str]) -> Said {
        let said = Said::from(self.command(scenario, more).output().unwrap());
        println!("{}{}", said.out, said.err);
        said
    }

    /// Starts a scenario, and waits until it has listed both sides: it is about to copy, or does. Gives what it says
    /// from then on, and its scratch folder.
    fn start(&self, scenario: &str) -> (Child, Lines<BufReader<ChildStdout>>, PathBuf) {
        let mut child = self.command(scenario, &[]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(" bytes of ledger")), "it lists both sides");
        let scratch = fs::read_dir(self.temporary()).unwrap().next().expect("it has a folder").unwrap().path();
        (child, lines, scratch)
    }
}

/// What the program said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    fn assert_passed(&self) {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        assert!(self.out.ends_with("SCENARIO PASSED\n"), "{}", self.out);
        assert!(!self.out.contains("FAILED"), "{}", self.out);
    }

    /// These checks are among those that failed.
    fn assert_failed(&self, checks: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        for check in checks {
            let is_failed = |line: &str| line.starts_with("  FAILED") && line.contains(check);
            assert!(self.out.lines().any(is_failed), "{check}: {}", self.out);
        }
    }
}

#[test]
fn copy_normal_passes() {
    Place::new().run("copy-normal", &[]).assert_passed();
}

#[test]
fn copy_local_passes() {
    Place::new().run("copy-local", &[]).assert_passed();
}

#[test]
fn copy_resumption_passes() {
    Place::new().run("copy-resumption", &[]).assert_passed();
}

#[test]
fn an_interrupted_copy_is_gone_on_with() {
    // With a latency it takes so long that it is in the middle of it.
    let place = Place::disturbed(r#"{ "latency": { "upload_file_ms": 40 } }"#);
    let (mut child, lines, _) = place.start("copy-normal");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let last = lines.last().unwrap().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{last}");
    assert!(last.starts_with("SCENARIO INTERRUPTED in the run, "), "{last}");
    assert!(last.contains(" nodes are copied and "), "{last}");
    place.run("copy-normal", &["--resume"]).assert_passed();
    assert_eq!(fs::read_dir(place.temporary()).unwrap().count(), 0);
}

#[test]
fn a_file_that_cannot_be_copied_is_noticed() {
    let place = Place::disturbed(
        r#"{ "faults": [{ "operation": "upload_file", "world": "s1", "error": "denied", "probability": 0.05 }] }"#,
    );
    place.run("copy-normal", &[]).assert_failed(&[
        "source nodes other than computed",
        "copy failed",
        "source counters:",
        "problems",
        "those missing in s1",
        "nodes of s1 now",
        "actions in the plan that do something",
    ]);
}

/// Kills `copy-local` in its run, changes something behind its back, and goes on.
fn tampered(tamper: impl FnOnce(&Path)) -> Said {
    let place = Place::new();
    let (mut child, _lines, scratch) = place.start("copy-local");
    child.kill().unwrap();
    child.wait().unwrap();
    tamper(&scratch.join("files"));
    place.run("copy-local", &["--resume"])
}

#[test]
fn what_is_changed_on_either_side_while_it_copies_is_noticed() {
    let said = tampered(|files| {
        fs::write(files.join("destination/extra folder/file"), "another twenty bytes").unwrap();
        fs::write(files.join("destination/extra folder/.longhaul-1-2"), "").unwrap();
        fs::write(files.join("source/a file that was not there before"), "").unwrap();
    });
    said.assert_failed(&[
        "entries that nobody put there",
        "entries with another kind, size, time, mode, target or contents",
        "entries to be left alone, those touched",
        "temporary files left",
        "entries of the source, those changed",
        "nodes copied",
    ]);
}
