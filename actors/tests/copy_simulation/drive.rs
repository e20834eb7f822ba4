//! One run of the engine, on one thread and on a clock that stands still while there is something to do.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use longhaul_actors::{Engine, Interrupt, Outcome};
use longhaul_model::BySide;
use longhaul_storage::Store;

use super::calls::{AtCall, Calls, Left};
use super::files::copy_ledger;
use super::scenario::{Disturbance, Moment, RunPlan};
use super::store::SimulatedStore;
use super::world::World;

/// Simulated time after which a run is taken to be stuck. It takes a few seconds of real time to get there.
const STUCK_AFTER: Duration = Duration::from_hours(1);

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Driven {
    /// `None` where it was killed: then it tells nothing, and its ledger has been copied.
    pub(crate) outcome: Option<Outcome>,
    pub(crate) left: Left,
}

/// Runs the engine in a world, as planned. Where it is killed, its ledger is copied as it is then, for the next run.
pub(crate) fn drive(
    world: World,
    plan: &RunPlan,
    ledger: &Path,
    next_ledger: &Path,
    start: impl FnOnce(&BySide<Arc<dyn Store>>) -> Engine,
) -> Driven {
    let (moment, kill) = match plan.disturbance {
        None => (None, None),
        Some(Disturbance::Interrupt(at)) => (Some(at), None),
        Some(Disturbance::Kill(at, kill)) => (Some(at), Some(kill)),
        Some(Disturbance::KillAtOnce) => unreachable!("the engine is not started"),
    };
    let at_call = match moment {
        Some(Moment::AtCall(call)) => {
            Some(AtCall { call, kill: kill.map(|kill| (kill, ledger.to_owned(), next_ledger.to_owned())) })
        }
        Some(Moment::AtTime(_)) | None => None,
    };
    let natures = world.natures;
    let calls = Arc::new(Calls::new(world, at_call, plan.changes.clone()));
    let stores = BySide::from_fn(|side| {
        let store: Arc<dyn Store> = Arc::new(SimulatedStore { side, nature: natures[side], calls: calls.clone() });
        store
    });
    // The time that a system begins with is a part of what happens when: it must not be the real one.
    let system = actix::System::with_tokio_rt(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime can be made")
    });
    let outcome = system.block_on(async {
        let engine = start(&stores);
        let coordinator = engine.coordinator.clone();
        let has_come = async {
            match moment {
                Some(Moment::AtCall(_)) => calls.reached.notified().await,
                Some(Moment::AtTime(time)) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        let mut ended = std::pin::pin!(tokio::time::timeout(STUCK_AFTER, engine.join()));
        let told = tokio::select! {
            biased;
            told = &mut ended => Some(told),
            () = has_come => None,
        };
        let told = match told {
            None if kill.is_none() => {
                coordinator.do_send(Interrupt);
                Some(ended.await)
            }
            told => told,
        };
        told.map(|told| told.expect("it is not stuck").expect("it says how it ended"))
    });
    // It may have come to its end before anybody noticed that it was killed.
    let outcome = outcome.filter(|_| !calls.was_killed());
    // A process that ends does not tidy up what is still running.
    let left = calls.left();
    if outcome.is_none() && !matches!(moment, Some(Moment::AtCall(_))) {
        copy_ledger(ledger, next_ledger);
    }
    drop(system);
    Driven { outcome, left }
}
