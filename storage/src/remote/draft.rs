//! Writing a file behind a network, so that it appears whole or not at all.
//!
//! An object store shows an object when all of it has arrived. Where a write is seen as soon as it begins, the file goes
//! by its temporary name first, and is renamed.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use backon::{BackoffBuilder, ExponentialBuilder};
use longhaul_model::{ErrorClass, encode_name};
use opendal::Buffer;
use opendal::options::WriteOptions;
use opendal::raw::{OpRename, OpWrite, oio};
use tokio::sync::Semaphore;

use super::failure::NOT_MET;
use super::transport::{Additions, watched};
use super::{RemoteStore, times};
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Original, Placed, RemoteFile, Replace, Target};
use crate::network::on_network;

/// The usual size of a part of a file that is sent in parts, in bytes.
const PART_BYTES: u64 = 8 << 20;

/// Parts that a file may have: S3 takes 10 000.
const PARTS_MAX: u64 = 9_000;

/// What S3 copies in one piece, and with all that it keeps beside it: 5 GiB.
const COPIED_AT_ONCE_MAX: u64 = 5 << 30;

/// How often it is tried again to send a part: of thousands of them some will always meet with something.
const PART_TRIES: usize = 5;

/// Parts of one file that are under way at a time.
const PARTS_AT_ONCE: usize = 2;

/// What all drafts of the process together may hold in memory, in units of [`UNIT_BYTES`].
static MEMORY: Semaphore = Semaphore::const_new(MEMORY_UNITS);

const MEMORY_UNITS: usize = 3 << 9;
const UNIT_BYTES: u64 = 64 << 10;

/// A file that is being written.
pub(super) struct RemoteDraft {
    store: Arc<RemoteStore>,
    key: String,
    /// The key that it has until it is whole, where the store shows what is not.
    temporary: Option<String>,
    replace: Replace,
    modified_ns: Option<i64>,
    part_bytes: usize,
    /// What has not been sent.
    pending: Vec<u8>,
    /// Is there when the first part has been sent.
    writer: Option<oio::Writer>,
    /// Whether something may be there under the temporary name.
    is_begun: bool,
    written: u64,
    /// The file of the same store that it is to be a copy of, which the store makes in the end.
    copy_of: Option<RemoteFile>,
    #[expect(dead_code, reason = "its memory is taken as long as it is there")]
    memory: Option<tokio::sync::SemaphorePermit<'static>>,
}

impl std::fmt::Debug for RemoteDraft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteDraft").field("key", &self.key).field("written", &self.written).finish_non_exhaustive()
    }
}

impl RemoteDraft {
    /// Waits until there is memory for it.
    pub(super) async fn begin(store: Arc<RemoteStore>, key: String, temporary: String, target: Target<'_>) -> Self {
        let size = target.known.size.unwrap_or(PART_BYTES);
        // Where a store takes no parts, all of it is kept until it is sent.
        let part_bytes = if store.can.write_can_multi { PART_BYTES.max(size.div_ceil(PARTS_MAX)) } else { u64::MAX };
        let held = if size > part_bytes { part_bytes * (PARTS_AT_ONCE as u64 + 1) } else { size };
        let units = usize::try_from(held.div_ceil(UNIT_BYTES)).unwrap_or(MEMORY_UNITS).clamp(1, MEMORY_UNITS);
        let memory = MEMORY.acquire_many(u32::try_from(units).expect("units are few")).await.ok();
        // wsgidav (4.3) cuts off, where it is told the new name, what follows one of these.
        let can_be_renamed = !(key.contains(['?', ';']) && store.cuts_new_names.load(Relaxed));
        RemoteDraft {
            temporary: (store.traits.writes_in_place && can_be_renamed).then_some(temporary),
            store,
            key,
            replace: target.replace,
            modified_ns: target.known.modified_ns,
            part_bytes: usize::try_from(part_bytes).unwrap_or(usize::MAX),
            pending: Vec::new(),
            writer: None,
            is_begun: false,
            written: 0,
            copy_of: None,
            memory,
        }
    }

