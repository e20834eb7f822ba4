//! Logging to standard error.

use std::io::{self, IsTerminal};

use longhaul_storage::OPENING_THREAD;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// The environment variable with a filter in the syntax of `tracing`, for example `longhaul_actors=debug`.
const FILTER_VARIABLE: &str = "LONGHAUL_LOG";

/// Starts logging. The environment variable comes before `verbosity`.
pub(crate) fn start(verbosity: i8) {
    let level = match verbosity {
        ..=-1 => LevelFilter::ERROR,
        0 => LevelFilter::WARN,
        1 => LevelFilter::INFO,
        2.. => LevelFilter::DEBUG,
    };
    let filter =
        EnvFilter::builder().with_default_directive(level.into()).with_env_var(FILTER_VARIABLE).from_env_lossy();
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colour).init();
    quieten_clients();
}

/// A client of a store that breaks over what its server says is an error of the store: it is told as one, and where in the
/// client that was is logged at the level of debugging.
fn quieten_clients() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some(OPENING_THREAD) {
            tracing::debug!("{panic}");
        } else {
            usual(panic);
        }
    }));
}
