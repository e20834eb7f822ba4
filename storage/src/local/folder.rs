//! An open folder: every call is relative to it, and takes one name.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use longhaul_model::{ErrorClass, NodeKind};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::draft::LocalDraft;
use super::open_folder::OpenFolder;
use super::original::{LocalOriginal, open_regular};
use super::placing::{look, make_anew, place};
use super::{ExtendedAttributes, Root, at_once, attributes, open_below, portable, system};
use crate::error::StoreError;
use crate::folder::{Answer, Attributes, Draft, Durability, Facts, Folder, Original, Placed, Target};
use crate::name::check_name;

/// A folder as others see it.
#[derive(Debug)]
pub(super) struct LocalFolder(Arc<OpenFolder>);

impl LocalFolder {
    pub(super) fn open(root: &Arc<Root>, path: &[u8]) -> Result<Self, StoreError> {
        OpenFolder::open(root, path).map(|folder| LocalFolder(Arc::new(folder)))
    }

    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    fn kind_of(&self, name: &[u8]) -> Result<Option<NodeKind>, StoreError> {
        let found = look(self.as_fd(), name)?;
        Ok(found.map(|found| portable::kind_of(FileType::from_raw_mode(found.st_mode))))
    }

    fn target_of_link(&self, name: &[u8]) -> Result<Vec<u8>, StoreError> {
        check_name(name)?;
        match rustix::fs::readlinkat(self.as_fd(), name, Vec::new()) {
            Ok(target) => Ok(target.into_bytes()),
            Err(Errno::INVAL) => Err(StoreError::new(ErrorClass::Vanished, "it is not a symbolic link any more")),
            Err(errno) => Err(errno.into()),
        }
    }

    fn extended(&self, name: &[u8]) -> Result<ExtendedAttributes, StoreError> {
        if name.is_empty() {
            return Ok(system::extended_attributes(self.as_fd())?);
        }
        check_name(name)?;
        let opened = match self.kind_of(name)? {
            None => return Err(Errno::NOENT.into()),
            Some(NodeKind::File) => open_regular(self.as_fd(), name, OFlags::RDONLY)?.0,
            Some(NodeKind::Folder) => open_below(self.as_fd(), name).map_err(super::explain)?,
            // They have none that a user could set, and opening them may do something.
            Some(NodeKind::Symlink | NodeKind::Other) => return Ok(Vec::new()),
        };
        Ok(system::extended_attributes(opened.as_fd())?)
    }

    fn make_folder(&self, name: &[u8], durability: Durability) -> Result<Placed, StoreError> {
        check_name(name)?;
        match rustix::fs::mkdirat(self.as_fd(), name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Ok(Placed::Taken),
            Err(errno) => return Err(errno.into()),
        }
        self.settle_name(durability).inspect_err(|_| {
            // If somebody has put something in it, it stays.
            let _ = rustix::fs::unlinkat(self.as_fd(), name, AtFlags::REMOVEDIR);
        })?;
        Ok(Placed::Done)
    }

    /// Makes durable what has got its name in this folder, where that is done one by one. A link needs nothing more, and
    /// a folder that is new is written out itself when something gets its name in it, and when it gets its attributes.
    fn settle_name(&self, durability: Durability) -> Result<(), StoreError> {
        match durability {
            Durability::EachFile => Ok(rustix::fs::fsync(self.as_fd())?),
            Durability::Later => Ok(()),
        }
    }

    /// As [`LocalFolder::settle_name`], for what was placed. What cannot be made durable is taken away again, unless it
    /// has replaced something, which is lost already.
    fn settle_placed(&self, placed: Placed, target: Target<'_>, durability: Durability) -> Result<Placed, StoreError> {
        if placed == Placed::Done && durability == Durability::EachFile {
            let identity = || Ok::<_, Errno>(look(self.as_fd(), target.name)?.map(|it| attributes::identity_of(&it)));
            let ours = identity();
            self.settle_name(durability).inspect_err(|_| {
                if !target.replace.is_allowed() && identity() == ours {
                    let _ = rustix::fs::unlinkat(self.as_fd(), target.name, AtFlags::empty());
                }
            })?;
        }
        Ok(placed)
    }

    fn make_link(
        &self,
        target: Target<'_>,
        points_to: &[u8],
        attributes: &Attributes,
        durability: Durability,
    ) -> Result<Placed, StoreError> {
        check_target(target)?;
        if points_to.is_empty() {
            return Err(StoreError::new(ErrorClass::BadName, "a symbolic link cannot point to nothing"));
        }
        let folder = self.as_fd();
        make_anew(folder, target.temporary, || rustix::fs::symlinkat(points_to, folder, target.temporary))?;
        let placed = attributes::set_of_link(folder, target.temporary, attributes)
            .and_then(|()| Ok(place(folder, target.temporary, target)?));
        if placed != Ok(Placed::Done) {
            let _ = rustix::fs::unlinkat(folder, target.temporary, AtFlags::empty());
        }
        self.settle_placed(placed?, target, durability)
    }

