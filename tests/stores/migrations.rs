//! Migrations between each two kinds of stores, with the program as a user has it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use longhaul_servers::{Kind, Server};

use crate::{TURN, started};

/// One of the two ends.
struct End {
    server: Option<Server>,
    folder: tempfile::TempDir,
}

impl End {
    fn new(kind: Option<Kind>) -> Option<End> {
        let server = match kind {
            Some(kind) => Some(started(kind)?),
            None => None,
        };
        Some(End { server, folder: tempfile::tempdir().expect("a scratch folder") })
    }

    /// A location of this name.
    fn location(&self, name: &str) -> String {
        match &self.server {
            Some(server) => format!("{}/{name}", server.root),
            None => format!("{}/{name}", self.folder.path().display()),
        }
    }
}

pub(crate) struct Trip {
    place: tempfile::TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Trip {
    pub(crate) fn new(environment: Vec<(&'static str, String)>) -> Trip {
        Trip { place: tempfile::tempdir().expect("a scratch folder"), environment }
    }

    /// A path in the folder that the program is run in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("longhaul"));
        command.current_dir(self.place.path()).args(arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program can be run")
    }

    pub(crate) fn migrate(&self, from: &str, to: &str, ledger: &str, more: &[&str]) -> String {
        let arguments = ["migrate", from, to, "--yes", "--create-destination", "--ledger", ledger];
        let output = self.run(&[&arguments[..], more].concat());
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{from} to {to}: {said}");
        said
    }

    /// As [`Trip::migrate`], killed and gone on with.
    fn migrate_although_killed(&self, from: &str, to: &str, ledger: &str) {
        let begin = ["migrate", from, to, "--yes", "--create-destination", "--level", "checksum", "--ledger", ledger];
        let mut arguments: Vec<&str> = begin.to_vec();
        for after_ms in [300, 700, 1_100] {
            let quiet = &mut self.command(&arguments);
            let mut child = quiet.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program can be run");
            std::thread::sleep(Duration::from_millis(after_ms));
            let _ = child.kill();
            child.wait().expect("it was started");
            if self.path(ledger).exists() {
                arguments = vec!["migrate", "--resume", "--yes", "--ledger", ledger];
            }
        }
        let output = self.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{from} to {to}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Discovers and copies, and does not verify.
    pub(crate) fn discover_and_copy(&self, from: &str, to: &str, ledger: &str) {
        let commands: [&[&str]; 2] = [&["discover", from, to, "--create-destination"], &["copy", "--approve"]];
        for command in commands {
            let output = self.run(&[command, &["--ledger", ledger]].concat());
            assert_eq!(output.status.code(), Some(0), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
    }

    /// As [`Trip::migrate`], and again what has failed, a few times.
    pub(crate) fn migrate_stubbornly(&self, from: &str, to: &str, ledger: &str) {
        let begin = ["migrate", from, to, "--yes", "--create-destination", "--ledger", ledger];
        for attempt in 0..5 {
            if attempt > 0 {
                let marked = self.run(&["mark-retry", "--failed", "--ledger", ledger]);
                assert_eq!(marked.status.code(), Some(0), "{}", String::from_utf8_lossy(&marked.stderr));
            }
            let output = if attempt == 0 { self.run(&begin) } else { self.run(&["retry", "--ledger", ledger]) };
            match output.status.code() {
                Some(0) => return,
                Some(3) => {}
                code => panic!("{from} to {to}: {code:?}: {}", String::from_utf8_lossy(&output.stderr)),
            }
        }
        panic!("{from} to {to}: {}", self.query(ledger, "SELECT * FROM problems"));
    }

    pub(crate) fn query(&self, ledger: &str, sql: &str) -> String {
        let output = self.run(&["query", sql, "--format", "csv", "--ledger", ledger]);
        String::from_utf8_lossy(&output.stdout).lines().skip(1).collect::<Vec<_>>().join("\n")
    }
}

/// A small tree with what is awkward on the way: names, nothing in a file, more than a part.
pub(crate) fn plant(at: &Path) {
    let files: [(&str, usize); 7] = [
        ("a", 5),
        ("folder/empty file", 0),
        ("folder/below/%41 + ? # &.txt", 100),
        ("folder/below/ümläut 名", 70_000),
        ("folder/ space in front", 1),
        ("large", (9 << 20) + 17),
        ("z.pdf", 1 << 20),
    ];
    for (name, length) in files {
        let path = at.join(name);
        fs::create_dir_all(path.parent().expect("it is below")).expect("new folders");
        fs::write(
            &path,
            (0..length)
                .map(|at| u8::try_from((at * 31 + at / 255 + name.len()) % 256).expect("a remainder"))
                .collect::<Vec<_>>(),
        )
        .expect("a file");
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_500_000_000 + length as u64);
        fs::File::options().append(true).open(&path).expect("it is there").set_modified(time).expect("it is ours");
    }
}

/// Everything below a folder, with its contents and, where they have to be the same, its time in seconds.
pub(crate) fn snapshot(at: &Path, with_times: bool) -> Vec<(String, Vec<u8>, u64)> {
    let mut found = Vec::new();
    let mut folders = vec![at.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry")) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let modified = path.metadata().expect("it is there").modified().expect("a time");
            let seconds = modified.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
            let name = path.strip_prefix(at).expect("it is below").display().to_string();
            found.push((name, fs::read(&path).expect("a file"), if with_times { seconds } else { 0 }));
        }
    }
    found.sort();
    found
}

/// Another program, which knows nothing of ours, finds every byte there and nothing else.
fn check_with_rclone(planted: &Path, server: &Server, name: &str) {
    let Ok(program) = longhaul_servers::program("rclone") else {
        assert!(std::env::var("CI").is_err(), "there is no rclone");
        return;
    };
    let mut command = Command::new(program);
    // Its own configuration is none of ours.
    command.args(["--config", "", "check", "--download"]).arg(planted).arg(server.rclone_place(name));
    let output = command.output().expect("rclone can be run");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("7 matching files"), "{}: {said}", server.root);
}

/// Brings a tree to the one end, from there to the other, and from there back to this machine, where it has to be what it
/// was. Each way a second run copies nothing.
fn there_and_back(first: Option<Kind>, second: Option<Kind>) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (Some(one), Some(other)) = (End::new(first), End::new(second)) else { return };
    let mut environment: Vec<(&'static str, String)> = Vec::new();
    for end in [&one, &other] {
        environment.extend(end.server.iter().flat_map(|server| server.environment.clone()));
    }
    let trip = Trip::new(environment);
    let planted = trip.place.path().join("planted");
    plant(&planted);
    let back = trip.place.path().join("back");
    let places =
        [planted.display().to_string(), one.location("one"), other.location("other"), back.display().to_string()];
    for (number, way) in places.windows(2).enumerate() {
        let [from, to] = way else { unreachable!("windows of two") };
        let (ledger, again) = (format!("{number}.duckdb"), format!("{number} again.duckdb"));
        trip.migrate(from, to, &ledger, &["--level", "checksum"]);
        assert_eq!(trip.query(&ledger, "SELECT count(*) FROM copied"), "7", "{from} to {to}");
        let end = [Some((&one, "one")), Some((&other, "other")), None][number];
        if let Some((Some(server), name)) = end.map(|(end, name)| (end.server.as_ref(), name)) {
            check_with_rclone(&planted, server, name);
        }
        trip.migrate(from, to, &again, &[]);
        assert_eq!(trip.query(&again, "SELECT count(*) FROM copied"), "0", "{from} to {to}: a second run copies");
        let pending = "SELECT count(*) FROM src_status WHERE copy_status NOT IN ('successful', 'already_existed')";
        assert_eq!(trip.query(&again, pending), "0", "{from} to {to}");
    }
    let keeps_times = ![first, second].iter().flatten().any(|kind| matches!(kind, Kind::Wsgidav | Kind::Apache));
    assert!(snapshot(&planted, keeps_times) == snapshot(&back, keeps_times), "{first:?} and {second:?}");
}

/// Runs that are killed in the middle, there and back, and go on.
fn killed_and_resumed(kind: Kind) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(end) = End::new(Some(kind)) else { return };
    let environment = end.server.as_ref().expect("it was started").environment.clone();
    let trip = Trip::new(environment);
    let planted = trip.place.path().join("planted");
    for number in 0..600 {
        let path = planted.join(format!("{:02}/{number}", number % 20));
        fs::create_dir_all(path.parent().expect("it is below")).expect("new folders");
        fs::write(path, number.to_string()).expect("a file");
    }
    let (from, to, back) = (planted.display().to_string(), end.location("killed"), trip.path("back"));
    trip.migrate_although_killed(&from, &to, "there.duckdb");
    let here = back.display().to_string();
    trip.migrate_although_killed(&to, &here, "back.duckdb");
    assert!(snapshot(&planted, false) == snapshot(&back, false), "{kind:?}");
    for (from, to, ledger) in [(&from, &to, "there again.duckdb"), (&to, &here, "back again.duckdb")] {
        trip.migrate(from, to, ledger, &[]);
        assert_eq!(trip.query(ledger, "SELECT count(*) FROM copied"), "0", "{from} to {to}: a second run copies");
    }
}

#[test]
fn between_a_folder_and_s3() {
    there_and_back(Some(Kind::Moto), None);
}

#[test]
fn between_a_folder_and_another_s3() {
    there_and_back(Some(Kind::Rclone), None);
}

#[test]
fn between_a_folder_and_webdav() {
    there_and_back(Some(Kind::Wsgidav), None);
}

#[test]
fn between_a_folder_and_another_webdav() {
    there_and_back(Some(Kind::Apache), None);
}

#[test]
fn between_a_folder_and_sftp() {
    there_and_back(Some(Kind::Openssh), None);
}

#[test]
fn between_s3_and_webdav() {
    there_and_back(Some(Kind::Moto), Some(Kind::Wsgidav));
    there_and_back(Some(Kind::Wsgidav), Some(Kind::Moto));
}

#[test]
fn between_s3_and_sftp() {
    there_and_back(Some(Kind::Moto), Some(Kind::Openssh));
    there_and_back(Some(Kind::Openssh), Some(Kind::Moto));
}

#[test]
fn between_webdav_and_sftp() {
    there_and_back(Some(Kind::Wsgidav), Some(Kind::Openssh));
    there_and_back(Some(Kind::Openssh), Some(Kind::Wsgidav));
}

/// Folders with nothing in them, in a bucket and back.
#[test]
fn empty_folders_are_kept_in_a_bucket_where_that_is_wanted() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(end) = End::new(Some(Kind::Moto)) else { return };
    let trip = Trip::new(end.server.as_ref().expect("it was started").environment.clone());
    let planted = trip.path("planted");
    plant(&planted);
    for empty in ["empty", "folder/empty as well", "only/folders/in it"] {
        fs::create_dir_all(planted.join(empty)).expect("new folders");
    }
    let from = planted.display().to_string();
    for (wanted, more) in [(true, &["--keep-empty-folders"][..]), (false, &[])] {
        let (there, back) = (end.location(&format!("empty folders {wanted}")), trip.path(&format!("back {wanted}")));
        trip.migrate(&from, &there, &format!("{wanted}.duckdb"), more);
        trip.migrate(&from, &there, &format!("{wanted} again.duckdb"), more);
        let again =
            trip.query(&format!("{wanted} again.duckdb"), "SELECT count(*) FROM plan WHERE action = 'create_folder'");
        assert_eq!(again, if wanted { "0" } else { "5" });
        trip.migrate(&there, &back.display().to_string(), &format!("{wanted} back.duckdb"), &[]);
        assert!(snapshot(&planted, true) == snapshot(&back, true));
        for empty in ["empty", "folder/empty as well", "only/folders/in it"] {
            assert_eq!(back.join(empty).is_dir(), wanted, "{empty}");
        }
    }
}

