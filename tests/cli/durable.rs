//! What is waited for to be on the disk, as the system sees it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::program::Place;

/// Copies and returns the calls that make names and that wait for the disk, with the paths of what is open; `None` where
/// nobody can watch them, which is said.
fn calls_of_copy(place: &Place, durability: &str) -> Option<Vec<String>> {
    let log = place.path("calls");
    let watched = "trace=mkdirat,symlinkat,linkat,renameat,renameat2,fsync,syncfs";
    let output = Command::new("strace")
        .current_dir(place.path("."))
        .args(["-f", "-y", "-qq", "-e", watched, "-o"])
        .arg(&log)
        .arg(assert_cmd::cargo::cargo_bin("longhaul"))
        .args(["copy", "--approve", "--ledger", "ledger.duckdb", "--copiers", "1", "--durability", durability])
        .env_remove("LONGHAUL_LOG")
        .output();
    match output {
        Ok(output) if output.status.success() => {
            Some(fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect())
        }
        Ok(output) => {
            eprintln!("skipped: strace: {}", String::from_utf8_lossy(&output.stderr).trim());
            None
        }
        Err(error) => {
            eprintln!("skipped: strace: {error}");
            None
        }
    }
}

#[test]
fn each_folder_and_link_is_made_durable_by_itself_where_that_is_asked_for() {
    let place = Place::new();
    fs::create_dir_all(place.path("src/a/b")).unwrap();
    symlink("anywhere", place.path("src/a/link")).unwrap();
    symlink("anywhere", place.path("src/top")).unwrap();
    assert_eq!(place.discover(&[]).code, Some(0));
    let Some(calls) = calls_of_copy(&place, "file") else { return };
    let dst = place.path("dst").canonicalize().unwrap();
    for (call, name, folder) in [
        ("mkdirat(", "\"a\"", dst.clone()),
        ("symlinkat(", "", dst.clone()),
        ("mkdirat(", "\"b\"", dst.join("a")),
        ("symlinkat(", "", dst.join("a")),
        ("renameat2(", "\"top\"", dst.clone()),
        ("renameat2(", "\"link\"", dst.join("a")),
    ] {
        let open = format!("<{}>", folder.display());
        let made = calls.iter().rposition(|it| it.contains(call) && it.contains(name) && it.contains(&open));
        let made = made.unwrap_or_else(|| panic!("{call} {name} in {open}: {calls:#?}"));
        let is_flushed = calls[made..].iter().any(|it| it.contains("fsync(") && it.contains(&open));
        assert!(is_flushed, "{call} {name} in {open}: {calls:#?}");
    }
    // Those of the folders' own attributes come at the end: not one for both.
    let flushed = |folder: &str| calls.iter().filter(|it| it.contains("fsync(") && it.contains(folder)).count();
    assert!(flushed(&format!("<{}>", dst.display())) >= 2, "{calls:#?}");
    assert!(flushed(&format!("<{}>", dst.join("a").display())) >= 3, "{calls:#?}");
}
