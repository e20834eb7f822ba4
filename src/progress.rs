//! The progress line of a run, on a terminal only.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use longhaul_actors::{CopyProgress, Progress, SideProgress};
use longhaul_model::human::{bytes, count, duration};

/// A few lines on standard error that are drawn again and again.
pub(crate) struct ProgressLine(ProgressBar);

impl ProgressLine {
    /// Begins it; nothing is shown where standard error is not a terminal, or `quiet`.
    pub(crate) fn start(quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        bar.set_style(
            ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}").expect("a template that is right"),
        );
        bar.enable_steady_tick(Duration::from_millis(200));
        ProgressLine(bar)
    }

    /// Shows how far it has come.
    pub(crate) fn show(&self, progress: &Progress) {
        if let Some(copy) = &progress.copy {
            self.0.set_message(copying(progress, copy));
            return;
        }
        self.0.set_message(format!(
            "{}\n  source       {}\n  destination  {}",
            rate(progress.nodes_per_s),
            side(&progress.sides.src),
            side(&progress.sides.dst),
        ));
    }

    /// Says that it is coming to an end.
    pub(crate) fn stopping(&self) {
        self.0.println("stopping at the next safe point; interrupt once more to leave at once");
    }

    /// Takes the line away.
    pub(crate) fn end(self) {
        self.0.finish_and_clear();
    }
}

/// How far copying has come, in words.
pub(crate) fn copying(progress: &Progress, copy: &CopyProgress) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
    let bytes_per_s = progress.bytes_per_s.max(0.0) as u64;
    format!(
        "{} of {} nodes, {} of {}, {}, {}/s{}",
        count(copy.nodes),
        count(copy.nodes_in_all),
        bytes(copy.bytes),
        bytes(copy.bytes_in_all),
        rate(progress.nodes_per_s),
        bytes(bytes_per_s),
        remaining(progress, copy).map_or_else(String::new, |left| format!(", {left} left")),
    )
}

/// How long it takes at this rate: by bytes or by nodes, whichever takes longer.
fn remaining(progress: &Progress, copy: &CopyProgress) -> Option<String> {
    #[allow(clippy::cast_precision_loss, reason = "an estimate")]
    let seconds = |done: u64, all: u64, rate: f64| (rate > 0.0).then(|| all.saturating_sub(done) as f64 / rate);
    let by_nodes = seconds(copy.nodes, copy.nodes_in_all, progress.nodes_per_s)?;
    let by_bytes = seconds(copy.bytes, copy.bytes_in_all, progress.bytes_per_s).unwrap_or(0.0);
    Duration::try_from_secs_f64(by_nodes.max(by_bytes)).ok().map(duration)
}

/// A rate, in words.
pub(crate) fn rate(nodes_per_s: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
    let whole = nodes_per_s.max(0.0) as u64;
    format!("{} nodes/s", count(whole))
}

/// How far one side has come, in words.
pub(crate) fn side(side: &SideProgress) -> String {
    let failed = match side.folders_failed {
        0 => String::new(),
        failed => format!(", {} failed", count(failed)),
    };
    format!(
        "{} folders listed, {} nodes found, {} in flight{failed}",
        count(side.folders_listed),
        count(side.nodes),
        count(side.in_flight)
    )
}
