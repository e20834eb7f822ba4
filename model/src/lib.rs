//! The words of Longhaul as types: what a migration is made of, independent of any store, ledger or runtime.
//!
//! Everything here is a value or a pure function. The status tables are functions that say which change is allowed;
//! whoever changes a status goes through them.

mod comparison;
mod error_class;
mod name;
mod node;
mod page;
mod phase;
mod plan;
mod reason;
mod side;
mod status;
mod verify_level;

pub use comparison::{CompareBy, Comparison, FileFacts};
pub use error_class::{ErrorClass, UnknownErrorClass};
pub use name::{
    SHOWN_PATH_CHARACTERS_MAX, UnreadableName, child_path, decode_name, encode_name, encode_name_into, shown_path,
};
pub use node::{FIRST_NODE_ID, NodeId, NodeKind, UnknownNodeKind};
pub use page::{Page, PageEntry};
pub use phase::{Phase, UnknownPhase};
pub use plan::{ConflictPolicy, PlanAction, PolicyVerdict, UnknownPlanAction};
pub use reason::{REASON_SEPARATOR, Reason, ReasonCode, UnreadableReason};
pub use side::{BySide, Side};
pub use status::{CopyChange, CopyStatus, ForbiddenTransition, TraversalChange, TraversalStatus};
pub use verify_level::VerifyLevel;
