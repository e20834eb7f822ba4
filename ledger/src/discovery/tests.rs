//! Writing a discovery, mostly on a database in memory.

mod answers;
mod durability;
mod left_out;
mod random_trees;
mod recovery;
mod statuses;

use std::path::{Path, PathBuf};

use longhaul_model::ErrorClass;

use super::*;
use crate::error::LedgerError;
use crate::listing::{FoundFolders, NAMED_FOLDERS_MAX};
use crate::migration::{MigrationSpec, Settings};
use crate::recent::RecentListings;
use crate::testing::{
    Seen, TOLERANCE_NS, as_after_a_crash, discover, failure, listed, on_disk, open, page, record, root, some_time_ns,
    spec,
};
use crate::{Reader, Resources};

/// One whose traversal has begun, on a database in memory.
fn in_memory() -> DiscoverWriter {
    DiscoverWriter::in_memory(&spec())
}

impl DiscoverWriter {
    /// So that what comes next is matched by the join.
    fn forget_recent(&mut self) {
        self.recent = RecentListings::default();
    }
}
