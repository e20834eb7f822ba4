//! Nodes: their identifiers and kinds.

use std::fmt;

use strum::{Display, EnumCount, EnumString, IntoStaticStr, VariantArray};

use crate::UnknownWord;

/// The identifier of a node within its side of one ledger.
///
/// Given out in sequence by the ledger's single writer, in the order in which nodes are recorded: a parent's is always
/// lower than its children's, and the children of one folder's page follow one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub i64);

/// The root of either side.
pub const FIRST_NODE_ID: NodeId = NodeId(1);

impl NodeId {
    /// The identifier `count` places further on.
    #[must_use]
    pub fn plus(self, count: usize) -> NodeId {
        NodeId(self.0 + i64::try_from(count).expect("a page has fewer than 2^63 entries"))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What an entry of a tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[derive(Display, EnumCount, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case", const_into_str)]
#[strum(parse_err_ty = UnknownWord, parse_err_fn = UnknownWord::node_kind)]
pub enum NodeKind {
    /// A folder: can be listed.
    Folder,
    /// A regular file: has contents.
    File,
    /// A symbolic link: recorded as what it is, never followed.
    Symlink,
    /// A socket, device, FIFO, or a folder on another file system that is not crossed into: recorded, not carried over.
    Other,
}

impl NodeKind {
    /// All kinds, in the order of the ledger's enumeration.
    pub const ALL: [Self; Self::COUNT] = *Self::VARIANTS.first_chunk().expect("as many as are counted");

    /// Whether it is a file or a symbolic link.
    pub const fn is_file_or_link(self) -> bool {
        match self {
            Self::File | Self::Symlink => true,
            Self::Folder | Self::Other => false,
        }
    }

    /// The word used in the ledger and on the command line.
    pub const fn as_str(self) -> &'static str {
        self.into_str()
    }
}
