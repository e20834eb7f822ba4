//! Files that have several names on the source, and keep them as names of one file on the destination.
//!
//! The first name whose turn comes is copied. The others wait for that, and become further names of the copy. What
//! earlier runs recorded is known from the beginning. A name that an earlier run gave to the copy without recording it
//! is discovered when its turn comes, which may be after that of another name: then it is joined with the copy made in
//! between.

use std::collections::HashMap;
use std::sync::Arc;

use longhaul_storage::FileIdentity;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// Where files with several names were copied to. Files with one name are not in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct HardLinks(Arc<Mutex<HashMap<FileIdentity, Copied>>>);

#[derive(Debug)]
enum Copied {
    /// A Copier is copying it.
    UnderWay(Arc<Notify>),
    /// One of its names on the destination: bytes, from the root.
    At(Arc<[u8]>),
}

/// What has to be done with one name of a file.
#[derive(Debug)]
pub(super) enum Claim {
    /// Copy the file, and say whether that worked.
    Copy(Claimed),
    /// Give the file at this path another name.
    LinkTo(Arc<[u8]>),
}

/// The right to copy a file with several names. Dropping it lets the next name be copied instead.
#[derive(Debug)]
pub(super) struct Claimed {
    links: HardLinks,
    identity: FileIdentity,
}

impl HardLinks {
    /// With what earlier runs have copied: device, inode and a path on the destination.
    pub(crate) fn new(copied: impl IntoIterator<Item = (FileIdentity, Vec<u8>)>) -> Self {
        let known = copied.into_iter().map(|(identity, path)| (identity, Copied::At(path.into()))).collect();
        HardLinks(Arc::new(Mutex::new(known)))
    }

    /// Claims a name of this file. Waits while another name of it is being copied.
    pub(super) async fn claim(&self, identity: FileIdentity) -> Claim {
        loop {
            let under_way = {
                let mut known = self.0.lock();
                match known.get(&identity) {
                    Some(Copied::At(path)) => return Claim::LinkTo(path.clone()),
                    Some(Copied::UnderWay(notify)) => notify.clone().notified_owned(),
                    None => {
                        known.insert(identity, Copied::UnderWay(Arc::default()));
                        return Claim::Copy(Claimed { links: self.clone(), identity });
                    }
                }
            };
            under_way.await;
        }
    }

    fn settle(&self, identity: FileIdentity, path: Option<Vec<u8>>) {
        let mut known = self.0.lock();
        let before = match path {
            Some(path) => known.insert(identity, Copied::At(path.into())),
            None => known.remove(&identity),
        };
        if let Some(Copied::UnderWay(notify)) = before {
            notify.notify_waiters();
        }
    }
}

impl Claimed {
    /// The file was copied to this path.
    pub(super) fn copied(self, path: Vec<u8>) {
        self.links.settle(self.identity, Some(path));
        std::mem::forget(self);
    }
}

impl Drop for Claimed {
    fn drop(&mut self) {
        self.links.settle(self.identity, None);
    }
}
