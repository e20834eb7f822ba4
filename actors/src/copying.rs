//! Copying: how Copiers carry out the plan and verify it.

mod work;

mod copier;

// One item's way, from the plan to the outcome.
mod story;

mod non_files;
mod parts;

// What is decided on that way, and the steps of it.
mod attributes;
mod contents;
mod context;
mod folders;
mod hard_links;
mod keep_both;
mod linking;
mod placement;
mod reasons;
mod transfer;
mod tree_hash;

// Verification of a batch.
mod verification;

pub(crate) use context::{Attempted, CopyContext};
pub(crate) use copier::Copier;
pub(crate) use hard_links::HardLinks;
pub(crate) use work::{CopyReport, CopyWork, LargeFile, LargeItem, first_id};
