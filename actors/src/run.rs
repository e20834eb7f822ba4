//! The front door: one function for each thing that a run can do. Each takes its configuration, refuses what can be known
//! beforehand to fail, and begins the run in the background.

mod copying;
mod discovery;
mod verification;

use std::time::Duration;

use longhaul_ledger::{DiscoverWriter, LedgerError, Marked, MigrationSpec, ToList};
use longhaul_model::{BySide, Phase, Side};
use longhaul_storage::{Location, OpenOptions, open_pair};

pub use self::copying::{copy, retry, settle_copy_settings};
pub use self::discovery::{discover, refresh, resume};
pub use self::verification::verify;
use crate::config::{OpenStores, Tuning};
use crate::controller::{Controller, launch};
use crate::engine::{Engine, Placement, Run, Task};
use crate::filter::Filter;
use crate::start_error::StartError;
use crate::work::Schedule;

/// What came of starting a run.
#[derive(Debug)]
pub enum Resumed {
    /// It is under way.
    Running(Controller),
    /// It had come to its end before, in this phase.
    NothingToDo(Phase),
    /// What was marked for retry is to be done, along with other things that nobody has approved: that comes first.
    ToApprove(Marked),
}

/// The stores that the ledger names, unless they are open already.
fn open_stores(spec: &MigrationSpec, open: Option<&OpenStores>, tuning: &Tuning) -> Result<OpenStores, StartError> {
    open.map_or_else(|| open_recorded_pair(spec, tuning.give_up_after), |stores| Ok(stores.clone()))
}

/// The task of listing what there is to be listed.
fn traverse(writer: DiscoverWriter, to_list: ToList, filter: Option<Filter>, tuning: &Tuning) -> Task {
    Task::Traverse { writer, schedule: Schedule::new(tuning.into(), to_list), filter }
}

/// Runs the engine in the background.
fn begin(stores: OpenStores, task: Task, tuning: Tuning) -> Result<Resumed, StartError> {
    let run = Run { stores, task };
    Ok(Resumed::Running(launch(move |latest| Engine::start(run, &tuning, latest, Placement::Threads))?))
}

fn open_recorded_pair(spec: &MigrationSpec, give_up_after: Option<Duration>) -> Result<OpenStores, StartError> {
    let location = |text: &str| {
        Location::from_recorded(text).map_err(|error| LedgerError::Inconsistent(format!("location {text}: {error}")))
    };
    let locations = BySide { src: location(&spec.source)?, dst: location(&spec.destination)? };
    let options = OpenOptions { create_destination: false, one_file_system: spec.settings.one_file_system };
    let opened = open_pair(&locations, options, give_up_after)?;
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
