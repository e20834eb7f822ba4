//! What a user of the simulator sees, by theme. One program, so that it is linked once.

mod chaos;
mod configuration;
mod counting;
mod golden;
mod over_http;
mod purity;
mod setup;
mod worlds;
mod writes;
mod writes_over_restarts;
