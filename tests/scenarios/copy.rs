//! The scenarios that copy: they pass, are gone on with, and notice what is wrong.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::place::{Place, SMALL, Said};

/// What a scenario says when it has listed both sides: it is about to copy, or does.
const LISTED: &str = " bytes of ledger";

/// With a configuration of its own.
fn disturbed(chaos: &str) -> Place {
    Place::with_config("spectra-copy.json", &SMALL.replace("CHAOS", chaos))
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
    let place = disturbed(r#"{ "latency": { "upload_file_ms": 40 } }"#);
    let (mut child, lines, _) = place.start("copy-normal", LISTED);
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
    let place = disturbed(
        r#"{ "faults": [{ "operation": "upload_file", "world": "s1", "path": "/folder_2/**", "error": "denied",
                       "probability": 0.2 }] }"#,
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
    let (mut child, _lines, scratch) = place.start("copy-local", LISTED);
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
