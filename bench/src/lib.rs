//! Side-by-side runs of Longhaul against what people use today, and runs of it that are killed.
//!
//! Knows the binary only: what is measured is what a user gets, start-up, ledger and exit included. So nothing of the
//! engine is linked here, and a figure cannot be flattered by calling an inner function directly. Linux only, as
//! the peers' command lines are.

mod cli;

// One file a command.
mod copy;
mod discover;
mod review;
mod stores;
pub mod torture;

// What commands share.
mod interrupt;
mod longhaul;
mod odd_names;
mod scratch;
mod setting;

// What `discover`, `copy`, `review` and `stores` are made of.
mod amount;
mod measure;
mod peers;
mod report;
mod trees;

pub use cli::main;
pub use interrupt::Interrupt;
