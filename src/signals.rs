//! SIGINT, SIGTERM and SIGHUP: the first one asks for a safe point, the second one ends the program at once. Where nothing
//! is under way that would have to come to a safe point, the first one ends it as well: while a store is opened, or while
//! somebody is asked something.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvError, bounded};
use longhaul_storage::is_opening;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

/// How often the signal thread checks whether a run has begun.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Nothing is under way that a signal would have to bring to a safe point.
const IDLE: u8 = 0;
/// A run is being begun, which receives what has come meanwhile; unless it waits for a store.
const BEGINNING: u8 = 1;
/// Somebody receives signals.
const ATTENDED: u8 = 2;

/// Signals that ask for an end.
#[derive(Debug)]
pub(crate) struct Signals {
    received: Receiver<i32>,
    state: Arc<AtomicU8>,
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
    let (sender, received) = bounded(1);
    let state = Arc::new(AtomicU8::new(BEGINNING));
    let of_run = state.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let Some(first) = signals.forever().next() else { return };
        loop {
            let is_for_nobody = match of_run.load(Ordering::Acquire) {
                ATTENDED => break,
                BEGINNING => is_opening(),
                _ => true,
            };
            if is_for_nobody {
                eprintln!("longhaul: interrupted");
                signal_hook::low_level::exit(128 + first);
            }
            if let Some(second) = signals.pending().next() {
                signal_hook::low_level::exit(128 + second);
            }
            std::thread::sleep(LOOK_INTERVAL);
        }
        // Whoever should receive it may have come to an end already.
        let _ = sender.send(first);
        if let Some(second) = signals.forever().next() {
            signal_hook::low_level::exit(128 + second);
        }
    })?;
    Ok(Signals { received, state })
}

impl Signals {
    /// From now on a signal is kept for a run that is being begun.
    pub(crate) fn begin(&self) {
        self.state.store(BEGINNING, Ordering::Release);
    }

    /// Nothing is begun for the time being: a signal ends the program.
    pub(crate) fn rest(&self) {
        self.state.store(IDLE, Ordering::Release);
    }

    /// From now on the first signal is received by whoever asks for it.
    pub(crate) fn attend(&self) -> Attending<'_> {
        self.state.store(ATTENDED, Ordering::Release);
        Attending(self)
    }

    /// Waits for the first one.
    pub(crate) fn wait(&self) -> Result<i32, RecvError> {
        let _attending = self.attend();
        self.received.recv()
    }
}

impl Attending<'_> {
    /// The first signal, if it has come and nobody has received it.
    pub(crate) fn received(&self) -> Option<i32> {
        self.0.received.try_recv().ok()
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
