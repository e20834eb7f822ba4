//! Files that come in several messages.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Path, Query};
use axum::http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde::Deserialize;

use super::super::wire::{FinishUpload, NewNode, UploadBegun};
use super::answer::{Answered, Refusal, Request, answer};
use super::{State, in_background};
use crate::fault::{Fault, FaultClass};
use crate::generator::CREATED_FOLDER_MODIFIED_NS;
use crate::world::FileWriter;

/// An upload that nobody has gone on with for so long is given up.
const IDLE_MAX: Duration = Duration::from_hours(1);

/// Those that are not finished yet.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    begun: Mutex<HashMap<String, Upload>>,
    last_id: AtomicU64,
}

/// One of them. It is taken out while it is worked on, so that two calls cannot get into each other's way.
#[derive(Debug)]
struct Upload {
    writer: FileWriter,
    /// Bytes that have come.
    size: u64,
    touched: Instant,
}

impl Uploads {
    fn add(&self, writer: FileWriter) -> String {
        let id = (self.last_id.fetch_add(1, Relaxed) + 1).to_string();
        let mut begun = self.begun.lock();
        begun.retain(|_, upload| upload.touched.elapsed() < IDLE_MAX);
        begun.insert(id.clone(), Upload { writer, size: 0, touched: Instant::now() });
        id
    }

    fn take(&self, id: &str) -> Result<Upload, Fault> {
        let no_upload = || Fault::new(FaultClass::Vanished, format!("there is no upload `{}`", id.escape_debug()));
        self.begun.lock().remove(id).ok_or_else(no_upload)
    }

    fn put_back(&self, id: String, upload: Upload) {
        self.begun.lock().insert(id, Upload { touched: Instant::now(), ..upload });
    }
}

pub(super) async fn begin(
    state: State,
    headers: HeaderMap,
    request: Request<NewNode>,
) -> Result<(StatusCode, axum::Json<super::super::wire::Answer<UploadBegun>>), Refusal> {
    let replace = request.0.replace;
    let (world, path) = request.0.resolve()?;
    let asked = state.0.clone().asked(&world, &headers)?;
    let writer = asked.call(move |world, now| world.begin_file(&path, replace, now)).await?;
    let begun = UploadBegun { upload_id: state.0.uploads.add(writer) };
    Ok((StatusCode::CREATED, answer("Upload begun", begun)))
}

#[derive(Deserialize)]
pub(super) struct At {
    offset: u64,
}

pub(super) async fn append(
    state: State,
    Path(id): Path<String>,
    Query(At { offset }): Query<At>,
    bytes: Bytes,
) -> Answered<()> {
    in_background(move || {
        let uploads = &state.0.uploads;
        let mut upload = uploads.take(&id)?;
        if offset != upload.size {
            let message = format!("it goes on at byte {}, not at {offset}", upload.size);
            uploads.put_back(id, upload);
            return Err(Fault::new(FaultClass::Denied, message));
        }
        upload.writer.append(&bytes)?;
        upload.size += bytes.len() as u64;
        uploads.put_back(id, upload);
        Ok(())
    })
    .await??;
    Ok(answer("Bytes added", ()))
}

pub(super) async fn finish(state: State, Path(id): Path<String>, request: Request<FinishUpload>) -> Answered<()> {
    let FinishUpload { size, modified_ns } = request.0;
    in_background(move || {
        let upload = state.0.uploads.take(&id)?;
        if upload.size != size {
            let message = format!("{} of {size} bytes have come", upload.size);
            return Err(Fault::new(FaultClass::Transient, message));
        }
        upload.writer.finish(modified_ns.unwrap_or(CREATED_FOLDER_MODIFIED_NS), state.0.now())
    })
    .await??;
    Ok(answer("File written", ()))
}

pub(super) async fn give_up(state: State, Path(id): Path<String>) -> Answered<()> {
    in_background(move || state.0.uploads.take(&id).map(drop)).await??;
    Ok(answer("Upload given up", ()))
}
