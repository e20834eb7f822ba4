//! The threads on which everything behind a network is waited for.
//!
//! A connection belongs to the runtime that it was opened in. The engine's threads come and go with its phases, and the
//! connections of a store have to survive that: so calls are carried out on threads of the process's own.

use std::future::Future;
use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

use longhaul_model::ErrorClass;

use crate::error::StoreError;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).clamp(2, 4);
    let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name("network").enable_all().build();
    runtime.expect("a few threads can be made")
});

/// Carries out a call on the network's threads. It is cut off when whoever waits for it goes away.
pub(crate) async fn on_network<T: Send + 'static>(
    call: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Result<T, StoreError> {
    let mut task = AbortOnDrop(RUNTIME.spawn(call));
    match (&mut task.0).await {
        Ok(answer) => answer,
        // A client that panics has come across something that nobody thought of: it is this call that cannot be made.
        Err(error) => Err(StoreError::new(ErrorClass::Denied, format!("the client of the store broke: {error}"))),
    }
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
