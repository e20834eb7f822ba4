//! Where a scenario is run by the program, and what it says.

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

/// A small tree; how it is disturbed is added to it.
pub(crate) const SMALL: &str = r#"{
    "mode": "persistent",
    "seed": { "max_depth": 3, "min_folders": 2, "max_folders": 4, "min_files": 4, "max_files": 8, "seed": 3,
              "diverging_tree_mode": true, "stale_probability": 0.2 },
    "secondary_tables": { "s1": 0.7 },
    "chaos": CHAOS
}"#;

/// A working folder, and a folder for temporary files.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Place {
        let place = Place(tempfile::tempdir().unwrap());
        fs::create_dir(place.temporary()).unwrap();
        place
    }

    /// With a configuration of its own for the scenarios that use the shipped one of that name.
    pub(crate) fn with_config(name: &str, config: &str) -> Place {
        let place = Place::new();
        fs::create_dir(place.0.path().join("configs")).unwrap();
        fs::write(place.0.path().join("configs").join(name), config).unwrap();
        place
    }

    pub(crate) fn folder(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn temporary(&self) -> PathBuf {
        self.0.path().join("tmp")
    }

    fn command(&self, scenario: &str, more: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
        command.current_dir(self.0.path()).env("TMPDIR", self.temporary()).args(["--scenario", scenario]).args(more);
        command
    }

    pub(crate) fn run(&self, scenario: &str, more: &[&str]) -> Said {
        let said = Said::from(self.command(scenario, more).output().unwrap());
        println!("{}{}", said.out, said.err);
        said
    }

    /// Starts a scenario, and waits until it says something. Gives what it says from then on, and its scratch folder.
    pub(crate) fn start(&self, scenario: &str, until: &str) -> (Child, Lines<BufReader<ChildStdout>>, PathBuf) {
        let mut child = self.command(scenario, &[]).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains(until)), "it comes as far as {until}");
        let scratch = fs::read_dir(self.temporary()).unwrap().next().expect("it has a folder").unwrap().path();
        (child, lines, scratch)
    }
}

/// What the program said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Said {
    pub(crate) fn assert_passed(&self) {
        assert_eq!(self.code, Some(0), "{}{}", self.out, self.err);
        assert!(self.out.ends_with("SCENARIO PASSED\n"), "{}", self.out);
        assert!(!self.out.contains("FAILED"), "{}", self.out);
    }

    /// These checks are among those that failed.
    pub(crate) fn assert_failed(&self, checks: &[&str]) {
        assert_eq!(self.code, Some(1), "{}{}", self.out, self.err);
        for check in checks {
            let is_failed = |line: &str| line.starts_with("  FAILED") && line.contains(check);
            assert!(self.out.lines().any(is_failed), "{check}: {}", self.out);
        }
    }
}
