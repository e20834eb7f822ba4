//! Single entries of a folder behind a network.

use std::sync::Arc;

use longhaul_model::{ErrorClass, NodeKind};
use opendal::raw::{OpCreateDir, OpDelete};

use super::draft::RemoteDraft;
use super::facts::facts_of;
use super::original::RemoteOriginal;
use super::transport::Additions;
use super::{RemoteStore, text};
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Facts, Folder, Original, Placed, Target};
use crate::name::check_name;
use crate::network::on_network;

/// A folder. Nothing is open: each call names what it is about as a whole.
#[derive(Debug)]
pub(super) struct RemoteFolder {
    store: Arc<RemoteStore>,
    /// The client's path: `/`, or one that ends with a `/`.
    key: String,
}

impl RemoteFolder {
    pub(super) fn new(store: Arc<RemoteStore>, key: String) -> Self {
        RemoteFolder { store, key }
    }

    /// The client's path of the entry with this name, as a file.
    fn child(&self, name: &[u8]) -> Result<String, StoreError> {
        check_name(name)?;
        let parent = if self.key == "/" { "" } else { &self.key };
        Ok(format!("{parent}{}", text(name)?))
    }
}

impl RemoteStore {
    /// What is known of the entry with this key; `None` if there is none.
    pub(super) async fn look(&self, key: &str) -> Result<Option<Facts>, StoreError> {
        match self.stat(key).await {
            Ok(found) => return Ok(Some(facts_of(&found))),
            Err(error) if error.class == ErrorClass::Vanished => {}
            Err(error) => return Err(error),
        }
        if self.traits.has_folders {
            return Ok(None);
        }
        // What other keys begin with.
        match self.stat(&format!("{key}/")).await {
            Ok(found) => Ok(Some(facts_of(&found))),
            Err(error) if error.class == ErrorClass::Vanished => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a folder, or what stands for it among keys.
    async fn make_folder(&self, key: &str) -> Result<(), StoreError> {
        let ((service, context), key) = (self.raw(), format!("{key}/"));
        let made = service.create_dir_dyn(context, &key, OpCreateDir::default());
        self.call(Additions::default(), made).await.map(drop)
    }

    /// Removes a file. That there is none is fine.
    pub(super) async fn remove(&self, key: &str) -> Result<(), StoreError> {
        let (service, context) = self.raw();
        let removed = self.call(Additions::default(), async {
            let mut deleter = service.delete_dyn(context)?;
            deleter.delete_dyn(key, OpDelete::default()).await?;
            deleter.close_dyn().await
        });
        match removed.await {
            Err(error) if error.class == ErrorClass::Vanished => Ok(()),
            removed => removed,
        }
    }
}

impl Folder for RemoteFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        let (store, key) = (self.store.clone(), self.key.clone());
        Box::pin(on_network(async move {
            if key == "/" || !store.traits.has_folders {
                let (kind, size, modified_ns) = (NodeKind::Folder, None, None);
                return Ok(Facts { kind, size, modified_ns, mode: None, owner: None, shared: None });
            }
            Ok(facts_of(&store.stat(&key).await?))
        }))
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        let (store, key) = (self.store.clone(), self.child(name));
        Box::pin(on_network(async move { store.look(&key?).await }))
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        let (store, key) = (self.store.clone(), self.child(name));
        Box::pin(on_network(async move { Ok(Box::new(RemoteOriginal::open(store, key?).await?) as _) }))
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], _durability: Durability) -> Answer<'a, Placed> {
        let (store, key) = (self.store.clone(), self.child(name));
        Box::pin(on_network(async move {
            let key = key?;
            if !store.traits.has_folders {
                // It is there with the first thing in it.
                return Ok(Placed::Done);
            }
            if store.look(&key).await?.is_some() {
                return Ok(Placed::Taken);
            }
            store.make_folder(&key).await.map(|()| Placed::Done)
        }))
    }

    fn create_empty_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        if self.store.traits.has_folders {
            return self.create_folder(name, durability);
        }
        let (store, key) = (self.store.clone(), self.child(name));
        Box::pin(on_network(async move { store.make_folder(&key?).await.map(|()| Placed::Done) }))
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let (store, key, temporary) = (self.store.clone(), self.child(target.name), self.child(target.temporary));
        Box::pin(async move { Ok(Box::new(RemoteDraft::begin(store, key?, temporary?, target).await) as _) })
    }

    fn set_attributes<'a>(&'a self, _attributes: &'a Attributes, _durability: Durability) -> Answer<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        let (store, key) = (self.store.clone(), self.child(temporary));
        Box::pin(on_network(
            async move { if store.traits.writes_in_place { store.remove(&key?).await } else { Ok(()) } },
        ))
    }
}
