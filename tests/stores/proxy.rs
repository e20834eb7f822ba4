//! A proxy of our own in front of other people's servers, that makes them worse than they are: slow, overloaded, and with
//! connections that break.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use longhaul_servers::{Kind, Server};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::migrations::Trip;
use crate::started;

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It takes so long.
    Delayed(Duration),
    /// It is answered with this status, and not passed on.
    Refused(u16),
    /// It is answered with 429, and a wish to be left alone for so many seconds.
    AskedForPatience(u64),
    /// The same, with the moment at which they are over.
    AskedForPatienceUntil(u64),
    /// It is carried out, and then the answer gets lost.
    AnswerLost,
    /// Of the body of the answer half is sent, and then the connection breaks.
    CutInBody,
    /// Of the body of the answer half is sent, as if that were all.
    Truncated,
}

/// A request that came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) at: Instant,
    pub(crate) fault: Option<Fault>,
}

/// Says what happens to the request with this number and method.
pub(crate) type Choice = dyn Fn(u64, &str) -> Option<Fault> + Send + Sync;

/// A proxy that runs as long as this is there.
pub(crate) struct Proxy {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    _stop: oneshot::Sender<()>,
}

struct Shared {
    server: String,
    choice: Box<Choice>,
    client: reqwest::Client,
    count: AtomicU64,
    seen: Mutex<Vec<Seen>>,
}

impl Proxy {
    /// In front of what listens on a port of the loopback.
    pub(crate) fn start(server: u16, choice: Box<Choice>) -> Proxy {
        let (listener, port) = listen();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let shared = Arc::new(Shared {
            server: format!("http://127.0.0.1:{server}"),
            choice,
            client: client.build().expect("a client"),
            count: AtomicU64::new(0),
            seen: Mutex::default(),
        });
        let routes = Router::new().fallback(pass_on).with_state(shared.clone());
        let stop = serve(listener, async |listener| axum::serve(listener, routes).await.expect("it has no end"));
        Proxy { port, shared, _stop: stop }
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.seen.lock().clone()
    }
}

/// A server behind a proxy.
pub(crate) struct Behind {
    pub(crate) server: Server,
    pub(crate) proxy: Proxy,
}

impl Behind {
    pub(crate) fn start(
        kind: Kind,
        choice: impl Fn(u64, &str) -> Option<Fault> + Send + Sync + 'static,
    ) -> Option<Behind> {
        let server = started(kind)?;
        let proxy = Proxy::start(server.port(), Box::new(choice));
        Some(Behind { server, proxy })
    }

    /// Its root behind the proxy.
    pub(crate) fn root(&self) -> String {
        self.behind_proxy(&self.server.root)
    }

    fn behind_proxy(&self, text: &str) -> String {
        text.replace(&format!(":{}", self.server.port()), &format!(":{}", self.proxy.port))
    }

    pub(crate) fn trip(&self) -> Trip {
        let of_server = self.server.environment.iter();
        Trip::new(of_server.map(|(name, value)| (*name, self.behind_proxy(value))).collect())
    }
}

/// A port of the loopback.
pub(crate) fn listen() -> (std::net::TcpListener, u16) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("it is a socket");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Serves what comes to a port in a thread of its own, until what this gives is dropped.
pub(crate) fn serve(
    listener: std::net::TcpListener,
    serve: impl AsyncFnOnce(TcpListener) + Send + 'static,
) -> oneshot::Sender<()> {
    let (stop, stopped) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime");
        runtime.block_on(async {
            tokio::select! {
                () = serve(TcpListener::from_std(listener).expect("a listener")) => {}
                _ = stopped => {}
            }
        });
        runtime.shutdown_background();
    });
    stop
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let number = shared.count.fetch_add(1, Relaxed);
    let fault = (shared.choice)(number, head.method.as_str());
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
    let method = head.method.to_string();
    shared.seen.lock().push(Seen { method, target: target.clone(), at: Instant::now(), fault });
    // All of it has come before anything happens, as with any server that keeps what is sent until it is whole.
    let Ok(body) = to_bytes(body, usize::MAX).await else { broken_off() };
    match fault {
        Some(Fault::Delayed(wait)) => tokio::time::sleep(wait).await,
        Some(Fault::Refused(status)) => return StatusCode::from_u16(status).expect("a status").into_response(),
        Some(Fault::AskedForPatience(seconds)) => return patience(seconds.to_string()),
        Some(Fault::AskedForPatienceUntil(seconds)) => {
            return patience(httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(seconds)));
        }
        _ => {}
    }
    let sent =
        shared.client.request(head.method, format!("{}{target}", shared.server)).headers(head.headers).body(body);
    let Ok(answer) = sent.send().await else { broken_off() };
    let (status, headers) = (answer.status(), answer.headers().clone());
    let Ok(body) = answer.bytes().await else { broken_off() };
    match fault {
        Some(Fault::AnswerLost) => broken_off(),
        Some(Fault::CutInBody) => {
            let length = headers.get(header::CONTENT_LENGTH).cloned();
            let half = vec![Ok(body.slice(..body.len() / 2)), Err(std::io::Error::other("broken off"))];
            answered(status, headers, length, Body::from_stream(stream::iter(half)))
        }
        Some(Fault::Truncated) => whole(status, headers, body.slice(..body.len() / 2)),
        _ => {
            // A HEAD has the length of what is not sent.
            let length = headers.get(header::CONTENT_LENGTH).cloned();
            if body.is_empty() {
                answered(status, headers, length, Body::empty())
            } else {
                whole(status, headers, body)
            }
        }
    }
}

fn patience(wish: String) -> Response {
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, wish)]).into_response()
}

fn whole(status: StatusCode, headers: HeaderMap, body: Bytes) -> Response {
    let length = HeaderValue::from(body.len());
    answered(status, headers, Some(length), Body::from(body))
}

fn answered(status: StatusCode, mut headers: HeaderMap, length: Option<HeaderValue>, body: Body) -> Response {
    headers.remove(header::TRANSFER_ENCODING);
    headers.remove(header::CONNECTION);
    headers.remove(header::CONTENT_LENGTH);
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    (status, headers, body).into_response()
}

/// The connection breaks before anything has been answered: whoever serves it is unwound. Nothing is printed about that.
fn broken_off() -> ! {
    std::panic::resume_unwind(Box::new("broken off"))
}
