//! The scenarios, through the program.

mod copy;
mod place;
mod sweep;
