//! The client: what a [`World`](crate::World) can do, of a server.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;

use super::wire::{
    Answer, Change, Failure, FinishUpload, ListRequest, Listed, NewFile, NewNode, Parent, ShownNode, Stats, Table,
    TableCount, UNDISTURBED, UploadBegun, class_of, node_id, to_base64,
};
use crate::config::Config;
use crate::fault::{Fault, FaultClass};
use crate::listing::{Listing, ListingPage, NodeInfo};

/// Bytes of a file that are held until they are sent: smaller files go in one message.
const PIECE_BYTES: usize = 4 << 20;

/// How long a connection may take, and how long nothing may come on one.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
const READ_WAIT: Duration = Duration::from_mins(2);

/// A world of a server. A handle: clones share their connections.
///
/// A call that fails has the server's own [`Fault`]; one that does not get through to it is transient.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    url: String,
    world: String,
    disturbed: bool,
}

impl Client {
    /// A client of the server at `url`, such as `http://127.0.0.1:8086`. Nothing is asked yet.
    pub fn new(url: &str, world: &str) -> Result<Self, Fault> {
        let url = url.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder().no_proxy().connect_timeout(CONNECT_WAIT).read_timeout(READ_WAIT).build();
        let http = http.map_err(|error| Fault::new(FaultClass::Fatal, format!("no client can be made: {error}")))?;
        Ok(Client { http, url, world: world.to_owned(), disturbed: true })
    }

    /// The server.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its world.
    pub fn world(&self) -> &str {
        &self.world
    }

    /// The same world without faults, limits, latency, and without listings being counted.
    #[must_use]
    pub fn undisturbed(&self) -> Self {
        Self { disturbed: false, ..self.clone() }
    }

    /// Names of all worlds, `primary` first.
    pub async fn worlds(&self) -> Result<Vec<String>, Fault> {
        let tables: Vec<Table> = self.get("tables").await?;
        Ok(tables.into_iter().map(|table| table.name).collect())
    }

    /// The configuration of the server.
    pub async fn config(&self) -> Result<Config, Fault> {
        self.get("config").await
    }

    /// Nodes of the world, by the server's own count.
    pub async fn count(&self) -> Result<u64, Fault> {
        let counted: TableCount = self.get(&format!("tables/{}/count", self.world)).await?;
        Ok(counted.count)
    }

    /// How many folders of the world were listed since the server began.
    pub async fn listings(&self) -> Result<u64, Fault> {
        let stats: Stats = self.get("stats").await?;
        Ok(stats.listings.get(&self.world).copied().unwrap_or(0))
    }

    /// Forgets what was written, in all worlds.
    pub async fn reset(&self) -> Result<(), Fault> {
        self.answer(self.request(Method::POST, "reset")).await
    }

    /// As [`Spectra::flush`](crate::Spectra::flush).
    pub async fn flush(&self) -> Result<(), Fault> {
        self.answer(self.request(Method::POST, "flush")).await
    }

    /// As [`World::list`](crate::World::list), but that `after` is what the page before gave as `next`.
    pub async fn list(&self, path: &[u8], after: Option<&[u8]>, limit: usize) -> Result<ListingPage, Fault> {
        let after = after.map(|name| URL_SAFE_NO_PAD.encode(name));
        let request = ListRequest { parent: Parent::new(&self.world, path), after, limit: Some(limit.max(1)) };
        let listed: Listed = self.receive(self.request(Method::POST, "items/list").json(&request)).await?;
        let mut entries = Listing::new();
        for node in listed.folders.iter().chain(&listed.files) {
            let name = node.name_bytes()?;
            entries.push(node.info(), |names| names.extend_from_slice(&name));
        }
        let next = listed.next.map(|next| URL_SAFE_NO_PAD.decode(next)).transpose();
        let next = next.map_err(|_| Fault::new(FaultClass::Fatal, "the server gives a `next` that is none"))?;
        Ok(ListingPage { entries, next })
    }

    /// As [`World::stat`](crate::World::stat).
    pub async fn stat(&self, path: &[u8]) -> Result<NodeInfo, Fault> {
        let node: ShownNode = self.get(&format!("node/{}", node_id(&self.world, path))).await?;
        Ok(node.info())
    }

    /// As [`World::read`](crate::World::read).
    pub async fn read(&self, path: &[u8], offset: u64, length: usize) -> Result<bytes::Bytes, Fault> {
        let Some(last) = (length as u64).checked_sub(1) else { return Ok(bytes::Bytes::new()) };
        let range = format!("bytes={offset}-{}", offset.saturating_add(last));
        let request = self.request(Method::GET, &format!("items/{}/data", node_id(&self.world, path)));
        let response = self.send(request.header(header::RANGE, range)).await;
        match response {
            Ok(response) => response.bytes().await.map_err(|error| unreached(&error)),
            Err((Some(StatusCode::RANGE_NOT_SATISFIABLE), _)) => Ok(bytes::Bytes::new()),
            Err((_, fault)) => Err(fault),
        }
    }

    /// As [`World::create_folder`](crate::World::create_folder).
    pub async fn create_folder(&self, path: &[u8]) -> Result<(), Fault> {
        let request = self.request(Method::POST, "items/folder").json(&self.new_node(path, false));
        let _: ShownNode = self.answer(request).await?;
        Ok(())
    }

    /// As [`World::set_modified`](crate::World::set_modified).
    pub async fn set_modified(&self, path: &[u8], modified_ns: i64) -> Result<(), Fault> {
        let request = self.request(Method::PATCH, &format!("node/{}", node_id(&self.world, path)));
        self.answer(request.json(&Change { modified_ns })).await
    }

