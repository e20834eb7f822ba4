//! The program as a user sees it: what is typed, what comes out, what is left behind.

mod bad_input;
mod discover;
mod program;
mod repair;
mod resume;
mod status;
