//! A proxy for protocols that it knows nothing of: it passes bytes on, slowly, and breaks connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::proxy::{listen, serve};

/// What each piece takes that is passed on.
const DELAY: Duration = Duration::from_micros(300);

/// A proxy that runs as long as this is there.
pub(crate) struct Wire {
    pub(crate) port: u16,
    broken: Arc<AtomicU64>,
    _stop: oneshot::Sender<()>,
}

impl Wire {
    /// In front of what listens on a port of the loopback. The connection with this number breaks when so many bytes have
    /// passed in both directions.
    pub(crate) fn start(server: u16, breaks_after: fn(u64) -> u64) -> Wire {
        let (listener, port) = listen();
        let broken = Arc::new(AtomicU64::new(0));
        let counted = broken.clone();
        let stop = serve(listener, async move |listener: TcpListener| {
            for number in 0.. {
                let (client, _) = listener.accept().await.expect("a connection");
                let counted = counted.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(("127.0.0.1", server)).await else { return };
                    if pass_on(client, server, breaks_after(number)).await {
                        counted.fetch_add(1, Relaxed);
                    }
                });
            }
        });
        Wire { port, broken, _stop: stop }
    }

    /// How many connections it has broken so far.
    pub(crate) fn broken(&self) -> u64 {
        self.broken.load(Relaxed)
    }
}

/// Passes on what comes from both, until one of them has no more to say, or too much was said: whether that is why it ends.
async fn pass_on(mut client: TcpStream, mut server: TcpStream, bytes_max: u64) -> bool {
    let passed = AtomicU64::new(0);
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    tokio::select! {
        broken = pass(from_client, to_server, &passed, bytes_max) => broken,
        broken = pass(from_server, to_client, &passed, bytes_max) => broken,
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    passed: &AtomicU64,
    bytes_max: u64,
) -> bool {
    let mut piece = vec![0; 16 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut piece).await else { return false };
        let total = passed.fetch_add(length as u64, Relaxed) + length as u64;
        if total > bytes_max {
            return true;
        }
        tokio::time::sleep(DELAY).await;
        if to.write_all(&piece[..length]).await.is_err() {
            return false;
        }
    }
}
