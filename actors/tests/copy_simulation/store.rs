//! The two stores as the engine gets them: file systems in memory, behind a sequence of calls.

use std::sync::Arc;

use futures_util::{StreamExt, stream};
use longhaul_model::{ErrorClass, NodeKind, Page, Side};
use longhaul_storage::{
    Answer, Attributes, Capabilities, Draft, Durability, Facts, Folder, Original, PageStream, Placed, Store,
    StoreError, Target,
};

use super::calls::Calls;
use super::disk::{Entry, child};
use super::draft;
use super::original::SimulatedOriginal;
use super::world::{Call, Nature, Operation, World};

/// One side of a world.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedStore {
    pub(crate) side: Side,
    pub(crate) nature: Nature,
    pub(crate) calls: Arc<Calls>,
}

impl SimulatedStore {
    pub(crate) async fn call<T>(
        &self,
        operation: Operation,
        path: &[u8],
        make: impl FnOnce(&mut World) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.calls.call(Call { side: self.side, operation, path: path.to_vec() }, make).await
    }

    async fn next_page(&self, path: &[u8], from: usize) -> Result<(Page, bool), StoreError> {
        self.call(Operation::List, path, |world| {
            let disk = &world.disks[self.side];
            check_folder(world, self.side, path)?;
            let mut page = Page::default();
            let mut entries = disk.children(path).skip(from);
            for (name, path, _) in entries.by_ref().take(self.nature.page_entries_max) {
                let facts = disk.facts(path).expect("it was found");
                page.push(name, facts.kind, facts.size, facts.modified_ns);
            }
            Ok((page, entries.next().is_none()))
        })
        .await
    }
}

pub(crate) fn gone(what: &str) -> StoreError {
    StoreError::new(ErrorClass::Vanished, format!("{what} is not there any more"))
}

pub(crate) fn check_folder(world: &World, side: Side, path: &[u8]) -> Result<(), StoreError> {
    if world.disks[side].is_folder(path) { Ok(()) } else { Err(gone("the folder")) }
}

impl Store for SimulatedStore {
    fn location(&self) -> String {
        format!("simulated:{}", self.side)
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            blocks_thread: false,
            time_resolution_ns: self.nature.resolution_ns.unsigned_abs(),
            listings_at_once: 2,
            keeps: self.nature.keeps,
            ..Capabilities::default()
        }
    }

    fn list(self: Arc<Self>, path: &[u8]) -> PageStream {
        stream::unfold((self, path.to_owned(), Some(0)), |(store, path, from)| async move {
            let from = from?;
            Some(match store.next_page(&path, from).await {
                Ok((page, is_last)) => {
                    let next = (!is_last).then_some(from + store.nature.page_entries_max);
                    (Ok(page), (store, path, next))
                }
                Err(error) => (Err(error), (store, path, (from > 0).then_some(from))),
            })
        })
        .boxed()
    }

    fn folder(self: Arc<Self>, path: &[u8]) -> Answer<'_, Box<dyn Folder>> {
        Box::pin(async move {
            self.call(Operation::OpenFolder, path, |world| check_folder(world, self.side, path)).await?;
            Ok(Box::new(SimulatedFolder { store: (*self).clone(), path: path.to_owned() }) as _)
        })
    }

    fn flush(&self) -> Answer<'_, ()> {
        Box::pin(async move {
            self.call(Operation::Flush, b"/", |world| {
                world.flush();
                Ok(())
            })
            .await
        })
    }
}

/// A folder by its path: one that is put in its place is taken for it.
#[derive(Clone, Debug)]
pub(crate) struct SimulatedFolder {
    pub(crate) store: SimulatedStore,
    pub(crate) path: Vec<u8>,
}

impl SimulatedFolder {
    /// Makes a call about one of the entries, or with an empty name about the folder.
    async fn call<T>(
        &self,
        operation: Operation,
        name: &[u8],
        make: impl FnOnce(&mut World, &[u8]) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let path = if name.is_empty() { self.path.clone() } else { child(&self.path, name) };
        self.store
            .call(operation, &path, |world| {
                check_folder(world, self.store.side, &self.path)?;
                make(world, &path)
            })
            .await
    }

    async fn begin(&self, target: Target<'_>, how: draft::Begin) -> Result<Box<dyn Draft>, StoreError> {
        let draft = self.call(Operation::Create, target.name, |world, _| {
            let temporary = child(&self.path, target.temporary);
            draft::begin(world, self, temporary, how)
        });
        Ok(Box::new(draft.await?))
    }

    fn note_placed(&self, placed: Placed, name: &[u8]) -> Placed {
        if placed == Placed::Done {
            self.store.calls.note_placed(&child(&self.path, name));
        }
        placed
    }
}