    fn open_writer(&mut self) -> Result<oio::Writer, StoreError> {
        let can = &self.store.can;
        let keeps_times = self.store.capabilities.keeps.modified;
        let beside = self.modified_ns.filter(|_| keeps_times).map(|ns| HashMap::from([times::to_metadata(ns)]));
        let name = self.key.rsplit_once('/').map_or(self.key.as_str(), |(_, name)| name);
        let content_type = mime_guess::from_path(name).first_raw().filter(|_| can.write_with_content_type);
        let options = WriteOptions {
            content_type: content_type.map(str::to_owned),
            user_metadata: beside,
            if_not_exists: !self.replace.is_allowed() && self.temporary.is_none() && self.store.writes_conditionally(),
            concurrent: PARTS_AT_ONCE,
            ..WriteOptions::default()
        };
        let opened = OpWrite::from_options(can, options).and_then(|(arguments, _)| {
            let (service, context) = self.store.raw();
            service.write_dyn(context, self.temporary.as_ref().unwrap_or(&self.key), arguments)
        });
        opened.map_err(|error| super::failure::store_error(&error, None))
    }

    /// Sends what is pending as a part.
    async fn send_part(&mut self) -> Result<(), StoreError> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.open_writer()?,
        };
        self.is_begun = true;
        let additions = self.additions();
        let part = Buffer::from(std::mem::take(&mut self.pending));
        let (sent, writer) = on_network(async move {
            let mut pauses = ExponentialBuilder::default().with_jitter().with_max_times(PART_TRIES).build();
            // The client keeps what it could not send of earlier parts, and sends it again along with this one.
            let sent = loop {
                let (sent, refusal) = watched(additions.clone(), writer.write_dyn(part.clone())).await;
                let Err(error) = sent else { break Ok(()) };
                let failed = super::failure::store_error(&error, refusal);
                match pauses.next().filter(|_| error.is_temporary()) {
                    Some(pause) => tokio::time::sleep(failed.retry_after.unwrap_or(pause)).await,
                    None => break Err(failed),
                }
            };
            Ok::<_, StoreError>((sent, writer))
        })
        .await?;
        self.writer = Some(writer);
        sent
    }

    fn additions(&self) -> Additions {
        // Nextcloud takes earlier ones for mistakes, and refuses the file.
        const FIRST_SECOND: i64 = 86_401;
        let told = self.modified_ns.filter(|_| !self.store.traits.keeps_times_beside);
        let seconds = told.map(|ns| ns.div_euclid(1_000_000_000));
        let modified_s = seconds.filter(|&seconds| seconds >= FIRST_SECOND);
        Additions { modified_s, ..Additions::default() }
    }

    async fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        if offset != self.written {
            return Err(StoreError::new(ErrorClass::Fatal, "parts are not kept by this store"));
        }
        self.written += bytes.len() as u64;
        let mut bytes = bytes;
        while self.asks_to_take(bytes.len()) {
            let (now, later) = bytes.split_at(self.part_bytes - self.pending.len());
            self.pending.extend_from_slice(now);
            self.send_part().await?;
            bytes = later;
        }
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    async fn give_name(mut self, size: u64, attributes: &Attributes) -> Result<Placed, StoreError> {
        if self.written != size {
            let message = format!("wrote {} of {size} bytes", self.written);
            return Err(StoreError::new(ErrorClass::Transient, message));
        }
        if self.writer.is_none() {
            self.modified_ns = attributes.modified_ns;
        }
        let copy_of = self.copy_of.take();
        // Not every store that knows how to write only where nothing is knows how to copy so, or to put parts together.
        let is_sure = self.store.writes_conditionally() && copy_of.is_none() && self.writer.is_none();
        if !self.replace.is_allowed() && !is_sure && self.temporary.is_none() {
            // There is no way of writing only where nothing is: a look just before is what can be done. That others
            // begin with the same name is in the way of no object.
            let (store, key) = (self.store.clone(), self.key.clone());
            match on_network(async move { store.stat(&key).await }).await {
                Ok(_) => return Ok(Placed::Taken),
                Err(error) if error.class == ErrorClass::Vanished => {}
                Err(error) => return Err(error),
            }
        }
        if !self.pending.is_empty() {
            self.send_part().await?;
        }
        let writer = match (self.writer.take(), &copy_of) {
            (_, Some(_)) => None,
            (Some(writer), None) => Some(writer),
            (None, None) => Some(self.open_writer()?),
        };
        self.is_begun = true;
        let (store, additions, key) = (self.store.clone(), self.additions(), self.key.clone());
        let (temporary, replace) = (self.temporary.clone(), self.replace);
        let placed = on_network(async move {
            if let Some(from) = copy_of {
                let if_not_exists = temporary.is_none() && !replace.is_allowed();
                store.copy_within(&from, temporary.as_ref().unwrap_or(&key), if_not_exists).await?;
            }
            if let Some(mut writer) = writer
                && let Err(error) = store.call(additions, writer.close_dyn()).await
            {
                // An upload in parts that is not ended would be paid for.
                let _ = writer.abort_dyn().await;
                return Err(error);
            }
            match temporary {
                None => Ok(Placed::Done),
                Some(temporary) => store.rename(&temporary, &key, replace.is_allowed()).await,
            }
        });
        let placed = match placed.await {
            // Somebody was faster.
            Err(error) if is_taken(&error) && !replace.is_allowed() => Ok(Placed::Taken),
            placed => placed,
        };
        if let (Some(temporary), true) = (self.temporary.take(), placed != Ok(Placed::Done)) {
            // At once, and not when it is dropped: the next attempt may begin at the next moment, by the same name.
            let store = self.store.clone();
            let _ = on_network(async move { store.remove(&temporary).await }).await;
        }
        if placed == Ok(Placed::Done) {
            tracing::trace!(target: "longhaul::copying", path = %encode_name(self.key.as_bytes()));
        }
        placed
    }
}

