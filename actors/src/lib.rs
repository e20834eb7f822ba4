//! The engine: actors that list two trees, copy what the plan says, verify it, and record all of that in the ledger.
//!
//! A run is driven by the Coordinator, whatever its work is: it assigns batches to workers. A worker sends what it found
//! or did to the ledger actor, which records it and tells the Coordinator. A folder takes four messages: Coordinator →
//! Lister → ledger actor → Coordinator, and Lister → Coordinator when the batch is finished. Nothing waits for a commit
//! of listings, nothing polls, and everything that is under way is bounded.
//!
//! [`discover`], [`resume`], [`refresh`], [`retry`], [`copy`] and [`verify`] are the front door. A [`Controller`] watches
//! the run, stops it and waits for its end.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

// The front door: what is asked for, and what one can do with a run.
mod config;
mod controller;
mod run;
mod start_error;

// A run: its actors, put together.
mod engine;

// What actors say to each other.
mod messages;

// The one that decides, the end of a run, and what a run is about.
mod coordinator;
mod ending;
mod work;

// Those that do it.
mod copying;
mod worker;

// The one that records it.
mod flusher;
mod ledger_actor;

// Failures: what is retried, given up or suspended.
mod attempts;
mod health;

// What is excluded of the source.
mod filter;

// The destination before the first byte is copied.
mod destination;
mod time_step;

// How many calls a store gets.
mod pace;

// What a run shows of itself.
mod observer;
mod progress;
mod traffic;

/// What the fuzz targets in `fuzz/` call of private code.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    pub use crate::filter::{Filter, FilterError};
}

pub use config::{CopyConfig, MigrationConfig, RefreshConfig, ResumeConfig, Tuning, VerifyConfig};
pub use controller::{Backups, Controller};
pub use ending::{Ended, Outcome};
pub use engine::{Engine, Placement, Run, Task};
pub use filter::read_rules;
pub use messages::Interrupt;
pub use progress::{CopyProgress, Progress, ProgressReader, SideProgress};
pub use run::{Resumed, copy, discover, refresh, resume, retry, settle_copy_settings, verify};
pub use start_error::StartError;
pub use work::{Schedule, ScheduleLimits};