/// From one place of a store to another, which the store does by itself where nobody wants checksums.
fn within_one_store(kind: Kind) {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(end) = End::new(Some(kind)) else { return };
    let trip = Trip::new(end.server.as_ref().expect("it was started").environment.clone());
    let planted = trip.path("planted");
    plant(&planted);
    let [one, other] = ["one", "other"].map(|name| end.location(name));
    trip.migrate(&planted.display().to_string(), &one, "there.duckdb", &[]);
    trip.migrate(&one, &other, "within.duckdb", &["--checksum", "off", "--level", "full"]);
    assert_eq!(trip.query("within.duckdb", "SELECT count(*) FROM copied WHERE checksum IS NULL"), "7");
    trip.migrate(&one, &other, "again.duckdb", &[]);
    assert_eq!(trip.query("again.duckdb", "SELECT count(*) FROM copied"), "0");
    let back = trip.path("back");
    trip.migrate(&other, &back.display().to_string(), "back.duckdb", &[]);
    let keeps_times = kind == Kind::Moto || kind == Kind::Rclone;
    assert!(snapshot(&planted, keeps_times) == snapshot(&back, keeps_times), "{kind:?}");
    // Somebody else's is not replaced.
    let taken = trip.path("taken");
    fs::create_dir(&taken).expect("a new folder");
    fs::write(taken.join("a"), "another, and newer").expect("a file");
    let third = end.location("third");
    trip.migrate(&taken.display().to_string(), &third, "taken.duckdb", &[]);
    trip.migrate(&one, &third, "third.duckdb", &["--checksum", "off"]);
    let back = trip.path("back again");
    trip.migrate(&third, &back.display().to_string(), "back again.duckdb", &[]);
    assert_eq!(fs::read_to_string(back.join("a")).expect("it is there"), "another, and newer");
}

