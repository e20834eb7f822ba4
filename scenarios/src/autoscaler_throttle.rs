//! `autoscaler-throttle`: a simulated store that lets so many listings pass a second and no more. The pace finds that
//! out, and finds out as well when the limit is lifted. In simulated time.

use std::time::Duration;

use anyhow::Result;
use longhaul_spectra::Spectra;

use crate::shared::report::grouped;
use crate::shared::simulated::{Crew, config, discover, listings};
use crate::shared::stage::Stage;

/// Listings that the store lets pass in a second.
const LIMIT: u32 = 5_000;
/// How much of that has to be used.
const USED_LEAST: f64 = 0.9;
const LATENCY_MS: u64 = 1;
const CREW: Crew = Crew { listers: 20, max_concurrency: None };
const LIFTED_AFTER: Duration = Duration::from_secs(3);

pub(crate) fn play(stage: &mut Stage<'_>) -> Result<()> {
    stage.start_over()?;
    let limited = || listings(LATENCY_MS, Some(LIMIT.into()));
    stage.report.line(&format!(
        "a store with {} listings a second, {} listers",
        grouped(LIMIT.into()),
        CREW.listers
    ))?;

    stage.begin_run(&())?;
    let folder = stage.scratch.path().to_owned();
    let held = discover(&folder, config(limited()), CREW, async |_: &Spectra| {})?;
    held.print(&mut stage.report)?;
    stage.report.line(&format!("the same, but that the limit is lifted after {} s", LIFTED_AFTER.as_secs()))?;
    let lifted = discover(&folder, config(limited()), CREW, async |simulator: &Spectra| {
        tokio::time::sleep(LIFTED_AFTER).await;
        simulator.set_chaos(listings(LATENCY_MS, None)).expect("an acceptable configuration");
    })?;
    lifted.print(&mut stage.report)?;

    stage.begin_verification()?;
    let report = &mut stage.report;
    report.line("with the limit:")?;
    held.check(report)?;
    let throttled = held.times_throttled();
    report.check("times that the store asked for patience", throttled > 0, "some", &grouped(throttled as u64))?;
    let falls = held.pace.windows(2).filter(|pair| pair[1].concurrency < pair[0].concurrency).count();
    report.check("times that less was asked for at a time", falls > 0, "some", &grouped(falls as u64))?;
    let used = held.rate() / f64::from(LIMIT);
    report.check(
        "of the listings that are allowed, those that were made",
        used >= USED_LEAST,
        &format!("{:.0} % or more", USED_LEAST * 100.0),
        &format!("{:.1} %", used * 100.0),
    )?;
    report.line("with the limit lifted:")?;
    lifted.check(report)?;
    let by_second = lifted.by_second();
    let (before, after) = by_second.split_at(usize::try_from(LIFTED_AFTER.as_secs())?.min(by_second.len()));
    let most = |seconds: &[u64]| seconds.iter().copied().max().unwrap_or(0);
    let (limit, most_after) = (u64::from(LIMIT), most(after));
    let within = most(before) <= limit + limit / 10;
    report.check(
        "most listings in a second before",
        within,
        &format!("about {} at most", grouped(limit)),
        &grouped(most(before)),
    )?;
    report.check(
        "most listings in a second after it",
        most_after > limit * 6 / 5,
        &format!("more than {}", grouped(limit * 6 / 5)),
        &grouped(most_after),
    )
}
