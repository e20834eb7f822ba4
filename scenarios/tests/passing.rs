//! Each scenario passes, and says what it found.

use longhaul_scenarios::{Options, Verdict, run};

fn passes(name: &str) {
    let mut out = Vec::new();
    let verdict = run(name, &Options::default(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    println!("{text}");
    assert_eq!(verdict, Verdict::Passed, "{text}");
    assert!(text.ends_with("SCENARIO PASSED\n"), "{text}");
    assert!(!text.contains("FAILED"), "{text}");
}

#[test]
fn traversal_normal_passes() {
    passes("traversal-normal");
}

#[test]
fn traversal_ephemeral_passes() {
    passes("traversal-ephemeral");
}

#[test]
fn traversal_local_passes() {
    passes("traversal-local");
}
