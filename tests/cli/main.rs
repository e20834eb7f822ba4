//! The program as a user sees it: what is typed, what comes out, what is left behind.

mod bad_input;
mod copy;
mod copy_bad_input;
mod discover;
mod migrate;
mod plan;
mod program;
mod repair;
mod resume;
mod status;
mod verify;
