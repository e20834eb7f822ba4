//! Changing a world: folders, names, removals, times.

use std::time::Duration;

use super::World;
use super::node::Node;
use crate::fault::{Fault, FaultClass, Operation, Reply};
use crate::generator::CREATED_FOLDER_MODIFIED_NS;
use crate::kept::{Change, Reader, Record};
use crate::listing::Listing;
use crate::path::NodePath;

impl World {
    /// Creates an empty folder in a folder that exists. Its time is [`CREATED_FOLDER_MODIFIED_NS`] until it is set.
    ///
    /// Fails as `already_exists` if there is a file or folder of that name.
    pub fn create_folder(&self, path: &[u8], now: Duration) -> Reply<()> {
        self.answer(Operation::CreateFolder, path, now, |path| {
            let _writing = self.shared.kept.lock_for_writing();
            let reader = self.reader();
            self.expect_parent(&reader, path)?;
            if self.find(&reader, path)?.is_some() {
                return Err(already_exists(path));
            }
            let record = Record::Folder { modified_ns: CREATED_FOLDER_MODIFIED_NS, origin: None };
            self.apply(&[Change::Put(path, record)])
        })
    }

    /// Renames a file or a folder with all that is in it, within the world and at once.
    ///
    /// With `replace` a file takes the place of a file that is there; otherwise, and for folders always, that fails as
    /// `already_exists`.
    pub fn rename(&self, from: &[u8], to: &[u8], replace: bool, now: Duration) -> Reply<()> {
        self.answer(Operation::RenameNode, from, now, |from| {
            let to = NodePath::parse(to)?;
            let _writing = self.shared.kept.lock_for_writing();
            let reader = self.reader();
            let node = self.node(&reader, from)?;
            refuse_root(from)?;
            refuse_root(to)?;
            if from == to {
                return Ok(());
            }
            if to.is_within(from) {
                let message = format!("`{}` cannot be moved into itself, to `{}`", from.display(), to.display());
                return Err(Fault::new(FaultClass::BadName, message));
            }
            self.expect_parent(&reader, to)?;
            match (node, self.find(&reader, to)?) {
                (_, None) => {}
                (Node::File { .. }, Some(Node::File { .. })) if replace => {}
                (_, Some(_)) => return Err(already_exists(to)),
            }
            self.apply(&[
                Change::MoveBelow(from, to),
                // Its contents go with the record, and must not be dropped along with the old one.
                Change::Detach(from),
                Change::Put(to, node.to_record()),
                self.absence(&reader, from)?,
            ])
        })
    }

    /// Removes a file or an empty folder; a folder with something in it fails as `not_empty`.
    pub fn remove(&self, path: &[u8], now: Duration) -> Reply<()> {
        self.answer(Operation::RemoveNode, path, now, |path| {
            let _writing = self.shared.kept.lock_for_writing();
            let reader = self.reader();
            let node = self.node(&reader, path)?;
            refuse_root(path)?;
            if let Node::Folder { .. } = node {
                let mut first = Listing::new();
                self.list_page(path, None, 1, &mut first)?;
                if !first.is_empty() {
                    return Err(Fault::new(FaultClass::NotEmpty, format!("`{}` is not empty", path.display())));
                }
            }
            self.apply(&[Change::ForgetBelow(path), self.absence(&reader, path)?])
        })
    }

    /// Removes a file or a folder with all that is in it.
    pub fn remove_tree(&self, path: &[u8], now: Duration) -> Reply<()> {
        self.answer(Operation::RemoveNode, path, now, |path| {
            let _writing = self.shared.kept.lock_for_writing();
            let reader = self.reader();
            self.node(&reader, path)?;
            refuse_root(path)?;
            self.apply(&[Change::ForgetBelow(path), self.absence(&reader, path)?])
        })
    }

    /// Sets the time of a file or folder other than the root, in nanoseconds since 1970.
    pub fn set_modified(&self, path: &[u8], modified_ns: i64, now: Duration) -> Reply<()> {
        self.answer(Operation::SetModified, path, now, |path| {
            let _writing = self.shared.kept.lock_for_writing();
            let node = match self.node(&self.reader(), path)? {
                Node::Folder { origin, .. } => Node::Folder { modified_ns, origin },
                Node::File { size, content, .. } => Node::File { size, modified_ns, content },
            };
            refuse_root(path)?;
            self.apply(&[Change::Put(path, node.to_record())])
        })
    }

    /// Makes the world what it was before anything was written into it.
    pub(crate) fn forget_what_was_written(&self) -> Result<(), Fault> {
        let _writing = self.shared.kept.lock_for_writing();
        self.apply(&[Change::ForgetBelow(NodePath::parse(b"/")?)])
    }

    pub(super) fn apply(&self, changes: &[Change<'_>]) -> Result<(), Fault> {
        self.shared.kept.apply(self.number(), changes)
    }

    /// Fails unless the folder that `path` is in exists. The root is in none, and exists.
    pub(super) fn expect_parent(&self, reader: &Reader<'_>, path: NodePath<'_>) -> Result<(), Fault> {
        path.split_last().map_or(Ok(()), |(folder, _)| self.folder(reader, folder).map(|_| ()))
    }

    /// What has to be kept so that there is nothing at `path`: a mark where there is a generated node, else nothing.
    fn absence<'a>(&self, reader: &Reader<'_>, path: NodePath<'a>) -> Result<Change<'a>, Fault> {
        let Some((folder, name)) = path.split_last() else { return Ok(Change::Forget(path)) };
        let generated = self.folder(reader, folder)?.and_then(|origin| self.generated_child(origin, name));
        Ok(if generated.is_some() { Change::Put(path, Record::Removed) } else { Change::Forget(path) })
    }
}

pub(super) fn already_exists(path: NodePath<'_>) -> Fault {
    Fault::new(FaultClass::AlreadyExists, format!("`{}` exists already", path.display()))
}

fn refuse_root(path: NodePath<'_>) -> Result<(), Fault> {
    if path.is_root() {
        return Err(Fault::new(FaultClass::Denied, "the root cannot be changed"));
    }
    Ok(())
}
