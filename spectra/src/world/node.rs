//! Finding the node of a path: generated, unless something else is kept there.

use super::World;
use crate::fault::{Fault, FaultClass};
use crate::generator::{FileFacts, Generator, Origin};
use crate::kept::{Content, Reader, Record};
use crate::listing::{NodeInfo, NodeKind};
use crate::path::NodePath;

/// A node that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// A folder; with an origin it has generated children.
    Folder { modified_ns: i64, origin: Option<Origin> },
    /// A file.
    File { size: u64, modified_ns: i64, content: Content },
}

impl Node {
    pub(super) const fn info(&self) -> NodeInfo {
        match *self {
            Self::Folder { modified_ns, .. } => NodeInfo { kind: NodeKind::Folder, size: 0, modified_ns },
            Self::File { size, modified_ns, .. } => NodeInfo { kind: NodeKind::File, size, modified_ns },
        }
    }

    /// What is to be kept so that this node is found at some path.
    pub(super) const fn to_record(self) -> Record {
        match self {
            Self::Folder { modified_ns, origin } => Record::Folder { modified_ns, origin },
            Self::File { size, modified_ns, content } => Record::File { size, modified_ns, content },
        }
    }

    /// The node of a record; `None` when it says that there is none.
    pub(super) const fn from_record(record: Record) -> Option<Self> {
        match record {
            Record::Removed => None,
            Record::Folder { modified_ns, origin } => Some(Self::Folder { modified_ns, origin }),
            Record::File { size, modified_ns, content } => Some(Self::File { size, modified_ns, content }),
        }
    }
}

impl World {
    pub(super) fn reader(&self) -> Reader<'_> {
        self.shared.kept.reader(self.number())
    }

    /// The node of a path; an error when there is none.
    pub(super) fn node(&self, reader: &Reader<'_>, path: NodePath<'_>) -> Result<Node, Fault> {
        self.find(reader, path)?
            .ok_or_else(|| Fault::new(FaultClass::Vanished, format!("there is no `{}`", path.display())))
    }

    /// The node of a path, where there is one. A file on the way to it means that there is none.
    pub(super) fn find(&self, reader: &Reader<'_>, path: NodePath<'_>) -> Result<Option<Node>, Fault> {
        let root = self.state().generator.root();
        let modified_ns = Generator::folder_modified_ns(root.key);
        let mut node = Node::Folder { modified_ns, origin: Some(root) };
        for (folder, name) in path.components() {
            let Node::Folder { origin, .. } = node else { return Ok(None) };
            let child = match reader.record(folder, name)? {
                Some(record) => Node::from_record(record),
                None => origin.and_then(|origin| self.generated_child(origin, name)),
            };
            match child {
                Some(child) => node = child,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// A folder, or an error that says what is there instead.
    pub(super) fn folder(&self, reader: &Reader<'_>, path: NodePath<'_>) -> Result<Option<Origin>, Fault> {
        match self.node(reader, path)? {
            Node::Folder { origin, .. } => Ok(origin),
            Node::File { .. } => Err(Fault::new(FaultClass::WrongKind, format!("`{}` is a file", path.display()))),
        }
    }

    /// The child that a generated folder has under this name, whatever is kept.
    pub(super) fn generated_child(&self, folder: Origin, name: &[u8]) -> Option<Node> {
        let generator = &self.state().generator;
        let (kind, key) = generator.child(folder, name)?;
        Some(match kind {
            NodeKind::Folder => Node::Folder {
                modified_ns: Generator::folder_modified_ns(key),
                origin: Some(Origin { key, depth: folder.depth + 1 }),
            },
            NodeKind::File => {
                let FileFacts { size, modified_ns, content } = generator.file(key);
                Node::File { size, modified_ns, content: Content::Stream(content) }
            }
        })
    }
}
