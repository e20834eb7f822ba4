//! A file that is being written.

use std::ops::Range;
use std::sync::Arc;

use longhaul_model::ErrorClass;
use longhaul_storage::{Answer, Attributes, Draft, Durability, Original, Placed, StoreError, Target};

use super::disk::{Entry, child};
use super::original::read;
use super::store::{SimulatedFolder, gone, may_place};
use super::world::{Operation, World};

/// How a draft is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// In the place of whatever has its name.
    Anew,
    /// Or gone on with, if it is there.
    OrGoOn,
    /// It must be there.
    GoOn,
}

#[derive(Debug)]
pub(crate) struct SimulatedDraft {
    folder: SimulatedFolder,
    number: u64,
    /// Its path until it is whole; `None` where drafts have none.
    temporary: Option<Vec<u8>>,
    is_removed_when_dropped: bool,
    /// What calls about it are about.
    path: Vec<u8>,
}

pub(crate) fn begin(
    world: &mut World,
    folder: &SimulatedFolder,
    temporary: Vec<u8>,
    how: Begin,
) -> Result<SimulatedDraft, StoreError> {
    let (side, keeps_parts) = (folder.store.side, folder.store.nature.keeps.parts);
    assert!(keeps_parts || how == Begin::Anew, "a store that keeps no parts was asked for one");
    let modified_ns = world.kept_time(side, None);
    let disk = &mut world.disks[side];
    let found = disk.entry(&temporary).filter(|_| keeps_parts).cloned();
    let number = match (found, how) {
        (Some(Entry::File(number)), Begin::OrGoOn | Begin::GoOn) => {
            if disk.names_of(number).len() > 1 {
                return Err(StoreError::new(ErrorClass::Denied, "the temporary file has other names as well"));
            }
            number
        }
        (None, Begin::GoOn) => return Err(gone("the draft")),
        (Some(Entry::Folder { .. }), _) => {
            return Err(StoreError::new(ErrorClass::Denied, "a folder has the name of the temporary file"));
        }
        _ => {
            let number = disk.new_file(Vec::new(), modified_ns);
            if keeps_parts {
                disk.put(&temporary, Entry::File(number));
            }
            number
        }
    };
    Ok(SimulatedDraft {
        folder: folder.clone(),
        number,
        path: temporary.clone(),
        temporary: keeps_parts.then_some(temporary),
        is_removed_when_dropped: how == Begin::Anew,
    })
}

impl SimulatedDraft {
    fn write(&self, world: &mut World, offset: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let contents = world.disks[self.folder.store.side].contents_mut(self.number);
        let written = Arc::make_mut(&mut contents.bytes);
        let from = usize::try_from(offset).expect("files are small here");
        if self.temporary.is_none() && from != written.len() {
            return Err(StoreError::new(ErrorClass::Fatal, "parts are not kept by this store"));
        }
        let end = from + bytes.len();
        if written.len() < end {
            written.resize(end, 0);
        }
        written[from..end].copy_from_slice(bytes);
        Ok(())
    }

    fn give_name(
        &self,
        world: &mut World,
        target: Target<'_>,
        size: u64,
        attributes: &Attributes,
    ) -> Result<Placed, StoreError> {
        let on = self.folder.store.side;
        let modified_ns = world.kept_time(on, attributes.modified_ns);
        let disk = &mut world.disks[on];
        let contents = disk.contents_mut(self.number);
        let length = usize::try_from(size).expect("files are small here");
        if self.is_removed_when_dropped && contents.bytes.len() > length {
            let message = format!("wrote {} of {size} bytes", contents.bytes.len());
            return Err(StoreError::new(ErrorClass::Transient, message));
        }
        Arc::make_mut(&mut contents.bytes).resize(length, 0);
        contents.modified_ns = modified_ns;
        let path = child(&self.folder.path, target.name);
        if !disk.is_folder(&self.folder.path) {
            return Err(gone("the folder"));
        }
        if self.temporary.as_ref().is_some_and(|temporary| disk.entry(temporary) != Some(&Entry::File(self.number))) {
            return Err(gone("the draft"));
        }
        if !may_place(disk.entry(&path).map(Entry::kind), target.replace.is_allowed()) {
            return Ok(Placed::Taken);
        }
        if let Some(temporary) = &self.temporary {
            disk.remove(temporary);
        }
        disk.put(&path, Entry::File(self.number));
        if let Some(temporary) = &self.temporary {
            world.settle(temporary);
        }
        world.settle(&path);
        Ok(Placed::Done)
    }
}

impl Draft for SimulatedDraft {
    fn write_at<'a>(&'a mut self, offset: u64, bytes: &'a [u8]) -> Answer<'a, ()> {
        let this = &*self;
        Box::pin(this.folder.store.call(Operation::Write, &this.path, move |world| this.write(world, offset, bytes)))
    }

    fn copy_range<'a>(&'a mut self, _: &'a dyn Original, _: Range<u64>) -> Answer<'a, bool> {
        Box::pin(std::future::ready(Ok(false)))
    }

    fn read_at<'a>(&'a mut self, offset: u64, buffer: &'a mut [u8]) -> Answer<'a, usize> {
        let this = &*self;
        Box::pin(this.folder.store.call(Operation::ReadBack, &this.path, move |world| {
            let side = this.folder.store.side;
            Ok(read(&world.disks[side].contents_mut(this.number).bytes, offset, buffer))
        }))
    }

    fn finish<'a>(
        mut self: Box<Self>,
        target: Target<'a>,
        size: u64,
        attributes: &'a Attributes,
        _: Durability,
    ) -> Answer<'a, Placed> {
        Box::pin(async move {
            let path = child(&self.folder.path, target.name);
            let finished = self
                .folder
                .store
                .call(Operation::Finish, &path, |world| self.give_name(world, target, size, attributes))
                .await;
            // An error leaves nothing behind.
            self.is_removed_when_dropped = finished != Ok(Placed::Done);
            if finished == Ok(Placed::Done) {
                self.folder.store.calls.note_placed(&path);
            }
            finished
        })
    }
}

impl Drop for SimulatedDraft {
    fn drop(&mut self) {
        let Some(temporary) = self.temporary.take().filter(|_| self.is_removed_when_dropped) else { return };
        let side = self.folder.store.side;
        self.folder.store.calls.behind_its_back(|world| {
            if world.disks[side].entry(&temporary) == Some(&Entry::File(self.number)) {
                world.disks[side].remove(&temporary);
                world.settle(&temporary);
            }
        });
    }
}