impl Folder for SimulatedFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        Box::pin(self.call(Operation::FactsOfFolder, b"", |world, path| {
            world.disks[self.store.side].facts(path).ok_or_else(|| gone("the folder"))
        }))
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        Box::pin(self.call(Operation::Look, name, |world, path| Ok(world.disks[self.store.side].facts(path))))
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        Box::pin(async move {
            let opened = self.call(Operation::Open, name, |world, path| {
                let disk = &world.disks[self.store.side];
                let Some(Entry::File(number)) = disk.entry(path) else { return Err(gone("the regular file")) };
                let facts = disk.facts_of_file(*number).expect("a file with a name is there");
                Ok(SimulatedOriginal { store: self.store.clone(), path: path.to_vec(), number: *number, facts })
            });
            Ok(Box::new(opened.await?) as _)
        })
    }

    fn read_link<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        Box::pin(self.call(Operation::ReadLink, name, |world, path| match world.disks[self.store.side].entry(path) {
            Some(Entry::Symlink { points_to, .. }) => Ok(points_to.clone()),
            _ => Err(gone("the link")),
        }))
    }

    fn extended_attributes<'a>(&'a self, _: &'a [u8]) -> Answer<'a, Vec<(Vec<u8>, Vec<u8>)>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], _: Durability) -> Answer<'a, Placed> {
        Box::pin(async move {
            let placed = self.call(Operation::CreateFolder, name, |world, path| {
                if world.disks[self.store.side].entry(path).is_some() {
                    return Ok(Placed::Taken);
                }
                let modified_ns = world.kept_time(self.store.side, None);
                world.disks[self.store.side].put(path, Entry::Folder { modified_ns });
                world.settle(path);
                Ok(Placed::Done)
            });
            Ok(self.note_placed(placed.await?, name))
        })
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(self.begin(target, draft::Begin::Anew))
    }

    fn open_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(self.begin(target, draft::Begin::OrGoOn))
    }

    fn reopen_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        Box::pin(self.begin(target, draft::Begin::GoOn))
    }

    fn create_link<'a>(
        &'a self,
        target: Target<'a>,
        points_to: &'a [u8],
        attributes: &'a Attributes,
        _: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(async move {
            let placed = self.call(Operation::CreateLink, target.name, |world, path| {
                let disk = &world.disks[self.store.side];
                if !may_place(disk.entry(path).map(Entry::kind), target.replace.is_allowed()) {
                    return Ok(Placed::Taken);
                }
                let modified_ns = world.kept_time(self.store.side, attributes.modified_ns);
                let link = Entry::Symlink { points_to: points_to.to_vec(), modified_ns };
                world.disks[self.store.side].put(path, link);
                world.settle(path);
                Ok(Placed::Done)
            });
            Ok(self.note_placed(placed.await?, target.name))
        })
    }

    fn hard_link<'a>(&'a self, existing: &'a [u8], target: Target<'a>, _: Durability) -> Answer<'a, Placed> {
        Box::pin(async move {
            let placed = self.call(Operation::HardLink, target.name, |world, path| {
                let disk = &mut world.disks[self.store.side];
                let Some(Entry::File(number)) = disk.entry(existing).cloned() else {
                    return Err(gone("its other name"));
                };
                if !may_place(disk.entry(path).map(Entry::kind), target.replace.is_allowed()) {
                    return Ok(Placed::Taken);
                }
                disk.put(path, Entry::File(number));
                world.settle(path);
                Ok(Placed::Done)
            });
            Ok(self.note_placed(placed.await?, target.name))
        })
    }

    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, _: Durability) -> Answer<'a, ()> {
        Box::pin(self.call(Operation::SetAttributes, b"", |world, path| {
            if let Some(time) = attributes.modified_ns.filter(|_| self.store.nature.keeps.modified) {
                let time = world.kept_time(self.store.side, Some(time));
                world.disks[self.store.side].set_folder_time(path, time);
                world.settle(path);
            }
            Ok(())
        }))
    }

    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        Box::pin(self.call(Operation::RemoveDraft, temporary, |world, path| {
            let disk = &mut world.disks[self.store.side];
            if matches!(disk.entry(path), Some(Entry::File(_) | Entry::Symlink { .. })) {
                disk.remove(path);
                world.settle(path);
            }
            Ok(())
        }))
    }
}

/// Whether something can get a name that is free, or that something of this kind has.
pub(crate) fn may_place(taken_by: Option<NodeKind>, replace: bool) -> bool {
    match taken_by {
        None => true,
        Some(NodeKind::File | NodeKind::Symlink) => replace,
        Some(NodeKind::Folder | NodeKind::Other) => false,
    }
}
