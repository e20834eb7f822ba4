//! What each fuzz target asserts: one module a target, each with a `check` that panics where a property does not hold.
//!
//! `targets/` has the programs for libFuzzer, `corpus/` what they begin with, and `tests/corpus.rs` runs all of that
//! through the same functions without a fuzzer.

pub mod conditions;
pub mod filters;
pub mod ledgers;
pub mod listings_s3;
pub mod listings_sftp;
pub mod listings_webdav;
pub mod locations;
pub mod names;
pub mod spectra_configs;

mod listings;
mod pieces;
