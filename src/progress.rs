//! The progress line of a run, on a terminal only.

use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use longhaul_actors::{Progress, SideProgress};

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

/// A rate, in words.
pub(crate) fn rate(nodes_per_s: f64) -> String {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
    let whole = nodes_per_s.max(0.0) as u64;
    format!("{} nodes/s", HumanCount(whole))
}

/// How far one side has come, in words.
pub(crate) fn side(side: &SideProgress) -> String {
    let failed = match side.folders_failed {
        0 => String::new(),
        failed => format!(", {} failed", HumanCount(failed)),
    };
    format!(
        "{} folders listed, {} nodes found, {} in flight{failed}",
        HumanCount(side.folders_listed),
        HumanCount(side.nodes),
        HumanCount(side.in_flight)
    )
}
