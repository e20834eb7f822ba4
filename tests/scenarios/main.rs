//! The scenarios, through the program.

mod copy;
mod elsewhere;
mod place;
mod sweep;
