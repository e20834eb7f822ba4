//! The scenario that interrupts the program needs the program, so it is played here and not in its crate.

use assert_cmd::Command;

#[test]
fn traversal_resumption_passes() {
    let output = Command::cargo_bin("longhaul")
        .expect("the program is built")
        .args(["--scenario", "traversal-resumption"])
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.ends_with("SCENARIO PASSED\n"), "{said}");
}
