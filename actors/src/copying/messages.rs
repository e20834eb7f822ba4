//! What Coordinator and DB actor say to each other while the plan is carried out.

use std::ops::Range;

use actix::Message;
use longhaul_ledger::{ExpectedBatch, MadeFolder, PlanBatch};

/// Coordinator → DB actor: which items of the plan have source ids in this range?
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct PullPlan {
    /// The ids.
    pub ids: Range<i64>,
}

/// DB actor → Coordinator: the answer to [`PullPlan`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct PlanPulled {
    /// The ids that were asked for.
    pub ids: Range<i64>,
    /// In id order.
    pub batches: Vec<PlanBatch>,
}

/// Coordinator → DB actor: what has to be at the destination of source ids in this range?
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct PullExpected {
    /// The ids.
    pub ids: Range<i64>,
}

/// DB actor → Coordinator: the answer to [`PullExpected`].
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ExpectedPulled {
    /// The ids that were asked for.
    pub ids: Range<i64>,
    /// In id order.
    pub batches: Vec<ExpectedBatch>,
}

/// Coordinator → DB actor: everything is copied; among which ids are the folders that were made?
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct BeginMadeFolders;

/// DB actor → Coordinator: the answer to [`BeginMadeFolders`]: source ids.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct MadeFolders(pub Range<i64>);

/// Coordinator → DB actor: which folders that were made have source ids in this range?
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct PullMadeFolders {
    /// The ids.
    pub ids: Range<i64>,
}

/// DB actor → Coordinator: the answer to [`PullMadeFolders`], with printable paths, in id order.
#[derive(Clone, Debug, Message)]
#[rtype(result = "()")]
pub struct MadeFoldersPulled(pub Vec<MadeFolder>);
