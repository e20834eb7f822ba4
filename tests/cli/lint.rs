//! Names that the destination would refuse or fold: told before anything is copied, and copied under others.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::program::Place;

/// Has the ledger think that the destination goes by these rules, which few file systems of this machine do.
fn pretend(place: &Place, rules: &str) {
    let ledger = duckdb::Connection::open(place.ledger()).unwrap();
    let sql = format!("UPDATE migration SET settings = replace(settings, '\"linux\"', '\"{rules}\"')");
    ledger.execute_batch(&sql).unwrap();
    let settings: String = ledger.query_row("SELECT settings FROM migration", [], |row| row.get(0)).unwrap();
    assert!(settings.contains(&format!("\"{rules}\"")), "{settings}");
}

/// A source with names of all sorts.
fn odd_names(place: &Place) {
    for name in [
        "a:b/deep/x?",
        "a:b/deep/fine",
        "a:b/y. ",
        "README",
        "readme",
        "con.txt",
        "plain/file",
        "plain/FILE",
        "line\nbreak",
    ] {
        place.file(&format!("src/{name}"), name);
    }
    fs::write(place.path("src").join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "latin").unwrap();
    symlink("plain/file", place.path("src/link|")).unwrap();
}

/// Paths below a folder with the contents, the target, or nothing.
fn walk(root: &Path) -> BTreeMap<String, String> {
    fn collect(root: &Path, folder: &Path, into: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let what = if kind.is_dir() {
                collect(root, &path, into);
                "a folder".to_owned()
            } else if kind.is_symlink() {
                format!("a link to {}", fs::read_link(&path).unwrap().display())
            } else {
                String::from_utf8(fs::read(&path).unwrap()).unwrap()
            };
            into.insert(path.strip_prefix(root).unwrap().to_string_lossy().into_owned(), what);
        }
    }
    let mut found = BTreeMap::new();
    collect(root, root, &mut found);
    found
}

fn lines<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    entries.into_iter().map(|(path, what)| (path.to_owned(), what.to_owned())).collect()
}

