//! Review: what a person looks at between discovery and copy, and the language in which nodes are chosen.
//!
//! Everything here reads. What is decided from it (exclusions, approval) is written elsewhere, with the same
//! [`Condition`](condition::Condition)s and the same idea of a path.

pub(crate) mod condition;
pub(crate) mod find;
pub(crate) mod paths;
pub(crate) mod statuses;
pub(crate) mod tree;

#[cfg(test)]
#[allow(
    clippy::cast_possible_wrap,
    clippy::manual_is_multiple_of,
    clippy::similar_names,
    reason = "numbers of nodes are small, and those of dice are remainders"
)]
mod forest;