    /// As [`World::remove_tree`](crate::World::remove_tree).
    pub async fn remove_tree(&self, path: &[u8]) -> Result<(), Fault> {
        self.answer(self.request(Method::DELETE, &format!("node/{}", node_id(&self.world, path)))).await
    }

    /// As [`World::begin_file`](crate::World::begin_file), but that nothing is asked before there are more bytes than
    /// go into one message, or all of them.
    pub fn begin_file(&self, path: &[u8], replace: bool) -> Upload {
        Upload { client: self.clone(), path: path.to_owned(), replace, held: Vec::new(), sent: None }
    }

    fn new_node(&self, path: &[u8], replace: bool) -> NewNode {
        let slash = path.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        let folder = if slash == 0 { &b"/"[..] } else { &path[..slash] };
        NewNode::new(&self.world, folder, &path[slash + 1..], replace)
    }

    fn request(&self, method: Method, route: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1/{route}", self.url));
        if self.disturbed { request } else { request.header(UNDISTURBED, "true") }
    }

    async fn get<T: DeserializeOwned>(&self, route: &str) -> Result<T, Fault> {
        self.answer(self.request(Method::GET, route)).await
    }

    /// Sends a request whose answer is wrapped.
    async fn answer<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        let answer: Answer<T> = self.receive(request).await?;
        Ok(answer.data)
    }

    /// Sends a request, and gives what is in the answer.
    async fn receive<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Fault> {
        let response = self.send(request).await.map_err(|(_, fault)| fault)?;
        response.json().await.map_err(|error| unreached(&error))
    }

    /// Sends a request. A failure comes with its status, where there is one.
    async fn send(&self, request: RequestBuilder) -> Result<Response, (Option<StatusCode>, Fault)> {
        let response = request.send().await.map_err(|error| (None, unreached(&error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let told = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let told = told.map(Duration::from_secs);
        let fault = match response.json::<Failure>().await {
            Ok(failure) => Fault {
                class: class_of(&failure.class, status.as_u16()),
                retry_after: failure.retry_after_ms.map(Duration::from_millis).or(told),
                message: failure.message,
            },
            Err(_) => Fault {
                class: class_of("", status.as_u16()),
                retry_after: told,
                message: format!("the server answers {status}"),
            },
        };
        Err((Some(status), fault))
    }
}

/// A request that did not get through, or an answer that did not come whole.
fn unreached(error: &reqwest::Error) -> Fault {
    use std::error::Error;
    // What is wrong is said by the last one in the row, as "connection refused".
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Fault::new(FaultClass::Transient, format!("the server is not reached: {cause}"))
}

/// A file that is being written. Dropping it unfinished leaves everything as it was.
#[derive(Debug)]
#[must_use]
pub struct Upload {
    client: Client,
    path: Vec<u8>,
    replace: bool,
    /// Bytes that are not sent yet.
    held: Vec<u8>,
    /// What was sent, once there were too many bytes to hold.
    sent: Option<Sent>,
}

#[derive(Debug)]
struct Sent {
    upload: String,
    bytes: u64,
}

impl Upload {
    /// Adds bytes at the end.
    pub async fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.held.len() == PIECE_BYTES {
                self.send().await?;
            }
            let (head, tail) = rest.split_at(rest.len().min(PIECE_BYTES - self.held.len()));
            self.held.extend_from_slice(head);
            rest = tail;
        }
        Ok(())
    }

    /// Makes the file appear with this time; see [`FileWriter::finish`](crate::FileWriter::finish).
    pub async fn finish(mut self, modified_ns: i64) -> Result<(), Fault> {
        if self.sent.is_none() {
            let node = self.client.new_node(&self.path, self.replace);
            let file = NewFile { node, data: to_base64(&self.held), modified_ns: Some(modified_ns) };
            let request = self.client.request(Method::POST, "items/file").json(&file);
            let _: ShownNode = self.client.answer(request).await?;
            return Ok(());
        }
        if !self.held.is_empty() {
            self.send().await?;
        }
        let Sent { upload, bytes } = self.sent.take().expect("something was sent");
        let request = self.client.request(Method::POST, &format!("uploads/{upload}/finish"));
        self.client.answer(request.json(&FinishUpload { size: bytes, modified_ns: Some(modified_ns) })).await
    }

    /// Tells the server to forget what was sent.
    pub async fn give_up(mut self) {
        if let Some(Sent { upload, .. }) = self.sent.take() {
            // If nobody hears it, the server gives it up by itself.
            let _: Result<(), _> =
                self.client.answer(self.client.request(Method::DELETE, &format!("uploads/{upload}"))).await;
        }
    }

    async fn send(&mut self) -> Result<(), Fault> {
        let mut sent = if let Some(sent) = self.sent.take() {
            sent
        } else {
            let node = self.client.new_node(&self.path, self.replace);
            let begun: UploadBegun =
                self.client.answer(self.client.request(Method::POST, "uploads").json(&node)).await?;
            Sent { upload: begun.upload_id, bytes: 0 }
        };
        let piece = std::mem::take(&mut self.held);
        let length = piece.len() as u64;
        let request = self.client.request(Method::PUT, &format!("uploads/{}", sent.upload));
        let () = self.client.answer(request.query(&[("offset", sent.bytes)]).body(piece)).await?;
        sent.bytes += length;
        self.sent = Some(sent);
        Ok(())
    }
}
