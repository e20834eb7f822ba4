//! Listing folders, making folders and files, reading files.

use std::fmt::Write;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures_util::stream::{self, StreamExt};
use headers::{HeaderMapExt, Range};
use sha2::{Digest, Sha256};

use super::super::wire::{
    Answer, FileData, ListRequest, Listed, MESSAGE_BYTES_MAX, NewFile, NewNode, ShownNode, child_path, from_base64,
    parse_id, to_base64,
};
use super::answer::{Refusal, Request, answer};
use super::{Asked, Shared, State};
use crate::fault::{Fault, FaultClass};
use crate::generator::CREATED_FOLDER_MODIFIED_NS;
use crate::listing::{ListingPage, NodeInfo, NodeKind};

/// Bytes of a file that are read at a time when all of it is sent.
const PIECE_BYTES: usize = 1 << 20;

const BINARY: &str = "application/octet-stream";

pub(super) async fn list(state: State, headers: HeaderMap, request: Request<ListRequest>) -> Result<Response, Refusal> {
    let ListRequest { parent, after, limit } = request.0;
    let (world, path) = parent.resolve()?;
    let after = after.map(|next| URL_SAFE_NO_PAD.decode(next)).transpose();
    let after = after.map_err(|_| Fault::new(FaultClass::BadName, "`after` is not what a page gave as `next`"))?;
    let asked = state.0.asked(&world, &headers)?;
    let folder = path.clone();
    let page = asked.call(move |world, now| world.list(&path, after.as_deref(), limit.unwrap_or(usize::MAX), now));
    Ok(Json(shown(&world, &folder, &page.await?)).into_response())
}

fn shown(world: &str, folder: &[u8], page: &ListingPage) -> Listed {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in page.entries.iter() {
        let shown = ShownNode::new(world, &child_path(folder, entry.name), &entry.info);
        match entry.info.kind {
            NodeKind::Folder => folders.push(shown),
            NodeKind::File => files.push(shown),
        }
    }
    let next = page.next.as_ref().map(|name| URL_SAFE_NO_PAD.encode(name));
    Listed { success: true, folders, files, next }
}

type Created = Result<(StatusCode, Json<Answer<ShownNode>>), Refusal>;

pub(super) async fn create_folder(state: State, headers: HeaderMap, request: Request<NewNode>) -> Created {
    let (world, path) = request.0.resolve()?;
    let asked = state.0.asked(&world, &headers)?;
    let made = path.clone();
    asked.call(move |world, now| world.create_folder(&made, now)).await?;
    let info = NodeInfo { kind: NodeKind::Folder, size: 0, modified_ns: CREATED_FOLDER_MODIFIED_NS };
    Ok((StatusCode::CREATED, answer("Folder created", ShownNode::new(&world, &path, &info))))
}

pub(super) async fn write_file(state: State, headers: HeaderMap, request: Request<NewFile>) -> Created {
    let NewFile { node, data, modified_ns } = request.0;
    let replace = node.replace;
    let (world, path) = node.resolve()?;
    let data = from_base64("data", &data)?;
    let asked = state.0.asked(&world, &headers)?;
    // There is no clock to take another time from.
    let modified_ns = modified_ns.unwrap_or(CREATED_FOLDER_MODIFIED_NS);
    let info = NodeInfo { kind: NodeKind::File, size: data.len() as u64, modified_ns };
    let written = path.clone();
    asked.call(move |world, now| world.write_file(&written, &data, modified_ns, replace, now)).await?;
    Ok((StatusCode::CREATED, answer("File written", ShownNode::new(&world, &path, &info))))
}

