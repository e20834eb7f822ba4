//! The front door: what has to be so before anything is done, for each thing that a run can do, and its beginning.

mod copying;
mod error;
mod traversal;
mod verification;

use std::sync::Arc;

use longhaul_ledger::{LedgerError, Marked, MigrationSpec};
use longhaul_model::{BySide, Phase, Side};
use longhaul_storage::{Location, OpenOptions, Store, open_pair};

pub use self::copying::{copy, copy_with_stores, retry, settle_copy_settings};
pub use self::error::StartError;
pub use self::traversal::{refresh, resume, run, start, start_with_stores};
pub use self::verification::{verify, verify_with_stores};
use crate::controller::Controller;

/// What became of the wish to go on with a migration.
#[derive(Debug)]
pub enum Resumed {
    /// It goes on.
    Running(Controller),
    /// It had come to its end before, in this phase.
    NothingToDo(Phase),
    /// What was marked for retry is to be done, along with other things that nobody has approved: that comes first.
    ToApprove(Marked),
}

fn open_recorded_pair(spec: &MigrationSpec) -> Result<BySide<Arc<dyn Store>>, StartError> {
    let location = |text: &str| {
        Location::from_recorded(text).map_err(|error| LedgerError::Inconsistent(format!("location {text}: {error}")))
    };
    let locations = BySide { src: location(&spec.source)?, dst: location(&spec.destination)? };
    let options = OpenOptions { create_destination: false, one_file_system: spec.settings.one_file_system };
    let opened = open_pair(&locations, options)?;
    for side in Side::BOTH {
        let (recorded, now) = (&locations[side], &opened[side].0);
        if now != recorded {
            let (recorded, now) = (recorded.to_string(), now.to_string());
            return Err(StartError::Elsewhere { side, recorded, now });
        }
    }
    let BySide { src: (_, src), dst: (_, dst) } = opened;
    Ok(BySide { src, dst })
}
