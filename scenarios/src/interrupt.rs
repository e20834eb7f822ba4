//! Asking a scenario to stop. Every part of it looks from time to time whether somebody did.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the end was asked for. A handle: clones are the same. By default nobody asks.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks for the end, at the next safe point.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// An [`Interrupted`] error once the end was asked for.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        if self.is_asked() { Err(Interrupted::default().into()) } else { Ok(()) }
    }
}

/// Somebody asked for the end. Not a failure: the run can be gone on with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupted {
    /// What there is by now, where that is known.
    pub(crate) so_far: Option<String>,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}
