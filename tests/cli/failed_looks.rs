//! A look at an entry that fails while its folder is listed: it is made again.

use std::process::Command;

use crate::program::{Place, Said};

/// Discovers while the calls of `statx` about the source that `when` chooses fail; `None` where nobody can do that.
fn discover(place: &Place, when: &str) -> Option<Said> {
    let output = Command::new("strace")
        .current_dir(place.path("."))
        .args(["-f", "-qq", "-o", "/dev/null", "-P"])
        .arg(place.path("src"))
        .args(["-e", "trace=statx", "-e", &format!("inject=statx:error=EIO:when={when}")])
        .arg(assert_cmd::cargo::cargo_bin("longhaul"))
        .args(["discover", "src", "dst", "--ledger", "ledger.duckdb"])
        .env_remove("LONGHAUL_LOG")
        .output();
    match output {
        Ok(output) if !String::from_utf8_lossy(&output.stderr).contains("strace:") => Some(Said::from(output)),
        other => {
            eprintln!("skipped: strace: {other:?}");
            None
        }
    }
}

fn place() -> Place {
    let place = Place::new();
    place.file("src/same", "new contents");
    place.file("src/zz", "x");
    place.file("dst/same", "old");
    place.set_modified("dst/same", 1_000_000_000);
    place
}

#[test]
fn one_failed_look_is_made_again() {
    for when in 1..6 {
        let place = place();
        let Some(said) = discover(&place, &when.to_string()) else { return };
        if !place.ledger().exists() {
            // It was the root, before anything was begun.
            assert!(said.err.contains("Input/output error"), "{when}: {}", said.err);
            continue;
        }
        assert_eq!(said.code, Some(0), "{when}: {}", said.err);
        let unknown = "SELECT count(*) FROM src_nodes WHERE kind = 'file' AND size IS NULL";
        assert_eq!(place.query(unknown), ["0"], "{when}");
    }
}

/// A file whose size and time could not be read during discovery is compared when it is copied.
#[test]
fn what_could_not_be_looked_at_is_looked_at_when_its_turn_comes() {
    for when in 2..5 {
        let place = place();
        let Some(said) = discover(&place, &format!("{when}+")) else { return };
        assert_eq!(said.code, Some(0), "{when}: {}", said.err);
        let unknown = place.query("SELECT count(*) FROM src_nodes WHERE kind = 'file' AND size IS NULL");
        let said = place.on_ledger(&["copy", "--approve"]);
        assert_eq!(said.code, Some(0), "{when}: {}", said.err);
        assert_eq!(place.contents("dst/same"), "new contents", "{when}: {unknown:?} files were unknown");
        assert_eq!(place.contents("dst/zz"), "x");
    }
}
