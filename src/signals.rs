//! SIGINT, SIGTERM and SIGHUP: the first one asks for a safe point, the second one ends the program at once. Where nothing
//! is under way that would have to come to a safe point, the first one ends it as well: while a store is opened, or while
//! somebody is asked something.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use longhaul_storage::while_opening;
use parking_lot::{Condvar, Mutex};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

/// How often the signal thread looks for a second signal, and whether nothing receives the first one by now.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// What receives a signal.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Nothing does: nothing is under way that it would have to bring to a safe point.
    Idle,
    /// For a run that is being begun, which receives what has come meanwhile; unless it waits for a store.
    Beginning,
    /// Somebody receives signals.
    Attended,
}

/// What the signal thread and the rest of the program share. A program that ends at once does so under this lock, so that
/// nothing begins meanwhile.
#[derive(Debug)]
struct Shared {
    state: State,
    /// The first signal, until somebody receives it.
    first: Option<i32>,
}

/// Signals that ask for an end.
#[derive(Debug)]
pub(crate) struct Signals {
    shared: Arc<(Mutex<Shared>, Condvar)>,
}

/// Somebody receives signals until this is dropped.
pub(crate) struct Attending<'a>(&'a Signals);

/// Listens from now on. A program that ends by a signal is as safe as after any other sudden end.
pub(crate) fn listen() -> io::Result<Signals> {
    let mut heard = vec![SIGINT, SIGTERM];
    // `nohup` means it.
    if !is_ignored(SIGHUP) {
        heard.push(SIGHUP);
    }
    let mut signals = iterator::Signals::new(heard)?;
    let shared = Arc::new((Mutex::new(Shared { state: State::Beginning, first: None }), Condvar::new()));
    let of_thread = shared.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Some(first) = signals.forever().next() else { return };
        let (shared, received) = &*of_thread;
        shared.lock().first = Some(first);
        received.notify_all();
        loop {
            end_if_for_nobody(&shared.lock());
            if let Some(second) = signals.pending().next() {
                signal_hook::low_level::exit(128 + second);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
    })?;
    Ok(Signals { shared })
}

fn end_if_for_nobody(shared: &Shared) {
    let Some(first) = shared.first else { return };
    let end = || {
        tell!("longhaul: interrupted");
        signal_hook::low_level::exit(128 + first);
    };
    match shared.state {
        State::Idle => end(),
        State::Beginning => while_opening(end),
        State::Attended => {}
    }
}

impl Signals {
    /// From now on a signal is kept for a run that is being begun.
    pub(crate) fn begin(&self) {
        self.enter(State::Beginning);
    }

    /// Nothing is begun for the time being: a signal ends the program.
    pub(crate) fn rest(&self) {
        self.enter(State::Idle);
    }

    /// From now on the first signal is received by whoever asks for it.
    pub(crate) fn attend(&self) -> Attending<'_> {
        self.enter(State::Attended);
        Attending(self)
    }

    fn enter(&self, state: State) {
        self.shared.0.lock().state = state;
    }

    /// Waits for the first one.
    pub(crate) fn wait(&self) -> i32 {
        let _attending = self.attend();
        let (shared, received) = &*self.shared;
        let mut shared = shared.lock();
        loop {
            if let Some(first) = shared.first.take() {
                return first;
            }
            received.wait(&mut shared);
        }
    }
}

impl Attending<'_> {
    /// The first signal, if it has come and nobody has received it.
    pub(crate) fn received(&self) -> Option<i32> {
        self.0.shared.0.lock().first.take()
    }
}

impl Drop for Attending<'_> {
    fn drop(&mut self) {
        // Another run may follow.
        self.0.begin();
    }
}

/// Whether this process was started with a signal ignored; where the system does not say, it was not.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
