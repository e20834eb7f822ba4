//! What the ledger has to say of every node, at every stage.

use std::collections::{BTreeMap, BTreeSet};

use longhaul_model::Side;

use crate::shared::ledger_snapshot::LedgerSnapshot;

/// The stages, each of them when it is over.
pub(super) const STAGES: [&str; 4] =
    ["discovered with faults", "copied with faults", "repaired and swept", "copied in the end"];

/// Not in the ledger.
const ABSENT: &str = "-";

/// Traversal status and copy status of each source node after each stage.
#[rustfmt::skip]
const SOURCE: [(&str, [&str; 4]); 14] = [
    ("/",                  ["successful already_existed", "successful already_existed", "successful already_existed", "successful already_existed"]),
    ("/both",              ["failed already_existed",     "failed already_existed",     "successful already_existed", "successful already_existed"]),
    ("/both/same",         [ABSENT,                       ABSENT,                       "successful already_existed", "successful already_existed"]),
    ("/both/older",        [ABSENT,                       ABSENT,                       "successful pending",         "successful successful"]),
    ("/both/newer",        [ABSENT,                       ABSENT,                       "successful skipped",         "successful skipped"]),
    ("/both/deep",         [ABSENT,                       ABSENT,                       "successful already_existed", "successful already_existed"]),
    ("/both/deep/only a",  [ABSENT,                       ABSENT,                       "successful pending",         "successful successful"]),
    ("/both/empty",        [ABSENT,                       ABSENT,                       "successful already_existed", "successful already_existed"]),
    ("/only a",            ["failed pending",             "failed successful",          "successful successful",      "successful successful"]),
    ("/only a/inner",      [ABSENT,                       ABSENT,                       "successful pending",         "successful successful"]),
    ("/only a/inner/file", [ABSENT,                       ABSENT,                       "successful pending",         "successful successful"]),
    ("/only a/empty",      [ABSENT,                       ABSENT,                       "successful pending",         "successful successful"]),
    ("/file of both",      ["successful already_existed", "successful already_existed", "successful already_existed", "successful already_existed"]),
    ("/file of a",         ["successful pending",         "successful failed",          "successful pending",         "successful successful"]),
];

/// Traversal status of each destination node after each stage. What only the destination has is not descended into; what
/// the copy makes there is known when a sweep looks into it.
#[rustfmt::skip]
const DESTINATION: [(&str, [&str; 4]); 15] = [
    ("/",                  ["successful",  "successful",  "successful",  "successful"]),
    ("/both",              ["failed",      "failed",      "successful",  "successful"]),
    ("/both/same",         [ABSENT,        ABSENT,        "successful",  "successful"]),
    ("/both/older",        [ABSENT,        ABSENT,        "successful",  "successful"]),
    ("/both/newer",        [ABSENT,        ABSENT,        "successful",  "successful"]),
    ("/both/deep",         [ABSENT,        ABSENT,        "successful",  "successful"]),
    ("/both/deep/only b",  [ABSENT,        ABSENT,        "not_on_src",  "not_on_src"]),
    ("/both/empty",        [ABSENT,        ABSENT,        "successful",  "successful"]),
    ("/both/only b",       [ABSENT,        ABSENT,        "not_on_src",  "not_on_src"]),
    ("/both/only b/file",  [ABSENT,        ABSENT,        ABSENT,        ABSENT]),
    ("/only a",            [ABSENT,        ABSENT,        "successful",  "successful"]),
    ("/only b",            ["not_on_src",  "not_on_src",  "not_on_src",  "not_on_src"]),
    ("/only b/empty",      [ABSENT,        ABSENT,        ABSENT,        ABSENT]),
    ("/file of both",      ["successful",  "successful",  "successful",  "successful"]),
    ("/file of b",         ["not_on_src",  "not_on_src",  "not_on_src",  "not_on_src"]),
];

/// What is among the problems after each stage. The verification reads both sides, and so cannot say that the file of
/// both is the same; it is a problem until it is verified again.
pub(super) const PROBLEMS: [&[&str]; 4] = [
    &["dst:/both blocked", "src:/both denied", "src:/only a denied"],
    &[
        "dst:/both blocked",
        "dst:/file of both different",
        "src:/both denied",
        "src:/file of a denied",
        "src:/only a denied",
    ],
    &["dst:/file of both different"],
    &[],
];

/// Nodes that are to be copied after the sweep.
pub(super) const APPROVED: u64 = 6;

/// Every node that is in the table or in the ledger, with what the one and the other say of it.
pub(super) fn compare(ledger: &LedgerSnapshot, side: Side, stage: usize) -> Vec<(String, &'static str, String)> {
    let table: &[(&str, [&'static str; 4])] = if side == Side::Source { &SOURCE } else { &DESTINATION };
    let due: BTreeMap<&str, &'static str> = table.iter().map(|(path, stages)| (*path, stages[stage])).collect();
    let mut found: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for row in &ledger.rows[side] {
        let copy = row.node.copy.map(|copy| format!(" {copy}")).unwrap_or_default();
        found.entry(&row.node.path).or_default().push(format!("{}{copy}", row.node.traversal));
    }
    let paths: BTreeSet<&str> = due.keys().chain(found.keys()).copied().collect();
    let both = paths.into_iter().map(|path| {
        let found = found.get(path).map_or(ABSENT.to_owned(), |statuses| statuses.join(" and "));
        (path.to_owned(), due.get(path).copied().unwrap_or(ABSENT), found)
    });
    both.collect()
}
