//! Trees as the scenarios see them, behind the back of the stores.

use anyhow::Result;
use longhaul_model::{ErrorClass, NodeKind};

/// A tree that can be looked at.
pub(crate) trait Tree {
    /// The immediate children of the folder at `path` (bytes, `/` for the root), in any order.
    fn list(&self, path: &[u8]) -> Result<Listing>;
}

/// What looking at a folder gives.
#[derive(Debug)]
pub(crate) enum Listing {
    /// All of it.
    Children(Vec<Child>),
    /// It is there, and cannot be listed.
    Refused(ErrorClass),
}

/// An entry of a folder.
#[derive(Clone, Debug)]
pub(crate) struct Child {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: NodeKind,
    pub(crate) size: Option<i64>,
    pub(crate) modified_ns: Option<i64>,
    /// Words that must be in what the ledger says about it: what kind of special file it is, why its size is unknown.
    pub(crate) remark: &'static [&'static str],
}
