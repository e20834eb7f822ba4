//! Ctrl-C and SIGTERM, turned into an error that unwinds.
//!
//! Without this an interrupted run would leave gigabytes of trees in memory (the scratch folder is on tmpfs).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};

/// Somebody asked for the end: not a failure, but nothing measured is worth printing.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Whether the end was asked for. By default nobody listens, and it never is.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Starts to listen for SIGINT and SIGTERM; a second one ends the process at once.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag unset and passes, the second finds it set.
            signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&asked))?;
            signal_hook::flag::register(signal, Arc::clone(&asked))?;
        }
        Ok(Self(asked))
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An [`Interrupted`] error once the end was asked for.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.is_asked() { Err(Interrupted.into()) } else { Ok(()) }
    }
}
