//! A kill between two system calls tears nothing; so a part of one write is written, and the process ends then. Each third
//! write is cut, at one of three places in turn; `LONGHAUL_TORN_WRITES=all` cuts each one at all of them.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;

use crate::{Scene, TRIED, err, is_done, is_thorough, place};

/// How much of a write happens: a sector, half of what most of them have, and all but a sector.
const CUTS: [&str; 3] = ["512", "30000", "-512"];

/// Writes that one command does not need.
const WRITES_MAX: usize = 500;

#[test]
fn a_kill_in_the_middle_of_any_write_to_the_ledger_loses_nothing() {
    let is_thorough = is_thorough("LONGHAUL_TORN_WRITES");
    let place = place();
    for (tried, first) in TRIED.iter().zip((1..=3).cycle()) {
        let scene = Scene::new(place.path(), tried);
        let mut kills = 0;
        let (first, step) = if is_thorough { (1, 1) } else { (first, 3) };
        for number in (first..WRITES_MAX).step_by(step) {
            let cuts = if is_thorough { &CUTS[..] } else { &CUTS[number / step % CUTS.len()..][..1] };
            let mut was_killed = false;
            for cut in cuts {
                let output = scene.crash(tried, number, [("CRASH_BYTES", OsStr::new(cut))]);
                let what = format!("{:?}, {cut} bytes of write {number}", tried.command);
                if output.status.signal().is_none() {
                    assert!(is_done(&output), "{what}: {}", err(&output));
                    continue;
                }
                was_killed = true;
                kills += 1;
                scene.check(tried, &what);
            }
            if !was_killed {
                break;
            }
        }
        println!("{:?}: killed in the middle of {kills} writes", tried.command);
        assert!(kills > 3, "{:?} writes its ledger", tried.command);
    }
}
