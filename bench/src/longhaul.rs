//! What this program knows of the Longhaul binary: where it is, its command lines, what it leaves and prints.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::measure::{Contender, STDERR_FILE, STDOUT_FILE, Step, Tool, tail};

/// Relative, so that each run, in a folder of its own, has a fresh one.
const LEDGER_FILE: &str = "ledger.duckdb";

/// The binary to measure.
#[derive(Debug)]
pub(crate) struct Longhaul {
    program: PathBuf,
}

impl Longhaul {
    /// The given binary, or the one built now from this workspace.
    pub(crate) fn find(given: Option<&Path>) -> Result<Self> {
        let program = match given {
            // Absolute, because it is run from other folders.
            Some(path) => path.canonicalize().with_context(|| format!("no binary at {}", path.display()))?,
            None => build()?,
        };
        Ok(Self { program })
    }

    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// `longhaul discover SRC DST` into a fresh ledger.
    pub(crate) fn discover(&self, tool: Tool, source: &Path, destination: &Path) -> Contender {
        Contender::single(tool, self.discovery(source, destination))
    }

    /// `longhaul discover SRC DST` into a fresh ledger, and `longhaul copy` from it. The destination is made if it is
    /// not there.
    pub(crate) fn discover_and_copy(&self, tool: Tool, source: &Path, destination: &Path) -> Contender {
        let mut discovery = self.discovery(source, destination);
        discovery.arguments.push("--create-destination".into());
        let mut copy = self.step(["copy".as_ref(), "--approve".as_ref()]);
        if tool == Tool::LonghaulWithoutChecksum {
            copy.arguments.extend(["--checksum".into(), "off".into()]);
        }
        Contender { tool, steps: vec![discovery, copy], capture_stdout: false }
    }

    /// `longhaul migrate --yes SRC DST`, which verifies sizes and times in the end.
    pub(crate) fn migrate(&self, source: &Path, destination: &Path) -> Contender {
        let typed = ["migrate".as_ref(), source.as_os_str(), destination.as_os_str()];
        let mut step = self.step(typed);
        step.arguments.extend(["--create-destination", "--yes"].map(Into::into));
        Contender::single(Tool::LonghaulMigrate, step)
    }

    /// The scenario that traverses a simulated store, without any file system.
    pub(crate) fn ephemeral(&self) -> Contender {
        let step = Step::new(&self.program, ["--scenario".as_ref(), "traversal-ephemeral".as_ref()]);
        Contender { capture_stdout: true, ..Contender::single(Tool::Longhaul, step) }
    }

    fn discovery(&self, source: &Path, destination: &Path) -> Step {
        self.step(["discover".as_ref(), source.as_os_str(), destination.as_os_str()])
    }

    /// A command with a ledger.
    fn step<const N: usize>(&self, arguments: [&OsStr; N]) -> Step {
        let mut step = Step::new(&self.program, arguments);
        step.arguments.extend(["--ledger", LEDGER_FILE].map(Into::into));
        step
    }

    /// Asks `longhaul status` about the ledger in `folder` whether the run did what was asked. What it does not say
    /// comes back as warnings; what contradicts `expected` is an error.
    pub(crate) fn check_status(&self, folder: &Path, expected: Nodes) -> Result<Vec<String>, String> {
        let output = Command::new(&self.program)
            .args(["status", "--json", "--ledger", LEDGER_FILE])
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("cannot run longhaul status: {error}"))?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            return Err(format!("longhaul status: {}\n{}", output.status, stderr.trim_end()));
        }
        judge_status(&output.stdout, expected)
    }
}

/// Nodes that a traversal should find, roots included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nodes {
    pub(crate) source: u64,
    pub(crate) destination: u64,
}

impl Nodes {
    pub(crate) fn both(self) -> u64 {
        self.source + self.destination
    }
}

fn judge_status(json: &[u8], expected: Nodes) -> Result<Vec<String>, String> {
    let status: serde_json::Value =
        serde_json::from_slice(json).map_err(|error| format!("longhaul status --json is not JSON: {error}"))?;
    let mut warnings = Vec::new();
    for (side, nodes) in [("src", expected.source), ("dst", expected.destination)] {
        match status[side]["nodes"].as_u64() {
            None => warnings.push(format!("longhaul status --json has no number {side}.nodes: not checked")),
            Some(found) if found != nodes => {
                return Err(format!("longhaul found {found} nodes on {side}, the tree has {nodes}"));
            }
            Some(_) => {}
        }
    }
    Ok(warnings)
}

