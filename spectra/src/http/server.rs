//! The server: routes, and a thread that serves them.

mod answer;
mod items;
mod nodes;
mod system;
mod uploads;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};
use tokio::sync::oneshot;

use self::answer::Refusal;
use self::uploads::Uploads;
use super::wire::{MESSAGE_BYTES_MAX, UNDISTURBED};
use crate::fault::{Fault, FaultClass, Reply};
use crate::simulator::Spectra;
use crate::world::World;

/// What all calls share.
#[derive(Debug)]
struct Shared {
    simulator: Spectra,
    started: Instant,
    uploads: Uploads,
}

type State = axum::extract::State<Arc<Shared>>;

/// A simulator that is served over HTTP, until this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Begins to listen, on any port that is free for port 0.
    pub fn start(simulator: Spectra, host: &str, port: u16) -> io::Result<Server> {
        let listener = TcpListener::bind((host, port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().thread_name("spectra").enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let routes = routes(simulator);
        let thread = std::thread::Builder::new().name("spectra-server".to_owned()).spawn(move || {
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener that does not block");
                // Whoever is being answered when it is to stop has to come back.
                tokio::select! {
                    () = async { axum::serve(listener, routes).await.expect("serving has no end") } => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        })?;
        Ok(Server { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it is for clients.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic has been reported by then.
            let _ = thread.join();
        }
    }
}

fn routes(simulator: Spectra) -> Router {
    let shared = Shared { simulator, started: Instant::now(), uploads: Uploads::default() };
    let api = Router::new()
        .route("/items/list", post(items::list))
        .route("/items/folder", post(items::create_folder))
        .route("/items/file", post(items::write_file))
        .route("/items/{id}", get(nodes::look))
        .route("/items/{id}/data", get(items::read))
        .route("/node/{id}", get(nodes::look).patch(nodes::change).delete(nodes::remove))
        .route("/uploads", post(uploads::begin))
        .route("/uploads/{id}", delete(uploads::give_up).put(uploads::append))
        .route("/uploads/{id}/finish", post(uploads::finish))
        .route("/reset", post(system::reset))
        .route("/flush", post(system::flush))
        .route("/config", get(system::config))
        .route("/stats", get(system::stats))
        .route("/tables", get(system::tables))
        .route("/tables/{world}/count", get(system::count));
    Router::new()
        .route("/health", get(system::health))
        .nest("/api/v1", api)
        .fallback(async || Refusal(Fault::new(FaultClass::Vanished, "there is no such route")))
        .layer(DefaultBodyLimit::max(MESSAGE_BYTES_MAX))
        .with_state(Arc::new(shared))
}

/// Who is asked: a world, and whether faults and limits are for this call.
struct Asked {
    world: World,
    shared: Arc<Shared>,
}

impl Shared {
    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    fn asked(self: Arc<Self>, world: &str, headers: &axum::http::HeaderMap) -> Result<Asked, Refusal> {
        let found = self.simulator.world(world);
        let world = found.map_err(|error| Fault::new(FaultClass::Vanished, error.to_string()))?;
        let world = if headers.contains_key(UNDISTURBED) { world.undisturbed() } else { world };
        Ok(Asked { world, shared: self })
    }
}

impl Asked {
    /// Makes a call, which takes as long as the world says.
    async fn call<T: Send + 'static>(
        self,
        call: impl FnOnce(&World, Duration) -> Reply<T> + Send + 'static,
    ) -> Result<T, Refusal> {
        let reply = in_background(move || call(&self.world, self.shared.now())).await?;
        // A sleep takes a millisecond at least.
        if !reply.latency.is_zero() {
            tokio::time::sleep(reply.latency).await;
        }
        Ok(reply.result?)
    }
}

/// Does what may take a moment on a thread where nobody else waits.
async fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Refusal(Fault::new(FaultClass::Fatal, format!("the simulator broke: {error}"))))
}
