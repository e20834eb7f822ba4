//! Trees behind SFTP, by the `ssh` program of this machine and whatever keys, agents and configuration it uses.
//!
//! `OpenDAL`'s client for SFTP can set no times, follows links, and breaks on names that are not text. This uses the client
//! below it, which speaks all of the protocol.

mod connection;
mod facts;
mod failure;
mod file;
mod folder;
mod open_folder;
#[cfg(any(test, fuzzing))]
pub(crate) mod scripted;

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use longhaul_model::{ErrorClass, NodeKind, Page};
use longhaul_naming::RuleSet;
use openssh_sftp_client::fs::{DirEntry, ReadDir};
use openssh_sftp_client::metadata::MetaDataBuilder;

use self::connection::{Connection, Connections};
use self::facts::facts_of;
use self::open_folder::OpenFolder;
use crate::capabilities::{Capabilities, Keeps, Measurable};
use crate::error::StoreError;
use crate::folder::{Answer, Folder};
use crate::location::RemoteUrl;
use crate::network::{on_network, wait_for};
use crate::store::{PageStream, Store};

/// Entries of one page.
const PAGE_ENTRIES_MAX: usize = 4_096;

/// Calls that are made at a time at most: how many of them are is left to the pace.
const CALLS_AT_ONCE: usize = 32;

/// A tree behind SFTP.
#[derive(Debug)]
pub(crate) struct SftpStore {
    connections: Arc<Connections>,
    /// The root, without links on the way.
    root: PathBuf,
    location: String,
    capabilities: Measurable,
}

/// What is expected of a server before it is measured.
fn expected() -> Capabilities {
    Capabilities {
        blocks_thread: false,
        time_resolution_ns: 1_000_000_000,
        listings_at_once: CALLS_AT_ONCE,
        names: RuleSet::Linux,
        has_a_pace: true,
        keeps: Keeps { modified: true, mode: true, symlinks: true, parts: true, ..Keeps::default() },
        ..Capabilities::default()
    }
}

impl SftpStore {
    /// Connects, and looks for the root, which must be a folder. Blocks the thread until that is done.
    pub(crate) fn open(url: &RemoteUrl) -> Result<Self, StoreError> {
        let connections = Connections::to(url);
        let (url, path) = (url.clone(), PathBuf::from(url.path()));
        wait_for(async move {
            let sftp = connections.any().await?;
            let mut fs = sftp.fs();
            let root = sftp.call(fs.canonicalize(&path)).await?;
            let found = sftp.call(fs.metadata(&root)).await?;
            if facts_of(&found).kind != NodeKind::Folder {
                return Err(StoreError::new(ErrorClass::Vanished, "it is not a folder"));
            }
            Ok(SftpStore { connections, root, location: url.to_string(), capabilities: Measurable::new(expected()) })
        })
    }

    /// Makes the root, and all folders above it.
    pub(crate) fn create_root(url: &RemoteUrl) -> Result<(), StoreError> {
        let connections = Connections::to(url);
        let path = PathBuf::from(url.path());
        wait_for(async move {
            let sftp = connections.any().await?;
            let mut fs = sftp.fs();
            let mut missing = Vec::new();
            for folder in path.ancestors() {
                match sftp.call(fs.metadata(folder)).await {
                    Ok(_) => break,
                    Err(error) if error.class == ErrorClass::Vanished => missing.push(folder.to_owned()),
                    Err(error) => return Err(error),
                }
            }
            for folder in missing.iter().rev() {
                sftp.call(fs.create_dir(folder)).await?;
            }
            Ok(())
        })
    }

    /// The server's path of one of ours.
    fn path_of(&self, path: &[u8]) -> PathBuf {
        self.root.join(os_path(path.strip_prefix(b"/").unwrap_or(path)))
    }

    /// A connection, and the folder at `path`: refused where a link on the way leads elsewhere.
    async fn folder_at(&self, path: &[u8]) -> Result<(Arc<Connection>, PathBuf), StoreError> {
        let sftp = self.connections.any().await?;
        let wanted = self.path_of(path);
        let found = sftp.call(sftp.fs().canonicalize(&wanted)).await?;
        if found != wanted {
            return Err(StoreError::new(ErrorClass::Vanished, "it is a link now, or in one"));
        }
        Ok((sftp, wanted))
    }
}

#[cfg(unix)]
fn os_path(path: &[u8]) -> &Path {
    use std::os::unix::ffi::OsStrExt;
    Path::new(std::ffi::OsStr::from_bytes(path))
}

/// A listing that is under way.
struct Listing {
    path: Vec<u8>,
    state: State,
    /// What was given out, by the hashes of the names: where the connection breaks, the server's place in the folder is lost
    /// with it, and all of it has to be gone through again.
    given: HashSet<u128>,
    hashers: [RandomState; 2],
}

