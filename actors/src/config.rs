//! What a migration is given to run with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use longhaul_ledger::{Approving, CopyChoices, CopySettings, FilterRule, Log, Resources};
use longhaul_model::{BySide, CompareBy, ConflictPolicy, VerifyLevel};
use longhaul_storage::{Location, OpenOptions, Store};

/// Source and destination, open.
pub(crate) type OpenStores = BySide<Arc<dyn Store>>;

/// A migration: what it is about, and how it is to be run.
#[derive(Clone, Debug)]
pub struct MigrationConfig {
    /// Source and destination, as somebody typed them.
    pub locations: BySide<Location>,
    /// Both stores, where they are open already; otherwise they are opened by their locations.
    pub stores: Option<OpenStores>,
    /// The ledger's file. It must not exist.
    pub ledger: PathBuf,
    /// How the stores are opened.
    pub open: OpenOptions,
    /// When a file on the destination counts as the same, if not as usual.
    pub compare: Option<CompareBy>,
    /// What is done about one that does not, if not what is usual.
    pub on_conflict: Option<ConflictPolicy>,
    /// Whether what the destination has may be copies by a migration whose ledger is lost.
    pub adopt: bool,
    /// How files are copied, where that is chosen already.
    pub copying: Option<CopySettings>,
    /// What is left out of the source, by the last rule that fits.
    pub filter: Vec<FilterRule>,
    /// How it is run.
    pub tuning: Tuning,
}

/// A migration that is to go on where it was.
#[derive(Clone, Debug)]
pub struct ResumeConfig {
    /// The ledger's file.
    pub ledger: PathBuf,
    /// Whether the ledger's log has been probed.
    pub log: Log,
    /// What somebody typed, where they typed it: must be what the ledger is about.
    pub locations: BySide<Option<Location>>,
    /// Asked for although the migration may have begun without it: must be what it began with.
    pub one_file_system: bool,
    /// What somebody typed, as above.
    pub compare: Option<CompareBy>,
    /// What somebody typed, as above.
    pub on_conflict: Option<ConflictPolicy>,
    /// What somebody typed, as above; empty where nothing was.
    pub filter: Vec<FilterRule>,
    /// How it is run.
    pub tuning: Tuning,
}

/// A delta pass over what was discovered.
#[derive(Clone, Debug)]
pub struct RefreshConfig {
    /// The ledger's file.
    pub ledger: PathBuf,
    /// Whether the ledger's log has been probed.
    pub log: Log,
    /// The printable path of the source folder to list again, with everything below it; the root, if `None`.
    pub under: Option<String>,
    /// How it is run.
    pub tuning: Tuning,
}

/// A copy of what the plan says.
#[derive(Clone, Debug)]
pub struct CopyConfig {
    /// The ledger's file.
    pub ledger: PathBuf,
    /// Whether the ledger's log has been probed.
    pub log: Log,
    /// Whether a copy that was begun is to go on.
    pub resume: bool,
    /// How files are copied. A migration for which that was chosen before has to agree.
    pub choices: CopyChoices,
    /// Begin although the destination says that it has no room for all of it.
    pub force: bool,
    /// Begin although the destination would refuse names, or take some for one another: what has them fails by itself.
    pub ignore_names: bool,
    /// How it comes by the approval of the plan.
    pub approving: Approving,
    /// Both stores, where they are open already; otherwise they are opened by their locations.
    pub stores: Option<OpenStores>,
    /// How it is run.
    pub tuning: Tuning,
}

/// A verification of what is at the destination.
#[derive(Clone, Debug)]
pub struct VerifyConfig {
    /// The ledger's file.
    pub ledger: PathBuf,
    /// Whether the ledger's log has been probed.
    pub log: Log,
    /// Whether a verification that was begun is to go on; otherwise everything is looked at anew.
    pub resume: bool,
    /// How closely it is looked; a verification that was begun goes on as it was begun.
    pub level: VerifyLevel,
    /// Both stores, where they are open already; otherwise they are opened by their locations.
    pub stores: Option<OpenStores>,
    /// How it is run.
    pub tuning: Tuning,
}

/// How a migration is run: nothing here changes what comes out of it.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Listers of each side; by default as many as the store likes.
    pub workers: Option<usize>,
    /// Copiers; by default as many as the stores like.
    pub copiers: Option<usize>,
    /// Results that are on their way from the Copiers into the ledger, or wait for the destination to be durable.
    pub results_under_way_max: usize,
    /// Attempts for a folder whose listing fails for a reason that may pass.
    pub attempts_max: u32,
    /// The first pause between two attempts; each one after it is twice as long, up to [`Tuning::pause_max`].
    pub pause_first: Duration,
    /// The longest pause between two attempts.
    pub pause_max: Duration,
    /// Seed of the pauses' jitter.
    pub jitter_seed: u64,
    /// How far the source may run ahead of the destination, in nodes.
    pub lead_nodes_max: i64,
    /// Folders of one side that wait in memory to be given out; more are left in the ledger until their turn comes.
    pub frontier_folders_max: usize,
    /// Folders of one side that are in the hands of Listers, or recorded and not answered yet.
    pub in_flight_folders_max: usize,
    /// Entries that are on their way from the Listers to the ledger actor.
    pub entries_under_way_max: usize,
    /// What is recorded becomes durable after this time at the latest.
    pub commit_interval: Duration,
    /// The run is suspended when a store has answered with nothing but transient errors for so long; `None` for never.
    pub give_up_after: Option<Duration>,
    /// How long work in flight may take to come to an end after an interrupt.
    pub grace: Duration,
    /// Calls of one kind that a store behind a network is asked for at a time, at most; otherwise it is found out.
    pub max_concurrency: Option<usize>,
    /// Calls of one kind that it is asked for a second, at most.
    pub max_rate: Option<f64>,
    /// Bytes that are read of all files in a second, at most.
    pub bandwidth: Option<f64>,
    /// What the ledger may take of the machine.
    pub resources: Resources,
}

impl Default for Tuning {
    fn default() -> Self {
        Tuning {
            workers: None,
            copiers: None,
            results_under_way_max: 262_144,
            attempts_max: 5,
            pause_first: Duration::from_millis(100),
            pause_max: Duration::from_secs(10),
            jitter_seed: 0,
            lead_nodes_max: 200_000,
            frontier_folders_max: 65_536,
            in_flight_folders_max: 4_096,
            entries_under_way_max: 65_536,
            commit_interval: Duration::from_millis(500),
            give_up_after: Some(Duration::from_mins(5)),
            grace: Duration::from_secs(10),
            max_concurrency: None,
            max_rate: None,
            bandwidth: None,
            resources: Resources::default(),
        }
    }
}
