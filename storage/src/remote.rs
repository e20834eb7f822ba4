//! Trees behind a network, through the clients of Apache `OpenDAL`: one implementation for all protocols, which asks the
//! client what it can do.
//!
//! Calls go to the client as they are, and not through `OpenDAL`'s layer for people, which cuts spaces off the ends of
//! paths.

// Clients, and what they say.
mod facts;
mod failure;
mod service;
mod times;
mod transport;

// What is done with them.
mod draft;
mod folder;
mod listed;
mod listing;
mod original;
#[cfg(any(test, fuzzing))]
pub(crate) mod scripted;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable};
use longhaul_model::ErrorClass;
use opendal::options::{CopyOptions, WriteOptions};
use opendal::raw::{OpCopy, OpCreateDir, OpList, OpStat, OpWrite, Servicer, oio};
use opendal::{Buffer, Capability, OperationContext, Operator};

use self::folder::RemoteFolder;
use self::listed::Odd;
use self::transport::{Additions, watched, watched_listing};
use crate::capabilities::{Capabilities, Keeps};
use crate::error::StoreError;
use crate::folder::{Answer, Folder, RemoteFile};
use crate::location::{RemoteUrl, Traits};
use crate::network::{on_network, wait_for};
use crate::store::{PageStream, Store};

/// Calls that are made at a time at most: how many of them are is left to the pace.
const CALLS_AT_ONCE: usize = 64;

/// A tree behind a network.
#[derive(Clone, Debug)]
pub(crate) struct RemoteStore {
    operator: Operator,
    /// What the client can do.
    can: Capability,
    traits: Traits,
    capabilities: Capabilities,
    url: RemoteUrl,
    /// The name of the whole store, whatever the root of the tree in it.
    whole_name: String,
    /// What the keys of the whole store begin with that are in the tree.
    prefix: String,
    /// A client for the whole store, for copies from one place of it to another; made when it is needed first.
    whole: Arc<OnceLock<Operator>>,
    /// A server was seen to write although something was there, against what it was told.
    ignores_conditions: Arc<AtomicBool>,
    /// A server was seen to cut off a part of the new name of a file.
    cuts_new_names: Arc<AtomicBool>,
}

/// What a store can do whose client can do this.
fn capabilities(can: Capability, traits: Traits) -> Capabilities {
    let modified = traits.keeps_times_beside && can.write_with_user_metadata;
    Capabilities {
        blocks_thread: false,
        time_resolution_ns: traits.time_resolution_ns,
        listings_at_once: CALLS_AT_ONCE,
        names: traits.names,
        lists_times: !traits.keeps_times_beside,
        has_folders: traits.has_folders,
        has_a_pace: true,
        begins_unasked: true,
        keeps: Keeps { modified, ..Keeps::default() },
    }
}

impl RemoteStore {
    /// Makes a client, and asks the server for its root. Blocks the thread until it has answered. An error of the class
    /// `vanished` means that there is nothing.
    ///
    /// Where folders come with what is in them, a place in which nothing is cannot be told from one that is not there: it
    /// is an error where there is `to_be_something`.
    pub(crate) fn open(url: &RemoteUrl, to_be_something: bool) -> Result<Self, StoreError> {
        let store = Arc::new(RemoteStore::unopened(url)?);
        let asked = store.clone();
        let is_empty = wait_for(async move { asked.look_at_root().await })?;
        if is_empty && to_be_something && !store.traits.has_folders && url.path() != "/" {
            return Err(StoreError::new(ErrorClass::Vanished, "nothing is there: check the path"));
        }
        Ok(Arc::into_inner(store).expect("the answer has come"))
    }

    /// The store at a URL, of which nothing has been asked yet.
    fn unopened(url: &RemoteUrl) -> Result<Self, StoreError> {
        let path = url.path();
        let operator = service::client(url, &format!("{}/", path.trim_end_matches('/')))?;
        let (can, traits) = (operator.info().capability(), url.protocol.spec().traits);
        let root = path.trim_matches('/');
        Ok(RemoteStore {
            operator,
            can,
            traits,
            capabilities: capabilities(can, traits),
            url: url.clone(),
            whole_name: url.store(),
            prefix: if root.is_empty() { String::new() } else { format!("{root}/") },
            whole: Arc::default(),
            ignores_conditions: Arc::default(),
            cuts_new_names: Arc::default(),
        })
    }

