//! What a store promises, tried on every kind of store and on other people's servers; and migrations between each two.
//!
//! Servers are started here, on ports of the loopback, and stopped in the end. One that is not installed is skipped with
//! a reason; with `CI=true` it is a failure.

mod conformance;
mod faults;
mod migrations;
mod proxy;
mod requests;
mod wire;

use longhaul_servers::{Kind, Server};

/// Starts a server. `None` where it is not installed, which is said.
fn started(kind: Kind) -> Option<Server> {
    match kind.start() {
        Ok(server) => Some(server),
        Err(why) => {
            assert!(std::env::var("CI").is_err(), "{kind:?} cannot be started: {why}");
            eprintln!("skipped: {kind:?} cannot be started: {why}");
            None
        }
    }
}

/// Puts into this process's environment what clients of a server need, for stores that are opened in it.
fn enter(server: &Server) {
    for (name, value) in &server.environment {
        // SAFETY: tests that use servers run one after the other (see `TURN`), and nothing else reads it meanwhile.
        #[allow(unsafe_code, reason = "there is no other way to set a variable")]
        unsafe {
            std::env::set_var(name, value);
        }
    }
}

/// Tests with servers take turns: clients are told by the process's environment who they are.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// What an answer of a store says, for tests without a runtime of their own.
fn now<T>(answer: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime without threads can be made").block_on(answer)
}
