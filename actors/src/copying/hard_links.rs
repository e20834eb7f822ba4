//! Files that have several names on the source, and keep them as names of one file on the destination.
//!
//! The first name that is come by is copied; every other one waits for that, and becomes another name of the copy. What
//! earlier runs have recorded is known from the beginning. What they have placed without recording it comes to light when
//! its turn comes, which may be after that of another name: then it is joined with what was copied in between.

use std::collections::HashMap;
use std::sync::Arc;

use longhaul_storage::FileIdentity;
use parking_lot::Mutex;
use tokio::sync::Notify;

/// What is known of files with several names. Only those are in it.
#[derive(Clone, Debug, Default)]
pub struct HardLinks(Arc<Mutex<HashMap<FileIdentity, Copied>>>);

#[derive(Debug)]
enum Copied {
    /// Somebody is at it.
    UnderWay(Arc<Notify>),
    /// One of its names on the destination: bytes, from the root.
    At(Arc<[u8]>),
}

/// What is to be done with one name.
#[derive(Debug)]
pub(super) enum Claim {
    /// Copy it, and say whether that worked.
    Copy(Claimed),
    /// Give the file at this path another name.
    LinkTo(Arc<[u8]>),
}

/// That a file is being copied. Dropped without a word it means that it was not, and somebody else may.
#[derive(Debug)]
pub(super) struct Claimed {
    links: HardLinks,
    identity: FileIdentity,
}

impl HardLinks {
    /// With what earlier runs have copied: device, inode and a path on the destination.
    pub fn new(copied: impl IntoIterator<Item = (FileIdentity, Vec<u8>)>) -> Self {
        let known = copied.into_iter().map(|(identity, path)| (identity, Copied::At(path.into()))).collect();
        HardLinks(Arc::new(Mutex::new(known)))
    }

    /// Takes on a name of this file; waits while another name of it is being copied.
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
}

impl Claimed {
    /// It was copied, to this path.
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

impl HardLinks {
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
