//! Reading a file behind a network: as one stream, as long as it is read from front to back.

use std::sync::Arc;

use longhaul_model::{ErrorClass, NodeKind};
use opendal::options::ReaderOptions;
use opendal::raw::{OpList, OpRead, OpReader, oio};
use opendal::{Buffer, BytesRange, Metadata};
use tokio::sync::Mutex;

use super::RemoteStore;
use super::facts::facts_of;
use super::transport::Additions;
use crate::error::StoreError;
use crate::folder::{Answer, Facts, Original, RemoteFile};
use crate::network::on_network;

/// A file of no more bytes is had as a whole when it is opened: to come back for them costs more than to keep them.
const HERE_BYTES_MAX: usize = 256 << 10;

/// A file that is being read.
pub(super) struct RemoteOriginal {
    store: Arc<RemoteStore>,
    key: String,
    at_opening: Facts,
    /// Tells this version of it from others, where the store has such a thing.
    version: Option<String>,
    /// What the answer to opening it said.
    metadata: Metadata,
    /// Its time is kept with it, wherever its store copies it to.
    has_time_beside: bool,
    /// Where its bytes come from.
    bytes: Bytes,
}

/// The bytes of a file.
enum Bytes {
    /// All of them, since they are few.
    Here(Vec<u8>),
    /// Where it was read last, and how it goes on from there.
    Coming(Mutex<Option<Stream>>),
}

struct Stream {
    /// The offset of what comes next.
    at: u64,
    incoming: Box<dyn oio::ReadStreamDyn>,
    /// Bytes that have come and were not asked for yet.
    rest: Buffer,
}

impl std::fmt::Debug for RemoteOriginal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteOriginal").field("key", &self.key).finish_non_exhaustive()
    }
}

impl RemoteOriginal {
    /// Asks for all of it: what is known of it comes with the first bytes. Those of a small file are read.
    pub(super) async fn open(store: Arc<RemoteStore>, key: String) -> Result<Self, StoreError> {
        let (metadata, incoming) = open_at(&store, &key, BytesRange::default(), None).await?;
        let metadata = match metadata {
            Some(metadata) => metadata,
            None => store.stat(&key).await?,
        };
        let mut at_opening = facts_of(&metadata);
        if at_opening.kind == NodeKind::Folder {
            return Err(StoreError::new(ErrorClass::Vanished, "it is not a regular file any more"));
        }
        at_opening.kind = NodeKind::File;
        // A weak one tells versions apart that need not have the same bytes, and no server takes it as a condition.
        let is_strong = |etag: &&str| !etag.starts_with("W/") && !store.traits.writes_in_place;
        let version = metadata.etag().filter(is_strong).map(str::to_owned).filter(|_| store.can.read_with_if_match);
        let has_time_beside = super::times::from_metadata(&metadata).is_some();
        let mut stream = Stream { at: 0, incoming, rest: Buffer::new() };
        let size = at_opening.size.and_then(|size| usize::try_from(size).ok());
        let bytes = match size.filter(|&size| size <= HERE_BYTES_MAX) {
            Some(size) => Bytes::Here(stream.take(&store, size).await?),
            None => Bytes::Coming(Mutex::new(Some(stream))),
        };
        Ok(RemoteOriginal { store, key, at_opening, version, metadata, has_time_beside, bytes })
    }
}

type Opened = (Option<Metadata>, Box<dyn oio::ReadStreamDyn>);

async fn open_at(
    store: &RemoteStore,
    key: &str,
    range: BytesRange,
    version: Option<String>,
) -> Result<Opened, StoreError> {
    let options = ReaderOptions { if_match: version, ..ReaderOptions::default() };
    let (arguments, _): (OpRead, OpReader) = options.into();
    let (service, context) = store.raw();
    let reader = service.read_dyn(context, key, arguments);
    let reader = reader.map_err(|error| super::failure::store_error(&error, None))?;
    let opened = store.call(Additions::default(), reader.open_dyn(range)).await;
    opened.map(|(answer, incoming)| (answer.into_metadata(), incoming))
}

/// Whether there are any bytes under a key, which may be that of a folder.
pub(super) async fn has_contents(store: &RemoteStore, key: &str) -> Result<bool, StoreError> {
    let (_, mut incoming) = open_at(store, key, BytesRange::default(), None).await?;
    let first = store.call(Additions::default(), incoming.read_dyn()).await?;
    Ok(!first.is_empty())
}