#[test]
fn names_are_told_with_the_rule_and_another_name() {
    let place = Place::new();
    odd_names(&place);
    assert_eq!(place.discover(&[]).code, Some(0));
    let said = place.on_ledger(&["lint"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""));
    assert!(said.err.contains("no name is refused or folded (linux rules)"), "{}", said.err);
    let said = place.on_ledger(&["lint", "--rules", "windows", "--format", "csv"]);
    assert_eq!(said.code, Some(3));
    assert!(said.err.contains("9 names that would be refused or folded (windows rules)"), "{}", said.err);
    let mut rows = csv::Reader::from_reader(said.out.as_bytes());
    let rows: Vec<Vec<String>> = rows.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    let told = |path: &str| rows.iter().find(|row| row[0] == path).unwrap_or_else(|| panic!("{path}"))[1..].join("|");
    assert_eq!(told("/a:b"), "folder|character|it has :|a_b");
    assert_eq!(told("/a:b/deep/x?"), "file|character|it has ?|x_");
    assert_eq!(told(r"/a:b/y.\u{20}"), "file|end|it ends with a dot or a space|y");
    assert_eq!(told("/con.txt"), "file|reserved|the name is reserved|_con.txt");
    assert_eq!(told(r"/caf\xe9"), "file|encoding|it is not valid UTF-8|café");
    assert_eq!(told("/link|"), "symlink|character|it has ||link_");
    assert_eq!(rows.iter().filter(|row| row[2] == "case_twin").count(), 2);
    let said = place.on_ledger(&["lint", "--rules", "windows", "--under", "/a:b/deep", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((said.code, found.as_array().unwrap().len()), (Some(3), 1));
    let said = place.on_ledger(&["lint", "--rules", "windows", "--limit", "2"]);
    assert!(said.err.contains("2 of 9 names"), "{}", said.err);
    // Clean there, and nobody is there.
    assert_eq!(place.on_ledger(&["lint", "--rules", "s3", "--under", "/plain"]).code, Some(0));
    let said = place.on_ledger(&["lint", "--under", "/plain/nobody"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("the nearest that is: /plain"), "{}", said.err);
    let said = place.on_ledger(&["lint", "--rules", "vms"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("posix-portable"), "{}", said.err);
}

#[test]
fn copying_uses_accepted_names_and_verification_looks_for_them() {
    let place = Place::new();
    odd_names(&place);
    // One that goes in parts, and two names of one file.
    place.file("src/a:b/large*", &"0123456789abcdef".repeat(3 << 16));
    fs::hard_link(place.path("src/a:b/deep/x?"), place.path("src/a:b/deep/<other>")).unwrap();
    fs::set_permissions(place.path("src/a:b/deep"), fs::Permissions::from_mode(0o750)).unwrap();
    for name in ["a:b/deep", "a:b"] {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_mins(25_000_000);
        fs::File::open(place.path(&format!("src/{name}"))).unwrap().set_modified(time).unwrap();
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["approve"]).code, Some(0));
    let said = place.on_ledger(&["lint", "--rules", "windows", "--accept"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.out, "accepted: 11 names\nthe plan was approved before this: it has to be approved again\n");
    assert_eq!(place.on_ledger(&["lint", "--rules", "windows"]).code, Some(0));
    assert!(place.on_ledger(&["copy"]).err.contains("the plan is not approved"));
    let said = place.on_ledger(&["plan", "--under", "/a:b/deep"]);
    assert!(said.out.contains("as x_"), "{}", said.out);
    let said = place.on_ledger(&["copy", "--approve", "--large-from", "1", "--preserve", "hard-links"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let large = "0123456789abcdef".repeat(3 << 16);
    let (one, other) = if place.path("dst/readme").exists() { ("README-2", "readme") } else { ("README", "readme-2") };
    let (upper, lower) = if place.path("dst/plain/file").exists() {
        ("plain/FILE-2", "plain/file")
    } else {
        ("plain/FILE", "plain/file-2")
    };
    assert_eq!(
        walk(&place.path("dst")),
        lines([
            ("a_b", "a folder"),
            ("a_b/deep", "a folder"),
            ("a_b/deep/x_", "a:b/deep/x?"),
            ("a_b/deep/_other_", "a:b/deep/x?"),
            ("a_b/deep/fine", "a:b/deep/fine"),
            ("a_b/y", "a:b/y. "),
            ("a_b/large_", &large),
            (one, "README"),
            (other, "readme"),
            ("_con.txt", "con.txt"),
            ("plain", "a folder"),
            (lower, "plain/file"),
            (upper, "plain/FILE"),
            ("line_break", "line\nbreak"),
            ("café", "latin"),
            ("link_", "a link to plain/file"),
        ])
    );
    let inode = |name: &str| place.path(name).metadata().unwrap().ino();
    assert_eq!(inode("dst/a_b/deep/x_"), inode("dst/a_b/deep/_other_"));
    let deep = place.path("dst/a_b/deep").metadata().unwrap();
    assert_eq!((deep.mode() & 0o777, deep.mtime()), (0o750, 1_500_000_000));
    assert_eq!(place.path("dst/a_b").metadata().unwrap().mtime(), 1_500_000_000);
    let said = place.on_ledger(&["verify", "--level", "full"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    // It does look there.
    fs::write(place.path("dst/a_b/deep/fine"), "another").unwrap();
    fs::remove_file(place.path("dst/a_b/y")).unwrap();
    assert_eq!(place.on_ledger(&["verify", "--level", "full"]).code, Some(3));
    let differences = "SELECT path FROM problems ORDER BY path";
    assert_eq!(place.query(differences), ["/a:b/deep/fine", r"/a:b/y.\u{20}"]);
}

#[test]
fn names_are_refused_before_the_first_byte_unless_one_insists() {
    let place = Place::new();
    odd_names(&place);
    assert_eq!(place.discover(&[]).code, Some(0));
    pretend(&place, "windows");
    let said = place.on_ledger(&["copy", "--approve"]);
    assert_eq!(said.code, Some(1));
    for part in ["9 of the names (windows rules)", " (it has ", "longhaul lint --accept", "--force"] {
        assert!(said.err.contains(part), "{part}: {}", said.err);
    }
    assert_eq!(walk(&place.path("dst")), lines([]));
    assert_eq!(place.query("SELECT phase FROM migration"), ["review"]);
    // `migrate` asks, and nobody is there to answer.
    let said = place.on_ledger(&["migrate", "--resume"]);
    assert_eq!(said.code, Some(1));
    assert!(said.err.contains("there are 9 names that the destination would refuse or fold"), "{}", said.err);
    assert_eq!(walk(&place.path("dst")), lines([]));
    // What is excluded, or goes by another name, is no trouble.
    assert_eq!(place.on_ledger(&["exclude", "/a:b", "--reason", "not needed"]).code, Some(0));
    let said = place.on_ledger(&["lint", "--accept"]);
    assert_eq!((said.code, said.out.as_str()), (Some(0), "accepted: 6 names\n"));
    assert_eq!(place.on_ledger(&["lint", "--accept"]).out, "accepted: 0 names\n");
    assert_eq!(place.on_ledger(&["lint", "--reset", "--under", "/plain"]).out, "taken back: 1 names\n");
    assert_eq!(place.on_ledger(&["copy", "--approve"]).code, Some(1));
    let said = place.on_ledger(&["migrate", "--resume", "--yes"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    // This file system takes all of them.
    assert_eq!(place.contents("dst/plain/file"), "plain/file");
    assert_eq!(place.contents("dst/plain/FILE"), "plain/FILE");
    assert_eq!(place.contents("dst/_con.txt"), "con.txt");
    // What was used is not taken back.
    assert_eq!(place.on_ledger(&["lint", "--reset"]).code, Some(1));
}

#[test]
fn force_copies_names_as_they_are() {
    let place = Place::new();
    odd_names(&place);
    assert_eq!(place.discover(&[]).code, Some(0));
    pretend(&place, "windows");
    assert_eq!(place.on_ledger(&["copy", "--approve", "--force"]).code, Some(0));
    assert_eq!(walk(&place.path("dst")), walk(&place.path("src")));
}

/// Starts to copy with one worker, and returns when so many files have their names.
fn copy_until(place: &Place, arguments: &[&str], files: usize) -> Child {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("longhaul"))
        .current_dir(place.path("."))
        .env("LONGHAUL_LOG", "longhaul::copying=trace")
        .args(arguments)
        .args(["--ledger", "ledger.duckdb", "--copiers", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    for number in 0..files {
        assert!(log.any(|line| line.unwrap().contains("copying: file")), "it copies file {number}");
    }
    // What it has to say must not stop it.
    std::thread::spawn(move || log.for_each(drop));
    child
}

#[test]
fn a_copy_that_was_killed_goes_on_with_the_same_names() {
    let place = Place::new();
    for number in 0..600 {
        place.file(&format!("src/a:{}/f?{number}", number % 7), &number.to_string());
        place.file(&format!("src/a:{}/in*/F?{number}", number % 7), &number.to_string());
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_eq!(place.on_ledger(&["lint", "--rules", "windows", "--accept"]).code, Some(0));
    let mut files = 100;
    for arguments in [&["copy", "--approve"][..], &["copy", "--resume"], &["copy", "--resume"]] {
        let mut child = copy_until(&place, arguments, files);
        child.kill().unwrap();
        child.wait().unwrap();
        files = 150;
    }
    let said = place.on_ledger(&["copy", "--resume", "--copiers", "2"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let found = walk(&place.path("dst"));
    let mut expected = BTreeMap::new();
    for (path, what) in walk(&place.path("src")) {
        expected.insert(path.replace([':', '?', '*'], "_"), what);
    }
    assert_eq!(found, expected);
    assert_eq!(place.on_ledger(&["verify", "--level", "full"]).code, Some(0));
}

/// What failed for its name gets another one, and is tried again.
#[test]
fn names_that_a_copy_failed_over_get_others_and_a_retry() {
    let place = Place::new();
    for name in ["a:b", "c:d/below", "fine/file"] {
        place.file(&format!("src/{name}"), name);
    }
    assert_eq!(place.discover(&[]).code, Some(0));
    pretend(&place, "ntfs");
    if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no strace, which plays the file system that refuses");
        return;
    }
    let output = Command::new("strace")
        .current_dir(place.path("."))
        .args(["-f", "-qq", "-o", "/dev/null", "-P", "a:b", "-P", "c:d"])
        .args(["-e", "trace=renameat2,renameat,linkat,mkdirat"])
        .args(["-e", "inject=renameat2,renameat,linkat,mkdirat:error=EINVAL"])
        .arg(assert_cmd::cargo::cargo_bin("longhaul"))
        .args(["copy", "--approve", "--force", "--ledger", "ledger.duckdb"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(walk(&place.path("dst")), lines([("fine", "a folder"), ("fine/file", "fine/file")]));
    // What has failed is looked at as well.
    assert_eq!(place.on_ledger(&["lint", "--accept"]).out.lines().next(), Some("accepted: 2 names"));
    assert_eq!(place.on_ledger(&["mark-retry", "--failed"]).code, Some(0));
    let said = place.on_ledger(&["retry"]);
    assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
    let there = [
        ("a_b", "a:b"),
        ("c_d", "a folder"),
        ("c_d/below", "c:d/below"),
        ("fine", "a folder"),
        ("fine/file", "fine/file"),
    ];
    assert_eq!(walk(&place.path("dst")), lines(there));
    assert_eq!(place.on_ledger(&["verify", "--level", "full"]).code, Some(0));
}
