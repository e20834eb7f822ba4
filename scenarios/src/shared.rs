//! What the scenarios have in common, in the order in which a run uses it.

// Where it happens, and what is said about it.
pub(crate) mod notes;
pub(crate) mod report;
pub(crate) mod scratch;
pub(crate) mod stage;
pub(crate) mod steps;

// Bringing it about.
pub(crate) mod copying;
pub(crate) mod last_word;
pub(crate) mod local_trees;
pub(crate) mod maker;
pub(crate) mod migration;
pub(crate) mod program;
pub(crate) mod random;
pub(crate) mod served;
pub(crate) mod simulated;
pub(crate) mod simulated_world;
pub(crate) mod simulator;
pub(crate) mod trace;

// What has to come out, found out independently.
pub(crate) mod contents;
pub(crate) mod copied;
pub(crate) mod expectation;
pub(crate) mod local_tree;
pub(crate) mod node;
pub(crate) mod refusing;
pub(crate) mod snapshot;
pub(crate) mod tree;

// What did come out.
pub(crate) mod ledger_rows;
pub(crate) mod ledger_snapshot;
pub(crate) mod verification;

// All of it for two worlds of the simulator.
pub(crate) mod worlds;

// All of it for two worlds whose faults come and go.
pub(crate) mod trial;
