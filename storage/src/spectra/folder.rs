//! Single entries of a world. It has files and folders, and keeps of each its time.

use std::sync::Arc;

use longhaul_model::{ErrorClass, NodeKind, encode_name};
use longhaul_spectra::{Fault, FaultClass, NodeInfo};

use super::SpectraStore;
use super::access::Writing;
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Facts, Folder, Original, Placed, Target};
use crate::name::check_name;

/// A folder of a world, which was there when it was opened.
#[derive(Debug)]
pub(super) struct SpectraFolder {
    store: Arc<SpectraStore>,
    path: Vec<u8>,
}

impl SpectraFolder {
    pub(super) async fn open(store: Arc<SpectraStore>, path: &[u8]) -> Result<Self, StoreError> {
        let found = store.access.stat(path).await?;
        if found.kind != longhaul_spectra::NodeKind::Folder {
            return Err(StoreError::new(ErrorClass::Vanished, "it is not a folder any more"));
        }
        Ok(SpectraFolder { store, path: path.to_owned() })
    }

    /// The path of the entry with this name.
    fn child(&self, name: &[u8]) -> Result<Vec<u8>, StoreError> {
        check_name(name)?;
        let parent = self.path.strip_suffix(b"/").unwrap_or(&self.path);
        Ok([parent, b"/", name].concat())
    }
}

impl SpectraStore {
    /// Makes durable what was done, where that is done one by one.
    async fn settle(&self, durability: Durability) -> Result<(), StoreError> {
        match durability {
            Durability::EachFile => self.access.flush().await.map_err(StoreError::from),
            Durability::Later => Ok(()),
        }
    }
}

fn facts_of(found: &NodeInfo) -> Facts {
    let (kind, size) = match found.kind {
        longhaul_spectra::NodeKind::Folder => (NodeKind::Folder, None),
        longhaul_spectra::NodeKind::File => (NodeKind::File, i64::try_from(found.size).ok()),
    };
    Facts { kind, size, modified_ns: Some(found.modified_ns), mode: None, owner: None, shared: None }
}

/// What came of a call that gives something a name.
fn placed(result: Result<(), Fault>) -> Result<Placed, StoreError> {
    match result {
        Ok(()) => Ok(Placed::Done),
        Err(fault) if fault.class == FaultClass::AlreadyExists => Ok(Placed::Taken),
        Err(fault) => Err(fault.into()),
    }
}

impl Folder for SpectraFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(async move { Ok(facts_of(&self.store.access.stat(&self.path).await?)) })
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        Box::pin(async move {
            match self.store.access.stat(&self.child(name)?).await {
                Ok(found) => Ok(Some(facts_of(&found))),
                Err(fault) if fault.class == FaultClass::Vanished => Ok(None),
                Err(fault) => Err(fault.into()),
            }
        })
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        Box::pin(async move {
            let path = self.child(name)?;
            let at_opening = facts_of(&self.store.access.stat(&path).await?);
            if at_opening.kind != NodeKind::File {
                return Err(StoreError::new(ErrorClass::Vanished, "it is not a regular file any more"));
            }
            Ok(Box::new(SpectraOriginal { store: self.store.clone(), path, at_opening }) as _)
        })
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        Box::pin(async move {
            let path = self.child(name)?;
            let placed = placed(self.store.access.create_folder(&path).await)?;
            self.store.settle(durability).await?;
            Ok(placed)
        })
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(async move {
            let path = self.child(target.name)?;
            let writing = match self.store.access.begin_file(&path, target.replace.is_allowed()).await {
                Ok(writing) => Some(writing),
                // As with any other store it is only said at the end.
                Err(fault) if fault.class == FaultClass::AlreadyExists => None,
                Err(fault) => return Err(fault.into()),
            };
            Ok(Box::new(SpectraDraft { store: self.store.clone(), path, writing, size: 0 }) as _)
        })
    }

    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, durability: Durability) -> Answer<'a, ()> {
        Box::pin(async move {
            // The root of a world keeps its time.
            let (Some(modified_ns), false) = (attributes.modified_ns, self.path == b"/") else { return Ok(()) };
            self.store.access.set_modified(&self.path, modified_ns).await?;
            self.store.settle(durability).await
        })
    }

    fn remove_draft<'a>(&'a self, _temporary: &'a [u8]) -> Answer<'a, ()> {
        // Drafts have no names here, and end with the process.
        Box::pin(std::future::ready(Ok(())))
    }
}

#[derive(Debug)]
struct SpectraOriginal {
    store: Arc<SpectraStore>,
    path: Vec<u8>,
    at_opening: Facts,
}

impl Original for SpectraOriginal {
    fn facts_at_opening(&self) -> Facts {
        self.at_opening
    }

    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(async move { Ok(facts_of(&self.store.access.stat(&self.path).await?)) })
    }

    fn read_at<'a>(&'a self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        Box::pin(async move { Ok(self.store.access.read(&self.path, offset, buffer).await?) })
    }
}

#[derive(Debug)]
struct SpectraDraft {
    store: Arc<SpectraStore>,
    path: Vec<u8>,
    /// `None` if something else had the name already when it was begun.
    writing: Option<Writing>,
    /// Bytes written so far.
    size: u64,
}

impl SpectraDraft {
    async fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        if offset != self.size {
            return Err(StoreError::new(ErrorClass::Fatal, "parts are not kept by this store"));
        }
        if let Some(writing) = &mut self.writing {
            writing.append(bytes).await?;
        }
        self.size += bytes.len() as u64;
        Ok(())
    }

    async fn give_name(self, size: u64, attributes: &Attributes) -> Result<Placed, StoreError> {
        if self.size != size {
            let message = format!("wrote {} of {size} bytes", self.size);
            return Err(StoreError::new(ErrorClass::Transient, message));
        }
        let Some(writing) = self.writing else { return Ok(Placed::Taken) };
        let placed = placed(writing.finish(attributes.modified_ns).await)?;
        if placed == Placed::Done {
            // Whoever asks for this target learns which files were written, and when.
            let (world, path) = (self.store.access.world(), encode_name(&self.path));
            tracing::trace!(target: "longhaul::copying", %world, %path);
        }
        Ok(placed)
    }
}

impl Draft for SpectraDraft {
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(self.append(offset, bytes))
    }

    fn finish<'a>(
        self: Box<Self>,
        _target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(async move {
            let store = self.store.clone();
            let placed = self.give_name(size, attributes).await?;
            store.settle(durability).await?;
            Ok(placed)
        })
    }
}