/// Answers with the bytes of a range, with all bytes as they are, or with a message that has them all in it.
pub(super) async fn read(state: State, headers: HeaderMap, Path(id): Path<String>) -> Result<Response, Refusal> {
    let (world, path) = parse_id(&id)?;
    let size = {
        let (world, path) = (state.0.clone().asked(&world, &headers)?.world, path.clone());
        super::in_background(move || world.undisturbed().stat(&path, std::time::Duration::ZERO).result).await??.size
    };
    if let Some(range) = headers.typed_get::<Range>() {
        return read_range(state.0.asked(&world, &headers)?, path, &range, size).await;
    }
    if headers.get(header::ACCEPT).is_some_and(|accepted| accepted == BINARY) {
        return Pieces { shared: state.0, headers, world, path, size, offset: 0 }.send().await;
    }
    let whole = usize::try_from(size).ok().filter(|size| *size <= MESSAGE_BYTES_MAX);
    let Some(whole) = whole else {
        let message = format!("{size} bytes are too many for one message: ask for ranges, or accept {BINARY}");
        return Err(Refusal(Fault::new(FaultClass::Denied, message)));
    };
    let bytes = state.0.asked(&world, &headers)?.call(move |world, now| world.read(&path, 0, whole, now)).await?;
    let mut checksum = String::with_capacity(64);
    for byte in Sha256::digest(&bytes) {
        write!(checksum, "{byte:02x}").expect("a string takes anything");
    }
    let data = FileData { data: to_base64(&bytes), checksum, size: bytes.len() };
    Ok(answer("File read", data).into_response())
}

async fn read_range(asked: Asked, path: Vec<u8>, range: &Range, size: u64) -> Result<Response, Refusal> {
    use std::ops::Bound;
    let Some((start, end)) = range.satisfiable_ranges(size).next() else {
        let length = [(header::CONTENT_RANGE, format!("bytes */{size}"))];
        return Ok((StatusCode::RANGE_NOT_SATISFIABLE, length).into_response());
    };
    let start = match start {
        Bound::Included(start) => start,
        Bound::Excluded(before) => before + 1,
        Bound::Unbounded => 0,
    };
    let end = match end {
        Bound::Included(last) => last.saturating_add(1),
        Bound::Excluded(end) => end,
        Bound::Unbounded => size,
    };
    let end = end.min(size).min(start.saturating_add(MESSAGE_BYTES_MAX as u64));
    let length = usize::try_from(end.saturating_sub(start)).expect("as much as a message may have");
    let bytes = asked.call(move |world, now| world.read(&path, start, length, now)).await?;
    let last = (start + bytes.len() as u64).saturating_sub(1);
    let headers =
        [(header::CONTENT_TYPE, BINARY.to_owned()), (header::CONTENT_RANGE, format!("bytes {start}-{last}/{size}"))];
    Ok((StatusCode::PARTIAL_CONTENT, headers, bytes).into_response())
}

/// A file that is sent piece by piece.
struct Pieces {
    shared: Arc<Shared>,
    headers: HeaderMap,
    world: String,
    path: Vec<u8>,
    size: u64,
    /// Bytes that were read.
    offset: u64,
}

impl Pieces {
    async fn next(&mut self) -> Result<Option<Bytes>, Refusal> {
        if self.offset >= self.size {
            return Ok(None);
        }
        let (asked, path) = (self.shared.clone().asked(&self.world, &self.headers)?, self.path.clone());
        let offset = self.offset;
        let bytes = asked.call(move |world, now| world.read(&path, offset, PIECE_BYTES, now)).await?;
        if bytes.is_empty() {
            return Err(Refusal(Fault::new(FaultClass::Transient, "the file was replaced while it was read")));
        }
        self.offset += bytes.len() as u64;
        Ok(Some(Bytes::from(bytes)))
    }

    /// A piece that cannot be read breaks the connection off, before the length that was said.
    async fn send(mut self) -> Result<Response, Refusal> {
        // The first piece is read before anything is answered, so that what is usually wrong has an answer of its own.
        let first = self.next().await?;
        let size = self.size.to_string();
        let rest = stream::try_unfold(self, |mut pieces| async move {
            let next = pieces.next().await.map_err(|Refusal(fault)| fault)?;
            Ok::<_, Fault>(next.map(|piece| (piece, pieces)))
        });
        let pieces = stream::iter(first.map(Ok)).chain(rest);
        let about = [(header::CONTENT_TYPE, BINARY.to_owned()), (header::CONTENT_LENGTH, size)];
        Ok((about, Body::from_stream(pieces)).into_response())
    }
}
