//! A scratch folder with two trees, and the program run over them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use assert_cmd::Command;

/// A scratch folder with a `src` and a `dst` in it, removed in the end.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What the program said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Place { folder: tempfile::tempdir().expect("a scratch folder") };
        fs::create_dir(place.path("src")).expect("a new folder");
        fs::create_dir(place.path("dst")).expect("a new folder");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn ledger(&self) -> PathBuf {
        self.path("ledger.duckdb")
    }

    /// Writes a file, and the folders above it.
    pub(crate) fn file(&self, name: &str, contents: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("it is in the scratch folder")).expect("new folders");
        fs::write(path, contents).expect("a new file");
    }

    /// Writes a file on both sides, with the same time.
    pub(crate) fn file_on_both(&self, name: &str, contents: &str) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(1_600_000_000_123_456_789);
        for side in ["src", "dst"] {
            let name = format!("{side}/{name}");
            self.file(&name, contents);
            fs::File::options().append(true).open(self.path(&name)).unwrap().set_modified(time).unwrap();
        }
    }

    /// Gives a file a time, in seconds since 1970.
    pub(crate) fn set_modified(&self, name: &str, seconds: u64) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::options().append(true).open(self.path(name)).unwrap().set_modified(time).unwrap();
    }

    /// The contents of a file.
    pub(crate) fn contents(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs a command on the ledger in the scratch folder.
    pub(crate) fn on_ledger(&self, arguments: &[&str]) -> Said {
        self.run(&[arguments, &["--ledger", "ledger.duckdb"]].concat())
    }

    /// Runs the program in the scratch folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::cargo_bin("longhaul").expect("the program is built");
        command.current_dir(self.folder.path()).env_remove("LONGHAUL_LOG").args(arguments);
        Said::from(command.output().expect("the program starts"))
    }

    /// `discover src dst` with a ledger in the scratch folder, and whatever else.
    pub(crate) fn discover(&self, more: &[&str]) -> Said {
        self.run(&[&["discover", "src", "dst", "--ledger", "ledger.duckdb"], more].concat())
    }

    /// The rows of a query, values joined by `|`.
    pub(crate) fn query(&self, sql: &str) -> Vec<String> {
        self.query_in(&self.ledger(), sql)
    }

    /// As [`Place::query`], of another ledger.
    pub(crate) fn query_in(&self, ledger: &Path, sql: &str) -> Vec<String> {
        let ledger = ledger.to_str().expect("a path that can be typed");
        let said = self.run(&["query", sql, "--ledger", ledger, "--format", "csv"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let mut rows = csv::Reader::from_reader(said.out.as_bytes());
        rows.records().map(|row| row.unwrap().iter().collect::<Vec<_>>().join("|")).collect()
    }

    /// Everything that is in the scratch folder, to show that nothing has changed.
    pub(crate) fn everything(&self) -> Vec<PathBuf> {
        fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
                if entry.file_type().expect("a type").is_dir() {
                    collect(&entry.path(), into);
                }
                into.push(entry.path());
            }
        }
        let mut all = Vec::new();
        collect(self.folder.path(), &mut all);
        all.sort();
        all
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Said {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("output is UTF-8"),
            err: String::from_utf8(output.stderr).expect("messages are UTF-8"),
        }
    }
}
