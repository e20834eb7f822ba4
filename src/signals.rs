//! SIGINT, SIGTERM and SIGHUP: the first one asks for a safe point, the second one ends the program at once. Where nothing
//! is under way that would have to come to a safe point, the first one ends it as well: while a store is opened, or while
//! somebody is asked something.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, RecvError, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator;

/// Signals that ask for an end.
#[derive(Debug)]
pub(crate) struct Signals {
    received: Receiver<i32>,
    is_attended: Arc<AtomicBool>,
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
    let is_attended = Arc::new(AtomicBool::new(false));
    let is_heard = is_attended.clone();
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 || !is_heard.load(Ordering::Acquire) {
                if count == 0 {
                    eprintln!("longhaul: interrupted");
                }
                signal_hook::low_level::exit(128 + signal);
            }
            // Whoever should receive it may have come to an end already.
            let _ = sender.send(signal);
        }
    })?;
    Ok(Signals { received, is_attended })
}

impl Signals {
    /// From now on the first signal is received by whoever asks for it.
    pub(crate) fn attend(&self) -> Attending<'_> {
        self.is_attended.store(true, Ordering::Release);
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
        self.0.is_attended.store(false, Ordering::Release);
    }
}

/// Whether this process was started with a signal ignored; where the system does not say, it was not.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (signal - 1)) != 0
}
