//! SIGINT and SIGTERM: the first asks for a safe point, the second ends the program at once.

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Listens from now on. The number of the first signal comes through the channel. With the second one the process
/// exits, which is as safe as any other sudden end.
pub(crate) fn listen() -> std::io::Result<Receiver<i32>> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (sender, receiver) = bounded(1);
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for (count, signal) in signals.forever().enumerate() {
            if count > 0 {
                signal_hook::low_level::exit(128 + signal);
            }
            // Whoever should receive it may have come to an end already.
            let _ = sender.send(signal);
        }
    })?;
    Ok(receiver)
}