#[test]
fn a_store_copies_within_itself() {
    for kind in [Kind::Moto, Kind::Rclone, Kind::Wsgidav, Kind::Apache] {
        within_one_store(kind);
    }
}

/// A file that is kept beside another one of its name, and beside a folder of its name.
#[test]
fn both_are_kept_where_that_is_wanted() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for kind in [Kind::Moto, Kind::Rclone, Kind::Wsgidav, Kind::Apache, Kind::Openssh] {
        let Some(end) = End::new(Some(kind)) else { return };
        let trip = Trip::new(end.server.as_ref().expect("it was started").environment.clone());
        let (ours, theirs, back) = (trip.path("ours"), trip.path("theirs"), trip.path("back"));
        for (place, name, contents) in [
            (&ours, "a.txt", "ours"),
            (&ours, "b", "ours as well"),
            (&theirs, "a.txt", "theirs"),
            (&theirs, "b/c", "c"),
        ] {
            let path = place.join(name);
            fs::create_dir_all(path.parent().expect("it is below")).expect("new folders");
            fs::write(path, contents).expect("a file");
        }
        let to = end.location("both");
        trip.migrate(&theirs.display().to_string(), &to, "theirs.duckdb", &[]);
        let from = ours.display().to_string();
        let arguments = ["discover", &from, &to, "--on-conflict", "keep-both", "--ledger", "ours.duckdb"];
        assert_eq!(trip.run(&arguments).status.code(), Some(0));
        // Another kind of thing is always a conflict, which somebody decides.
        let decided = trip.run(&["decide", "/b", "--action", "keep-both", "--ledger", "ours.duckdb"]);
        assert_eq!(decided.status.code(), Some(0), "{}", String::from_utf8_lossy(&decided.stderr));
        let output = trip.run(&["copy", "--approve", "--ledger", "ours.duckdb"]);
        assert_eq!(output.status.code(), Some(0), "{kind:?}: {}", String::from_utf8_lossy(&output.stderr));
        trip.migrate(&to, &back.display().to_string(), "back.duckdb", &[]);
        let found: Vec<_> = snapshot(&back, false).into_iter().map(|(name, bytes, _)| (name, bytes)).collect();
        let due = [("a (source).txt", "ours"), ("a.txt", "theirs"), ("b (source)", "ours as well"), ("b/c", "c")];
        assert_eq!(found, due.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec())), "{kind:?}");
    }
}

#[test]
fn a_place_in_a_bucket_where_nothing_is_is_no_source() {
    let _turn = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(end) = End::new(Some(Kind::Moto)) else { return };
    let trip = Trip::new(end.server.as_ref().expect("it was started").environment.clone());
    let output = trip.run(&["discover", &end.location("mistyped"), "to", "--create-destination"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the source s3://longhaul/mistyped cannot be used: nothing is there: check the path"),
        "{said}"
    );
}

#[test]
fn a_run_to_each_kind_of_store_that_is_killed_goes_on() {
    for kind in [Kind::Moto, Kind::Rclone, Kind::Wsgidav, Kind::Openssh] {
        killed_and_resumed(kind);
    }
}