/// Whether a conditional call has failed for its condition.
pub(super) fn is_taken(error: &StoreError) -> bool {
    [" 412", "ConditionalRequestConflict", NOT_MET].iter().any(|sign| error.message.contains(sign))
}

impl RemoteStore {
    /// Gives a file another name. Without `replace` only where nothing has it.
    pub(super) async fn rename(&self, from: &str, to: &str, replace: bool) -> Result<Placed, StoreError> {
        if !replace && self.look(to).await?.is_some() {
            return Ok(Placed::Taken);
        }
        let (service, context) = self.raw();
        let additions = Additions { keeps_what_is_there: !replace, ..Additions::default() };
        self.call(additions, service.rename_dyn(context, from, to, OpRename::default())).await.map(|_| Placed::Done)
    }
}

impl Drop for RemoteDraft {
    fn drop(&mut self) {
        let (writer, temporary) = (self.writer.take(), self.temporary.take().filter(|_| self.is_begun));
        if writer.is_none() && temporary.is_none() {
            return;
        }
        let store = self.store.clone();
        crate::network::in_background(async move {
            if let Some(mut writer) = writer {
                let _ = writer.abort_dyn().await;
            }
            if let Some(temporary) = temporary
                && let Err(error) = store.remove(&temporary).await
            {
                tracing::debug!("a temporary file stays: {error}");
            }
        });
    }
}

impl Draft for RemoteDraft {
    fn asks_to_take(&self, bytes: usize) -> bool {
        self.pending.len() as u64 + bytes as u64 > self.part_bytes as u64
    }

    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(self.append(offset, bytes))
    }

    /// All of it, or nothing: the store makes the copy when the file gets its name.
    fn copy_range<'a>(&'a mut self, original: &'a dyn Original, range: Range<u64>) -> Answer<'a, bool> {
        let from = original.as_remote().filter(|from| from.store == self.store.whole_name);
        let is_all = range.start == 0 && self.written == 0;
        // What cannot be told a name when it is renamed cannot be told when it is copied either.
        let can_be_named = !self.store.traits.writes_in_place || self.temporary.is_some();
        let is_possible = self.store.can.copy && is_all && can_be_named && range.end <= COPIED_AT_ONCE_MAX;
        if let (Some(from), true) = (from, is_possible) {
            self.copy_of = Some(from);
            self.written = range.end;
            return Box::pin(std::future::ready(Ok(true)));
        }
        Box::pin(std::future::ready(Ok(false)))
    }

    fn finish<'a>(
        self: Box<Self>,
        _target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        _durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(self.give_name(size, attributes))
    }
}