/// Bytes of the ledger in the folder of a run, its write-ahead log included.
pub(crate) fn ledger_bytes(folder: &Path) -> io::Result<u64> {
    let database = fs::metadata(folder.join(LEDGER_FILE))?.len();
    match fs::metadata(folder.join(format!("{LEDGER_FILE}.wal"))) {
        Ok(log) => Ok(database + log.len()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(database),
        Err(error) => Err(error),
    }
}

/// The rate that a run printed last, to standard output or else to standard error.
pub(crate) fn printed_nodes_per_second(folder: &Path) -> Option<f64> {
    const READ_BYTES_MAX: u64 = 1 << 20;
    [STDOUT_FILE, STDERR_FILE].into_iter().find_map(|file| {
        let text = tail(&folder.join(file), READ_BYTES_MAX).ok()?;
        text.lines().rev().find_map(nodes_per_second)
    })
}

/// The number before `nodes/s`: `412345`, `412,345`, `412_345.6`, `412k`, `0.41 M`.
fn nodes_per_second(line: &str) -> Option<f64> {
    let (before, _) = line.rsplit_once("nodes/s")?;
    let before = before.trim_end();
    let (number, scale) = match before.chars().next_back()? {
        'k' | 'K' => (&before[..before.len() - 1], 1e3),
        'M' => (&before[..before.len() - 1], 1e6),
        _ => (before, 1.0),
    };
    let number = number.trim_end();
    let start = number
        .rfind(|c: char| !(c.is_ascii_digit() || ",_.".contains(c)))
        .map_or(0, |at| at + number[at..].chars().next().map_or(0, char::len_utf8));
    let digits = number[start..].replace([',', '_'], "");
    digits.parse::<f64>().ok().map(|value| value * scale)
}

/// Builds the release binary of this workspace, where this program itself was built.
fn build() -> Result<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("Cargo.toml");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["build", "--release", "-p", "longhaul", "--bin", "longhaul"])
        .arg("--message-format=json-render-diagnostics")
        .arg("--manifest-path")
        .arg(&manifest);
    if env::var_os("DUCKDB_LIB_DIR").is_some() {
        // A ready-made library is linked instead of half an hour of compiling.
        command.arg("--no-default-features");
    }
    if let Some(folder) = target_folder() {
        command.arg("--target-dir").arg(folder);
    }
    eprintln!("building longhaul");
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo; give a binary with --longhaul")?;
    if !output.status.success() {
        bail!("longhaul could not be built; build it yourself and give it with --longhaul");
    }
    built_executable(&output.stdout).context("cargo did not say where it put longhaul; give it with --longhaul")
}

/// The target folder this program was built in, or `None` if it has been moved elsewhere since.
fn target_folder() -> Option<PathBuf> {
    let folder = env::current_exe().ok()?.parent()?.parent()?.to_path_buf();
    folder.join("CACHEDIR.TAG").is_file().then_some(folder)
}

fn built_executable(cargo_messages: &[u8]) -> Option<PathBuf> {
    cargo_messages.split(|byte| *byte == b'\n').find_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        if message["reason"] != "compiler-artifact" || message["target"]["name"] != "longhaul" {
            return None;
        }
        message["executable"].as_str().map(PathBuf::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: Nodes = Nodes { source: 11, destination: 1 };

    #[test]
    fn a_rate_is_read_in_the_forms_people_print() {
        for (line, rate) in [
            ("412345 nodes/s", 412_345.0),
            ("traversed 1,000,000 nodes, 412,345 nodes/s on 2 cores", 412_345.0),
            ("rate: 412_345.5 nodes/s", 412_345.5),
            ("412k nodes/s", 412_000.0),
            ("(0.5 M nodes/s)", 500_000.0),
            ("≈412345 nodes/s", 412_345.0),
        ] {
            assert_eq!(nodes_per_second(line), Some(rate), "{line}");
        }
        for line in ["1000 nodes", "many nodes/s", "nodes/s", "k nodes/s"] {
            assert_eq!(nodes_per_second(line), None, "{line}");
        }
    }

    #[test]
    fn a_status_with_other_counts_is_an_error_and_without_counts_a_warning() {
        let good = br#"{"src": {"nodes": 11}, "dst": {"nodes": 1}}"#;
        assert_eq!(judge_status(good, EXPECTED), Ok(Vec::new()));
        assert_eq!(judge_status(b"{}", EXPECTED).map(|warnings| warnings.len()), Ok(2));
        assert!(judge_status(br#"{"src": {"nodes": 10}}"#, EXPECTED).is_err());
        assert!(judge_status(b"phase: review", EXPECTED).is_err());
    }

    #[test]
    fn the_ledger_counts_with_its_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ledger_bytes(folder.path()).is_err());
        fs::write(folder.path().join(LEDGER_FILE), [0; 100]).unwrap();
        assert_eq!(ledger_bytes(folder.path()).unwrap(), 100);
        fs::write(folder.path().join(format!("{LEDGER_FILE}.wal")), [0; 20]).unwrap();
        assert_eq!(ledger_bytes(folder.path()).unwrap(), 120);
    }

    #[test]
    fn the_executable_is_read_from_what_cargo_says() {
        let messages = br#"{"reason":"compiler-artifact","target":{"name":"longhaul_model"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"longhaul"},"executable":"/t/release/longhaul"}
{"reason":"build-finished","success":true}
"#;
        assert_eq!(built_executable(messages), Some(PathBuf::from("/t/release/longhaul")));
    }
}
