//! Filters given before discovery, as a migration keeps them: what was typed, and where.
//!
//! What the rules mean is the business of whoever lists. The ledger has their texts, so that every later run goes by the
//! same ones, and so that each node that was left out says by which.

use std::collections::HashSet;

/// The rules that a migration lists by, all through.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterSettings {
    /// In the order in which they were given: the last one that fits a node decides.
    pub rules: Vec<FilterRule>,
    /// When they were given, in nanoseconds since 1970: what `30d ago` counts from, in every run.
    pub at_ns: i64,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterRule {
    /// Where it was given: `FILE:LINE`, or an option.
    pub from: String,
    /// The rule itself.
    pub text: String,
}

impl FilterSettings {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Everything that these rules give as the reason for leaving something out.
    pub(crate) fn reasons(&self) -> HashSet<String> {
        self.rules.iter().flat_map(|rule| [rule.reason(false), rule.reason(true)]).collect()
    }
}

impl FilterRule {
    /// What is said of a node that it leaves out.
    pub fn reason(&self, is_folder: bool) -> String {
        let FilterRule { from, text } = self;
        if is_folder { format!("filter {from}: {text} (not listed)") } else { format!("filter {from}: {text}") }
    }
}
