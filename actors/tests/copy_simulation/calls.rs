//! All calls to both stores of one run, as one sequence, at any place of which something may happen.

use std::path::PathBuf;
use std::time::Duration;

use longhaul_storage::StoreError;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::changes::Change;
use super::files::{copy_ledger, log_bytes, tear_log};
use super::world::{Call, World};

/// How a process is killed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kill {
    /// While the ledger's log was being written, which lost its end.
    pub(crate) is_torn: bool,
    /// Along with the machine.
    pub(crate) cuts_power: bool,
}

/// Something that happens to a run when it has made so many calls.
#[derive(Debug)]
pub(crate) struct AtCall {
    pub(crate) call: usize,
    /// With the ledger, and where it is copied to; `None` where the run is interrupted.
    pub(crate) kill: Option<(Kill, PathBuf, PathBuf)>,
}

/// The calls of one run, to a world that changes with them.
#[derive(Debug)]
pub(crate) struct Calls {
    state: Mutex<State>,
    /// Told when it has happened.
    pub(crate) reached: Notify,
}

#[derive(Debug)]
struct State {
    world: World,
    made: Vec<Call>,
    /// What was given its name on the destination.
    placed: Vec<Vec<u8>>,
    moment: Option<AtCall>,
    /// The world that is left of a run that was killed.
    left: Option<World>,
    /// What somebody does to the source, and before which call.
    changes: Vec<(usize, Change)>,
    log_bytes: u64,
}

/// What is left of a run.
#[derive(Debug)]
pub(crate) struct Left {
    pub(crate) world: World,
    pub(crate) made: Vec<Call>,
    pub(crate) placed: Vec<Vec<u8>>,
}

impl Calls {
    pub(crate) fn new(world: World, moment: Option<AtCall>, changes: Vec<(usize, Change)>) -> Self {
        let mut state = State { world, made: vec![], placed: vec![], moment, left: None, changes, log_bytes: 0 };
        state.log_bytes = state.log_bytes_now();
        Calls { state: Mutex::new(state), reached: Notify::new() }
    }

    /// Makes a call: after as long as it takes, and unless something goes wrong with it. What somebody placed on the
    /// destination is noted.
    pub(crate) async fn call<T>(
        &self,
        call: Call,
        make: impl FnOnce(&mut World) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let wait = self.state.lock().world.draw_latency();
        if wait == Duration::ZERO {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(wait).await;
        }
        let mut state = self.state.lock();
        if state.note(&call) {
            self.reached.notify_one();
        }
        match state.world.strike(&call) {
            Some(error) => Err(error),
            None => make(&mut state.world),
        }
    }

    /// Notes that something has its name now.
    pub(crate) fn note_placed(&self, path: &[u8]) {
        self.state.lock().placed.push(path.to_vec());
    }

    /// Looks at the world, or changes it, without anybody having asked.
    pub(crate) fn behind_its_back<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.state.lock().world)
    }

    /// Whether the run was killed at one of the calls.
    pub(crate) fn was_killed(&self) -> bool {
        self.state.lock().left.is_some()
    }

    /// What the run leaves when it ends, or is killed, at this moment, unless it was killed before.
    pub(crate) fn left(&self) -> Left {
        let mut state = self.state.lock();
        let world = state.left.take().unwrap_or_else(|| state.world.clone());
        Left { world, made: state.made.clone(), placed: state.placed.clone() }
    }
}

impl State {
    /// Notes a call, and lets happen what is to happen before it. Returns whether that is the end of the run.
    fn note(&mut self, call: &Call) -> bool {
        let number = self.made.len();
        self.made.push(call.clone());
        while let Some((_, change)) = self.changes.pop_if(|(at, _)| *at <= number) {
            change.make(&mut self.world);
        }
        let bytes = self.log_bytes_now();
        let written = bytes.saturating_sub(std::mem::replace(&mut self.log_bytes, bytes));
        let Some(AtCall { call, kill }) = &self.moment else { return false };
        // It is torn while something is written. Nothing was done on the destination since the call before.
        let is_torn = kill.as_ref().is_some_and(|(kill, _, _)| kill.is_torn);
        if number < *call || (is_torn && written == 0) {
            return false;
        }
        if let Some((kill, ledger, copy)) = kill {
            copy_ledger(ledger, copy);
            if kill.is_torn {
                let lost = self.world.dice.between(1, written);
                tear_log(copy, lost, 0);
            }
            self.left = Some(self.world.clone());
        }
        self.moment = None;
        true
    }

    /// Only where anybody wants to know.
    fn log_bytes_now(&self) -> u64 {
        match &self.moment {
            Some(AtCall { kill: Some((Kill { is_torn: true, .. }, ledger, _)), .. }) => log_bytes(ledger),
            _ => 0,
        }
    }
}

impl Left {
    /// How often what was placed there was.
    pub(crate) fn times_placed(&self, path: &[u8]) -> usize {
        self.placed.iter().filter(|placed| *placed == path).count()
    }
}