enum State {
    Closed,
    Open(Arc<Connection>, std::pin::Pin<Box<ReadDir>>),
    /// It broke off behind the page that was given last.
    Broken(StoreError),
    Over,
}

impl Listing {
    fn of(path: &[u8]) -> Self {
        let (given, hashers) = (HashSet::new(), Default::default());
        Listing { path: path.to_owned(), state: State::Closed, given, hashers }
    }

    /// Whether an entry was not given out before.
    fn is_new(&mut self, entry: &DirEntry) -> bool {
        let [high, low] = self.hashers.each_ref().map(|hasher| u128::from(hasher.hash_one(entry.filename())));
        self.given.insert(high << 64 | low)
    }
}

impl SftpStore {
    async fn next_page(&self, listing: &mut Listing) -> Result<Page, StoreError> {
        let (sftp, mut entries) = match std::mem::replace(&mut listing.state, State::Closed) {
            State::Closed => self.open_listing(&listing.path).await?,
            State::Broken(error) => return Err(error),
            State::Open(sftp, entries) => (sftp, entries),
            State::Over => {
                listing.state = State::Over;
                return Ok(Page::default());
            }
        };
        let mut page = Page::with_capacity(256);
        while page.len() < PAGE_ENTRIES_MAX {
            match sftp.call(async { entries.next().await.transpose() }).await {
                Ok(Some(entry)) => {
                    if listing.is_new(&entry) {
                        add(&mut page, &entry);
                    }
                }
                Ok(None) => {
                    listing.state = State::Over;
                    return Ok(page);
                }
                Err(error) if page.is_empty() => return Err(error),
                Err(error) => {
                    listing.state = State::Broken(error);
                    return Ok(page);
                }
            }
        }
        listing.state = State::Open(sftp, entries);
        Ok(page)
    }

    async fn open_listing(&self, path: &[u8]) -> Result<(Arc<Connection>, std::pin::Pin<Box<ReadDir>>), StoreError> {
        let (sftp, folder) = self.folder_at(path).await?;
        let opened = sftp.call(sftp.fs().open_dir(folder)).await?;
        Ok((sftp, Box::pin(opened.read_dir())))
    }
}

fn add(page: &mut Page, entry: &DirEntry) {
    let name = entry.filename().as_os_str().as_encoded_bytes();
    if matches!(name, b"." | b".." | b"") || name.contains(&b'/') {
        return;
    }
    let facts = facts_of(&entry.metadata());
    page.push(name, facts.kind, facts.size, facts.modified_ns);
    if facts.kind == NodeKind::Other {
        page.remark("it is neither a file, nor a folder, nor a link");
    }
}

impl Store for SftpStore {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn capabilities(&self) -> Capabilities {
        *self.capabilities.get()
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        stream::unfold((self, Ok(Listing::of(path))), |(store, listing)| async move {
            let mut listing = match listing {
                Ok(listing) => listing,
                // Whatever it had given out is gone with it: there is nothing to go on from.
                Err(error) => return Some((Err(StoreError::clone(&error)), (store, Err(error)))),
            };
            if matches!(listing.state, State::Over) {
                return None;
            }
            let of = store.clone();
            let came = on_network(async move {
                let page = of.next_page(&mut listing).await;
                Ok::<_, StoreError>((page, listing))
            });
            match came.await {
                Ok((page, listing)) => Some((page, (store, Ok(listing)))),
                Err(error) => Some((Err(error.clone()), (store, Err(error)))),
            }
        })
        .boxed()
    }

    fn measure<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(async move {
            let (sftp, folder) = self.folder_at(b"/").await?;
            let path = folder.join(os_path(temporary));
            let mut fs = sftp.fs();
            let mut options = sftp.options();
            let made = sftp.call(options.write(true).create(true).open(&path)).await?;
            sftp.call(made.close()).await?;
            let owner = MetaDataBuilder::new().id((1, 1)).create();
            let keeps_owner = match sftp.call(fs.set_metadata(&path, owner)).await {
                Ok(()) => sftp.call(fs.symlink_metadata(&path)).await?.uid() == Some(1),
                Err(_) => false,
            };
            self.capabilities.set_keeps(Keeps { owner: keeps_owner, ..expected().keeps });
            sftp.call(fs.remove_file(&path)).await
        })
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        let path = path.to_owned();
        Box::pin(on_network(async move {
            let (sftp, folder) = self.folder_at(&path).await?;
            Ok(Box::new(OpenFolder::new(self, sftp, folder)) as _)
        }))
    }

    fn free_bytes(&self) -> Answer<'_, Option<u64>> {
        Box::pin(async move {
            let (sftp, folder) = self.folder_at(b"/").await?;
            if !sftp.support_statvfs() {
                return Ok(None);
            }
            let found = sftp.call(sftp.fs().statvfs(folder)).await?;
            Ok(found.bavail.checked_mul(found.frsize))
        })
    }
}