    fn link_again(&self, existing: &[u8], target: Target<'_>, durability: Durability) -> Result<Placed, StoreError> {
        check_target(target)?;
        let slash = existing.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        let (parent, existing) = existing.split_at(slash);
        let existing = existing.strip_prefix(b"/").unwrap_or(existing);
        check_name(existing)?;
        let parent = LocalFolder::open(&self.0.root, parent)?;
        match parent.kind_of(existing)? {
            Some(NodeKind::File) => {}
            None => return Err(Errno::NOENT.into()),
            Some(_) => {
                return Err(StoreError::new(ErrorClass::Vanished, "its other name is not a regular file any more"));
            }
        }
        let denied = |why: &str| Err(StoreError::new(ErrorClass::Denied, why));
        let link = |name: &[u8]| rustix::fs::linkat(parent.as_fd(), existing, self.as_fd(), name, AtFlags::empty());
        let linked =
            if target.replace.is_allowed() { self.link_in_its_place(target, &link) } else { link(target.name) };
        match linked {
            Ok(()) => self.settle_placed(Placed::Done, target, durability),
            Err(Errno::EXIST) => Ok(Placed::Taken),
            Err(Errno::XDEV) => denied("its other name is on another file system"),
            Err(Errno::MLINK) => denied("the file has as many names as the file system allows"),
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => denied("the file system gives a file one name only"),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Makes the name under a temporary one first. `EXIST` where something else than a file or link has the name.
    fn link_in_its_place(&self, target: Target<'_>, link: &impl Fn(&[u8]) -> Result<(), Errno>) -> Result<(), Errno> {
        let folder = self.as_fd();
        match rustix::fs::unlinkat(folder, target.temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
        link(target.temporary)?;
        let placed = place(folder, target.temporary, target);
        // It is still there if that failed, and where both are names of one file: then renaming does nothing.
        let _ = rustix::fs::unlinkat(folder, target.temporary, AtFlags::empty());
        match placed? {
            Placed::Done => Ok(()),
            Placed::Taken => Err(Errno::EXIST),
        }
    }

    fn set(&self, attributes: &Attributes, durability: Durability) -> Result<(), StoreError> {
        attributes::set(self.as_fd(), &self.0.root, attributes, 0o777)?;
        self.settle_name(durability)
    }

    fn remove(&self, temporary: &[u8]) -> Result<(), StoreError> {
        check_name(temporary)?;
        match self.kind_of(temporary)? {
            // Not ours.
            None | Some(NodeKind::Folder | NodeKind::Other) => return Ok(()),
            Some(NodeKind::File | NodeKind::Symlink) => {}
        }
        match rustix::fs::unlinkat(self.as_fd(), temporary, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

fn check_target(target: Target<'_>) -> Result<(), StoreError> {
    check_name(target.name).and_then(|()| check_name(target.temporary))
}

impl Folder for LocalFolder {
    fn facts(&self) -> Answer<'_, Facts> {
        let found = rustix::fs::fstat(self.as_fd()).map_err(StoreError::from);
        at_once(found.map(|found| attributes::facts_of(&self.0.root, &found)))
    }

    fn look<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Option<Facts>> {
        let found = check_name(name).and_then(|()| Ok(look(self.as_fd(), name)?));
        at_once(found.map(|found| found.map(|found| attributes::facts_of(&self.0.root, &found))))
    }

    fn open<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Box<dyn Original>> {
        let opened = check_name(name).and_then(|()| LocalOriginal::open(&self.0.root, self.as_fd(), name));
        at_once(opened.map(|original| Box::new(original) as _))
    }

    fn read_link<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<u8>> {
        at_once(self.target_of_link(name))
    }

    fn extended_attributes<'a>(&'a self, name: &'a [u8]) -> Answer<'a, Vec<(Vec<u8>, Vec<u8>)>> {
        at_once(self.extended(name))
    }

    fn create_folder<'a>(&'a self, name: &'a [u8], durability: Durability) -> Answer<'a, Placed> {
        at_once(self.make_folder(name, durability))
    }

    fn create<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let draft = check_target(target).and_then(|()| LocalDraft::create(&self.0, target));
        at_once(draft.map(|draft| Box::new(draft) as _))
    }

    fn open_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let draft = check_target(target).and_then(|()| LocalDraft::open(&self.0, target.temporary, OFlags::CREATE));
        at_once(draft.map(|draft| Box::new(draft) as _))
    }

    fn reopen_draft<'a>(&'a self, target: Target<'a>) -> Answer<'a, Box<dyn Draft>> {
        let draft = check_target(target).and_then(|()| LocalDraft::open(&self.0, target.temporary, OFlags::empty()));
        at_once(draft.map(|draft| Box::new(draft) as _))
    }

    fn create_link<'a>(
        &'a self,
        target: Target<'a>,
        points_to: &'a [u8],
        attributes: &'a Attributes,
        durability: Durability,
    ) -> Answer<'a, Placed> {
        at_once(self.make_link(target, points_to, attributes, durability))
    }

    fn hard_link<'a>(&'a self, existing: &'a [u8], target: Target<'a>, durability: Durability) -> Answer<'a, Placed> {
        at_once(self.link_again(existing, target, durability))
    }

    fn set_attributes<'a>(&'a self, attributes: &'a Attributes, durability: Durability) -> Answer<'a, ()> {
        at_once(self.set(attributes, durability))
    }

    fn exchange<'a>(&'a self, one: &'a [u8], other: &'a [u8]) -> Answer<'a, bool> {
        at_once(system::exchange(self.as_fd(), one, other).map_err(StoreError::from))
    }

    fn remove_draft<'a>(&'a self, temporary: &'a [u8]) -> Answer<'a, ()> {
        at_once(self.remove(temporary))
    }
}
