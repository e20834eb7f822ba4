//! Charts as numbers: where lines and bars of an inline SVG are. What colours they have is the template's.
//!
//! By hand, in two hundred lines: the page may run no script, and crates for charts bring fonts and pictures with them.

use longhaul_ledger::Run;
use longhaul_ledger::reporting::{CopiedSlice, Throughput};

use crate::words::{bytes, count, duration, time};

/// The room of a chart, in dots; the browser makes of it what fits.
const WIDTH: f64 = 960.0;
/// Room on the left for what the lines stand for.
const LEFT: f64 = 90.0;
/// Height of the part with the bars.
const HEIGHT: f64 = 150.0;
/// Slices below which a chart says nothing.
const SLICES_MIN: i64 = 3;
/// Runs that are shown; the last ones.
const RUNS_MAX: usize = 40;
/// Height of the row of one run.
const RUN_HEIGHT: f64 = 22.0;

/// A bar chart over the time of copying.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) bars: Vec<Bar>,
    pub(super) lines: Vec<Line>,
    /// Where another run begins.
    pub(super) runs: Vec<Line>,
    pub(super) end: String,
}

/// A bar.
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
    pub(super) says: String,
}

/// A line across the chart, with what it stands for.
pub(super) struct Line {
    pub(super) at: String,
    pub(super) says: String,
}

/// What was copied in each slice of time, in bytes and in nodes; nothing where there is too little to be shown.
pub(super) fn throughput(throughput: &Throughput) -> Vec<Chart> {
    let slices: i64 = throughput.spans.iter().map(|span| span.slices(throughput.slice_ns)).sum();
    if slices < SLICES_MIN {
        return Vec::new();
    }
    let by_bytes = Chart::new(
        throughput,
        slices,
        "Bytes copied a second",
        |slice| slice.bytes,
        &|rate| format!("{}/s", bytes(rate).replace(".00", "")),
        1024.0,
    );
    let by_nodes = Chart::new(
        throughput,
        slices,
        "Items copied a second",
        |slice| slice.nodes,
        &|rate| format!("{}/s", count(rate)),
        1000.0,
    );
    vec![by_bytes, by_nodes]
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a chart has a few hundred dots")]
impl Chart {
    fn new(
        throughput: &Throughput,
        slices: i64,
        title: &'static str,
        measure: impl Fn(&CopiedSlice) -> i64,
        words: &dyn Fn(i64) -> String,
        base: f64,
    ) -> Chart {
        let seconds = throughput.slice_ns as f64 / 1e9;
        let rate = |slice: &CopiedSlice| measure(slice) as f64 / seconds;
        let step = step(throughput.slices.iter().map(rate).fold(0.0, f64::max), base);
        let highest = step * 3.0;
        let y = |rate: f64| HEIGHT - rate / highest * HEIGHT;
        let slice_width = (WIDTH - LEFT) / slices as f64;

        let (mut bars, mut runs) = (Vec::new(), Vec::new());
        let mut first_slice = 0;
        for span in &throughput.spans {
            let x = |slice: i64| LEFT + (first_slice + slice) as f64 * slice_width;
            runs.push(Line { at: format!("{:.1}", x(0)), says: format!("run {}, {}", span.run, time(span.first_ns)) });
            for slice in throughput.slices.iter().filter(|slice| slice.run == span.run) {
                let top = y(rate(slice));
                let at = time(span.first_ns + slice.slice * throughput.slice_ns);
                bars.push(Bar {
                    x: format!("{:.2}", x(slice.slice)),
                    y: format!("{top:.2}"),
                    width: format!("{:.2}", (slice_width * 0.9).max(0.5)),
                    height: format!("{:.2}", HEIGHT - top),
                    says: format!("{at}: {}", words(rate(slice) as i64)),
                });
            }
            first_slice += span.slices(throughput.slice_ns);
        }
        let lines = (0..=3).map(|line| {
            let rate = step * f64::from(line);
            Line { at: format!("{:.1}", y(rate)), says: if line == 0 { "0".to_owned() } else { words(rate as i64) } }
        });
        Chart { title, bars, lines: lines.collect(), runs, end: duration(slices * throughput.slice_ns) }
    }
}

/// A third of the chart's height: a round number, so that three of them hold `highest`.
fn step(highest: f64, base: f64) -> f64 {
    let mut unit = 1.0;
    while unit * base * 3.0 < highest {
        unit *= base;
    }
    let decimal = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0];
    let binary = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
    let rounds = if base > 1000.0 { &binary[..] } else { &decimal[..] };
    let round = rounds.iter().copied().find(|round| unit * round * 3.0 >= highest);
    round.map_or(unit * base, |round| unit * round)
}

