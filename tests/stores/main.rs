//! What a store promises, tried on every kind of store and on other people's servers; and migrations between each two.
//!
//! Servers are started here, on ports of the loopback, and stopped in the end. One that is not installed is skipped with
//! a reason; with `CI=true` it is a failure.

mod conformance;
mod migrations;
mod servers;

/// What an answer of a store says, for tests without a runtime of their own.
fn now<T>(answer: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime without threads can be made").block_on(answer)
}
