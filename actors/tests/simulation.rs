//! The whole engine on one thread, with a clock that is only moved when everybody waits, and with stores that are
//! simulated: hundreds of migrations through faults, interrupts and kills, each a function of one number.
//!
//! A seed that fails is played again, and nothing else, with
//! `LONGHAUL_SIMULATION_SEED=123 cargo test -p longhaul-actors --test simulation`. Many more than usual are tried with
//! `LONGHAUL_SIMULATION_SEEDS=10000`.

#[path = "shared/dice.rs"]
mod dice;
#[path = "simulation/expected.rs"]
mod expected;
#[path = "shared/files.rs"]
mod files;
#[path = "shared/image.rs"]
mod image;
#[path = "simulation/invariants.rs"]
mod invariants;
#[path = "simulation/migration.rs"]
mod migration;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "shared/seeds.rs"]
mod seeds;
#[path = "simulation/store.rs"]
mod store;

use migration::{Told, simulate};

/// Seeds that showed a bug once. They are run first, and stay.
const REGRESSIONS: &[u64] = &[14, 136, 622, 667, 710, 776];

/// Seeds that are run each time, counted from 0.
const SEEDS: u64 = 300;

#[test]
fn every_migration_ends_with_the_whole_tree_whatever_happens_on_the_way() {
    let seeds = seeds::chosen(REGRESSIONS, SEEDS);
    let all = seeds::simulate_all("simulation", &seeds, 1, simulate);
    let sum = |what: fn(&Told) -> usize| all.iter().map(what).sum::<usize>();
    println!(
        "{} migrations, {} runs: {} killed, {} interrupted, {} given up by a store",
        all.len(),
        sum(|told| told.runs),
        sum(|told| told.kills),
        sum(|told| told.interrupts),
        sum(|told| told.gave_up),
    );
    if seeds.len() > 100 {
        // A simulation in which nothing happens shows nothing.
        for what in [|told: &Told| told.kills, |told: &Told| told.interrupts, |told: &Told| told.gave_up] {
            assert!(sum(what) >= seeds.len() / 6);
        }
    }
}

#[test]
fn the_same_seed_gives_the_same_events_in_the_same_order() {
    seeds::simulate_all("simulation", &(1000..1020).collect::<Vec<_>>(), 2, simulate);
}