/// When each run was.
pub(super) struct RunChart {
    pub(super) height: String,
    pub(super) bars: Vec<RunBar>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) baseline: String,
}

/// A run.
pub(super) struct RunBar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) label_y: String,
    pub(super) label: String,
    /// Nobody knows when it ended.
    pub(super) is_open: bool,
}

impl RunChart {
    /// `None` where there is nothing to be compared.
    #[allow(clippy::cast_precision_loss, reason = "a chart has a few hundred dots")]
    pub(super) fn new(runs: &[Run], now_ns: i64) -> Option<RunChart> {
        let runs = &runs[runs.len().saturating_sub(RUNS_MAX)..];
        let first = runs.iter().map(|run| run.started_ns).min().filter(|_| runs.len() > 1)?;
        let last = runs.iter().map(|run| run.ended_ns.unwrap_or(run.started_ns)).max()?.min(now_ns).max(first + 1);
        let x = |ns: i64| LEFT + (ns - first) as f64 / (last - first) as f64 * (WIDTH - LEFT - 10.0);
        let bars = runs.iter().enumerate().map(|(row, run)| {
            let (start, end) = (x(run.started_ns), x(run.ended_ns.unwrap_or(run.started_ns)));
            let y = row as f64 * RUN_HEIGHT;
            RunBar {
                x: format!("{start:.1}"),
                y: format!("{:.1}", y + 4.0),
                width: format!("{:.1}", (end - start).max(3.0)),
                label_y: format!("{:.1}", y + 16.0),
                label: format!("{} {}", run.run, run.command),
                is_open: run.ended_ns.is_none(),
            }
        });
        let baseline = runs.len() as f64 * RUN_HEIGHT + 4.0;
        Some(RunChart {
            height: format!("{:.0}", baseline + 22.0),
            bars: bars.collect(),
            from: time(first),
            to: time(last),
            baseline: format!("{baseline:.1}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use longhaul_ledger::reporting::CopySpan;

    use super::*;

    #[test]
    fn three_steps_hold_the_highest_value() {
        for base in [1000.0, 1024.0] {
            for highest in [0.0, 1.0, 2.9, 3.1, 700.0, 1_600.0, 2_900.0, 123_456_789.0, 9.9e14] {
                let step = step(highest, base);
                assert!(step * 3.0 >= highest, "{highest}: {step}");
                assert!(step <= highest.max(3.0), "{highest}: {step}");
            }
        }
    }

    #[test]
    fn runs_come_after_one_another_without_the_pauses_between_them() {
        let second = 1_000_000_000;
        let hour = 3_600 * second;
        let copied = Throughput {
            slice_ns: second,
            spans: vec![
                CopySpan { run: 1, first_ns: 0, last_ns: 3 * second },
                CopySpan { run: 4, first_ns: hour, last_ns: hour },
            ],
            slices: vec![
                CopiedSlice { run: 1, slice: 0, nodes: 5, bytes: 50 },
                CopiedSlice { run: 1, slice: 3, nodes: 5, bytes: 50 },
                CopiedSlice { run: 4, slice: 0, nodes: 10, bytes: 100 },
            ],
        };
        let charts = throughput(&copied);
        assert_eq!(charts.len(), 2);
        let x: Vec<f64> = charts[0].bars.iter().map(|bar| bar.x.parse().unwrap()).collect();
        let slice = (WIDTH - LEFT) / 5.0;
        assert_eq!(x, [LEFT, LEFT + 3.0 * slice, LEFT + 4.0 * slice]);
        assert_eq!(charts[0].end, "5.0 s");
    }

    #[test]
    fn too_little_is_not_shown() {
        assert!(throughput(&Throughput::default()).is_empty());
        assert!(RunChart::new(&[], 0).is_none());
    }
}
