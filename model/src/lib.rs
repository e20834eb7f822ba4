//! The words of Longhaul as types: what a migration is made of, independent of any store, ledger or runtime.
//!
//! Everything here is a value or a pure function. The status tables are functions that say which change is allowed;
//! whoever changes a status goes through them.

// What cannot fail says why: `expect`.
#![cfg_attr(not(test), deny(clippy::unwrap_used))]

// What a tree is made of.
mod name;
mod node;
mod page;
mod side;

// How far a migration and its nodes have come.
mod call_class;
mod error_class;
mod phase;
mod reason;
mod status;

// What somebody chose.
mod comparison;
mod plan;
mod verify_level;

// Words, numbers, sizes and durations as text.
pub mod human;
mod words;

pub use call_class::CallClass;
pub use comparison::{CompareBy, Comparison, FileFacts};
pub use error_class::ErrorClass;
pub use name::{
    SHOWN_END_CHARACTERS, SHOWN_PATH_CHARACTERS_MAX, UnreadableName, child_path, decode_name, encode_name, harmless,
    is_at_or_below, shown_path,
};
pub use node::{FIRST_NODE_ID, NodeId, NodeKind};
pub use page::{Page, PageEntry};
pub use phase::Phase;
pub use plan::{ConflictPolicy, PlanAction, PolicyVerdict};
pub use reason::{REASON_SEPARATOR, Reason, ReasonCode, UnreadableReason};
pub use side::{BySide, Side};
pub use status::{CopyChange, CopyStatus, ForbiddenTransition, TraversalChange, TraversalStatus};
pub use verify_level::VerifyLevel;
pub use words::UnknownWord;
