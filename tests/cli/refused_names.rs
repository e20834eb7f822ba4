//! Names and paths at the limits of file systems, and beyond.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use rustix::fs::{Mode, OFlags};

use crate::mounted::Mounted;
use crate::program::{Place, Said};

/// The longest name that Linux has.
const NAME_BYTES_MAX: usize = 255;

/// Opens the folder at the end of `depth` folders of the same name, which are made where `make` says so. Their path may
/// be longer than any that the system takes.
fn open_deep(root: &Path, name: &str, depth: usize, make: bool) -> OwnedFd {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(root, flags, Mode::empty()).unwrap();
    for _ in 0..depth {
        if make {
            rustix::fs::mkdirat(&folder, name, Mode::RWXU).unwrap();
        }
        folder = rustix::fs::openat(&folder, name, flags, Mode::empty()).unwrap();
    }
    folder
}

#[test]
fn names_of_the_greatest_length_are_copied_though_unfinished_files_have_longer_ones() {
    let place = Place::new();
    let [file, folder, link] = ["f", "d", "l"].map(|letter| letter.repeat(NAME_BYTES_MAX));
    place.file(&format!("src/{folder}/{file}"), "1");
    symlink("target", place.path(&format!("src/{folder}/{link}"))).unwrap();
    // Of several bytes a character, so that no place to cut it at is a good one.
    let wide = "ü".repeat(NAME_BYTES_MAX / 2);
    place.file(&format!("src/{wide}"), "ours");
    place.file(&format!("dst/{wide}"), "theirs");
    let migrate = ["migrate", "src", "dst", "--on-conflict", "keep-both", "--level", "full"];
    let said = place.run(&[&migrate[..], &["--ledger", "ledger.duckdb"]].concat());
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert_eq!(place.contents(&format!("dst/{folder}/{file}")), "1");
    assert!(place.path(&format!("dst/{folder}/{link}")).is_symlink());
    assert_eq!(place.contents(&format!("dst/{wide}")), "theirs");
    let names = fs::read_dir(place.path("dst")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().ends_with(" (source)")).count(), 1);
}

#[test]
fn paths_that_are_longer_than_any_the_system_takes_are_copied_and_verified() {
    const DEPTH: usize = 30;
    let place = Place::new();
    let name = "deep".repeat(50);
    let folder = open_deep(&place.path("src"), &name, DEPTH, true);
    let flags = OFlags::WRONLY | OFlags::CREATE;
    let file = rustix::fs::openat(&folder, "file", flags, Mode::RUSR | Mode::WUSR).unwrap();
    rustix::io::write(&file, b"down here").unwrap();
    let said = place.run(&["migrate", "src", "dst", "--level", "full", "--ledger", "ledger.duckdb"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let folder = open_deep(&place.path("dst"), &name, DEPTH, false);
    let file = rustix::fs::openat(&folder, "file", OFlags::RDONLY, Mode::empty()).unwrap();
    let mut read = [0; 100];
    let count = rustix::io::read(&file, &mut read).unwrap();
    assert_eq!(&read[..count], b"down here");
    assert_eq!(place.query("SELECT max(length(path)) > 6000 FROM src_status"), ["true"]);
}

/// A file, a folder with something in it, and others.
fn fill_source(place: &Place) {
    place.file("src/a:b", "1");
    place.file("src/c:d/below", "2");
    place.file("src/fine/file", "3");
    // As coarse as the times of any file system.
    for name in ["a:b", "c:d/below", "fine/file"] {
        place.set_modified(&format!("src/{name}"), 1_600_000_000);
    }
}

/// The names with a colon failed, with their reason, and nothing else did.
fn assert_colons_are_refused(place: &Place, said: &Said) {
    assert_eq!((said.code, said.err.as_str()), (Some(3), ""), "{}", said.out);
    for name in ["/a:b", "/c:d"] {
        assert!(said.out.contains(&format!("src {name}: on the destination: Invalid argument")), "{}", said.out);
    }
    assert_eq!(
        place.query("SELECT path, phase, class FROM problems ORDER BY path"),
        ["/a:b|copying|bad_name", "/c:d|copying|bad_name", "/c:d/below|copying|"]
    );
    assert_eq!(
        place.query("SELECT path, copy_status, error FROM src_status WHERE path LIKE '/c:d/%'"),
        ["/c:d/below|failed|the folder /c:d could not be made"]
    );
    let dst = place.path("dst");
    let all = place.everything();
    let names: Vec<_> = all.iter().filter_map(|path| path.strip_prefix(&dst).ok()?.to_str()).collect();
    assert_eq!(names, ["", "fine", "fine/file"]);
    assert_eq!(place.contents("dst/fine/file"), "3");
    // What is known to have failed is no difference, and stays a failure.
    let said = place.on_ledger(&["verify", "--level", "full"]);
    assert_eq!(said.code, Some(3));
    assert!(said.out.contains(" 0 differences"), "{}", said.out);
}

#[test]
fn names_that_the_destination_refuses_fail_alone() {
    let place = Place::new();
    fill_source(&place);
    assert_eq!(place.discover(&[]).code, Some(0));
    if !Command::new("strace").arg("--version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: there is no strace, which plays the file system that refuses");
        return;
    }
    // It tells calls apart by the very name that they are given.
    let output = Command::new("strace")
        .current_dir(place.path("."))
        .args(["-f", "-qq", "-o", "/dev/null", "-P", "a:b", "-P", "c:d"])
        .args(["-e", "trace=renameat2,renameat,linkat,mkdirat"])
        .args(["-e", "inject=renameat2,renameat,linkat,mkdirat:error=EINVAL"])
        .arg(assert_cmd::cargo::cargo_bin("longhaul"))
        .args(["copy", "--approve", "--ledger", "ledger.duckdb"])
        .output()
        .unwrap();
    assert_colons_are_refused(&place, &Said::from(output));
}

#[test]
fn names_that_fat_refuses_fail_alone() {
    let place = Place::new();
    let image = place.path("image");
    let Some(_fat) = Mounted::image(&image, &["mkfs.vfat"], "vfat", &place.path("dst")) else { return };
    fill_source(&place);
    assert_eq!(place.discover(&[]).code, Some(0));
    assert_colons_are_refused(&place, &place.on_ledger(&["copy", "--approve", "--force"]));
}
