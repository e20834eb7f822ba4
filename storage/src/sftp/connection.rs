//! Connections to a server: a few, each of which takes many calls at a time.

use std::collections::HashMap;
use std::future::Future;
use std::num::NonZeroUsize;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use longhaul_model::ErrorClass;
use openssh::{ControlPersist, KnownHosts, Session, SessionBuilder};
use openssh_sftp_client::{Sftp, SftpOptions};
use tokio::sync::Mutex;

use super::failure;
use crate::error::StoreError;
use crate::location::RemoteUrl;
use crate::network::on_network;
use crate::secrets::kept;

/// Each has a process at the other end, which does one thing after the other.
const CONNECTIONS: usize = 4;

/// How long `ssh` keeps a connection that nobody uses.
const IDLE_SECONDS: NonZeroUsize = NonZeroUsize::new(30).expect("it is not zero");

const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// Where a server is, and who is known to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Server {
    host: String,
    user: Option<String>,
    port: Option<u16>,
}

/// Those of this process, which stores that are opened one after the other share: to connect takes longer than most calls.
static KNOWN: LazyLock<parking_lot::Mutex<HashMap<Server, Arc<Connections>>>> = LazyLock::new(Default::default);

/// The connections to one server, opened when they are first needed.
#[derive(Debug)]
pub(super) struct Connections {
    server: Server,
    open: [Mutex<Option<Arc<Connection>>>; CONNECTIONS],
    turn: AtomicUsize,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    sftp: Sftp,
    /// It is broken, or the server says nothing over it: whoever has it yet is told so at once.
    is_given_up: AtomicBool,
}

impl Deref for Connection {
    type Target = Sftp;

    fn deref(&self) -> &Sftp {
        &self.sftp
    }
}

impl Connections {
    pub(super) fn to(url: &RemoteUrl) -> Arc<Self> {
        let server = Server { host: url.host(), user: url.user().map(str::to_owned), port: url.port() };
        let make =
            |server: Server| Arc::new(Connections { server, open: Default::default(), turn: AtomicUsize::new(0) });
        KNOWN.lock().entry(server.clone()).or_insert_with(|| make(server)).clone()
    }

    /// One connection that is open already, to no server that could be connected to again.
    #[cfg(any(test, fuzzing))]
    pub(super) fn over(sftp: Sftp) -> Arc<Self> {
        let connection = Arc::new(Connection { sftp, is_given_up: AtomicBool::new(false) });
        let server = Server { host: "server.invalid".to_owned(), user: None, port: None };
        let open = std::array::from_fn(|_| Mutex::new(Some(connection.clone())));
        Arc::new(Connections { server, open, turn: AtomicUsize::new(0) })
    }

    /// One of them, in turn.
    pub(super) async fn any(&self) -> Result<Arc<Connection>, StoreError> {
        let turn = self.turn.fetch_add(1, Relaxed) % CONNECTIONS;
        let mut place = self.open[turn].lock().await;
        if let Some(open) = place.as_ref().filter(|open| !open.is_given_up.load(Relaxed)) {
            return Ok(open.clone());
        }
        *place = None;
        let builder = self.builder();
        let host = self.server.host.clone();
        let sftp = on_network(async move { connect(&builder, &host).await }).await?;
        Ok(place.insert(Arc::new(Connection { sftp, is_given_up: AtomicBool::new(false) })).clone())
    }
}

impl Connection {
    /// What a call over it comes to.
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, openssh_sftp_client::Error>>,
    ) -> Result<T, StoreError> {
        self.call_within(failure::CALL_TIMEOUT, call).await
    }

    /// The same for one that may take as long as this.
    pub(super) async fn call_within<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, openssh_sftp_client::Error>>,
    ) -> Result<T, StoreError> {
        if self.is_given_up.load(Relaxed) {
            return Err(StoreError::new(ErrorClass::Transient, "the connection was given up"));
        }
        failure::answer(limit, call).await.map_err(|failure| {
            self.is_given_up.fetch_or(failure.is_broken, Relaxed);
            failure.error
        })
    }
}

impl Connections {
    fn builder(&self) -> SessionBuilder {
        let mut builder = SessionBuilder::default();
        builder.known_hosts_check(KnownHosts::Strict).connect_timeout(CONNECT_TIMEOUT);
        builder.server_alive_interval(Duration::from_secs(30));
        // Its process ends by itself, also where nobody is left to end it: after a kill.
        builder.control_persist(ControlPersist::IdleFor(IDLE_SECONDS));
        if let Some(user) = &self.server.user {
            builder.user(user.clone());
        }
        if let Some(port) = self.server.port {
            builder.port(port);
        }
        if let Some(key) = file_named_by("SFTP_KEY") {
            builder.keyfile(key);
        }
        if let Some(hosts) = file_named_by("SFTP_KNOWN_HOSTS") {
            builder.user_known_hosts_file(hosts);
        }
        if let Some(config) = file_named_by("SFTP_SSH_CONFIG") {
            builder.config_file(config);
        }
        builder
    }
}

fn file_named_by(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

async fn connect(builder: &SessionBuilder, host: &str) -> Result<Sftp, StoreError> {
    let session: Session = builder.connect(host).await.map_err(|error| {
        let message = innermost(&error);
        // A key that is not accepted, or a host that is not known, will be no better the next time.
        let is_refused = ["denied", "verification failed", "host key"].iter().any(|word| message.contains(word));
        let class = if is_refused { ErrorClass::Fatal } else { ErrorClass::Transient };
        // What the server greets with comes before it.
        let told = &message[message.ceil_char_boundary(message.len().saturating_sub(200))..];
        StoreError::new(class, kept(&format!("ssh: {told}")))
    })?;
    let opened = tokio::time::timeout(CONNECT_TIMEOUT, Sftp::from_session(session, SftpOptions::default())).await;
    let silent = |_| StoreError::new(ErrorClass::Transient, "ssh: the server says nothing");
    opened.map_err(silent)?.map_err(|error| failure::store_error(&error))
}

fn innermost(error: &openssh::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
