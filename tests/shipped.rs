//! What is shipped has nothing of the test rig in it: no scenarios, servers or benchmark, and no clock that tests can stop.

use std::io::ErrorKind;
use std::process::Command;

/// What must not be in it, as `cargo tree` prints it.
const RIG: [&str; 4] = ["longhaul-scenarios ", "longhaul-servers ", "longhaul-bench ", "tokio feature \"test-util\""];

/// The parts of [`RIG`] that a build with these options has; `None` where there is no cargo to ask.
fn rig_in_build_with(options: &[&str]) -> Option<Vec<&'static str>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--locked", "--package", "longhaul"])
        .args(["--edges", "features,normal", "--prefix", "none"])
        .args(options)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let output = match output {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            println!("skipped: cargo is not available");
            return None;
        }
        output => output.expect("cargo starts"),
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).expect("cargo prints text");
    assert!(tree.contains("longhaul-ledger "), "{tree}");
    Some(RIG.into_iter().filter(|part| tree.lines().any(|line| line.starts_with(part))).collect())
}

#[test]
fn a_build_without_scenarios_has_nothing_of_the_test_rig() {
    if let Some(rig) = rig_in_build_with(&["--no-default-features", "--features", "bundled"]) {
        assert!(rig.is_empty(), "what is shipped has {rig:?}");
    }
}

#[test]
fn a_usual_build_has_the_scenarios_and_what_they_need() {
    if let Some(rig) = rig_in_build_with(&[]) {
        assert_eq!(rig, [RIG[0], RIG[1], RIG[3]]);
    }
}
