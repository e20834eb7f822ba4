//! A tree in which some folders cannot be listed.

use anyhow::Result;
use longhaul_model::{ErrorClass, encode_name};

use super::tree::{Listing, Tree};

/// Another tree, in which folders with these printable paths are denied.
pub(crate) struct Refusing<'a> {
    pub(crate) tree: &'a dyn Tree,
    pub(crate) denied: &'a [String],
}

impl Tree for Refusing<'_> {
    fn list(&self, path: &[u8]) -> Result<Listing> {
        if self.denied.iter().any(|denied| *denied == encode_name(path)) {
            return Ok(Listing::Refused(ErrorClass::Denied));
        }
        self.tree.list(path)
    }
}
