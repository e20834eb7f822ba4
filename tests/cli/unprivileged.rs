//! What a user may not do who is not root.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, lchown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::{Place, Said};

/// Nobody, who owns nothing.
const NOBODY: u32 = 65_534;

/// A scratch folder of somebody who is not root, and the program where they can run it.
struct Unprivileged {
    place: Place,
    program: PathBuf,
}

impl Unprivileged {
    /// `None` where nobody else can be played, which is said.
    fn new() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("skipped: only root can be somebody else");
            return None;
        }
        let place = Place::new();
        fs::set_permissions(place.path("."), Permissions::from_mode(0o755)).unwrap();
        for name in [".", "src", "dst"] {
            chown(place.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        // Where the program and its library are built they may not be.
        fs::create_dir(place.path("bin")).unwrap();
        let program = place.path("bin/longhaul");
        put_there(&assert_cmd::cargo::cargo_bin("longhaul"), &program);
        let libraries = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        for folder in std::env::split_paths(&libraries).filter_map(|folder| fs::read_dir(folder).ok()) {
            for library in folder.map(|entry| entry.unwrap().path()) {
                let name = library.file_name().unwrap().to_string_lossy().into_owned();
                if name.starts_with("libduckdb") {
                    put_there(&library, &place.path("bin").join(name));
                }
            }
        }
        let unprivileged = Unprivileged { place, program };
        match unprivileged.command(&["--version"]).output() {
            Ok(output) if output.status.success() => Some(unprivileged),
            result => {
                eprintln!("skipped: nobody else can run the program here: {result:?}");
                None
            }
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.place.path(".")).env_remove("LONGHAUL_LOG").args(arguments).uid(NOBODY).gid(NOBODY);
        command.env("LD_LIBRARY_PATH", self.place.path("bin"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::from(self.command(arguments).output().unwrap())
    }

    fn on_ledger(&self, arguments: &[&str]) -> Said {
        self.run(&[arguments, &["--ledger", "ledger.duckdb"]].concat())
    }

    fn migrate(&self, more: &[&str]) -> Said {
        self.on_ledger(&[&["migrate", "src", "dst"], more].concat())
    }

    fn set_mode(&self, name: &str, mode: u32) {
        fs::set_permissions(self.place.path(name), Permissions::from_mode(mode)).unwrap();
    }

    fn give(&self, name: &str) {
        lchown(self.place.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
    }

    fn problems(&self) -> Vec<String> {
        self.place.query("SELECT path, phase, class, message FROM problems ORDER BY path")
    }
}

fn put_there(file: &Path, at: &Path) {
    if fs::hard_link(file, at).is_err() {
        fs::copy(file, at).unwrap();
    }
}

fn assert_refused(said: &Said, parts: &[&str]) {
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{}", said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    for part in parts {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
}

#[test]
fn a_destination_that_may_not_be_written_is_refused_before_anything_is_done() {
    let Some(user) = Unprivileged::new() else { return };
    user.place.file("src/file", "1");
    user.set_mode("dst", 0o555);
    assert_refused(&user.migrate(&[]), &["/dst cannot be written: Permission denied"]);
    assert_eq!(user.place.query("SELECT phase FROM migration"), ["review"]);
    user.set_mode("dst", 0o755);
    let said = user.on_ledger(&["migrate", "--resume"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
}

#[test]
fn a_source_that_may_not_be_read_is_refused() {
    let Some(user) = Unprivileged::new() else { return };
    user.set_mode("src", 0o700);
    chown(user.place.path("src"), Some(0), Some(0)).unwrap();
    assert_refused(
        &user.migrate(&[]),
        &["the source ", "/src cannot be read (Permission denied", "check its permissions"],
    );
    assert!(!user.place.ledger().exists());
}

#[test]
fn files_and_folders_of_the_source_that_may_not_be_read_fail_alone() {
    let Some(user) = Unprivileged::new() else { return };
    for name in ["closed/below", "listed only/below", "open/below", "secret"] {
        user.place.file(&format!("src/{name}"), "1");
    }
    user.set_mode("src/closed", 0o700);
    // Its names may be read, and nothing else.
    user.set_mode("src/listed only", 0o744);
    user.set_mode("src/secret", 0o600);
    let said = user.migrate(&[]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("there is 1 folder that could not be listed: look at them"), "{}", said.err);
    let said = user.on_ledger(&["migrate", "--resume", "--yes"]);
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""));
    assert_eq!(user.place.contents("dst/open/below"), "1");
    assert_eq!(
        user.problems(),
        [
            "/closed|traversing|denied|Permission denied (os error 13)",
            "/listed only/below|copying|denied|on the source: Permission denied (os error 13)",
            "/secret|copying|denied|on the source: Permission denied (os error 13)",
        ]
    );
}

#[test]
fn a_folder_of_the_destination_that_may_not_be_written_fails_alone() {
    let Some(user) = Unprivileged::new() else { return };
    for name in ["shut/file", "shut/folder/below", "open/file"] {
        user.place.file(&format!("src/{name}"), "1");
    }
    fs::create_dir(user.place.path("dst/shut")).unwrap();
    let said = user.migrate(&["--yes"]);
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""));
    assert_eq!(user.place.contents("dst/open/file"), "1");
    assert_eq!(fs::read_dir(user.place.path("dst/shut")).unwrap().count(), 0);
    assert_eq!(
        user.problems(),
        [
            "/shut/file|copying|denied|on the destination: Permission denied (os error 13)",
            "/shut/folder|copying|denied|on the destination: Permission denied (os error 13)",
            "/shut/folder/below|copying||the folder /shut/folder could not be made",
        ]
    );
    assert_eq!(
        user.place.query("SELECT copy_status, error FROM src_status WHERE path = '/shut/folder/below'"),
        ["failed|the folder /shut/folder could not be made"]
    );
}

#[test]
fn owners_that_may_not_be_set_are_passed_over_and_that_is_said_once() {
    let Some(user) = Unprivileged::new() else { return };
    for name in ["folder/theirs", "folder/own"] {
        user.place.file(&format!("src/{name}"), "1");
    }
    user.give("src/folder/own");
    symlink("target", user.place.path("src/link")).unwrap();
    let said = user.migrate(&["--preserve", "owner", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    assert_eq!(said.err.lines().count(), 1, "{}", said.err);
    for part in ["the destination does not keep users and groups: they are not carried over", "nodes=4"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    let [src, dst] = ["src/folder", "dst/folder"].map(|name| user.place.path(name).metadata().unwrap());
    assert_eq!((src.mode(), src.mtime()), (dst.mode(), dst.mtime()), "the folder has the rest of what it should have");
    assert_eq!(user.place.path("dst/folder/theirs").metadata().unwrap().uid(), NOBODY);
    assert!(user.problems().is_empty());
}

#[test]
fn special_permissions_of_one_s_own_are_carried_over() {
    let Some(user) = Unprivileged::new() else { return };
    for (name, mode) in [("set user", 0o4755), ("set group", 0o2755), ("read only", 0o444)] {
        user.place.file(&format!("src/{name}"), "1");
        user.give(&format!("src/{name}"));
        user.set_mode(&format!("src/{name}"), mode);
    }
    for (name, mode) in [("sticky", 0o1777), ("group of the folder", 0o2775), ("read only folder", 0o555)] {
        user.place.file(&format!("src/{name}/below"), "1");
        user.give(&format!("src/{name}"));
        user.set_mode(&format!("src/{name}"), mode);
    }
    let said = user.migrate(&["--level", "full"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    for entry in fs::read_dir(user.place.path("src")).unwrap().map(|entry| entry.unwrap()) {
        let copy = user.place.path("dst").join(entry.file_name()).metadata().unwrap();
        assert_eq!(copy.mode(), entry.metadata().unwrap().mode(), "{:?}", entry.file_name());
    }
}

#[test]
fn a_ledger_that_may_not_be_made_read_or_written_is_refused() {
    let Some(user) = Unprivileged::new() else { return };
    user.place.file("src/file", "1");
    fs::create_dir(user.place.path("root's")).unwrap();
    let ledger = ["--ledger", "root's/ledger.duckdb"];
    let with = |arguments: &[&'static str]| user.run(&[arguments, &ledger].concat());
    assert_refused(&with(&["migrate", "src", "dst"]), &["root's/ledger.duckdb cannot be written (Permission denied"]);
    assert_eq!(fs::read_dir(user.place.path("root's")).unwrap().count(), 0);

    assert_eq!(user.place.run(&[&["discover", "src", "dst"][..], &ledger].concat()).code, Some(0));
    assert_eq!(with(&["status"]).code, Some(0), "it may be read");
    for command in [&["copy", "--approve"][..], &["migrate", "--resume"]] {
        assert_refused(&with(command), &["ledger.duckdb cannot be written ("]);
    }
    user.set_mode("root's/ledger.duckdb", 0o600);
    for command in [&["status"][..], &["query", "FROM problems"], &["migrate", "--resume"]] {
        assert_refused(&with(command), &["ledger.duckdb cannot be read (", "check its permissions"]);
    }
    assert_eq!(
        user.place.run(&[&["copy", "--approve"][..], &ledger].concat()).code,
        Some(0),
        "root goes on where it was"
    );
}

#[test]
fn what_failed_in_a_folder_that_nobody_may_write_to_is_copied_by_a_retry() {
    let Some(user) = Unprivileged::new() else { return };
    for name in ["src/closed/one", "src/closed/other"] {
        user.place.file(name, "1");
        user.give(name);
    }
    user.give("src/closed");
    user.set_mode("src/closed/one", 0);
    user.set_mode("src/closed", 0o555);
    assert_eq!(user.migrate(&["--yes"]).code, Some(3));
    let mode = || user.place.path("dst/closed").metadata().unwrap().mode() & 0o777;
    assert_eq!(mode(), 0o555);
    user.set_mode("src/closed/one", 0o644);
    assert_eq!(user.on_ledger(&["mark-retry", "--failed"]).code, Some(0));
    let said = user.on_ledger(&["retry"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{}", said.out);
    assert_eq!(fs::read(user.place.path("dst/closed/one")).unwrap(), b"1");
    assert_eq!(mode(), 0o555, "it is what it is on the source when all is done");
}
