//! The whole engine on one thread, with a clock that is only moved when everybody waits, and with stores that are
//! simulated: hundreds of migrations through faults, interrupts and kills, each a function of one number.
//!
//! A seed that fails is played again, and nothing else, with
//! `LONGHAUL_SIMULATION_SEED=123 cargo test -p longhaul-actors --test simulation`. Many more than usual are tried with
//! `LONGHAUL_SIMULATION_SEEDS=10000`.

#[path = "simulation/dice.rs"]
mod dice;
#[path = "simulation/expected.rs"]
mod expected;
#[path = "simulation/files.rs"]
mod files;
#[path = "simulation/image.rs"]
mod image;
#[path = "simulation/invariants.rs"]
mod invariants;
#[path = "simulation/migration.rs"]
mod migration;
#[path = "simulation/scenario.rs"]
mod scenario;
#[path = "simulation/store.rs"]
mod store;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use image::ImageReader;
use migration::{Told, simulate};
use parking_lot::Mutex;

/// Seeds that showed a bug once. They are run first, and stay.
const REGRESSIONS: &[u64] = &[14, 136, 622, 667, 710, 776];

/// Seeds that are run each time, counted from 0.
const SEEDS: u64 = 300;

#[test]
fn every_migration_ends_with_the_whole_tree_whatever_happens_on_the_way() {
    let seeds: Vec<u64> = match number("LONGHAUL_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => REGRESSIONS.iter().copied().chain(0..number("LONGHAUL_SIMULATION_SEEDS").unwrap_or(SEEDS)).collect(),
    };
    let all = simulate_all(&seeds, 1);
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
    simulate_all(&(1000..1020).collect::<Vec<_>>(), 2);
}

/// Simulates each of them so many times, which must all be the same.
fn simulate_all(seeds: &[u64], times: usize) -> Vec<Told> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let failed = Mutex::new(Vec::new());
    let work = || {
        let reader = ImageReader::new();
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = catch_unwind(AssertUnwindSafe(|| {
                let told = simulate(seed, &reader);
                for _ in 1..times {
                    assert_eq!(simulate(seed, &reader), told, "the same seed gives the same");
                }
                told
            }));
            if let Ok(told) = result {
                done.lock().push(told);
                continue;
            }
            failed.lock().push(seed);
            eprintln!(
                "seed {seed} failed; play it again with \
                 `LONGHAUL_SIMULATION_SEED={seed} cargo test -p longhaul-actors --test simulation`"
            );
            // What it was reading may still be attached.
            return;
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(8);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let failed = failed.into_inner();
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    done.into_inner()
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")))
}
