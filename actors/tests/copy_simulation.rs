//! Copying and verifying as discovery is simulated: the whole engine on one thread, with a clock that is only moved when
//! everybody waits, and with two file systems in memory: hundreds of migrations through faults, changes of the source,
//! interrupts, kills and power cuts, each a function of one number.
//!
//! A seed that fails is played again, and nothing else, with
//! `LONGHAUL_SIMULATION_SEED=123 cargo test -p longhaul-actors --test copy_simulation`. Many more than usual are tried
//! with `LONGHAUL_SIMULATION_SEEDS=10000`.

#[path = "copy_simulation/calls.rs"]
mod calls;
#[path = "copy_simulation/changes.rs"]
mod changes;
#[path = "copy_simulation/completion.rs"]
mod completion;
#[path = "shared/dice.rs"]
mod dice;
#[path = "copy_simulation/disk.rs"]
mod disk;
#[path = "copy_simulation/draft.rs"]
mod draft;
#[path = "copy_simulation/drive.rs"]
mod drive;
#[path = "copy_simulation/expected.rs"]
mod expected;
#[path = "copy_simulation/faults.rs"]
mod faults;
#[path = "shared/files.rs"]
mod files;
#[path = "shared/image.rs"]
mod image;
#[path = "copy_simulation/invariants.rs"]
mod invariants;
#[path = "copy_simulation/ledger.rs"]
mod ledger;
#[path = "copy_simulation/migration.rs"]
mod migration;
#[path = "copy_simulation/original.rs"]
mod original;
#[path = "copy_simulation/scenario.rs"]
mod scenario;
#[path = "shared/seeds.rs"]
mod seeds;
#[path = "copy_simulation/store.rs"]
mod store;
#[path = "copy_simulation/trees.rs"]
mod trees;
#[path = "copy_simulation/verified.rs"]
mod verified;
#[path = "copy_simulation/world.rs"]
mod world;

use migration::{Told, simulate};

/// Seeds that showed a bug once. They are run first, and stay.
const REGRESSIONS: &[u64] = &[181, 190, 299, 340, 377, 401, 938];

/// Seeds that are run each time, counted from 0.
const SEEDS: u64 = 90;

#[test]
fn what_is_recorded_as_copied_is_at_the_destination_whatever_happens_on_the_way() {
    let seeds = seeds::chosen(REGRESSIONS, SEEDS);
    let all = seeds::simulate_all("copy_simulation", &seeds, 1, simulate);
    let sum = |what: fn(&Told) -> usize| all.iter().map(what).sum::<usize>();
    println!(
        "{} migrations, {} runs: {} killed, {} of them with the machine, {} interrupted, {} given up by a store; {} \
         nodes copied, {} differences found",
        all.len(),
        sum(|told| told.runs),
        sum(|told| told.kills),
        sum(|told| told.power_cuts),
        sum(|told| told.interrupts),
        sum(|told| told.gave_up),
        sum(|told| told.copied),
        sum(|told| told.found),
    );
    if seeds.len() > 50 {
        // A simulation in which nothing happens shows nothing.
        for what in [
            |told: &Told| told.kills,
            |told: &Told| told.power_cuts * 4,
            |told: &Told| told.interrupts,
            |told: &Told| told.gave_up * 2,
            |told: &Told| told.found,
        ] {
            assert!(sum(what) >= seeds.len() / 6);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_events_in_the_same_order() {
    seeds::simulate_all("copy_simulation", &(1000..1020).collect::<Vec<_>>(), 2, simulate);
}
