//! Copying: the plan carried out by Copiers.

mod messages;
mod work;

// The actors, in the order of an item's way, and what the Coordinator decides by.
mod coordinator;
mod copier;
mod db;
mod schedule;

// How they are put together.
mod engine;

// What a Copier does with one thing.
mod context;
mod file;
mod hard_links;
mod item;
mod large;
mod tree_hash;

pub use context::CopyContext;
pub use coordinator::{CopyCoordinator, CopyCoordinatorLinks};
pub use copier::{Copier, CopierLinks};
pub use db::{CopyDbActor, CopyDbLinks};
pub use engine::CopyRun;
pub use hard_links::HardLinks;
pub use messages::{BeginMadeFolders, MadeFolders, MadeFoldersPulled, PlanPulled, PullMadeFolders, PullPlan};
pub use schedule::CopySchedule;
pub use work::{CopyDone, CopyWork, Done, LargeFile, LargeItem, RecordCopies};
