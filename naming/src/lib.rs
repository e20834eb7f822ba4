//! Which names a destination refuses, or takes for one another, and what they could be called instead.
//!
//! Pure functions over names, which are bytes: no store, ledger or runtime is known here. What each kind of destination
//! has against a name is a [`RuleSet`]; what a name is at odds with is [`Broken`]; which names are one to it is a matter of
//! [`RuleSet::fold`]; and [`RuleSet::candidate`] gives names that it takes.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

// What a destination has against names, and what a name is at odds with.
mod rule_set;

mod broken;

// Which names are one to it.
mod fold;

// What a name could be instead.
mod proposal;

pub use broken::{Broken, Rule};
pub use fold::is_same_normalised;
pub use proposal::ATTEMPTS_MAX;
pub use rule_set::{Length, RuleSet, Unit, UnknownRuleSet};

/// What else of a node than its name is of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Whether it is a folder.
    pub is_folder: bool,
    /// Whether it is in the root of the destination.
    pub is_in_root: bool,
}

#[cfg(test)]
mod tests;
