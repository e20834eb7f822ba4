//! Spectra: a simulated file system, so that a migration can be tried at any size, with any fault, without any disk.
//!
//! A configuration describes a tree; every folder's children, their sizes, times and contents are computed from it
//! when asked for, and are always the same. Several *worlds* share that tree: `primary` has everything, the others a
//! seeded part of it. What is written into a world is kept, and overrides what is computed. Faults, limits and
//! latencies are part of the configuration too, and are seeded like the rest. Nothing here sleeps or looks at a
//! clock: the caller says what time it is, and is told how long an operation would have taken. Only the server in
//! [`http`] has a clock, and takes as long as it says.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

mod error;

// What a tree is to be like, as people write it.
mod config;

// How it is computed.
mod content;
mod fan_out;
mod generator;
mod mixing;
mod names;

// What was written into it.
mod kept;

// What goes wrong with it.
mod chaos;
mod fault;

// What is asked of it.
mod census;
mod listing;
mod path;
mod simulator;
mod state;
mod world;

// The same for others, who are somewhere else.
pub mod http;

pub use census::DepthCounts;
pub use config::{
    BackoffConfig, BandwidthConfig, ChaosConfig, Config, ConfigError, FaultRule, LatencyConfig, Mode, PRIMARY_WORLD,
    PacketLossConfig, RateConfig, RateLimits, SeedConfig,
};
pub use error::SpectraError;
pub use fault::{Fault, FaultClass, Operation, OperationFilter, Reply};
pub use generator::{CREATED_FOLDER_MODIFIED_NS, MODIFIED_BEFORE_NS, MODIFIED_FROM_NS};
pub use listing::{Entry, Listing, ListingPage, NodeInfo, NodeKind};
pub use simulator::Spectra;
pub use world::{FileWriter, World};
