//! The scenarios in which something is excluded or tried again: they pass, are gone on with, and notice what is wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::place::{Place, SMALL};

/// How long anything is waited for that must come.
const WAIT_MAX: Duration = Duration::from_mins(1);

/// A tree that is as large as the scenarios with sweeps need it.
const TREE: &str = r#"{
    "mode": "persistent",
    "seed": { "max_depth": 4, "min_folders": 4, "max_folders": 6, "min_files": 2, "max_files": 4, "seed": 2 },
    "secondary_tables": { "s1": 0.8 },
    "chaos": CHAOS
}"#;

fn listing(chaos: &str) -> Place {
    Place::with_config("spectra.json", &TREE.replace("CHAOS", chaos))
}

fn copying(chaos: &str) -> Place {
    Place::with_config("spectra-copy.json", &SMALL.replace("CHAOS", chaos))
}

/// Waits until the program that a scenario runs as a child has logged this much of its sweep.
fn wait_for_log(scratch: &Path, migration: &str, lines: usize) {
    let log: PathBuf = scratch.join("files").join(migration).join("sweep.log");
    let deadline = Instant::now() + WAIT_MAX;
    while fs::read_to_string(&log).map_or(0, |text| text.lines().count()) < lines {
        assert!(Instant::now() < deadline, "the sweep does not come so far");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn traversal_retry_sweep_passes() {
    Place::new().run("traversal-retry-sweep", &[]).assert_passed();
}

#[test]
fn exclusion_sweep_passes() {
    Place::new().run("exclusion-sweep", &[]).assert_passed();
}

#[test]
fn copy_retry_passes() {
    Place::new().run("copy-retry", &[]).assert_passed();
}

#[test]
fn dual_tree_passes() {
    Place::new().run("dual-tree", &[]).assert_passed();
}

#[test]
fn other_seeds_pick_others_and_pass() {
    for seed in [11, 12, 13] {
        let name = |name: &str| format!("\"seed\": {name}");
        let place = Place::with_config(
            "spectra-copy.json",
            &SMALL
                .replace("CHAOS", "{}")
                .replace("\"max_depth\": 3", "\"max_depth\": 4")
                .replace(&name("3,"), &name(&format!("{seed},"))),
        );
        for scenario in ["exclusion-sweep", "copy-retry"] {
            let said = place.run(scenario, &[]);
            said.assert_passed();
            assert!(said.out.contains(&format!("follows from its seed, {seed}")), "{}", said.out);
        }
    }
}

#[test]
fn an_interrupted_sweep_is_gone_on_with() {
    let place = listing(r#"{ "latency": { "list_children_ms": 100 } }"#);
    let (mut child, lines, scratch) = place.start("traversal-retry-sweep", "sweep of the marked folder");
    wait_for_log(&scratch, "marked", 3);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let last = lines.last().unwrap().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{last}");
    assert!(last.starts_with("SCENARIO INTERRUPTED in the run; go on with: "), "{last}");
    let said = place.run("traversal-retry-sweep", &["--resume"]);
    said.assert_passed();
    assert!(said.out.contains("discovery without faults: complete"), "{}", said.out);
    assert!(said.out.contains("of a sweep that was gone on with"), "{}", said.out);
    assert_eq!(fs::read_dir(place.temporary()).unwrap().count(), 0);
}

#[test]
fn a_copy_of_what_had_failed_is_gone_on_with_after_a_kill() {
    let place =
        Place::with_config("spectra-copy.json", &SMALL.replace("CHAOS", r#"{ "latency": { "upload_file_ms": 100 } }"#));
    let (mut child, _lines, scratch) = place.start("copy-retry", "copy of what had failed");
    wait_for_log(&scratch, "worlds", 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let said = place.run("copy-retry", &["--resume"]);
    said.assert_passed();
    assert!(said.out.contains("repair, and marks: complete"), "{}", said.out);
}

#[test]
fn a_folder_that_nobody_expects_to_fail_is_noticed() {
    let place = listing(
        r#"{ "faults": [{ "operation": "list_children", "world": "s1", "error": "denied", "probability": 0.05 }] }"#,
    );
    place.run("traversal-retry-sweep", &[]).assert_failed(&[
        "source nodes that are not as in the tree",
        "destination nodes that are not as in the tree",
        "problems that are not as computed",
        "folders marked",
    ]);
}

#[test]
fn files_that_nobody_expects_to_fail_are_noticed() {
    let place = copying(
        r#"{ "faults": [{ "operation": "upload_file", "world": "s1", "path": "/folder_2/**", "error": "denied",
                       "probability": 0.2 }] }"#,
    );
    place.run("copy-retry", &[]).assert_failed(&[
        "source nodes that are not copied, or failed, as they have to be",
        "nodes marked to be copied again",
        "end of the sweep",
        "source nodes that are not copied as they have to be",
        "destination: nodes that are not as",
    ]);
    place.run("exclusion-sweep", &[]).assert_failed(&[
        "source nodes that are not as the plan has it",
        "events that say that a node was copied",
        "destination: nodes that are not as",
    ]);
}
