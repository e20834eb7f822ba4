//! Copying: the plan carried out by Copiers.

mod messages;
mod work;

// The actors, in the order of an item's way, and what the Coordinator decides by.
mod coordinator;
mod copier;
mod db;
mod schedule;
mod verify_schedule;

// How they are put together.
mod engine;

// One item's way, from the plan to the outcome.
mod story;

mod non_files;
mod parts;

// What is decided on that way, and the steps of it.
mod attributes;
mod contents;
mod context;
mod hard_links;
mod keep_both;
mod placement;
mod reasons;
mod transfer;
mod tree_hash;

// Verification of a batch.
mod verification;

pub use context::CopyContext;
pub use coordinator::{Agenda, CopyCoordinator, CopyCoordinatorLinks};
pub use copier::{Copier, CopierLinks};
pub use db::{CopyDbActor, CopyDbLinks};
pub use engine::{CopyRun, Task};
pub use hard_links::HardLinks;
pub use messages::{
    BeginMadeFolders, ExpectedPulled, MadeFolders, MadeFoldersPulled, PlanPulled, PullExpected, PullMadeFolders,
    PullPlan,
};
pub use schedule::CopySchedule;
pub use verify_schedule::VerifySchedule;
pub use work::{CopyDone, CopyWork, Done, LargeFile, LargeItem, RecordCopies};
