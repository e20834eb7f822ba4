//! Playing many seeds, on all cores, and saying which of them failed.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::image::ImageReader;

/// A simulation of one seed.
pub(crate) type Simulate<T> = fn(u64, &ImageReader) -> T;

/// The seed that somebody asked for, or those that showed a bug once and so many others, counted from 0.
pub(crate) fn chosen(regressions: &[u64], usual: u64) -> Vec<u64> {
    match number("LONGHAUL_SIMULATION_SEED") {
        Some(seed) => vec![seed],
        None => regressions.iter().copied().chain(0..number("LONGHAUL_SIMULATION_SEEDS").unwrap_or(usual)).collect(),
    }
}

/// Simulates each of them so many times, which must all be the same. `test` is the name of the test, for whoever wants
/// to play one of them again.
pub(crate) fn simulate_all<T: Debug + Send + PartialEq>(
    test: &str,
    seeds: &[u64],
    times: usize,
    simulate: Simulate<T>,
) -> Vec<T> {
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
                 `LONGHAUL_SIMULATION_SEED={seed} cargo test -p longhaul-actors --test {test}`"
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
