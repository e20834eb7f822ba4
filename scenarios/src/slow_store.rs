//! `slow-store`: a simulated store that is far away. The pace finds by itself how much has to be asked for at a time, and
//! keeps to what a person allows. In simulated time.

use anyhow::Result;
use longhaul_spectra::Spectra;

use crate::shared::report::grouped;
use crate::shared::simulated::{Crew, config, discover, listings};
use crate::shared::stage::Stage;

/// There and back.
const LATENCY_MS: u64 = 2 * 50;
const LISTERS: usize = 64;
/// By when it has to be as good as the best fixed number, nearly.
const FOUND_WITHIN_S: usize = 30;
const OF_BEST_LEAST: f64 = 0.9;
const ALLOWED: usize = 4;

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    stage.start_over()?;
    stage.report.line(&format!("a store {} ms away, {LISTERS} listers", LATENCY_MS / 2))?;

    stage.begin_run(&())?;
    let folder = stage.scratch.path().to_owned();
    let crew = |max_concurrency| Crew { listers: LISTERS, max_concurrency };
    let run = |max_concurrency, max_depth| {
        let mut config = config(listings(LATENCY_MS, None));
        config.seed.max_depth = max_depth;
        discover(&folder, config, crew(max_concurrency), async |_: &Spectra| {})
    };
    let found = run(None, 5)?;
    found.print(&mut stage.report)?;
    stage.report.line(&format!("a smaller tree, with {ALLOWED} at a time allowed"))?;
    let allowed = run(Some(ALLOWED), 3)?;
    allowed.print(&mut stage.report)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    report.line("left to itself:")?;
    found.check(report)?;
    // No fixed number is better than all of them all the time.
    let best = LISTERS as u64 * 1_000 / LATENCY_MS;
    #[allow(clippy::cast_precision_loss, reason = "some hundreds")]
    let is_near = |listed: u64| listed as f64 >= OF_BEST_LEAST * best as f64;
    let found_after = found.by_second().iter().position(|listed| is_near(*listed)).map(|second| second + 1);
    report.check(
        &format!("until {:.0} % of the best, {best} listings a second", OF_BEST_LEAST * 100.0),
        found_after.is_some_and(|seconds| seconds <= FOUND_WITHIN_S),
        &format!("{FOUND_WITHIN_S} s or less"),
        &found_after.map_or_else(|| "never".to_owned(), |seconds| format!("{seconds} s")),
    )?;
    // Without the second in which it ends.
    let by_second = found.by_second();
    let kept = by_second.iter().skip(FOUND_WITHIN_S);
    let (kept, of) = (kept.clone().filter(|listed| is_near(**listed)).count(), kept.count());
    report.check(
        "seconds after that in which it was",
        kept * 10 >= of * 9 && of > 0,
        "nine in ten",
        &format!("{kept} of {of}"),
    )?;
    report.line(&format!("with {ALLOWED} allowed:"))?;
    allowed.check(report)?;
    let (most, possible) = (allowed.by_second().into_iter().max().unwrap_or(0), ALLOWED as u64 * 1_000 / LATENCY_MS);
    let is_kept_to = (1..=possible).contains(&most);
    report.check("most listings in a second", is_kept_to, &format!("{possible} or less"), &grouped(most))
}