    /// Makes the root, and all folders above it, where the store has folders.
    pub(crate) fn create_root(url: &RemoteUrl) -> Result<(), StoreError> {
        let traits = url.protocol.spec().traits;
        let path = url.path();
        let folder = path.trim_matches('/').to_owned();
        if !traits.has_folders || folder.is_empty() {
            return Ok(());
        }
        let operator = service::client(url, "/")?;
        wait_for(async move {
            let made = async {
                let (service, context) = (operator.service(), operator.context());
                service.create_dir_dyn(context, &format!("{folder}/"), OpCreateDir::default()).await
            };
            let (made, refusal) = watched(Additions::default(), made).await;
            made.map(drop).map_err(|error| failure::store_error(&error, refusal))
        })
    }

    /// Whether the server can be told to write only where nothing is.
    fn writes_conditionally(&self) -> bool {
        self.can.write_with_if_not_exists && !self.ignores_conditions.load(Relaxed)
    }

    /// Writes a file of a few bytes, and with `if_not_exists` only where nothing is.
    async fn try_writing(&self, key: &str, if_not_exists: bool) -> Result<(), StoreError> {
        let (service, context) = self.raw();
        self.call(Additions::default(), async {
            let options = WriteOptions { if_not_exists, ..WriteOptions::default() };
            let (arguments, _) = OpWrite::from_options(&self.can, options)?;
            let mut writer = service.write_dyn(context, key, arguments)?;
            writer.write_dyn(Buffer::from("longhaul")).await?;
            writer.close_dyn().await.map(drop)
        })
        .await
    }

    /// Finds out whether the server heeds a condition, with a file that is there.
    async fn measure_conditions(&self, key: &str) -> Result<(), StoreError> {
        match persistently(|| self.try_writing(key, true)).await {
            Err(error) if draft::is_taken(&error) => return Ok(()),
            Err(error) if !error.message.contains(" 501") => return Err(error),
            // It writes nevertheless, or says that it does not know of such a thing.
            Ok(()) | Err(_) => {}
        }
        tracing::warn!(
            store = %self.url,
            "it does not know how to write only where nothing is: a look just before has to do"
        );
        self.ignores_conditions.store(true, Relaxed);
        Ok(())
    }

    /// Finds out, with a file that is there, whether the server takes every name as the new one of a file. Removes it.
    async fn measure_renaming(&self, key: &str) -> Result<(), StoreError> {
        let cut = format!("{key}-renamed");
        let odd = format!("{cut}?;");
        persistently(|| self.remove(&odd)).await?;
        match persistently(|| self.rename(key, &odd, true)).await {
            Err(error) if error.class.is_retried() => return Err(error),
            // Where the answer to the first attempt got lost, the second one finds nothing to rename.
            Ok(_) | Err(_) => {}
        }
        let is_taken = persistently(|| self.look(&odd)).await?.is_some();
        self.cuts_new_names.store(!is_taken, Relaxed);
        for left in [odd.as_str(), &cut, key] {
            persistently(|| self.remove(left)).await?;
        }
        Ok(())
    }

    /// The file with this key, as it is called from the root of the store.
    fn as_called_by_store(&self, key: &str) -> RemoteFile {
        RemoteFile { store: self.whole_name.clone(), key: format!("{}{key}", self.prefix), version: None }
    }

    /// Has the store copy a file, with all that it keeps of it. With `if_not_exists` only where nothing is, as far as the
    /// store knows how to.
    async fn copy_within(&self, from: &RemoteFile, key: &str, if_not_exists: bool) -> Result<(), StoreError> {
        let client = if let Some(client) = self.whole.get() {
            client
        } else {
            let client = service::client(&self.url, "/")?;
            self.whole.get_or_init(|| client)
        };
        if let Some(version) = &from.version {
            let found = client.service().stat_dyn(client.context(), &from.key, OpStat::default());
            let found = self.call(Additions::default(), found).await?.into_metadata();
            if found.etag() != Some(version) {
                return Err(StoreError::new(ErrorClass::Transient, "the file changed before it was copied"));
            }
        }
        let if_not_exists = if_not_exists && self.can.copy_with_if_not_exists && self.writes_conditionally();
        let to = self.as_called_by_store(key).key;
        self.call(Additions::default(), async {
            let options = CopyOptions { if_not_exists, ..CopyOptions::default() };
            let arguments = OpCopy::from_options(&self.can, options)?;
            let mut copier = client.service().copy_dyn(client.context(), &from.key, &to, arguments)?;
            while copier.next_dyn().await?.is_some() {}
            copier.close_dyn().await.map(drop)
        })
        .await
    }

