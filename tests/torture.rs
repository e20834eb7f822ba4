//! The program is killed at random moments and resumed, or run again, and ends like an undisturbed run.

use std::time::Duration;

use longhaul_bench::Interrupt;
use longhaul_bench::torture::{Plan, Wanted, run};

#[test]
fn kills_at_any_moment_change_nothing() {
    torture(Wanted::Both, 200, 2);
}

#[test]
fn kills_of_commands_that_edit_a_ledger_change_nothing() {
    torture(Wanted::Edit, 40, 1);
}

fn torture(what: Wanted, kills: u64, jobs: u32) {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let plan = Plan {
        longhaul: assert_cmd::cargo::cargo_bin("longhaul"),
        what,
        kills,
        seed: 7,
        case: None,
        is_small: true,
        // A machine that is too busy for all of them shall not hold up everything else.
        time: Some(Duration::from_secs(30)),
        jobs,
        scratch: scratch.path().to_owned(),
        keep: false,
    };
    let report = run(&plan, &Interrupt::default()).expect("every case can be played");
    println!("{}", report.to_table());
    assert!(!report.has_failures(), "{}", report.to_table());
    assert!(report.kills() > 0);
}