/// What the listing says of an object; `None` where it is not in there.
async fn listed_now(store: &RemoteStore, key: &str) -> Result<Option<Metadata>, StoreError> {
    let (service, context) = store.raw();
    // What begins with the key comes behind the key itself.
    let lister = service.list_dyn(context, key, OpList::default());
    let mut lister = lister.map_err(|error| super::failure::store_error(&error, None))?;
    let (first, _) = store.next_listed(&mut lister).await;
    Ok(first?.filter(|first| first.path() == key).map(|first| first.into_parts().1))
}

impl Stream {
    /// The next bytes, as many as are wanted unless the file ends.
    async fn take(&mut self, store: &RemoteStore, wanted: usize) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::with_capacity(wanted);
        while bytes.len() < wanted {
            if self.rest.is_empty() {
                self.rest = store.call(Additions::default(), self.incoming.read_dyn()).await?;
                if self.rest.is_empty() {
                    break;
                }
            }
            let taken = self.rest.split_to(self.rest.len().min(wanted - bytes.len()));
            for piece in taken {
                bytes.extend_from_slice(&piece);
            }
        }
        self.at += bytes.len() as u64;
        Ok(bytes)
    }
}

impl Original for RemoteOriginal {
    fn as_remote(&self) -> Option<RemoteFile> {
        let has_all = self.has_time_beside || !self.store.traits.keeps_times_beside;
        has_all.then(|| RemoteFile { version: self.version.clone(), ..self.store.as_called_by_store(&self.key) })
    }

    fn facts_at_opening(&self) -> Facts {
        self.at_opening
    }

    fn is_one_version(&self) -> bool {
        !self.store.traits.writes_in_place && self.version.is_some()
    }

    fn facts(&self) -> Answer<'_, Facts> {
        if self.is_one_version() {
            return Box::pin(std::future::ready(Ok(self.at_opening)));
        }
        let (store, key, at_opening) = (self.store.clone(), self.key.clone(), self.at_opening);
        Box::pin(on_network(async move {
            let now = facts_of(&store.stat(&key).await?);
            // What one of two answers does not say has not changed.
            let size = now.size.or(at_opening.size);
            let modified_ns = at_opening.modified_ns.and(now.modified_ns.or(at_opening.modified_ns));
            Ok(Facts { size, modified_ns, ..now })
        }))
    }

    fn confirm_size(&self) -> Answer<'_, ()> {
        if self.store.traits.has_folders {
            return Box::pin(std::future::ready(Ok(())));
        }
        let (store, key, opened) = (self.store.clone(), self.key.clone(), self.metadata.clone());
        Box::pin(on_network(async move {
            let Some(listed) = listed_now(&store, &key).await? else { return Ok(()) };
            let etags = listed.etag().zip(opened.etag());
            let is_same = match etags {
                Some((listed, opened)) => listed.trim_matches('"') == opened.trim_matches('"'),
                None => listed.last_modified() == opened.last_modified(),
            };
            let (listed, opened) = (listed.content_length(), opened.content_length());
            if is_same && listed != opened {
                let message = format!("the store lists {listed} bytes of it, and sends {opened} of the same version");
                return Err(StoreError::new(ErrorClass::Transient, message));
            }
            Ok(())
        }))
    }

    fn asks_to_read(&self) -> bool {
        matches!(self.bytes, Bytes::Coming(_))
    }

    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        Box::pin(async move {
            match &self.bytes {
                Bytes::Here(bytes) => {
                    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                    let wanted = &bytes[from..];
                    let count = wanted.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&wanted[..count]);
                    Ok(count)
                }
                Bytes::Coming(stream) => self.read_from(stream, offset, buffer).await,
            }
        })
    }
}

impl RemoteOriginal {
    async fn read_from(
        &self,
        stream: &Mutex<Option<Stream>>,
        offset: u64,
        buffer: &mut [u8],
    ) -> Result<usize, StoreError> {
        let mut place = stream.lock().await;
        // One that breaks off is not put back: the next attempt asks anew.
        let open = place.take().filter(|stream| stream.at == offset);
        let (store, key, version) = (self.store.clone(), self.key.clone(), self.version.clone());
        let size = self.at_opening.size.map_or(u64::MAX, i64::unsigned_abs);
        let wanted = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let (bytes, stream) = on_network(async move {
            let mut stream = if let Some(stream) = open {
                stream
            } else {
                let range = BytesRange::new(offset, None);
                let (_, incoming) = open_at(&store, &key, range, version).await?;
                Stream { at: offset, incoming, rest: Buffer::new() }
            };
            let bytes = stream.take(&store, wanted).await?;
            Ok::<_, StoreError>((bytes, stream))
        })
        .await?;
        *place = Some(stream);
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(bytes.len())
    }
}
