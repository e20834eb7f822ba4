//! The ways to a world: in this process, or of a server.

use longhaul_spectra::http::{Client, Upload};
use longhaul_spectra::{
    CREATED_FOLDER_MODIFIED_NS, Fault, FaultClass, FileWriter, ListingPage, NodeInfo, Reply, Spectra, World,
};
use tokio::time::Instant;

use crate::network::on_network;

/// How a world is reached.
#[derive(Clone, Debug)]
pub(super) enum Access {
    /// In this process, where it is the caller that takes as long as the world says.
    Embedded(Embedded),
    /// Of a server.
    Served(Client),
}

#[derive(Clone, Debug)]
pub(super) struct Embedded {
    pub(super) simulator: Spectra,
    world: World,
    started: Instant,
}

/// What a reply says, after as long as it says.
async fn awaited<T>(reply: Reply<T>) -> Result<T, Fault> {
    if !reply.latency.is_zero() {
        tokio::time::sleep(reply.latency).await;
    }
    reply.result
}

impl Access {
    pub(super) fn embedded(simulator: &Spectra, world: World) -> Self {
        Access::Embedded(Embedded { simulator: simulator.clone(), world, started: Instant::now() })
    }

    pub(super) fn world(&self) -> &str {
        match self {
            Access::Embedded(embedded) => embedded.world.name(),
            Access::Served(client) => client.world(),
        }
    }

    pub(super) async fn list(&self, path: &[u8], after: Option<&[u8]>, limit: usize) -> Result<ListingPage, Fault> {
        match self {
            Access::Embedded(Embedded { world, started, .. }) => {
                awaited(world.list(path, after, limit, started.elapsed())).await
            }
            Access::Served(client) => {
                let (client, path, after) = (client.clone(), path.to_owned(), after.map(<[u8]>::to_vec));
                on_network(async move { client.list(&path, after.as_deref(), limit).await }).await
            }
        }
    }

    pub(super) async fn stat(&self, path: &[u8]) -> Result<NodeInfo, Fault> {
        match self {
            Access::Embedded(Embedded { world, started, .. }) => awaited(world.stat(path, started.elapsed())).await,
            Access::Served(client) => {
                let (client, path) = (client.clone(), path.to_owned());
                on_network(async move { client.stat(&path).await }).await
            }
        }
    }

    /// Reads into the buffer, and gives how many bytes there were.
    pub(super) async fn read(&self, path: &[u8], offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let length = buffer.len();
        let count = match self {
            Access::Embedded(Embedded { world, started, .. }) => {
                let mut bytes = Vec::new();
                awaited(world.read_into(path, offset, length, started.elapsed(), &mut bytes)).await?;
                buffer[..bytes.len()].copy_from_slice(&bytes);
                bytes.len()
            }
            Access::Served(client) => {
                let (client, path) = (client.clone(), path.to_owned());
                let bytes = on_network(async move { client.read(&path, offset, length).await }).await?;
                let count = bytes.len().min(length);
                buffer[..count].copy_from_slice(&bytes[..count]);
                count
            }
        };
        Ok(count)
    }

    pub(super) async fn create_folder(&self, path: &[u8]) -> Result<(), Fault> {
        match self {
            Access::Embedded(Embedded { world, started, .. }) => {
                awaited(world.create_folder(path, started.elapsed())).await
            }
            Access::Served(client) => {
                let (client, path) = (client.clone(), path.to_owned());
                on_network(async move { client.create_folder(&path).await }).await
            }
        }
    }

    pub(super) async fn set_modified(&self, path: &[u8], modified_ns: i64) -> Result<(), Fault> {
        match self {
            Access::Embedded(Embedded { world, started, .. }) => {
                awaited(world.set_modified(path, modified_ns, started.elapsed())).await
            }
            Access::Served(client) => {
                let (client, path) = (client.clone(), path.to_owned());
                on_network(async move { client.set_modified(&path, modified_ns).await }).await
            }
        }
    }

    pub(super) async fn begin_file(&self, path: &[u8], replace: bool) -> Result<Writing, Fault> {
        Ok(match self {
            Access::Embedded(embedded) => {
                let reply = embedded.world.begin_file(path, replace, embedded.started.elapsed());
                Writing::Embedded(awaited(reply).await?, embedded.started)
            }
            Access::Served(client) => Writing::Served(Some(client.begin_file(path, replace))),
        })
    }

    pub(super) async fn flush(&self) -> Result<(), Fault> {
        match self {
            Access::Embedded(embedded) => embedded.simulator.flush(),
            Access::Served(client) => {
                let client = client.clone();
                on_network(async move { client.flush().await }).await
            }
        }
    }
}

/// A file that is being written.
#[derive(Debug)]
pub(super) enum Writing {
    Embedded(FileWriter, Instant),
    /// `None` after a call that was cut off or failed.
    Served(Option<Upload>),
}

impl Writing {
    pub(super) async fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match self {
            Writing::Embedded(writer, _) => writer.append(bytes),
            Writing::Served(upload) => {
                let (mut writing, bytes) = (taken(upload)?, bytes.to_vec());
                let written = on_network(async move { writing.append(&bytes).await.map(|()| writing) });
                *upload = Some(written.await?);
                Ok(())
            }
        }
    }

    /// Gives the file its name. Without a time it has the one that everything has there at first.
    pub(super) async fn finish(self, modified_ns: Option<i64>) -> Result<(), Fault> {
        let modified_ns = modified_ns.unwrap_or(CREATED_FOLDER_MODIFIED_NS);
        match self {
            Writing::Embedded(writer, started) => writer.finish(modified_ns, started.elapsed()),
            Writing::Served(mut upload) => {
                let writing = taken(&mut upload)?;
                on_network(async move { writing.finish(modified_ns).await }).await
            }
        }
    }
}

fn taken(upload: &mut Option<Upload>) -> Result<Upload, Fault> {
    let broken_off = || Fault {
        class: FaultClass::Transient,
        retry_after: None,
        message: "a call before this one was broken off".to_owned(),
    };
    upload.take().ok_or_else(broken_off)
}
