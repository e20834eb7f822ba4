//! The engine: actors that list two trees at once and record what they find.
//!
//! A folder's way: the Coordinator gives it to a Lister, the Lister sends its listing to the DB actor, the DB actor
//! gives out ids, queues the rows and tells the Coordinator which folders there are now. Nothing waits for a commit,
//! nothing polls, and everything that is under way is bounded. [`start`] and [`run`] are the front door; the actors are
//! public so that each of them can be tried alone.

mod config;
mod controller;
pub mod messages;
mod progress;
mod starting;
mod traffic;

// The actors, in the order of a folder's way.
mod coordinator;
mod db;
mod flusher;
mod lister;
mod observer;
mod open_ledger;

// How a run ends, and when something is tried again.
mod destination;
mod ending;
mod pace;
mod retry;

// How coarse the destination's times are.
mod time_step;

// The actors that carry out a plan.
mod copying;

// What Listers of the source leave out.
mod filter;

// What Listers of one side know of each other's luck.
mod health;

// What the Coordinator decides by.
mod frontier;
mod schedule;

// How they are put together.
mod engine;

pub use config::{CopyConfig, MigrationConfig, ResumeConfig, Tuning, VerifyConfig};
pub use controller::Controller;
pub use coordinator::{Coordinator, CoordinatorLinks};
pub use copying::{
    Agenda, BeginMadeFolders, Copier, CopierLinks, CopyContext, CopyCoordinator, CopyCoordinatorLinks, CopyDbActor,
    CopyDbLinks, CopyDone, CopyRun, CopySchedule, CopyWork, Done, ExpectedPulled, HardLinks, LargeFile, LargeItem,
    MadeFolders, MadeFoldersPulled, PlanPulled, PullExpected, PullMadeFolders, PullPlan, RecordCopies, Task,
    VerifySchedule,
};
pub use db::{DbActor, DbLinks};
pub use ending::{Ended, Outcome};
pub use engine::{Engine, Placement};
pub use filter::{Filter, FilterError, read_rules};
pub use flusher::{Flush, Flushed, Flusher};
pub use health::Health;
pub use lister::{Lister, ListerLinks};
pub use messages::Closed;
pub use observer::Observer;
pub use progress::{Board, CopyProgress, Progress, ProgressReader, SideProgress};
pub use retry::RetryPolicy;
pub use schedule::{Schedule, ScheduleLimits};
pub use starting::{
    Resumed, StartError, copy, copy_with_stores, refresh, resume, retry, run, settle_copy_settings, start,
    start_with_stores, verify, verify_with_stores,
};
pub use traffic::{RunTraffic, Traffic};
