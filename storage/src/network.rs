//! The threads on which everything behind a network is waited for.
//!
//! A connection belongs to the runtime that it was opened in. The engine's threads come and go with its phases, and the
//! connections of a store have to survive that: so calls are carried out on threads of the process's own.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let threads = (threads / 2).clamp(1, 4);
    let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name("network").enable_all().build();
    runtime.expect("a few threads can be made")
});

/// A client that panicked has come across something that nobody thought of: it is this call that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the client of the store broke: {0}")]
pub(crate) struct Broken(tokio::task::JoinError);

/// Carries out a call on the network's threads. It is cut off when whoever waits for it goes away.
pub(crate) async fn on_network<T: Send + 'static, E: From<Broken> + Send + 'static>(
    call: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, E> {
    let mut task = AbortOnDrop(RUNTIME.spawn(call));
    (&mut task.0).await.unwrap_or_else(|error| Err(Broken(error).into()))
}

/// The same, for whoever has no runtime to wait in. The thread is blocked meanwhile.
pub(crate) fn wait_for<T: Send + 'static>(call: impl Future<Output = T> + Send + 'static) -> T {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    RUNTIME.spawn(async move {
        // Nobody else has the receiver.
        let _ = sender.send(call.await);
    });
    receiver.recv().expect("the call does not panic")
}

/// Carries out what nobody waits for.
pub(crate) fn in_background(call: impl Future<Output = ()> + Send + 'static) {
    RUNTIME.spawn(call);
}

struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