    /// The client, for calls that are not made through its layer for people.
    fn raw(&self) -> (&Servicer, &OperationContext) {
        (self.operator.service(), self.operator.context())
    }

    /// Makes a call and says what its error means.
    async fn call<T>(
        &self,
        additions: Additions,
        call: impl Future<Output = opendal::Result<T>>,
    ) -> Result<T, StoreError> {
        let (answer, refusal) = watched(additions, call).await;
        answer.map_err(|error| failure::store_error(&error, refusal))
    }

    /// The next entry of a listing, and what was found on the way to it that is none for the client.
    async fn next_listed(&self, lister: &mut oio::Lister) -> (Result<Option<oio::Entry>, StoreError>, Vec<Odd>) {
        let (entry, refusal, odd) = watched_listing(lister.next_dyn()).await;
        (entry.map_err(|error| failure::store_error(&error, refusal)), odd)
    }

    /// Asks for the root. Lists it, which everybody may who can do anything with it. Returns whether there is nothing.
    async fn look_at_root(&self) -> Result<bool, StoreError> {
        let (service, context) = self.raw();
        let lister = service.list_dyn(context, "/", OpList::default());
        let mut lister = lister.map_err(|error| failure::store_error(&error, None))?;
        let (first, odd) = self.next_listed(&mut lister).await;
        let first = first?;
        if let (None, Some(odd)) = (&first, odd.into_iter().find(|odd| odd.name.is_none())) {
            return Err(StoreError::new(ErrorClass::BadName, odd.why));
        }
        if first.is_none() && self.traits.lists_itself {
            // Its client takes what is not there for an empty folder; one that is there has itself in its listing.
            return Err(StoreError::new(ErrorClass::Vanished, "it is not there"));
        }
        Ok(first.is_none())
    }

    async fn stat(&self, key: &str) -> Result<opendal::Metadata, StoreError> {
        let (service, context) = self.raw();
        let found = self.call(Additions::default(), service.stat_dyn(context, key, OpStat::default())).await?;
        Ok(found.into_metadata())
    }
}

/// Makes a call a few times, where it is one of several that all have to succeed: to begin with the first one again would
/// meet with something else the next time.
async fn persistently<T, F: Future<Output = Result<T, StoreError>>>(call: impl FnMut() -> F) -> Result<T, StoreError> {
    let pauses = ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(CALL_TRIES);
    call.retry(pauses).when(|error: &StoreError| error.class == ErrorClass::Transient).await
}

/// How often, and after what pause, a call is made again that belongs to others.
const CALL_TRIES: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The client's path of a folder: `/`, or one that ends with a `/` and does not begin with one.
fn folder_key(path: &[u8]) -> Result<String, StoreError> {
    match path.strip_prefix(b"/").unwrap_or(path) {
        b"" => Ok("/".to_owned()),
        path => Ok(format!("{}/", text(path)?)),
    }
}

/// A path as text: that is what goes over the network.
fn text(path: &[u8]) -> Result<&str, StoreError> {
    std::str::from_utf8(path)
        .map_err(|_| StoreError::new(ErrorClass::BadName, "the name is not UTF-8, which the store takes alone"))
}

impl Store for RemoteStore {
    fn location(&self) -> String {
        self.url.to_string()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        listing::list(self, path)
    }

    /// Writes something, tries to write it again where nothing may be, and removes it.
    fn measure<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        let (store, key) = (self.clone(), text(temporary).map(str::to_owned));
        Box::pin(on_network(async move {
            let key = key?;
            persistently(|| store.try_writing(&key, false)).await?;
            if store.can.write_with_if_not_exists {
                store.measure_conditions(&key).await?;
            }
            if store.traits.writes_in_place {
                store.measure_renaming(&key).await
            } else {
                persistently(|| store.remove(&key)).await
            }
        }))
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        let folder = folder_key(path).map(|key| Box::new(RemoteFolder::new(self, key)) as _);
        Box::pin(std::future::ready(folder))
    }

    fn answers(self: Arc<Self>) -> Answer<'static, ()> {
        Box::pin(on_network(async move { self.look_at_root().await.map(drop) }))
    }
}
