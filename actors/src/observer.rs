//! The Observer: turns the board's counters into what a display wants to know.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::progress::{Board, Progress};

/// How often it looks.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// How often a line goes into the log.
const LOG_INTERVAL: Duration = Duration::from_secs(30);

/// The part of the newest reading in the rate that is shown: a rate over about two seconds.
const SMOOTHING: f64 = 0.1;

/// Looks at the board from time to time.
#[derive(Debug)]
pub(crate) struct Observer {
    board: Board,
    latest: Arc<Mutex<Progress>>,
    started_at: Instant,
    logged_at: Instant,
}

impl Observer {
    /// Reads `board` and keeps `latest` up to date.
    pub(crate) fn new(board: Board, latest: Arc<Mutex<Progress>>) -> Self {
        let now = Instant::now();
        Observer { board, latest, started_at: now, logged_at: now }
    }

    fn look(&mut self) {
        let elapsed_s = self.started_at.elapsed().as_secs_f64();
        let (sides, copy) = (self.board.read(), self.board.read_copy());
        let mut latest = self.latest.lock();
        let seconds = elapsed_s - latest.elapsed_s;
        if seconds > 0.0 {
            let (before, now) = (latest.copy.unwrap_or_default(), copy.unwrap_or_default());
            let found = sides.src.nodes + sides.dst.nodes - latest.sides.src.nodes - latest.sides.dst.nodes;
            let weight = if latest.elapsed_s == 0.0 { 1.0 } else { SMOOTHING };
            #[allow(clippy::cast_precision_loss, reason = "rates for people")]
            let [nodes, bytes] = [found + now.nodes - before.nodes, now.bytes - before.bytes].map(|count| count as f64);
            latest.nodes_per_s += weight * (nodes / seconds - latest.nodes_per_s);
            latest.bytes_per_s += weight * (bytes / seconds - latest.bytes_per_s);
        }
        latest.elapsed_s = elapsed_s;
        latest.sides = sides;
        latest.copy = copy;
        if self.logged_at.elapsed() >= LOG_INTERVAL {
            self.logged_at = Instant::now();
            if let Some(copy) = copy {
                tracing::info!(
                    nodes = copy.nodes,
                    of = copy.nodes_in_all,
                    bytes = copy.bytes,
                    of_bytes = copy.bytes_in_all,
                    bytes_per_s = latest.bytes_per_s.round(),
                    "copying"
                );
                return;
            }
            tracing::info!(
                src_nodes = sides.src.nodes,
                dst_nodes = sides.dst.nodes,
                src_folders_listed = sides.src.folders_listed,
                dst_folders_listed = sides.dst.folders_listed,
                failed = sides.src.folders_failed + sides.dst.folders_failed,
                nodes_per_s = latest.nodes_per_s.round(),
                "listing"
            );
        }
    }
}

impl Actor for Observer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(LOOK_INTERVAL, |this, _| this.look());
    }
}
