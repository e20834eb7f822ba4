//! Filters given before discovery, as a migration keeps them: what was typed, and where.
//!
//! What the rules mean is the business of whoever lists. The ledger has their texts, so that every later run goes by the
//! same ones, and so that each node that was left out says by which.

use longhaul_model::{Reason, ReasonCode};

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
}

impl FilterRule {
    /// The reason of a node that it excludes.
    pub fn reason(&self, is_folder: bool) -> Reason {
        let code = if is_folder { ReasonCode::FilteredFolder } else { ReasonCode::Filter };
        Reason::new(code, [&self.from, &self.text])
    }
}
