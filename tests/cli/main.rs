//! The program as a user sees it: what is typed, what comes out, what is left behind.

mod bad_input;
mod changed;
mod coarse_times;
mod copy;
mod copy_bad_input;
mod discover;
mod durable;
mod filter;
mod full_destination;
mod lint;
mod migrate;
mod mounted;
mod other_migration;
mod plan;
mod program;
mod refresh;
mod refused_names;
mod repair;
mod report;
mod resume;
mod review;
mod review_read;
mod status;
mod swapped;
mod unprivileged;
mod verify;
